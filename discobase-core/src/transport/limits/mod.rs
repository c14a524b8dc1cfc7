//! Keeping to Discord's limits (Discord docs, "Rate Limits").
//!
//! [`Limits`] is pure: time is handed in, nothing waits. [`Gate`] waits on its behalf. The server's word is the
//! authority: limits are learned from the headers of every reply, and after a 429 whatever it reaches stands still
//! for as long as it says, and then sends one request, and no other before that one is answered.

mod bucket;
mod gate;
mod headers;
mod pace;
mod route;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

pub(crate) use gate::{Gate, Permit};
pub(crate) use headers::{Seen, TooMany, seen, too_many};
pub(crate) use route::{Reach, Route, Verb};

use bucket::{Bucket, Free, Opening};

use crate::transport::Room;

/// Added to every wait, so that a clock that runs a little faster here than there does no harm.
const MARGIN: Duration = Duration::from_millis(50);

/// Requests a bot may send in [`GLOBAL_SPAN`], whatever their routes (Discord docs, "Rate Limits": Global Rate Limit).
const GLOBAL_LIMIT: usize = 50;
/// A second, and a little for requests that arrive closer together than they left.
const GLOBAL_SPAN: Duration = Duration::from_millis(1_050);

/// Invalid requests are counted over this time (Discord docs, "Rate Limits": Invalid Request Limit).
const INVALID_SPAN: Duration = Duration::from_secs(600);
/// How many we allow ourselves: a tenth of Discord's 10,000, because others may send from the same address.
const INVALID_LIMIT: usize = 1_000;

/// What a channel takes before its headers have told: the figure Discord has used for years.
const POSTS: Opening = Opening::Assumed { limit: 5, span: Duration::from_secs(5) };

/// A place in the order of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(u64);

/// Whether a request may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may, and counts as sent.
    Go,
    /// Not before then.
    At(Duration),
    /// Not before something has changed.
    Later,
    /// Not at all until then: too many requests were invalid.
    Spent(Duration),
}

/// What became of a request that was let through.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    /// It was answered, not with a 429.
    Answered {
        /// What the headers said.
        seen: Option<Seen>,
        /// Whether the status counts as invalid: 401 or 403.
        invalid: bool,
    },
    /// It was answered with a 429.
    TooMany(TooMany, Option<Seen>),
    /// No answer came; it may have arrived.
    Lost,
    /// It never left.
    Unsent,
}

/// Something that stands still after a 429.
#[derive(Debug)]
struct Block {
    until: Duration,
    /// The request that tries whether it is over.
    probe: Option<Ticket>,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    route: Route,
    sent: Duration,
}

/// All limits, as far as they are known.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    buckets: HashMap<Route, Bucket>,
    blocks: HashMap<Reach, Block>,
    flights: HashMap<Ticket, Flight>,
    /// When the last requests left, at most [`GLOBAL_LIMIT`].
    sent: VecDeque<Duration>,
    /// When the last invalid requests were answered, at most [`INVALID_LIMIT`].
    invalid: VecDeque<Duration>,
    tickets: u64,
}

impl Limits {
    /// A place behind everyone who has one.
    pub(crate) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// Joins the queue of the route's bucket, in the ticket's place.
    pub(crate) fn join(&mut self, route: Route, ticket: Ticket) {
        self.bucket(route).queue.insert(ticket);
    }

    /// Leaves the queue.
    pub(crate) fn leave(&mut self, route: Route, ticket: Ticket) {
        self.bucket(route).queue.remove(&ticket);
    }

    /// Asks to send. [`Verdict::Go`] takes the ticket out of the queue; its request must leave now.
    pub(crate) fn poll(&mut self, route: Route, ticket: Ticket, now: Duration) -> Verdict {
        if self.bucket(route).queue.first() != Some(&ticket) {
            return Verdict::Later;
        }
        let verdict = self.verdict(route, now);
        if verdict == Verdict::Go {
            self.sent(route, ticket, now);
        }
        verdict
    }

    /// Whether a request that came now would leave at once.
    pub(crate) fn ready(&mut self, route: Route, now: Duration) -> Verdict {
        if self.bucket(route).queue.is_empty() { self.verdict(route, now) } else { Verdict::Later }
    }

    /// How many more requests of the route may leave for now, if anything limits them.
    pub(crate) fn room(&mut self, route: Route, now: Duration) -> Option<Room> {
        self.bucket(route).room(now)
    }

    fn verdict(&mut self, route: Route, now: Duration) -> Verdict {
        if let Some(over) = self.spent(now) {
            return Verdict::Spent(over);
        }
        let mut at = now;
        for reach in route.reaches() {
            match self.blocks.get(&reach) {
                Some(block) if block.until > now => at = at.max(block.until),
                Some(Block { probe: Some(_), .. }) => return Verdict::Later,
                _ => {}
            }
        }
        match self.bucket(route).free(now) {
            Free::Now => {}
            Free::At(time) => at = at.max(time),
            Free::AfterReply => return Verdict::Later,
        }
        if !route.is_download()
            && self.sent.len() >= GLOBAL_LIMIT
            && let Some(first) = self.sent.front()
        {
            at = at.max(*first + GLOBAL_SPAN);
        }
        if at > now { Verdict::At(at) } else { Verdict::Go }
    }

    fn sent(&mut self, route: Route, ticket: Ticket, now: Duration) {
        let bucket = self.bucket(route);
        bucket.queue.remove(&ticket);
        bucket.sent(now);
        for reach in route.reaches() {
            if let Some(block) = self.blocks.get_mut(&reach) {
                block.probe = Some(ticket);
            }
        }
        if !route.is_download() {
            self.sent.push_back(now);
            if self.sent.len() > GLOBAL_LIMIT {
                self.sent.pop_front();
            }
        }
        self.flights.insert(ticket, Flight { route, sent: now });
    }

    /// Hears what became of a request.
    pub(crate) fn finish(&mut self, ticket: Ticket, outcome: Outcome, now: Duration) {
        let Some(Flight { route, sent }) = self.flights.remove(&ticket) else { return };
        let seen = match outcome {
            Outcome::Answered { seen, .. } | Outcome::TooMany(_, seen) => seen,
            Outcome::Lost | Outcome::Unsent => None,
        };
        let bucket = self.bucket(route);
        match (seen, outcome) {
            (_, Outcome::Unsent) => bucket.unsent(),
            (Some(seen), _) => bucket.answered(sent, seen, now),
            (None, _) => bucket.uncertain(now),
        }
        match outcome {
            Outcome::Answered { invalid, .. } => {
                bucket.accepted();
                self.unblock(route, ticket);
                if invalid && !route.is_download() {
                    self.count_invalid(now);
                }
            }
            Outcome::TooMany(refusal, _) => {
                let until = now + refusal.wait + MARGIN;
                if refusal.reach == Reach::Bucket(route) && !refusal.shared {
                    bucket.surprised(sent, until, now);
                }
                self.unblock(route, ticket);
                let block = self.blocks.entry(refusal.reach).or_insert(Block { until, probe: None });
                block.until = block.until.max(until);
                if !refusal.shared {
                    self.count_invalid(now);
                }
            }
            Outcome::Lost | Outcome::Unsent => self.pass_probe_on(route, ticket),
        }
    }

    /// The request tried whether blocks were over, and they were.
    fn unblock(&mut self, route: Route, ticket: Ticket) {
        for reach in route.reaches() {
            if self.blocks.get(&reach).is_some_and(|block| block.probe == Some(ticket)) {
                self.blocks.remove(&reach);
            }
        }
    }

    /// The request was to try whether blocks were over, and nobody knows: the next one shall.
    fn pass_probe_on(&mut self, route: Route, ticket: Ticket) {
        for reach in route.reaches() {
            if let Some(block) = self.blocks.get_mut(&reach)
                && block.probe == Some(ticket)
            {
                block.probe = None;
            }
        }
    }

    fn count_invalid(&mut self, now: Duration) {
        self.invalid.push_back(now);
        if self.invalid.len() > INVALID_LIMIT {
            self.invalid.pop_front();
        }
    }

    /// When sending may go on, if too many requests were invalid lately.
    fn spent(&self, now: Duration) -> Option<Duration> {
        let first = self.invalid.front().filter(|_| self.invalid.len() >= INVALID_LIMIT)?;
        Some(*first + INVALID_SPAN).filter(|over| *over > now)
    }

    fn bucket(&mut self, route: Route) -> &mut Bucket {
        self.buckets.entry(route).or_insert_with(|| {
            Bucket::new(match route {
                _ if route.is_download() => Opening::Open,
                _ if route.is_post() => POSTS,
                _ => Opening::Careful,
            })
        })
    }
}

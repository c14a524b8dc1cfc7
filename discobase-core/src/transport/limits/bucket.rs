//! One bucket: how many requests its window still takes, as far as can be known from here.
//!
//! What the server counts is known only from replies, which are late and may overtake each other. The bucket
//! therefore keeps to the most cautious reading: of two replies about one window the lower remainder and the later
//! end hold, and requests in flight are taken to be missing from every remainder. That can cost a moment, never a 429.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::headers::Seen;
use super::pace::Pace;
use super::{MARGIN, Ticket};
use crate::transport::Room;

/// What is taken for granted before a reply has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// Nothing: one request at a time.
    Careful,
    /// One at a time, and no more than `limit` in any `span`.
    Assumed { limit: usize, span: Duration },
    /// No limit.
    Open,
}

/// When the next request may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Free {
    /// At once.
    Now,
    /// Not before then.
    At(Duration),
    /// Not before a reply has come.
    AfterReply,
}

/// The window that replies told of.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// What is left of it, requests in flight not subtracted.
    remaining: u32,
    /// It has surely ended by this time.
    latest: Duration,
}

#[derive(Debug)]
pub(super) struct Bucket {
    opening: Opening,
    /// How many requests a window holds, once a reply told.
    limit: Option<u32>,
    /// The longest time to a reset that a reply told: about the length of a window.
    span: Duration,
    window: Option<Window>,
    in_flight: u32,
    /// By when the last requests had arrived, as many as an assumption has to look at.
    recent: VecDeque<Duration>,
    pace: Pace,
    /// Who waits, in order.
    pub(super) queue: BTreeSet<Ticket>,
}

impl Bucket {
    pub(super) fn new(opening: Opening) -> Self {
        Self {
            opening,
            limit: None,
            span: Duration::ZERO,
            window: None,
            in_flight: 0,
            recent: VecDeque::new(),
            pace: Pace::default(),
            queue: BTreeSet::new(),
        }
    }

    /// When the next request may leave.
    pub(super) fn free(&mut self, now: Duration) -> Free {
        if self.window.is_some_and(|window| window.latest <= now) {
            self.window = None;
        }
        if let Some(paced) = self.pace.free_at(now) {
            return Free::At(paced);
        }
        match (self.limit, self.window) {
            (Some(_), Some(window)) if self.in_flight < window.remaining => Free::Now,
            (Some(_), Some(window)) => Free::At(window.latest),
            // A new window: what is in flight may count into it.
            (Some(limit), None) if self.in_flight < limit => Free::Now,
            (Some(_), None) => Free::AfterReply,
            (None, _) => self.unlearned(now),
        }
    }

    fn unlearned(&self, now: Duration) -> Free {
        match self.opening {
            Opening::Open => Free::Now,
            _ if self.in_flight > 0 => Free::AfterReply,
            Opening::Careful => Free::Now,
            Opening::Assumed { limit, span } => {
                let first = self.recent.len().checked_sub(limit).and_then(|index| self.recent.get(index));
                match first {
                    Some(first) if *first + span + MARGIN > now => Free::At(*first + span + MARGIN),
                    _ => Free::Now,
                }
            }
        }
    }

    /// How many more requests may leave before the next reset, if anything limits them.
    pub(super) fn room(&self, now: Duration) -> Option<Room> {
        let room = |limit: u32, used: u32, reset: Option<Duration>, span| Room {
            limit,
            remaining: limit.saturating_sub(used),
            resets_in: reset.map(|reset| reset.saturating_sub(now)),
            span,
        };
        let Some(limit) = self.limit else {
            let Opening::Assumed { limit, span } = self.opening else { return None };
            let recent = || self.recent.iter().filter(|sent| **sent + span + MARGIN > now);
            let limit = u32::try_from(limit).unwrap_or(u32::MAX);
            let used = u32::try_from(recent().count()).unwrap_or(u32::MAX);
            return Some(room(limit, used, recent().next().map(|first| *first + span + MARGIN), span));
        };
        let window = self.window.filter(|window| window.latest > now);
        let used = limit.saturating_sub(window.map_or(limit, |window| window.remaining)) + self.in_flight;
        Some(room(limit, used, window.map(|window| window.latest), self.span))
    }

    /// A request leaves.
    pub(super) fn sent(&mut self, now: Duration) {
        self.in_flight += 1;
        self.pace.sent(now);
        if let (None, Opening::Assumed { limit, .. }) = (self.limit, self.opening) {
            self.recent.push_back(now);
            if self.recent.len() > limit {
                self.recent.pop_front();
            }
        }
    }

    /// A request that left at `sent` was answered, at `now`, with these headers.
    pub(super) fn answered(&mut self, sent: Duration, seen: Seen, now: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.limit = Some(seen.limit.max(1));
        self.span = self.span.max(seen.reset_after);
        // The server counted `reset_after` somewhere between the request's leaving and the reply's arriving.
        let earliest = sent + seen.reset_after;
        let latest = now + seen.reset_after + MARGIN;
        self.window = Some(match self.window {
            // It may be the window that is known already, and an older view of it.
            Some(known) if earliest <= known.latest => {
                Window { remaining: known.remaining.min(seen.remaining), latest: known.latest.max(latest) }
            }
            _ => Window { remaining: seen.remaining, latest },
        });
    }

    /// A request went well, with or without headers.
    pub(super) fn accepted(&mut self) {
        self.pace.accepted();
    }

    /// A request's fate is unknown, or its reply told nothing: it may have been counted.
    pub(super) fn uncertain(&mut self, now: Duration) {
        self.in_flight = self.in_flight.saturating_sub(1);
        // Unlearned, one is in flight at a time, and its window began when it arrived: not later than now.
        if let Some(last) = self.recent.back_mut() {
            *last = now;
        }
        let Some(limit) = self.limit else { return };
        match &mut self.window {
            Some(window) => window.remaining = window.remaining.saturating_sub(1),
            None => {
                let latest = now + self.span + MARGIN;
                self.window = Some(Window { remaining: limit.saturating_sub(1), latest });
            }
        }
    }

    /// A request never left.
    pub(super) fn unsent(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.recent.pop_back();
    }

    /// A request that left at `sent` got a 429 of this bucket's own, although it was thought to have room.
    pub(super) fn surprised(&mut self, sent: Duration, until: Duration, now: Duration) {
        self.pace.surprised(sent, until, now);
    }
}

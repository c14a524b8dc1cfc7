//! What an owner knows of its place in the chain.

use std::fmt;
use std::time::Duration;

use crate::codec::frame::{Kind, Sum, Timing};
use crate::ids::{Epoch, Incarnation, MessageId};
use crate::journal::chain::Holder;
use crate::journal::rules::{Clock, Nonce, Position, Tip, Walked};

/// The owner of a journal, or a process that has posted its `open`: all that decisions depend on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(super) timing: Timing,
    pub(super) tip: Tip,
    pub(super) holder: Holder,
    /// Discord's time up to which the tip is known to have been the tip, in milliseconds.
    pub(super) heard: u64,
    pub(super) term: Term,
    pub(super) clock: Clock,
    /// Numbers the frames after a nonce's message was deleted.
    attempts: u64,
}

/// How sure the owner is of its term.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Term {
    /// Its `open` may still lose against a frame that is not visible yet; a read settles it.
    Unsettled(Opened),
    /// Its `open` counted at once, because the same owner name had closed before; a read verifies it.
    Counted(Opened),
    /// Nothing can take its `open` off the chain.
    Certain,
    /// It is over.
    Ended(Ending),
}

/// An `open` that was posted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Opened {
    /// What it follows.
    pub(super) before: Position,
    pub(super) open: Sum,
    /// From when on a read decides about it.
    pub(super) at: Duration,
}

/// Why an owner writes no more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    /// It closed its term.
    Closed,
    /// Somebody else's frame follows this term.
    Fenced {
        /// The epoch that was overtaken.
        epoch: Epoch,
        /// Its owner.
        owner: String,
    },
    /// A frame got no answer.
    Unanswered,
    /// What decides about a frame could not be read.
    Unreadable,
    /// A frame that was posted is not there.
    Vanished,
    /// Messages of the journal were deleted.
    Damaged,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("this process closed it"),
            Self::Fenced { epoch, owner } => {
                write!(f, "another process follows epoch {epoch} of owner {owner}")
            }
            Self::Unanswered => f.write_str("the outcome of an earlier frame is unknown"),
            Self::Unreadable => f.write_str("the journal could not be read"),
            Self::Vanished => f.write_str("a frame that was posted is not in the journal"),
            Self::Damaged => f.write_str("the journal is damaged"),
        }
    }
}

impl Owner {
    /// Its `open`, which followed `before`, is the tip of `opened`; a read from `at` on settles its term.
    pub(super) fn new(clock: Clock, before: Position, opened: Position, at: Duration) -> Self {
        let Position { tip, holder, timing } = opened;
        let term = Term::Unsettled(Opened { before, open: tip.sum, at });
        Self { timing, tip, holder, heard: tip.message.time_ms(), term, clock, attempts: 0 }
    }

    /// One whose term nothing can end that began before it.
    #[cfg(any(test, feature = "model"))]
    pub(crate) fn certain(position: Position, now: Duration) -> Self {
        let mut clock = Clock::new(now);
        clock.saw(position.tip.message, now);
        let mut owner = Self::new(clock, position.clone(), position, now);
        owner.term = Term::Certain;
        owner
    }

    /// Whether it may write.
    #[cfg(any(test, feature = "model"))]
    pub(crate) const fn is_certain(&self) -> bool {
        matches!(self.term, Term::Counted(_) | Term::Certain)
    }

    /// The last frame of the chain, as far as this process knows.
    pub(crate) const fn tip(&self) -> Tip {
        self.tip
    }

    /// Who holds the tip: this process, while its term lasts.
    pub(crate) const fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The times the rules count with.
    pub(crate) const fn timing(&self) -> Timing {
        self.timing
    }

    /// The opening it writes in.
    pub(crate) const fn incarnation(&self) -> Incarnation {
        self.holder.incarnation
    }

    /// Why it writes no more, if it does not.
    pub(crate) const fn ended(&self) -> Option<&Ending> {
        match &self.term {
            Term::Ended(ending) => Some(ending),
            _ => None,
        }
    }

    /// It writes no more.
    pub(crate) fn end(&mut self, ending: Ending) {
        self.term = Term::Ended(ending);
    }

    /// It goes on from `tip` after messages of the journal were deleted: whoever says so has read the whole journal and
    /// found that nobody else has opened it.
    pub(crate) fn resume(&mut self, tip: Tip) {
        self.tip = tip;
        self.heard = tip.message.time_ms();
        self.term = Term::Certain;
    }

    /// How often it reads the tail while it writes nothing, so that an idle save is acknowledged by its reply alone.
    pub(crate) const fn idle_interval(&self) -> Duration {
        Duration::from_millis(self.timing.window / 2)
    }

    /// Rule 1 of acknowledging: whether a reply that shows this process's frame in `message` is enough. Between
    /// the last time the tip was heard and the frame, a rival's `open` would have come back in its stead.
    pub(super) const fn trusts(&self, message: MessageId) -> bool {
        message.time_ms().saturating_sub(self.heard) <= self.timing.window
    }

    /// A frame of this process's is the tip now.
    pub(super) fn extend(&mut self, sum: Sum, kind: Kind, message: MessageId) -> Tip {
        self.tip = Tip { sum, message };
        self.heard = message.time_ms();
        if kind == Kind::Close {
            self.holder.closed = true;
            self.term = Term::Ended(Ending::Closed);
        }
        self.tip
    }

    /// A read that began at Discord's time `started` or later ended at the tip.
    pub(super) fn hear(&mut self, started: u64) {
        self.heard = self.heard.max(started.saturating_sub(self.timing.visibility));
    }

    /// The same, if it did.
    pub(super) fn hear_walk(&mut self, walked: &Walked, started: u64) {
        if walked.chain.last().is_some_and(|last| last.sum == self.tip.sum) {
            self.hear(started);
        }
    }

    /// Another process follows `holder`.
    pub(crate) fn fence(&mut self, holder: &Holder) {
        self.end(Ending::Fenced { epoch: holder.epoch, owner: holder.owner.clone() });
    }

    /// The nonce of a frame after the tip.
    pub(super) const fn nonce(&self) -> Nonce {
        Nonce { after: self.tip.sum, against: None }
    }

    /// The nonce of a contention: one of its own, so that what was posted before does not come back.
    pub(super) fn contention(&mut self, rival: Option<Sum>) -> Nonce {
        self.attempts += 1;
        let mut attempt = [0; 32];
        attempt.iter_mut().zip(self.attempts.to_le_bytes()).for_each(|(to, from)| *to = from);
        Nonce { after: self.tip.sum, against: Some(rival.unwrap_or(Sum(attempt))) }
    }
}

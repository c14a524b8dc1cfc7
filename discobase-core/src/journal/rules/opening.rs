//! Becoming the owner: what the answers to an `open` mean.

use std::time::Duration;

use crate::codec::frame::{Kind, Sum};
use crate::ids::MessageId;
use crate::journal::chain::Link;
use crate::journal::rules::{Clock, Nonce, Owner, Position, Reply};

/// An `open` on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Opening {
    before: Position,
    /// The frame; its message is known with the reply.
    open: Link,
    clock: Clock,
}

/// What the answer means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Progress {
    /// This process holds the tip.
    Opened {
        /// What it knows. Its term is not certain yet.
        owner: Box<Owner>,
        /// Whether its `open` may count at once: [`Goal::Acknowledge`](crate::journal::rules::Goal::Acknowledge).
        quick: bool,
    },
    /// Somebody else's frame follows the tip that was read.
    Held,
    /// What followed the tip was deleted, and nobody can safely open before Discord has forgotten its nonce.
    Deleted,
    /// It can't be posted.
    Failed,
}

impl Opening {
    /// Begins with the `open`, which follows `before`; `newest` is the newest message that was read.
    pub(crate) fn begin(before: Position, open: Link, newest: MessageId, now: Duration) -> (Self, Nonce) {
        let mut clock = Clock::new(now);
        clock.saw(newest, now);
        let nonce = Nonce { after: before.tip.sum, against: None };
        (Self { before, open, clock }, nonce)
    }

    /// Where it began.
    pub(crate) const fn before(&self) -> &Position {
        &self.before
    }

    /// Goes on with what a post came to.
    pub(crate) fn replied(&mut self, reply: Reply, now: Duration) -> Progress {
        match reply {
            Reply::Own(message) => {
                self.clock.saw(message, now);
                let open = Link { message, ..self.open.clone() };
                let (before, holder) = (self.before.clone(), &self.before.holder);
                let quick = holder.closed && holder.owner == open.header.owner;
                let at = now.saturating_add(before.timing.settle());
                let opened = before.clone().after(&open);
                let owner = Box::new(Owner::new(self.clock, before, opened, at));
                Progress::Opened { owner, quick }
            }
            Reply::Rival(..) | Reply::Garbled(_) => Progress::Held,
            // Under another nonce, an owner that is alive would not meet this `open` when it posts: it could trust a
            // reply alone for W, and the chain would drop what it acknowledged after B.
            Reply::Deleted => Progress::Deleted,
            Reply::Lost | Reply::Refused => Progress::Failed,
        }
    }
}

/// Whether to open once more, when an `open` after `before` met another frame and the journal was read again: what
/// followed may be the last frame of the process that is gone, which was not visible at first.
pub(crate) fn reopens(before: &Position, now: &Position) -> bool {
    now.tip.sum != before.tip.sum && now.holder.incarnation == before.holder.incarnation
}

/// Whether a chain that ends with `last` can't be believed yet: an `open` at the tip may still lose against a frame that
/// is not visible, until a read that began B + V after one which showed it. `seen` is the `open` that such an earlier
/// read showed at the tip; another one is as young as if nothing had been read.
pub(crate) fn undecided(last: Option<&Link>, seen: Option<Sum>) -> bool {
    last.is_some_and(|last| last.kind == Kind::Open && seen != Some(last.sum))
}

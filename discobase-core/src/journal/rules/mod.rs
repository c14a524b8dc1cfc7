//! What keeps one writer at a time: every decision of opening, acknowledging, objecting and being fenced, as pure
//! functions of what was seen.
//!
//! Nothing here waits, reads or posts. A [`flow::Flow`] is one undertaking of an [`Owner`]; each [`Step`] says what is to
//! be done next, and the [`Event`] that comes of it gives the next step. [`crate::journal::writer`] does what the steps
//! say against a guild, and `crate::model` against every guild there can be. `docs/format.md`, sections 7 to 13, states
//! the rules and the assumptions they rest on.

mod clock;
mod creation;
mod flow;
mod opening;
mod owner;
mod roots;
mod steps;

pub(crate) use clock::Clock;
pub(crate) use creation::{is_certain, winner};
#[cfg(any(test, feature = "model"))]
pub(crate) use flow::Flow;
pub(crate) use opening::{Opening, Progress, reopens, undecided};
pub(crate) use owner::{Ending, Owner};
pub(crate) use roots::{Roots, is_on};
pub(crate) use steps::{Event, Goal, Reply, Step, Verdict, Walked, torn};

use crate::codec::frame::{Sum, Timing};
use crate::ids::MessageId;
use crate::journal::chain::{Holder, Link};

/// The last frame of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tip {
    pub(crate) sum: Sum,
    pub(crate) message: MessageId,
}

/// A place in the chain: the frame there, and who holds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Position {
    pub(crate) tip: Tip,
    pub(crate) holder: Holder,
    pub(crate) timing: Timing,
}

impl Position {
    /// After `link`, which extends this position.
    pub(crate) fn after(self, link: &Link) -> Self {
        Self {
            tip: Tip { sum: link.sum, message: link.message },
            holder: self.holder.after(link),
            timing: self.timing,
        }
    }
}

/// What rivals contend for: of all that is posted with one nonce, Discord keeps one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Nonce {
    /// The frame that is followed.
    pub(crate) after: Sum,
    /// The rival's frame, or what stands for one that is not known.
    pub(crate) against: Option<Sum>,
}

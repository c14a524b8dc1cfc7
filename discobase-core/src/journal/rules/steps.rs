//! What an owner may want, the steps it takes for it, and what comes of them.

use std::time::Duration;

use crate::codec::frame::{Kind, Sum};
use crate::ids::MessageId;
use crate::journal::chain::{Holder, Link, Links};
use crate::journal::rules::{Nonce, Position, Tip};

/// What an owner wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Goal {
    /// That its `open`, which follows a close of the same owner's, counts at once.
    Acknowledge,
    /// That its term is certain: before the first frame.
    Settle,
    /// That nothing can end a term which began before it: before channels are made or deleted.
    Verify,
    /// That a frame after the tip is durable.
    Append {
        /// The frame.
        sum: Sum,
        /// Its kind.
        kind: Kind,
    },
    /// To know whether somebody else follows the tip.
    Look,
    /// That an empty frame of its own follows the tip, and not the rival's.
    Object {
        /// The empty frame.
        sum: Sum,
        /// The rival's.
        rival: Sum,
    },
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Wait until the monotonic clock shows this, then [`Event::Waited`].
    Wait(Duration),
    /// Post the goal's frame, then [`Event::Replied`].
    Post {
        /// Under this nonce.
        nonce: Nonce,
        /// As an attachment, because Discord changes its text.
        attached: bool,
    },
    /// Read the tail and walk it from a position, then [`Event::Walked`] or [`Event::Unread`].
    Walk {
        /// The position.
        from: Position,
        /// The frame of somebody else's that a reply showed there.
        rival: Option<Sum>,
    },
    /// Read the tail, then [`Event::Looked`] or [`Event::Unread`].
    Look,
    /// Nothing: it is over.
    Done(Verdict),
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// The time has come.
    Waited,
    /// A post was answered, or never will be.
    Replied(Reply),
    /// A read showed this chain.
    Walked(Walked),
    /// A read showed this after the tip.
    Looked {
        /// Whether it showed the tip itself.
        rooted: bool,
        /// The first message that holds a frame after the tip, and what it holds.
        first: Option<Sum>,
        /// Whether it was [`torn`].
        torn: bool,
        /// The newest message.
        newest: Option<MessageId>,
    },
    /// A read failed.
    Unread,
}

/// What a post came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    /// The message holds the frame as it was sent.
    Own(MessageId),
    /// The message holds another frame.
    Rival(Sum, MessageId),
    /// The message holds no frame: Discord changed the text on its way.
    Garbled(MessageId),
    /// The message that had the nonce was deleted.
    Deleted,
    /// Nobody knows whether there is a message.
    Lost,
    /// There is none.
    Refused,
}

/// What a read of the tail shows from the position on where its walk began.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Walked {
    /// Whether the read showed the frame at the position itself. Without it nothing can be made of what follows: a later
    /// owner's trim takes the oldest first, so what followed may be gone with it, an `open` among it.
    pub(crate) rooted: bool,
    /// The frames that follow.
    pub(crate) chain: Vec<Tip>,
    /// Who holds the last of them.
    pub(crate) end: Holder,
    /// Whether the goal's frame is there at all, be it void.
    pub(crate) seen: bool,
    /// Whether the read was [`torn`].
    pub(crate) torn: bool,
    /// The newest message.
    pub(crate) newest: Option<MessageId>,
}

/// Whether something is missing in what a read shows that decided who may write, so that the chain from `from` to `end`
/// is not the one that somebody else goes by: the `rival` that a reply showed, or what a frame follows that was written in a
/// later term.
///
/// No rule needs it while nobody deletes what others rely on. It keeps a process that slept from following a tip whose
/// `open` by another process was deleted meanwhile.
pub(crate) fn torn(links: &Links, from: &Position, end: &Holder, rival: Option<Sum>) -> bool {
    let shown = |sum: Sum| sum == from.tip.sum || links.iter().any(|link| link.sum == sum);
    let lost = |prev: Sum| !shown(prev);
    // An `open` may have lost long ago, after a frame that is too old to be read here; nobody writes behind such a one.
    let written = |link: &&Link| link.header.epoch > end.epoch && link.kind != Kind::Open;
    rival.is_some_and(lost) || links.iter().filter(written).any(|link| lost(link.header.prev))
}

/// How an undertaking ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    /// The frame is on the chain for good.
    Durable(Tip),
    /// What was wanted of the term is so; nobody follows the tip.
    Settled,
    /// Somebody else's frame follows the tip: time for [`Goal::Object`].
    Contested {
        /// The frame.
        rival: Sum,
    },
    /// A read failed and nothing has changed: it can be tried again.
    PutOff,
    /// Discord refused the frame and stored nothing; later frames may succeed.
    Refused,
    /// Whether the frame is or will be on the chain can't be found out. The term ended.
    Unknown,
    /// The frame, if there was one, is not on the chain and never will be. The term ended, or had before.
    Ended,
}

impl Event {
    /// The newest message it tells of.
    pub(super) fn newest(&self) -> Option<MessageId> {
        match self {
            Self::Replied(Reply::Own(message) | Reply::Rival(_, message) | Reply::Garbled(message)) => {
                Some(*message)
            }
            Self::Walked(Walked { newest, .. }) | Self::Looked { newest, .. } => *newest,
            Self::Waited | Self::Replied(Reply::Deleted | Reply::Lost | Reply::Refused) | Self::Unread => {
                None
            }
        }
    }
}

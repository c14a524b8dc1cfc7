//! Which frame follows which: the pure rules that decide, from the messages alone, what the journal says.
//!
//! Every process that reads the same messages computes the same chain, whoever wrote them and however they raced.
//! `docs/format.md`, "The chain", states the rules and the assumptions they rest on.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use crate::codec::frame::{Header, Kind, Sum, Timing};
use crate::ids::{Epoch, Incarnation, MessageId};

/// A frame as the chain sees it: its fields, and the lowest message that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) header: Header,
    pub(crate) kind: Kind,
    pub(crate) sum: Sum,
    /// The message with the lowest id, of all that hold the frame.
    pub(crate) message: MessageId,
}

/// Its sum says what it is.
impl Hash for Link {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.sum, self.message).hash(state);
    }
}

impl Link {
    /// The time in the snowflake of its message, in milliseconds.
    pub(crate) fn time(&self) -> u64 {
        self.message.time_ms()
    }
}

/// Who may extend the chain, as its frames up to the tip say.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Holder {
    pub(crate) epoch: Epoch,
    pub(crate) incarnation: Incarnation,
    pub(crate) owner: String,
    /// Whether it has closed its term. A genesis is a closed term of its writer's.
    pub(crate) closed: bool,
}

impl Holder {
    /// The holder after `link`, when `self` was the holder before it.
    pub(crate) fn after(mut self, link: &Link) -> Self {
        match link.kind {
            Kind::Data | Kind::Checkpoint => {}
            Kind::Close => self.closed = true,
            Kind::Open | Kind::Genesis => {
                self.epoch = link.header.epoch;
                self.incarnation = link.header.incarnation;
                self.owner.clone_from(&link.header.owner);
                self.closed = link.kind == Kind::Genesis;
            }
        }
        self
    }

    /// The holder after a genesis.
    pub(crate) fn root(genesis: &Link) -> Self {
        let Header { epoch, incarnation, owner, .. } = genesis.header.clone();
        Self { epoch, incarnation, owner, closed: true }
    }
}

/// All frames of one database that were seen, by what they follow.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links {
    by_prev: HashMap<Sum, Vec<Link>>,
}

impl Links {
    /// Adds a frame. One that is there already keeps the lower of the two ids.
    pub(crate) fn insert(&mut self, link: Link) {
        let rivals = self.by_prev.entry(link.header.prev).or_default();
        match rivals.iter_mut().find(|known| known.sum == link.sum) {
            Some(known) => known.message = known.message.min(link.message),
            None => rivals.push(link),
        }
    }

    /// Forgets a frame, because its attachment turned out not to be what its message says.
    pub(crate) fn remove(&mut self, link: &Link) {
        if let Some(rivals) = self.by_prev.get_mut(&link.header.prev) {
            rivals.retain(|known| known.sum != link.sum);
        }
    }

    /// The frames that follow `sum`.
    pub(crate) fn after(&self, sum: Sum) -> &[Link] {
        self.by_prev.get(&sum).map_or(&[], Vec::as_slice)
    }

    /// The genesis frames.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &Link> {
        self.after(Sum::NONE).iter().filter(|link| link.kind == Kind::Genesis)
    }

    /// All frames.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.by_prev.values().flatten()
    }
}

/// The frame that follows `tip`, or `None` if `tip` is the last.
///
/// The holder's own frame wins over a rival's `open` unless it came more than the grace later.
pub(crate) fn next<'a>(links: &'a Links, tip: Sum, holder: &Holder, timing: Timing) -> Option<&'a Link> {
    let lowest = |wanted: &dyn Fn(&Link) -> bool| {
        links.after(tip).iter().filter(|link| wanted(link)).min_by_key(|link| link.message)
    };
    let opens = |link: &Link| link.kind == Kind::Open && link.header.epoch == holder.epoch.next();
    let continues = |link: &Link| {
        if holder.closed {
            opens(link) && link.header.owner == holder.owner
        } else {
            matches!(link.kind, Kind::Data | Kind::Checkpoint | Kind::Close)
                && link.header.epoch == holder.epoch
                && link.header.incarnation == holder.incarnation
        }
    };
    let own = lowest(&continues);
    let rival = lowest(&|link| opens(link) && !continues(link));
    match (own, rival) {
        (Some(own), Some(rival)) if own.time() > rival.time().saturating_add(timing.grace) => Some(rival),
        (Some(own), _) => Some(own),
        (None, rival) => rival,
    }
}

/// The chain from `root` on, `root` not included, and who holds it at its end.
pub(crate) fn walk(links: &Links, root: Sum, mut holder: Holder, timing: Timing) -> (Vec<&Link>, Holder) {
    let mut chain = Vec::new();
    let mut tip = root;
    // A frame names the sum of the one before, so a cycle would be a collision of blake3: the walk ends.
    while let Some(link) = next(links, tip, &holder, timing) {
        holder = holder.after(link);
        tip = link.sum;
        chain.push(link);
    }
    (chain, holder)
}

#[cfg(test)]
mod tests;

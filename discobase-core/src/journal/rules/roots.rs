//! Roots: from which of several beginnings the chain is walked.

use crate::codec::frame::Sum;
use crate::ids::{Epoch, MessageId};
use crate::journal::chain::{Holder, Link, Links, walk};
use crate::journal::rules::Position;

/// How far the chain from a root reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Reach {
    epoch: Epoch,
    tip: MessageId,
}

/// The best of the roots that were offered.
#[derive(Debug, Clone)]
pub(crate) struct Roots<B> {
    best: Option<(Reach, bool, B)>,
}

impl<B> Roots<B> {
    /// None was offered yet.
    pub(crate) const fn new() -> Self {
        Self { best: None }
    }

    /// Offers a root whose walk begins at `start`: the genesis, or the `checkpoint` with this sum. Checkpoints come after
    /// the genesis, the latest first.
    ///
    /// A checkpoint that is not on the walk from what it covers is void. Of the others counts the one whose walk reaches
    /// the highest epoch, and in it the latest frame; of several that reach the same, the first checkpoint offered.
    pub(crate) fn offer(&mut self, links: &Links, start: &Position, checkpoint: Option<Sum>, root: B) {
        let Some(reach) = reach(links, start.clone(), checkpoint) else { return };
        let better = match &self.best {
            None => true,
            Some((known, covers, _)) => reach > *known || (reach == *known && !covers),
        };
        if better {
            self.best = Some((reach, checkpoint.is_some(), root));
        }
    }

    /// Whether no older checkpoint can lead further: what it could lead to and this one does not is a later term.
    pub(crate) fn is_final(&self, links: &Links) -> bool {
        self.best
            .as_ref()
            .is_some_and(|(known, ..)| !links.iter().any(|link| link.header.epoch > known.epoch))
    }

    /// The root to walk from, if any was offered that is not void.
    pub(crate) fn best(self) -> Option<B> {
        self.best.map(|(_, _, root)| root)
    }
}

/// How far the chain from `start` reaches, as far as the links tell; `None` if the checkpoint is void.
fn reach(links: &Links, start: Position, checkpoint: Option<Sum>) -> Option<Reach> {
    let Position { tip, holder, timing } = start;
    let (chain, Holder { epoch, .. }) = walk(links, tip.sum, holder, timing);
    let end = chain.last().map_or(tip.message, |link| link.message);
    is_on(checkpoint, chain.iter().copied()).then_some(Reach { epoch, tip: end })
}

/// Whether a root is one: a checkpoint that is not on the walk from what it covers is void.
pub(crate) fn is_on<'a>(checkpoint: Option<Sum>, chain: impl IntoIterator<Item = &'a Link>) -> bool {
    checkpoint.is_none_or(|checkpoint| chain.into_iter().any(|link| link.sum == checkpoint))
}

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

    /// Whether no older checkpoint can lead further: what it could lead to and this one does not is a later term. While the
    /// genesis is the best, any checkpoint that leads as far is better.
    pub(crate) fn is_final(&self, links: &Links) -> bool {
        self.best.as_ref().is_some_and(|(known, checkpoint, _)| {
            *checkpoint && !links.iter().any(|link| link.header.epoch > known.epoch)
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::frame::{Header, Kind, Timing};
    use crate::ids::Incarnation;
    use crate::journal::rules::Tip;

    const START: u64 = 1_700_000_000_000;

    fn link(sum: u8, prev: u8, epoch: u64, kind: Kind, ms: u64) -> Link {
        let (epoch, incarnation) = (Epoch::new(epoch), Incarnation([u8::try_from(epoch).unwrap(); 8]));
        let header =
            Header { db: String::new(), epoch, incarnation, owner: epoch.to_string(), prev: Sum([prev; 32]) };
        Link { header, kind, sum: Sum([sum; 32]), message: MessageId::at(START + ms) }
    }

    fn after(link: &Link) -> Position {
        let timing = Timing { visibility: 2_000, grace: 3_000, window: 60_000 };
        let holder = Holder { closed: link.kind == Kind::Genesis, ..Holder::root(link) };
        Position { tip: Tip { sum: link.sum, message: link.message }, holder, timing }
    }

    /// The latest checkpoint has lost against the `open` of the process that wrote the one before it. The genesis is still
    /// there, and reaches as far; but it does not know with which key the database is encrypted by now.
    #[test]
    fn a_void_checkpoint_hides_no_earlier_one_behind_the_genesis() {
        let genesis = link(1, 0, 0, Kind::Genesis, 0);
        let first = link(2, 1, 1, Kind::Open, 10_000);
        let taken = link(3, 2, 2, Kind::Open, 20_000);
        let good = link(4, 3, 2, Kind::Checkpoint, 30_000);
        let void = link(5, 2, 1, Kind::Checkpoint, 40_000);
        let mut links = Links::default();
        [&genesis, &first, &taken, &good, &void].into_iter().for_each(|link| links.insert(link.clone()));
        let mut roots = Roots::new();
        roots.offer(&links, &after(&genesis), None, "genesis");
        roots.offer(&links, &after(&first), Some(void.sum), "void");
        assert!(!roots.is_final(&links), "an earlier checkpoint is better than the genesis");
        roots.offer(&links, &after(&taken), Some(good.sum), "good");
        assert!(roots.is_final(&links));
        assert_eq!(roots.best(), Some("good"));
    }
}

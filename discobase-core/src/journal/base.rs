//! Where the walk along the chain begins: at the genesis, or at what a checkpoint covers.

use crate::codec::checkpoint::{Covers, Root, Summary};
use crate::codec::frame::{Body, Kind, Sum};
use crate::ids::{MessageId, Seq};
use crate::journal::chain::{Holder, Link};
use crate::journal::reader::{Reader, Scan};
use crate::journal::rules::{Position, Roots, Tip, is_on};
use crate::transport::TransportError;

/// A root of the chain that is not void.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    /// The genesis, or the checkpoint's frame.
    pub(crate) link: Link,
    /// What the journal began with.
    pub(crate) root: Root,
    /// The frame that the walk goes on from.
    pub(crate) start: Position,
    /// What a checkpoint covers; `None` of a genesis.
    pub(crate) covers: Option<Covers>,
}

impl Base {
    /// The base of a journal that begins with this genesis, as far as the link's frame is known.
    fn genesis(link: &Link, scan: &Scan) -> Option<Self> {
        let Body::Genesis(genesis) = scan.frame(link.sum)?.body else { return None };
        let root = Root { genesis, sum: link.sum, message: link.message };
        let tip = Tip { sum: link.sum, message: link.message };
        let start = Position { tip, holder: Holder::root(link), timing: genesis.timing };
        Some(Self { link: link.clone(), root, start, covers: None })
    }

    /// The base that a checkpoint's frame is.
    pub(crate) fn checkpoint(link: &Link, scan: &Scan) -> Option<Self> {
        let Summary { root, covers, .. } = match &scan.frame(link.sum)?.body {
            Body::Checkpoint(checkpoint) => checkpoint.summary(),
            Body::Sealed(sealed) => Summary::clone(sealed.summary.as_deref()?),
            _ => return None,
        };
        let holder = Holder {
            epoch: covers.epoch,
            incarnation: covers.incarnation,
            owner: covers.owner.clone(),
            closed: false,
        };
        let tip = Tip { sum: covers.sum, message: covers.message };
        let start = Position { tip, holder, timing: root.genesis.timing };
        Some(Self { link: link.clone(), root, start, covers: Some(covers) })
    }

    /// The newest message that the chain from here does not need. A frame up to it whose predecessor is missing is
    /// what trimming has left, and no hole.
    pub(crate) fn covered(&self) -> MessageId {
        self.covers.as_ref().map_or(MessageId::default(), |covers| covers.message)
    }

    /// Whether all that a frame says is in the base already: then it is a copy that was made late, behind the base, of a
    /// frame whose predecessor was trimmed, and no frame behind a hole.
    pub(crate) fn holds(&self, link: &Link, scan: &Scan) -> bool {
        let Some(covers) = &self.covers else { return false };
        // What is before the covered frame is of its term or of an earlier one.
        if link.header.epoch > covers.epoch {
            return false;
        }
        let base = match scan.frame(self.link.sum).map(|frame| &frame.body) {
            Some(Body::Checkpoint(checkpoint)) => checkpoint.seq,
            // What is sealed tells nobody who has no key which commits it holds.
            _ => Seq::default(),
        };
        match scan.frame(link.sum).map(|frame| &frame.body) {
            Some(Body::Open) => true,
            Some(Body::Data(commits)) => commits.last().is_some_and(|last| last.seq <= base),
            // How far its state goes says nothing of where it stands itself: behind what it covers.
            Some(Body::Checkpoint(older)) => older.covers.message < covers.message,
            // What an empty frame followed may have held anything.
            _ => false,
        }
    }

    /// The checkpoint that it is, unless it is a genesis.
    fn checkpoint_sum(&self) -> Option<Sum> {
        self.covers.as_ref().map(|_| self.link.sum)
    }

    /// Whether the base is one: a checkpoint that is not on the chain from what it covers is void.
    pub(crate) fn is_on(&self, chain: &[Link]) -> bool {
        is_on(self.checkpoint_sum(), chain)
    }
}

/// The base of what was read: of the roots that are not void the one that [`Roots`] chooses.
///
/// Of the frames on the way none is verified yet, only the checkpoints' own.
pub(crate) async fn find_base(reader: &Reader, scan: &mut Scan) -> Result<Option<Base>, TransportError> {
    let mut roots = Roots::new();
    // Of two genesis frames the older counts.
    let mut genesis: Vec<Link> = scan.links.roots().cloned().collect();
    genesis.sort_unstable_by_key(|link| link.message);
    for link in genesis {
        // A long name makes it a file, and one that can't be read is none.
        if reader.load(scan, &link).await? {
            if let Some(base) = Base::genesis(&link, scan) {
                roots.offer(&scan.links, &base.start.clone(), None, base);
            }
            break;
        }
    }
    let mut checkpoints: Vec<Link> =
        scan.links.iter().filter(|link| link.kind == Kind::Checkpoint).cloned().collect();
    checkpoints.sort_unstable_by_key(|link| link.message);
    for link in checkpoints.into_iter().rev() {
        if !reader.load(scan, &link).await? {
            continue;
        }
        let Some(base) = Base::checkpoint(&link, scan) else { continue };
        roots.offer(&scan.links, &base.start.clone(), base.checkpoint_sum(), base);
        // Loading older ones is saved.
        if roots.is_final(&scan.links) {
            break;
        }
    }
    Ok(roots.best())
}

/// The frames of the journal that tell of a time before the earliest root: without a root they are lost.
pub(crate) fn rootless(scan: &Scan) -> Option<&Link> {
    scan.links.iter().filter(|link| link.header.prev != Sum::NONE).min_by_key(|link| link.message)
}

//! The whole journal: read, walked, and checked for holes, before anything of it is believed.

use std::collections::HashSet;

use crate::codec::frame::{Body, Genesis};
use crate::env;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::MessageId;
use crate::journal::chain::{Holder, Link};
use crate::journal::reader::{Reader, Scan, orphan, read_error, unreadable};
use crate::journal::rules::{Position, Tip, undecided};

/// A journal that is believed.
pub(crate) struct History {
    /// Its tip, and who holds it.
    pub(crate) position: Position,
    pub(crate) genesis: Genesis,
    /// The message of the genesis.
    pub(crate) began: MessageId,
    /// The frames after the genesis, in their order.
    pub(crate) chain: Vec<Link>,
    /// What the frames say.
    pub(crate) scan: Scan,
    /// The newest message of the channel.
    pub(crate) newest: MessageId,
}

/// How often a journal that seems to have a hole is read before the hole is believed.
const READS: usize = 3;

/// Reads the journal; `None` if it holds no genesis.
pub(crate) async fn read_history(reader: &Reader) -> Result<Option<History>> {
    let mut scan = Scan::default();
    read_all(reader, &mut scan, MessageId::new(0)).await?;
    let Some((root, genesis)) = root(&scan) else { return Ok(None) };
    let (mut reads, mut seen) = (1, None);
    loop {
        // What became visible while the pages were read lies close before the newest message.
        let newest = scan.newest.unwrap_or_default();
        read_all(reader, &mut scan, Reader::tail_start(newest, genesis.timing)).await?;
        let chain = reader.chain(&mut scan, root.sum, &Holder::root(&root), genesis.timing).await;
        let (chain, holder) = chain.map_err(|error| read_error(&error, reader.channel))?;
        let trouble = trouble(reader, &scan, &root, &chain, &holder);
        let undecided = undecided(chain.last(), seen) && !genesis.timing.settle().is_zero();
        if trouble.is_none() && !undecided {
            let tip = chain.last().unwrap_or(&root);
            let tip = Tip { sum: tip.sum, message: tip.message };
            let position = Position { tip, holder, timing: genesis.timing };
            let newest = scan.newest.unwrap_or_default();
            let began = root.message;
            return Ok(Some(History { position, genesis, began, chain, scan, newest }));
        }
        if let (Some(trouble), true) = (trouble, reads >= READS) {
            return Err(trouble);
        }
        seen = chain.last().map(|last| last.sum);
        reads += 1;
        env::sleep(&*reader.env, genesis.timing.settle()).await;
        scan = Scan::default();
        read_all(reader, &mut scan, MessageId::new(0)).await?;
    }
}

async fn read_all(reader: &Reader, scan: &mut Scan, from: MessageId) -> Result<()> {
    reader.read(scan, from).await.map_err(|error| read_error(&error, reader.channel))
}

/// The oldest genesis.
fn root(scan: &Scan) -> Option<(Link, Genesis)> {
    let root = scan.links.roots().min_by_key(|link| link.message)?;
    match &scan.frame(root.sum)?.body {
        Body::Genesis(genesis) => Some((root.clone(), *genesis)),
        _ => None,
    }
}

/// What keeps the chain from being believed: a hole before a frame, or a message after the tip that claims to be a
/// frame and is not one.
fn trouble(reader: &Reader, scan: &Scan, root: &Link, chain: &[Link], holder: &Holder) -> Option<Error> {
    let known: HashSet<_> = chain.iter().map(|link| link.sum).chain([root.sum]).collect();
    if let Some(link) = orphan(scan, &known, holder.epoch) {
        let text = format!(
            "the journal has a hole: a {} frame follows one that is not there, so messages before it were deleted. \
             Restore from an export, or delete the channels to start anew",
            link.kind.name()
        );
        return Some(
            Error::new(ErrorKind::Damaged, text).in_channel(reader.channel).in_message(link.message),
        );
    }
    let tip = chain.last().map_or(root.message, |link| link.message);
    unreadable(scan, reader.channel, tip)
}

//! The whole journal: read, walked, and checked for holes, before anything of it is believed.

use std::collections::HashSet;

use crate::codec::frame::Timing;
use crate::env;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::MessageId;
use crate::journal::base::{Base, find_base, rootless};
use crate::journal::chain::{Holder, Link};
use crate::journal::reader::{Reader, Scan, is_unknown_message, orphans, read_error, unreadable};
use crate::journal::rules::{Position, Tip, undecided};
use crate::transport::TransportError;

/// A journal that is believed.
pub(crate) struct History {
    /// Its tip, and who holds it.
    pub(crate) position: Position,
    /// What the chain was walked from.
    pub(crate) base: Base,
    /// The frames after the base's start, in their order.
    pub(crate) chain: Vec<Link>,
    /// What the frames say.
    pub(crate) scan: Scan,
    /// The newest message of the channel.
    pub(crate) newest: MessageId,
}

/// How often a journal that seems to have a hole is read before the hole is believed.
const READS: usize = 3;

/// Reads the journal; `None` if it holds no frame.
pub(crate) async fn read_history(reader: &Reader) -> Result<Option<History>> {
    let (mut reads, mut seen, mut earlier) = (1, None, None::<Scan>);
    loop {
        let (scan, walked) = match read_whole(reader).await {
            Ok(read) => read,
            // A message that was in the list is gone: its frame may have been trimmed, and the next list has no need of it.
            Err(error) if is_unknown_message(&error) && reads < READS => {
                reads += 1;
                continue;
            }
            Err(error) => return Err(read_error(&error, reader.channel)),
        };
        let timing = walked.as_ref().map_or(Timing::DISCORD, |walked| walked.base.start.timing);
        let trouble = match &walked {
            Some(walked) => trouble(reader, &scan, walked),
            None => match no_root(reader, &scan) {
                Some(trouble) => Some(trouble),
                None => return Ok(None),
            },
        };
        let last = walked.as_ref().and_then(|walked| walked.chain.last());
        let undecided = undecided(last, seen) && !timing.settle().is_zero();
        seen = last.map(|last| last.sum);
        // A busy writer's newest frames are not all visible at any time: what follows a hole and was not there in the read
        // before proves none yet. Whoever opens before it meets the writer in the frame that is missing.
        let at = trouble.as_ref().and_then(|trouble| trouble.place().message);
        let new = at.is_some_and(|at| earlier.as_ref().is_some_and(|earlier| !earlier.has_seen(at)));
        let young = walked.is_some() && new && reads >= READS;
        if let Some(walked) = walked
            && (trouble.is_none() || young)
            && !undecided
        {
            return Ok(Some(walked.believed(scan)));
        }
        if let (Some(trouble), true, false) = (trouble, reads >= READS, young) {
            return Err(trouble);
        }
        reads += 1;
        earlier = Some(scan);
        env::sleep(&*reader.env, timing.settle()).await;
    }
}

/// What a reading of the journal came to, believed or not.
pub(crate) struct Walked {
    pub(crate) base: Base,
    /// The frames after the base's start, in their order.
    pub(crate) chain: Vec<Link>,
    /// Who holds the last of them.
    pub(crate) holder: Holder,
    /// The frames that follow a hole, the oldest first.
    pub(crate) behind_holes: Vec<Link>,
}

impl Walked {
    /// The last frame of the chain.
    pub(crate) fn tip(&self) -> Tip {
        self.chain.last().map_or(self.base.start.tip, |link| Tip { sum: link.sum, message: link.message })
    }

    fn believed(self, scan: Scan) -> History {
        let position = Position { tip: self.tip(), holder: self.holder, timing: self.base.start.timing };
        let newest = scan.newest.unwrap_or_default();
        History { position, base: self.base, chain: self.chain, scan, newest }
    }
}

/// Reads all of the journal, and walks along it from its base.
pub(crate) async fn read_whole(reader: &Reader) -> Result<(Scan, Option<Walked>), TransportError> {
    let mut scan = Scan::default();
    reader.read(&mut scan, MessageId::new(0)).await?;
    let mut known = None;
    loop {
        let Some(base) = find_base(reader, &mut scan).await? else { return Ok((scan, None)) };
        // What became visible while the pages were read lies close before the newest message.
        if known.replace(base.link.sum) != Some(base.link.sum) {
            let newest = scan.newest.unwrap_or_default();
            reader.read(&mut scan, Reader::tail_start(newest, base.start.timing)).await?;
            continue;
        }
        let Position { tip, holder, timing } = &base.start;
        let (chain, holder) = reader.chain(&mut scan, tip.sum, holder, *timing).await?;
        // On the way something may have turned out to be no frame, and the base to be void without it.
        if base.is_on(&chain) {
            let behind_holes = behind_holes(reader, &mut scan, &base, &chain).await?;
            return Ok((scan, Some(Walked { base, chain, holder, behind_holes })));
        }
    }
}

/// The frames that follow a hole: those whose predecessor is nowhere, and that are no late copy of a frame from before
/// the base, whose predecessor was trimmed.
async fn behind_holes(
    reader: &Reader,
    scan: &mut Scan,
    base: &Base,
    chain: &[Link],
) -> Result<Vec<Link>, TransportError> {
    let mut found = Vec::new();
    let known: HashSet<_> = chain.iter().map(|link| link.sum).chain([base.start.tip.sum]).collect();
    // Not of the tip's epoch: where a frame is missing, the chain may go on with an `open` that had lost against it.
    for link in orphans(scan, &known, base.start.holder.epoch, base.covered()) {
        // What can't be read is reported as that, if it matters.
        if reader.load(scan, &link).await? && !base.holds(&link, scan) {
            found.push(link);
        }
    }
    Ok(found)
}

/// Why a journal in which nothing begins is none, if it is not merely empty.
fn no_root(reader: &Reader, scan: &Scan) -> Option<Error> {
    let bad = scan.strangers.iter().find(|stranger| stranger.suspicious);
    if let Some(bad) = bad {
        let text = format!("the first frame of the journal can't be read: {}", bad.reason);
        return Some(Error::new(ErrorKind::Corrupt, text).in_channel(reader.channel).in_message(bad.message));
    }
    let link = rootless(scan)?;
    let text = "the journal has frames, but neither its first frame nor a checkpoint: messages were deleted. Restore \
                from an export, or delete the channels to start anew";
    Some(Error::new(ErrorKind::Damaged, text).in_channel(reader.channel).in_message(link.message))
}

/// What keeps the chain from being believed: a hole before a frame, or a message after the tip that claims to be a
/// frame and is not one.
fn trouble(reader: &Reader, scan: &Scan, walked: &Walked) -> Option<Error> {
    if let Some(link) = walked.behind_holes.first() {
        let text = format!(
            "the journal has a hole: a {} frame follows one that is not there, so messages before it were deleted. \
             If a process still has the database open, call db.heal().await there, which writes all of it anew; if none \
             has, open what is left with Database::builder(…).salvage()",
            link.kind.name()
        );
        return Some(
            Error::new(ErrorKind::Damaged, text).in_channel(reader.channel).in_message(link.message),
        );
    }
    unreadable(scan, reader.channel, walked.tip().message)
}

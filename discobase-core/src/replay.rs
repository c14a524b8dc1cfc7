//! Replaying a journal: from its base and its frames to the tables, by the same `apply` that live commits go through.

mod salvage;

use std::borrow::Cow;
use std::sync::Arc;

pub use salvage::Salvage;
pub(crate) use salvage::salvage;

use crate::checkpoint::load::Loader;
use crate::codec::binary::commit_size;
use crate::codec::checkpoint::{Checkpoint, Wrote};
use crate::codec::frame::{Body, Frame};
use crate::codec::sealed::{self, OpenError};
use crate::env::{self, heavy};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{MessageId, Seq};
use crate::journal::base::Base;
use crate::journal::chain::Link;
use crate::journal::history::{History, read_history};
use crate::journal::reader::{Reader, Scan};
use crate::journal::rules::Position;
use crate::lookup::{Lazy, Lost};
use crate::seal::Sealing;
use crate::tables::Tables;

/// What a journal says.
pub(crate) struct Replayed {
    pub(crate) position: Position,
    pub(crate) tables: Tables,
    /// What the chain was walked from.
    pub(crate) base: Base,
    /// The checkpoint that it is, unless it is the genesis.
    pub(crate) checkpoint: Option<Arc<Checkpoint>>,
    /// Whether messages are left that the base covers.
    pub(crate) untrimmed: bool,
    /// What was written since the base.
    pub(crate) volume: Volume,
    /// Which opening wrote which commits, in their order.
    pub(crate) past: Vec<Wrote>,
    /// The newest message of the channel.
    pub(crate) newest: MessageId,
    /// What its frames are sealed with, if the database is encrypted.
    pub(crate) sealing: Option<Arc<Sealing>>,
    /// What is missing, if that is the rest of a damaged journal.
    pub(crate) salvaged: Option<Arc<Salvage>>,
}

/// How much a journal holds: what its next reader has to read and apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Volume {
    pub(crate) frames: u64,
    /// Bytes of commits, not compressed.
    pub(crate) bytes: u64,
}

impl Volume {
    /// One frame more, with so many bytes of commits.
    pub(crate) fn add(&mut self, bytes: u64) {
        self.frames += 1;
        self.bytes += bytes;
    }
}

/// How often a base whose segments are not all there is read anew: a newer base may have taken its place meanwhile.
const BASES: usize = 3;

/// Reads and replays the journal; `None` if it holds no frame. Tables that are `lazy` are not loaded.
///
/// Whoever stood at a tip and finds that what followed it was trimmed starts anew with this.
pub(crate) async fn replay(reader: &Reader, lazy: Option<&Lazy>) -> Result<Option<Replayed>> {
    let mut tried = 1;
    loop {
        let Some(history) = read_history(reader).await? else { return Ok(None) };
        match start(reader, &history, lazy, tried == BASES).await {
            Ok(start) => return finish(reader, history, start).await.map(Some),
            Err(Lost::Segment(error)) if tried < BASES => {
                tracing::debug!(
                    name: "segment_missing", target: "discobase::checkpoint", %error,
                    "a segment is not there: a newer checkpoint may explain it"
                );
                tried += 1;
                env::sleep(&*reader.env, history.position.timing.settle()).await;
            }
            Err(Lost::Segment(error) | Lost::Failed(error)) => return Err(error),
        }
    }
}

/// What the chain is applied to.
struct Start {
    tables: Tables,
    checkpoint: Option<Arc<Checkpoint>>,
    sealing: Option<Arc<Sealing>>,
}

/// The state at the base: nothing after a genesis, and what the segments of a checkpoint hold. At the `last` attempt what is
/// lost of indexes is done without.
async fn start(reader: &Reader, history: &History, lazy: Option<&Lazy>, last: bool) -> Result<Start, Lost> {
    let base = &history.base;
    let sealing = reader.keychain.unlock(base.root.genesis.keying).await;
    let sealing = sealing.map_err(|error| Lost::Failed(error.in_channel(reader.channel)))?;
    if base.covers.is_none() {
        return Ok(Start { tables: Tables::default(), checkpoint: None, sealing });
    }
    let checkpoint = opened(reader, history, sealing.as_deref()).map_err(Lost::Failed)?;
    let loader = Loader {
        transport: &*reader.transport,
        env: &reader.env,
        db: &reader.db,
        sealing: sealing.clone().into(),
    };
    let tables = loader.load(&checkpoint, lazy, last).await?;
    Ok(Start { tables, checkpoint: Some(checkpoint), sealing })
}

/// The checkpoint that is the base.
fn opened(reader: &Reader, history: &History, sealing: Option<&Sealing>) -> Result<Arc<Checkpoint>> {
    let link = &history.base.link;
    let placed = |error: Error| error.in_channel(reader.channel).in_message(link.message);
    let lost = || Error::new(ErrorKind::Corrupt, "the frame of the checkpoint holds none");
    let frame = history.scan.frame(link.sum).ok_or_else(|| placed(lost()))?;
    let body = sealed::open(frame, sealing, reader.channel).map_err(|error| placed(unopened(&error)))?;
    match body.into_owned() {
        Body::Checkpoint(checkpoint) => Ok(Arc::from(checkpoint)),
        _ => Err(placed(lost())),
    }
}

/// Applies what follows the base.
async fn finish(reader: &Reader, history: History, start: Start) -> Result<Replayed> {
    for stranger in &history.scan.strangers {
        tracing::warn!(name: "stranger", target: "discobase::journal",
            channel = %reader.channel, message = %stranger.message, reason = %stranger.reason,
            "a message in the journal is not a frame and is ignored"
        );
    }
    let History { position, base, chain, scan, newest } = history;
    let untrimmed = scan.links.iter().any(|link| link.message <= base.covered());
    let past = start.checkpoint.as_ref().map_or_else(Vec::new, |checkpoint| checkpoint.past.clone());
    let (key, journal, tables) = (start.sealing.clone(), reader.channel, start.tables);
    // Replaying a large journal takes long enough to starve a runtime of few threads.
    let apply =
        move || apply_all(&scan, &chain, tables, past, &|frame| sealed::open(frame, key.as_deref(), journal));
    let applied = heavy(&reader.env, apply).await;
    let applied = applied.ok_or_else(|| Error::new(ErrorKind::Damaged, "replaying the journal failed"));
    let Applied { tables, past, volume } = applied?.map_err(|error| error.in_channel(reader.channel))?;
    let Start { checkpoint, sealing, .. } = start;
    Ok(Replayed {
        position,
        tables,
        base,
        checkpoint,
        untrimmed,
        volume,
        past,
        newest,
        sealing,
        salvaged: None,
    })
}

struct Applied {
    tables: Tables,
    past: Vec<Wrote>,
    volume: Volume,
}

fn apply_all(
    scan: &Scan,
    chain: &[Link],
    tables: Tables,
    past: Vec<Wrote>,
    open: &dyn for<'a> Fn(&'a Frame) -> Result<Cow<'a, Body>, OpenError>,
) -> Result<Applied> {
    let mut applied = Applied { tables, past, volume: Volume::default() };
    for link in chain {
        let Some(frame) = scan.frame(link.sum) else { continue };
        let body = open(frame).map_err(|error| unopened(&error).in_message(link.message))?;
        let Body::Data(commits) = &*body else { continue };
        applied.volume.add(commits.iter().map(|commit| commit_size(commit) as u64).sum());
        for commit in commits {
            applied.tables.apply(commit).map_err(|error| {
                let text = format!("a frame of the journal can't be applied: {error}");
                Error::new(ErrorKind::Corrupt, text).in_message(link.message)
            })?;
        }
        if let (Some(first), Some(last)) = (commits.first(), commits.last()) {
            let incarnation = link.header.incarnation;
            wrote(&mut applied.past, Wrote { incarnation, first: first.seq, last: last.seq });
        }
    }
    Ok(applied)
}

/// Adds to what openings wrote: numbers that follow those of the same opening extend them.
pub(crate) fn wrote(past: &mut Vec<Wrote>, new: Wrote) {
    match past.last_mut() {
        Some(last) if last.incarnation == new.incarnation && last.last.next() == new.first => {
            last.last = new.last;
        }
        _ => past.push(new),
    }
}

/// The numbers from `first` to `last` without those of `left_out`.
pub(crate) fn without(first: Seq, last: Seq, left_out: &[(Seq, Seq)]) -> Vec<(Seq, Seq)> {
    let mut left_out = left_out.to_vec();
    left_out.sort_unstable();
    let (mut parts, mut next) = (Vec::new(), first);
    for (from, to) in left_out.into_iter().take_while(|(from, _)| *from <= last) {
        if from > next {
            parts.push((next, Seq::new(from.get().saturating_sub(1))));
        }
        next = next.max(to.next());
    }
    if next <= last {
        parts.push((next, last));
    }
    parts
}

/// The error for a frame on the chain that says nothing which is believed.
pub(crate) fn unopened(error: &OpenError) -> Error {
    let kind = match error {
        OpenError::Tampered | OpenError::Clear | OpenError::Sealed => ErrorKind::Tampered,
        OpenError::Decode(_) => ErrorKind::Corrupt,
    };
    let text = format!(
        "a frame of the journal can't be opened: {error}. Only who holds the bot's token can have posted it"
    );
    Error::new(kind, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Incarnation;

    fn seqs(pairs: &[(u64, u64)]) -> Vec<(Seq, Seq)> {
        pairs.iter().map(|&(from, to)| (Seq::new(from), Seq::new(to))).collect()
    }

    #[test]
    fn numbers_that_were_refused_are_left_out() {
        let without = |first, last, out: &[(u64, u64)]| without(Seq::new(first), Seq::new(last), &seqs(out));
        assert_eq!(without(3, 9, &[]), seqs(&[(3, 9)]));
        assert_eq!(without(3, 9, &[(5, 6)]), seqs(&[(3, 4), (7, 9)]));
        assert_eq!(without(3, 9, &[(8, 12), (1, 3)]), seqs(&[(4, 7)]));
        assert_eq!(without(3, 9, &[(4, 4), (4, 5), (20, 30)]), seqs(&[(3, 3), (6, 9)]));
        assert_eq!(without(3, 9, &[(3, 9)]), seqs(&[]));
        assert_eq!(without(4, 3, &[]), seqs(&[]));
    }

    #[test]
    fn what_one_opening_wrote_in_one_go_is_one_entry() {
        let entry = |name, first, last| Wrote {
            incarnation: Incarnation([name; 8]),
            first: Seq::new(first),
            last: Seq::new(last),
        };
        let mut past = Vec::new();
        for one in [entry(1, 1, 2), entry(1, 3, 3), entry(1, 5, 6), entry(2, 7, 7)] {
            wrote(&mut past, one);
        }
        assert_eq!(past, [entry(1, 1, 3), entry(1, 5, 6), entry(2, 7, 7)]);
    }
}

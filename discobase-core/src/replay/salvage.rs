//! What is left of a journal with holes: the chain up to the first, and what follows each, in the order of the commits.
//!
//! A frame behind a hole was acknowledged, so what it says of a row holds, whatever the missing frames said. What only they
//! said is lost, and is named.

use std::fmt;
use std::sync::Arc;

use super::{Lost, Replayed, Volume, start, unopened, wrote};
use crate::batch::{Commit, Op};
use crate::codec::checkpoint::Wrote;
use crate::codec::frame::{Body, Kind};
use crate::codec::sealed;
use crate::env::heavy;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{MessageId, Seq};
use crate::journal::chain::{Holder, Link};
use crate::journal::history::{History, Walked, read_whole};
use crate::journal::reader::{Reader, Scan, read_error};
use crate::journal::rules::{Position, Tip};
use crate::tables::Tables;

/// What could not be saved of a damaged database that was opened all the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvage {
    /// The messages that follow a hole in the journal.
    pub behind: Vec<MessageId>,
    /// The numbers of commits that no frame has, from the first to the last of each gap that a hole left. They are lost, but
    /// for those that had been refused: those were never there.
    pub missing: Vec<(Seq, Seq)>,
    /// What else is lost, a sentence each.
    pub lost: Vec<String>,
}

impl fmt::Display for Salvage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} holes in the journal", self.behind.len())?;
        for (first, last) in &self.missing {
            write!(f, "; no frame has commits {first} to {last}")?;
        }
        self.lost.iter().try_for_each(|lost| write!(f, "; {lost}"))
    }
}

/// Frames that follow each other.
struct Piece {
    frames: Vec<Link>,
    holder: Holder,
}

/// Reads a journal that is damaged; `None` if it holds no frame. It is as it would be without what is missing.
///
/// # Errors
/// What keeps even that from being read: no root, or segments that are gone.
pub(crate) async fn salvage(reader: &Reader) -> Result<Option<Replayed>> {
    let failed = |error| read_error(&error, reader.channel);
    let (mut scan, walked) = read_whole(reader).await.map_err(failed)?;
    let Some(walked) = walked else { return Ok(None) };
    let mut salvage = Salvage::default();
    let pieces = pieces(reader, &mut scan, &walked, &mut salvage).await?;
    let tip = walked.tip();
    let Walked { base, chain, holder, .. } = walked;
    let timing = base.start.timing;
    let last = pieces.last().and_then(|piece| Some((piece.frames.last()?, piece.holder.clone())));
    let position = match last {
        Some((link, holder)) => {
            Position { tip: Tip { sum: link.sum, message: link.message }, holder, timing }
        }
        None => Position { tip, holder, timing },
    };
    let end = position.tip.message;
    for stranger in scan.strangers.iter().filter(|stranger| stranger.suspicious && stranger.message > end) {
        salvage.lost.push(format!(
            "what message {} held, which can't be read: {}",
            stranger.message, stranger.reason
        ));
    }
    let newest = scan.newest.unwrap_or_default();
    let history = History { position: position.clone(), base, chain, scan, newest };
    let start = start(reader, &history, None, true).await.map_err(|error| match error {
        Lost::Segment(error) | Lost::Failed(error) => error,
    })?;
    let past = start.checkpoint.as_ref().map_or_else(Vec::new, |checkpoint| checkpoint.past.clone());
    let untrimmed = history.scan.links.iter().any(|link| link.message <= history.base.covered());
    let (sealing, journal, checkpoint) = (start.sealing, reader.channel, start.checkpoint);
    let History { base, chain, scan, .. } = history;
    let (tables, key) = (start.tables, sealing.clone());
    let work = move || {
        let mut state = State { tables, past, volume: Volume::default(), salvage };
        let mut gap = false;
        for piece in std::iter::once(&chain).chain(pieces.iter().map(|piece| &piece.frames)) {
            for link in piece {
                let Some(frame) = scan.frame(link.sum) else { continue };
                let body = sealed::open(frame, key.as_deref(), journal);
                let body =
                    body.map_err(|error| unopened(&error).in_channel(journal).in_message(link.message))?;
                if let Body::Data(commits) = &*body {
                    state.apply(link, commits, std::mem::take(&mut gap));
                }
            }
            gap = true;
        }
        Ok::<_, Error>(state)
    };
    let worked = heavy(&reader.env, work).await;
    let failed = || Error::new(ErrorKind::Damaged, "reading what is left of the journal failed");
    let State { tables, past, volume, salvage } = worked.ok_or_else(failed)??;
    let salvaged = Some(Arc::new(salvage));
    Ok(Some(Replayed {
        position,
        tables,
        base,
        checkpoint,
        untrimmed,
        volume,
        past,
        newest,
        sealing,
        salvaged,
    }))
}

/// What follows the holes, in the order of the terms and in each of the messages.
async fn pieces(
    reader: &Reader,
    scan: &mut Scan,
    walked: &Walked,
    salvage: &mut Salvage,
) -> Result<Vec<Piece>> {
    let timing = walked.base.start.timing;
    let mut firsts: Vec<&Link> = Vec::new();
    for link in &walked.behind_holes {
        // Of several that follow one missing frame, the rule chooses as it would if that were there.
        match firsts.iter_mut().find(|first| first.header.prev == link.header.prev) {
            None => firsts.push(link),
            Some(first) => {
                let (own, open) = match (first.kind == Kind::Open, link.kind == Kind::Open) {
                    (true, false) => (link, *first),
                    (false, true) => (*first, link),
                    // The oldest is there already.
                    _ => continue,
                };
                *first = if own.time() <= open.time().saturating_add(timing.grace) { own } else { open };
            }
        }
    }
    firsts.sort_by_key(|link| (link.header.epoch, link.message));
    let mut pieces = Vec::new();
    for first in firsts {
        salvage.behind.push(first.message);
        let header = first.header.clone();
        let holder = Holder {
            epoch: header.epoch,
            incarnation: header.incarnation,
            owner: header.owner,
            closed: first.kind == Kind::Close,
        };
        let (mut frames, holder) = reader
            .chain(scan, first.sum, &holder, timing)
            .await
            .map_err(|error| read_error(&error, reader.channel))?;
        frames.insert(0, first.clone());
        pieces.push(Piece { frames, holder });
    }
    Ok(pieces)
}

/// The tables while frames are applied to them.
struct State {
    tables: Tables,
    past: Vec<Wrote>,
    volume: Volume,
    salvage: Salvage,
}

impl State {
    /// Applies a frame's commits; `gap` says whether frames are missing before it.
    fn apply(&mut self, link: &Link, commits: &[Commit], gap: bool) {
        let last = self.tables.seq();
        let new: Vec<&Commit> = commits.iter().filter(|commit| commit.seq > last).collect();
        let (Some(first), Some(end)) = (new.first(), new.last()) else { return };
        if gap && first.seq > last.next() {
            self.salvage.missing.push((last.next(), Seq::new(first.seq.get() - 1)));
        }
        for commit in &new {
            commit.ops.iter().for_each(|op| self.force(commit.seq, op));
            self.tables.advance(commit.seq);
        }
        self.volume.add(0);
        let incarnation = link.header.incarnation;
        wrote(&mut self.past, Wrote { incarnation, first: first.seq, last: end.seq });
    }

    fn force(&mut self, seq: Seq, op: &Op) {
        let named = |tables: &Tables, id| {
            tables.get(id).map_or_else(|| format!("{id}"), |table| table.def().name.clone())
        };
        match self.tables.force(seq, op) {
            Ok(gone) => {
                if let Op::Insert { table, row, .. }
                | Op::Update { table, row, .. }
                | Op::Patch { table, row, .. } = op
                {
                    let table = named(&self.tables, *table);
                    self.salvage.lost.extend(gone.into_iter().map(|by| {
                        format!(
                            "row {by} of table {table} made way for row {row}, which commit {seq} gave the same unique \
                             value: the missing frames changed or deleted it"
                        )
                    }));
                }
            }
            Err(error) => self.salvage.lost.push(format!("a part of commit {seq}: {error}")),
        }
    }
}

//! The segments of one table: downloaded one after the other, checked against the checkpoint, and compared with memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::Pass;
use super::contents::Found;
use super::journal::{Change, Journal};
use super::report::{Deviation, DeviationKind as Kind};
use super::rows::{Digest, RowsCheck};
use crate::batch::TableDef;
use crate::codec::checkpoint::{Location, Run, Segment, TableCheckpoint};
use crate::codec::segment::{Part, SegmentError, SegmentHeader, SegmentOf, read_entries, read_rows};
use crate::env::heavy;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, RowId, Seq, TableId};
use crate::tables::{TableState, Tables};
use crate::transport::{Message, TransportError, explain};

/// What is done with a table.
pub(super) struct Subject<'a> {
    pub(super) state: &'a Arc<TableState>,
    /// As of which commit the state is.
    pub(super) memory: Seq,
    /// The channels that can't be read.
    pub(super) unreadable: &'a [ChannelId],
}

impl Pass<'_> {
    /// Checks one table: its definition, what lies in its channels, its rows and its indexes.
    pub(super) async fn table(&mut self, journal: &mut Journal, subject: Subject<'_>) -> Result<()> {
        let Subject { state, memory, unreadable } = subject;
        let def = Arc::clone(state.def());
        let stored = journal
            .checkpoint
            .as_ref()
            .and_then(|checkpoint| checkpoint.tables.iter().find(|table| table.def.id == def.id).cloned());
        self.definition(journal, &def, stored.as_ref(), memory);
        let wanted: HashSet<Location> = stored.iter().flat_map(locations).collect();
        let mut found = Found::new();
        for channel in [def.channel].into_iter().chain(def.indexes.iter().map(|index| index.channel)) {
            if !unreadable.contains(&channel) {
                self.contents(channel, &def.name, journal, &wanted, &mut found).await?;
            }
        }
        let changed = take_changes(&mut journal.commits.rows, def.id);
        let bounds = (journal.since(), journal.commits.last, memory);
        let known = stored.as_ref().map_or(Arc::clone(&def), |stored| Arc::new(stored.def.clone()));
        let mut check = RowsCheck::new(Arc::clone(state), known, changed, bounds);
        let mut whole = true;
        if let Some(stored) = stored {
            let mut broken = HashSet::new();
            for run in &stored.runs {
                for segment in &run.segments {
                    let of = self.of(def.id, Part::Rows, run);
                    let file = self.file(&def, &of, segment, &found, unreadable).await?;
                    let read;
                    (check, read) = match file {
                        Some(file) => self.rows(check, journal, &stored, (of, segment), file).await?,
                        None => (check, false),
                    };
                    if !read {
                        whole = false;
                        broken.insert((run.from, run.to));
                    }
                }
            }
            for index in 0..def.indexes.len() {
                check = self.index(check, journal, &stored, index, &broken, (&found, unreadable)).await?;
            }
        }
        self.counts.rows += check.rows;
        self.counts.entries += check.entries;
        let channel = self.site.reader.channel;
        let finished = heavy(&self.site.reader.env, move || check.finish(whole, channel)).await;
        for wrong in finished.ok_or_else(failed)? {
            let text = format!(
                "{} in this process's memory: one of the two is wrong. db.heal().await writes what is in memory",
                wrong.text
            );
            let deviation = Deviation::new(Kind::RowsDiffer, text).table(&def.name);
            self.found(match wrong.at {
                Some(at) => deviation.channel(at.channel).message(at.message),
                None => deviation.channel(def.channel),
            });
        }
        Ok(())
    }

    /// Whether the definition in the guild is the one in memory.
    fn definition(
        &mut self,
        journal: &Journal,
        def: &TableDef,
        stored: Option<&TableCheckpoint>,
        memory: Seq,
    ) {
        let made = journal.commits.tables.get(&def.id);
        let same = match (stored, made) {
            (_, Some((made, _))) => made == def,
            (Some(stored), None) => stored.def == *def || journal.commits.last < memory,
            // The commit that made it is not on the chain any more, and was reported as that.
            (None, None) => journal.commits.last < memory,
        };
        if !same {
            let text = "the table's definition in the journal is not the one in this process's memory: open the \
                        database anew, and look who else writes it";
            let at = made.map_or(journal.walked.base.link.message, |(_, message)| *message);
            let deviation = Deviation::new(Kind::DefinitionDiffers, text).table(&def.name);
            self.found(deviation.channel(self.site.reader.channel).message(at));
        }
    }

    /// Reports tables that the journal has and memory does not, and migration steps that differ.
    pub(super) fn vanished(&mut self, journal: &Journal, memory: &Tables) {
        let channel = self.site.reader.channel;
        if journal.commits.last >= memory.seq() && journal.commits.steps != memory.steps() {
            let text = "the migration steps in the journal are not those in this process's memory: open the database \
                        anew, and look who else writes it";
            self.found(Deviation::new(Kind::DefinitionDiffers, text).channel(channel));
        }
        let (stored, made) = (journal.checkpoint.as_ref(), &journal.commits.tables);
        let stored = stored.iter().flat_map(|checkpoint| checkpoint.tables.iter().map(|table| &table.def));
        for def in stored.chain(made.values().map(|(def, _)| def)) {
            if memory.get(def.id).is_none() && !journal.commits.dropped.contains(&def.id) {
                let text =
                    "the table is in the journal and not in this process's memory: open the database anew";
                self.found(Deviation::new(Kind::DefinitionDiffers, text).table(&def.name).channel(channel));
            }
        }
    }

    fn of(&self, table: TableId, part: Part, run: &Run) -> SegmentOf {
        SegmentOf { db: Arc::clone(&self.site.reader.db), table, part, run: (run.from, run.to) }
    }

    /// Downloads a segment's file; `None`, and a deviation, if it is not there.
    async fn file(
        &mut self,
        def: &TableDef,
        of: &SegmentOf,
        segment: &Segment,
        found: &Found,
        unreadable: &[ChannelId],
    ) -> Result<Option<Bytes>> {
        let Location { channel, message } = segment.location;
        if unreadable.contains(&channel) {
            return Ok(None);
        }
        let place = |kind, text: &str| {
            let text = format!("{text}. db.heal().await writes it anew from memory");
            Deviation::new(kind, text).table(&def.name).channel(channel).message(message)
        };
        let transport = Arc::clone(&self.site.reader.transport);
        let failed = |error: &TransportError| {
            explain(error, "reading a segment").in_table(&def.name).in_channel(channel).in_message(message)
        };
        let mut known = found.get(&segment.location).cloned();
        // A history may lag behind what a single message's route knows, and a new file may not have arrived yet.
        for again in [false, true] {
            let holder = match known.take() {
                Some(message) => message,
                None => {
                    self.counts.requests += 1;
                    match transport.message(channel, message).await {
                        Ok(message) => message,
                        Err(TransportError::Missing(_)) => {
                            self.found(place(Kind::MissingSegment, "a segment was deleted"));
                            return Ok(None);
                        }
                        Err(error) => return Err(failed(&error)),
                    }
                }
            };
            if let Some(text) = altered(&holder, of, segment) {
                self.found(place(Kind::SwappedSegment, &text));
            }
            let [attachment] = &holder.attachments[..] else {
                self.found(place(Kind::MissingSegment, "a segment's message has no file any more"));
                return Ok(None);
            };
            self.counts.requests += 1;
            match transport.download(attachment).await {
                Ok(file) => {
                    self.counts.bytes += file.len() as u64;
                    self.counts.segments += 1;
                    return Ok(Some(file));
                }
                Err(TransportError::Missing(_) | TransportError::Forbidden(_)) => {}
                // A file that is deleted while it is downloaded, because it was trimmed, ends early.
                Err(TransportError::Unknown(_)) if !again => {}
                Err(error) => return Err(failed(&error)),
            }
        }
        self.found(place(Kind::MissingSegment, "a segment's file is gone"));
        Ok(None)
    }

    /// Reads a segment of rows; false if it is not what the checkpoint says.
    async fn rows(
        &mut self,
        mut check: RowsCheck,
        journal: &Journal,
        stored: &TableCheckpoint,
        (of, segment): (SegmentOf, &Segment),
        file: Bytes,
    ) -> Result<(RowsCheck, bool)> {
        let (sealing, wanted) = (journal.sealing.clone().into(), segment.clone());
        let (run, next_row) = (of.run, stored.next_row);
        let work = move || {
            let mut unfit = None;
            let read = read_rows(&of, &sealing, &wanted, &file, |entry| {
                let put = check.put(run, &entry, next_row, wanted.location);
                unfit = unfit.take().or(put.err());
            });
            (check, read, unfit)
        };
        let (check, read, unfit) = heavy(&self.site.reader.env, work).await.ok_or_else(failed)?;
        let intact = read.is_ok();
        self.unreadable(&stored.def, segment, read.err(), unfit);
        Ok((check, intact))
    }

    /// Reads the runs of an index, and compares each with the rows of the same run.
    async fn index(
        &mut self,
        mut check: RowsCheck,
        journal: &Journal,
        stored: &TableCheckpoint,
        index: usize,
        broken: &HashSet<(Seq, Seq)>,
        (found, unreadable): (&Found, &[ChannelId]),
    ) -> Result<RowsCheck> {
        let def = &stored.def;
        let channel = def.indexes.get(index).map_or(def.channel, |index| index.channel);
        let runs = stored.indexes.get(index).map_or(&[][..], Vec::as_slice);
        let mut left: BTreeMap<(Seq, Seq), Option<Location>> =
            check.runs().into_iter().map(|run| (run, None)).collect();
        for run in runs {
            let (bounds, mut digest, mut whole) = ((run.from, run.to), Digest::default(), true);
            left.remove(&bounds);
            for segment in &run.segments {
                let of = self.of(def.id, Part::Index(index), run);
                let Some(file) = self.file(def, &of, segment, found, unreadable).await? else {
                    whole = false;
                    continue;
                };
                let (sealing, wanted) = (journal.sealing.clone().into(), segment.clone());
                let work = move || {
                    let mut wrong = None;
                    let read = read_entries(&of, &sealing, &wanted, &file, |key, row| {
                        if !check.put_entry(bounds, index, &mut digest, (key, row)) {
                            wrong.get_or_insert(row);
                        }
                    });
                    (check, digest, read, wrong)
                };
                let (read, wrong);
                (check, digest, read, wrong) = heavy(&self.site.reader.env, work).await.ok_or_else(failed)?;
                whole &= read.is_ok() && wrong.is_none();
                self.unreadable(def, segment, read.err(), None);
                if let Some(row) = wrong {
                    self.index_differs(def, segment.location.channel, Some(segment.location), Some(row));
                }
            }
            if whole && !broken.contains(&bounds) && digest != check.expected(bounds, index) {
                self.index_differs(def, channel, run.segments.first().map(|one| one.location), None);
            }
        }
        for run in left.keys().filter(|run| !broken.contains(run)) {
            if check.expected(*run, index) != Digest::default() {
                self.index_differs(def, channel, None, None);
            }
        }
        Ok(check)
    }

    fn index_differs(
        &mut self,
        def: &TableDef,
        channel: ChannelId,
        at: Option<Location>,
        row: Option<RowId>,
    ) {
        let which = row.map_or(String::new(), |row| format!(", row {row} for one"));
        let text = format!(
            "the index's segments do not say what the rows' segments do{which}: db.heal().await writes both anew"
        );
        let deviation = Deviation::new(Kind::IndexDiffers, text).table(&def.name).channel(channel);
        self.found(match at {
            Some(at) => deviation.message(at.message),
            None => deviation,
        });
    }

    /// Reports why a segment is not what the checkpoint says.
    fn unreadable(
        &mut self,
        def: &TableDef,
        segment: &Segment,
        error: Option<SegmentError>,
        unfit: Option<String>,
    ) {
        let (kind, reason) = match (error, unfit) {
            (Some(error @ (SegmentError::Hash | SegmentError::Length { .. })), _) => {
                (Kind::SwappedSegment, error.to_string())
            }
            (Some(error), _) => (Kind::DamagedSegment, error.to_string()),
            (None, Some(unfit)) => (Kind::DamagedSegment, unfit),
            (None, None) => return,
        };
        let text = format!(
            "a segment is not the one that the checkpoint names: {reason}. db.heal().await writes it anew from memory"
        );
        let Location { channel, message } = segment.location;
        self.found(Deviation::new(kind, text).table(&def.name).channel(channel).message(message));
    }
}

fn failed() -> Error {
    Error::new(ErrorKind::Damaged, "comparing a table with the guild failed")
}

/// Every segment of a table.
fn locations(table: &TableCheckpoint) -> impl Iterator<Item = Location> + '_ {
    let runs = table.runs.iter().chain(table.indexes.iter().flatten());
    runs.flat_map(|run| run.segments.iter().map(|segment| segment.location))
}

fn take_changes(rows: &mut HashMap<(TableId, RowId), Change>, table: TableId) -> HashMap<RowId, Change> {
    rows.extract_if(|(of, _), _| *of == table).map(|((_, row), change)| (row, change)).collect()
}

/// What of a segment's message is not as it was posted; its file is another matter.
fn altered(message: &Message, of: &SegmentOf, segment: &Segment) -> Option<String> {
    let same = |header: SegmentHeader| header.of == *of && header.hash == segment.hash;
    let fits = message.content.is_empty() || SegmentHeader::read(message).is_some_and(same);
    match (fits, message.edited) {
        (true, false) => None,
        (true, true) => Some("a segment's message was edited".to_owned()),
        (false, _) => Some("a segment's message says that it is another one".to_owned()),
    }
}

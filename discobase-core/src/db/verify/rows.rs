//! The rows of one table in the guild against those in memory, and its indexes against its rows: pure.
//!
//! Segments come one after the other in the order of their runs, and only one is held at a time. What is remembered is a
//! bit for each row that memory confirms, and the rows that it does not: garbage that a later run replaces, mostly.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::journal::Change;
use crate::batch::TableDef;
use crate::codec::checkpoint::Location;
use crate::codec::segment::RowEntry;
use crate::ids::{ChannelId, RowId, Seq};
use crate::row::{RowRef, skip_row};
use crate::tables::{TableState, sort_key_of};
use crate::wire::Reader;

/// What is wrong with a row, and where.
pub(super) struct WrongRow {
    /// The segment it is in, or the message of the frame.
    pub(super) at: Option<Location>,
    pub(super) text: String,
}

/// So many wrong rows are named of a table, and a few more.
const MOST: usize = 1_000;

/// A table while its segments are read.
pub(super) struct RowsCheck {
    /// In memory.
    state: Arc<TableState>,
    /// As the segments know it.
    def: Arc<TableDef>,
    /// What commits after the checkpoint made of rows.
    changed: HashMap<RowId, Change>,
    /// The last commit that the checkpoint has, and the last that the journal has.
    since: Seq,
    last: Seq,
    /// The commit as of which `state` is.
    memory: Seq,
    /// Rows of the segments that memory confirms.
    same: Bits,
    /// Rows of the segments that it does not, and where they are.
    other: HashMap<RowId, Location>,
    /// By run and index what the rows say that the index must have.
    expected: BTreeMap<(Seq, Seq), Vec<Digest>>,
    pub(super) rows: u64,
    pub(super) entries: u64,
}

/// A set of entries in any order, so that two can be compared without being kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Digest {
    sum: u128,
    count: u64,
}

impl Digest {
    fn add(&mut self, key: &[u8], row: RowId) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&row.get().to_le_bytes());
        hasher.update(key);
        let hash = hasher.finalize();
        let half = hash.as_bytes().first_chunk().map_or(0, |half| u128::from_le_bytes(*half));
        self.sum = self.sum.wrapping_add(half);
        self.count += 1;
    }
}

/// A set of row ids, which are dense.
#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn word(row: RowId) -> (usize, u64) {
        ((row.get() / 64) as usize, 1 << (row.get() % 64))
    }

    fn set(&mut self, row: RowId, on: bool) {
        let (at, bit) = Self::word(row);
        if at >= self.0.len() {
            if !on {
                return;
            }
            self.0.resize(at + 1, 0);
        }
        if let Some(word) = self.0.get_mut(at) {
            *word = if on { *word | bit } else { *word & !bit };
        }
    }

    fn has(&self, row: RowId) -> bool {
        let (at, bit) = Self::word(row);
        self.0.get(at).is_some_and(|word| word & bit != 0)
    }
}

impl RowsCheck {
    pub(super) fn new(
        state: Arc<TableState>,
        def: Arc<TableDef>,
        changed: HashMap<RowId, Change>,
        (since, last, memory): (Seq, Seq, Seq),
    ) -> Self {
        Self {
            state,
            def,
            changed,
            since,
            last,
            memory,
            same: Bits::default(),
            other: HashMap::new(),
            expected: BTreeMap::new(),
            rows: 0,
            entries: 0,
        }
    }

    /// Takes an entry of a run of rows.
    ///
    /// # Errors
    /// When it is no row of the table.
    pub(super) fn put(
        &mut self,
        run: (Seq, Seq),
        entry: &RowEntry<'_>,
        next_row: RowId,
        at: Location,
    ) -> Result<(), String> {
        self.rows += 1;
        let RowEntry { row, version, values } = *entry;
        if row >= next_row || row == RowId::default() {
            return Err(format!("row {row} has an id that was not given out: the next one is {next_row}"));
        }
        if !(run.0.next()..=run.1).contains(&version) {
            return Err(format!("row {row} is of commit {version}, outside of its run"));
        }
        let Some(bytes) = values else {
            self.same.set(row, false);
            self.other.remove(&row);
            return Ok(());
        };
        let mut reader = Reader::new(bytes);
        if skip_row(&mut reader).is_err() || !reader.is_empty() {
            return Err(format!("row {row} can't be read"));
        }
        self.expect(run, row, bytes);
        if self.changed.contains_key(&row) {
            return Ok(());
        }
        let same = self
            .state
            .row(row)
            .is_some_and(|stored| stored.version == version && stored.row.as_bytes() == bytes);
        self.same.set(row, same);
        if same {
            self.other.remove(&row);
        } else {
            self.other.insert(row, at);
        }
        Ok(())
    }

    fn expect(&mut self, run: (Seq, Seq), row: RowId, bytes: &[u8]) {
        let count = self.def.indexes.len();
        let digests = self.expected.entry(run).or_insert_with(|| vec![Digest::default(); count]);
        for (index, digest) in self.def.indexes.iter().zip(digests) {
            digest.add(sort_key_of(&self.def, index, RowRef::new(bytes)).as_bytes(), row);
        }
    }

    /// What an index's run must have, if the rows of that run were read.
    pub(super) fn expected(&self, run: (Seq, Seq), index: usize) -> Digest {
        self.expected.get(&run).and_then(|digests| digests.get(index)).copied().unwrap_or_default()
    }

    /// The runs that have rows.
    pub(super) fn runs(&self) -> Vec<(Seq, Seq)> {
        self.expected.keys().copied().collect()
    }

    /// Takes an entry of an index's run; false if the row, which was not changed since, has another key.
    pub(super) fn put_entry(
        &mut self,
        run: (Seq, Seq),
        index: usize,
        found: &mut Digest,
        (key, row): (&[u8], RowId),
    ) -> bool {
        self.entries += 1;
        found.add(key, row);
        let (Some(stored), Some(def)) = (self.state.row(row), self.def.indexes.get(index)) else {
            return true;
        };
        !(run.0.next()..=run.1).contains(&stored.version)
            || sort_key_of(&self.def, def, stored.row).as_bytes() == key
    }

    /// What differs between memory and guild, once all segments were read. `whole` says whether none was left out.
    pub(super) fn finish(mut self, whole: bool, journal: ChannelId) -> Vec<WrongRow> {
        let mut wrong = Vec::new();
        // What came after the end of the chain is known to memory alone.
        let beyond = self.last < self.memory;
        let other: BTreeMap<RowId, Location> = self.other.drain().collect();
        for (&row, &at) in &other {
            let text = match self.state.row(row) {
                Some(stored) if stored.version > self.last => continue,
                Some(stored) => {
                    format!("row {row} is not as commit {} wrote it", stored.version)
                }
                None if beyond => continue,
                None => format!("row {row} is in a segment and not in memory"),
            };
            wrong.push(WrongRow { at: Some(at), text });
        }
        let mut changed: Vec<(&RowId, &Change)> = self.changed.iter().collect();
        changed.sort_unstable_by_key(|(row, _)| **row);
        for (row, change) in changed {
            let stored = self.state.row(*row);
            let same = match (&change.row, stored) {
                (_, Some(stored)) if stored.version > self.last => true,
                (Some(row), Some(stored)) => {
                    stored.version == change.seq && stored.row.as_bytes() == row.as_bytes()
                }
                (None, None) => true,
                (Some(_), None) => beyond,
                (None, Some(_)) => false,
            };
            if !same {
                let at = Location { channel: journal, message: change.message };
                let text = format!("row {row} is not as commit {} left it", change.seq);
                wrong.push(WrongRow { at: Some(at), text });
            }
        }
        for (row, stored) in self.state.rows().filter(|(row, _)| !self.changed.contains_key(row)) {
            let text = match stored.version {
                version if version > self.last => continue,
                version if version > self.since => {
                    format!(
                        "row {row} is in memory as of commit {version}, and no frame of the journal wrote it"
                    )
                }
                // The others were named above.
                _ if !whole || self.same.has(row) || other.contains_key(&row) => continue,
                _ => format!("row {row} is in memory and in no segment"),
            };
            wrong.push(WrongRow { at: None, text });
            if wrong.len() > MOST {
                break;
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests;

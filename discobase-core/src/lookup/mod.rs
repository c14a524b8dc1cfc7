//! Lookups in tables that are not loaded: a key is found in the index's blocks, its row in the blocks of rows, and
//! nothing else is downloaded.
//!
//! ```text
//! overlay   what the small last runs and the journal say, in memory: it comes first (tables/unloaded)
//! blocks    which blocks of a run can hold a position: the checkpoint's directory says it
//! files     blocks by ranged downloads, kept within a budget; URLs, kept until they expire
//! ```
//!
//! An index entry says which row had a key when its run was written. The row is looked up from the newest run to the
//! oldest, and counts only if it still has the key.

mod files;
mod memo;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::try_join_all;

pub(crate) use files::Files;

use crate::codec::checkpoint::{Block, Run, Segment, TableCheckpoint};
use crate::codec::segment::{
    IndexBlock, Part, RowBlock, Sealing, SegmentError, SegmentOf, index_position, read_rows, row_position,
};
use crate::error::Error;
use crate::ids::{RowId, Seq};
use crate::row::Row;
use crate::tables::{Base, Found, SortKey, Unloaded, small_since};

/// A run of at most so many bytes is read whole when the table is opened.
const SMALL: u64 = 256 << 10;
/// Small runs of one table are read whole up to so many bytes together.
const SMALL_TOGETHER: u64 = 1 << 20;
/// A lookup that needs more blocks of an index than this, or that finds more rows, is none: the table is loaded.
const MANY: usize = 64;

/// Looks rows up in a database's segments.
pub(crate) struct Lookups {
    files: Files,
    db: Arc<str>,
    /// What is small enough to be read whole.
    limit: u64,
}

/// Why what lies in segments can't be read.
#[derive(Debug)]
pub(crate) enum Lost {
    /// A segment is not there, or is not what the checkpoint names: a newer checkpoint may do without it.
    Segment(Error),
    /// What reading can fail with.
    Failed(Error),
}

/// Which tables are looked up instead of being loaded, and by what.
#[derive(Clone)]
pub(crate) struct Lazy {
    pub(crate) lookups: Arc<Lookups>,
    /// By their names.
    pub(crate) tables: BTreeSet<String>,
}

impl Lazy {
    pub(crate) fn has(&self, table: &str) -> bool {
        self.tables.contains(table)
    }
}

/// The keys that are wanted of a table, in one of its indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The position of the index.
    pub(crate) index: usize,
    pub(crate) keys: Vec<SortKey>,
}

/// A table, and what it was based on when the lookup began.
struct Lookup<'a> {
    all: &'a Lookups,
    table: &'a Unloaded,
    base: Arc<Base>,
}

impl Lookups {
    pub(crate) fn new(files: Files, db: Arc<str>) -> Self {
        Self { files, db, limit: SMALL }
    }

    /// A table as of a checkpoint that has everything up to commit `seq`. What is small among the last runs is read now.
    ///
    /// # Errors
    /// [`Lost`].
    pub(crate) async fn open(
        &self,
        sealing: &Sealing,
        table: &TableCheckpoint,
        seq: Seq,
    ) -> Result<Unloaded, Lost> {
        let since = self.small_since(table);
        let mut opened = Unloaded::new(Base::new(table.clone(), seq, sealing.clone()), since);
        for run in table.runs.iter().filter(|run| run.from >= since) {
            self.take_in(&mut opened, sealing, run).await?;
        }
        Ok(opened)
    }

    /// The commit after which the runs of a table are small enough to be kept in memory.
    pub(crate) fn small_since(&self, table: &TableCheckpoint) -> Seq {
        small_since(&table.runs, self.limit, SMALL_TOGETHER)
    }

    /// Notes what a run says.
    async fn take_in(&self, table: &mut Unloaded, sealing: &Sealing, run: &Run) -> Result<(), Lost> {
        let of = self.of(table, Part::Rows, run);
        for segment in &run.segments {
            let name = Arc::clone(table.def());
            let file = self.files.whole(segment).await.map_err(|error| error.in_table(&name.name))?;
            let mut unfit = None;
            let read = read_rows(&of, sealing, segment, &file, |entry| {
                match entry.values.map(Row::from_bytes).transpose() {
                    Ok(values) => table.note(entry.row, entry.version, values),
                    Err(error) => unfit = Some(SegmentError::from(error)),
                }
            });
            read.and(unfit.map_or(Ok(()), Err)).map_err(|error| damaged(table, segment, &error))?;
        }
        Ok(())
    }

    /// The rows that have a key in an index, in the order of their ids; `None` if there may be so many that the table is
    /// better loaded.
    ///
    /// # Errors
    /// [`Lost`].
    pub(crate) async fn equal(
        &self,
        table: &Unloaded,
        index: usize,
        key: &SortKey,
    ) -> Result<Option<Vec<Found>>, Lost> {
        let lookup = Lookup { all: self, table, base: table.base() };
        let Some(stored) = table.stored_index(&lookup.base, index) else { return Ok(None) };
        let Some(candidates) = lookup.candidates(stored, key.as_bytes()).await? else { return Ok(None) };
        let unknown = candidates.into_iter().filter(|row| table.known(*row).is_none());
        let stored = try_join_all(unknown.map(|row| lookup.stored(row))).await?;
        let mut found = table.equal(index, key);
        found.extend(stored.into_iter().flatten().filter(|found| table.has_key(index, key, &found.values)));
        found.sort_unstable_by_key(|found| found.row);
        Ok(Some(found))
    }

    /// One row.
    #[cfg(test)]
    async fn row(&self, table: &Unloaded, row: RowId) -> Result<Option<Found>, Lost> {
        match table.known(row) {
            Some(known) => Ok(known),
            None => Lookup { all: self, table, base: table.base() }.stored(row).await,
        }
    }

    /// The database's name.
    pub(crate) fn db(&self) -> &Arc<str> {
        &self.db
    }

    fn of(&self, table: &Unloaded, part: Part, run: &Run) -> SegmentOf {
        SegmentOf { db: Arc::clone(&self.db), table: table.def().id, part, run: (run.from, run.to) }
    }
}

impl Lookup<'_> {
    /// The runs that may hold what is not known: those that begin before all that is.
    fn below<'r>(&self, runs: &'r [Run]) -> impl DoubleEndedIterator<Item = &'r Run> {
        let since = self.table.since();
        runs.iter().filter(move |run| run.from < since)
    }

    /// The rows that had the key when a run of the index was written, unless they are too many.
    async fn candidates(&self, index: usize, key: &[u8]) -> Result<Option<BTreeSet<RowId>>, Lost> {
        let (low, high) = (index_position(key, RowId::new(0)), index_position(key, RowId::new(u64::MAX)));
        let runs = self.base.table.indexes.get(index).map_or(&[][..], Vec::as_slice);
        let blocks: Vec<_> = self
            .below(runs)
            .flat_map(|run| run.between(&low, &high).map(move |(segment, block)| (run, segment, block)))
            .take(MANY + 1)
            .collect();
        if blocks.len() > MANY {
            return Ok(None);
        }
        let finding = blocks.into_iter().map(|(run, segment, block)| {
            let of = self.all.of(self.table, Part::Index(index), run);
            async move { self.entries(&of, segment, block, key).await }
        });
        let found: BTreeSet<RowId> = try_join_all(finding).await?.into_iter().flatten().collect();
        Ok((found.len() <= MANY).then_some(found))
    }

    /// The rows that have the key in one block.
    async fn entries(
        &self,
        of: &SegmentOf,
        segment: &Segment,
        block: &Block,
        key: &[u8],
    ) -> Result<Vec<RowId>, Lost> {
        let plain = self.block(of, segment, block).await?;
        let found = IndexBlock::new(&plain).and_then(|block| block.find(key));
        found.map_err(|error| damaged(self.table, segment, &error))
    }

    /// A row as the runs have it, the newest that knows it.
    async fn stored(&self, row: RowId) -> Result<Option<Found>, Lost> {
        let position = row_position(row);
        for run in self.below(&self.base.table.runs).rev() {
            let Some((segment, block)) = run.between(&position, &position).next() else { continue };
            let plain = self.block(&self.all.of(self.table, Part::Rows, run), segment, block).await?;
            let entry = RowBlock::new(&plain).and_then(|block| block.find(row));
            let Some(entry) = entry.map_err(|error| damaged(self.table, segment, &error))? else { continue };
            let values = entry.values.map(Row::from_bytes).transpose();
            let values = values.map_err(|error| damaged(self.table, segment, &error.into()))?;
            return Ok(values.map(|values| Found { row, version: entry.version, values }));
        }
        Ok(None)
    }

    async fn block(&self, of: &SegmentOf, segment: &Segment, block: &Block) -> Result<Arc<[u8]>, Lost> {
        let read = self.all.files.block(of, &self.base.sealing, segment, block).await;
        read.map_err(|error| error.in_table(&self.table.def().name))
    }
}

fn damaged(table: &Unloaded, segment: &Segment, error: &SegmentError) -> Lost {
    files::damaged(segment, &error.to_string()).in_table(&table.def().name)
}

impl Lost {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Segment(error) | Self::Failed(error) => error,
        }
    }

    fn in_table(self, table: &str) -> Self {
        match self {
            Self::Segment(error) => Self::Segment(error.in_table(table)),
            Self::Failed(error) => Self::Failed(error.in_table(table)),
        }
    }
}

#[cfg(test)]
mod tests;

//! Lookups in tables that are not loaded: a key is found in the index's blocks, its row in the blocks of rows, and
//! nothing else is downloaded.
//!
//! ```text
//! overlay   what the small last runs and the journal say, in memory: it comes first
//! blocks    which blocks of a run can hold a position: the checkpoint's directory says it
//! files     blocks by ranged downloads, kept within a budget; URLs, kept until they expire
//! ```
//!
//! An index entry says which row had a key when its run was written. The row is looked up from the newest run to the
//! oldest, and counts only if it still has the key.

mod files;
mod memo;
mod overlay;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::try_join_all;

pub(crate) use files::Files;

use crate::batch::TableDef;
use crate::codec::checkpoint::{Block, Run, Segment, TableCheckpoint};
use crate::codec::segment::{
    IndexBlock, Part, RowBlock, Sealing, SegmentError, SegmentOf, index_position, read_rows, row_position,
};
use crate::error::{Error, ErrorKind};
use crate::ids::{RowId, Seq};
use crate::row::Row;
use crate::tables::SortKey;
use overlay::Overlay;

/// A run of at most so many bytes is read whole when the table is opened.
const SMALL: u64 = 256 << 10;
/// Small runs of one table are read whole up to so many bytes together.
const SMALL_TOGETHER: u64 = 1 << 20;
/// A lookup that needs more blocks of an index than this, or that finds more rows, is none: the table is loaded.
const MANY: usize = 64;

/// A table that is looked up in the guild instead of being loaded. Cloning shares everything, and a clone keeps what it
/// was: it is a snapshot.
#[derive(Clone)]
pub(crate) struct LookupTable {
    files: Arc<Files>,
    db: Arc<str>,
    sealing: Sealing,
    def: Arc<TableDef>,
    runs: Arc<Runs>,
    overlay: Overlay,
}

/// The runs below the overlay, the oldest first.
struct Runs {
    rows: Vec<Run>,
    indexes: Vec<Vec<Run>>,
}

/// A row that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) row: RowId,
    /// The commit that wrote it.
    pub(crate) version: Seq,
    pub(crate) values: Row,
}

/// Why a lookup gives nothing.
#[derive(Debug)]
pub(crate) enum LookupError {
    /// A segment is not there, or is not what the checkpoint names: a newer checkpoint may do without it.
    Segment(Error),
    /// What reading can fail with.
    Failed(Error),
    /// It finds too much to be looked up piece by piece: load the table.
    Many,
}

impl LookupTable {
    /// A table as of a checkpoint. What is small among the last runs is read now.
    ///
    /// # Errors
    /// [`LookupError::Segment`] and [`LookupError::Failed`].
    pub(crate) async fn open(
        files: Arc<Files>,
        db: Arc<str>,
        sealing: Sealing,
        table: &TableCheckpoint,
    ) -> Result<Self, LookupError> {
        Self::open_with(files, db, sealing, table, SMALL).await
    }

    async fn open_with(
        files: Arc<Files>,
        db: Arc<str>,
        sealing: Sealing,
        table: &TableCheckpoint,
        limit: u64,
    ) -> Result<Self, LookupError> {
        let kept = table.runs.len() - small(&table.runs, limit);
        let (large, last) = table.runs.split_at(kept);
        // What was written after this is in the overlay: entries of these rows are not asked for.
        let since = last.first().map_or(Seq::new(u64::MAX), |run| run.from);
        let below = |runs: &Vec<Run>| runs.iter().filter(|run| run.from < since).cloned().collect();
        let runs = Runs { rows: large.to_vec(), indexes: table.indexes.iter().map(below).collect() };
        let overlay = Overlay::new(table.def.indexes.len());
        let def = Arc::new(table.def.clone());
        let mut opened = Self { files, db, sealing, def, runs: Arc::new(runs), overlay };
        for run in last {
            opened.take_in(run).await?;
        }
        Ok(opened)
    }

    /// Puts a run into the overlay.
    async fn take_in(&mut self, run: &Run) -> Result<(), LookupError> {
        let of = self.of(Part::Rows, run);
        for segment in &run.segments {
            let file = self.files.whole(segment).await.map_err(|error| error.in_table(&self.def.name))?;
            let (def, overlay) = (&self.def, &mut self.overlay);
            let mut unfit = None;
            let read = read_rows(&of, &self.sealing, segment, &file, |entry| {
                match entry.values.map(Row::from_bytes).transpose() {
                    Ok(Some(values)) => {
                        overlay.put(def, Found { row: entry.row, version: entry.version, values });
                    }
                    Ok(None) => overlay.remove(def, entry.row),
                    Err(error) => unfit = Some(SegmentError::from(error)),
                }
            });
            read.and(unfit.map_or(Ok(()), Err)).map_err(|error| self.damaged(segment, &error))?;
        }
        Ok(())
    }

    /// Notes that a commit wrote a row.
    pub(crate) fn put(&mut self, row: RowId, version: Seq, values: Row) {
        self.overlay.put(&self.def, Found { row, version, values });
    }

    /// Notes that a commit deleted a row.
    pub(crate) fn remove(&mut self, row: RowId) {
        self.overlay.remove(&self.def, row);
    }

    /// The definition of the table.
    pub(crate) fn def(&self) -> &Arc<TableDef> {
        &self.def
    }

    /// The rows that have a key in an index, in the order of their ids.
    ///
    /// # Errors
    /// [`LookupError`].
    pub(crate) async fn equal(&self, index: usize, key: &SortKey) -> Result<Vec<Found>, LookupError> {
        let candidates = self.candidates(index, key.as_bytes()).await?;
        let unknown = candidates.into_iter().filter(|row| !self.overlay.knows(*row));
        let stored = try_join_all(unknown.map(|row| self.stored(row))).await?;
        let has_key = |found: &Found| overlay::key_of(&self.def, index, &found.values).as_ref() == Some(key);
        let mut found = self.overlay.equal(index, key);
        found.extend(stored.into_iter().flatten().filter(has_key));
        found.sort_unstable_by_key(|found| found.row);
        Ok(found)
    }

    /// One row.
    ///
    /// # Errors
    /// [`LookupError`].
    pub(crate) async fn row(&self, row: RowId) -> Result<Option<Found>, LookupError> {
        match self.overlay.get(row) {
            Some(known) => Ok(known.cloned()),
            None => self.stored(row).await,
        }
    }

    /// The rows that had the key when a run of the index was written.
    async fn candidates(&self, index: usize, key: &[u8]) -> Result<BTreeSet<RowId>, LookupError> {
        let (low, high) = (index_position(key, RowId::new(0)), index_position(key, RowId::new(u64::MAX)));
        let runs = self.runs.indexes.get(index).map_or(&[][..], Vec::as_slice);
        let blocks: Vec<_> = runs
            .iter()
            .flat_map(|run| run.between(&low, &high).map(move |(segment, block)| (run, segment, block)))
            .take(MANY + 1)
            .collect();
        if blocks.len() > MANY {
            return Err(LookupError::Many);
        }
        let finding = blocks.into_iter().map(|(run, segment, block)| {
            let of = self.of(Part::Index(index), run);
            async move { self.entries(&of, segment, block, key).await }
        });
        let found: BTreeSet<RowId> = try_join_all(finding).await?.into_iter().flatten().collect();
        if found.len() > MANY { Err(LookupError::Many) } else { Ok(found) }
    }

    /// The rows that have the key in one block.
    async fn entries(
        &self,
        of: &SegmentOf,
        segment: &Segment,
        block: &Block,
        key: &[u8],
    ) -> Result<Vec<RowId>, LookupError> {
        let plain = self.block(of, segment, block).await?;
        let found = IndexBlock::new(&plain).and_then(|block| block.find(key));
        found.map_err(|error| self.damaged(segment, &error))
    }

    /// A row as the runs below the overlay have it, the newest that knows it.
    async fn stored(&self, row: RowId) -> Result<Option<Found>, LookupError> {
        let position = row_position(row);
        for run in self.runs.rows.iter().rev() {
            let Some((segment, block)) = run.between(&position, &position).next() else { continue };
            let plain = self.block(&self.of(Part::Rows, run), segment, block).await?;
            let entry = RowBlock::new(&plain).and_then(|block| block.find(row));
            let Some(entry) = entry.map_err(|error| self.damaged(segment, &error))? else { continue };
            let values = entry.values.map(Row::from_bytes).transpose();
            let values = values.map_err(|error| self.damaged(segment, &error.into()))?;
            return Ok(values.map(|values| Found { row, version: entry.version, values }));
        }
        Ok(None)
    }

    async fn block(
        &self,
        of: &SegmentOf,
        segment: &Segment,
        block: &Block,
    ) -> Result<Arc<[u8]>, LookupError> {
        let read = self.files.block(of, &self.sealing, segment, block).await;
        read.map_err(|error| error.in_table(&self.def.name))
    }

    fn of(&self, part: Part, run: &Run) -> SegmentOf {
        SegmentOf { db: Arc::clone(&self.db), table: self.def.id, part, run: (run.from, run.to) }
    }

    fn damaged(&self, segment: &Segment, error: &SegmentError) -> LookupError {
        files::damaged(segment, &error.to_string()).in_table(&self.def.name)
    }
}

/// How many of the last runs are small enough to be read whole: of at most `limit` bytes each.
fn small(runs: &[Run], limit: u64) -> usize {
    let mut together = 0;
    let fits = |run: &&Run| {
        together += run.bytes();
        run.bytes() <= limit && together <= SMALL_TOGETHER
    };
    runs.iter().rev().take_while(fits).count()
}

impl LookupError {
    fn in_table(self, table: &str) -> Self {
        match self {
            Self::Segment(error) => Self::Segment(error.in_table(table)),
            Self::Failed(error) => Self::Failed(error.in_table(table)),
            Self::Many => Self::Many,
        }
    }
}

impl From<LookupError> for Error {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Segment(error) | LookupError::Failed(error) => error,
            LookupError::Many => Self::new(ErrorKind::Invalid, "the table has to be loaded to answer this"),
        }
    }
}

#[cfg(test)]
mod tests;

//! Lookups in tables that are not loaded: a key is found in the index's blocks, its row in the blocks of rows, and
//! nothing else is downloaded.
//!
//! ```text
//! overlay   what the small last runs and the journal say, in memory: it comes first (tables/unloaded)
//! blocks    which blocks of a run can hold a position: the checkpoint's directory says it
//! files     filters, which tell that a run has no such thing; blocks by ranged downloads, kept within a budget; URLs,
//!           kept until they expire
//! ```
//!
//! An index entry says which row had a key when its run was written. The row is looked up from the newest run to the
//! oldest, and counts only if it still has the key. URLs and filters are read when the table is opened, so that a lookup
//! costs a block of the index and one of the rows, however many runs there are.

mod counts;
mod files;
mod memo;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::try_join_all;

pub(crate) use counts::Counts;
use files::Among;
pub(crate) use files::Files;

use crate::codec::checkpoint::{Block, Run, Segment, TableCheckpoint};
use crate::codec::segment::{
    IndexBlock, Mark, Part, RowBlock, Sealing, SegmentError, SegmentOf, index_position, read_rows,
    row_position,
};
use crate::error::Error;
use crate::ids::{RowId, Seq};
use crate::row::Row;
use crate::tables::{Base, Found, SortKey, Unloaded, small_since};

/// A run of at most so many bytes is read whole when the table is opened.
pub(crate) const SMALL: u64 = 256 << 10;
/// Small runs of one table are read whole up to so many bytes together.
const SMALL_TOGETHER: u64 = 1 << 20;
/// Filters of one table are read when it is opened up to so many bytes together, those of the newest runs first.
const FILTERS_TOGETHER: u64 = 4 << 20;
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

/// What is wanted of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The rows with these keys, each in the index at a position.
    pub(crate) keys: Vec<(usize, SortKey)>,
    pub(crate) rows: Vec<RowId>,
}

impl Wanted {
    pub(crate) fn row(row: RowId) -> Self {
        Self { keys: Vec::new(), rows: vec![row] }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.rows.is_empty()
    }
}

/// A table, and what it was based on when the lookup began.
struct Lookup<'a> {
    all: &'a Lookups,
    table: &'a Unloaded,
    base: Arc<Base>,
}

impl Lookups {
    /// What looks rows up in a database; runs of at most `limit` bytes are read whole when a table is opened.
    pub(crate) fn new(files: Files, db: Arc<str>, limit: u64) -> Self {
        Self { files, db, limit }
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
        self.prepare(&opened, sealing, table).await?;
        Ok(opened)
    }

    /// Reads what spares requests later: the URLs of all segments that may be asked for, and filters.
    async fn prepare(
        &self,
        opened: &Unloaded,
        sealing: &Sealing,
        table: &TableCheckpoint,
    ) -> Result<(), Lost> {
        let parts: Vec<(Part, &[Run])> = std::iter::once((Part::Rows, table.runs.as_slice()))
            .chain(
                table.indexes.iter().enumerate().map(|(index, runs)| (Part::Index(index), runs.as_slice())),
            )
            .map(|(part, runs)| (part, below(runs, opened.since())))
            .collect();
        let all = parts.iter().flat_map(|(part, runs)| runs.iter().map(move |run| (*part, run)));
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(_, run)| std::cmp::Reverse(run.from));
        let mut left = FILTERS_TOGETHER;
        let mut worth: Vec<(SegmentOf, &Segment)> = Vec::new();
        for (part, run) in all {
            for segment in &run.segments {
                let size = segment.filter.as_ref().map_or(0, |filter| u64::from(filter.length));
                if size > 0 && size <= left {
                    left -= size;
                    worth.push((self.of(opened, part, run), segment));
                }
            }
        }
        try_join_all(parts.into_iter().map(|(part, runs)| {
            let worth: Vec<_> = worth.iter().filter(|(of, _)| of.part == part).cloned().collect();
            async move { self.files.prepare(runs, sealing, &worth).await }
        }))
        .await
        .map(drop)
        .map_err(|error| error.in_table(&table.def.name))
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
        self.counts().lookups.add(1);
        let lookup = Lookup { all: self, table, base: table.base() };
        let Some(stored) = table.stored_index(&lookup.base, index) else { return Ok(None) };
        let mut found = table.equal(index, key);
        let runs = lookup.below(lookup.base.table.indexes.get(stored).map_or(&[][..], Vec::as_slice));
        // Where only one row can have the key, the older runs need not be asked once it is found: a row that was written
        // several times may have entries in all of them.
        let size = if table.is_unique(index) { 1 } else { runs.len().max(1) };
        for asked in runs.rchunks(size) {
            if found.iter().any(|found| table.is_only(index, &found.values)) {
                break;
            }
            let Some(rows) = lookup.candidates(stored, runs, asked, key.as_bytes()).await? else {
                return Ok(None);
            };
            let seen: BTreeSet<RowId> = found.iter().map(|found| found.row).collect();
            let rows = rows.into_iter().filter(|row| table.known(*row).is_none() && !seen.contains(row));
            let rows = try_join_all(rows.map(|row| lookup.stored(row))).await?;
            found.extend(rows.into_iter().flatten().filter(|found| table.has_key(index, key, &found.values)));
            if found.len() > MANY {
                return Ok(None);
            }
        }
        found.sort_unstable_by_key(|found| found.row);
        Ok(Some(found))
    }

    /// One row.
    ///
    /// # Errors
    /// [`Lost`].
    pub(crate) async fn row(&self, table: &Unloaded, row: RowId) -> Result<Option<Found>, Lost> {
        self.counts().lookups.add(1);
        match table.known(row) {
            Some(known) => Ok(known),
            None => Lookup { all: self, table, base: table.base() }.stored(row).await,
        }
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> &Counts {
        self.files.counts()
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
    /// The runs that may hold what is not known.
    fn below<'r>(&self, runs: &'r [Run]) -> &'r [Run] {
        below(runs, self.table.since())
    }

    /// The rows that had the key when one of the `asked` runs of the index was written, unless they are too many.
    async fn candidates(
        &self,
        index: usize,
        runs: &[Run],
        asked: &[Run],
        key: &[u8],
    ) -> Result<Option<BTreeSet<RowId>>, Lost> {
        let (low, high) = (index_position(key, RowId::new(0)), index_position(key, RowId::new(u64::MAX)));
        let mark = Mark::of(key);
        let blocks: Vec<_> = asked
            .iter()
            .flat_map(|run| run.between(&low, &high).map(move |(segment, block)| (run, segment, block)))
            .take(MANY + 1)
            .collect();
        if blocks.len() > MANY {
            return Ok(None);
        }
        let finding = blocks.into_iter().map(|(run, segment, block)| {
            let of = self.all.of(self.table, Part::Index(index), run);
            async move {
                let among = Among { segment, runs };
                match self.may_have(&of, among, mark).await? {
                    true => self.entries(&of, among, block, key).await,
                    false => Ok(Vec::new()),
                }
            }
        });
        let found: BTreeSet<RowId> = try_join_all(finding).await?.into_iter().flatten().collect();
        Ok((found.len() <= MANY).then_some(found))
    }

    /// The rows that have the key in one block.
    async fn entries(
        &self,
        of: &SegmentOf,
        among: Among<'_>,
        block: &Block,
        key: &[u8],
    ) -> Result<Vec<RowId>, Lost> {
        let plain = self.block(of, among, block).await?;
        let found = IndexBlock::new(&plain).and_then(|block| block.find(key));
        found.map_err(|error| damaged(self.table, among.segment, &error))
    }

    /// Whether a segment may have something, as far as is known without asking for a block.
    async fn may_have(&self, of: &SegmentOf, among: Among<'_>, mark: Mark) -> Result<bool, Lost> {
        let filter = self.all.files.filter(of, &self.base.sealing, among).await;
        let filter = filter.map_err(|error| error.in_table(&self.table.def().name))?;
        Ok(filter.is_none_or(|filter| filter.may_have(mark)))
    }

    /// A row as the runs have it, the newest that knows it.
    async fn stored(&self, row: RowId) -> Result<Option<Found>, Lost> {
        let position = row_position(row);
        let (mark, runs) = (Mark::of(&position), self.below(&self.base.table.runs));
        for run in runs.iter().rev() {
            let Some((segment, block)) = run.between(&position, &position).next() else { continue };
            let (of, among) = (self.all.of(self.table, Part::Rows, run), Among { segment, runs });
            if !self.may_have(&of, among, mark).await? {
                continue;
            }
            let plain = self.block(&of, among, block).await?;
            let entry = RowBlock::new(&plain).and_then(|block| block.find(row));
            let Some(entry) = entry.map_err(|error| damaged(self.table, segment, &error))? else { continue };
            let values = entry.values.map(Row::from_bytes).transpose();
            let values = values.map_err(|error| damaged(self.table, segment, &error.into()))?;
            return Ok(values.map(|values| Found { row, version: entry.version, values }));
        }
        Ok(None)
    }

    async fn block(&self, of: &SegmentOf, among: Among<'_>, block: &Block) -> Result<Arc<[u8]>, Lost> {
        let read = self.all.files.block(of, &self.base.sealing, among, block).await;
        read.map_err(|error| error.in_table(&self.table.def().name))
    }
}

/// The runs that begin before a commit, since which everything is known.
fn below(runs: &[Run], since: Seq) -> &[Run] {
    runs.get(..runs.partition_point(|run| run.from < since)).unwrap_or_default()
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

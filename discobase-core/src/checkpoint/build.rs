//! The runs that a checkpoint adds, as files: made one after the other away from the runtime's threads, because going
//! over tables and compressing takes long.

use std::sync::Arc;

use crate::batch::TableDef;
use crate::checkpoint::policy::plan;
use crate::codec::checkpoint::{Checkpoint, Run, TableCheckpoint};
use crate::codec::segment::{
    Built, IndexWriter, Part, RowEntry, RowsWriter, Sealing, SegmentError, SegmentOf,
};
use crate::env::{Pieces, SharedEnv, pieces};
use crate::ids::{RowId, Seq, TableId};
use crate::tables::{Slot, Tables};

/// What building comes to, piece by piece.
pub(crate) enum Piece {
    /// The next table, with the runs that it keeps, and an empty one at the end of each list that is written.
    Table(Box<TableCheckpoint>),
    /// The next file of the table's last run.
    File(SegmentOf, Box<Built>),
    /// That was all.
    End,
    /// It ends here.
    Failed(SegmentError),
}

/// What is to be built.
pub(crate) struct Wanted {
    pub(crate) db: Arc<str>,
    pub(crate) sealing: Sealing,
    pub(crate) tables: Tables,
    /// The checkpoint whose runs are kept as far as they can be; without one, all is written.
    pub(crate) last: Option<Arc<Checkpoint>>,
}

/// Builds what changed.
pub(crate) fn build(env: &SharedEnv, wanted: Wanted) -> Pieces<Piece> {
    pieces(env, move |send| wanted.build(send))
}

/// Takes a piece; `false` if nobody wants any more.
type Send<'a> = &'a mut dyn FnMut(Piece) -> bool;

/// Why building ended early.
enum Stop {
    /// Nobody takes the pieces any more: the checkpoint was given up.
    Unwanted,
    Failed(SegmentError),
}

impl From<SegmentError> for Stop {
    fn from(error: SegmentError) -> Self {
        Self::Failed(error)
    }
}

impl Wanted {
    fn build(&self, send: Send<'_>) {
        for table in self.tables.iter() {
            match self.table(table, send) {
                Ok(()) => {}
                Err(Stop::Unwanted) => return,
                Err(Stop::Failed(error)) => {
                    send(Piece::Failed(error));
                    return;
                }
            }
        }
        send(Piece::End);
    }

    /// The commit after which a table's new run begins.
    fn from(&self, table: &Slot, old: &[Run]) -> Seq {
        let since = old.last().map_or(Seq::default(), |last| last.to);
        let changed = table.rows_since(since).count() + table.deleted_since(since).count();
        plan(old, changed as u64, table.len() as u64).from
    }

    /// The tables that have to be loaded before their runs can be built: those that would have to write more than what is
    /// known of them.
    pub(crate) fn needed(&self) -> Vec<TableId> {
        let needed = self.tables.iter().filter(|table| {
            let (last, id) = (self.last.as_ref(), table.def().id);
            let known = last.and_then(|last| last.tables.iter().find(|known| known.def.id == id));
            let known = known.filter(|known| table.def().shares_segments(&known.def));
            match (table.unloaded(), last, known) {
                (None, ..) => false,
                (_, Some(last), Some(_)) if table.last_change() <= last.seq => false,
                (Some(unloaded), _, Some(known)) => self.from(table, &known.runs) < unloaded.since(),
                _ => true,
            }
        });
        needed.map(|table| table.def().id).collect()
    }

    /// The runs of one table.
    fn table(&self, table: &Slot, send: Send<'_>) -> Result<(), Stop> {
        let seq = self.tables.seq();
        let last = self.last.as_ref();
        let known = last.and_then(|last| last.tables.iter().find(|known| known.def.id == table.def().id));
        if let (Some(last), Some(known)) = (last, known)
            && table.last_change() <= last.seq
        {
            return put(send, described(table, known.runs.clone(), known.indexes.clone()));
        }
        // An index that is new or ordered otherwise has no entries of the rows that are there already.
        let known = known.filter(|known| table.def().shares_segments(&known.def));
        let old: &[Run] = known.map_or(&[], |known| &known.runs);
        let since = old.last().map_or(Seq::default(), |last| last.to);
        let from = self.from(table, old);
        let grown = |runs: &[Run]| {
            let mut runs: Vec<Run> = runs.iter().filter(|run| run.to <= from).cloned().collect();
            runs.push(Run { from, to: seq, segments: Vec::new() });
            runs
        };
        let indexes = (0..table.def().indexes.len())
            .map(|index| grown(known.and_then(|known| known.indexes.get(index)).map_or(&[], Vec::as_slice)));
        put(send, described(table, grown(old), indexes.collect()))?;
        // A deleted row needs a tombstone only if an earlier run may have it.
        let before = match known {
            _ if from == Seq::default() => RowId::default(),
            Some(known) if from == since => known.next_row,
            _ => RowId::new(u64::MAX),
        };
        let of = |part| SegmentOf { db: Arc::clone(&self.db), table: table.def().id, part, run: (from, seq) };
        self.rows(&of(Part::Rows), entries(table, from, before), send)?;
        (0..table.def().indexes.len())
            .try_for_each(|index| self.index(&of(Part::Index(index)), table, index, send))
    }

    fn rows<'a>(
        &self,
        of: &SegmentOf,
        entries: impl Iterator<Item = RowEntry<'a>>,
        send: Send<'_>,
    ) -> Result<(), Stop> {
        let mut writer = RowsWriter::new(of.clone(), self.sealing.clone())?;
        for entry in entries {
            writer.put(entry)?;
            files(of, writer.full(), send)?;
        }
        files(of, writer.finish()?, send)
    }

    fn index(&self, of: &SegmentOf, table: &Slot, index: usize, send: Send<'_>) -> Result<(), Stop> {
        let mut writer = IndexWriter::new(of.clone(), self.sealing.clone())?;
        for (key, row) in table.keys_since(index, of.run.0) {
            writer.put(key.as_bytes(), row)?;
            files(of, writer.full(), send)?;
        }
        files(of, writer.finish()?, send)
    }
}

fn put(send: Send<'_>, piece: Piece) -> Result<(), Stop> {
    if send(piece) { Ok(()) } else { Err(Stop::Unwanted) }
}

fn files(of: &SegmentOf, built: Vec<Built>, send: Send<'_>) -> Result<(), Stop> {
    built.into_iter().try_for_each(|built| put(send, Piece::File(of.clone(), Box::new(built))))
}

fn described(table: &Slot, runs: Vec<Run>, indexes: Vec<Vec<Run>>) -> Piece {
    let (def, next_row, rows) = (TableDef::clone(table.def()), table.next_row(), table.len() as u64);
    Piece::Table(Box::new(TableCheckpoint { def, next_row, rows, runs, indexes }))
}

/// What the commits after `from` left in a table, in the order of the rows' ids; of deleted rows those below `before`.
fn entries(table: &Slot, from: Seq, before: RowId) -> impl Iterator<Item = RowEntry<'_>> {
    let mut rows = table.rows_since(from).peekable();
    let mut deleted = table.deleted_since(from).filter(move |(row, _)| *row < before).peekable();
    std::iter::from_fn(move || {
        let next_is_live = match (rows.peek(), deleted.peek()) {
            (Some(row), Some((gone, _))) => row.id < *gone,
            (row, _) => row.is_some(),
        };
        if next_is_live {
            let row = rows.next()?;
            Some(RowEntry { row: row.id, version: row.version, values: Some(row.bytes) })
        } else {
            let (row, version) = deleted.next()?;
            Some(RowEntry { row, version, values: None })
        }
    })
}

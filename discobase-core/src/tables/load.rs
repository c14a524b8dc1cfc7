//! A table in bulk: rows as segments keep them, put one after the other, and the indexes built once at the end.
#![allow(dead_code, reason = "checkpoints are read with it")]

use std::collections::BTreeMap;

use crate::batch::TableDef;
use crate::ids::{RowId, Seq};
use crate::row::Row;
use crate::tables::table::{Stored, TableState, Taken};
use crate::wire::WireError;

/// A table that is being loaded. Its runs are put in their order: what comes later wins.
pub(crate) struct TableLoad {
    def: TableDef,
    rows: BTreeMap<RowId, Stored>,
    deleted: BTreeMap<RowId, Seq>,
}

/// Why rows are no table: the segments are not what this program wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("row {row} can't be read: {reason}")]
    Row { row: RowId, reason: WireError },
    #[error("row {row} has an id that was not given out: the next one is {next}")]
    Beyond { row: RowId, next: RowId },
    #[error("rows {row} and {by} have the same values in index {index}, which is unique")]
    Taken { row: RowId, by: RowId, index: usize },
}

impl TableLoad {
    pub(crate) fn new(def: TableDef) -> Self {
        Self { def, rows: BTreeMap::new(), deleted: BTreeMap::new() }
    }

    /// Adds a row, or replaces it: `bytes` is its canonical encoding.
    ///
    /// # Errors
    /// [`LoadError::Row`] when the bytes are no row.
    pub(crate) fn put(&mut self, row: RowId, version: Seq, bytes: &[u8]) -> Result<(), LoadError> {
        let values = Row::from_bytes(bytes).map_err(|reason| LoadError::Row { row, reason })?;
        self.rows.insert(row, Stored { version, row: values });
        Ok(())
    }

    /// Removes a row that commit `seq` deleted, whether it was put or not, and keeps its tombstone.
    pub(crate) fn remove(&mut self, row: RowId, seq: Seq) {
        self.rows.remove(&row);
        self.deleted.insert(row, seq);
    }

    /// The finished table, whose next row gets the id `next_row`.
    ///
    /// # Errors
    /// [`LoadError::Beyond`] and [`LoadError::Taken`].
    pub(crate) fn finish(self, next_row: RowId) -> Result<TableState, LoadError> {
        let Self { def, rows, deleted } = self;
        let last =
            rows.last_key_value().map(|(row, _)| *row).max(deleted.last_key_value().map(|(row, _)| *row));
        if let Some(row) = last.filter(|row| *row >= next_row) {
            return Err(LoadError::Beyond { row, next: next_row });
        }
        let mut table = TableState::new(def);
        for (row, stored) in rows {
            if let Some(Taken { index, by }) = table.collision(row, &stored.row) {
                return Err(LoadError::Taken { row, by, index });
            }
            table.insert(row, stored);
        }
        table.loaded(next_row, deleted);
        Ok(table)
    }
}

#[cfg(test)]
mod tests;

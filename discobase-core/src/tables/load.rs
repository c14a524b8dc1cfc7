//! A table in bulk: rows as segments keep them, put one after the other, and the indexes built once at the end.

use std::collections::BTreeMap;

use crate::batch::TableDef;
use crate::ids::{RowId, Seq};
use crate::row::skip_row;
use crate::tables::rows::{ID_LIMIT, Rows};
use crate::tables::table::{TableState, Taken};
use crate::wire::{Reader, WireError};

/// A table that is being loaded. Its runs are put in their order: what comes later wins.
pub(crate) struct TableLoad {
    def: TableDef,
    rows: Rows,
    deleted: BTreeMap<RowId, Seq>,
    last: RowId,
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
        Self { def, rows: Rows::default(), deleted: BTreeMap::new(), last: RowId::default() }
    }

    /// Adds a row, or replaces it: `bytes` is its canonical encoding.
    ///
    /// # Errors
    /// [`LoadError::Row`] when the bytes are no row, [`LoadError::Beyond`] when the id is none.
    pub(crate) fn put(&mut self, row: RowId, version: Seq, bytes: &[u8]) -> Result<(), LoadError> {
        // Ids begin with 1.
        if row == RowId::default() || row >= ID_LIMIT {
            return Err(LoadError::Beyond { row, next: ID_LIMIT });
        }
        let mut reader = Reader::new(bytes);
        let whole = skip_row(&mut reader)
            .and_then(|_| if reader.is_empty() { Ok(()) } else { Err(WireError::Trailing) });
        whole.map_err(|reason| LoadError::Row { row, reason })?;
        self.rows.put(row, version, bytes);
        self.last = self.last.max(row);
        Ok(())
    }

    /// Removes a row that commit `seq` deleted, whether it was put or not, and keeps its tombstone.
    pub(crate) fn remove(&mut self, row: RowId, seq: Seq) {
        self.rows.remove(row);
        self.deleted.insert(row, seq);
        self.last = self.last.max(row);
    }

    /// The finished table, whose next row gets the id `next_row`.
    ///
    /// # Errors
    /// [`LoadError::Beyond`] and [`LoadError::Taken`].
    pub(crate) fn finish(self, next_row: RowId) -> Result<TableState, LoadError> {
        let Self { def, rows, deleted, last } = self;
        if last >= next_row {
            return Err(LoadError::Beyond { row: last, next: next_row });
        }
        let table = TableState::of(def, rows, deleted, next_row);
        table.map_err(|(row, Taken { index, by })| LoadError::Taken { row, by, index })
    }
}

#[cfg(test)]
mod tests;

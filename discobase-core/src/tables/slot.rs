//! A table's place in a state: loaded, or not.

use std::sync::Arc;

use crate::batch::TableDef;
use crate::ids::{RowId, Seq};
use crate::row::Row;
use crate::tables::alter::Unfit;
use crate::tables::sort_key::SortKey;
use crate::tables::table::{LiveRow, Stored, TableState};
use crate::tables::unloaded::Unloaded;

/// A table: in memory, or known only by where it lies in the guild. Cloning shares everything.
#[derive(Clone)]
pub(crate) enum Slot {
    Loaded(Arc<TableState>),
    Unloaded(Arc<Unloaded>),
}

impl Slot {
    pub(crate) fn def(&self) -> &Arc<TableDef> {
        match self {
            Self::Loaded(table) => table.def(),
            Self::Unloaded(table) => table.def(),
        }
    }

    /// How many rows the table has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Loaded(table) => table.len(),
            Self::Unloaded(table) => table.len(),
        }
    }

    /// The id the next row gets.
    pub(crate) fn next_row(&self) -> RowId {
        match self {
            Self::Loaded(table) => table.next_row(),
            Self::Unloaded(table) => table.next_row(),
        }
    }

    /// The last commit that changed a row.
    pub(crate) fn last_change(&self) -> Seq {
        match self {
            Self::Loaded(table) => table.last_change(),
            Self::Unloaded(table) => table.last_change(),
        }
    }

    /// The table, if it is in memory.
    #[inline]
    pub(crate) fn loaded(&self) -> Option<&Arc<TableState>> {
        match self {
            Self::Loaded(table) => Some(table),
            Self::Unloaded(table) => table.loaded(),
        }
    }

    /// The table, if it is not in memory.
    pub(crate) fn unloaded(&self) -> Option<&Arc<Unloaded>> {
        match self {
            Self::Unloaded(table) if table.loaded().is_none() => Some(table),
            _ => None,
        }
    }

    /// The rows that were written after commit `after`, in the order of their ids. Of a table that is not loaded not all
    /// are known if that is before [`Unloaded::since`].
    pub(crate) fn rows_since(&self, after: Seq) -> Box<dyn Iterator<Item = LiveRow<'_>> + '_> {
        match (self.loaded(), self) {
            (Some(table), _) | (_, Self::Loaded(table)) => Box::new(table.rows_since(after)),
            (None, Self::Unloaded(table)) => Box::new(table.rows_since(after)),
        }
    }

    /// The tombstones of rows that were deleted after commit `after`, in the order of the rows' ids: the row, and the
    /// commit that deleted it; as far as they are known, as for [`Slot::rows_since`].
    pub(crate) fn deleted_since(&self, after: Seq) -> Box<dyn Iterator<Item = (RowId, Seq)> + '_> {
        match (self.loaded(), self) {
            (Some(table), _) | (_, Self::Loaded(table)) => Box::new(table.deleted_since(after)),
            (None, Self::Unloaded(table)) => Box::new(table.deleted_since(after)),
        }
    }

    /// What an index holds of the rows that were written after commit `after`: the rows by their keys, as far as they
    /// are known, as for [`Slot::rows_since`].
    pub(crate) fn keys_since(&self, index: usize, after: Seq) -> Vec<(SortKey, RowId)> {
        match (self.loaded(), self) {
            (Some(table), _) | (_, Self::Loaded(table)) => table.keys_since(index, after),
            (None, Self::Unloaded(table)) => table.keys_since(index, after),
        }
    }

    /// A row, if there is one and it is known without asking the guild.
    pub(crate) fn row(&self, row: RowId) -> Option<Stored<'_>> {
        match (self.loaded(), self) {
            (Some(table), _) | (_, Self::Loaded(table)) => table.row(row),
            (None, Self::Unloaded(table)) => table.row(row),
        }
    }

    /// The table, to be changed. One that was loaded meanwhile is an ordinary one from then on.
    pub(super) fn changed(&mut self) -> &mut Self {
        if let Self::Unloaded(table) = self
            && let Some(loaded) = table.loaded()
        {
            let mut loaded = Arc::clone(loaded);
            Arc::make_mut(&mut loaded).share_def(table.def());
            *self = Self::Loaded(loaded);
        }
        self
    }

    /// Gives the table another definition.
    pub(super) fn alter(&mut self, def: &TableDef, seq: Seq) -> Result<(), Unfit> {
        match self.changed() {
            Self::Loaded(table) => *table = Arc::new(table.altered(def, seq)?),
            Self::Unloaded(table) => Arc::make_mut(table).alter(def, seq),
        }
        Ok(())
    }

    /// Adds a row; false if the id was used before.
    pub(super) fn insert(&mut self, id: RowId, version: Seq, row: &Row) -> bool {
        match self.changed() {
            Self::Loaded(table) => Arc::make_mut(table).insert(id, version, row),
            Self::Unloaded(table) => Arc::make_mut(table).insert(id, version, row),
        }
    }

    /// Replaces a row; false if there is none, as far as is known.
    pub(super) fn update(&mut self, id: RowId, version: Seq, row: &Row) -> bool {
        match self.changed() {
            Self::Loaded(table) => Arc::make_mut(table).update(id, version, row),
            Self::Unloaded(table) => Arc::make_mut(table).update(id, version, row),
        }
    }

    /// Removes a row; false if there is none, as far as is known.
    pub(super) fn delete(&mut self, seq: Seq, id: RowId) -> bool {
        match self.changed() {
            Self::Loaded(table) => Arc::make_mut(table).delete(seq, id),
            Self::Unloaded(table) => Arc::make_mut(table).delete(seq, id),
        }
    }
}

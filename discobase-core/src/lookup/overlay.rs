//! What is known without asking the guild: rows that were written or deleted since the large runs were.

use imbl::OrdMap;

use crate::batch::TableDef;
use crate::ids::RowId;
use crate::lookup::Found;
use crate::row::Row;
use crate::tables::{SortKey, comparable, value_in};

/// Rows that win over those of the runs below. Cloning shares everything.
#[derive(Clone)]
pub(super) struct Overlay {
    /// `None` for a row that was deleted.
    rows: OrdMap<RowId, Option<Found>>,
    /// The entries of each index.
    entries: Vec<OrdMap<(SortKey, RowId), ()>>,
}

impl Overlay {
    pub(super) fn new(indexes: usize) -> Self {
        Self { rows: OrdMap::new(), entries: vec![OrdMap::new(); indexes] }
    }

    pub(super) fn put(&mut self, def: &TableDef, found: Found) {
        self.forget(def, found.row);
        for (index, entries) in self.entries.iter_mut().enumerate() {
            entries.extend(key_of(def, index, &found.values).map(|key| ((key, found.row), ())));
        }
        self.rows.insert(found.row, Some(found));
    }

    pub(super) fn remove(&mut self, def: &TableDef, row: RowId) {
        self.forget(def, row);
        self.rows.insert(row, None);
    }

    /// Takes the entries of a row out of the indexes.
    fn forget(&mut self, def: &TableDef, row: RowId) {
        let Some(Some(old)) = self.rows.get(&row) else { return };
        for (index, entries) in self.entries.iter_mut().enumerate() {
            if let Some(key) = key_of(def, index, &old.values) {
                entries.remove(&(key, row));
            }
        }
    }

    /// What is known of a row: `Some(None)` says that it was deleted.
    pub(super) fn get(&self, row: RowId) -> Option<Option<&Found>> {
        self.rows.get(&row).map(Option::as_ref)
    }

    pub(super) fn knows(&self, row: RowId) -> bool {
        self.rows.contains_key(&row)
    }

    /// The rows with a key, in the order of their ids.
    pub(super) fn equal(&self, index: usize, key: &SortKey) -> Vec<Found> {
        let Some(entries) = self.entries.get(index) else { return Vec::new() };
        let bounds = (key.clone(), RowId::new(0))..=(key.clone(), RowId::new(u64::MAX));
        let rows = entries.range(bounds).filter_map(|((_, row), ())| self.get(*row).flatten());
        rows.cloned().collect()
    }
}

/// The key of a row in an index.
pub(super) fn key_of(def: &TableDef, index: usize, row: &Row) -> Option<SortKey> {
    let mut key = SortKey::default();
    for &column in &def.indexes.get(index)?.columns {
        key.push(comparable(def, column, value_in(def, row.borrow(), column)));
    }
    Some(key)
}

//! What is known of a table that is not loaded: rows that were written or deleted since the large runs were.

use imbl::OrdMap;

use crate::batch::TableDef;
use crate::ids::{RowId, Seq};
use crate::row::Row;
use crate::tables::index::sort_key_of;
use crate::tables::sort_key::SortKey;

/// A row of its own, outside a table: what a lookup finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) row: RowId,
    /// The commit that wrote it.
    pub(crate) version: Seq,
    pub(crate) values: Row,
}

/// Rows that win over those of the runs below. Cloning shares everything.
#[derive(Clone)]
pub(super) struct Overlay {
    /// The commit that wrote or deleted each row; of a deleted one nothing else.
    rows: OrdMap<RowId, (Seq, Option<Row>)>,
    /// The entries of each index.
    entries: Vec<OrdMap<(SortKey, RowId), ()>>,
}

impl Overlay {
    pub(super) fn new(indexes: usize) -> Self {
        Self { rows: OrdMap::new(), entries: vec![OrdMap::new(); indexes] }
    }

    /// Notes what commit `seq` left of a row: nothing, if it deleted it.
    pub(super) fn put(&mut self, def: &TableDef, row: RowId, seq: Seq, values: Option<Row>) {
        self.forget(def, row);
        if let Some(values) = &values {
            for (index, entries) in def.indexes.iter().zip(&mut self.entries) {
                entries.insert((sort_key_of(def, index, values.borrow()), row), ());
            }
        }
        self.rows.insert(row, (seq, values));
    }

    /// Has other indexes from now on.
    pub(super) fn reindex(&mut self, def: &TableDef) {
        let rows = std::mem::replace(self, Self::new(def.indexes.len())).rows;
        for (row, (seq, values)) in rows {
            self.put(def, row, seq, values);
        }
    }

    /// Forgets what commit `upto` and earlier ones did.
    pub(super) fn forget_upto(&mut self, def: &TableDef, upto: Seq) {
        let old = self.rows.iter().filter(|(_, (seq, _))| *seq <= upto);
        for row in old.map(|(row, _)| *row).collect::<Vec<_>>() {
            self.forget(def, row);
            self.rows.remove(&row);
        }
    }

    /// Takes the entries of a row out of the indexes.
    fn forget(&mut self, def: &TableDef, row: RowId) {
        let Some((_, Some(old))) = self.rows.get(&row) else { return };
        for (index, entries) in def.indexes.iter().zip(&mut self.entries) {
            entries.remove(&(sort_key_of(def, index, old.borrow()), row));
        }
    }

    /// What is known of a row, if anything is: the commit, and the row unless it was deleted.
    pub(super) fn get(&self, row: RowId) -> Option<(Seq, Option<&Row>)> {
        self.rows.get(&row).map(|(seq, values)| (*seq, values.as_ref()))
    }

    /// All that is known, in the order of the rows' ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (RowId, Seq, Option<&Row>)> {
        self.rows.iter().map(|(row, (seq, values))| (*row, *seq, values.as_ref()))
    }

    /// The rows with a key, in the order of their ids.
    pub(super) fn equal(&self, index: usize, key: &SortKey) -> Vec<Found> {
        let Some(entries) = self.entries.get(index) else { return Vec::new() };
        let bounds = (key.clone(), RowId::new(0))..=(key.clone(), RowId::new(u64::MAX));
        let found = entries.range(bounds).filter_map(|((_, row), ())| {
            let (version, values) = self.get(*row)?;
            Some(Found { row: *row, version, values: values?.clone() })
        });
        found.collect()
    }
}

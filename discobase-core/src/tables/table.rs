//! One table: its rows by id, and its indexes.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;

use crate::batch::TableDef;
use crate::ids::{RowId, Seq};
use crate::row::Row;
use crate::schema::IndexKind;
use crate::tables::index::{IndexState, KeyValues, key_of};
use crate::tables::sort_key::SortKey;
use crate::value::ValueRef;

/// A row as it is kept: the commit that wrote it last, and its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) version: Seq,
    pub(crate) row: Row,
}

/// A row as it is written into a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LiveRow<'a> {
    pub(crate) id: RowId,
    /// The commit that wrote it last.
    pub(crate) version: Seq,
    /// Its canonical encoding.
    pub(crate) bytes: &'a [u8],
}

/// One table. Cloning shares everything; a change copies only what it touches.
#[derive(Clone)]
pub(crate) struct TableState {
    def: Arc<TableDef>,
    rows: OrdMap<RowId, Stored>,
    /// The commits that deleted rows, until they are forgotten: a run of the table must say so of rows that an
    /// earlier run has.
    deleted: OrdMap<RowId, Seq>,
    next_row: RowId,
    last_change: Seq,
    indexes: Vec<IndexState>,
}

/// A row whose key or unique value is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The position of the index.
    pub(crate) index: usize,
    /// The row that has it.
    pub(crate) by: RowId,
}

impl TableState {
    pub(crate) fn new(def: TableDef) -> Self {
        let indexes = def.indexes.iter().map(IndexState::new).collect();
        Self {
            def: Arc::new(def),
            rows: OrdMap::new(),
            deleted: OrdMap::new(),
            next_row: RowId::new(1),
            last_change: Seq::default(),
            indexes,
        }
    }

    pub(crate) fn def(&self) -> &Arc<TableDef> {
        &self.def
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The id the next row gets.
    pub(crate) fn next_row(&self) -> RowId {
        self.next_row
    }

    /// The last commit that changed a row.
    pub(crate) fn last_change(&self) -> Seq {
        self.last_change
    }

    pub(crate) fn row(&self, id: RowId) -> Option<&Stored> {
        self.rows.get(&id)
    }

    /// All rows in the order they were first saved.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (RowId, &Stored)> {
        self.rows.iter().map(|(id, stored)| (*id, stored))
    }

    /// The rows that were written after commit `after`, in the order of their ids.
    #[allow(dead_code, reason = "runs are written with it")]
    pub(crate) fn rows_since(&self, after: Seq) -> impl Iterator<Item = LiveRow<'_>> {
        let rows = self.rows().filter(move |(_, stored)| stored.version > after);
        rows.map(|(id, stored)| LiveRow { id, version: stored.version, bytes: stored.row.as_bytes() })
    }

    /// The tombstones of rows that were deleted after commit `after`, in the order of the rows' ids: the row, and the
    /// commit that deleted it.
    pub(crate) fn deleted_since(&self, after: Seq) -> impl Iterator<Item = (RowId, Seq)> {
        self.deleted.iter().filter(move |(_, seq)| **seq > after).map(|(id, seq)| (*id, *seq))
    }

    /// What an index holds of the rows that were written after commit `after`: the rows by their keys.
    #[allow(dead_code, reason = "index runs are written with it")]
    pub(crate) fn keys_since(&self, index: usize, after: Seq) -> Vec<(SortKey, RowId)> {
        let Some(def) = self.def.indexes.get(index) else { return Vec::new() };
        let rows = self.rows().filter(|(_, stored)| stored.version > after);
        let mut keys: Vec<_> = rows.map(|(id, stored)| (key_of(&self.def, def, &stored.row).1, id)).collect();
        keys.sort_unstable();
        keys
    }

    pub(crate) fn forget_deleted(&mut self, upto: Seq) {
        self.deleted = self.deleted_since(upto).collect();
    }

    /// What a table that was loaded has besides its rows.
    pub(crate) fn loaded(&mut self, next_row: RowId, deleted: BTreeMap<RowId, Seq>) {
        self.next_row = self.next_row.max(next_row);
        self.last_change = deleted.values().copied().fold(self.last_change, Seq::max);
        self.deleted = deleted.into_iter().collect();
    }

    /// An index by its position in the definition.
    pub(crate) fn index(&self, position: usize) -> Option<&IndexState> {
        self.indexes.get(position)
    }

    /// The row with these key values.
    pub(crate) fn by_key(&self, values: &KeyValues<'_>) -> Option<(RowId, &Stored)> {
        let (position, def) = self.def.key()?;
        self.index(position)?.probe(def, values)
    }

    /// The first index, if any, in which `row` would collide with a row other than `id`.
    pub(crate) fn collision(&self, id: RowId, row: &Row) -> Option<Taken> {
        self.def.indexes.iter().zip(&self.indexes).enumerate().find_map(|(position, (def, index))| {
            let (values, sort_key) = key_of(&self.def, def, row);
            let holder = match def.kind {
                IndexKind::Key => index.probe(def, &values).map(|(holder, _)| holder),
                // Several rows may lack a unique value.
                IndexKind::Unique if values.iter().all(|value| value.is_null()) => None,
                IndexKind::Unique => index.equal(&sort_key).next(),
                IndexKind::Index => None,
            };
            holder.filter(|&by| by != id).map(|by| Taken { index: position, by })
        })
    }

    /// Adds a row; false if the id was used before.
    pub(crate) fn insert(&mut self, id: RowId, stored: Stored) -> bool {
        if id < self.next_row {
            return false;
        }
        self.next_row = id.next();
        self.last_change = self.last_change.max(stored.version);
        for (def, index) in self.def.indexes.iter().zip(&mut self.indexes) {
            let (values, sort_key) = key_of(&self.def, def, &stored.row);
            index.insert(&values, sort_key, id, &stored);
        }
        self.rows.insert(id, stored);
        true
    }

    /// Replaces a row; false if there is none.
    pub(crate) fn update(&mut self, id: RowId, stored: &Stored) -> bool {
        let Some(slot) = self.rows.get_mut(&id) else { return false };
        let old = std::mem::replace(slot, stored.clone());
        self.last_change = stored.version;
        for (def, index) in self.def.indexes.iter().zip(&mut self.indexes) {
            let (old_values, old_key) = key_of(&self.def, def, &old.row);
            let (values, sort_key) = key_of(&self.def, def, &stored.row);
            // The hashed index holds the row itself, so it changes even where the key does not.
            if sort_key != old_key || def.kind == IndexKind::Key {
                index.remove(&old_values, old_key, id);
                index.insert(&values, sort_key, id, stored);
            }
        }
        true
    }

    /// Removes a row; false if there is none.
    pub(crate) fn delete(&mut self, seq: Seq, id: RowId) -> bool {
        let Some(old) = self.rows.remove(&id) else { return false };
        self.last_change = seq;
        self.deleted.insert(id, seq);
        for (def, index) in self.def.indexes.iter().zip(&mut self.indexes) {
            let (values, sort_key) = key_of(&self.def, def, &old.row);
            index.remove(&values, sort_key, id);
        }
        true
    }
}

impl IndexState {
    /// The rows whose key is exactly `key`.
    pub(crate) fn equal(&self, key: &SortKey) -> impl DoubleEndedIterator<Item = RowId> + '_ {
        self.range(std::ops::Bound::Included(key.clone()), std::ops::Bound::Included(key.clone()))
    }
}

/// The value as the column's Rust type orders it: an enum's variant by its place, everything else as it is.
pub(crate) fn comparable<'a>(table: &TableDef, column: usize, value: ValueRef<'a>) -> ValueRef<'a> {
    match (value, table.columns.get(column)) {
        (ValueRef::Text(name), Some(def)) if !def.variants.is_empty() => {
            match def.variants.iter().position(|variant| variant == name) {
                Some(place) => ValueRef::Int(place as i128),
                None => value,
            }
        }
        _ => value,
    }
}

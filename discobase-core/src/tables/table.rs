//! One table: its rows by id, and its indexes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use imbl::OrdMap;

use crate::batch::TableDef;
use crate::ids::{RowId, Seq};
use crate::row::{Row, RowRef};
use crate::schema::IndexKind;
use crate::tables::index::{IndexState, sort_key_of, values_of};
use crate::tables::overlay::Found;
use crate::tables::rows::Rows;
use crate::tables::sort_key::SortKey;
use crate::value::ValueRef;

/// A row as it is kept: the commit that wrote it last, and its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored<'a> {
    pub(crate) version: Seq,
    pub(crate) row: RowRef<'a>,
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
    rows: Rows,
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

/// What a table was in one row before it was changed.
#[derive(Debug)]
pub(crate) struct Before {
    row: Option<(Seq, Row)>,
    next_row: RowId,
    last_change: Seq,
}

impl TableState {
    pub(crate) fn new(def: TableDef) -> Self {
        let indexes = def.indexes.iter().map(IndexState::new).collect();
        Self {
            def: Arc::new(def),
            rows: Rows::default(),
            deleted: OrdMap::new(),
            next_row: RowId::new(1),
            last_change: Seq::default(),
            indexes,
        }
    }

    /// The same rows under another definition, or the two rows that may not have the same values in its index.
    pub(super) fn under(&self, def: TableDef, seq: Seq) -> Result<Self, (RowId, Taken)> {
        let index = |(position, index)| match self.index(position) {
            Some(known) if !def.index_differs(&self.def, position) => Ok(known.clone()),
            _ => IndexState::of(&def, index, &self.rows)
                .map_err(|(by, row)| (row, Taken { index: position, by })),
        };
        let indexes = def.indexes.iter().enumerate().map(index).collect::<Result<_, _>>()?;
        Ok(Self { def: Arc::new(def), indexes, last_change: seq, ..self.clone() })
    }

    /// A table of rows that are there already, and of tombstones.
    pub(crate) fn of(
        def: TableDef,
        rows: Rows,
        deleted: BTreeMap<RowId, Seq>,
        next_row: RowId,
    ) -> Result<Self, (RowId, Taken)> {
        let index = |(position, index)| {
            IndexState::of(&def, index, &rows).map_err(|(by, row)| (row, Taken { index: position, by }))
        };
        let indexes = def.indexes.iter().enumerate().map(index).collect::<Result<_, _>>()?;
        let written = rows.iter().map(|(_, stored)| stored.version);
        let last_change = written.chain(deleted.values().copied()).max().unwrap_or_default();
        let deleted = deleted.into_iter().collect();
        Ok(Self { def: Arc::new(def), rows, deleted, next_row, last_change, indexes })
    }

    /// Goes by this copy of its definition, so that whoever knows the copy need not compare.
    pub(super) fn share_def(&mut self, def: &Arc<TableDef>) {
        if *self.def == **def {
            self.def = Arc::clone(def);
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

    #[inline]
    pub(crate) fn row(&self, id: RowId) -> Option<Stored<'_>> {
        self.rows.get(id)
    }

    /// All rows in the order they were first saved.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (RowId, Stored<'_>)> {
        self.rows.iter()
    }

    /// Visits the rows that are wanted in the order they were first saved until `visit` breaks: [`TableState::rows`],
    /// faster.
    #[inline]
    pub(crate) fn walk<'a, B>(
        &'a self,
        wanted: impl Fn(RowRef<'a>) -> bool,
        visit: impl FnMut(RowId, Stored<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.rows.walk(wanted, visit)
    }

    /// Visits the rows with these ids, in the order given, until `visit` breaks.
    pub(crate) fn visit<'a, B>(
        &'a self,
        ids: &[RowId],
        visit: impl FnMut(RowId, Stored<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.rows.visit(ids, visit)
    }

    /// The rows that were written after commit `after`, in the order of their ids.
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
    pub(crate) fn keys_since(&self, index: usize, after: Seq) -> Vec<(SortKey, RowId)> {
        let Some(def) = self.def.indexes.get(index) else { return Vec::new() };
        let rows = self.rows().filter(|(_, stored)| stored.version > after);
        let mut keys: Vec<_> =
            rows.map(|(id, stored)| (sort_key_of(&self.def, def, stored.row), id)).collect();
        keys.sort_unstable();
        keys
    }

    pub(crate) fn forget_deleted(&mut self, upto: Seq) {
        self.deleted = self.deleted_since(upto).collect();
    }

    /// An index by its position in the definition.
    pub(crate) fn index(&self, position: usize) -> Option<&IndexState> {
        self.indexes.get(position)
    }

    /// The row with these key values.
    #[inline]
    pub(crate) fn by_key(&self, values: &[ValueRef<'_>]) -> Option<(RowId, Stored<'_>)> {
        let (position, def) = self.def.key()?;
        self.index(position)?.probe(&self.def, def, &self.rows, values)
    }

    /// The first index, if any, in which `row` would collide with a row other than `id`.
    pub(crate) fn collision(&self, id: RowId, row: &Row) -> Option<Taken> {
        (0..self.indexes.len())
            .find_map(|position| self.holder(position, Some(id), row).map(|by| Taken { index: position, by }))
    }

    /// The row other than `besides` that has the values of `row` in the key's index, or in a unique one.
    pub(crate) fn holder(&self, position: usize, besides: Option<RowId>, row: &Row) -> Option<RowId> {
        let (def, index, row) = (self.def.indexes.get(position)?, self.index(position)?, row.borrow());
        let values = || values_of(&self.def, def, row);
        match def.kind {
            IndexKind::Key => {
                let holder = index.probe(&self.def, def, &self.rows, &values()).map(|(holder, _)| holder);
                holder.filter(|&holder| besides != Some(holder))
            }
            // Several rows may lack a unique value, or a part of it.
            IndexKind::Unique if values().iter().any(|value| value.is_null()) => None,
            IndexKind::Unique => index.other(&sort_key_of(&self.def, def, row), besides),
            IndexKind::Index => None,
        }
    }

    /// No row gets an id below `next` any more.
    pub(crate) fn skip_rows(&mut self, next: RowId) {
        self.next_row = self.next_row.max(next);
    }

    /// Adds a row; false if the id was used before.
    pub(crate) fn insert(&mut self, id: RowId, version: Seq, row: &Row) -> bool {
        if id < self.next_row {
            return false;
        }
        self.next_row = id.next();
        self.last_change = version;
        self.put(id, version, row);
        true
    }

    /// Writes a row, be there one of this id or not, or was there ever.
    pub(crate) fn force(&mut self, id: RowId, version: Seq, row: &Row) {
        self.next_row = self.next_row.max(id.next());
        self.last_change = version;
        self.deleted.remove(&id);
        self.put(id, version, row);
    }

    /// Replaces a row; false if there is none.
    pub(crate) fn update(&mut self, id: RowId, version: Seq, row: &Row) -> bool {
        let known = self.row(id).is_some();
        if known {
            self.last_change = version;
            self.put(id, version, row);
        }
        known
    }

    /// Removes a row; false if there is none.
    pub(crate) fn delete(&mut self, seq: Seq, id: RowId) -> bool {
        let known = self.take(id);
        if known {
            self.last_change = seq;
            self.deleted.insert(id, seq);
        }
        known
    }

    /// What [`TableState::put_back`] needs to undo a change of the row.
    pub(crate) fn before(&self, id: RowId) -> Before {
        let row = self.row(id).map(|stored| (stored.version, stored.row.to_row()));
        Before { row, next_row: self.next_row, last_change: self.last_change }
    }

    /// Undoes the last change that was made, which was one of this row.
    pub(crate) fn put_back(&mut self, id: RowId, before: Before) {
        let Before { row, next_row, last_change } = before;
        match row {
            Some((version, row)) => {
                self.put(id, version, &row);
                self.deleted.remove(&id);
            }
            None => {
                self.take(id);
            }
        }
        (self.next_row, self.last_change) = (next_row, last_change);
    }

    /// Puts rows that were found elsewhere.
    pub(crate) fn take_over(&mut self, rows: Vec<Found>) {
        for Found { row, version, values } in rows {
            self.put(row, version, &values);
        }
    }

    /// Puts what later commits left of rows over them: of deleted ones nothing.
    pub(super) fn overwrite<'a>(
        &mut self,
        rows: impl Iterator<Item = (RowId, Seq, Option<&'a Row>)>,
        next_row: RowId,
        last_change: Seq,
    ) {
        for (id, seq, row) in rows {
            match row {
                Some(row) => self.put(id, seq, row),
                None => {
                    self.take(id);
                    self.deleted.insert(id, seq);
                }
            }
        }
        (self.next_row, self.last_change) = (next_row, last_change);
    }

    /// Puts a row and its keys, over what has its id.
    fn put(&mut self, id: RowId, version: Seq, row: &Row) {
        let old = self.rows.get(id);
        for (def, index) in self.def.indexes.iter().zip(&mut self.indexes) {
            let key = sort_key_of(&self.def, def, row.borrow());
            if let Some(old) = old {
                let old_key = sort_key_of(&self.def, def, old.row);
                if old_key == key {
                    continue;
                }
                index.remove(&values_of(&self.def, def, old.row), &old_key, id);
            }
            index.insert(&values_of(&self.def, def, row.borrow()), &key, id);
        }
        self.rows.put(id, version, row.as_bytes());
    }

    /// Takes a row and its keys out; false if there is none.
    fn take(&mut self, id: RowId) -> bool {
        let Some(old) = self.rows.get(id) else { return false };
        for (def, index) in self.def.indexes.iter().zip(&mut self.indexes) {
            let key = sort_key_of(&self.def, def, old.row);
            index.remove(&values_of(&self.def, def, old.row), &key, id);
        }
        self.rows.remove(id)
    }

    /// Whether rows, indexes and counters agree.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        let ids: Vec<_> = self.rows().map(|(id, _)| id).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert_eq!(ids.len(), self.len());
        assert!(ids.iter().chain(self.deleted.keys()).all(|id| *id < self.next_row && id.get() > 0));
        assert!(self.deleted.keys().all(|id| self.row(*id).is_none()), "a row has a tombstone");
        for (id, stored) in self.rows() {
            assert!(Row::from_bytes(stored.row.as_bytes()).is_ok(), "row {id}");
            assert!(stored.version <= self.last_change, "row {id}");
            assert_eq!(self.row(id), Some(stored), "row {id}");
        }
        assert_eq!(self.indexes.len(), self.def.indexes.len());
        for (def, index) in self.def.indexes.iter().zip(&self.indexes) {
            index.check_invariants(&self.def, def, &self.rows);
        }
    }
}

/// The value as the column's Rust type orders it: an enum's variant by its place, everything else as it is.
#[inline]
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

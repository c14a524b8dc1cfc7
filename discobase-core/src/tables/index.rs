//! One index of a table: ordered always, hashed too if it is the key.

use std::ops::{Bound, ControlFlow};

use smallvec::SmallVec;

use crate::batch::{IndexDef, TableDef};
use crate::ids::RowId;
use crate::row::RowRef;
use crate::schema::IndexKind;
use crate::tables::hash::HashIndex;
use crate::tables::ordered::{Entry, Ordered, entry};
use crate::tables::rows::Rows;
use crate::tables::sort_key::SortKey;
use crate::tables::table::{Stored, comparable};
use crate::value::{Value, ValueRef};

/// The values of an indexed row, in the order of the index's columns.
pub(crate) type KeyValues<'a> = SmallVec<[ValueRef<'a>; 2]>;

#[derive(Clone)]
pub(crate) struct IndexState {
    ordered: Ordered,
    hashed: Option<HashIndex>,
}

impl IndexState {
    pub(crate) fn new(def: &IndexDef) -> Self {
        let hashed = (def.kind == IndexKind::Key).then(HashIndex::new);
        Self { ordered: Ordered::default(), hashed }
    }

    /// The index of rows that are there already. It is an error if two have the same values where they must not: they
    /// are named.
    pub(crate) fn of(table: &TableDef, def: &IndexDef, rows: &Rows) -> Result<Self, (RowId, RowId)> {
        let mut entries: Vec<Entry> = Vec::with_capacity(rows.len());
        entries.extend(rows.iter().map(|(id, stored)| entry(&sort_key_of(table, def, stored.row), id)));
        entries.sort_unstable();
        if def.kind != IndexKind::Index {
            let twice = entries.windows(2).find_map(|pair| {
                let [(one, a), (other, b)] = [split(pair.first()?)?, split(pair.get(1)?)?];
                (one == other && !is_absent(table, def, rows.get(a)?.row)).then_some((a, b))
            });
            if let Some(twice) = twice {
                return Err(twice);
            }
        }
        let hashed = (def.kind == IndexKind::Key).then(|| {
            HashIndex::of(rows.len(), |index| {
                let rows = rows.iter();
                rows.map(|(id, stored)| (index.tag(&values_of(table, def, stored.row)), id)).collect()
            })
        });
        Ok(Self { ordered: Ordered::of(&entries), hashed })
    }

    pub(crate) fn insert(&mut self, values: &KeyValues<'_>, sort_key: &SortKey, id: RowId) {
        self.ordered.insert(&entry(sort_key, id));
        if let Some(hashed) = &mut self.hashed {
            let tag = hashed.tag(values);
            hashed.insert(tag, id);
        }
    }

    pub(crate) fn remove(&mut self, values: &KeyValues<'_>, sort_key: &SortKey, id: RowId) {
        self.ordered.remove(&entry(sort_key, id));
        if let Some(hashed) = &mut self.hashed {
            let tag = hashed.tag(values);
            hashed.remove(tag, id);
        }
    }

    /// The row with exactly these key values, if this is the key.
    #[inline]
    pub(crate) fn probe<'a>(
        &self,
        table: &TableDef,
        def: &IndexDef,
        rows: &'a Rows,
        values: &[ValueRef<'_>],
    ) -> Option<(RowId, Stored<'a>)> {
        let hashed = self.hashed.as_ref()?;
        hashed.find(hashed.tag(values), |id| {
            let stored = rows.get(id)?;
            let mut columns = def.columns.iter().zip(values);
            let same = columns.all(|(&column, wanted)| value_in(table, stored.row, column) == *wanted);
            same.then_some((id, stored))
        })
    }

    /// Visits the rows whose keys lie between two bounds until `visit` breaks: in their order, or in exactly the
    /// opposite one.
    pub(crate) fn walk<B>(
        &self,
        low: &Bound<SortKey>,
        high: &Bound<SortKey>,
        reverse: bool,
        visit: impl FnMut(RowId) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.ordered.walk(low, high, reverse, visit)
    }

    /// The rows whose keys lie between two bounds, in their order.
    pub(crate) fn range(&self, low: &Bound<SortKey>, high: &Bound<SortKey>) -> Vec<RowId> {
        let mut found = Vec::new();
        let _ = self.walk(low, high, false, |id| {
            found.push(id);
            ControlFlow::<()>::Continue(())
        });
        found
    }

    /// The rows whose key is exactly `key`.
    pub(crate) fn equal(&self, key: &SortKey) -> Vec<RowId> {
        self.range(&Bound::Included(key.clone()), &Bound::Included(key.clone()))
    }

    /// The first row, other than `besides`, whose key is exactly `key`.
    pub(crate) fn other(&self, key: &SortKey, besides: Option<RowId>) -> Option<RowId> {
        let bound = Bound::Included(key.clone());
        let visit = |id| {
            if Some(id) == besides { ControlFlow::Continue(()) } else { ControlFlow::Break(id) }
        };
        self.walk(&bound, &bound, false, visit).break_value()
    }

    /// Whether the index says of these rows what it should.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self, table: &TableDef, def: &IndexDef, rows: &Rows) {
        let mut wanted: Vec<Vec<u8>> = rows
            .iter()
            .map(|(id, stored)| entry(&sort_key_of(table, def, stored.row), id).to_vec())
            .collect();
        wanted.sort_unstable();
        assert_eq!(self.ordered.entries(), wanted, "ordered index on {:?}", def.columns);
        self.ordered.check_invariants();
        assert_eq!(self.hashed.is_some(), def.kind == IndexKind::Key);
        if let Some(hashed) = &self.hashed {
            let mut wanted: Vec<_> = rows
                .iter()
                .map(|(id, stored)| (hashed.tag(&values_of(table, def, stored.row)), id))
                .collect();
            let mut found = hashed.entries();
            for entries in [&mut wanted, &mut found] {
                entries.sort_unstable_by_key(|(_, id)| *id);
            }
            assert_eq!(found, wanted, "hash index on {:?}", def.columns);
            hashed.check_invariants();
        }
    }
}

/// A key's bytes and the row, of an entry.
fn split(entry: &Entry) -> Option<(&[u8], RowId)> {
    let (key, [a, b, c, d, e]) = entry.split_last_chunk()?;
    Some((key, RowId::new(u64::from_be_bytes([0, 0, 0, *a, *b, *c, *d, *e]))))
}

/// Whether a row lacks a unique value, or a part of it: several may.
fn is_absent(table: &TableDef, def: &IndexDef, row: RowRef<'_>) -> bool {
    def.kind == IndexKind::Unique && values_of(table, def, row).iter().any(|value| value.is_null())
}

/// The values of a row that an index is about.
pub(crate) fn values_of<'a>(table: &'a TableDef, index: &IndexDef, row: RowRef<'a>) -> KeyValues<'a> {
    index.columns.iter().map(|&column| value_in(table, row, column)).collect()
}

/// The key of a row in the order of an index.
pub(crate) fn sort_key_of(table: &TableDef, index: &IndexDef, row: RowRef<'_>) -> SortKey {
    let mut key = SortKey::default();
    index
        .columns
        .iter()
        .for_each(|&column| key.push(comparable(table, column, value_in(table, row, column))));
    key
}

/// A row's value in a column, or the column's default if the row is older.
#[inline]
pub(crate) fn value_in<'a>(table: &'a TableDef, row: RowRef<'a>, column: usize) -> ValueRef<'a> {
    row.value(column).unwrap_or_else(|| {
        let default = table.columns.get(column).and_then(|column| column.default.as_ref());
        default.map_or(ValueRef::Null, Value::as_ref)
    })
}

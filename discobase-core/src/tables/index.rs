//! One index of a table: ordered always, hashed too if it is the key.

use std::ops::Bound;

use imbl::OrdMap;
use smallvec::SmallVec;

use crate::batch::{IndexDef, TableDef};
use crate::ids::RowId;
use crate::row::Row;
use crate::schema::IndexKind;
use crate::tables::hash::HashIndex;
use crate::tables::sort_key::SortKey;
use crate::tables::table::{Stored, comparable};
use crate::value::ValueRef;
use crate::wire::put_value;

/// The values of an indexed row, in the order of the index's columns.
pub(crate) type KeyValues<'a> = SmallVec<[ValueRef<'a>; 2]>;

#[derive(Clone)]
pub(crate) struct IndexState {
    ordered: OrdMap<(SortKey, RowId), ()>,
    hashed: Option<HashIndex>,
}

impl IndexState {
    pub(crate) fn new(def: &IndexDef) -> Self {
        let hashed = (def.kind == IndexKind::Key).then(HashIndex::new);
        Self { ordered: OrdMap::new(), hashed }
    }

    pub(crate) fn insert(&mut self, values: &KeyValues<'_>, sort_key: SortKey, id: RowId, stored: &Stored) {
        self.ordered.insert((sort_key, id), ());
        if let Some(hashed) = &mut self.hashed {
            let hash = hashed.hash(&encode(values));
            hashed.insert(hash, id, stored.clone());
        }
    }

    pub(crate) fn remove(&mut self, values: &KeyValues<'_>, sort_key: SortKey, id: RowId) {
        self.ordered.remove(&(sort_key, id));
        if let Some(hashed) = &mut self.hashed {
            let hash = hashed.hash(&encode(values));
            hashed.remove(hash, id);
        }
    }

    /// The row with exactly these key values, if this is the key.
    pub(crate) fn probe(&self, def: &IndexDef, values: &KeyValues<'_>) -> Option<(RowId, &Stored)> {
        let hashed = self.hashed.as_ref()?;
        let is_it = |stored: &Stored| {
            def.columns.iter().zip(values).all(|(&column, wanted)| stored.row.value(column) == Some(*wanted))
        };
        hashed.get(hashed.hash(&encode(values)), is_it).map(|entry| (entry.row, &entry.stored))
    }

    /// The rows whose keys lie between two bounds, in their order.
    pub(crate) fn range(
        &self,
        low: Bound<SortKey>,
        high: Bound<SortKey>,
    ) -> impl DoubleEndedIterator<Item = RowId> + '_ {
        let low = match low {
            Bound::Included(key) => Bound::Included((key, RowId::new(0))),
            Bound::Excluded(key) => Bound::Excluded((key, RowId::new(u64::MAX))),
            Bound::Unbounded => Bound::Unbounded,
        };
        let high = match high {
            Bound::Included(key) => Bound::Included((key, RowId::new(u64::MAX))),
            Bound::Excluded(key) => Bound::Excluded((key, RowId::new(0))),
            Bound::Unbounded => Bound::Unbounded,
        };
        self.ordered.range((low, high)).map(|((_, id), ())| *id)
    }
}

/// The encoding that the hash is taken of.
fn encode(values: &KeyValues<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(32);
    values.iter().for_each(|value| put_value(&mut out, *value));
    out
}

/// The values of a row that an index is about, and their key in its order.
pub(crate) fn key_of<'a>(table: &'a TableDef, index: &IndexDef, row: &'a Row) -> (KeyValues<'a>, SortKey) {
    let mut sort_key = SortKey::default();
    let values = index.columns.iter().map(|&column| {
        let value = value_in(table, row, column);
        sort_key.push(comparable(table, column, value));
        value
    });
    let values = values.collect();
    (values, sort_key)
}

/// A row's value in a column, or the column's default if the row is older.
pub(crate) fn value_in<'a>(table: &'a TableDef, row: &'a Row, column: usize) -> ValueRef<'a> {
    row.value(column).unwrap_or_else(|| {
        let default = table.columns.get(column).and_then(|column| column.default.as_ref());
        default.map_or(ValueRef::Null, crate::value::Value::as_ref)
    })
}

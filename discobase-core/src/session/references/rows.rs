//! Rows, what they refer to, and what refers to them.

use super::errors::{fields, key_position, no_parent};
use crate::batch::TableDef;
use crate::error::Error;
use crate::ids::{RowId, TableId};
use crate::row::{Row, RowRef, RowWriter};
use crate::session::check::{key_text, state};
use crate::tables::{KeyValues, Reference, SortKey, TableState, Tables, comparable, value_in};
use crate::value::ValueRef;

/// Whether values that refer to rows of `parents` are right: one is null, or there is a row with this key.
pub(super) fn refers(parents: &TableState, values: &KeyValues<'_>) -> bool {
    values.iter().any(|value| value.is_null()) || parents.by_key(values).is_some()
}

/// Whether a row that is to be in a table would refer to rows that are not there, as far as tables are in memory.
pub(crate) fn refers_to_nothing(tables: &Tables, table: TableId, row: RowRef<'_>) -> bool {
    let Some(children) = tables.loaded(table) else { return false };
    tables.references().from(table).iter().any(|reference| {
        let parents = tables.loaded(reference.parent);
        parents.is_some_and(|parents| !refers(parents, &values_of(children, reference.index, row)))
    })
}

/// The values of a row in the columns of an index.
pub(super) fn values_of<'a>(state: &'a TableState, index: usize, row: RowRef<'a>) -> KeyValues<'a> {
    let def = state.def();
    let columns = def.indexes.get(index).map_or(&[][..], |index| &index.columns);
    columns.iter().map(|&column| value_in(def, row, column)).collect()
}

/// The rows that have these values in the columns of an index.
pub(super) fn referring(children: &TableState, index: usize, values: &KeyValues<'_>) -> Vec<RowId> {
    let (def, mut key) = (children.def(), SortKey::default());
    let Some((known, state)) = def.indexes.get(index).zip(children.index(index)) else { return Vec::new() };
    for (&column, value) in known.columns.iter().zip(values) {
        key.push(comparable(def, column, *value));
    }
    state.equal(&key)
}

/// The row with null in the columns of an index that allow it. One null is enough to refer to nothing.
pub(super) fn without(def: &TableDef, index: usize, row: RowRef<'_>) -> Row {
    let columns = def.indexes.get(index).map_or(&[][..], |index| &index.columns);
    let cleared = |column: usize| {
        columns.contains(&column) && def.columns.get(column).is_some_and(|column| column.nullable)
    };
    let mut changed = RowWriter::new(def.columns.len());
    for column in 0..def.columns.len() {
        changed.put(if cleared(column) { ValueRef::Null } else { value_in(def, row, column) });
    }
    changed.finish()
}

/// The rows that refer by a reference to none.
fn astray<'a>(
    children: &'a TableState,
    parents: &'a TableState,
    reference: &Reference,
) -> impl Iterator<Item = (RowId, RowRef<'a>)> {
    let index = reference.index;
    let astray = move |row: RowRef<'a>| !refers(parents, &values_of(children, index, row));
    children.rows().map(|(id, stored)| (id, stored.row)).filter(move |(_, row)| astray(*row))
}

/// A row that refers to one that is not there.
pub(crate) struct Orphan {
    pub(crate) key: String,
    /// The fields that refer, and what they hold.
    pub(crate) fields: String,
    pub(crate) parent: String,
}

/// The rows that refer by a reference to none: the first `most`, and how many more there are.
pub(crate) fn orphans(
    children: &TableState,
    parents: &TableState,
    reference: &Reference,
    most: usize,
) -> (Vec<Orphan>, u64) {
    let def = children.def();
    let fields = fields(def, reference);
    let named = |(id, row): (RowId, RowRef<'_>)| {
        let key = key_position(def).map(|key| key_text(def, Some(key), row));
        let parent = key_text(def, Some(reference.index), row);
        Orphan { key: key.unwrap_or_else(|| format!("row {id}")), fields: fields.clone(), parent }
    };
    let mut astray = astray(children, parents, reference);
    let found = astray.by_ref().take(most).map(named).collect();
    (found, astray.count() as u64)
}

/// How many of the rows that refer to nothing are named.
const NAMED: usize = 3;

/// Whether all rows of a table refer to rows that are there.
pub(super) fn check_rows(tables: &Tables, table: TableId) -> Result<(), Error> {
    let children = state(tables, table)?;
    for reference in tables.references().from(table) {
        let parents = state(tables, reference.parent)?;
        let mut wrong = astray(children, parents, reference).map(|(_, row)| row);
        let Some(first) = wrong.next() else { continue };
        let named = |row: RowRef<'_>| key_text(children.def(), key_position(children.def()), row);
        let rest: Vec<String> = wrong.by_ref().take(NAMED - 1).map(named).collect();
        let error = no_parent(children, parents.def(), reference, first);
        let others = match (rest.join(", "), wrong.count()) {
            (rest, 0) if rest.is_empty() => String::new(),
            (rest, 0) => format!("; so do the records {rest}"),
            (rest, more) => format!("; so do the records {rest} and {more} more"),
        };
        let text = format!("the reference can't be added, and was not: {}{others}", error.text());
        return Err(error.saying(text));
    }
    Ok(())
}

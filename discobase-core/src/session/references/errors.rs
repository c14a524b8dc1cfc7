//! The errors of rows that refer to none, and of rows that others refer to.

use std::sync::Arc;

use super::rows::referring;
use crate::batch::TableDef;
use crate::error::{Error, ErrorKind};
use crate::row::RowRef;
use crate::session::check::key_text;
use crate::tables::{KeyValues, Reference, TableState};

pub(super) fn key_position(def: &TableDef) -> Option<usize> {
    def.key().map(|(position, _)| position)
}

/// The names of the fields that refer.
pub(super) fn fields(def: &TableDef, reference: &Reference) -> String {
    let index = def.indexes.get(reference.index);
    index.map_or_else(String::new, |index| def.names(&index.columns).join(", "))
}

/// The error of a row that refers to none.
pub(super) fn no_parent(
    children: &Arc<TableState>,
    parent: &TableDef,
    reference: &Reference,
    row: RowRef<'_>,
) -> Error {
    let def = children.def();
    let fields = fields(def, reference);
    let text = format!(
        "a record of {} refers to a record of {} that is not there, by {fields} {}: save that one first, or both in one \
         session",
        def.name,
        parent.name,
        key_text(def, Some(reference.index), row)
    );
    let error = Error::new(ErrorKind::NoParent, text).in_table(&def.name).in_field(fields);
    match key_position(def) {
        Some(key) => error.with_key(key_text(def, Some(key), row)),
        None => error,
    }
}

/// The error of a row that can't be deleted, because others refer to it.
pub(super) fn still_referenced(
    children: &Arc<TableState>,
    parents: &Arc<TableState>,
    reference: &Reference,
    values: &KeyValues<'_>,
) -> Error {
    let (def, parent) = (children.def(), parents.def());
    let fields = fields(def, reference);
    let count = referring(children, reference.index, values).len();
    let records = if count == 1 { "a record".to_owned() } else { format!("{count} records") };
    let text = format!(
        "{records} of {} would refer by {fields} to a record of {} that is deleted: delete or change what refers to it \
         first, or in the same session",
        def.name, parent.name
    );
    let key: Vec<String> = values.iter().map(ToString::to_string).collect();
    let error = Error::new(ErrorKind::StillReferenced, text).in_table(&parent.name);
    error
        .in_field(parent.key().map_or_else(String::new, |(_, key)| parent.names(&key.columns).join(", ")))
        .with_key(key.join(", "))
}

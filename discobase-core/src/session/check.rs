//! Whether a write is allowed.

use std::sync::Arc;

use crate::batch::{Op, TableDef};
use crate::error::{Error, ErrorKind};
use crate::ids::{RowId, Seq, TableId};
use crate::row::{Row, RowRef};
use crate::schema::IndexKind;
use crate::session::{Upsert, Write, auto};
use crate::tables::{ApplyError, TableState, Tables, Taken, Unfit, goes_on_from, value_in};

/// A table.
pub(super) fn state(tables: &Tables, table: TableId) -> Result<&Arc<TableState>, Error> {
    let missing = || Error::new(ErrorKind::UnknownTable, format!("there is no table {table}"));
    let slot = tables.get(table).ok_or_else(missing)?;
    slot.loaded().ok_or_else(|| {
        let text = "a lazy table is not in memory: await db.load::<T>() before";
        Error::new(ErrorKind::TableNotReady, text).in_table(&slot.def().name)
    })
}

/// Whether the index that decides about an upsert is still the one that it was made for, by its definition then.
pub(super) fn check_index(tables: &Tables, defs: &[Arc<TableDef>], upsert: &Upsert) -> Result<(), Error> {
    let then = defs.iter().find(|def| def.id == upsert.table);
    let now = tables.get(upsert.table).map(|slot| slot.def());
    let (Some(then), Some(now)) = (then, now) else { return Ok(()) };
    let index =
        |def: &TableDef| def.indexes.get(upsert.index).map(|index| (index.kind, index.columns.clone()));
    if Arc::ptr_eq(then, now) || index(then) == index(now) {
        return Ok(());
    }
    let text = "a migration has changed the table's indexes since this was begun: nothing was written, begin it again";
    Err(Error::new(ErrorKind::Conflict, text).in_table(&now.name))
}

/// Whether a table still has the columns that something was made for.
pub(super) fn check_definition(tables: &Tables, def: &Arc<TableDef>) -> Result<(), Error> {
    let now = tables.get(def.id).map(|slot| slot.def());
    if now.is_none_or(|now| Arc::ptr_eq(now, def) || goes_on_from(now, def)) {
        return Ok(());
    }
    let text = "a migration has changed the table's fields since this was begun: nothing was written, begin it again";
    Err(Error::new(ErrorKind::Conflict, text).in_table(&def.name))
}

/// The operation that a write is, if it is allowed. Whether somebody has its key or a unique value is for
/// [`collision`] to say.
pub(super) fn check(tables: &Tables, write: &Write) -> Result<Op, Error> {
    let state = |table: TableId| state(tables, table);
    match write {
        Write::Insert { table, values } => {
            let row = state(*table)?.next_row();
            Ok(Op::Insert { table: *table, row, values: values.clone() })
        }
        Write::InsertAuto { table, values, key } => {
            let state = state(*table)?;
            let (row, values) = auto::number(state, *key, values)?;
            Ok(Op::Insert { table: *table, row, values })
        }
        Write::Update { table, row, version, values } => {
            let (table, row, state) = (*table, *row, state(*table)?);
            unchanged(state, row, *version, Some(values))?;
            same_key(state, row, values)?;
            Ok(Op::Update { table, row, values: values.clone() })
        }
        Write::Delete { table, row, version } => {
            unchanged(state(*table)?, *row, *version, None)?;
            Ok(Op::Delete { table: *table, row: *row })
        }
        // These are no single operations.
        Write::Statement(_) | Write::Upsert(_) => {
            Err(Error::new(ErrorKind::Invalid, "a statement can't be checked before it is worked out"))
        }
        Write::Schema(def) => {
            if tables.named(&def.name).is_some() {
                let text = "another process registered this table at the same time: call build_tables again";
                return Err(Error::new(ErrorKind::Conflict, text).in_table(&def.name));
            }
            let id = tables.next_table();
            Ok(Op::Schema(Box::new(TableDef { id, ..TableDef::clone(def) })))
        }
        Write::Alter(def) => {
            if tables.named(&def.name).is_some_and(|other| other.def().id != def.id) {
                let text = "there is another table of this name: choose another one";
                return Err(Error::new(ErrorKind::DuplicateTable, text).in_table(&def.name));
            }
            let state = state(def.id)?;
            state.check_values(def).map_err(|unfit| unfit_error(state, def, &unfit))?;
            Ok(Op::Alter(def.clone()))
        }
        Write::Applied(step) => Ok(Op::Applied(step.clone())),
        Write::Reverted { version } => Ok(Op::Reverted { version: version.clone() }),
        Write::Drop { table } => {
            state(*table)?;
            Ok(Op::Drop { table: *table })
        }
    }
}

fn unchanged(state: &Arc<TableState>, row: RowId, version: Seq, values: Option<&Row>) -> Result<(), Error> {
    let def = state.def();
    let (text, stored) = match state.row(row) {
        Some(stored) if stored.version == version => return Ok(()),
        Some(stored) => (
            "somebody changed this record since it was read: find it again and repeat the change",
            Some(stored.row),
        ),
        None => ("somebody deleted this record since it was read", values.map(Row::borrow)),
    };
    let error = Error::new(ErrorKind::Conflict, text).in_table(&def.name);
    Err(match stored {
        Some(values) => error.with_key(key_text(def, def.key().map(|(position, _)| position), values)),
        None => error.with_key(format!("row {row}")),
    })
}

pub(super) fn same_key(state: &Arc<TableState>, row: RowId, values: &Row) -> Result<(), Error> {
    let def = state.def();
    let (Some((position, key)), Some(stored)) = (def.key(), state.row(row)) else { return Ok(()) };
    let differs =
        |&&column: &&usize| value_in(def, values.borrow(), column) != value_in(def, stored.row, column);
    let Some(&changed) = key.columns.iter().find(differs) else { return Ok(()) };
    let text = "a record's key can't be changed: delete the record and save a new one";
    let error =
        Error::new(ErrorKind::KeyChanged, text).in_table(&def.name).in_field(column_name(def, changed));
    Err(error.with_key(key_text(def, Some(position), stored.row)))
}

/// A key or a unique value that somebody has.
pub(super) struct Collision {
    /// It can't come right by what else the commit does.
    pub(super) for_good: bool,
    pub(super) error: Error,
}

/// Whether a row other than `row` has the key or a unique value of `values`.
pub(super) fn collision(state: &Arc<TableState>, row: RowId, values: &Row) -> Option<Collision> {
    let (def, taken) = (state.def(), state.collision(row, values)?);
    let of = def.indexes.get(taken.index);
    let for_good = of.is_none_or(|index| index.kind == IndexKind::Key);
    Some(Collision { for_good, error: taken_error(def, &taken, values) })
}

/// Why an operation that was checked can't be applied after all.
pub(super) fn apply_error(tables: &Tables, op: &Op, error: &ApplyError) -> Error {
    match (op, error) {
        (Op::Alter(def), ApplyError::UnfitDefinition { why, .. }) => match tables.loaded(def.id) {
            Some(state) => unfit_error(state, def, why),
            None => Error::new(ErrorKind::Damaged, error.to_string()),
        },
        (_, ApplyError::Step { version, .. }) => {
            let text =
                format!("another process applied or reverted the migration step {version} at the same time");
            Error::new(ErrorKind::Conflict, text)
        }
        _ => Error::new(ErrorKind::Damaged, error.to_string()),
    }
}

/// The error of a definition that does not fit its table.
fn unfit_error(state: &TableState, def: &TableDef, unfit: &Unfit) -> Error {
    let kind = match unfit {
        Unfit::Taken { .. } => ErrorKind::UniqueViolated,
        Unfit::Value { .. } => ErrorKind::Invalid,
        Unfit::FewerColumns | Unfit::Dropped(_) | Unfit::Key => ErrorKind::SchemaChanged,
    };
    let text = format!("the table can't be altered, and was not: {unfit}");
    let error = Error::new(kind, text).in_table(&state.def().name);
    let error = match unfit.column(def) {
        Some(column) => error.in_field(column),
        None => error,
    };
    let key = state.def().key().map(|(position, _)| position);
    match unfit.row().and_then(|row| state.row(row)) {
        Some(stored) if key.is_some() => error.with_key(key_text(state.def(), key, stored.row)),
        _ => error,
    }
}

fn taken_error(def: &TableDef, taken: &Taken, values: &Row) -> Error {
    let Some(index) = def.indexes.get(taken.index) else {
        return Error::new(ErrorKind::UniqueViolated, "a unique value is taken").in_table(&def.name);
    };
    let (kind, text) = match index.kind {
        IndexKind::Key => (
            ErrorKind::DuplicateKey,
            "a record with this key exists: get it and update it, or choose another key",
        ),
        _ if index.columns.len() > 1 => (
            ErrorKind::UniqueViolated,
            "another record has these values in fields that are unique together: find that record, or change one of them",
        ),
        _ => (
            ErrorKind::UniqueViolated,
            "another record has this value in a unique field: find that record, or choose another value",
        ),
    };
    let fields: Vec<&str> = index.columns.iter().map(|&column| column_name(def, column)).collect();
    Error::new(kind, text).in_table(&def.name).in_field(fields.join(", ")).with_key(key_text(
        def,
        Some(taken.index),
        values.borrow(),
    ))
}

pub(super) fn column_name(def: &TableDef, column: usize) -> &str {
    def.columns.get(column).map_or("?", |column| column.name.as_str())
}

/// The values of an index's columns as a person reads them.
pub(crate) fn key_text(def: &TableDef, index: Option<usize>, values: RowRef<'_>) -> String {
    let columns =
        index.and_then(|position| def.indexes.get(position)).map_or(&[][..], |index| &index.columns);
    let texts: Vec<String> =
        columns.iter().map(|&column| value_in(def, values, column).to_string()).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
}

//! What happens around the write of a record: hooks, times, rules, the row, and afterwards its number.
//!
//! `before_…` runs first and may wait; nothing was checked or sent yet. `insert` and `changed` make the row's write.
//! `numbered` and `after_…` run once the commit is durable.

use crate::db::Database;
use crate::db::registry::Handle;
use crate::error::{Error, ErrorKind, Result};
use crate::field::FieldError;
use crate::ids::RowId;
use crate::orm::model::hooks;
use crate::row::RowWriter;
use crate::schema::Entity;
use crate::session::Write;
use crate::validate::Violations;
use crate::value::ValueRef;

/// Before new records are saved: hooks, then times, then every rule of every record.
pub(crate) async fn before_save<T: Entity>(db: &Database, values: &mut [T]) -> Result<()> {
    if let Some(hooks) = hooks::of::<T>() {
        for value in &mut *values {
            (hooks.before_save)(value, db).await?;
        }
    }
    if T::MODEL.created_at.is_some() || T::MODEL.updated_at.is_some() {
        // One moment for all that is saved together.
        let now = ValueRef::Int(db.now::<T>()?.into());
        for value in &mut *values {
            for position in [T::MODEL.created_at, T::MODEL.updated_at].into_iter().flatten() {
                if is_unset(value, position)? {
                    put(value, position, now)?;
                }
            }
        }
    }
    validate(values)
}

/// Before a record's changes are written: hooks, then rules. The time follows in [`touch`], if there is a change.
pub(crate) async fn before_update<T: Entity>(db: &Database, value: &mut T) -> Result<()> {
    if let Some(hooks) = hooks::of::<T>() {
        (hooks.before_update)(value, db).await?;
    }
    validate(std::slice::from_ref(value))
}

/// Before a record is deleted.
pub(crate) async fn before_delete<T: Entity>(db: &Database, value: &mut T) -> Result<()> {
    match hooks::of::<T>() {
        Some(hooks) => (hooks.before_delete)(value, db).await,
        None => Ok(()),
    }
}

/// Puts the time of a change into the record.
pub(crate) fn touch<T: Entity>(value: &mut T, now: i64) -> Result<()> {
    match T::MODEL.updated_at {
        Some(position) => put(value, position, ValueRef::Int(now.into())),
        None => Ok(()),
    }
}

/// The write of a new record.
pub(crate) fn insert<T: Entity>(handle: &Handle, value: &T) -> Result<Write> {
    let (table, values) = (handle.id, handle.encode(value)?);
    Ok(match T::MODEL.auto {
        Some(position) => Write::InsertAuto { table, values, key: handle.column(position) },
        None => Write::Insert { table, values },
    })
}

/// Puts the key that the commit gave into a record: the id of its row, unless it had a key.
pub(crate) fn numbered<T: Entity>(value: &mut T, row: RowId) -> Result<()> {
    match T::MODEL.auto {
        Some(position) if is_unset(value, position)? => put(value, position, ValueRef::Int(row.get().into())),
        _ => Ok(()),
    }
}

/// After records were saved.
pub(crate) async fn after_save<T: Entity>(db: &Database, value: &T) {
    if let Some(hooks) = hooks::of::<T>() {
        (hooks.after_save)(value, db).await;
    }
}

/// After a record's changes were written.
pub(crate) async fn after_update<T: Entity>(db: &Database, value: &T) {
    if let Some(hooks) = hooks::of::<T>() {
        (hooks.after_update)(value, db).await;
    }
}

/// After a record was deleted.
pub(crate) async fn after_delete<T: Entity>(db: &Database, value: &T) {
    if let Some(hooks) = hooks::of::<T>() {
        (hooks.after_delete)(value, db).await;
    }
}

/// Checks all rules of all structs, and gives everything that is broken as one error.
pub(crate) fn validate<T: Entity>(values: &[T]) -> Result<()> {
    let mut found = Violations::default();
    for (record, value) in values.iter().enumerate() {
        found.begin(record);
        value.validate(&mut found);
    }
    let found = found.into_found();
    if found.is_empty() { Ok(()) } else { Err(Error::violated(found).in_table(T::SCHEMA.name)) }
}

/// Whether a field that the database fills has nothing in it yet: nothing, or zero.
pub(crate) fn is_unset<T: Entity>(value: &T, position: usize) -> Result<bool> {
    let mut row = RowWriter::new(1);
    value.encode(position, &mut row).map_err(|error| wrong::<T>(position, &error))?;
    Ok(matches!(row.finish().value(0), None | Some(ValueRef::Null | ValueRef::Int(0))))
}

/// Puts a value into a field that the database fills.
pub(crate) fn put<T: Entity>(value: &mut T, position: usize, filled: ValueRef<'_>) -> Result<()> {
    value.assign(position, filled).map_err(|error| wrong::<T>(position, &error))
}

fn wrong<T: Entity>(position: usize, error: &FieldError) -> Error {
    let field = T::SCHEMA.columns.get(position).map_or("?", |column| column.name);
    Error::new(ErrorKind::Invalid, error.to_string()).in_table(T::SCHEMA.name).in_field(field)
}

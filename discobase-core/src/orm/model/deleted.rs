//! Records that are marked as deleted and still there.

use crate::db::registry::Handle;
use crate::error::Result;
use crate::ids::{RowId, Seq};
use crate::orm::model::lifecycle;
use crate::orm::record::Record;
use crate::orm::save::{Delete, Update};
use crate::query::expr::{Compare, Expr};
use crate::row::{Row, RowRef};
use crate::schema::Entity;
use crate::session::{Write, with_value};
use crate::tables::value_in;
use crate::value::{Value, ValueRef};

/// A table whose deletes only mark a record: a field of it is `#[table(soft_delete)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` keeps no deleted records",
    label = "has no field that marks a record as deleted",
    note = "add a field to it: #[table(soft_delete)] deleted_at: Option<Timestamp>"
)]
pub trait SoftDelete: Entity {}

/// Which records a query sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Those that are not deleted.
    #[default]
    Live,
    /// All that are there.
    All,
    /// Those that are deleted.
    Deleted,
}

impl Scope {
    /// The condition on the table's records, if there is one.
    pub(crate) fn filter<T: Entity>(self) -> Option<Expr> {
        let position = T::MODEL.deleted_at?;
        match self {
            Self::Live => Some(Expr::Compare(position, Compare::Eq, Value::Null)),
            Self::All => None,
            Self::Deleted => Some(Expr::Compare(position, Compare::Ne, Value::Null)),
        }
    }
}

/// Whether a row is marked as deleted.
pub(crate) fn is_deleted<T: Entity>(handle: &Handle, row: RowRef<'_>) -> bool {
    T::MODEL.deleted_at.is_some_and(|position| !value_in(&handle.def, row, handle.column(position)).is_null())
}

/// The write that deletes a record whose row is `stored`: one that marks it if the table keeps deleted records and this is not `forever`,
/// else one that removes its row.
pub(crate) fn delete<T: Entity>(
    stored: Option<Row>,
    now: i64,
    handle: &Handle,
    record: &mut Record<T>,
    (row, version): (RowId, Seq),
    forever: bool,
) -> Result<Write> {
    let table = handle.id;
    let Some(position) = T::MODEL.deleted_at.filter(|_| !forever) else {
        return Ok(Write::Delete { table, row, version });
    };
    let now = ValueRef::Int(now.into());
    // Of the row as it is stored, so that what else was changed in the struct is not written by a delete.
    let values = match stored {
        Some(stored) => stored,
        None => handle.encode::<T>(record)?,
    };
    let values = with_value(&handle.def, &values, handle.column(position), now);
    lifecycle::put::<T>(record, position, now)?;
    Ok(Write::Update { table, row, version, values })
}

/// Whether a record's deletion is marked in it already.
pub(crate) fn is_marked<T: Entity>(value: &T) -> Result<bool> {
    match T::MODEL.deleted_at {
        Some(position) => lifecycle::is_unset(value, position).map(|unset| !unset),
        None => Ok(false),
    }
}

impl<T: Entity> Record<T> {
    /// Takes a delete back: the record is found again. Its other fields are written as [`Record::update`] does. A record
    /// that is not deleted stays as it is.
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// # use discobase::{Database, Result, Table};
    /// # #[derive(Debug, Table)]
    /// # #[table(crate = "discobase_core")]
    /// # struct Note {
    /// #     #[table(key)]
    /// #     id: u64,
    /// #     #[table(soft_delete)]
    /// #     deleted_at: Option<twilight_model::util::Timestamp>,
    /// # }
    /// # async fn run(db: Database) -> Result<()> {
    /// for mut note in Note::find(&db).only_deleted().all().await? {
    ///     note.restore().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Record::update`].
    pub fn restore(&mut self) -> Update<'_, T>
    where
        T: SoftDelete,
    {
        // Generated code keeps the promise that the field is an `Option`, so there is nothing that could fail.
        if let Some(position) = T::MODEL.deleted_at {
            let _ = self.assign(position, ValueRef::Null);
        }
        self.update()
    }

    /// Removes the row, whether it is marked as deleted or not: nothing brings it back.
    ///
    /// # Errors
    /// As [`Record::delete`].
    pub fn delete_forever(self) -> Delete<T>
    where
        T: SoftDelete,
    {
        self.delete().forever()
    }
}

//! Hooks: what a struct does around its writes and after it is loaded.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::db::Database;
use crate::error::Result;
use crate::schema::Entity;

/// What a struct does around its writes and after it is loaded: implement what is needed, and write
/// `#[table(hooks)]` on the struct.
///
/// A `before_` hook may change the struct, look things up, and refuse: its error ends the write before anything is
/// checked or sent. It runs before the rules are checked, so it can also put values right. What it changed stays in the
/// struct if the write fails later. An `after_` hook runs once the commit is durable, so nothing it does can undo it; it
/// is not run when the write fails, when there was nothing to write, or when a deadline leaves the outcome unknown.
/// No hook runs while the engine holds a lock, so hooks may read and write records.
///
/// Deletes that only mark a record run the hooks of deletes; `restore` runs those of updates.
///
/// ```
/// # use discobase_core as discobase;
/// use discobase::{Database, Error, ErrorKind, Hooks, Result, Table};
///
/// #[derive(Debug, Table)]
/// #[table(hooks)]
/// # #[table(crate = "discobase_core")]
/// struct Account {
///     #[table(key)]
///     id: u64,
///     email: String,
///     locked: bool,
/// }
///
/// impl Hooks for Account {
///     async fn before_save(&mut self, _db: &Database) -> Result<()> {
///         self.email = self.email.trim().to_lowercase();
///         Ok(())
///     }
///
///     async fn before_delete(&mut self, _db: &Database) -> Result<()> {
///         if self.locked { Err(Error::new(ErrorKind::Invalid, "a locked account stays")) } else { Ok(()) }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no hooks",
    label = "`hooks` asks for them",
    note = "write `impl Hooks for {Self} {{ … }}` with those that are needed, or remove `hooks`"
)]
pub trait Hooks: Entity {
    /// Before a new record is saved.
    fn before_save(&mut self, db: &Database) -> impl Future<Output = Result<()>> + Send {
        let _ = db;
        std::future::ready(Ok(()))
    }

    /// After a new record was saved.
    fn after_save(&self, db: &Database) -> impl Future<Output = ()> + Send {
        let _ = db;
        std::future::ready(())
    }

    /// Before a record's changes are written.
    fn before_update(&mut self, db: &Database) -> impl Future<Output = Result<()>> + Send {
        let _ = db;
        std::future::ready(Ok(()))
    }

    /// After a record's changes were written.
    fn after_update(&self, db: &Database) -> impl Future<Output = ()> + Send {
        let _ = db;
        std::future::ready(())
    }

    /// Before a record is deleted.
    fn before_delete(&mut self, db: &Database) -> impl Future<Output = Result<()>> + Send {
        let _ = db;
        std::future::ready(Ok(()))
    }

    /// After a record was deleted.
    fn after_delete(&self, db: &Database) -> impl Future<Output = ()> + Send {
        let _ = db;
        std::future::ready(())
    }

    /// After a row was made into a struct, by whatever finds or watches records: the place to fill skipped fields.
    fn after_load(&mut self) {}
}

type Before<T> = for<'a> fn(&'a mut T, &'a Database) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;
type After<T> = for<'a> fn(&'a T, &'a Database) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The hooks of a struct as functions, so that tables without hooks need not have the trait.
pub struct HookTable<T> {
    pub(crate) before_save: Before<T>,
    pub(crate) after_save: After<T>,
    pub(crate) before_update: Before<T>,
    pub(crate) after_update: After<T>,
    pub(crate) before_delete: Before<T>,
    pub(crate) after_delete: After<T>,
}

impl<T> HookTable<T> {
    /// The hooks of `T`.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "generated code makes it, in a constant")]
    pub const fn new() -> Self
    where
        T: Hooks,
    {
        Self {
            before_save: |value, db| Box::pin(value.before_save(db)),
            after_save: |value, db| Box::pin(value.after_save(db)),
            before_update: |value, db| Box::pin(value.before_update(db)),
            after_update: |value, db| Box::pin(value.after_update(db)),
            before_delete: |value, db| Box::pin(value.before_delete(db)),
            after_delete: |value, db| Box::pin(value.after_delete(db)),
        }
    }
}

/// The hooks of a table, if it has any.
pub(crate) fn of<T: Entity>() -> Option<&'static HookTable<T>> {
    T::hooks()?.downcast_ref()
}

impl<T> fmt::Debug for HookTable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookTable")
    }
}

//! What structs do after a session that wrote them was committed.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::db::Database;
use crate::db::registry::Handle;
use crate::orm::model::{deleted, lifecycle};
use crate::row::RowRef;
use crate::schema::Entity;
use crate::session::{Did, Written};
use crate::transport::BoxFuture;

/// What structs' own writes of a row came to in a session: hooks run for nothing else, neither for what statements do
/// nor for what deletes lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Written,
    /// Or marked as deleted.
    Deleted,
}

/// The hooks of one table, whatever its struct is.
pub(super) trait AfterHooks: Send + Sync {
    /// Runs what the struct does after such a write.
    fn run<'a>(&'a self, db: &'a Database, written: &'a Written, own: Own) -> BoxFuture<'a, ()>;

    /// Whether a row is marked as deleted.
    fn is_marked(&self, row: RowRef<'_>) -> bool;
}

pub(super) struct After<T> {
    handle: Arc<Handle>,
    table: PhantomData<fn() -> T>,
}

impl<T> After<T> {
    pub(super) fn new(handle: Arc<Handle>) -> Self {
        Self { handle, table: PhantomData }
    }
}

impl<T: Entity> AfterHooks for After<T> {
    fn run<'a>(&'a self, db: &'a Database, written: &'a Written, own: Own) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // Only the row is left of the struct. One that can't be read is found by whoever reads it next.
            let Ok(value) = self.handle.decode::<T>(written.values.borrow()) else { return };
            match (own, written.did) {
                (Own::Deleted, _) => lifecycle::after_delete(db, &value).await,
                (Own::Written, Did::Insert) => lifecycle::after_save(db, &value).await,
                (Own::Written, Did::Update) => lifecycle::after_update(db, &value).await,
                (Own::Written, Did::Nothing | Did::Delete) => {}
            }
        })
    }

    fn is_marked(&self, row: RowRef<'_>) -> bool {
        deleted::is_deleted::<T>(&self.handle, row)
    }
}

//! What structs do after a session that wrote them was committed.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::db::Database;
use crate::db::registry::Handle;
use crate::orm::model::{deleted, lifecycle};
use crate::schema::Entity;
use crate::session::{Did, Written};
use crate::transport::BoxFuture;

/// The hooks of one table, whatever its struct is.
pub(super) trait AfterHooks: Send + Sync {
    /// Runs what the struct does after such a write.
    fn run<'a>(&'a self, db: &'a Database, written: &'a Written) -> BoxFuture<'a, ()>;
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
    fn run<'a>(&'a self, db: &'a Database, written: &'a Written) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // Only the row is left of the struct. One that can't be read is found by whoever reads it next.
            let Ok(value) = self.handle.decode::<T>(written.values.borrow()) else { return };
            match written.did {
                Did::Nothing => {}
                // A delete that only marks.
                Did::Update if deleted::is_deleted::<T>(&self.handle, written.values.borrow()) => {
                    lifecycle::after_delete(db, &value).await;
                }
                Did::Insert => lifecycle::after_save(db, &value).await,
                Did::Update => lifecycle::after_update(db, &value).await,
                Did::Delete => lifecycle::after_delete(db, &value).await,
            }
        })
    }
}

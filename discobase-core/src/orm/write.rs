//! Where writes go: to the database, as a commit of their own, or into a session.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::db::Database;
use crate::db::registry::Handle;
use crate::error::Result;
use crate::ids::{ChannelId, Seq};
use crate::orm::draft::Draft;
use crate::orm::record::Record;
use crate::orm::session::Shared;
use crate::orm::source::Source;
use crate::row::RowRef;
use crate::schema::Entity;
use crate::session::{Write, WriteSet, Written};
use crate::tables::Stored;

/// What can be written to: a [`Database`], where each write is a commit of its own, or a [`Session`](crate::Session),
/// whose writes are one commit in the end.
pub trait Writable: Source + sealed::Writable {}

impl<W: Source + sealed::Writable> Writable for W {}

pub(crate) mod sealed {
    use super::Target;

    /// What a target does; only this crate has any.
    pub trait Writable {
        /// Where its writes go.
        fn target(&self) -> Target;
    }
}

/// Where a write goes.
#[derive(Clone)]
pub enum Target {
    Database(Database),
    Session(Arc<Shared>),
}

impl Target {
    /// The database that is written in the end.
    pub(crate) fn db(&self) -> &Database {
        match self {
            Self::Database(db) => db,
            Self::Session(session) => session.snapshot().db(),
        }
    }
}

impl sealed::Writable for Database {
    fn target(&self) -> Target {
        Target::Database(self.clone())
    }
}

macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<W: sealed::Writable> sealed::Writable for $pointer {
            fn target(&self) -> Target {
                W::target(self)
            }
        }
    )*};
}

pointers!(&W, &mut W, Arc<W>, Box<W>, Rc<W>);

/// What was written, and what makes records of it.
pub(crate) struct Done {
    pub(crate) db: Database,
    pub(crate) journal: ChannelId,
    pub(crate) handle: Arc<Handle>,
    pub(crate) written: Vec<Written>,
    /// What records of a session need.
    pub(crate) draft: Option<Draft>,
    /// The last commit that the session saw.
    pub(crate) base: Seq,
}

impl Done {
    /// The written rows as records.
    pub(crate) fn records<T: Entity>(&self) -> Result<Vec<Record<T>>> {
        self.written.iter().map(|written| self.record(written)).collect()
    }

    /// A written row as a record.
    pub(crate) fn record<T: Entity>(&self, written: &Written) -> Result<Record<T>> {
        let stored = Stored { version: written.version, row: written.values.borrow() };
        let record: Record<T> =
            Record::from_stored(&self.db, self.journal, &self.handle, written.row, stored)?;
        // What the session found as it wants it is no row of its own.
        Ok(record.drafted(self.draft.as_ref().filter(|_| written.version > self.base)))
    }

    /// The written rows as structs.
    pub(crate) fn values<T: Entity>(&self) -> Result<Vec<T>> {
        let value = |written: &Written| {
            let row: RowRef<'_> = written.values.borrow();
            self.handle.decode(row)
        };
        self.written.iter().map(value).collect()
    }
}

/// Does one write that is made with a table's handle.
pub(crate) async fn execute<T: Entity>(
    target: Target,
    deadline: Option<Duration>,
    make: impl FnOnce(&Arc<Handle>) -> Result<Write>,
) -> Result<Done> {
    match target {
        Target::Session(session) => session.execute::<T>(|handle| make(handle).map(Some)).await,
        Target::Database(db) => {
            let (engine, handle, write) = db
                .with::<T, _>(|engine, handle| Ok((Arc::clone(engine), Arc::clone(handle), make(handle)?)))?;
            let set = WriteSet::of(&handle.def, vec![write]);
            let committed = engine.commit_by(set, deadline.or(db.deadline())).await?;
            let (journal, written) = (engine.journal(), committed.written);
            Ok(Done { db, journal, handle, written, draft: None, base: Seq::default() })
        }
    }
}

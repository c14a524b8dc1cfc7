//! Where reads look: at what is durable now, at a snapshot, into a session.

use std::rc::Rc;
use std::sync::Arc;

use crate::db::Database;
use crate::db::registry::Handle;
use crate::error::Result;
use crate::ids::{ChannelId, RowId};
use crate::orm::record::Record;
use crate::orm::session::Shared;
use crate::orm::snapshot::Snapshot;
use crate::schema::Entity;
use crate::session::Read;
use crate::tables::{Stored, TableState, Tables};

/// What can be read from: a [`Database`], which shows what is durable at the moment of each read; a [`Snapshot`], which
/// shows one state of all tables for as long as it is kept; a [`Session`](crate::Session), which shows one state and what
/// it wrote itself.
///
/// References to them and shared pointers are sources, too.
pub trait Source: sealed::Source {}

impl<S: sealed::Source + ?Sized> Source for S {}

pub(crate) mod sealed {
    use super::{Entity, Origin, Reading, Result};

    /// What a source does; only this crate has any.
    pub trait Source {
        /// Where a query of it looks when it is run.
        fn origin(&self) -> Origin;

        /// Does some work with a table at once.
        fn read<T: Entity, R>(&self, work: impl FnOnce(&Reading<'_>) -> Result<R>) -> Result<R>
        where
            Self: Sized;
    }
}

/// A source that is kept by what reads from it later.
#[derive(Clone)]
pub enum Origin {
    Database(Database),
    Snapshot(Snapshot),
    Session(Arc<Shared>),
}

/// A table at the moment it is read, and what makes records of its rows.
pub struct Reading<'a> {
    pub(crate) db: &'a Database,
    pub(crate) journal: ChannelId,
    pub(crate) handle: &'a Handle,
    pub(crate) tables: &'a Tables,
    /// The session that reads.
    pub(crate) session: Option<&'a Shared>,
}

impl Reading<'_> {
    /// The table; `None` if the state is older than the table.
    pub(crate) fn table(&self) -> Option<&Arc<TableState>> {
        self.tables.get(self.handle.id)
    }

    /// The record of a row.
    pub(crate) fn record<T: Entity>(&self, id: RowId, stored: Stored<'_>) -> Result<Record<T>> {
        let record: Record<T> = Record::from_stored(self.db, self.journal, self.handle, id, stored)?;
        let draft = self.session.and_then(|session| session.draft(self.handle.id, stored.version));
        Ok(record.drafted(draft.as_ref()))
    }

    /// Tells a session what is read; others do not care.
    pub(crate) fn note(&self, read: impl FnOnce() -> Read) {
        if let Some(session) = self.session {
            session.note(read);
        }
    }
}

impl sealed::Source for Database {
    fn origin(&self) -> Origin {
        Origin::Database(self.clone())
    }

    fn read<T: Entity, R>(&self, work: impl FnOnce(&Reading<'_>) -> Result<R>) -> Result<R> {
        self.with::<T, _>(|engine, handle| {
            let tables: &Tables = &engine.tables();
            work(&Reading { db: self, journal: engine.journal(), handle, tables, session: None })
        })
    }
}

impl sealed::Source for Origin {
    fn origin(&self) -> Origin {
        self.clone()
    }

    fn read<T: Entity, R>(&self, work: impl FnOnce(&Reading<'_>) -> Result<R>) -> Result<R> {
        match self {
            Self::Database(db) => db.read::<T, _>(work),
            Self::Snapshot(snapshot) => snapshot.read::<T, _>(work),
            Self::Session(session) => session.read::<T, _>(work),
        }
    }
}

macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<S: sealed::Source> sealed::Source for $pointer {
            fn origin(&self) -> Origin {
                S::origin(self)
            }

            fn read<T: Entity, R>(&self, work: impl FnOnce(&Reading<'_>) -> Result<R>) -> Result<R> {
                S::read::<T, R>(self, work)
            }
        }
    )*};
}

pointers!(&S, &mut S, Arc<S>, Box<S>, Rc<S>);

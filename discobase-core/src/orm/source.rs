//! Where reads look: at what is durable now, at a snapshot, into a session.

use std::rc::Rc;
use std::sync::Arc;

use crate::db::Database;
use crate::db::engine::Engine;
use crate::db::registry::Handle;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::RowId;
use crate::lookup::Wanted;
use crate::orm::record::{Home, Record};
use crate::orm::session::Shared;
use crate::orm::snapshot::Snapshot;
use crate::query::exec::Query;
use crate::query::subquery::{State, Unresolved, check_database, resolve};
use crate::schema::Entity;
use crate::session::Read;
use crate::tables::{Slot, Stored, TableState, Tables};

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
    pub(crate) engine: &'a Arc<Engine>,
    pub(crate) handle: &'a Arc<Handle>,
    pub(crate) tables: &'a Arc<Tables>,
    /// Whether it is about this state, and not about whatever is durable.
    pub(crate) fixed: bool,
    /// The session that reads.
    pub(crate) session: Option<&'a Shared>,
}

impl Reading<'_> {
    /// The table; `None` if the state is older than the table.
    pub(crate) fn slot(&self) -> Option<&Slot> {
        self.tables.get(self.handle.id)
    }

    /// The record of a row.
    // Inlined, because what it gives is large: handed from function to function it would be copied by each.
    #[inline]
    pub(crate) fn record<T: Entity>(&self, id: RowId, stored: Stored<'_>) -> Result<Record<T>> {
        let draft = self.session.and_then(|session| session.draft(self.handle.id, stored.version));
        let value = self.handle.decode(stored.row)?;
        let home = Home::of(self.engine.journal(), self.handle);
        Ok(Record::drafted_as(self.db.clone(), home, (id, stored.version), draft, value))
    }

    /// Evaluates the queries in a query's condition; false if a table that they read is not in memory.
    ///
    /// # Errors
    /// `Invalid` when one is of another database; `UnknownTable`, `SchemaChanged`.
    pub(crate) fn resolve(&self, query: &mut Query) -> Result<bool> {
        let Some(filter) = query.filter.as_mut().filter(|filter| filter.has_subquery()) else {
            return Ok(true);
        };
        check_database(Some(filter), self.db.identity())?;
        let mut read = Vec::new();
        let state = State::of(self.tables);
        // What is replaced is replaced for good, so a part that is done stays done.
        let resolved = resolve(filter, &self.handle.def, state, &mut |table, filter| {
            read.push(Read::Rows { table, filter: filter.cloned() });
        });
        read.into_iter().for_each(|read| self.note(|| read));
        match resolved {
            Ok(()) => Ok(true),
            Err(Unresolved::Failed(error)) => Err(error),
            Err(Unresolved::Missing(table, _)) => {
                // Of what is found later a session is not told, so that it counts as all there is.
                self.note(|| Read::Rows { table, filter: None });
                self.note(|| Read::Rows { table: self.handle.id, filter: None });
                Ok(false)
            }
        }
    }

    /// Tells a session what is read; others do not care.
    pub(crate) fn note(&self, read: impl FnOnce() -> Read) {
        if let Some(session) = self.session {
            session.note(read);
        }
    }

    /// What goes on with it when the table is not in memory.
    pub(crate) fn later(&self) -> Later {
        Later {
            db: self.db.clone(),
            engine: Arc::clone(self.engine),
            handle: Arc::clone(self.handle),
            tables: Arc::clone(self.tables),
            fixed: self.fixed,
        }
    }
}

/// A reading that takes its time. Of what it reads a session has written nothing, or the table would be in memory.
pub(crate) struct Later {
    db: Database,
    engine: Arc<Engine>,
    handle: Arc<Handle>,
    tables: Arc<Tables>,
    fixed: bool,
}

impl Later {
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The table, or as much of it as has the keys that are wanted.
    pub(crate) async fn table(&self, wanted: Option<&Wanted>) -> Result<Option<Arc<TableState>>> {
        match self.fixed {
            true => self.engine.table_in(&self.tables, self.handle.id, wanted).await,
            false => self.engine.table(self.handle.id, wanted).await,
        }
    }

    /// The same of this state, whatever becomes durable meanwhile.
    pub(crate) fn fixed(self) -> Self {
        Self { fixed: true, ..self }
    }

    /// Evaluates the queries in a query's condition, and loads the tables that they read.
    pub(crate) async fn resolve(&self, query: &mut Query) -> Result<()> {
        let Some(filter) = query.filter.as_mut().filter(|filter| filter.has_subquery()) else {
            return Ok(());
        };
        let mut loaded = Vec::new();
        loop {
            let state = State { tables: &self.tables, loaded: &loaded };
            match resolve(filter, &self.handle.def, state, &mut |_, _| ()) {
                Ok(()) => return Ok(()),
                Err(Unresolved::Failed(error)) => return Err(error),
                Err(Unresolved::Missing(table, wanted)) => {
                    let found = self.engine.table_in(&self.tables, table, wanted.as_ref()).await?;
                    let Some(found) = found else {
                        return Err(Error::new(ErrorKind::TableNotReady, "a table of a condition is gone"));
                    };
                    loaded.push((table, wanted, found));
                }
            }
        }
    }

    pub(crate) fn reading(&self) -> Reading<'_> {
        let Self { db, engine, handle, tables, fixed } = self;
        Reading { db, engine, handle, tables, fixed: *fixed, session: None }
    }
}

impl Origin {
    /// The same, but of one state.
    pub(crate) fn fixed(self) -> Result<Self> {
        match self {
            Self::Database(db) => db.snapshot().map(Self::Snapshot),
            fixed => Ok(fixed),
        }
    }

    /// The database that is read.
    pub(crate) fn db(&self) -> &Database {
        match self {
            Self::Database(db) => db,
            Self::Snapshot(snapshot) => snapshot.db(),
            Self::Session(session) => session.snapshot().db(),
        }
    }
}

impl sealed::Source for Database {
    fn origin(&self) -> Origin {
        Origin::Database(self.clone())
    }

    fn read<T: Entity, R>(&self, work: impl FnOnce(&Reading<'_>) -> Result<R>) -> Result<R> {
        self.with_tables::<T, _>(|engine, handle, tables| {
            work(&Reading { db: self, engine, handle, tables, fixed: false, session: None })
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

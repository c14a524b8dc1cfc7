//! A snapshot: one state of all tables, to be read from for as long as it is kept.

use std::fmt;
use std::sync::Arc;

use crate::db::Database;
use crate::db::engine::Engine;
use crate::db::link::Handles;
use crate::db::registry::Handle;
use crate::error::Result;
use crate::ids::{ChannelId, Seq};
use crate::orm::source::{Origin, Reading, sealed};
use crate::schema::Entity;
use crate::tables::Tables;

/// All tables as they were after one commit. Reads from it agree with each other, whatever is written meanwhile.
///
/// It costs a few pointers, and the rows that were replaced since: as long as it is kept, they are kept, too. Nobody
/// waits for it, and it can be read after the database was closed; but a
/// [lazy table](Database::table_lazy) that is not in memory only as long as the database is open and the guild has the
/// files of that state, for ten minutes after the next checkpoint at least.
///
/// ```no_run
/// # use discobase_core as discobase;
/// use discobase::{Database, Result, Table};
///
/// #[derive(Table)]
/// # #[table(crate = "discobase_core")]
/// struct Account {
///     #[table(key)]
///     id: u64,
///     coins: i64,
/// }
///
/// async fn total(db: &Database) -> Result<(usize, i64)> {
///     let snapshot = db.snapshot()?;
///     let accounts = Account::find(&snapshot).all().await?;
///     // As many as were added up, even if somebody opened an account in between.
///     let number = Account::count(&snapshot).await?;
///     Ok((number, accounts.iter().map(|account| account.coins).sum()))
/// }
/// ```
#[derive(Clone)]
pub struct Snapshot {
    db: Database,
    engine: Arc<Engine>,
    handles: Arc<Handles>,
    tables: Arc<Tables>,
}

impl Database {
    /// The tables as they are now, to be read from later: see [`Snapshot`].
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let (engine, handles, tables) = self.newest()?;
        Ok(Snapshot { db: self.clone(), engine, handles, tables })
    }
}

impl Snapshot {
    pub(crate) fn db(&self) -> &Database {
        &self.db
    }

    pub(crate) fn journal(&self) -> ChannelId {
        self.engine.journal()
    }

    pub(crate) fn tables(&self) -> &Arc<Tables> {
        &self.tables
    }

    /// How a struct fits its table.
    ///
    /// # Errors
    /// `UnknownTable`, `TableNotReady`.
    pub(crate) fn handle<T: Entity>(&self) -> Result<&Arc<Handle>> {
        self.handles.get(&std::any::TypeId::of::<T>()).ok_or_else(|| self.db.no_table::<T>())
    }

    /// The last commit that is in it.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.tables.seq()
    }
}

impl sealed::Source for Snapshot {
    fn origin(&self) -> Origin {
        Origin::Snapshot(self.clone())
    }

    fn read<T: Entity, R>(&self, work: impl FnOnce(&Reading<'_>) -> Result<R>) -> Result<R> {
        let (db, engine, handle, tables) = (&self.db, &self.engine, self.handle::<T>()?, &self.tables);
        work(&Reading { db, engine, handle, tables, fixed: true, session: None })
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("seq", &self.seq()).finish_non_exhaustive()
    }
}

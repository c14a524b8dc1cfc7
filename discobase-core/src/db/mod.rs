//! The database: what it is made of, registering tables, and finding a struct's table. `opening` starts what lives as long
//! as a connection and ends it; `about` tells of it.

mod about;
mod build;
mod builder;
mod catalog;
pub(crate) mod checkpoints;
mod clean;
mod connect;
mod create;
mod difference;
mod discover;
pub(crate) mod engine;
mod heal;
pub(crate) mod layout;
mod lazy;
pub(crate) mod link;
mod listen;
#[cfg(feature = "local")]
mod local;
mod login;
pub(crate) mod migrate;
mod opening;
mod options;
mod promote;
pub(crate) mod registry;
mod rotate;
mod stats;
mod verify;

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::watch;

pub use builder::DatabaseBuilder;
pub use checkpoints::CheckpointState;
pub use clean::Confirm;
pub use engine::{Lag, Outcome, Role};
pub use heal::Healed;
pub use login::{LoginTask, LoginThread};
pub use migrate::{Backup, DryStep, Migrator, RowChange, Step, StepStatus, TableChanges};
pub use stats::Stats;
pub use verify::{Deviation, DeviationKind, Report};

use crate::error::{Error, ErrorKind, Result};
use crate::ids::Seq;
use crate::schema::Entity;
use crate::seal::KeySource;
use crate::tables::Tables;
use crate::transport::twilight::TwilightTransport;
use crate::transport::{BoxFuture, Transport};

use link::{Handles, Link};
use migrate::plan::Steps;
use options::Options;
use registry::{Handle, Registered, Registry};

/// A database in a Discord guild. Cloning is cheap and gives the same database.
///
/// ```no_run
/// # use discobase_core as discobase;
/// # async fn run(token: String) -> discobase::Result<()> {
/// use discobase::{Database, Table};
///
/// #[derive(Table)]
/// # #[table(crate = "discobase_core")]
/// struct User {
///     #[table(key)]
///     id: u64,
///     name: String,
/// }
///
/// let db = Database::new("my database");
/// db.table::<User>()?;
/// db.connect(token).await?;
/// User { id: 1, name: "Peter".into() }.save(&db).await?;
/// db.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    name: String,
    options: Options,
    registry: Mutex<Registry>,
    /// The migration steps that were registered.
    steps: Mutex<Steps>,
    link: ArcSwapOption<Connection>,
    /// Makes connecting, building and closing take turns.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Whether the database is ready, or why it is not: what `wait_ready` waits for.
    ready: watch::Sender<Readiness>,
    /// Where the key comes from since it was changed, instead of where the options say.
    rotated: Mutex<Option<KeySource>>,
}

/// What `wait_ready` has to tell.
#[derive(Clone)]
enum Readiness {
    Waiting,
    Ready,
    Failed(Error),
}

/// A link and the transport below it.
struct Connection {
    link: Link,
    transport: Arc<dyn Transport>,
    client: Option<Arc<TwilightTransport>>,
    /// The last commit when the database was opened.
    opened_at: Seq,
    /// Ends what lives as long as the connection: the embedded guild.
    ending: Mutex<Option<Ending>>,
}

/// What is to be done after disconnecting; dropped without being called if the database is dropped.
pub(crate) type Ending = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

impl Database {
    /// A database of this name, not connected yet.
    ///
    /// It is kept in the guild of that name among the bot's guilds, else in the bot's only guild; the environment
    /// variable `DISCORD_GUILD` (an id or a name) decides otherwise, and so does [`Database::builder`].
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self::builder(name).build()
    }

    /// Sets more than the name.
    pub fn builder(name: impl Into<String>) -> DatabaseBuilder {
        DatabaseBuilder::new(name.into())
    }

    fn from_options(name: String, options: Options) -> Self {
        Self(Arc::new(Inner {
            name,
            options,
            registry: Mutex::default(),
            steps: Mutex::default(),
            link: ArcSwapOption::empty(),
            turn: Arc::default(),
            ready: watch::channel(Readiness::Waiting).0,
            rotated: Mutex::default(),
        }))
    }

    /// Registers a table: compile-time metadata, no request. Registering the same struct again changes nothing.
    ///
    /// Tables that are registered after [`Database::connect`] become usable with [`Database::build_tables`].
    ///
    /// # Errors
    /// `DuplicateTable` when another struct claims the name.
    pub fn table<T: Entity>(&self) -> Result<&Self> {
        self.0.registry.lock().add(Registered::new::<T>())?;
        Ok(self)
    }

    fn connection(&self) -> Result<Arc<Connection>> {
        self.0.link.load_full().ok_or_else(not_connected)
    }

    /// Runs `work` with the engine and the handle of a table that is ready.
    pub(crate) fn with<T: Entity, R>(
        &self,
        work: impl FnOnce(&Arc<engine::Engine>, &Arc<Handle>) -> Result<R>,
    ) -> Result<R> {
        self.with_tables::<T, _>(|engine, handle, _| work(engine, handle))
    }

    /// As [`Database::with`], with the newest state, which the handle fits.
    pub(crate) fn with_tables<T: Entity, R>(
        &self,
        work: impl FnOnce(&Arc<engine::Engine>, &Arc<Handle>, &Arc<Tables>) -> Result<R>,
    ) -> Result<R> {
        let connection = self.0.link.load();
        let Some(connection) = connection.as_ref() else { return Err(not_connected()) };
        self.follow_definitions(&connection.link);
        connection.link.with_handle::<T, _>(|handle| {
            let (engine, handle) = (&connection.link.engine, handle.ok_or_else(|| self.no_table::<T>())?);
            let tables = engine.tables();
            if handle.fits(&tables) {
                return work(engine, handle, &tables);
            }
            drop(tables);
            let (engine, handles, tables) = self.newest()?;
            let handle = handles.get(&std::any::TypeId::of::<T>()).ok_or_else(|| self.no_table::<T>())?;
            work(&engine, handle, &tables)
        })
    }

    /// The engine, the newest state, and how each struct fits its tables.
    pub(crate) fn newest(&self) -> Result<(Arc<engine::Engine>, Arc<Handles>, Arc<Tables>)> {
        let link = &self.connection()?.link;
        loop {
            self.follow_definitions(link);
            let (handles, tables) = (link.handles(), Arc::clone(&link.engine.tables()));
            if handles.values().all(|handle| handle.fits(&tables)) {
                return Ok((Arc::clone(&link.engine), handles, tables));
            }
            // A table was changed since, or is about to be counted as changed.
            link.refit(&self.0.registry.lock().tables);
        }
    }

    /// A number that no other database has that is there at the same time.
    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// The engine, and how each struct fits its table.
    pub(crate) fn running(&self) -> Result<(Arc<engine::Engine>, Arc<Handles>)> {
        let link = &self.connection()?.link;
        self.follow_definitions(link);
        Ok((Arc::clone(&link.engine), link.handles()))
    }

    /// Goes by what another process has made of the tables.
    fn follow_definitions(&self, link: &Link) {
        if link.is_redefined() {
            link.follow_definitions(&self.0.registry.lock().tables);
        }
    }

    /// The time that a write of `T` gets, in microseconds since the Unix epoch.
    pub(crate) fn now<T: Entity>(&self) -> Result<i64> {
        self.with::<T, _>(|engine, _| Ok(engine.now()))
    }

    /// Why a struct has no table that is ready.
    pub(crate) fn no_table<T: Entity>(&self) -> Error {
        let name = T::SCHEMA.name;
        let registered = self.0.registry.lock();
        let registered = registered.tables.iter().find(|table| table.type_id == std::any::TypeId::of::<T>());
        let unfit = registered.and_then(|one| {
            let connection = self.0.link.load();
            let link = &connection.as_ref()?.link;
            Handle::new(one, link.slot(&link.engine.tables(), one)?.def()).err()
        });
        if let Some(error) = unfit {
            return migrate::unfit(error);
        }
        let error = if registered.is_some() {
            let text = "the table was registered after connecting, or was dropped since: call db.build_tables().await first";
            Error::new(ErrorKind::TableNotReady, text)
        } else {
            let text = format!(
                "the database {:?} does not know this table: call db.table::<{}>() before connecting",
                self.0.name,
                std::any::type_name::<T>()
            );
            Error::new(ErrorKind::UnknownTable, text)
        };
        error.in_table(name)
    }

    /// The deadline of writes that name none.
    pub(crate) fn deadline(&self) -> Option<std::time::Duration> {
        self.0.options.deadline
    }
}

fn not_connected() -> Error {
    Error::new(ErrorKind::NotConnected, "the database is not connected: call db.connect(token).await first")
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("name", &self.0.name)
            .field("open", &self.is_open())
            .finish_non_exhaustive()
    }
}

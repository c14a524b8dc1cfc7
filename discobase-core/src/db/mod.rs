//! The database: registering tables, connecting, closing. It starts the tasks that live as long as a connection, the
//! writer and the listener, and ends them.

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
use tracing::Instrument;

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
use crate::ids::{ChannelId, CommitId, Incarnation, Seq};
use crate::replay::Salvage;
use crate::schema::Entity;
use crate::seal::KeySource;
use crate::transport::twilight::TwilightTransport;
use crate::transport::{BoxFuture, Guild, Traffic, Transport};

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

    /// Opens the database over a transport of the caller's: for tests, and for what speaks to Discord another way.
    ///
    /// # Errors
    /// As [`Database::connect`].
    pub async fn connect_over(&self, transport: Arc<dyn Transport>) -> Result<()> {
        self.open(transport, None, self.0.options.clone(), None).await
    }

    /// Opens the database; `ending` is called when it is closed.
    pub(crate) async fn open(
        &self,
        transport: Arc<dyn Transport>,
        client: Option<Arc<TwilightTransport>>,
        options: Options,
        ending: Option<Ending>,
    ) -> Result<()> {
        let _turn = self.0.turn.lock().await;
        if self.0.link.load().is_some() {
            let text = "the database is connected already: close it first";
            return Err(Error::new(ErrorKind::AlreadyConnected, text));
        }
        let span = tracing::info_span!(target: "discobase::engine", "connect", database = %self.0.name);
        let attempt = Attempt(Some(Arc::clone(&transport)));
        let opened = self.open_alone(Arc::clone(&transport), client, &options, ending).instrument(span).await;
        attempt.ends();
        if opened.is_err() {
            transport.shutdown().await;
        }
        let readiness =
            opened.as_ref().map_or_else(|error| Readiness::Failed(error.clone()), |()| Readiness::Ready);
        self.0.ready.send_replace(readiness);
        opened
    }

    async fn open_alone(
        &self,
        transport: Arc<dyn Transport>,
        client: Option<Arc<TwilightTransport>>,
        options: &Options,
        ending: Option<Ending>,
    ) -> Result<()> {
        layout::check_name(&self.0.name)?;
        crate::count::describe();
        let mut options = options.clone();
        self.0.rotated.lock().iter().for_each(|key| options.key.clone_from(key));
        let lazy = self.0.registry.lock().lazy();
        let link = connect::connect(&self.0.name, &options, Arc::clone(&transport), lazy).await?;
        let opened_at = link.engine.tables().seq();
        let ready = async {
            salvage(&link).await?;
            self.make_ready(&link).await
        };
        if let Err(error) = ready.await {
            // The journal was opened; leave it closed, so that the next opening need not wait.
            if let Err(error) = link.close().await {
                tracing::warn!(
                    name: "unclean_close", target: "discobase::engine", %error,
                    "the journal could not be closed again"
                );
            }
            return Err(error);
        }
        tracing::info!(
            name: "connected", target: "discobase::engine",
            guild = %link.guild.id, journal = %link.engine.journal(), seq = opened_at.get(),
            "the database is open"
        );
        if options.gateway {
            link.keep(listen::listen(Arc::clone(&transport), &link));
        }
        let connection = Connection { link, transport, client, opened_at, ending: Mutex::new(ending) };
        if options.stand_by.is_some() {
            self.build_after_takeover(&connection);
        }
        self.0.link.store(Some(Arc::new(connection)));
        Ok(())
    }

    /// Makes tables ready that were registered after connecting: checks those that exist in the guild and creates
    /// those that do not. Calling it when there is nothing to do costs nothing.
    ///
    /// # Errors
    /// `NotConnected`; `SchemaChanged` when a struct differs from its table; `GuildFull`; what creating channels
    /// and committing can fail with.
    pub async fn build_tables(&self) -> Result<()> {
        let _turn = self.0.turn.lock().await;
        let connection = self.connection()?;
        self.make_ready(&connection.link).await
    }

    /// Applies migration steps, if connecting is to, and makes the tables ready.
    async fn make_ready(&self, link: &Link) -> Result<()> {
        if !self.0.options.migrate {
            let (registered, steps) = (self.0.registry.lock().tables.clone(), self.0.steps.lock().clone());
            if build::is_behind(link, &registered, &steps) {
                link.refresh_fitting(&registered);
                return Ok(());
            }
        } else if link.engine.role() == Role::Writer && !build::is_new(link) {
            let steps = self.0.steps.lock().clone();
            migrate::run::up(link, &steps).await?;
        }
        self.fit(link).await
    }

    /// Makes the tables ready: checks those that exist, creates those that do not.
    async fn fit(&self, link: &Link) -> Result<()> {
        let (registered, steps) = (self.0.registry.lock().tables.clone(), self.0.steps.lock().clone());
        let wanted =
            build::Wanted { registered: &registered, steps: &steps, additive: self.0.options.additive };
        build::build(link, wanted).await
    }

    /// Waits until every accepted commit is decided, closes the journal and disconnects.
    ///
    /// It has no deadline for the commits: while Discord is out of reach they stay undecided, and it waits. Wrap it in
    /// a timeout if that must end. No write is accepted any more then, and calling it again goes on waiting.
    ///
    /// Without it nothing acknowledged is lost either. What it saves: a process that opens the database under the
    /// same [`owner`](DatabaseBuilder::owner) name writes at once, where it would wait up to 5 seconds on Discord; one
    /// that wrote nothing spares the next opening the same wait before it reads; and the metadata messages are
    /// brought up to date. Soon after opening it waits itself until the term is certain.
    ///
    /// # Errors
    /// `NotConnected` when the database is not connected; `UnknownOutcome` when the task that writes ended before its
    /// work did, with the runtime that connected the database. The database is disconnected all the same.
    pub async fn close(&self) -> Result<()> {
        let turn = Arc::clone(&self.0.turn).lock_owned().await;
        let connection = self.connection()?;
        if connection.link.engine.stopped().is_none() {
            connection.link.checkpoints.finish(CHECKPOINT_AT_CLOSE).await;
        }
        let closed = connection.link.close().await;
        let engine = &connection.link.engine;
        if engine.stopped().is_none() && engine.role() == Role::Writer {
            connection.link.mirror(connection.opened_at).await;
        }
        self.disconnect(connection, turn).await;
        tracing::info!(name: "closed", target: "discobase::engine", database = %self.0.name, "the database is closed");
        closed
    }

    /// Ends a connection. It goes on if its caller is dropped, so that no guild's file stays taken; whoever wants to
    /// connect has to wait for its turn.
    async fn disconnect(&self, connection: Arc<Connection>, turn: tokio::sync::OwnedMutexGuard<()>) {
        self.0.link.store(None);
        self.0.ready.send_replace(Readiness::Waiting);
        let ending = tokio::spawn(async move {
            connection.transport.shutdown().await;
            let ending = connection.ending.lock().take();
            if let Some(ending) = ending {
                ending().await;
            }
            drop(turn);
        });
        if ending.await.is_err() {
            tracing::warn!(
                name: "unclean_close", target: "discobase::engine",
                "disconnecting ended with its runtime"
            );
        }
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether the database is connected.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.link.load().is_some()
    }

    /// The guild the database is in.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn guild(&self) -> Result<Guild> {
        Ok(self.connection()?.link.guild.clone())
    }

    /// The names of the registered tables, in the order they were registered.
    #[must_use]
    pub fn tables(&self) -> Vec<&'static str> {
        self.0.registry.lock().tables.iter().map(|table| table.schema.name).collect()
    }

    /// twilight's HTTP client with the bot's token, for requests of the caller's own. `None` over another
    /// transport. It has its own idea of the rate limits: go easy on it.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn client(&self) -> Result<Option<Arc<twilight_http::Client>>> {
        Ok(self.connection()?.client.as_ref().map(|transport| transport.client()))
    }

    /// The door to Discord that the database goes through, for requests of the caller's own. Unlike those of
    /// [`Database::client`] they are paced together with the database's. Leave the database's channels alone.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn transport(&self) -> Result<Arc<dyn Transport>> {
        Ok(Arc::clone(&self.connection()?.transport))
    }

    /// The channel that holds the journal: the one to look at, and never to write to.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn journal(&self) -> Result<ChannelId> {
        Ok(self.connection()?.link.genesis.journal)
    }

    /// The channel that holds the metadata messages.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn catalog(&self) -> Result<ChannelId> {
        Ok(self.connection()?.link.described().catalog)
    }

    /// The identity of this opening: part of the identity of every commit it makes.
    ///
    /// # Errors
    /// `NotConnected`; `ReadOnly` for a process that follows.
    pub fn incarnation(&self) -> Result<Incarnation> {
        self.connection()?.link.engine.incarnation()
    }

    /// Writes a checkpoint now, and returns the last commit that it has.
    ///
    /// A checkpoint keeps the tables as files in their channels, so that opening reads those instead of every commit
    /// ever made, and the journal before it can be deleted. The database writes one by itself when enough was
    /// committed and when it is closed; commits go on meanwhile. If nothing was committed since the last one, nothing
    /// is written.
    ///
    /// # Errors
    /// `NotConnected`; `Fenced` when another process owns the database; what uploading and committing can fail with.
    /// Nothing is lost then: commits are in the journal as before, and the database tries again later.
    pub async fn checkpoint(&self) -> Result<Seq> {
        self.connection()?.link.checkpoints.write().await
    }

    /// What was missing of the database when it was opened with [`DatabaseBuilder::salvage`]; `None` if nothing was.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn salvaged(&self) -> Result<Option<Salvage>> {
        Ok(self.connection()?.link.salvaged.as_deref().cloned())
    }

    /// How far checkpoints have come, and why the latest one failed, if it did.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn checkpoints(&self) -> Result<CheckpointState> {
        Ok(self.connection()?.link.checkpoints.state())
    }

    /// How a commit ended whose error said that its outcome is unknown.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn outcome(&self, commit: CommitId) -> Result<Outcome> {
        Ok(self.connection()?.link.engine.outcome(commit))
    }

    /// What was sent to Discord since the database was connected.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn traffic(&self) -> Result<Traffic> {
        Ok(self.connection()?.transport.traffic())
    }

    /// How many frames were written since the database was connected.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn frames(&self) -> Result<u64> {
        Ok(self.connection()?.link.engine.counters().frames.get())
    }

    fn connection(&self) -> Result<Arc<Connection>> {
        self.0.link.load_full().ok_or_else(not_connected)
    }

    /// Runs `work` with the engine and the handle of a table that is ready.
    pub(crate) fn with<T: Entity, R>(
        &self,
        work: impl FnOnce(&Arc<engine::Engine>, &Arc<Handle>) -> Result<R>,
    ) -> Result<R> {
        let connection = self.0.link.load();
        let Some(connection) = connection.as_ref() else { return Err(not_connected()) };
        connection.link.with_handle::<T, _>(|handle| match handle {
            Some(handle) => work(&connection.link.engine, handle),
            None => Err(self.no_table::<T>()),
        })
    }

    /// A number that no other database has that is there at the same time.
    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// The engine, and how each struct fits its table.
    pub(crate) fn running(&self) -> Result<(Arc<engine::Engine>, Arc<Handles>)> {
        let link = &self.connection()?.link;
        Ok((Arc::clone(&link.engine), link.handles()))
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
            let tables = connection.as_ref()?.link.engine.tables();
            Handle::new(one, tables.named(name)?.def()).err()
        });
        if let Some(error) = unfit {
            return migrate::unfit(error);
        }
        let error = if registered.is_some() {
            let text = "the table was registered after connecting: call db.build_tables().await first";
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

/// What was salvaged becomes the database, before anything else is written.
async fn salvage(link: &Link) -> Result<()> {
    let Some(salvaged) = &link.salvaged else { return Ok(()) };
    tracing::error!(
        name: "salvaged", target: "discobase::journal", channel = %link.engine.journal(), %salvaged,
        "the journal is damaged: what is left of the database is written anew"
    );
    link.checkpoints.heal(checkpoints::Mend::default()).await.map(drop)
}

/// How long closing waits for a checkpoint. It only spares the next opening the reading of the journal.
const CHECKPOINT_AT_CLOSE: std::time::Duration = std::time::Duration::from_secs(120);

/// An attempt to connect. If its caller drops it half-way, nothing it began goes on: the transport is shut down.
struct Attempt(Option<Arc<dyn Transport>>);

impl Attempt {
    fn ends(mut self) {
        self.0 = None;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // Without a runtime there is nothing left that could go on.
        if let (Some(transport), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { transport.shutdown().await });
        }
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

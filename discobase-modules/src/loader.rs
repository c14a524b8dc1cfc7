//! Loading and unloading modules.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use discobase_core::transport::twilight::{Token, TwilightConfig};
use discobase_core::{Database, Error, ErrorKind};
use parking_lot::Mutex;
use semver::Version;
use tokio::sync::Notify;

use crate::config::{BotConfig, ModuleConfig};
use crate::error::ModuleError;
use crate::hooks::{Hooks, guarded};
use crate::module::{AnyModule, Module};
use crate::place::Place;

/// Loads modules, and keeps them apart: each has a database of its own, in a category of its own, and what goes wrong in
/// one disables that one only.
///
/// Clones are the same loader. Modules may be loaded, updated and unloaded at once, and their hooks may use the loader: while
/// a module is being changed, [`ModuleLoader::database`] has none for it, and whoever would change it too gets
/// [`ModuleError::Busy`]. A change that was begun goes to its end, whether or not its future is awaited to its end.
#[derive(Clone)]
pub struct ModuleLoader {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    place: Mutex<Arc<Place>>,
    hook_limit: Mutex<Option<Duration>>,
    /// By their names in lower case: Discord knows no other in a channel's name.
    modules: Mutex<BTreeMap<String, Loaded>>,
    /// Tells those who wait for a module that is being changed.
    changed: Notify,
}

/// A module that the loader knows.
pub(crate) struct Loaded {
    pub(crate) config: ModuleConfig,
    pub(crate) module: Arc<dyn AnyModule>,
    pub(crate) state: ModuleState,
    /// Its database, while it runs.
    pub(crate) db: Option<Database>,
}

/// What has become of a module.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ModuleState {
    /// It is being loaded, updated or unloaded.
    Changing,
    /// It runs, with a database or without one.
    Running,
    /// It requires a database, and there is none.
    Skipped(ModuleError),
    /// Something failed, and it does not run.
    Disabled(ModuleError),
}

/// A module, and what has become of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ModuleStatus {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Whether it has a database.
    pub database: bool,
    /// What has become of it.
    pub state: ModuleState,
}

impl ModuleLoader {
    /// A loader for a bot. The token is needed for databases on Discord only.
    ///
    /// # Errors
    /// [`ModuleError::Bot`] when there is no token, or the local guild can't be started.
    pub async fn new(config: BotConfig, token: Option<Token>) -> Result<Self, ModuleError> {
        Ok(Self::at(Place::open(&config, token.map(TwilightConfig::new)).await?))
    }

    /// A loader for a bot that says how Discord is reached: its deadlines, a proxy in front of it, or something else that
    /// speaks its protocol.
    ///
    /// # Errors
    /// As [`ModuleLoader::new`].
    pub async fn with_discord(config: BotConfig, discord: TwilightConfig) -> Result<Self, ModuleError> {
        Ok(Self::at(Place::open(&config, Some(discord)).await?))
    }

    fn at(place: Place) -> Self {
        let inner = Inner {
            place: Mutex::new(Arc::new(place)),
            hook_limit: Mutex::default(),
            modules: Mutex::default(),
            changed: Notify::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Gives each hook so much time from now on; one that needs more is ended, and its module disabled. Without it a hook
    /// that never ends keeps its own module from being changed, and whoever waits for that.
    pub fn limit_hooks(&self, limit: Duration) {
        *self.inner.hook_limit.lock() = Some(limit);
    }

    /// Loads a module: opens its database, applies its migrations, makes its tables, and calls its hooks.
    ///
    /// # Errors
    /// What failed. The module is listed with it, and every other module is as it was. [`ModuleError::NameTaken`].
    pub async fn load(&self, module: impl Module, config: ModuleConfig) -> Result<(), ModuleError> {
        let module: Arc<dyn AnyModule> = Arc::new(module);
        self.inner.run(|inner| async move { inner.load(module, config).await }).await
    }

    /// Unloads a module and closes its database. A module that is disabled or skipped is forgotten.
    ///
    /// # Errors
    /// [`ModuleError::Unknown`]; [`ModuleError::Busy`]; what its hook or closing its database failed with: it is unloaded all
    /// the same.
    pub async fn unload(&self, name: &str) -> Result<(), ModuleError> {
        let name = name.to_owned();
        self.inner.run(|inner| async move { inner.unload(&name).await }).await
    }

    /// Unloads a module and loads it again, the disabled and skipped ones too.
    ///
    /// # Errors
    /// As [`ModuleLoader::load`]; [`ModuleError::Unknown`]; [`ModuleError::Busy`].
    pub async fn reload(&self, name: &str) -> Result<(), ModuleError> {
        let name = name.to_owned();
        self.inner.run(|inner| async move { inner.reload(&name).await }).await
    }

    /// The database of a module that runs and has one: for commands of the bot that are not the module's own code. None
    /// while the module is being changed.
    #[must_use]
    pub fn database(&self, name: &str) -> Option<Database> {
        self.inner.modules.lock().get(&key(name))?.db.clone()
    }

    /// All modules, by their names.
    #[must_use]
    pub fn status(&self) -> Vec<ModuleStatus> {
        let modules = self.inner.modules.lock();
        let status = modules.values().map(|loaded| ModuleStatus {
            name: loaded.config.name.clone(),
            version: loaded.config.version.clone(),
            database: loaded.db.is_some(),
            state: loaded.state.clone(),
        });
        status.collect()
    }

    /// Unloads all modules, and lets the guild go. It waits for those that are being changed, so it is not for hooks. What is
    /// loaded afterwards gets no database.
    pub async fn close(&self) {
        self.inner.close().await;
    }
}

impl Inner {
    /// Runs a change to its end, even if nobody waits for that.
    pub(crate) async fn run<
        R: Send + 'static,
        F: Future<Output = Result<R, ModuleError>> + Send + 'static,
    >(
        self: &Arc<Self>,
        change: impl FnOnce(Arc<Self>) -> F,
    ) -> Result<R, ModuleError> {
        match tokio::spawn(change(Arc::clone(self))).await {
            Ok(outcome) => outcome,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => {
                    let text = "the runtime ended in the middle of a change of a module";
                    Err(ModuleError::Bot(Error::new(ErrorKind::NotConnected, text)))
                }
            },
        }
    }

    pub(crate) fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place.lock())
    }

    pub(crate) fn hooks<'a>(&self, module: &'a Arc<dyn AnyModule>, config: &'a ModuleConfig) -> Hooks<'a> {
        Hooks { module, config, limit: *self.hook_limit.lock() }
    }

    async fn load(&self, module: Arc<dyn AnyModule>, config: ModuleConfig) -> Result<(), ModuleError> {
        let loaded = Loaded { config, module, state: ModuleState::Changing, db: None };
        {
            let mut modules = self.modules.lock();
            let name = key(&loaded.config.name);
            if modules.contains_key(&name) {
                return Err(ModuleError::NameTaken { module: loaded.config.name });
            }
            modules.insert(name, loaded.changing());
        }
        self.start(loaded).await
    }

    async fn unload(&self, name: &str) -> Result<(), ModuleError> {
        let loaded = self.take(name)?;
        let stopped = self.stop(&loaded).await;
        self.modules.lock().remove(&key(name));
        self.changed.notify_waiters();
        stopped
    }

    async fn reload(&self, name: &str) -> Result<(), ModuleError> {
        let loaded = self.take(name)?;
        self.stop_or_warn(&loaded).await;
        self.start(loaded).await
    }

    /// Starts a module that was taken.
    async fn start(&self, loaded: Loaded) -> Result<(), ModuleError> {
        let Loaded { config, module, .. } = loaded;
        let started = self.begin(&module, &config).await;
        let (state, db, outcome) = match started {
            Ok(db) => (ModuleState::Running, db, Ok(())),
            Err(error) => (ModuleState::after(&error), None, Err(error)),
        };
        report(&config, &outcome);
        self.put(Loaded { config, module, state, db });
        outcome
    }

    /// Takes a module in order to change it. Until it is put back it is nobody else's to change.
    pub(crate) fn take(&self, name: &str) -> Result<Loaded, ModuleError> {
        let mut modules = self.modules.lock();
        let loaded =
            modules.get_mut(&key(name)).ok_or_else(|| ModuleError::Unknown { module: name.to_owned() })?;
        if matches!(loaded.state, ModuleState::Changing) {
            return Err(ModuleError::Busy { module: name.to_owned() });
        }
        let changing = loaded.changing();
        Ok(std::mem::replace(loaded, changing))
    }

    /// Puts a module back that was taken, or what it has become.
    pub(crate) fn put(&self, loaded: Loaded) {
        self.modules.lock().insert(key(&loaded.config.name), loaded);
        self.changed.notify_waiters();
    }

    async fn close(&self) {
        loop {
            let changed = self.changed.notified();
            let names: Vec<String> = self.modules.lock().keys().cloned().collect();
            let mut all = true;
            for name in names {
                match self.unload(&name).await {
                    Err(ModuleError::Busy { .. }) => all = false,
                    Err(error) => warn_unclean(&name, &error),
                    Ok(()) => {}
                }
            }
            if all {
                break;
            }
            changed.await;
        }
        let closed = Arc::new(Place::None("the loader of modules was closed".to_owned()));
        let place = std::mem::replace(&mut *self.place.lock(), closed);
        // Whoever begins to load just now has it still, and lets it go in the end.
        if let Some(place) = Arc::into_inner(place) {
            place.close().await;
        }
    }

    /// Opens a module's database, if it gets one, and calls its hooks.
    pub(crate) async fn begin(
        &self,
        module: &Arc<dyn AnyModule>,
        config: &ModuleConfig,
    ) -> Result<Option<Database>, ModuleError> {
        let place = self.place();
        let db = match place.absent() {
            Some(reason) if config.needs_database() => {
                let (module, reason) = (config.name.clone(), reason.to_owned());
                return Err(ModuleError::NoDatabase { module, reason });
            }
            None if config.wants_database() => Some(open(&place, module, config).await?),
            _ => None,
        };
        let ready = self.hooks(module, config).ready(db.as_ref()).await;
        if ready.is_err()
            && let Some(db) = &db
            && let Err(error) = db.close().await
        {
            tracing::warn!(target: "discobase::modules", module = config.name, %error, "a database did not close");
        }
        ready.map(|()| db)
    }

    /// Stops a module: its hook, then its database.
    async fn stop(&self, loaded: &Loaded) -> Result<(), ModuleError> {
        if !matches!(loaded.state, ModuleState::Running) {
            return Ok(());
        }
        let unloaded = self.hooks(&loaded.module, &loaded.config).unload().await;
        if let Some(db) = &loaded.db {
            db.close().await.map_err(|source| loaded.config.failed(source))?;
        }
        unloaded
    }

    pub(crate) async fn stop_or_warn(&self, loaded: &Loaded) {
        if let Err(error) = self.stop(loaded).await {
            warn_unclean(&loaded.config.name, &error);
        }
    }
}

impl Loaded {
    /// What stands for it while it is being changed.
    fn changing(&self) -> Self {
        let (config, module) = (self.config.clone(), Arc::clone(&self.module));
        Self { config, module, state: ModuleState::Changing, db: None }
    }
}

impl ModuleState {
    /// What becomes of a module that did not start.
    pub(crate) fn after(error: &ModuleError) -> Self {
        match error {
            ModuleError::NoDatabase { .. } => Self::Skipped(error.clone()),
            _ => Self::Disabled(error.clone()),
        }
    }
}

/// Opens a module's database, with its tables, and with its migrations applied.
async fn open(
    place: &Place,
    module: &Arc<dyn AnyModule>,
    config: &ModuleConfig,
) -> Result<Database, ModuleError> {
    let db = place.database(Database::builder(config.name.clone()));
    guarded(config, "tables", || module.tables(&db))?.map_err(|source| config.failed(source))?;
    let steps = guarded(config, "migrations", || module.migrations())?;
    db.migrations(steps).map_err(|source| config.failed(source))?;
    place.connect(&db).await.map_err(|source| config.failed(source))?;
    Ok(db)
}

/// What modules are told apart by.
fn key(name: &str) -> String {
    name.to_lowercase()
}

fn warn_unclean(module: &str, error: &ModuleError) {
    tracing::warn!(target: "discobase::modules", module, %error, "a module did not stop cleanly");
}

fn report(config: &ModuleConfig, outcome: &Result<(), ModuleError>) {
    let (module, version) = (&config.name, &config.version);
    match outcome {
        Ok(()) => {
            tracing::info!(target: "discobase::modules", module, %version, "a module is loaded");
        }
        Err(error) => {
            tracing::error!(target: "discobase::modules", module, %version, %error, "a module is not loaded");
        }
    }
}

impl fmt::Debug for ModuleLoader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModuleLoader").finish_non_exhaustive()
    }
}

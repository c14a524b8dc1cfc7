//! Loading and unloading modules.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use discobase_core::Database;
use discobase_core::transport::twilight::Token;
use semver::Version;
use tokio::sync::Mutex;

use crate::config::{BotConfig, ModuleConfig};
use crate::error::ModuleError;
use crate::module::{AnyModule, Hook, Module};
use crate::place::Place;

/// Loads modules, and keeps them apart: each has a database of its own, in a category of its own, and what goes wrong in
/// one disables that one only.
pub struct ModuleLoader {
    pub(crate) place: Place,
    /// By their names in lower case: Discord knows no other in a channel's name.
    pub(crate) modules: Mutex<BTreeMap<String, Loaded>>,
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
        Ok(Self { place: Place::open(&config, token).await?, modules: Mutex::default() })
    }

    /// Loads a module: opens its database, applies its migrations, makes its tables, and calls its hooks.
    ///
    /// # Errors
    /// What failed. The module is listed with it, and every other module is as it was.
    pub async fn load(&self, module: impl Module, config: ModuleConfig) -> Result<(), ModuleError> {
        self.load_any(Arc::new(module), config).await
    }

    async fn load_any(&self, module: Arc<dyn AnyModule>, config: ModuleConfig) -> Result<(), ModuleError> {
        let mut modules = self.modules.lock().await;
        let place = key(&config.name);
        if modules.contains_key(&place) {
            return Err(ModuleError::NameTaken { module: config.name });
        }
        let started = self.begin(&module, &config).await;
        let (state, db, outcome) = match started {
            Ok(db) => (ModuleState::Running, db, Ok(())),
            Err(error @ ModuleError::NoDatabase { .. }) => {
                (ModuleState::Skipped(error.clone()), None, Err(error))
            }
            Err(error) => (ModuleState::Disabled(error.clone()), None, Err(error)),
        };
        report(&config, &outcome);
        modules.insert(place, Loaded { config, module, state, db });
        outcome
    }

    /// Unloads a module and closes its database. A module that is disabled or skipped is forgotten.
    ///
    /// # Errors
    /// [`ModuleError::Unknown`]; what its hook or closing its database failed with: it is unloaded all the same.
    pub async fn unload(&self, name: &str) -> Result<(), ModuleError> {
        let mut modules = self.modules.lock().await;
        let loaded = modules.remove(&key(name)).ok_or_else(|| unknown(name))?;
        stop(&loaded).await
    }

    /// Unloads a module and loads it again, the disabled and skipped ones too.
    ///
    /// # Errors
    /// As [`ModuleLoader::load`]; [`ModuleError::Unknown`].
    pub async fn reload(&self, name: &str) -> Result<(), ModuleError> {
        let loaded = self.modules.lock().await.remove(&key(name)).ok_or_else(|| unknown(name))?;
        if let Err(error) = stop(&loaded).await {
            tracing::warn!(target: "discobase::modules", module = name, %error, "a module did not stop cleanly");
        }
        self.load_any(loaded.module, loaded.config).await
    }

    /// The database of a module that runs and has one: for commands of the bot that are not the module's own code.
    pub async fn database(&self, name: &str) -> Option<Database> {
        self.modules.lock().await.get(&key(name))?.db.clone()
    }

    /// All modules, by their names.
    pub async fn status(&self) -> Vec<ModuleStatus> {
        let modules = self.modules.lock().await;
        let status = modules.values().map(|loaded| ModuleStatus {
            name: loaded.config.name.clone(),
            version: loaded.config.version.clone(),
            database: loaded.db.is_some(),
            state: loaded.state.clone(),
        });
        status.collect()
    }

    /// Unloads all modules, and lets the guild go.
    pub async fn close(self) {
        for loaded in self.modules.into_inner().into_values() {
            if let Err(error) = stop(&loaded).await {
                let module = loaded.config.name;
                tracing::warn!(target: "discobase::modules", module, %error, "a module did not stop cleanly");
            }
        }
        self.place.close().await;
    }

    /// Opens a module's database, if it gets one, and calls its hooks.
    pub(crate) async fn begin(
        &self,
        module: &Arc<dyn AnyModule>,
        config: &ModuleConfig,
    ) -> Result<Option<Database>, ModuleError> {
        let db = match self.place.absent() {
            Some(reason) if config.needs_database() => {
                let (module, reason) = (config.name.clone(), reason.to_owned());
                return Err(ModuleError::NoDatabase { module, reason });
            }
            None if config.wants_database() => Some(self.open(module, config, true).await?),
            _ => None,
        };
        let ready = ready(module, config, db.as_ref()).await;
        if ready.is_err()
            && let Some(db) = &db
            && let Err(error) = db.close().await
        {
            tracing::warn!(target: "discobase::modules", module = config.name, %error, "a database did not close");
        }
        ready.map(|()| db)
    }

    /// Opens a module's database, with its tables, and with its migrations applied if `migrate` says so.
    pub(crate) async fn open(
        &self,
        module: &Arc<dyn AnyModule>,
        config: &ModuleConfig,
        migrate: bool,
    ) -> Result<Database, ModuleError> {
        let db = self.place.database(Database::builder(config.name.clone()).migrate_on_connect(migrate));
        let failed = |source| ModuleError::Database { module: config.name.clone(), source };
        guarded(config, "tables", || module.tables(&db))?.map_err(failed)?;
        let steps = guarded(config, "migrations", || module.migrations())?;
        db.migrations(steps).map_err(failed)?;
        self.place.connect(&db).await.map_err(failed)?;
        Ok(db)
    }
}

/// Calls what a module says of itself, so that a panic in it is the module's affair.
fn guarded<R>(config: &ModuleConfig, hook: &'static str, call: impl FnOnce() -> R) -> Result<R, ModuleError> {
    // What a panic leaves half done is the module's own, and the database that it was registering with is given up.
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let (module, reason) = (config.name.clone(), panicked(&*panic));
        ModuleError::Hook { module, hook, reason }
    })
}

/// What a panic said.
fn panicked(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().map(|&text| text.to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("it panicked: {}", said.unwrap_or_default())
}

/// Calls the hooks of a module whose database is open.
pub(crate) async fn ready(
    module: &Arc<dyn AnyModule>,
    config: &ModuleConfig,
    db: Option<&Database>,
) -> Result<(), ModuleError> {
    let (one, given) = (Arc::clone(module), db.cloned());
    hook(config, "on_load", async move { one.on_load(given).await }).await?;
    let Some(db) = db.cloned() else { return Ok(()) };
    let one = Arc::clone(module);
    hook(config, "on_db_ready", async move { one.on_db_ready(&db).await }).await
}

/// Runs a hook. It runs as a task of its own, so that a panic in it is the module's affair.
async fn hook(
    config: &ModuleConfig,
    hook: &'static str,
    work: impl Future<Output = Hook> + Send + 'static,
) -> Result<(), ModuleError> {
    let reason = match tokio::spawn(work).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => panicked(&*panic),
            Err(_) => "the runtime ended".to_owned(),
        },
    };
    Err(ModuleError::Hook { module: config.name.clone(), hook, reason })
}

/// Stops a module: its hook, then its database.
pub(crate) async fn stop(loaded: &Loaded) -> Result<(), ModuleError> {
    if !matches!(loaded.state, ModuleState::Running) {
        return Ok(());
    }
    let module = Arc::clone(&loaded.module);
    let unloaded = hook(&loaded.config, "on_unload", async move { module.on_unload().await }).await;
    if let Some(db) = &loaded.db {
        let closed = db.close().await;
        closed.map_err(|source| ModuleError::Database { module: loaded.config.name.clone(), source })?;
    }
    unloaded
}

/// What modules are told apart by.
pub(crate) fn key(name: &str) -> String {
    name.to_lowercase()
}

pub(crate) fn unknown(name: &str) -> ModuleError {
    ModuleError::Unknown { module: name.to_owned() }
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

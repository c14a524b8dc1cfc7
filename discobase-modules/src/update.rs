//! Updating a module: its new version takes over its database, or everything is as it was.

use std::sync::Arc;

use discobase_core::{Backup, Database};

use crate::config::ModuleConfig;
use crate::error::ModuleError;
use crate::loader::{Inner, Loaded, ModuleLoader, ModuleState};
use crate::module::{AnyModule, Module};
use crate::place::Place;

impl ModuleLoader {
    /// Puts a new version in the place of a module. The old version is stopped, and its database closed: what it commits, its
    /// `on_unload` included, is part of the backup that is made then. The migrations since the version that the database has
    /// are applied, and the new version's hooks are called. If any of that fails, the database is restored and the old
    /// version runs again.
    ///
    /// Handles of the old version's database are closed; [`ModuleLoader::database`] gives the new one. The backup is in
    /// memory: where the process ends in the middle, the steps that were applied stay.
    ///
    /// # Errors
    /// [`ModuleError::Unknown`]; [`ModuleError::Busy`]; [`ModuleError::Backwards`]; why the update failed; or
    /// [`ModuleError::NotRestored`].
    pub async fn update(&self, module: impl Module, config: ModuleConfig) -> Result<(), ModuleError> {
        let module: Arc<dyn AnyModule> = Arc::new(module);
        self.inner.run(|inner| async move { inner.update(module, config).await }).await
    }
}

impl Inner {
    async fn update(&self, new: Arc<dyn AnyModule>, config: ModuleConfig) -> Result<(), ModuleError> {
        let old = self.take(&config.name)?;
        if config.version < old.config.version {
            let (running, offered) = (old.config.version.clone(), config.version);
            self.put(old);
            return Err(ModuleError::Backwards { module: config.name, running, offered });
        }
        self.stop_or_warn(&old).await;
        let from = old.config.version.clone();
        match self.replace(&old, &new, &config).await {
            Ok(db) => {
                tracing::info!(
                    target: "discobase::modules", module = config.name,
                    %from, to = %config.version, "a module was updated"
                );
                self.put(Loaded { config, module: new, state: ModuleState::Running, db });
                Ok(())
            }
            Err(update) => Err(self.back(old, update).await),
        }
    }

    /// Starts the new version on the old one's database, which is as it was if that fails.
    async fn replace(
        &self,
        old: &Loaded,
        new: &Arc<dyn AnyModule>,
        config: &ModuleConfig,
    ) -> Result<Option<Database>, Failed> {
        let place = self.place();
        let backup =
            backup(&place, config).await.map_err(|source| Failed::restored(config.failed(source)))?;
        let update = match self.begin(new, config).await {
            Ok(db) => return Ok(db),
            Err(update) => update,
        };
        let Some(backup) = backup else { return Err(Failed::restored(update)) };
        match restore(&place, &old.config, &backup).await {
            Ok(()) => Err(Failed::restored(update)),
            Err(restore) => Err(Failed { update, restore: Some(old.config.failed(restore)) }),
        }
    }

    /// Brings the old version back, if it ran. The error to be returned.
    async fn back(&self, mut old: Loaded, failed: Failed) -> ModuleError {
        let Failed { update, mut restore } = failed;
        let ran = matches!(old.state, ModuleState::Running);
        (old.db, old.state) = (None, ModuleState::after(&update));
        if restore.is_none() && ran {
            match self.begin(&old.module, &old.config).await {
                Ok(db) => (old.db, old.state) = (db, ModuleState::Running),
                Err(error) => restore = Some(error),
            }
        }
        let error = match restore {
            None => update,
            Some(restore) => {
                let (module, update, restore) =
                    (old.config.name.clone(), Box::new(update), Box::new(restore));
                let error = ModuleError::NotRestored { module, update, restore };
                old.state = ModuleState::Disabled(error.clone());
                error
            }
        };
        self.put(old);
        error
    }
}

/// An update that failed.
struct Failed {
    update: ModuleError,
    /// Why the database is not as it was, if it is not.
    restore: Option<ModuleError>,
}

impl Failed {
    fn restored(update: ModuleError) -> Self {
        Self { update, restore: None }
    }
}

/// What a module's database holds, if the module gets one.
async fn backup(place: &Place, config: &ModuleConfig) -> discobase_core::Result<Option<Backup>> {
    if place.absent().is_some() || !config.wants_database() {
        return Ok(None);
    }
    let db = bare(place, config).await?;
    let backup = db.backup();
    db.close().await?;
    backup.map(Some)
}

async fn restore(place: &Place, config: &ModuleConfig, backup: &Backup) -> discobase_core::Result<()> {
    let db = bare(place, config).await?;
    let restored = db.restore(backup).await;
    db.close().await?;
    restored.map(|_rows| ())
}

/// A module's database as it is: no struct is registered that it would have to fit, and nothing is migrated.
async fn bare(place: &Place, config: &ModuleConfig) -> discobase_core::Result<Database> {
    let db = place.database(Database::builder(config.name.clone()).migrate_on_connect(false));
    place.connect(&db).await?;
    Ok(db)
}

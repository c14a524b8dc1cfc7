//! Updating a module: its new version takes over its database, or everything is as it was.

use std::sync::Arc;

use discobase_core::{Backup, Database};

use crate::config::ModuleConfig;
use crate::error::ModuleError;
use crate::loader::{Loaded, ModuleLoader, ModuleState, key, stop, unknown};
use crate::module::{AnyModule, Module};

impl ModuleLoader {
    /// Puts a new version in the place of a module. A backup of its database is made first; then the old version is
    /// stopped, the migrations since the version that the database has are applied, and the new version's hooks are
    /// called. If any of that fails, the database is restored and the old version runs again.
    ///
    /// # Errors
    /// [`ModuleError::Unknown`]; [`ModuleError::Backwards`]; why the update failed; or [`ModuleError::NotRestored`].
    pub async fn update(&self, module: impl Module, config: ModuleConfig) -> Result<(), ModuleError> {
        let mut modules = self.modules.lock().await;
        let place = key(&config.name);
        let old = modules.get_mut(&place).ok_or_else(|| unknown(&config.name))?;
        if config.version < old.config.version {
            let (running, offered) = (old.config.version.clone(), config.version);
            return Err(ModuleError::Backwards { module: config.name, running, offered });
        }
        let new: Arc<dyn AnyModule> = Arc::new(module);
        let backup = old.db.as_ref().and_then(|db| db.backup().ok());
        if let Err(error) = stop(old).await {
            tracing::warn!(target: "discobase::modules", module = config.name, %error, "a module did not stop cleanly");
        }
        old.db = None;
        match self.begin(&new, &config).await {
            Ok(db) => {
                tracing::info!(
                    target: "discobase::modules", module = config.name,
                    from = %old.config.version, to = %config.version, "a module was updated"
                );
                *old = Loaded { config, module: new, state: ModuleState::Running, db };
                Ok(())
            }
            Err(update) => Err(self.back(old, backup, update).await),
        }
    }

    /// Brings the old version back. The error to be returned.
    async fn back(&self, old: &mut Loaded, backup: Option<Backup>, update: ModuleError) -> ModuleError {
        if !matches!(old.state, ModuleState::Running) {
            old.state = ModuleState::Disabled(update.clone());
            return update;
        }
        match self.restored(old, backup).await {
            Ok(db) => {
                (old.db, old.state) = (db, ModuleState::Running);
                update
            }
            Err(restore) => {
                let module = old.config.name.clone();
                let error =
                    ModuleError::NotRestored { module, update: Box::new(update), restore: Box::new(restore) };
                old.state = ModuleState::Disabled(error.clone());
                error
            }
        }
    }

    async fn restored(&self, old: &Loaded, backup: Option<Backup>) -> Result<Option<Database>, ModuleError> {
        if let Some(backup) = backup {
            // What the old version's structs do not fit is refused by none while nothing is migrated.
            let db = self.open(&old.module, &old.config, false).await?;
            let restored = db.restore(&backup).await;
            let closed = db.close().await;
            let failed = |source| ModuleError::Database { module: old.config.name.clone(), source };
            restored.map_err(failed)?;
            closed.map_err(failed)?;
        }
        self.begin(&old.module, &old.config).await
    }
}

//! Calling what a module is made of, so that what goes wrong in it is its own affair.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use discobase_core::Database;

use crate::config::ModuleConfig;
use crate::error::ModuleError;
use crate::module::{AnyModule, Hook};

/// The hooks of a module.
pub(crate) struct Hooks<'a> {
    pub(crate) module: &'a Arc<dyn AnyModule>,
    pub(crate) config: &'a ModuleConfig,
    /// How long each may take.
    pub(crate) limit: Option<Duration>,
}

impl Hooks<'_> {
    /// Calls those of a module whose database is open. One that was loaded and fails then is unloaded.
    pub(crate) async fn ready(&self, db: Option<&Database>) -> Result<(), ModuleError> {
        let (module, given) = (Arc::clone(self.module), db.cloned());
        self.call("on_load", async move { module.on_load(given).await }).await?;
        let Some(db) = db.cloned() else { return Ok(()) };
        let module = Arc::clone(self.module);
        let ready = self.call("on_db_ready", async move { module.on_db_ready(&db).await }).await;
        if ready.is_err()
            && let Err(error) = self.unload().await
        {
            let module = &self.config.name;
            tracing::warn!(target: "discobase::modules", module, %error, "a module did not stop cleanly");
        }
        ready
    }

    pub(crate) async fn unload(&self) -> Result<(), ModuleError> {
        let module = Arc::clone(self.module);
        self.call("on_unload", async move { module.on_unload().await }).await
    }

    /// Runs a hook. It runs as a task of its own, so that a panic in it is the module's affair.
    async fn call(
        &self,
        hook: &'static str,
        work: impl Future<Output = Hook> + Send + 'static,
    ) -> Result<(), ModuleError> {
        let mut task = tokio::spawn(work);
        let ended = match self.limit {
            None => Ok((&mut task).await),
            Some(limit) => tokio::time::timeout(limit, &mut task).await.map_err(|_| limit),
        };
        let reason = match ended {
            Ok(Ok(Ok(()))) => return Ok(()),
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(ended)) => match ended.try_into_panic() {
                Ok(panic) => panicked(&*panic),
                Err(_) => "the runtime ended".to_owned(),
            },
            Err(limit) => {
                task.abort();
                // It is over when it has let go of what it had.
                let _aborted = task.await;
                format!("it did not end within {limit:?}")
            }
        };
        Err(ModuleError::Hook { module: self.config.name.clone(), hook, reason })
    }
}

/// Calls what a module says of itself, so that a panic in it is the module's affair.
pub(crate) fn guarded<R>(
    config: &ModuleConfig,
    hook: &'static str,
    call: impl FnOnce() -> R,
) -> Result<R, ModuleError> {
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

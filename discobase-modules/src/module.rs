//! What a module is.

use std::future::Future;
use std::pin::Pin;

use discobase_core::{Database, Step};

/// What a hook returns: any error will do.
pub type Hook = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A part of a bot that can be loaded, unloaded and updated by itself.
///
/// Each method has a default that does nothing. With a database, they are called in the order in which they stand here:
/// the tables exist and are durable, and migrations have been applied, before a hook runs.
pub trait Module: Send + Sync + 'static {
    /// Registers the module's tables: `db.table::<Profile>()?;` for each.
    ///
    /// # Errors
    /// What registering can fail with.
    fn tables(&self, db: &Database) -> discobase_core::Result<()> {
        let _ = db;
        Ok(())
    }

    /// The steps that lead the module's database from one version of the module to the next, all of them.
    fn migrations(&self) -> Vec<Step> {
        Vec::new()
    }

    /// The module was loaded: with its database, or without one, if its config does not ask for one, or asks with
    /// `use_db` and there is none.
    fn on_load(&self, db: Option<Database>) -> impl Future<Output = Hook> + Send {
        let _ = db;
        async { Ok(()) }
    }

    /// The module's database is ready. Called for modules without tables too, but not without a database.
    fn on_db_ready(&self, db: &Database) -> impl Future<Output = Hook> + Send {
        let _ = db;
        async { Ok(()) }
    }

    /// The module is being unloaded; its database is still open.
    fn on_unload(&self) -> impl Future<Output = Hook> + Send {
        async { Ok(()) }
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Hook> + Send + 'a>>;

/// A module of any type.
pub(crate) trait AnyModule: Send + Sync + 'static {
    fn tables(&self, db: &Database) -> discobase_core::Result<()>;
    fn migrations(&self) -> Vec<Step>;
    fn on_load(&self, db: Option<Database>) -> Running<'_>;
    fn on_db_ready<'a>(&'a self, db: &'a Database) -> Running<'a>;
    fn on_unload(&self) -> Running<'_>;
}

impl<M: Module> AnyModule for M {
    fn tables(&self, db: &Database) -> discobase_core::Result<()> {
        Module::tables(self, db)
    }

    fn migrations(&self) -> Vec<Step> {
        Module::migrations(self)
    }

    fn on_load(&self, db: Option<Database>) -> Running<'_> {
        Box::pin(Module::on_load(self, db))
    }

    fn on_db_ready<'a>(&'a self, db: &'a Database) -> Running<'a> {
        Box::pin(Module::on_db_ready(self, db))
    }

    fn on_unload(&self) -> Running<'_> {
        Box::pin(Module::on_unload(self))
    }
}

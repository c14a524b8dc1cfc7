//! Tables that are looked up in the guild instead of being loaded.

use std::sync::Arc;

use crate::db::Database;
use crate::db::registry::Registered;
use crate::error::Result;
use crate::schema::Entity;

impl Database {
    /// Registers a table as [`Database::table`] does, and has it looked up in the guild instead of being loaded: for
    /// tables that are large and of which this process needs a few records now and then.
    ///
    /// [`get`](crate::Table::get), and queries whose filter fixes the columns of an index, download the few blocks of the
    /// table's files that can have the record; blocks that were read are [kept](crate::DatabaseBuilder::lookup_cache).
    /// [`count`](crate::Table::count) of all records needs nothing. Writes of single records look up what they concern.
    /// Whatever needs more loads the table, once, and then it is one like any other; [`Database::load`] does so at once,
    /// and [watching](crate::Table::watch) a table asks for that.
    ///
    /// It is a choice of this process, not of the table: others may load it. If it is registered both ways, it is
    /// loaded. A table is looked up as soon as a checkpoint has it, and what is committed later is kept in memory; so a
    /// table that is new, or small, or registered after [`Database::connect`], is in memory anyway.
    ///
    /// ```
    /// # use discobase_core as discobase;
    /// use discobase::{Database, Table};
    ///
    /// #[derive(Table)]
    /// # #[table(crate = "discobase_core")]
    /// struct City {
    ///     #[table(key)]
    ///     id: u64,
    ///     #[table(unique)]
    ///     name: String,
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> discobase::Result<()> {
    /// let db = Database::builder("atlas").lookup_cache(8 << 20).build();
    /// db.table_lazy::<City>()?;
    /// # #[cfg(feature = "local")] {
    /// db.connect_memory().await?;
    /// assert!(City::get(&db, 42_u64).await?.is_none());
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `DuplicateTable` when another struct claims the name.
    pub fn table_lazy<T: Entity>(&self) -> Result<&Self> {
        self.0.registry.lock().add(Registered::lazy::<T>())?;
        Ok(self)
    }

    /// Loads a [lazy](Database::table_lazy) table now; of one that is in memory nothing. It stays loaded until the
    /// database is closed.
    ///
    /// # Errors
    /// `NotConnected`, `UnknownTable`, `TableNotReady`; `Damaged` when a file of the table is gone or is not what the
    /// checkpoint says; what downloading can fail with.
    pub async fn load<T: Entity>(&self) -> Result<()> {
        let (engine, table) = self.with::<T, _>(|engine, handle| Ok((Arc::clone(engine), handle.id)))?;
        engine.load_now(table).await
    }

    /// Whether a table is in memory.
    ///
    /// # Errors
    /// `NotConnected`, `UnknownTable`, `TableNotReady`.
    pub fn is_loaded<T: Entity>(&self) -> Result<bool> {
        self.with::<T, _>(|engine, handle| Ok(engine.tables().loaded(handle.id).is_some()))
    }
}

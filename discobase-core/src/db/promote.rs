//! Following and taking over: what a process may do, how far it is behind, and how it becomes the writer.

use std::sync::Arc;

use crate::db::engine::{Lag, Role};
use crate::db::link::Link;
use crate::db::{Connection, Database};
use crate::error::Result;

impl Database {
    /// Whether this process writes the database or follows it.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn role(&self) -> Result<Role> {
        Ok(self.connection()?.link.engine.role())
    }

    /// How far what can be read here is behind the journal.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn lag(&self) -> Result<Lag> {
        Ok(self.connection()?.link.engine.lag())
    }

    /// Makes a process that follows the database its writer, and creates the tables that are registered and missing.
    ///
    /// It posts an opening, waits until it is certain that no other process objects (5 seconds on Discord), and returns
    /// when this process may write. Reads go on meanwhile. For a writer there is nothing to do.
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// # async fn run(token: String) -> discobase::Result<()> {
    /// use discobase::{Database, Role};
    ///
    /// let db = Database::builder("shop").follower().build();
    /// db.connect(token).await?;
    /// assert_eq!(db.role()?, Role::Follower);
    /// db.promote().await?;
    /// assert_eq!(db.role()?, Role::Writer);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Fenced` when the owner is alive and objects, or when the last attempt failed less than a minute ago: this
    /// process follows on. `NotConnected`; what connecting and building tables can fail with.
    pub async fn promote(&self) -> Result<()> {
        let _turn = self.0.turn.lock().await;
        let connection = self.connection()?;
        connection.link.engine.promote().await?;
        self.make_ready(&connection.link).await.inspect_err(|_| self.write_fitting(&connection.link))
    }

    /// What could be read as a struct that differs from its table can't be written as it.
    pub(super) fn write_fitting(&self, link: &Link) {
        link.refresh_fitting(&self.0.registry.lock().tables);
    }

    /// Creates what is missing once this process has taken the database over by itself.
    pub(super) fn build_after_takeover(&self, connection: &Connection) {
        let (engine, inner) = (Arc::clone(&connection.link.engine), Arc::downgrade(&self.0));
        connection.link.keep(tokio::spawn(async move {
            engine.becomes_writer().await;
            let Some(inner) = inner.upgrade() else { return };
            let db = Self(inner);
            if let Err(error) = db.build_tables().await {
                db.connection().into_iter().for_each(|connection| db.write_fitting(&connection.link));
                tracing::warn!(
                    name: "tables_not_built", target: "discobase::engine", %error,
                    "the tables could not be built after taking the database over"
                );
            }
        }));
    }
}

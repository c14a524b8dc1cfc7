//! What a database tells of itself.

use std::sync::Arc;

use crate::db::Database;
use crate::db::checkpoints::CheckpointState;
use crate::db::engine::Outcome;
use crate::error::Result;
use crate::ids::{ChannelId, CommitId, Incarnation, Seq};
use crate::replay::Salvage;
use crate::transport::{Guild, Traffic, Transport};

impl Database {
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

    /// What was missing of the database when it was opened with [`DatabaseBuilder::salvage`](crate::DatabaseBuilder::salvage); `None` if nothing was.
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
}

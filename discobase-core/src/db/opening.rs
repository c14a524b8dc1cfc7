//! Opening a database over a transport, making its tables ready, and closing it.

use std::sync::Arc;

use parking_lot::Mutex;
use tracing::Instrument;

use crate::db::engine::Role;
use crate::db::link::Link;
use crate::db::options::Options;
use crate::db::{
    Connection, Database, Ending, Readiness, build, checkpoints, connect, layout, listen, migrate,
};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::Transport;
use crate::transport::twilight::TwilightTransport;

impl Database {
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

    pub(super) async fn open_alone(
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
    pub(super) async fn make_ready(&self, link: &Link) -> Result<()> {
        if !self.0.options.migrate {
            let (registered, steps) = (self.0.registry.lock().tables.clone(), self.0.steps.lock().clone());
            if build::is_behind(link, &registered, &steps) {
                link.refresh_fitting(&registered);
                return Ok(());
            }
        } else if link.engine.role() == Role::Writer && !build::is_new(link) {
            let (registered, steps) = (self.0.registry.lock().tables.clone(), self.0.steps.lock().clone());
            migrate::run::up(link, &steps, &registered).await?;
        }
        self.fit(link).await
    }

    /// Makes the tables ready: checks those that exist, creates those that do not.
    pub(super) async fn fit(&self, link: &Link) -> Result<()> {
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
    /// same [`owner`](crate::DatabaseBuilder::owner) name writes at once, where it would wait up to 5 seconds on Discord; one
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
    pub(super) async fn disconnect(
        &self,
        connection: Arc<Connection>,
        turn: tokio::sync::OwnedMutexGuard<()>,
    ) {
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

//! Connecting to Discord with a token: here, in a task, in a thread.

use std::env::var;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use crate::db::discover::GuildChoice;
use crate::db::{Database, Readiness};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::GuildId;
use crate::transport::explain;
use crate::transport::twilight::{Token, TwilightConfig, TwilightTransport};

impl Database {
    /// Logs in, finds the guild, creates what is missing, loads the tables. When it returns, everything can be read
    /// and written; the first write waits until it is certain that nobody else writes (at most 5 seconds on Discord).
    ///
    /// While another process has the database open, connecting succeeds as a rule, if no table must be created, and
    /// what was durable can be read. If the other process objects within those seconds, every write fails with
    /// `Fenced`; if it does not, because it is gone or cut off, this process owns the database from then on.
    ///
    /// # Errors
    /// `Unauthorized` for a token Discord does not know, `Unreachable` without a network, `GuildNotFound` (with the
    /// invite link), `AmbiguousGuild`, `MissingPermissions` (all that are missing), `GuildFull`, `MissingChannel`,
    /// `SchemaChanged` (all that differs), `Fenced` when another process writes at this moment or objects before new
    /// tables are created, `Damaged` or `Corrupt` when the journal can't be read, `AlreadyConnected`, `Invalid` when
    /// the name of the database or of the owner can't be kept, `Refused` when Discord refuses a request otherwise.
    pub async fn connect(&self, token: impl Into<Token>) -> Result<()> {
        let mut config = TwilightConfig::new(token);
        if let Some(api) = &self.0.options.api {
            config.api = api.clone();
        }
        self.connect_with(config).await
    }

    /// As [`Database::connect`], with more said about how to reach Discord, or what speaks its protocol.
    ///
    /// # Errors
    /// As [`Database::connect`].
    pub async fn connect_with(&self, mut config: TwilightConfig) -> Result<()> {
        config.env = self.0.options.env.clone();
        let transport =
            TwilightTransport::new(config).map_err(|error| explain(&error, "preparing to connect"))?;
        self.open(transport.clone(), Some(transport), self.options_from_outside(), None).await
    }

    /// The options, with the guild that `DISCORD_GUILD` names unless the program chose one itself.
    fn options_from_outside(&self) -> crate::db::options::Options {
        let mut options = self.0.options.clone();
        if options.guild == GuildChoice::ByDatabaseName
            && let Ok(guild) = var("DISCORD_GUILD")
            && !guild.trim().is_empty()
        {
            options.guild = match guild.trim().parse::<u64>() {
                Ok(id) => GuildChoice::Id(GuildId::new(id)),
                Err(_) => GuildChoice::Name(guild),
            };
        }
        options
    }

    /// Connects and stays until [`Database::close`] is called, from another task or thread: for programs whose only
    /// work is in other tasks.
    ///
    /// # Errors
    /// As [`Database::connect`].
    pub async fn login(&self, token: impl Into<Token>) -> Result<()> {
        if let Err(error) = self.connect(token).await {
            // What keeps connecting from even beginning is told to those who wait, too.
            if !self.is_open() {
                self.0.ready.send_replace(Readiness::Failed(error.clone()));
            }
            return Err(error);
        }
        self.closed().await;
        Ok(())
    }

    /// [`Database::login`] in a task of its own. Wait with [`Database::wait_ready`] until the tables can be used.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn login_task(&self, token: impl Into<Token>) -> LoginTask {
        let (db, token) = (self.clone(), token.into());
        self.expect_login();
        LoginTask(tokio::spawn(async move { db.login(token).await }))
    }

    /// [`Database::login`] in a thread with a runtime of its own: for programs that have none.
    ///
    /// # Errors
    /// `Refused` when the system gives no thread. That it gives no runtime is how the thread ends: [`LoginThread::join`]
    /// and [`Database::wait_ready`] say so.
    pub fn login_thread(&self, token: impl Into<Token>) -> Result<LoginThread> {
        let (db, token) = (self.clone(), token.into());
        self.expect_login();
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| {
                Error::new(ErrorKind::Refused, "the runtime of the database's thread could not start")
                    .caused_by(error)
            });
            match runtime {
                Ok(runtime) => runtime.block_on(db.login(token)),
                Err(error) => {
                    db.0.ready.send_replace(Readiness::Failed(error.clone()));
                    Err(error)
                }
            }
        };
        let thread = std::thread::Builder::new().name(format!("discobase {}", self.name())).spawn(run);
        let thread = thread.map_err(|error| {
            Error::new(ErrorKind::Refused, "the system gives no thread for the database").caused_by(error)
        })?;
        Ok(LoginThread(thread))
    }

    /// Waits until a login that was begun elsewhere has made the tables usable.
    ///
    /// # Errors
    /// What the login failed with.
    pub async fn wait_ready(&self) -> Result<()> {
        let mut ready = self.0.ready.subscribe();
        let decided = ready.wait_for(|readiness| !matches!(readiness, Readiness::Waiting)).await;
        match decided.as_deref() {
            Ok(Readiness::Failed(error)) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Makes `wait_ready` wait for the login that begins, unless there is nothing to wait for.
    fn expect_login(&self) {
        if !self.is_open() {
            self.0.ready.send_replace(Readiness::Waiting);
        }
    }

    /// Waits until the database is not connected.
    async fn closed(&self) {
        let mut ready = self.0.ready.subscribe();
        // The sender lives as long as the database.
        let _ = ready.wait_for(|readiness| !matches!(readiness, Readiness::Ready)).await;
    }
}

/// A login that runs in a task. Awaiting it gives how it ended; dropping it changes nothing.
#[derive(Debug)]
pub struct LoginTask(tokio::task::JoinHandle<Result<()>>);

impl IntoFuture for LoginTask {
    type Output = Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async {
            let ended = self.0.await;
            ended.unwrap_or_else(|_| Err(Error::new(ErrorKind::NotConnected, "the login's task was ended")))
        })
    }
}

/// A login that runs in a thread.
#[derive(Debug)]
pub struct LoginThread(std::thread::JoinHandle<Result<()>>);

impl LoginThread {
    /// Waits until the database is closed, or the login has failed. Blocks the calling thread.
    ///
    /// # Errors
    /// What the login failed with.
    pub fn join(self) -> Result<()> {
        let ended = self.0.join();
        ended.unwrap_or_else(|_| Err(Error::new(ErrorKind::NotConnected, "the login's thread was ended")))
    }
}

//! The embedded local guild: a Discord of one's own in this process, for development, tests and small tools.

use std::env::var;
use std::path::Path;

use discobase_guild::{GuildError, LocalGuild};

use crate::codec::frame::Timing;
use crate::db::Database;
use crate::db::discover::GuildChoice;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::GuildId;
use crate::transport::explain;
use crate::transport::twilight::{TwilightConfig, TwilightTransport};

impl Database {
    /// Opens the database in a local guild that lives in this process and keeps its data in the file `path`: no
    /// token, no network. The file and its folders are made if they do not exist; [`Database::close`] lets it go.
    ///
    /// The local guild obeys Discord's limits, rates included, so a program behaves as it would on Discord.
    ///
    /// # Errors
    /// `LocalGuild` when the file is in use by another process or another database, or is none of a local guild's.
    /// Otherwise as [`Database::connect`](Database::connect).
    pub async fn connect_local(&self, path: impl AsRef<Path> + Send) -> Result<()> {
        let path = path.as_ref().to_path_buf();
        // A close that was dropped may still be letting the file go.
        drop(self.0.turn.lock().await);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| {
                let text = format!("the folder {} of the local guild's file can't be made", folder.display());
                Error::new(ErrorKind::LocalGuild, text).caused_by(error)
            })?;
        }
        let guild = LocalGuild::builder().data(path).guild_name(self.name()).start().await.map_err(local)?;
        self.connect_embedded(guild).await
    }

    /// As [`Database::connect_local`], in memory: everything is gone when the database is closed.
    ///
    /// # Errors
    /// As [`Database::connect_local`].
    pub async fn connect_memory(&self) -> Result<()> {
        let guild = LocalGuild::builder().guild_name(self.name()).start().await.map_err(local)?;
        self.connect_embedded(guild).await
    }

    /// Opens the database in a local guild that this process started and keeps: for tests, and for several
    /// databases in one guild.
    ///
    /// # Errors
    /// As [`Database::connect`](Database::connect).
    pub async fn connect_guild(&self, guild: &LocalGuild) -> Result<()> {
        self.connect_beside(guild, None).await
    }

    async fn connect_embedded(&self, guild: LocalGuild) -> Result<()> {
        let keeper = std::sync::Arc::new(parking_lot::Mutex::new(None));
        let slot = std::sync::Arc::clone(&keeper);
        let ending: crate::db::Ending = Box::new(move || {
            Box::pin(async move {
                let guild: Option<LocalGuild> = slot.lock().take();
                if let Some(guild) = guild {
                    guild.stop().await;
                }
            })
        });
        let opened = self.connect_beside(&guild, Some(ending)).await;
        match opened {
            Ok(()) => {
                *keeper.lock() = Some(guild);
                Ok(())
            }
            Err(error) => {
                guild.stop().await;
                Err(error)
            }
        }
    }

    async fn connect_beside(&self, guild: &LocalGuild, ending: Option<crate::db::Ending>) -> Result<()> {
        let mut config = config(guild.token(), guild.api())?;
        config.gateway = Some(guild.gateway().to_owned());
        config.env = self.0.options.env.clone();
        let transport =
            TwilightTransport::new(config).map_err(|error| explain(&error, "preparing to connect"))?;
        let mut options = self.0.options.clone();
        // A guild in this process is consistent, so nothing needs to wait (docs/format.md, "Times").
        if options.timing == Timing::DISCORD {
            options.timing = Timing::EMBEDDED;
        }
        if options.guild == GuildChoice::ByDatabaseName {
            options.guild = GuildChoice::Id(GuildId::new(guild.guild_id()));
        }
        self.open(transport.clone(), Some(transport), options, ending).await
    }

    /// Connects to Discord if `DISCORD_TOKEN` is set, and to a local guild in the file `path` if it is not: a
    /// program that calls it runs in both worlds unchanged.
    ///
    /// `DISCORD_GUILD` chooses the guild by id or name; `DISCORD_API` (for example `http://127.0.0.1:8080`) names
    /// something else that speaks Discord's protocol.
    ///
    /// # Errors
    /// As [`Database::connect`](Database::connect) and [`Database::connect_local`].
    pub async fn connect_env(&self, path: impl AsRef<Path> + Send) -> Result<()> {
        match var("DISCORD_TOKEN") {
            Ok(token) if !token.trim().is_empty() => match var("DISCORD_API") {
                Ok(api) if !api.trim().is_empty() => self.connect_with(config(&token, &api)?).await,
                _ => self.connect(token).await,
            },
            _ => self.connect_local(path).await,
        }
    }
}

fn config(token: &str, api: &str) -> Result<TwilightConfig> {
    let mut config = TwilightConfig::new(token);
    config.api = api.parse().map_err(|error: crate::transport::twilight::EndpointError| {
        Error::new(ErrorKind::Invalid, error.to_string())
    })?;
    Ok(config)
}

fn local(error: GuildError) -> Error {
    Error::new(ErrorKind::LocalGuild, format!("the local guild could not start: {error}")).caused_by(error)
}

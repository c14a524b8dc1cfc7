//! Where the modules' databases are, and how each is opened.

use std::sync::Arc;

use discobase_core::transport::twilight::{TwilightConfig, TwilightTransport};
use discobase_core::transport::{Transport, Wrapped};
use discobase_core::{Database, DatabaseBuilder, Error, ErrorKind, GuildId};

use crate::config::{BotConfig, DbUrl};
use crate::error::ModuleError;
use crate::shared::Shared;

/// Where the modules' databases are.
pub(crate) enum Place {
    /// Nowhere, for a reason.
    None(String),
    Discord {
        transport: Arc<dyn Transport>,
        guild: GuildId,
    },
    #[cfg(feature = "local")]
    Local(discobase_guild::LocalGuild),
}

impl Place {
    pub(crate) async fn open(
        config: &BotConfig,
        discord: Option<TwilightConfig>,
    ) -> Result<Self, ModuleError> {
        if !config.enable_db {
            return Ok(Self::None("the bot's config does not say enable-db: true".to_owned()));
        }
        match &config.db_url {
            None => Ok(Self::None("the bot's config has no db-url".to_owned())),
            Some(DbUrl::Discord(guild)) => {
                let discord = discord.ok_or_else(|| {
                    let text = "a database on Discord needs the bot's token: give it to ModuleLoader::new";
                    ModuleError::Bot(Error::new(ErrorKind::Unauthorized, text))
                })?;
                let transport = TwilightTransport::new(discord).map_err(|error| {
                    let text = "the connection to Discord can't be prepared";
                    ModuleError::Bot(Error::new(ErrorKind::Unreachable, text).caused_by(error))
                })?;
                Ok(Self::Discord { transport, guild: *guild })
            }
            #[cfg(feature = "local")]
            Some(DbUrl::Local(path)) => {
                let guild = discobase_guild::LocalGuild::builder().data(path.clone()).start().await;
                guild.map(Self::Local).map_err(|error| {
                    let text = format!("the local guild {} could not start: {error}", path.display());
                    ModuleError::Bot(Error::new(ErrorKind::LocalGuild, text).caused_by(error))
                })
            }
            #[cfg(not(feature = "local"))]
            Some(DbUrl::Local(_)) => {
                let text =
                    "db-url names a local guild, and this program was built without the feature `local`";
                Err(ModuleError::Bot(Error::new(ErrorKind::LocalGuild, text)))
            }
        }
    }

    /// Why there is no database, if there is none.
    pub(crate) fn absent(&self) -> Option<&str> {
        match self {
            Self::None(reason) => Some(reason),
            _ => None,
        }
    }

    /// A database that is not connected yet.
    pub(crate) fn database(&self, builder: DatabaseBuilder) -> Database {
        match self {
            Self::Discord { guild, .. } => builder.guild_id(*guild).build(),
            _ => builder.build(),
        }
    }

    pub(crate) async fn connect(&self, db: &Database) -> discobase_core::Result<()> {
        match self {
            Self::None(reason) => Err(Error::new(ErrorKind::NotConnected, reason.clone())),
            Self::Discord { transport, .. } => {
                db.connect_over(Arc::new(Wrapped(Shared(Arc::clone(transport))))).await
            }
            #[cfg(feature = "local")]
            Self::Local(guild) => db.connect_guild(guild).await,
        }
    }

    pub(crate) async fn close(self) {
        match self {
            Self::None(_) => {}
            Self::Discord { transport, .. } => transport.shutdown().await,
            #[cfg(feature = "local")]
            Self::Local(guild) => guild.stop().await,
        }
    }
}

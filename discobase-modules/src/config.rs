//! The configs: a module's own, and the bot's.

use std::fmt;
use std::path::{Path, PathBuf};

use discobase_core::GuildId;
use semver::Version;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::error::ModuleError;

/// What a module may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Permission {
    /// A database, if there is one: without one the module runs all the same.
    UseDb,
    /// A database: without one the module is skipped.
    RequireDb,
}

/// A module's `config.yaml`. Keys that are not named here are the module's own affair.
///
/// ```
/// # use discobase_modules::ModuleConfig;
/// let config = ModuleConfig::parse("name: profiles\nversion: 1.2.0\npermissions:\n  - require_db\n").unwrap();
/// assert!(config.wants_database() && config.needs_database());
///
/// let error = ModuleConfig::parse("name: profiles\nversion: 1.2\n").unwrap_err().to_string();
/// assert!(error.contains("line 2"), "{error}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ModuleConfig {
    /// The module's name, and that of its database.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// Its [semantic version](https://semver.org).
    #[serde(deserialize_with = "version")]
    pub version: Version,
    /// What it asks for.
    #[serde(default)]
    pub permissions: Vec<Permission>,
}

/// The bot's own config. Keys that are not named here are the bot's own affair.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BotConfig {
    /// Whether there are databases at all.
    #[serde(default)]
    pub enable_db: bool,
    /// Where they are.
    #[serde(default)]
    pub db_url: Option<DbUrl>,
}

/// Where the modules' databases are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DbUrl {
    /// `discord://GUILD`: in a guild, by its id.
    Discord(GuildId),
    /// `local:PATH`: in a local guild that keeps its data in a file.
    Local(PathBuf),
}

impl ModuleConfig {
    /// Reads a config.
    ///
    /// # Errors
    /// [`ModuleError::Config`], with the line and the key.
    pub fn parse(yaml: &str) -> Result<Self, ModuleError> {
        parse(yaml, "the module's config")
    }

    /// Reads a config file.
    ///
    /// # Errors
    /// [`ModuleError::Unreadable`] and [`ModuleError::Config`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ModuleError> {
        read(path.as_ref())
    }

    /// Whether the module gets a database, if there is one.
    #[must_use]
    pub fn wants_database(&self) -> bool {
        !self.permissions.is_empty()
    }

    /// Whether the module can't do without a database.
    #[must_use]
    pub fn needs_database(&self) -> bool {
        self.permissions.contains(&Permission::RequireDb)
    }

    /// What the module's database failed with.
    pub(crate) fn failed(&self, source: discobase_core::Error) -> ModuleError {
        ModuleError::Database { module: self.name.clone(), source }
    }
}

impl BotConfig {
    /// Reads a config.
    ///
    /// # Errors
    /// [`ModuleError::Config`], with the line and the key.
    pub fn parse(yaml: &str) -> Result<Self, ModuleError> {
        parse(yaml, "the bot's config")
    }

    /// Reads a config file.
    ///
    /// # Errors
    /// [`ModuleError::Unreadable`] and [`ModuleError::Config`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, ModuleError> {
        read(path.as_ref())
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ModuleError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ModuleError::Unreadable { path: path.to_owned(), reason: error.to_string() })?;
    parse(&text, &path.display().to_string())
}

fn parse<T: DeserializeOwned>(yaml: &str, place: &str) -> Result<T, ModuleError> {
    serde_saphyr::from_str(yaml)
        .map_err(|error| ModuleError::Config { place: place.to_owned(), reason: error.to_string() })
}

fn name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    let plain = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
        return Err(D::Error::custom(format!(
            "name: {name:?} is no name of a module: use 1 to 64 letters, digits, - and _"
        )));
    }
    Ok(name)
}

fn version<'de, D: Deserializer<'de>>(from: D) -> Result<Version, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|error| {
        D::Error::custom(format!("version: {text:?} is no semantic version ({error}): write one like 1.2.0"))
    })
}

impl<'de> Deserialize<'de> for DbUrl {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl std::str::FromStr for DbUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        if let Some(guild) = url.strip_prefix("discord://") {
            let id = guild.parse::<u64>().ok().filter(|id| *id > 0);
            let id = id.ok_or_else(|| {
                format!("db-url: {guild:?} is no id of a guild: write discord://1234567890")
            })?;
            return Ok(Self::Discord(GuildId::new(id)));
        }
        match url.strip_prefix("local:") {
            Some("") => Err("db-url: local: needs the path of a file".to_owned()),
            Some(path) => Ok(Self::Local(PathBuf::from(path))),
            None => {
                let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
                Err(format!(
                    "db-url: {scheme:?} is nothing that databases can be kept in: write discord://GUILD or local:PATH"
                ))
            }
        }
    }
}

impl fmt::Display for DbUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discord(guild) => write!(f, "discord://{guild}"),
            Self::Local(path) => write!(f, "local:{}", path.display()),
        }
    }
}

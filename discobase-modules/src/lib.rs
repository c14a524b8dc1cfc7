//! Bots that are made of modules: each module has a config file, says which permissions it wants, and gets a database of
//! its own.
//!
//! ```
//! # use discobase_core as discobase;
//! use discobase::{Database, Table};
//! use discobase_modules::{BotConfig, Hook, Module, ModuleConfig, ModuleLoader};
//!
//! #[derive(Table)]
//! # #[table(crate = "discobase_core")]
//! struct Profile {
//!     #[table(key)]
//!     user: u64,
//!     points: i64,
//! }
//!
//! struct Profiles;
//!
//! impl Module for Profiles {
//!     fn tables(&self, db: &Database) -> discobase::Result<()> {
//!         db.table::<Profile>().map(|_| ())
//!     }
//!
//!     async fn on_db_ready(&self, db: &Database) -> Hook {
//!         println!("found {} profiles", Profile::count(db).await?);
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), discobase_modules::ModuleError> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let file = folder.path().join("guild").display().to_string();
//! # let text = format!("enable-db: true\ndb-url: local:{file}\n");
//! let bot = BotConfig::parse(&text)?; // enable-db: true, db-url: local:bot.guild
//! let loader = ModuleLoader::new(bot, None).await?;
//! let config = ModuleConfig::parse("name: profiles\nversion: 1.0.0\npermissions: [use_db]\n")?;
//! loader.load(Profiles, config).await?;
//! loader.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! - [`Module`]: what you write; its tables, its migrations, its hooks.
//! - [`ModuleConfig`], [`BotConfig`]: the `config.yaml` of a module, and the bot's own.
//! - [`ModuleLoader`]: loads, unloads, reloads and updates modules. What fails disables one module and no other.

mod config;
mod error;
mod hooks;
mod loader;
mod module;
mod place;
mod shared;
mod update;

pub use config::{BotConfig, DbUrl, ModuleConfig, Permission};
pub use error::ModuleError;
pub use loader::{ModuleLoader, ModuleState, ModuleStatus};
pub use module::{Hook, Module};

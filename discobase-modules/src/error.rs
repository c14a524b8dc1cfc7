//! What can go wrong with a module.

use std::path::PathBuf;

/// What went wrong with a module, or with a config.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// A config file can't be read.
    #[error("the config {} can't be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A config does not say what it should.
    #[error("{place} is no config: {reason}")]
    Config {
        /// The file, or what the text is.
        place: String,
        /// What is wrong, with line and key.
        reason: String,
    },
    /// A module needs a database, and there is none.
    #[error("module {module} is skipped: it requires a database, and {reason}")]
    NoDatabase {
        /// The module.
        module: String,
        /// Why there is none.
        reason: String,
    },
    /// There is a module of this name.
    #[error(
        "module {module} is not loaded: there is a module of this name already; rename one of them in its config"
    )]
    NameTaken {
        /// The module.
        module: String,
    },
    /// The module is being loaded, updated or unloaded already.
    #[error("module {module} is being changed already: wait until it is loaded, updated or unloaded")]
    Busy {
        /// The module.
        module: String,
    },
    /// There is no module of this name.
    #[error("there is no module {module}")]
    Unknown {
        /// The module.
        module: String,
    },
    /// An update to an earlier version.
    #[error(
        "module {module} is not updated: it runs version {running}, and {offered} comes before it; to go back, revert its \
         migrations with db.migrator().down(…) and load it anew"
    )]
    Backwards {
        /// The module.
        module: String,
        /// The version that runs.
        running: semver::Version,
        /// The version that was offered.
        offered: semver::Version,
    },
    /// A module's database could not be opened, migrated or restored.
    #[error("the database of module {module}: {source}")]
    Database {
        /// The module.
        module: String,
        /// What happened.
        source: discobase_core::Error,
    },
    /// A hook of a module returned an error, or panicked.
    #[error("{hook} of module {module} failed: {reason}")]
    Hook {
        /// The module.
        module: String,
        /// Which.
        hook: &'static str,
        /// What it said.
        reason: String,
    },
    /// An update failed, and the module could not be brought back to what it was.
    #[error(
        "the update of module {module} failed ({update}), and so did bringing it back ({restore}); it is disabled"
    )]
    NotRestored {
        /// The module.
        module: String,
        /// Why the update failed.
        update: Box<ModuleError>,
        /// Why it could not be brought back.
        restore: Box<ModuleError>,
    },
    /// The bot's database can't be reached.
    #[error("the bot's database: {0}")]
    Bot(discobase_core::Error),
}

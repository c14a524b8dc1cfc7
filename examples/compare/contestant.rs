//! Who is compared, and how each is started.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::ours::Guild;
use crate::sqlite::Sqlite;

/// One of those that are compared.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    /// What it is, with its version.
    pub(crate) about: &'static str,
    pub(crate) kind: Kind,
}

/// How a contestant is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This program, as another process.
    Ours,
    /// This program, with SQLite.
    Sqlite,
    /// The package `benchmarks/orm`.
    Orm,
    /// A store in Discord by a Python package, in `benchmarks/python`.
    Python,
}

pub(crate) const CONTESTANTS: [Contestant; 6] = [
    Contestant {
        name: "discobase",
        about: concat!("discobase ", env!("CARGO_PKG_VERSION")),
        kind: Kind::Ours,
    },
    Contestant { name: "sqlite", about: "SQLite file (rusqlite 0.39)", kind: Kind::Sqlite },
    Contestant { name: "orm", about: "SQLite file, SeaORM 2.0.4", kind: Kind::Orm },
    Contestant { name: "python-discobase", about: "Python discobase 1.0.0", kind: Kind::Python },
    Contestant { name: "discorddatabase", about: "DiscordDatabase 0.1.3", kind: Kind::Python },
    Contestant { name: "discorddbplus", about: "DiscordDBPlus 0.0.9", kind: Kind::Python },
];

/// What is installed for those of Python.
pub(crate) const PACKAGES: [&str; 2] = ["discord.py==2.7.1", "discobase==1.0.0"];
/// What names something else than discord.py as what it needs, and runs with it.
pub(crate) const PACKAGES_ALONE: [&str; 2] = ["DiscordDatabase==0.1.3", "DiscordDBPlus==0.0.9"];

/// What a process of this program does.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Part {
    Ours(Guild),
    Sqlite(Sqlite),
}

impl Part {
    pub(crate) async fn run(part: &str) -> Result<()> {
        match serde_json::from_str(part)? {
            Self::Ours(guild) => guild.run().await,
            Self::Sqlite(sqlite) => sqlite.run(),
        }
    }
}

//! The local guild, in a process of its own: its memory and its work are not the client's.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use discobase::{Database, DatabaseBuilder, Table};
use discobase_guild::{Limits, LocalGuild, Rate};
use serde::{Deserialize, Serialize};

use crate::part::{Part, print};
use crate::{Result, distance};

/// The round trip of a guild that is as far away as Discord may be, in milliseconds.
pub(crate) const ROUND_TRIP_MS: u64 = 100;

/// Which guild.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Guild {
    /// Where its data is; in memory if nowhere.
    pub(crate) data: Option<PathBuf>,
    /// How far away it is, in milliseconds.
    pub(crate) round_trip_ms: u64,
    /// Whether it keeps no rate limit: to prepare what is measured afterwards with limits.
    pub(crate) unlimited: bool,
}

/// How a guild is reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Address {
    api: String,
    token: String,
    /// Whether something is only prepared there.
    preparing: bool,
}

/// A running guild. It stops when this is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: Address,
}

impl Guild {
    /// A guild in memory, with Discord's limits and a round trip.
    pub(crate) fn far() -> Self {
        Self { round_trip_ms: ROUND_TRIP_MS, ..Self::default() }
    }

    /// Starts it.
    pub(crate) fn start(self) -> Result<Running> {
        let (child, address) = Part::Guild(self).start()?;
        Ok(Running { child, address })
    }

    /// Is the guild, until standard input ends.
    pub(crate) async fn run(self) -> Result<()> {
        let limits = if self.unlimited { unlimited() } else { Limits::discord() };
        let mut builder = LocalGuild::builder().limits(limits);
        if let Some(data) = self.data {
            builder = builder.data(data);
        }
        let guild = builder.start().await?;
        let api = match self.round_trip_ms {
            0 => guild.api().to_owned(),
            round_trip => distance::relay(guild.api(), Duration::from_millis(round_trip) / 2).await?,
        };
        print(&Address { api, token: guild.token().to_owned(), preparing: self.unlimited })?;
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        guild.stop().await;
        Ok(())
    }
}

/// Where no reply tells a limit, a client keeps to the one that Discord is known for. So a large one is told.
fn unlimited() -> Limits {
    Limits { message_create: Some(Rate { count: 10_000, window_ms: 5_000 }), ..Limits::unlimited() }
}

impl Address {
    /// Opens a database of one table there, and says how it is registered and connected.
    pub(crate) async fn open<T: Table>(&self) -> Result<Database> {
        let mut builder = self.builder("measure")?;
        if self.preparing {
            // So many checkpoints as were ordered and no more; and nobody else reads what they make superfluous.
            builder = builder.checkpoint_every(u64::MAX, u64::MAX);
            builder = builder.trim_after(Duration::ZERO, Duration::from_secs(1));
        }
        let db = builder.build();
        db.table::<T>()?;
        self.connect(&db).await?;
        Ok(db)
    }

    /// A database there, not connected.
    pub(crate) fn builder(&self, name: &str) -> Result<DatabaseBuilder> {
        // The local guild is consistent, so nothing has to wait for its messages to become visible.
        Ok(Database::builder(name).timing(0, 0, 60_000).api(self.api.parse()?))
    }

    /// Connects it.
    pub(crate) async fn connect(&self, db: &Database) -> Result<()> {
        Ok(db.connect(self.token.as_str()).await?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its standard input ends, and so does it.
        drop(self.child.stdin.take());
        let _gone = self.child.wait();
    }
}

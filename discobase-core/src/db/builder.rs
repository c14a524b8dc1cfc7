//! Choosing how a database is opened.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::frame::Timing;
use crate::db::Database;
use crate::db::checkpoints::{Enough, Settings};
use crate::db::discover::GuildChoice;
use crate::db::options::Options;
use crate::env::{SharedEnv, SystemEnv};
use crate::error::Result;
use crate::ids::GuildId;
use crate::lookup::SMALL;
use crate::seal::{EncryptionKey, KeySource};
use crate::transport::twilight::Endpoint;

/// How many bytes of commits wait at most, unless the program says otherwise.
const QUEUE_LIMIT: usize = 64 << 20;
/// How many bytes of what lookups read are kept, unless the program says otherwise.
const LOOKUP_CACHE: usize = 32 << 20;

/// Sets how a [`Database`] is opened.
///
/// ```
/// # use discobase_core as discobase;
/// use discobase::Database;
/// use std::time::Duration;
///
/// let db = Database::builder("shop").guild_id(81384788765712384).deadline(Duration::from_secs(30)).build();
/// assert_eq!(db.name(), "shop");
/// ```
#[derive(Clone)]
#[must_use]
pub struct DatabaseBuilder {
    name: String,
    options: Options,
}

impl DatabaseBuilder {
    pub(crate) fn new(name: String) -> Self {
        let options = Options {
            guild: GuildChoice::default(),
            owner: None,
            follow: false,
            salvage: false,
            stand_by: None,
            queue_limit: QUEUE_LIMIT,
            lookup_cache: LOOKUP_CACHE,
            small_runs: SMALL,
            timing: Timing::DISCORD,
            patience: Duration::from_secs(60),
            deadline: None,
            migrate: true,
            additive: false,
            gateway: true,
            api: None,
            key: KeySource::default(),
            checkpoints: Settings::default(),
            env: Arc::new(SystemEnv::new()),
        };
        Self { name, options }
    }

    /// Uses the guild with this id. Overrides `DISCORD_GUILD`.
    pub fn guild_id(mut self, guild: impl Into<GuildId>) -> Self {
        self.options.guild = GuildChoice::Id(guild.into());
        self
    }

    /// Uses the guild of this name, which must be the only one of that name the bot is in. Overrides
    /// `DISCORD_GUILD`.
    pub fn guild_name(mut self, guild: impl Into<String>) -> Self {
        self.options.guild = GuildChoice::Name(guild.into());
        self
    }

    /// Names this process as an owner of the database, in 1 to 64 characters, so that it writes at once after it
    /// opened a database that it closed before.
    ///
    /// The name is a promise: two processes never start with it within a few seconds of each other. Without one, a
    /// random name is used, and the first write after opening waits until it is certain that nobody else writes
    /// (5 seconds on Discord). Creating channels for new tables waits for that with a name, too.
    pub fn owner(mut self, name: impl Into<String>) -> Self {
        self.options.owner = Some(name.into());
        self
    }

    /// Opens the database to follow what another process writes: however it is connected, it can be read and
    /// [watched](crate::Table::watch), writes fail with `ReadOnly`, and nothing in the guild is created or changed.
    /// [`Database::promote`] makes this process the writer.
    ///
    /// What the owner writes is seen when the gateway brings it, well below a second on Discord, or at the latest when
    /// the journal's tail is read, every 30 seconds: [`Database::lag`] tells.
    ///
    /// ```
    /// # use discobase_core as discobase;
    /// use discobase::Database;
    ///
    /// let db = Database::builder("shop").follower().build();
    /// ```
    pub fn follower(mut self) -> Self {
        self.options.follow = true;
        self
    }

    /// Opens the database even if its journal is damaged, with what is left of it, and writes that anew as a checkpoint:
    /// the commits up to each hole, and those behind it. [`Database::salvaged`] says what is lost. Where nothing is wrong
    /// this changes nothing.
    ///
    /// **Use it only when no process has the database open.** One that has it has everything in memory, also what was
    /// deleted: call [`Database::heal`] there instead. Such a process keeps the database all the same, if it objects in
    /// time, and this one gets `Fenced`.
    ///
    /// What is not in the guild any more can't be brought back: without any checkpoint or first frame, and without a
    /// segment that the newest checkpoint names, the database does not open.
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// # async fn run(token: String) -> discobase::Result<()> {
    /// use discobase::Database;
    ///
    /// let db = Database::builder("shop").salvage().build();
    /// db.connect(token).await?;
    /// if let Some(salvage) = db.salvaged()? {
    ///     println!("{salvage}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn salvage(mut self) -> Self {
        self.options.salvage = true;
        self
    }

    /// Follows, as [`DatabaseBuilder::follower`], and takes the database over by itself when its journal has been
    /// silent for longer than `silence`, or closed.
    ///
    /// An owner that is alive and has nothing to write is silent too. It objects, and keeps the database, if it
    /// hears of the attempt in time: give owners a gateway session, and choose a `silence` longer than the usual
    /// pauses. A takeover takes 5 seconds on Discord; after a failed one the next is a minute later at the earliest.
    pub fn stand_by(mut self, silence: Duration) -> Self {
        self.options.follow = true;
        self.options.stand_by = Some(silence);
        self
    }

    /// How long a write waits before its outcome is reported as unknown; or as `Conflict`, if it was still waiting
    /// for another commit that it collides with, and nothing was written. Without a deadline a write waits until it
    /// is decided, however long Discord is out of reach.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// How many bytes of commits may wait while Discord takes no more, or is out of reach (default: 64 MiB). From then on
    /// a write waits for room before it is accepted, background ones too; with a deadline it fails with `Busy` when
    /// that passes, and nothing was written. A single commit may be larger than the limit.
    pub fn queue_limit(mut self, bytes: usize) -> Self {
        self.options.queue_limit = bytes.max(1);
        self
    }

    /// How many bytes of what lookups in [lazy tables](Database::table_lazy) read are kept in memory, for all of them
    /// together (default: 32 MiB). What was used least recently makes room. With 0 every lookup reads anew.
    pub fn lookup_cache(mut self, bytes: usize) -> Self {
        self.options.lookup_cache = bytes;
        self
    }

    /// Of how many bytes the last runs of a [lazy table](Database::table_lazy) may be that are read whole when it is opened:
    /// fewer for tests, whose tables are small.
    #[doc(hidden)]
    pub fn small_runs(mut self, bytes: u64) -> Self {
        self.options.small_runs = bytes;
        self
    }

    /// Whether to hold a session on Discord's gateway (default: yes). It shows the bot as online and hears at once of
    /// another process that opens the database. A bot that holds a session of its own may do without this one.
    ///
    /// Without it an idle owner hears of another process only when it reads the journal's tail, every 30 seconds, or
    /// when it writes. That is too late: a process that opens the database takes it over after 5 seconds on Discord,
    /// and this one is fenced.
    pub fn gateway(mut self, gateway: bool) -> Self {
        self.options.gateway = gateway;
        self
    }

    /// Connects to something else than Discord that speaks its protocol, for example the local guild's program at
    /// `"http://127.0.0.1:8080".parse()?`. Its gateway is where it says.
    pub fn api(mut self, api: Endpoint) -> Self {
        self.options.api = Some(api);
        self
    }

    /// Encrypts the database with this key, if it is created now, and opens it with it ever after. Overrides the
    /// environment variable `DISCOBASE_KEY`, which holds a raw key as 64 hexadecimal digits or in Base64 and is used by
    /// every database that says nothing else.
    ///
    /// Rows, keys and values, table and column definitions are sealed. What stays readable in the guild, to those who
    /// can see its channels: the names of the database, its tables and indexes, how many records there are, sizes and
    /// times. A database that exists is encrypted by [`Database::rotate_key`]. A key that is lost is lost with the data.
    ///
    /// ```
    /// # use discobase_core as discobase;
    /// use discobase::{Database, EncryptionKey};
    ///
    /// let db = Database::builder("shop").encryption(EncryptionKey::passphrase("correct horse battery staple")).build();
    /// ```
    pub fn encryption(mut self, key: EncryptionKey) -> Self {
        self.options.key = KeySource::Given(key);
        self
    }

    /// As [`DatabaseBuilder::encryption`], with a key that `ask` gives whenever the database is opened: from a secret
    /// store, or from a person. It runs on a thread where it may block.
    ///
    /// ```
    /// # use discobase_core as discobase;
    /// use discobase::{Database, Error, ErrorKind};
    ///
    /// let read = || {
    ///     let key = std::fs::read_to_string("/run/secrets/discobase").map_err(|error| {
    ///         Error::new(ErrorKind::KeyMissing, "the key's file can't be read").caused_by(error)
    ///     })?;
    ///     key.parse()
    /// };
    /// let db = Database::builder("shop").encryption_from(read).build();
    /// ```
    pub fn encryption_from(
        mut self,
        ask: impl Fn() -> Result<EncryptionKey> + Send + Sync + 'static,
    ) -> Self {
        self.options.key = KeySource::Asked(Arc::new(ask));
        self
    }

    /// Uses no key, whatever the environment variable `DISCOBASE_KEY` says.
    pub fn unencrypted(mut self) -> Self {
        self.options.key = KeySource::Nowhere;
        self
    }

    /// Whether connecting applies the registered migration steps; without this it does. If not, nothing is refused
    /// either: tables that do not fit their structs can't be used until
    /// [`Migrator::up`](crate::Migrator::up) has been called.
    pub fn migrate_on_connect(mut self, migrate: bool) -> Self {
        self.options.migrate = migrate;
        self
    }

    /// Lets connecting change tables that lack what their structs have, where that touches nothing that is in them: new
    /// fields that are optional or have a default, wider numbers, longer texts, more variants, fields that become
    /// optional, new indexes that are not unique. Without this such a struct is refused.
    pub fn additive_changes(mut self, allowed: bool) -> Self {
        self.options.additive = allowed;
        self
    }

    /// Takes clock and random numbers from here: for tests.
    pub fn env(mut self, env: SharedEnv) -> Self {
        self.options.env = env;
        self
    }

    /// Sets the times the fencing rules count with, in milliseconds: visibility, grace and window. They are written
    /// into a database's first frame and hold for all its life. For tests only: Discord's are the default, and
    /// shorter ones are not safe on Discord.
    #[doc(hidden)]
    pub fn timing(mut self, visibility: u64, grace: u64, window: u64) -> Self {
        self.options.timing = Timing { visibility, grace, window };
        self
    }

    /// Writes a checkpoint each time so many frames, or bytes of commits, were written since the last one, and one at
    /// closing after as much. By default after 256 frames or 24 MiB, at closing after 64 frames or 1 MiB.
    ///
    /// ```
    /// # use discobase_core as discobase;
    /// let db = discobase::Database::builder("shop").checkpoint_every(1_000, 64 << 20).build();
    /// ```
    pub fn checkpoint_every(mut self, frames: u64, bytes: u64) -> Self {
        let enough = Enough { frames, bytes };
        (self.options.checkpoints.due, self.options.checkpoints.at_close) = (enough, enough);
        self
    }

    /// Deletes what a checkpoint makes superfluous so long after it, and tries a checkpoint that failed again after
    /// `retry`: for tests. On Discord others may still be reading what is deleted too early.
    #[doc(hidden)]
    pub fn trim_after(mut self, trim: Duration, retry: Duration) -> Self {
        (self.options.checkpoints.trim_after, self.options.checkpoints.retry) = (trim, retry);
        self
    }

    /// The database, not connected yet.
    #[must_use]
    pub fn build(self) -> Database {
        Database::from_options(self.name, self.options)
    }
}

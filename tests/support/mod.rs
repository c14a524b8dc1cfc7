//! Where the suite runs: on a local guild in this process, over the local guild's program, or on Discord.
//!
//! Every behaviour test is written once, against a [`Place`]; the `everywhere!` macro runs it in each world. With
//! `DISCORD_TOKEN` (and `DISCORD_GUILD`) set, what else runs over the program runs on that guild instead.

pub(crate) mod lagging;

use std::env::var;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use discobase::{ChannelId, Confirm, Database, DatabaseBuilder, EncryptionKey, Result};
use discobase_guild::state::{Overwrite, permission};
use discobase_guild::{Limits, LocalGuild, Rate};

/// Where a test runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    /// A local guild in this process.
    InProcess,
    /// The local guild's program, or Discord if a token is set.
    Outside,
}

/// A guild to test in, and the name of a database that nobody else uses.
pub(crate) struct Place {
    guild: Guild,
    pub(crate) name: String,
    clean: Mutex<bool>,
    key: Mutex<Option<EncryptionKey>>,
}

enum Guild {
    InProcess(Box<LocalGuild>),
    Program { child: Child, api: String, token: String },
    Discord { token: String },
}

static NAMES: AtomicU64 = AtomicU64::new(0);

impl Place {
    /// A fresh place.
    pub(crate) async fn new(world: World) -> Self {
        let number = NAMES.fetch_add(1, Ordering::Relaxed);
        let name = format!("suite-{}-{number}", std::process::id());
        let guild = match (world, var("DISCORD_TOKEN")) {
            (World::InProcess, _) => {
                Guild::InProcess(Box::new(LocalGuild::builder().limits(limits()).start().await.unwrap()))
            }
            (World::Outside, Ok(token)) if !token.is_empty() => Guild::Discord { token },
            (World::Outside, _) => start_program(),
        };
        Self { guild, name, clean: Mutex::new(false), key: Mutex::new(None) }
    }

    /// A fresh place in this process, whose guild has these limits.
    pub(crate) async fn limited(limits: Limits) -> Self {
        let number = NAMES.fetch_add(1, Ordering::Relaxed);
        let name = format!("suite-{}-{number}", std::process::id());
        let guild = Guild::InProcess(Box::new(LocalGuild::builder().limits(limits).start().await.unwrap()));
        Self { guild, name, clean: Mutex::new(false), key: Mutex::new(None) }
    }

    /// The local guild in this process, where a test acts as other people or orders faults.
    pub(crate) fn local(&self) -> &LocalGuild {
        match &self.guild {
            Guild::InProcess(guild) => guild,
            _ => panic!("this test needs the local guild in its own process"),
        }
    }

    /// As the guild's owner, leaves the bot in a channel everything but `denied`.
    pub(crate) fn forbid(&self, channel: ChannelId, denied: u64) {
        let bot = self.local().application_id();
        let overwrite =
            Overwrite { id: bot, member: true, allow: permission::BOT_DEFAULT & !denied, deny: denied };
        self.local().with_state(|state, _| state.put_overwrite_as_owner(channel.get(), overwrite)).unwrap();
    }

    /// A database of the place's name, not connected.
    pub(crate) fn database(&self) -> Database {
        self.builder().build()
    }

    /// A database of another name.
    pub(crate) fn database_named(&self, name: &str) -> Database {
        self.builder_named(name).build()
    }

    /// A database of the place's name that is only followed, not connected.
    pub(crate) fn follower(&self) -> Database {
        self.builder().follower().build()
    }

    /// Sets more of a database of the place's name.
    pub(crate) fn builder(&self) -> DatabaseBuilder {
        self.builder_named(&self.name)
    }

    pub(crate) fn builder_named(&self, name: &str) -> DatabaseBuilder {
        let mut builder = Database::builder(name);
        if let Some(key) = &*self.key.lock().unwrap() {
            builder = builder.encryption(key.clone());
        }
        match &self.guild {
            // The program is as consistent as the guild in this process, so nothing has to wait.
            Guild::Program { api, .. } => builder.timing(0, 0, 60_000).api(api.parse().unwrap()),
            Guild::InProcess(guild) => builder.timing(0, 0, 60_000).api(guild.api().parse().unwrap()),
            Guild::Discord { .. } => builder,
        }
    }

    /// Every database from here on is opened with this key.
    pub(crate) fn use_key(&self, key: EncryptionKey) {
        *self.key.lock().unwrap() = Some(key);
    }

    /// The bot's token.
    pub(crate) fn token(&self) -> &str {
        match &self.guild {
            Guild::InProcess(guild) => guild.token(),
            Guild::Program { token, .. } | Guild::Discord { token } => token,
        }
    }

    /// Connects a database.
    pub(crate) async fn connect(&self, db: &Database) -> Result<()> {
        match &self.guild {
            Guild::InProcess(guild) => db.connect_guild(guild).await,
            Guild::Program { token, .. } => db.connect(token.as_str()).await,
            Guild::Discord { token } => {
                *self.clean.lock().unwrap() = true;
                db.connect(token.as_str()).await
            }
        }
    }

    /// Leaves nothing behind on a guild that is not thrown away.
    pub(crate) async fn leave(&self) {
        if *self.clean.lock().unwrap() {
            let db = self.database();
            self.connect(&db).await.unwrap();
            db.clean(Confirm::delete_all_data_of(&self.name)).await.unwrap();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Guild::Program { child, .. } = &mut self.guild {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// No rate that behaviour tests would have to wait for; what is about rates sets its own.
pub(crate) fn limits() -> Limits {
    Limits { message_create: Some(Rate { count: MESSAGE_RATE, window_ms: 5_000 }), ..Limits::unlimited() }
}

const MESSAGE_RATE: u64 = 1_000;

/// Builds the program once, so that it is never older than the code under test, and starts it.
fn start_program() -> Guild {
    let mut child = Command::new(program())
        .args(["--no-rate-limits", "--message-rate", &MESSAGE_RATE.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let hello: serde_json::Value = serde_json::from_str(&line).unwrap();
    let text = |field: &str| hello[field].as_str().unwrap().to_owned();
    Guild::Program { child, api: text("api"), token: text("token") }
}

fn program() -> std::path::PathBuf {
    static BUILT: Mutex<Option<std::path::PathBuf>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap();
    if let Some(path) = &*built {
        return path.clone();
    }
    // target/<profile>/deps/suite-<hash>
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(std::path::Path::parent).unwrap();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "-p", "discobase-guild", "--bin", "discobase-guild", "--target-dir"]);
    build.arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success(), "the program builds");
    built.insert(profile.join("discobase-guild")).clone()
}

/// Runs each named async function `fn(&Place)` of this module in every world.
#[macro_export]
macro_rules! everywhere {
    ($($test:ident),* $(,)?) => {
        mod in_process {
            $($crate::everywhere!(@test $test, InProcess);)*
        }
        mod outside {
            $($crate::everywhere!(@test $test, Outside);)*
        }
    };
    (@test $test:ident, $world:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let place = $crate::support::Place::new($crate::support::World::$world).await;
            super::$test(&place).await;
            place.leave().await;
        }
    };
}

/// Runs each named async function `fn(&Place)` on the local guild in this process only: those that act as other
/// people, order faults or count requests.
#[macro_export]
macro_rules! in_process {
    ($($test:ident),* $(,)?) => {
        mod in_process_only {
            $($crate::everywhere!(@test $test, InProcess);)*
        }
    };
}

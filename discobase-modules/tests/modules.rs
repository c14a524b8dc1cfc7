//! Modules in a local guild: what they get, what they don't, and what becomes of the others when one fails.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test whatever is not as expected is a failure"
)]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use discobase_core::transport::twilight::TwilightConfig;
use discobase_core::{Database, ErrorKind, Step, Table};
use discobase_guild::LocalGuild;
use discobase_modules::{BotConfig, Hook, Module, ModuleConfig, ModuleError, ModuleLoader, ModuleState};

type Log = Arc<Mutex<Vec<String>>>;
type Running = std::pin::Pin<Box<dyn Future<Output = Hook> + Send>>;

#[derive(Debug, Clone, PartialEq, Table)]
#[table(crate = "discobase_core", name = "profiles")]
struct One {
    #[table(key)]
    user: u64,
    points: i64,
}

#[derive(Debug, Clone, PartialEq, Table)]
#[table(crate = "discobase_core", name = "profiles")]
struct Two {
    #[table(key)]
    user: u64,
    score: i64,
    #[table(default = 1)]
    level: u8,
}

/// A module whose parts a test chooses.
#[derive(Default)]
struct Parts {
    log: Log,
    db: Mutex<Option<Database>>,
    tables: Option<fn(&Database) -> discobase_core::Result<()>>,
    steps: Option<fn() -> Vec<Step>>,
    ready: Option<fn(Database) -> Running>,
    unload: Option<fn(Database) -> Running>,
}

impl Module for Parts {
    fn tables(&self, db: &Database) -> discobase_core::Result<()> {
        self.tables.map_or(Ok(()), |tables| tables(db))
    }

    fn migrations(&self) -> Vec<Step> {
        self.steps.map(|steps| steps()).unwrap_or_default()
    }

    async fn on_load(&self, db: Option<Database>) -> Hook {
        self.log.lock().unwrap().push(format!("load {}", db.is_some()));
        *self.db.lock().unwrap() = db;
        Ok(())
    }

    async fn on_db_ready(&self, db: &Database) -> Hook {
        self.log.lock().unwrap().push(format!("ready {}", db.tables().join(",")));
        match self.ready {
            Some(ready) => ready(db.clone()).await,
            None => Ok(()),
        }
    }

    async fn on_unload(&self) -> Hook {
        self.log.lock().unwrap().push("unload".to_owned());
        let db = self.db.lock().unwrap().clone();
        match (self.unload, db) {
            (Some(unload), Some(db)) => unload(db).await,
            _ => Ok(()),
        }
    }
}

fn one(db: &Database) -> discobase_core::Result<()> {
    db.table::<One>().map(|_| ())
}

fn two(db: &Database) -> discobase_core::Result<()> {
    db.table::<Two>().map(|_| ())
}

fn config(name: &str, version: &str, permissions: &str) -> ModuleConfig {
    ModuleConfig::parse(&format!("name: {name}\nversion: {version}\npermissions: [{permissions}]\n")).unwrap()
}

async fn loader(file: &Path) -> ModuleLoader {
    let bot = BotConfig::parse(&format!("enable-db: true\ndb-url: local:{}\n", file.display())).unwrap();
    ModuleLoader::new(bot, None).await.unwrap()
}

async fn without() -> ModuleLoader {
    ModuleLoader::new(BotConfig::parse("enable-db: false\n").unwrap(), None).await.unwrap()
}

fn logged(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

fn state(loader: &ModuleLoader, name: &str) -> ModuleState {
    let found = loader.status().into_iter().find(|module| module.name == name);
    found.expect("it is listed").state
}

#[tokio::test]
async fn without_a_database_use_db_runs_and_require_db_is_skipped() {
    let loader = without().await;
    let log = Log::default();
    let parts = || Parts { log: Arc::clone(&log), tables: Some(one), ..Parts::default() };
    loader.load(parts(), config("a", "1.0.0", "use_db")).await.unwrap();
    assert_eq!(logged(&log), ["load false"]);
    let error = loader.load(parts(), config("b", "1.0.0", "require_db")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "module b is skipped: it requires a database, and the bot's config does not say enable-db: true"
    );
    assert!(logged(&log).is_empty());
    assert!(matches!(state(&loader, "a"), ModuleState::Running));
    assert!(matches!(state(&loader, "b"), ModuleState::Skipped(_)));
    loader.close().await;
}

/// Tables are durable before the hook, which may therefore write; a hook inside an open transaction could not.
#[tokio::test]
async fn hooks_find_their_tables_and_write() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guild");
    let log = Log::default();
    let parts = || Parts {
        log: Arc::clone(&log),
        tables: Some(one),
        ready: Some(|db| {
            Box::pin(async move {
                let known = One::count(&db).await?;
                One { user: known as u64 + 1, points: 5 }.save(&db).await?;
                Ok(())
            })
        }),
        ..Parts::default()
    };
    for round in 1..=2 {
        let loader = loader(&file).await;
        loader.load(parts(), config("profiles", "1.0.0", "use_db")).await.unwrap();
        loader
            .load(Parts { log: Arc::clone(&log), ..Parts::default() }, config("bare", "1.0.0", "use_db"))
            .await
            .unwrap();
        loader
            .load(Parts { log: Arc::clone(&log), ..Parts::default() }, config("none", "1.0.0", ""))
            .await
            .unwrap();
        assert_eq!(
            logged(&log),
            ["load true", "ready profiles", "load true", "ready ", "load false"],
            "round {round}"
        );
        let status = loader.status();
        let databases: Vec<_> = status.iter().map(|module| (module.name.as_str(), module.database)).collect();
        assert_eq!(databases, [("bare", true), ("none", false), ("profiles", true)]);
        loader.close().await;
        assert_eq!(logged(&log), ["unload", "unload", "unload"]);
    }
}

#[tokio::test]
async fn each_module_has_a_database_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let loader = loader(&folder.path().join("guild")).await;
    let (first, second) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(None)));
    struct Keeps(Arc<Mutex<Option<Database>>>);
    impl Module for Keeps {
        fn tables(&self, db: &Database) -> discobase_core::Result<()> {
            one(db)
        }
        async fn on_load(&self, db: Option<Database>) -> Hook {
            *self.0.lock().unwrap() = db;
            Ok(())
        }
    }
    loader.load(Keeps(Arc::clone(&first)), config("first", "1.0.0", "use_db")).await.unwrap();
    loader.load(Keeps(Arc::clone(&second)), config("second", "1.0.0", "use_db")).await.unwrap();
    let error = loader.load(Keeps(Arc::default()), config("First", "2.0.0", "use_db")).await.unwrap_err();
    assert!(matches!(error, ModuleError::NameTaken { .. }), "{error}");
    let (a, b) = (first.lock().unwrap().clone().unwrap(), second.lock().unwrap().clone().unwrap());
    One { user: 1, points: 1 }.save(&a).await.unwrap();
    assert_eq!((One::count(&a).await.unwrap(), One::count(&b).await.unwrap()), (1, 0));
    assert_ne!(a.journal().unwrap(), b.journal().unwrap());
    assert_eq!((a.name(), b.name()), ("first", "second"));
    let (first, second) = (loader.database("FIRST").unwrap(), loader.database("second").unwrap());
    assert_eq!((One::count(&first).await.unwrap(), One::count(&second).await.unwrap()), (1, 0));
    loader.unload("second").await.unwrap();
    assert!(loader.database("second").is_none() && !second.is_open());
    let error = Two::count(&a).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTable, "what another module registers is not this one's");
    loader.close().await;
}

#[tokio::test]
async fn what_fails_disables_one_module() {
    let folder = tempfile::tempdir().unwrap();
    let loader = loader(&folder.path().join("guild")).await;
    let fails = |ready| Parts { ready: Some(ready), tables: Some(one), ..Parts::default() };
    let error = loader
        .load(fails(|_| Box::pin(async { panic!("no such luck") })), config("panics", "1.0.0", "use_db"))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "on_db_ready of module panics failed: it panicked: no such luck");
    static LEFT: Mutex<Option<Database>> = Mutex::new(None);
    let keeps = |db: Database| -> Running {
        Box::pin(async move {
            *LEFT.lock().unwrap() = Some(db);
            Err("not today".into())
        })
    };
    let error = loader.load(fails(keeps), config("errs", "1.0.0", "use_db")).await.unwrap_err();
    assert_eq!(error.to_string(), "on_db_ready of module errs failed: not today");
    let left = LEFT.lock().unwrap().take().unwrap();
    assert!(!left.is_open(), "nothing goes on writing into the database of a module that is disabled");
    let broken =
        Parts { steps: Some(|| vec![Step::new("one", "odd")]), tables: Some(one), ..Parts::default() };
    let error = loader.load(broken, config("broken", "1.0.0", "use_db")).await.unwrap_err();
    assert!(error.to_string().contains("no semantic version"), "{error}");
    // What it says of itself may fail, too.
    let parts = Parts { steps: Some(|| panic!("no steps today")), tables: Some(one), ..Parts::default() };
    let error = loader.load(parts, config("stepless", "1.0.0", "use_db")).await.unwrap_err();
    assert_eq!(error.to_string(), "migrations of module stepless failed: it panicked: no steps today");
    let parts = Parts { tables: Some(|_| panic!("no tables")), ..Parts::default() };
    let error = loader.load(parts, config("tableless", "1.0.0", "use_db")).await.unwrap_err();
    assert_eq!(error.to_string(), "tables of module tableless failed: it panicked: no tables");
    loader
        .load(Parts { tables: Some(one), ..Parts::default() }, config("fine", "1.0.0", "require_db"))
        .await
        .unwrap();
    for name in ["panics", "errs", "broken", "stepless", "tableless"] {
        assert!(matches!(state(&loader, name), ModuleState::Disabled(_)), "{name}");
    }
    assert!(matches!(state(&loader, "fine"), ModuleState::Running));
    loader.unload("panics").await.unwrap();
    loader.load(Parts::default(), config("panics", "1.0.1", "use_db")).await.unwrap();
    loader.reload("fine").await.unwrap();
    assert!(matches!(loader.reload("nobody").await.unwrap_err(), ModuleError::Unknown { .. }));
    loader.close().await;
}

/// Version 1.10.0 comes after 1.9.0, and what was applied once is not applied again.
fn steps() -> Vec<Step> {
    let double = |row: &mut discobase_core::RowChange<'_>| {
        let score: i64 = row.get("score")?;
        row.set("score", score * 2)
    };
    vec![
        Step::new("1.10.0", "doubled").each("profiles", "twice the score", double),
        Step::new("1.9.0", "scores")
            .table("profiles", |table| table.rename("points", "score").add("level", 1_u8)),
    ]
}

async fn rows(db: &Database) -> Vec<(u64, i64)> {
    Two::find(db)
        .order_by(|row| row.user.asc())
        .all()
        .await
        .unwrap()
        .iter()
        .map(|row| (row.user, row.score))
        .collect()
}

#[tokio::test]
async fn an_update_migrates_from_the_version_that_was_reached() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guild");
    let first = loader(&file).await;
    let save = |db: Database| -> Running {
        Box::pin(async move {
            One::save_all([1, 2].map(|user| One { user, points: 10 }), &db).await?;
            Ok(())
        })
    };
    first
        .load(
            Parts { tables: Some(one), ready: Some(save), ..Parts::default() },
            config("game", "1.8.0", "use_db"),
        )
        .await
        .unwrap();
    let log = Log::default();
    let check = |db: Database| -> Running {
        Box::pin(async move {
            assert_eq!(rows(&db).await, [(1, 20), (2, 20)]);
            Ok(())
        })
    };
    let new = || Parts {
        log: Arc::clone(&log),
        tables: Some(two),
        steps: Some(steps),
        ready: Some(check),
        ..Parts::default()
    };
    first.update(new(), config("game", "1.10.0", "use_db")).await.unwrap();
    assert_eq!(logged(&log), ["load true", "ready profiles"]);
    let error = first.update(Parts::default(), config("game", "1.9.5", "use_db")).await.unwrap_err();
    assert!(matches!(error, ModuleError::Backwards { .. }), "{error}");
    first.close().await;
    // Started anew, it finds what was recorded.
    let second = loader(&file).await;
    second.load(new(), config("game", "1.10.0", "use_db")).await.unwrap();
    second.close().await;
    // The old version does not know what the database has become.
    let third = loader(&file).await;
    let old = Parts { tables: Some(one), ..Parts::default() };
    let error = third.load(old, config("game", "1.8.0", "use_db")).await.unwrap_err();
    assert!(error.to_string().contains("this program has no such step"), "{error}");
    third.close().await;
}

#[tokio::test]
async fn an_update_that_fails_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let loader = loader(&folder.path().join("guild")).await;
    let log = Log::default();
    let seen = |db: Database| -> Running {
        Box::pin(async move {
            if One::count(&db).await? == 0 {
                One::save_all([1, 2].map(|user| One { user, points: 10 }), &db).await?;
            }
            let points: Vec<i64> = One::find(&db).all().await?.iter().map(|row| row.points).collect();
            assert_eq!(points, [10, 10]);
            Ok(())
        })
    };
    let old = Parts { log: Arc::clone(&log), tables: Some(one), ready: Some(seen), ..Parts::default() };
    loader.load(old, config("game", "1.8.0", "use_db")).await.unwrap();
    logged(&log);

    // The hook fails after both steps were applied.
    let ready = |db: Database| -> Running {
        Box::pin(async move {
            Two { user: 3, score: 0, level: 0 }.save(&db).await?;
            Err("it does not like what it sees".into())
        })
    };
    let new = Parts { tables: Some(two), steps: Some(steps), ready: Some(ready), ..Parts::default() };
    let error = loader.update(new, config("game", "1.10.0", "use_db")).await.unwrap_err();
    assert_eq!(error.to_string(), "on_db_ready of module game failed: it does not like what it sees");
    assert_eq!(
        logged(&log),
        ["unload", "load true", "ready profiles"],
        "the old version runs again, on its own rows"
    );

    // A step fails, after another was applied.
    let failing = || {
        let mut steps = steps();
        steps.push(Step::new("1.11.0", "bad").table("profiles", |table| table.drop("user")));
        steps
    };
    let new = Parts { tables: Some(two), steps: Some(failing), ..Parts::default() };
    let error = loader.update(new, config("game", "1.11.0", "use_db")).await.unwrap_err();
    assert!(error.to_string().contains("a field of the key can't be dropped"), "{error}");
    assert_eq!(logged(&log), ["unload", "load true", "ready profiles"]);

    // A step panics in the midst of the rows; the list of steps itself panics.
    let panics = || {
        let touch = |row: &mut discobase_core::RowChange<'_>| {
            if row.get::<u64>("user")? == 2 {
                panic!("no such luck");
            }
            row.set("score", 0_i64)
        };
        let mut steps = steps();
        steps.push(Step::new("1.11.0", "bad").each("profiles", "all but one", touch));
        steps
    };
    let new = Parts { tables: Some(two), steps: Some(panics), ..Parts::default() };
    let error = loader.update(new, config("game", "1.11.0", "use_db")).await.unwrap_err();
    let told = "the migration step 1.11.0 (bad) failed at change 1 (each row of profiles: all but one), and the database is \
                as before: it panicked: no such luck";
    assert!(error.to_string().contains(told), "{error}");
    assert_eq!(logged(&log), ["unload", "load true", "ready profiles"]);
    let new = Parts { tables: Some(two), steps: Some(|| panic!("no steps today")), ..Parts::default() };
    let error = loader.update(new, config("game", "1.11.0", "use_db")).await.unwrap_err();
    assert!(error.to_string().contains("no steps today"), "{error}");
    assert_eq!(logged(&log), ["unload", "load true", "ready profiles"]);
    let status = loader.status();
    assert_eq!(status[0].version, "1.8.0".parse().unwrap());
    assert!(matches!(status[0].state, ModuleState::Running));
    loader.close().await;
}

/// What an old version writes when it is stopped is no part of the update.
#[tokio::test]
async fn what_the_old_version_writes_last_outlives_an_update_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let loader = loader(&folder.path().join("guild")).await;
    let last = |db: Database| -> Running {
        Box::pin(async move {
            One { user: 7, points: 7 }.save(&db).await?;
            Ok(())
        })
    };
    let old = Parts { tables: Some(one), unload: Some(last), ..Parts::default() };
    loader.load(old, config("game", "1.8.0", "use_db")).await.unwrap();
    let fails = |_: Database| -> Running { Box::pin(async { Err("not today".into()) }) };
    let new = Parts { tables: Some(two), steps: Some(steps), ready: Some(fails), ..Parts::default() };
    let error = loader.update(new, config("game", "1.10.0", "use_db")).await.unwrap_err();
    assert!(error.to_string().contains("not today"), "{error}");
    let db = loader.database("game").unwrap();
    assert_eq!(One::get(&db, 7).await.unwrap().unwrap().points, 7);
    loader.close().await;
}

/// Whether the module that this is about works just now.
static BROKEN: AtomicBool = AtomicBool::new(false);

#[tokio::test]
async fn a_module_that_can_not_come_back_is_disabled_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let loader = loader(&folder.path().join("guild")).await;
    let log = Log::default();
    let perhaps = |_: Database| -> Running {
        Box::pin(async {
            match BROKEN.load(Ordering::SeqCst) {
                true => Err("broken".into()),
                false => Ok(()),
            }
        })
    };
    let old = Parts { log: Arc::clone(&log), tables: Some(one), ready: Some(perhaps), ..Parts::default() };
    loader.load(old, config("game", "1.8.0", "use_db")).await.unwrap();
    One { user: 1, points: 10 }.save(&loader.database("game").unwrap()).await.unwrap();
    BROKEN.store(true, Ordering::SeqCst);
    logged(&log);
    let new = || Parts { tables: Some(two), steps: Some(steps), ready: Some(perhaps), ..Parts::default() };
    let error = loader.update(new(), config("game", "1.10.0", "use_db")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the update of module game failed (on_db_ready of module game failed: broken), and so did bringing it back \
         (on_db_ready of module game failed: broken); it is disabled"
    );
    assert_eq!(
        logged(&log),
        ["unload", "load true", "ready profiles", "unload"],
        "what was loaded is unloaded"
    );
    assert!(matches!(state(&loader, "game"), ModuleState::Disabled(ModuleError::NotRestored { .. })));
    assert!(loader.database("game").is_none());
    // Of a module that does not run, too, an update that fails changes nothing.
    let error = loader.update(new(), config("game", "1.10.0", "use_db")).await.unwrap_err();
    assert!(matches!(error, ModuleError::Hook { hook: "on_db_ready", .. }), "{error}");
    assert!(matches!(loader.reload("game").await.unwrap_err(), ModuleError::Hook { .. }));
    BROKEN.store(false, Ordering::SeqCst);
    loader.reload("game").await.unwrap();
    let db = loader.database("game").unwrap();
    assert_eq!(One::get(&db, 1).await.unwrap().unwrap().points, 10);
    loader.close().await;
}

/// A module whose hook uses the loader.
struct Asks {
    loader: ModuleLoader,
    hangs: bool,
}

impl Module for Asks {
    async fn on_load(&self, _: Option<Database>) -> Hook {
        let other = self.loader.database("other").ok_or("no database of another module")?;
        One { user: 1, points: 1 }.save(&other).await?;
        self.loader.reload("other").await?;
        assert!(matches!(state(&self.loader, "asks"), ModuleState::Changing));
        let error = self.loader.unload("asks").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "module asks is being changed already: wait until it is loaded, updated or unloaded"
        );
        match self.hangs {
            true => std::future::pending().await,
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn hooks_use_the_loader_and_one_that_hangs_holds_up_no_other_module() {
    let folder = tempfile::tempdir().unwrap();
    let loader = loader(&folder.path().join("guild")).await;
    let plain = || Parts { tables: Some(one), ..Parts::default() };
    loader.load(plain(), config("other", "1.0.0", "use_db")).await.unwrap();
    loader.load(Asks { loader: loader.clone(), hangs: false }, config("asks", "1.0.0", "")).await.unwrap();
    loader.unload("asks").await.unwrap();
    One::get(&loader.database("other").unwrap(), 1).await.unwrap().unwrap().delete().await.unwrap();

    let hangs = Asks { loader: loader.clone(), hangs: true };
    loader.limit_hooks(Duration::from_secs(5));
    let asks = loader.clone();
    let loading = tokio::spawn(async move { asks.load(hangs, config("asks", "1.0.0", "")).await });
    while loader.status().len() < 2 {
        tokio::task::yield_now().await;
    }
    loader.load(plain(), config("third", "1.0.0", "use_db")).await.unwrap();
    assert!(matches!(state(&loader, "third"), ModuleState::Running));
    let error = loading.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "on_load of module asks failed: it did not end within 5s");
    assert!(matches!(state(&loader, "asks"), ModuleState::Disabled(_)));
    loader.close().await;
}

#[tokio::test]
async fn what_nobody_waits_for_goes_to_its_end_and_closing_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let loader = loader(&folder.path().join("guild")).await;
    let log = Log::default();
    let parts = Parts { log: Arc::clone(&log), tables: Some(one), ..Parts::default() };
    let nobody = loader.load(parts, config("game", "1.0.0", "use_db"));
    tokio::time::timeout(Duration::ZERO, nobody).await.unwrap_err();
    tokio::time::timeout(Duration::from_secs(100), loader.close()).await.expect("what was begun ends");
    assert_eq!(logged(&log), ["load true", "ready profiles", "unload"]);
    let error = loader.load(Parts::default(), config("game", "1.0.0", "require_db")).await.unwrap_err();
    assert!(error.to_string().contains("the loader of modules was closed"), "{error}");
}

/// The modules of a bot have one connection, and one of them is updated while the other goes on.
#[tokio::test]
async fn modules_on_discord_share_a_connection() {
    let guild = LocalGuild::builder().limits(discobase_guild::Limits::unlimited()).start().await.unwrap();
    let mut discord = TwilightConfig::new(guild.token());
    discord.api = guild.api().parse().unwrap();
    let bot = format!("enable-db: true\ndb-url: discord://{}\n", guild.guild_id());
    let loader = ModuleLoader::with_discord(BotConfig::parse(&bot).unwrap(), discord).await.unwrap();
    let plain = || Parts { tables: Some(one), ..Parts::default() };
    let [first, second] =
        ["first", "second"].map(|name| loader.load(plain(), config(name, "1.8.0", "use_db")));
    let (first, second) = tokio::join!(first, second);
    first.and(second).unwrap();
    let other = loader.database("second").unwrap();
    One { user: 1, points: 1 }.save(&other).await.unwrap();
    One { user: 2, points: 10 }.save(&loader.database("first").unwrap()).await.unwrap();
    let fails = |_: Database| -> Running { Box::pin(async { Err("not today".into()) }) };
    let new = |ready| Parts { tables: Some(two), steps: Some(steps), ready, ..Parts::default() };
    loader.update(new(Some(fails)), config("first", "1.10.0", "use_db")).await.unwrap_err();
    let db = loader.database("first").unwrap();
    assert_eq!(One::get(&db, 2).await.unwrap().unwrap().points, 10);
    loader.update(new(None), config("first", "1.10.0", "use_db")).await.unwrap();
    assert_eq!(rows(&loader.database("first").unwrap()).await, [(2, 20)]);
    One { user: 3, points: 1 }.save(&other).await.unwrap();
    assert_eq!(One::count(&other).await.unwrap(), 2);
    loader.close().await;
    assert!(!other.is_open());
    guild.stop().await;
}

#[test]
fn configs_are_read_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, "name: a\nversion: 1.0.0\npermissions: [require_db]\ncolour: red\n").unwrap();
    assert_eq!(ModuleConfig::read(&file).unwrap(), config("a", "1.0.0", "require_db"));
    std::fs::write(&file, "enable-db: true\ndb-url: local:bot.guild\n").unwrap();
    let bot = BotConfig::read(&file).unwrap();
    assert_eq!((bot.enable_db, bot.db_url.unwrap().to_string()), (true, "local:bot.guild".to_owned()));
}

#[test]
fn configs_say_what_is_wrong_and_where() {
    for (text, parts) in [
        ("name: a\nversion: 1.0\n", ["line 2", "no semantic version"]),
        ("name: a b\nversion: 1.0.0\n", ["line 1", "is no name of a module"]),
        ("version: 1.0.0\n", ["missing field", "name"]),
        ("name: a\nversion: 1.0.0\npermissions: [use_bd]\n", ["line 3", "use_bd"]),
        ("name: a\nversion: [1]\n", ["line 2", "version"]),
        ("name: \"a\nversion: 1.0.0\n", ["line", "the module's config"]),
    ] {
        let error = ModuleConfig::parse(text).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }
    for (text, parts) in [
        ("enable-db: true\ndb-url: sqlite:///x\n", ["line 2", "write discord://GUILD or local:PATH"]),
        ("enable-db: true\ndb-url: discord://shop\n", ["line 2", "no id of a guild"]),
        ("enable-db: perhaps\n", ["line 1", "bool"]),
    ] {
        let error = BotConfig::parse(text).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }
    let error = BotConfig::read("/nowhere/config.yaml").unwrap_err();
    assert!(error.to_string().contains("/nowhere/config.yaml"), "{error}");
}

#[tokio::test]
async fn a_bot_on_discord_needs_a_token() {
    let bot = BotConfig::parse("enable-db: true\ndb-url: discord://1234567890\n").unwrap();
    let error = ModuleLoader::new(bot, None).await.unwrap_err();
    assert!(error.to_string().contains("needs the bot's token"), "{error}");
}

//! What is logged, at the most talkative level, with all that the libraries below say: no token and no value of a row.
#![expect(clippy::unwrap_used, reason = "a test fails where it goes wrong")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use discobase::{Database, EncryptionKey, ErrorKind, Table};

use discobase_guild::{Action, Limit, LocalGuild, Rate, Rule};
use tracing_subscriber::fmt::format::FmtSpan;

#[derive(Debug, Clone, Table)]
#[table(name = "diaries")]
struct Diary {
    #[table(key)]
    author: u64,
    #[table(unique, max_len = 100)]
    title: String,
    text: String,
}

/// Values that occur nowhere by chance.
const AUTHOR: u64 = 7_231_905_550_173_386_421;
const TITLE: &str = "Xylophone-Nights";
const TEXT: &str = "Quiescent-Zephyr";

impl Diary {
    fn new(author: u64, title: &str) -> Self {
        Self { author, title: title.to_owned(), text: TEXT.to_owned() }
    }
}

/// What was logged so far.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn says(&self, what: &str) -> bool {
        String::from_utf8_lossy(&self.0.lock().unwrap()).contains(what)
    }
}

/// What is logged of a message that somebody else wrote.
const STRANGER: &str = "discobase::journal: somebody wrote into the journal";

/// Waits until something holds that the gateway has a part in.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let start = tokio::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const POST: &str = "/channels/{channel}/messages";

/// All there is to be logged about: saving, failing, being limited, losing answers, hearing of others, opening again.
async fn busy_day(guild: &LocalGuild, log: &Log) {
    let db = Database::new("diary");
    db.table::<Diary>().unwrap();
    db.connect_guild(guild).await.unwrap();
    let mut diary = Diary::new(AUTHOR, TITLE).save(&db).await.unwrap();
    diary.text = format!("{TEXT}, continued");
    diary.update().await.unwrap();
    // Their errors name the key, and nobody is there to hear them.
    drop(Diary::new(AUTHOR, "other").save(&db).background());
    drop(Diary::new(1, TITLE).save(&db).background());
    // One has failed before it is dropped.
    let failed = Diary::new(AUTHOR, "late").save(&db).background();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(failed);
    // Whoever awaits an error has heard of it.
    let heard = Diary::new(AUTHOR, "heard").save(&db).background().await.unwrap_err();
    assert_eq!(heard.kind(), ErrorKind::DuplicateKey);
    let error = Diary::new(2, &TITLE.repeat(10)).save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLong);
    for action in [
        Action::TooManyRequests { limit: Limit::User, retry_after: 0.1 },
        Action::LoseReply,
        Action::LoseRequest,
        Action::AutoMod,
        Action::ServerError { status: 502, executed: true },
    ] {
        guild.faults().push(Rule::new(action).on("POST", POST));
        diary.text.push('.');
        diary.update().await.unwrap();
    }
    // One that needs an attachment.
    let many = (10..2_000).map(|author| Diary::new(author, &format!("{TITLE} {author}")));
    Diary::save_all(many, &db).await.unwrap();
    // Whoever is not there yet hears nothing, and nor does one that has to begin anew.
    let post = || guild.post_as(guild.owner_id(), db.journal().unwrap().get(), "hello").unwrap();
    until("the gateway is there", || guild.sessions() > 0).await;
    post();
    until("the message is heard of", || log.says(STRANGER)).await;
    post();
    guild.drop_sockets();
    tokio::time::sleep(Duration::from_millis(500)).await;
    diary.delete().await.unwrap();
    db.close().await.unwrap();

    db.connect_guild(guild).await.unwrap();
    assert_eq!(Diary::count(&db).await.unwrap(), 1_990);
    db.close().await.unwrap();
}

const PASSPHRASE: &str = "Mauve-Giraffe-Telescope";

fn raw_key() -> EncryptionKey {
    EncryptionKey::from_bytes(std::array::from_fn(|at| 0xc0 + at as u8))
}

/// Keys as they could be shown: in hexadecimal, in Base64, as numbers, as they are.
const KEYS: [&str; 5] = ["c0c1c2c3", "C0C1C2C3", "wMHCw8TF", "192, 193, 194", PASSPHRASE];

/// Encrypted databases, opened with the right key, a wrong one, and none; and what is said about it.
async fn encrypted_day(guild: &LocalGuild) -> String {
    let passphrase = || EncryptionKey::passphrase_with(PASSPHRASE, 8, 1);
    let mut said = format!("{:?} {:#?} {:?}", raw_key(), passphrase(), passphrase().export());
    for (name, key) in [("raw", raw_key()), ("passphrase", passphrase())] {
        let db = Database::builder(name).encryption(key.clone()).build();
        db.table::<Diary>().unwrap();
        db.connect_guild(guild).await.unwrap();
        Diary::new(AUTHOR, TITLE).save(&db).await.unwrap();
        said += &format!("{db:?} {:#?}", db.guild());
        db.close().await.unwrap();
        for wrong in [raw_key(), passphrase(), EncryptionKey::from_bytes([7; 32])] {
            let db = Database::builder(name).encryption_from(move || Ok(wrong.clone())).build();
            match db.connect_guild(guild).await {
                Ok(()) => db.close().await.unwrap(),
                Err(error) => said += &format!("{error} {error:?} {error:#?}"),
            }
        }
        said += &Database::new(name).connect_guild(guild).await.unwrap_err().to_string();
    }
    let text = raw_key().export().unwrap();
    for slip in [&text[1..], &format!("{text}0"), &text.replace("d0", "xy")] {
        let error = slip.parse::<EncryptionKey>().unwrap_err();
        said += &format!("{error} {error:?}");
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_and_no_value_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        // The local guild is in this process too, and what its sockets hear is on Discord's side of the world.
        .with_env_filter("trace,tungstenite=off,tokio_tungstenite=off")
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let limits = discobase_guild::Limits {
        message_create: Some(Rate { count: 1_000, window_ms: 5_000 }),
        ..discobase_guild::Limits::unlimited()
    };
    let guild = LocalGuild::builder().limits(limits).start().await.unwrap();
    busy_day(&guild, &log).await;
    let said = encrypted_day(&guild).await;
    let token = guild.token().to_owned();
    guild.stop().await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for key in KEYS {
        assert!(!log.contains(key) && !said.contains(key), "the key {key} is told");
    }
    // What was done has left traces, ours and those of the libraries below.
    for expected in [
        "discobase::engine: the database is open",
        "connect{database=diary}",
        "frame{first=",
        "discobase::engine: a frame is durable",
        "table diaries",
        "discobase::transport: answered",
        "discobase::transport: no answer, trying again",
        "discobase::transport: 429: too many requests",
        STRANGER,
        "discobase::engine: the database is closed",
        "TRACE",
        "hyper",
        "twilight_gateway",
    ] {
        assert!(log.contains(expected), "nothing says {expected:?}");
    }
    let lost = log.matches("discobase::engine: a write in the background failed").count();
    assert_eq!(lost, 3, "each is told once");
    let author = AUTHOR.to_string();
    let secret = token.rsplit('.').next().unwrap();
    for private in [&*token, secret, TITLE, TEXT, &author] {
        let line = log.lines().find(|line| line.contains(private));
        assert!(line.is_none(), "{private:?} is logged: {}", line.unwrap_or_default());
    }
}

/// The files of Rust below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Whether a text is the name of something that is counted.
fn is_number(text: &str) -> bool {
    let unit = ["_total", "_seconds", "_commits"].iter().any(|unit| text.ends_with(unit));
    unit && text.starts_with("discobase_") && !text.contains(char::is_whitespace)
}

/// Whoever filters logs or draws graphs relies on names, so each is in the guide, and none is left to chance.
#[test]
fn every_name_is_in_the_guide() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(root.join("docs/guide/08-observability.md")).unwrap();
    let (mut missing, mut events) = (Vec::new(), 0);
    for path in sources(&root.join("discobase-core/src")) {
        let source = fs::read_to_string(&path).unwrap();
        let mut missed = |what: &str| missing.push(format!("{}: {what}", path.display()));
        for macro_name in ["error!(", "warn!(", "info!(", "debug!(", "trace!("] {
            for (at, _) in source.match_indices(macro_name) {
                events += 1;
                let rest: String = source[at..].chars().take(120).collect();
                let mut quoted = rest.split('"');
                let (before, name, between, target) = (
                    quoted.next().unwrap(),
                    quoted.next().unwrap_or(""),
                    quoted.next().unwrap_or(""),
                    quoted.next(),
                );
                if !before.ends_with("name: ") || !between.ends_with("target: ") {
                    missed(&format!("an event without name and target: {rest}"));
                } else if !guide.contains(&format!("`{name}`"))
                    || !guide.contains(&format!("`{}`", target.unwrap_or("")))
                {
                    missed(&format!("the guide lacks the event {name}"));
                }
            }
        }
        for name in source.split('"').filter(|text| is_number(text)) {
            if !guide.contains(&format!("`{name}`")) {
                missed(&format!("the guide lacks the number {name}"));
            }
        }
    }
    assert!(events > 20, "only {events} events were found");
    assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
}

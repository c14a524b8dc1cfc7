//! Checkpoints over time: with a key, with followers, with old messages, with files that were exchanged.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use discobase::transport::twilight::{TwilightConfig, TwilightTransport};
use discobase::transport::{NewAttachment, NewMessage, Transport as _};
use discobase::{ChannelId, Database, DatabaseBuilder, EncryptionKey, ErrorKind, MessageId, Table};
use discobase_guild::{Action, Clock, LocalGuild, Rule, SystemClock};

use crate::following::{connected, deaf, follower, rows, same, until};
use crate::support::{Place, limits};
use crate::tables::User;

crate::in_process!(
    an_encrypted_database_is_opened_from_its_checkpoint,
    the_key_may_come_from_the_environment,
    an_exchanged_segment_is_named,
    an_exchanged_segment_of_an_encrypted_database_is_named,
    a_follower_stays_while_the_journal_is_trimmed,
    a_follower_that_was_away_loads_what_was_trimmed,
);

/// Writes checkpoints only when told to, and trims at once.
fn manual(builder: DatabaseBuilder) -> DatabaseBuilder {
    builder.checkpoint_every(u64::MAX, u64::MAX).trim_after(Duration::ZERO, Duration::from_millis(50))
}

async fn open(place: &Place, key: Option<EncryptionKey>) -> Database {
    let builder = manual(place.builder());
    connected(place, key.into_iter().fold(builder, DatabaseBuilder::encryption)).await
}

fn key(byte: u8) -> EncryptionKey {
    EncryptionKey::from_bytes([byte; 32])
}

async fn save(db: &Database, ids: std::ops::Range<u64>) {
    for id in ids {
        User::new(id, &format!("name {id}"), 1).save(db).await.unwrap();
    }
}

/// Waits until only the checkpoint's frame is left in the journal.
async fn trimmed(guild: &LocalGuild, db: &Database) {
    let journal = db.journal().unwrap().get();
    let left = || guild.with_state(|state, _| state.messages_in(journal).count());
    until("the journal is trimmed", || async { left() == 1 }).await;
}

async fn an_encrypted_database_is_opened_from_its_checkpoint(place: &Place) {
    let db = open(place, Some(key(1))).await;
    save(&db, 0..40).await;
    db.checkpoint().await.unwrap();
    trimmed(place.local(), &db).await;
    save(&db, 40..50).await;
    let before = rows(&db).await;
    db.close().await.unwrap();

    let db = open(place, Some(key(1))).await;
    assert_eq!(rows(&db).await, before);
    save(&db, 50..51).await;
    db.close().await.unwrap();
    for (builder, kind) in [
        (place.builder().encryption(key(2)), ErrorKind::WrongKey),
        (place.builder().unencrypted(), ErrorKind::KeyMissing),
    ] {
        let db = builder.build();
        db.table::<User>().unwrap();
        assert_eq!(place.connect(&db).await.unwrap_err().kind(), kind);
    }
}

/// The variables that tell [`opened_in_a_child`] what to open.
const CHILD: [&str; 3] = ["DISCOBASE_TEST_API", "DISCOBASE_TEST_TOKEN", "DISCOBASE_TEST_NAME"];

async fn the_key_may_come_from_the_environment(place: &Place) {
    let db = open(place, Some(key(7))).await;
    save(&db, 0..3).await;
    db.close().await.unwrap();
    let (api, token, name) = (place.local().api().to_owned(), place.token().to_owned(), place.name.clone());
    let child = move |key: Option<String>| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--ignored", "--exact", "--nocapture", "upkeep::opened_in_a_child"]);
        child.envs(CHILD.iter().zip([&api, &token, &name]));
        child.env_remove("DISCOBASE_KEY").envs(key.map(|key| ("DISCOBASE_KEY", key)));
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let found =
            said.lines().find_map(|line| line.split_once("found: ")).map(|(_, found)| found.to_owned());
        found.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)))
    };
    let found = tokio::task::spawn_blocking(move || {
        [key(7).export(), key(8).export(), None, Some("secret".to_owned())].map(child)
    });
    assert_eq!(found.await.unwrap(), ["3 rows", "WrongKey", "KeyMissing", "Invalid"]);
}

/// What a process finds whose key, if it has one, is in its environment.
#[tokio::test]
#[ignore = "another test runs it in a process of its own"]
async fn opened_in_a_child() {
    let [api, token, name] = CHILD.map(|variable| std::env::var(variable).unwrap());
    let db = Database::builder(name).timing(0, 0, 60_000).api(api.parse().unwrap()).build();
    db.table::<User>().unwrap();
    match db.connect(token.as_str()).await {
        Ok(()) => println!("found: {} rows", User::count(&db).await.unwrap()),
        Err(error) => println!("found: {:?}", error.kind()),
    }
}

/// Whoever has the bot's token can put another file into a segment's message: another segment, or an older one.
async fn exchanged(place: &Place, key: Option<EncryptionKey>) {
    let db = open(place, key.clone()).await;
    save(&db, 0..200).await;
    db.checkpoint().await.unwrap();
    save(&db, 200..210).await;
    db.checkpoint().await.unwrap();
    trimmed(place.local(), &db).await;
    let guild = place.local();
    let (channel, segments) = guild.with_state(|state, _| {
        let table = state.channels_of(guild.guild_id()).find(|channel| channel.name == "users").unwrap().id;
        (ChannelId::new(table), state.messages_in(table).map(|message| message.id).collect::<Vec<_>>())
    });
    let [first, second] = segments[..] else { panic!("{segments:?}: two runs, a file each") };
    db.close().await.unwrap();

    let mut config = TwilightConfig::new(place.token());
    config.api = guild.api().parse().unwrap();
    let transport = TwilightTransport::new(config).unwrap();
    let message = transport.message(channel, MessageId::new(second)).await.unwrap();
    let bytes = transport.download(&message.attachments[0]).await.unwrap();
    let attachments = vec![NewAttachment { filename: "another.seg".to_owned(), bytes }];
    let content = NewMessage { content: message.content, attachments, nonce: None };
    transport.edit(channel, MessageId::new(first), content).await.unwrap();
    transport.shutdown().await;

    let builder = key.into_iter().fold(manual(place.builder()), DatabaseBuilder::encryption);
    let db = builder.build();
    db.table::<User>().unwrap();
    let error = place.connect(&db).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Tampered), "{error}");
    assert_eq!(error.place().table.as_deref(), Some("users"), "{error}");
    assert_eq!(error.place().channel, Some(channel), "{error}");
    assert_eq!(error.place().message, Some(MessageId::new(first)), "{error}");
}

async fn an_exchanged_segment_is_named(place: &Place) {
    exchanged(place, None).await;
}

async fn an_exchanged_segment_of_an_encrypted_database_is_named(place: &Place) {
    exchanged(place, Some(key(1))).await;
}

async fn a_follower_stays_while_the_journal_is_trimmed(place: &Place) {
    let owner = open(place, None).await;
    save(&owner, 0..20).await;
    let follower = follower(place).await;
    for round in 1..4 {
        owner.checkpoint().await.unwrap();
        trimmed(place.local(), &owner).await;
        save(&owner, round * 20..round * 20 + 5).await;
        same(&owner, &follower).await;
        let lag = follower.lag().unwrap();
        assert!(lag.trouble.is_none(), "{:?}", lag.trouble);
    }
    assert_eq!(rows(&follower).await.len(), 35);
    follower.close().await.unwrap();
    owner.close().await.unwrap();
}

/// One that hears nothing, and reads again only when what followed its tip is gone.
async fn a_follower_that_was_away_loads_what_was_trimmed(place: &Place) {
    let owner = connected(place, manual(place.builder()).timing(0, 0, 20_000)).await;
    save(&owner, 0..3).await;
    let follower = deaf(place).await;
    save(&owner, 3..9).await;
    User::get(&owner, 1_u64).await.unwrap().unwrap().delete().await.unwrap();
    owner.checkpoint().await.unwrap();
    trimmed(place.local(), &owner).await;
    assert_eq!(User::count(&follower).await.unwrap(), 3, "it has not read again yet");
    save(&owner, 9..10).await;
    same(&owner, &follower).await;
    assert_eq!(rows(&follower).await.len(), 9);
    assert!(follower.lag().unwrap().trouble.is_none());
    follower.close().await.unwrap();
    owner.close().await.unwrap();
}

/// The machine's clock, moved forward.
pub(crate) struct Later(pub(crate) AtomicU64);

impl Clock for Later {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms() + self.0.load(Ordering::Relaxed)
    }
}

/// Discord deletes no message of more than two weeks together with others, and a request that it refuses counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_messages_are_deleted_one_by_one() {
    let clock = Arc::new(Later(AtomicU64::new(0)));
    let guild = LocalGuild::builder().limits(limits()).clock(Arc::clone(&clock)).start().await.unwrap();
    let db = manual(Database::builder("old").timing(0, 0, 60_000)).build();
    db.table::<User>().unwrap();
    db.connect_guild(&guild).await.unwrap();
    save(&db, 0..10).await;
    clock.0.store(15 * 24 * 60 * 60 * 1_000, Ordering::Relaxed);
    let together =
        Rule::new(Action::LoseReply).on("POST", "/channels/{channel}/messages/bulk-delete").times(9);
    guild.faults().push(together.clone());
    let singly =
        Rule::new(Action::DelayReply { ms: 0 }).on("DELETE", "/channels/{channel}/messages/{message}");
    guild.faults().push(singly.times(10_000));
    save(&db, 10..11).await;
    db.checkpoint().await.unwrap();
    trimmed(&guild, &db).await;
    let pending = guild.faults().pending();
    assert!(pending.contains(&together), "old messages were to be deleted together");
    let deleted = 10_000 - pending.iter().find(|rule| rule.times > 9).unwrap().times;
    assert!(deleted >= 12, "the genesis, the open and the frames: {deleted}");
    db.close().await.unwrap();

    let db = manual(Database::builder("old").timing(0, 0, 60_000)).build();
    db.table::<User>().unwrap();
    db.connect_guild(&guild).await.unwrap();
    assert_eq!(User::count(&db).await.unwrap(), 11);
    db.close().await.unwrap();
}

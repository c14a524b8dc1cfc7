//! Changing the key of a database: from one to another, to one and to none, and interrupted at any point.

use std::collections::BTreeMap;
use std::time::Duration;

use discobase::{Database, EncryptionKey, Error, ErrorKind, Role, Table};
use discobase_guild::state::NewChannel;
use discobase_guild::{Action, LocalGuild, Rule};

use crate::encryption::{SECRETS, found, write_secrets};
use crate::following::until;
use crate::support::Place;
use crate::tables::User;

crate::in_process!(
    a_rotated_key_opens_and_the_old_one_does_not,
    a_clear_database_becomes_encrypted_and_clear_again,
    commits_go_on_while_the_key_is_rotated,
    an_interrupted_rotation_leaves_the_old_key,
    checkpoints_are_sealed,
    an_empty_database_can_be_rotated,
    a_follower_without_the_new_key_says_so_and_never_takes_over,
    a_journal_that_lost_under_a_lost_key_is_passed_over,
);

fn key(byte: u8) -> Option<EncryptionKey> {
    Some(EncryptionKey::from_bytes([byte; 32]))
}

/// A database that trims at once, and writes a checkpoint only when told to.
fn database(place: &Place, key: Option<EncryptionKey>) -> Database {
    let builder = place.builder().checkpoint_every(u64::MAX, u64::MAX);
    let builder = builder.trim_after(Duration::ZERO, Duration::from_millis(50));
    let builder = match key {
        Some(key) => builder.encryption(key),
        None => builder.unencrypted(),
    };
    let db = builder.build();
    db.table::<User>().unwrap();
    db
}

async fn open(place: &Place, key: Option<EncryptionKey>) -> Database {
    let db = database(place, key);
    place.connect(&db).await.unwrap();
    db
}

async fn error_of(place: &Place, key: Option<EncryptionKey>) -> Error {
    place.connect(&database(place, key)).await.unwrap_err()
}

async fn rows(db: &Database) -> BTreeMap<u64, (String, i64)> {
    let rows = User::find(db).all().await.unwrap();
    rows.iter().map(|row| (row.id, (row.name.clone(), row.points))).collect()
}

async fn fill(db: &Database, ids: std::ops::Range<u64>) {
    User::save_all(ids.map(|id| User::new(id, &format!("user {id}"), 1)), db).await.unwrap();
}

async fn a_rotated_key_opens_and_the_old_one_does_not(place: &Place) {
    let db = open(place, key(1)).await;
    fill(&db, 0..300).await;
    db.checkpoint().await.unwrap();
    User::get(&db, 5_u64).await.unwrap().unwrap().delete().await.unwrap();
    db.rotate_key(key(2)).await.unwrap();
    User::new(1_000, "after", 1).save(&db).await.unwrap();
    let before = rows(&db).await;
    assert_eq!(before.len(), 300);
    db.close().await.unwrap();

    assert_eq!(error_of(place, key(1)).await.kind(), ErrorKind::WrongKey);
    assert_eq!(error_of(place, None).await.kind(), ErrorKind::KeyMissing);
    let again = open(place, key(2)).await;
    assert_eq!(rows(&again).await, before);
    User::new(1_001, "later", 1).save(&again).await.unwrap();
    again.checkpoint().await.unwrap();
    again.close().await.unwrap();
    // The database whose key was rotated knows the new one.
    place.connect(&db).await.unwrap();
    assert_eq!(rows(&db).await.len(), 301);
    db.close().await.unwrap();
}

async fn a_clear_database_becomes_encrypted_and_clear_again(place: &Place) {
    let builder = || place.builder().trim_after(Duration::ZERO, Duration::from_millis(50));
    write_secrets(place, &builder().unencrypted().build()).await;
    let db = open(place, None).await;
    fill(&db, 0..10).await;
    db.rotate_key(key(1)).await.unwrap();
    let before = rows(&db).await;
    // What was clear goes by and by.
    let mut left = Vec::new();
    for _ in 0..200 {
        left = found(place, &SECRETS).await;
        if left.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(left, Vec::<String>::new(), "trimming leaves nothing readable");
    db.close().await.unwrap();
    assert_eq!(error_of(place, None).await.kind(), ErrorKind::KeyMissing);

    let db = open(place, key(1)).await;
    assert_eq!(rows(&db).await, before);
    db.rotate_key(None).await.unwrap();
    User::new(77, "clear", 1).save(&db).await.unwrap();
    db.close().await.unwrap();
    assert_eq!(error_of(place, key(1)).await.kind(), ErrorKind::NotEncrypted);
    let db = open(place, None).await;
    assert_eq!(rows(&db).await.len(), 11);
    db.close().await.unwrap();
}

async fn commits_go_on_while_the_key_is_rotated(place: &Place) {
    let db = open(place, key(1)).await;
    fill(&db, 0..2_000).await;
    let writer = {
        let db = db.clone();
        tokio::spawn(async move {
            for id in 10_000..10_200 {
                User::new(id, &format!("user {id}"), 1).save(&db).await.unwrap();
                User::get(&db, id - 10_000).await.unwrap().unwrap().delete().await.unwrap();
            }
        })
    };
    for byte in 2..6 {
        db.rotate_key(key(byte)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    writer.await.unwrap();
    let before = rows(&db).await;
    assert_eq!(before.len(), 2_000);
    drop(db);
    let db = open(place, key(5)).await;
    assert_eq!(rows(&db).await, before);
    db.close().await.unwrap();
}

async fn an_interrupted_rotation_leaves_the_old_key(place: &Place) {
    let db = open(place, key(1)).await;
    fill(&db, 0..50).await;
    let table = place.local().with_state(|state, _| {
        let channels: Vec<_> = state.channels_of(place.local().guild_id()).collect();
        channels.iter().find(|channel| channel.name == "users").unwrap().id
    });
    let before = rows(&db).await;
    // No segment can be uploaded: nothing has changed, and writing goes on.
    place.forbid(discobase::ChannelId::new(table), discobase_guild::state::permission::SEND_MESSAGES);
    let error = db.rotate_key(key(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingPermissions, "{error}");
    User::new(50, "after", 1).save(&db).await.unwrap();
    place.forbid(discobase::ChannelId::new(table), 0);
    // The process dies while the key is rotated, at any point.
    for wait in [0, 5, 20, 60] {
        let rotating = tokio::time::timeout(Duration::from_millis(wait), db.rotate_key(key(2))).await;
        if rotating.is_ok() {
            break;
        }
    }
    drop(db);
    let db = match place.connect(&database(place, key(1))).await {
        Ok(()) => return finish_interrupted(place, key(1), before).await,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WrongKey, "{error}");
            open(place, key(2)).await
        }
    };
    assert_eq!(rows(&db).await.len(), before.len() + 1);
    db.close().await.unwrap();
}

async fn finish_interrupted(place: &Place, key: Option<EncryptionKey>, before: BTreeMap<u64, (String, i64)>) {
    let db = open(place, key).await;
    assert_eq!(rows(&db).await.len(), before.len() + 1);
    db.close().await.unwrap();
}

async fn checkpoints_are_sealed(place: &Place) {
    let builder =
        || place.builder().trim_after(Duration::ZERO, Duration::from_millis(50)).checkpoint_every(3, 1);
    write_secrets(place, &builder().encryption(EncryptionKey::from_bytes([1; 32])).build()).await;
    let db = builder().encryption(EncryptionKey::from_bytes([1; 32])).build();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    fill(&db, 0..500).await;
    db.checkpoint().await.unwrap();
    assert!(db.checkpoints().unwrap().written > 0);
    assert_eq!(found(place, &SECRETS).await, Vec::<String>::new());
    drop(db);
    let db = open(place, key(1)).await;
    assert_eq!(rows(&db).await.len(), 500);
    db.close().await.unwrap();
}

async fn an_empty_database_can_be_rotated(place: &Place) {
    let db = Database::builder(&place.name)
        .timing(0, 0, 60_000)
        .encryption(EncryptionKey::from_bytes([1; 32]))
        .build();
    place.connect(&db).await.unwrap();
    place.local().faults().push(Rule::new(Action::LoseReply).on("POST", "/channels/{channel}/messages"));
    db.rotate_key(key(2)).await.unwrap();
    db.close().await.unwrap();
    let db = open(place, key(2)).await;
    fill(&db, 0..3).await;
    db.close().await.unwrap();
}

/// It has read frames that it can't open: what it shows is behind the tip, and whoever wrote on top of it would write over
/// what others were told is durable.
async fn a_follower_without_the_new_key_says_so_and_never_takes_over(place: &Place) {
    let owner = open(place, key(1)).await;
    fill(&owner, 0..3).await;
    let follower = place.builder().encryption(key(1).unwrap()).follower().build();
    follower.table::<User>().unwrap();
    place.connect(&follower).await.unwrap();
    owner.rotate_key(key(2)).await.unwrap();
    fill(&owner, 3..6).await;
    let trouble = || follower.lag().unwrap().trouble.map(|error| error.kind());
    until("it says what is wrong", || async { trouble() == Some(ErrorKind::WrongKey) }).await;
    fill(&owner, 6..9).await;
    owner.close().await.unwrap();
    for _ in 0..2 {
        assert_eq!(follower.promote().await.unwrap_err().kind(), ErrorKind::WrongKey);
        assert_eq!(follower.role().unwrap(), Role::Follower);
    }
    assert_eq!((rows(&follower).await.len(), trouble()), (3, Some(ErrorKind::WrongKey)));
    follower.close().await.unwrap();

    let again = open(place, key(2)).await;
    assert_eq!(rows(&again).await.len(), 9);
    again.close().await.unwrap();
}

/// Of two processes that created the database at once, the one that lost may have died before it deleted its journal. That
/// is sealed with a key of that time, or with another.
async fn a_journal_that_lost_under_a_lost_key_is_passed_over(place: &Place) {
    let db = open(place, key(1)).await;
    fill(&db, 0..3).await;
    let journal = db.journal().unwrap().get();
    db.close().await.unwrap();
    // The same name in another guild: its genesis is one of this database, as if it had lost here.
    let elsewhere = LocalGuild::builder().limits(crate::support::limits()).start().await.unwrap();
    let lost = database(place, key(9));
    lost.connect_guild(&elsewhere).await.unwrap();
    let channel = lost.journal().unwrap().get();
    lost.close().await.unwrap();
    let genesis = elsewhere.with_state(|state, _| state.messages_in(channel).next().unwrap().content.clone());

    let (guild, bot) = (place.local(), place.local().application_id());
    guild.with_state(|state, now| {
        let journal = state.channel(journal).unwrap().clone();
        let again = NewChannel {
            name: journal.name,
            topic: journal.topic,
            parent_id: journal.parent_id,
            ..NewChannel::default()
        };
        let again = state.create_channel(now, bot, journal.guild_id, again).unwrap();
        state.post_as(now, bot, again.id, &genesis).unwrap();
    });
    let again = open(place, key(1)).await;
    assert_eq!(rows(&again).await.len(), 3);
    again.rotate_key(key(2)).await.unwrap();
    again.close().await.unwrap();
    let again = open(place, key(2)).await;
    assert_eq!(rows(&again).await.len(), 3);
    again.close().await.unwrap();
}

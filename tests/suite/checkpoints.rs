//! Checkpoints: what they keep is what was committed, whenever they are written and whatever interrupts them.

use std::collections::BTreeMap;
use std::time::Duration;

use discobase::{Database, ErrorKind, Table};
use discobase_guild::state::permission;

use crate::support::Place;
use discobase_guild::{Action, Rule};

use crate::tables::User;

crate::in_process!(
    what_a_checkpoint_keeps_is_what_was_committed,
    deletes_and_updates_win_over_older_runs,
    random_histories_are_kept,
    a_process_may_end_at_any_moment_of_a_checkpoint,
    commits_go_on_during_a_checkpoint,
    a_fenced_process_publishes_no_checkpoint,
    a_lost_segment_is_named,
    checkpoints_are_written_when_they_are_due,
    a_checkpoint_that_fails_is_tried_again,
);

pub(crate) const NEVER: u64 = u64::MAX;

/// A database that writes a checkpoint only when told to, and trims at once.
pub(crate) fn manual(place: &Place) -> Database {
    let db = Database::builder(&place.name)
        .timing(0, 0, 60_000)
        .checkpoint_every(NEVER, NEVER)
        .trim_after(Duration::ZERO, Duration::from_millis(50))
        .build();
    db.table::<User>().unwrap();
    db
}

pub(crate) async fn open(place: &Place) -> Database {
    let db = manual(place);
    db.connect_guild(place.local()).await.unwrap();
    db
}

/// All rows, by their keys.
pub(crate) async fn rows(db: &Database) -> BTreeMap<u64, (String, i64)> {
    let rows = User::find(db).all().await.unwrap();
    rows.iter().map(|row| (row.id, (row.name.clone(), row.points))).collect()
}

/// How many messages the journal has.
pub(crate) fn journal(place: &Place, db: &Database) -> usize {
    let journal = db.journal().unwrap().get();
    place.local().with_state(|state, _| state.messages_in(journal).count())
}

/// Waits until `done`, for as long as a busy machine may take.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} did not happen in time");
}

async fn what_a_checkpoint_keeps_is_what_was_committed(place: &Place) {
    let db = open(place).await;
    for id in 0..50 {
        User::new(id, &id.to_string(), id as i64).save(&db).await.unwrap();
    }
    let seq = db.checkpoint().await.unwrap();
    assert_eq!(db.checkpoints().unwrap().complete_to, seq);
    assert_eq!(db.checkpoint().await.unwrap(), seq, "nothing was committed since");
    assert_eq!(db.checkpoints().unwrap().written, 1);
    User::new(50, "50", 50).save(&db).await.unwrap();
    let before = rows(&db).await;
    drop(db);
    let db = open(place).await;
    assert_eq!(rows(&db).await, before);
    assert_eq!(db.checkpoints().unwrap().complete_to, seq);
    // Row ids go on, and so do versions: a record that was read before the checkpoint can still be updated.
    User::new(51, "51", 51).save(&db).await.unwrap();
    let mut row = User::get(&db, 7_u64).await.unwrap().unwrap();
    row.points = 70;
    row.update().await.unwrap();
    let before = rows(&db).await;
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(rows(&db).await, before);
    db.close().await.unwrap();
}

async fn deletes_and_updates_win_over_older_runs(place: &Place) {
    let mut db = open(place).await;
    let all = (0..200).map(|id| User::new(id, &id.to_string(), 0));
    User::save_all(all, &db).await.unwrap();
    db.checkpoint().await.unwrap();
    for id in 0..6 {
        User::get(&db, id).await.unwrap().unwrap().delete().await.unwrap();
        let mut row = User::get(&db, id + 100).await.unwrap().unwrap();
        row.points = 1;
        row.update().await.unwrap();
        if id % 2 == 0 {
            db.checkpoint().await.unwrap();
        }
        // One that was never in a run before it went.
        User::new(1_000 + id, "gone", 0).save(&db).await.unwrap().delete().await.unwrap();
        let before = rows(&db).await;
        assert_eq!(before.len(), 199 - id as usize);
        drop(db);
        db = open(place).await;
        assert_eq!(rows(&db).await, before, "after {id}");
    }
    db.close().await.unwrap();
}

/// Random saves, updates, deletes, checkpoints and openings, against a map.
async fn random_histories_are_kept(place: &Place) {
    let mut random = Random::new();
    let mut db = open(place).await;
    let mut model: BTreeMap<u64, (String, i64)> = BTreeMap::new();
    for step in 0..400 {
        let id = random.below(60);
        match random.below(20) {
            0 => drop(db.checkpoint().await.unwrap()),
            1 => {
                // Every second time without a goodbye.
                if random.below(2) == 0 {
                    db.close().await.unwrap();
                }
                drop(db);
                db = open(place).await;
                assert_eq!(rows(&db).await, model, "after step {step}");
            }
            2..=6 => {
                if let Some(row) = User::get(&db, id).await.unwrap() {
                    row.delete().await.unwrap();
                }
                model.remove(&id);
            }
            _ => {
                let points = random.below(1_000) as i64;
                match User::get(&db, id).await.unwrap() {
                    Some(mut row) => {
                        row.points = points;
                        row.update().await.unwrap();
                    }
                    None => drop(User::new(id, &id.to_string(), points).save(&db).await.unwrap()),
                }
                model.insert(id, (id.to_string(), points));
            }
        }
    }
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(rows(&db).await, model);
    db.close().await.unwrap();
}

/// Numbers from a seed that a failing test tells, and `DISCOBASE_SEED` sets.
pub(crate) struct Random(u64);

impl Random {
    #[expect(clippy::print_stdout, reason = "whoever sees the test fail needs the seed")]
    pub(crate) fn new() -> Self {
        let seed = match std::env::var("DISCOBASE_SEED") {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0_u8),
        };
        println!("DISCOBASE_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

async fn a_process_may_end_at_any_moment_of_a_checkpoint(place: &Place) {
    let mut random = Random::new();
    let mut model = BTreeMap::new();
    for round in 0..24_u64 {
        let db = open(place).await;
        assert_eq!(rows(&db).await, model, "before round {round}");
        for id in [round, random.below(round + 1)] {
            match User::get(&db, id).await.unwrap() {
                Some(row) if round % 3 == 0 => {
                    row.delete().await.unwrap();
                    model.remove(&id);
                }
                Some(_) => {}
                None => {
                    User::new(id, &id.to_string(), round as i64).save(&db).await.unwrap();
                    model.insert(id, (id.to_string(), round as i64));
                }
            }
        }
        place.local().faults().push(Rule::new(Action::Delay { ms: 6 }).times(1_000));
        let moment = Duration::from_millis(random.below(140));
        // Uploading, posting the frame, the catalog, trimming: whatever it has come to.
        let _ = tokio::time::timeout(moment, db.checkpoint()).await;
        tokio::time::sleep(Duration::from_millis(random.below(60))).await;
        drop(db);
        place.local().faults().clear();
    }
    let db = open(place).await;
    assert_eq!(rows(&db).await, model);
    // What was left lying about is found and deleted.
    User::new(1_000, "last", 0).save(&db).await.unwrap();
    db.checkpoint().await.unwrap();
    until("trimming", || journal(place, &db) == 1).await;
    db.close().await.unwrap();
}

async fn commits_go_on_during_a_checkpoint(place: &Place) {
    let db = open(place).await;
    let all = (0..50).map(|id| User::new(id, &id.to_string(), 0));
    User::save_all(all, &db).await.unwrap();
    let journal = db.journal().unwrap();
    // Every upload takes a while; the journal is as fast as ever.
    let slow = Rule::new(Action::Delay { ms: 500 }).on("POST", "/channels/{channel}/messages").times(5);
    let writing = {
        let db = db.clone();
        place.local().faults().push(slow);
        tokio::spawn(async move { db.checkpoint().await })
    };
    // What is uploaded is the state that was cut before.
    until("the first upload", || place.local().faults().pending().iter().all(|rule| rule.times < 5)).await;
    let mut saved = 0_u64;
    while !writing.is_finished() {
        User::new(100 + saved, &format!("during {saved}"), 0).save(&db).await.unwrap();
        saved += 1;
    }
    let covered = writing.await.unwrap().unwrap();
    assert!(saved > 1, "no save went through while the checkpoint was written");
    assert_eq!(covered.get(), 2, "the state when it began: the table, and the 50 rows");
    let before = rows(&db).await;
    assert_eq!(before.len() as u64, 50 + saved);
    until("trimming", || {
        let left = place.local().with_state(|state, _| state.messages_in(journal.get()).count());
        left as u64 <= saved + 1
    })
    .await;
    drop(db);
    let db = open(place).await;
    assert_eq!(rows(&db).await, before);
    db.close().await.unwrap();
}

async fn a_fenced_process_publishes_no_checkpoint(place: &Place) {
    let short = || {
        let db = Database::builder(&place.name)
            .timing(100, 300, 60_000)
            .gateway(false)
            .checkpoint_every(NEVER, NEVER)
            .build();
        db.table::<User>().unwrap();
        db
    };
    let first = short();
    first.connect_guild(place.local()).await.unwrap();
    User::new(1, "first", 1).save(&first).await.unwrap();
    let second = short();
    second.connect_guild(place.local()).await.unwrap();
    User::new(2, "second", 1).save(&second).await.unwrap();
    let error = first.checkpoint().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    assert_eq!(first.checkpoints().unwrap().written, 0);
    second.checkpoint().await.unwrap();
    User::new(3, "third", 1).save(&second).await.unwrap();
    first.close().await.unwrap();
    second.close().await.unwrap();
    let db = short();
    db.connect_guild(place.local()).await.unwrap();
    assert_eq!(rows(&db).await.len(), 3);
    db.close().await.unwrap();
}

async fn a_lost_segment_is_named(place: &Place) {
    let db = open(place).await;
    User::new(1, "a", 1).save(&db).await.unwrap();
    db.checkpoint().await.unwrap();
    until("trimming", || journal(place, &db) == 1).await;
    db.close().await.unwrap();
    let guild = place.local();
    let (channel, message) = guild.with_state(|state, _| {
        let table = state.channels_of(guild.guild_id()).find(|channel| channel.name == "users").unwrap().id;
        (table, state.messages_in(table).next().unwrap().id)
    });
    guild.delete_as_moderator(channel, message).unwrap();
    let db = manual(place);
    let error = db.connect_guild(guild).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert_eq!(error.place().table.as_deref(), Some("users"));
    assert_eq!(error.place().channel.map(discobase::ChannelId::get), Some(channel));
    assert_eq!(error.place().message.map(discobase::MessageId::get), Some(message));
}

async fn checkpoints_are_written_when_they_are_due(place: &Place) {
    let every_ten = || {
        let db = Database::builder(&place.name).timing(0, 0, 60_000).checkpoint_every(10, NEVER).build();
        db.table::<User>().unwrap();
        db
    };
    let db = every_ten();
    db.connect_guild(place.local()).await.unwrap();
    for id in 0..15 {
        User::new(id, &id.to_string(), 0).save(&db).await.unwrap();
    }
    until("a checkpoint", || db.checkpoints().unwrap().written == 1).await;
    let complete = db.checkpoints().unwrap().complete_to;
    assert!(complete.get() >= 10, "{complete}");
    db.close().await.unwrap();
    // Less than is worth one at closing.
    let db = every_ten();
    db.connect_guild(place.local()).await.unwrap();
    User::new(100, "100", 0).save(&db).await.unwrap();
    assert_eq!(db.checkpoints().unwrap().complete_to, complete);
    db.close().await.unwrap();
}

async fn a_checkpoint_that_fails_is_tried_again(place: &Place) {
    let db = open(place).await;
    User::new(1, "a", 1).save(&db).await.unwrap();
    let guild = place.local();
    let table = guild.with_state(|state, _| {
        state.channels_of(guild.guild_id()).find(|channel| channel.name == "users").unwrap().id
    });
    place.forbid(discobase::ChannelId::new(table), permission::ATTACH_FILES);
    let error = db.checkpoint().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingPermissions, "{error}");
    assert!(db.checkpoints().unwrap().error.is_some());
    User::new(2, "b", 1).save(&db).await.unwrap();
    place.forbid(discobase::ChannelId::new(table), 0);
    db.checkpoint().await.unwrap();
    assert!(db.checkpoints().unwrap().error.is_none());
    drop(db);
    let db = open(place).await;
    assert_eq!(rows(&db).await.len(), 2);
    db.close().await.unwrap();
}

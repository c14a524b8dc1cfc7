//! Checkpoints: what they keep is what was committed, whenever they are written and whatever interrupts them.

use std::collections::BTreeMap;
use std::time::Duration;

use discobase::{Database, ErrorKind, Table};
use discobase_guild::state::permission;
use discobase_guild::{Action, Rule};

use crate::support::Place;
use crate::tables::User;

crate::in_process!(
    what_a_checkpoint_keeps_is_what_was_committed,
    deletes_and_updates_win_over_older_runs,
    the_journal_is_trimmed_behind_a_checkpoint,
    a_database_that_is_busy_is_trimmed_all_the_same,
    a_follower_that_takes_over_trims_nothing_that_is_young,
    random_histories_are_kept,
    a_process_may_end_at_any_moment_of_a_checkpoint,
    commits_go_on_during_a_checkpoint,
    a_fenced_process_publishes_no_checkpoint,
    a_process_that_opens_slowly_finds_no_damage_in_a_trim,
    a_lost_segment_is_named,
    a_late_copy_of_a_trimmed_frame_is_no_hole,
    checkpoints_are_written_when_they_are_due,
    a_checkpoint_that_fails_is_tried_again,
    opening_costs_the_same_however_many_commits_were_made,
);

const NEVER: u64 = u64::MAX;

/// A database that writes a checkpoint only when told to, and trims at once.
fn manual(place: &Place) -> Database {
    let db = Database::builder(&place.name)
        .timing(0, 0, 60_000)
        .checkpoint_every(NEVER, NEVER)
        .trim_after(Duration::ZERO, Duration::from_millis(50))
        .build();
    db.table::<User>().unwrap();
    db
}

async fn open(place: &Place) -> Database {
    let db = manual(place);
    db.connect_guild(place.local()).await.unwrap();
    db
}

/// All rows, by their keys.
async fn rows(db: &Database) -> BTreeMap<u64, (String, i64)> {
    let rows = User::find(db).all().await.unwrap();
    rows.iter().map(|row| (row.id, (row.name.clone(), row.points))).collect()
}

/// How many messages the journal has.
fn journal(place: &Place, db: &Database) -> usize {
    let journal = db.journal().unwrap().get();
    place.local().with_state(|state, _| state.messages_in(journal).count())
}

/// Waits until `done`, for as long as a busy machine may take.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
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

async fn the_journal_is_trimmed_behind_a_checkpoint(place: &Place) {
    let db = open(place).await;
    for id in 0..30 {
        User::new(id, &id.to_string(), 0).save(&db).await.unwrap();
    }
    assert!(journal(place, &db) >= 30);
    db.checkpoint().await.unwrap();
    until("trimming", || journal(place, &db) == 1).await;
    User::new(30, "30", 0).save(&db).await.unwrap();
    let before = rows(&db).await;
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(rows(&db).await, before);
    db.close().await.unwrap();
}

/// Checkpoints follow each other faster than any of them grows old enough.
async fn a_database_that_is_busy_is_trimmed_all_the_same(place: &Place) {
    let db = trimming_after(place, Duration::from_millis(600)).build();
    db.table::<User>().unwrap();
    db.connect_guild(place.local()).await.unwrap();
    let (mut written, mut most, mut segments) = (0, 0, 0);
    for _ in 0..25 {
        for _ in 0..10 {
            User::new(written, &written.to_string(), 0).save(&db).await.unwrap();
            written += 1;
        }
        db.checkpoint().await.unwrap();
        most = most.max(journal(place, &db));
        segments = segments.max(messages(place));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let checkpoints = db.checkpoints().unwrap();
    assert!(checkpoints.error.is_none(), "{:?}", checkpoints.error);
    let frames = written + checkpoints.written;
    assert!(most as u64 * 2 < frames, "the journal had up to {most} messages of {frames} frames");
    // Of each checkpoint the rows and three indexes, and for long enough those of the ones before.
    let uploads = checkpoints.written * 4;
    assert!(
        (segments - most) as u64 * 3 < uploads * 2,
        "{segments} messages, {most} of the journal; {uploads} uploads"
    );
    drop(db);
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap() as u64, written);
    db.close().await.unwrap();
}

/// Whoever follows does not know how old a checkpoint is that another process wrote: not older than it has seen.
async fn a_follower_that_takes_over_trims_nothing_that_is_young(place: &Place) {
    let owner = trimming_after(place, Duration::from_secs(3_600)).build();
    owner.table::<User>().unwrap();
    owner.connect_guild(place.local()).await.unwrap();
    User::new(1, "1", 1).save(&owner).await.unwrap();
    owner.checkpoint().await.unwrap();
    let follower = trimming_after(place, Duration::from_millis(1_000)).follower().build();
    follower.table::<User>().unwrap();
    follower.connect_guild(place.local()).await.unwrap();
    // By then the first checkpoint is old.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    for id in 2..20 {
        User::new(id, &id.to_string(), 1).save(&owner).await.unwrap();
    }
    let last = owner.checkpoint().await.unwrap();
    owner.close().await.unwrap();
    until("following", || follower.checkpoints().unwrap().complete_to == last).await;
    follower.promote().await.unwrap();
    let untouched = journal(place, &follower);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(untouched > 20 && journal(place, &follower) >= untouched, "the checkpoint is half a second old");
    until("trimming", || journal(place, &follower) < 5).await;
    assert_eq!(User::count(&follower).await.unwrap(), 19);
    follower.close().await.unwrap();
}

/// A database that writes a checkpoint only when told to, and trims so long after it.
fn trimming_after(place: &Place, after: Duration) -> discobase::DatabaseBuilder {
    Database::builder(&place.name)
        .timing(0, 0, 60_000)
        .checkpoint_every(NEVER, NEVER)
        .trim_after(after, Duration::from_millis(50))
}

/// How many messages an opening may have to read: those of all channels.
fn messages(place: &Place) -> usize {
    let guild = place.local().guild_id();
    place.local().with_state(|state, _| {
        state.channels_of(guild).map(|channel| state.messages_in(channel.id).count()).sum()
    })
}

/// What an opening takes.
#[derive(Debug)]
struct Cost {
    /// The messages of all channels.
    messages: usize,
    requests: u64,
    /// Bytes received.
    bytes: u64,
}

/// Writes every row again so many times, a checkpoint after each, and waits until what they cover is gone; then what an
/// opening takes.
async fn cost_of_opening_after(place: &Place, rounds: i64, most: usize) -> Cost {
    let db = open(place).await;
    for points in 0..rounds {
        for mut row in User::find(&db).all().await.unwrap() {
            row.points += points + 1;
            row.update().await.unwrap();
        }
        db.checkpoint().await.unwrap();
    }
    until("trimming", || journal(place, &db) == 1 && messages(place) <= most).await;
    db.close().await.unwrap();
    let requests = || {
        let stats = place.local().stats();
        stats.requests + stats.downloads
    };
    let (messages, before) = (messages(place), requests());
    let db = open(place).await;
    let (requests, bytes) = (requests() - before, db.traffic().unwrap().bytes_received);
    assert_eq!(User::count(&db).await.unwrap(), 3);
    db.close().await.unwrap();
    Cost { messages, requests, bytes }
}

/// Opening never gets slower with the number of commits ever made, only with the data kept.
async fn opening_costs_the_same_however_many_commits_were_made(place: &Place) {
    let db = open(place).await;
    let all = (0..3).map(|id| User::new(id, &id.to_string(), 0));
    User::save_all(all, &db).await.unwrap();
    db.close().await.unwrap();
    let few = cost_of_opening_after(place, 2, usize::MAX).await;
    // The same rows, written six times as often.
    let many = cost_of_opening_after(place, 12, few.messages + 6).await;
    assert!(many.requests <= few.requests + 4, "{few:?}, then {many:?}");
    assert!(many.messages <= few.messages + 6, "{few:?}, then {many:?}");
    assert!(many.bytes <= few.bytes * 3 / 2 + 4_096, "{few:?}, then {many:?}");
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
    let slow = Rule::new(Action::Delay { ms: 150 }).on("POST", "/channels/{channel}/messages").times(5);
    let writing = {
        let db = db.clone();
        place.local().faults().push(slow);
        tokio::spawn(async move { db.checkpoint().await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
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

async fn a_process_that_opens_slowly_finds_no_damage_in_a_trim(place: &Place) {
    let owner = open(place).await;
    User::new(1, "1", 0).save(&owner).await.unwrap();
    // Its `open` arrives when what followed the tip that it has read is trimmed.
    let late = Rule::new(Action::Delay { ms: 2_000 }).on("POST", "/channels/{channel}/messages");
    place.local().faults().push(late);
    let slow = manual(place);
    let writing = async {
        until("opening", || place.local().faults().pending().is_empty()).await;
        User::new(2, "2", 0).save(&owner).await.unwrap();
        owner.checkpoint().await.unwrap();
        until("trimming", || journal(place, &owner) == 1).await;
        User::new(3, "3", 0).save(&owner).await.unwrap();
    };
    let (opened, ()) = tokio::join!(slow.connect_guild(place.local()), writing);
    // Nobody objects in time to an opening on this guild, and nothing is damaged.
    opened.unwrap();
    assert_eq!(rows(&slow).await.len(), 3);
    assert_eq!(User::new(4, "4", 0).save(&owner).await.unwrap_err().kind(), ErrorKind::Fenced);
    slow.close().await.unwrap();
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

/// A try of a post that was given up can be executed long afterwards, when Discord has forgotten its nonce.
async fn a_late_copy_of_a_trimmed_frame_is_no_hole(place: &Place) {
    let db = open(place).await;
    let (guild, channel) = (place.local(), db.journal().unwrap().get());
    for id in 0..4 {
        User::new(id, &id.to_string(), 0).save(&db).await.unwrap();
    }
    let contents: Vec<String> = guild
        .with_state(|state, _| state.messages_in(channel).map(|message| message.content.clone()).collect());
    db.checkpoint().await.unwrap();
    until("the trim", || journal(place, &db) <= 2).await;
    let expected = rows(&db).await;
    // A frame before the one that is covered, and the frame that it follows was trimmed as well.
    let copy = &contents[contents.len() - 2];
    assert!(copy.contains("\"kind\":\"data\""), "{copy}");
    guild.post_as(guild.application_id(), channel, copy).unwrap();
    drop(db);
    let db = open(place).await;
    assert_eq!(rows(&db).await, expected);
    User::new(9, "9", 0).save(&db).await.unwrap();
    db.close().await.unwrap();
}

//! Checkpoints: what they keep is what was committed, whenever they are written and whatever interrupts them.

use std::collections::BTreeMap;
use std::time::Duration;

use discobase::{Database, Table};

use crate::support::Place;
use crate::tables::User;

crate::in_process!(
    what_a_checkpoint_keeps_is_what_was_committed,
    deletes_and_updates_win_over_older_runs,
    the_journal_is_trimmed_behind_a_checkpoint,
    random_histories_are_kept,
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
struct Random(u64);

impl Random {
    #[expect(clippy::print_stdout, reason = "whoever sees the test fail needs the seed")]
    fn new() -> Self {
        let seed = match std::env::var("DISCOBASE_SEED") {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0_u8),
        };
        println!("DISCOBASE_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

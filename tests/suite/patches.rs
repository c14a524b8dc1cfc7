//! What a change of a few fields sends: those fields, where the journal has the rest of the record.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use discobase::{Database, Record, Table, update};
use discobase_guild::{Action, Rule};
use serde_json::{Value as Json, json};

use crate::support::Place;

crate::in_process!(
    a_change_sends_the_fields_that_changed,
    every_kind_of_update_sends_what_it_changes,
    the_first_change_behind_a_checkpoint_sends_the_record,
    the_first_change_of_a_process_sends_the_record,
    who_takes_over_sends_the_record_first,
    lazy_readers_know_what_changed_around_checkpoints,
);

const NEVER: u64 = u64::MAX;

#[derive(Debug, Clone, PartialEq, Table)]
struct Profile {
    #[table(key)]
    id: u64,
    #[table(unique)]
    name: String,
    bio: String,
    points: i64,
    level: Option<i64>,
}

fn profile(id: u64) -> Profile {
    let bio = format!("what there is to be said of number {id}, at some length");
    Profile { id, name: format!("name {id}"), bio, points: 0, level: None }
}

fn database(place: &Place) -> Database {
    Database::builder(&place.name).timing(0, 0, 60_000).checkpoint_every(NEVER, NEVER).build()
}

async fn open(place: &Place) -> Database {
    let db = database(place);
    db.table::<Profile>().unwrap();
    db.connect_guild(place.local()).await.unwrap();
    db
}

/// What the newest frame of the journal says.
fn newest(place: &Place, db: &Database) -> Json {
    let journal = db.journal().unwrap().get();
    let content =
        place.local().with_state(|state, _| state.messages_in(journal).next_back().unwrap().content.clone());
    let frame = content.trim_start_matches("```json").trim_end_matches("```");
    let frame: Json = serde_json::from_str(frame).unwrap();
    frame["commits"].clone()
}

async fn stored(db: &Database, id: u64) -> Record<Profile> {
    Profile::get(db, id).await.unwrap().unwrap()
}

/// How two changes of a record are sent.
async fn changes(place: &Place, db: &Database, record: &mut Record<Profile>) -> [Json; 2] {
    let mut kinds = [Json::Null, Json::Null];
    for kind in &mut kinds {
        record.points += 1;
        record.update().await.unwrap();
        *kind = newest(place, db)[0][0][0].clone();
    }
    kinds
}

async fn a_change_sends_the_fields_that_changed(place: &Place) {
    let db = open(place).await;
    let mut peter = profile(1).save(&db).await.unwrap();
    peter.points = 5;
    peter.update().await.unwrap();
    assert_eq!(newest(place, &db), json!([[["patch", 1, 1, [3, 5]]]]));
    (peter.points, peter.level) = (6, Some(1));
    peter.update().await.unwrap();
    assert_eq!(newest(place, &db), json!([[["patch", 1, 1, [3, 6, 4, 1]]]]));
    peter.level = None;
    peter.update().await.unwrap();
    assert_eq!(newest(place, &db), json!([[["patch", 1, 1, [4, null]]]]));
    // What is as long in pieces is sent as a whole.
    let all = Profile { id: 1, name: "other".into(), bio: "short".into(), points: 7, level: Some(2) };
    *peter = all.clone();
    peter.update().await.unwrap();
    assert_eq!(newest(place, &db), json!([[["update", 1, 1, [1, "other", "short", 7, 2]]]]));
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(*stored(&db, 1).await, all);
    assert!(db.verify().await.unwrap().is_clean());
    db.close().await.unwrap();
}

async fn every_kind_of_update_sends_what_it_changes(place: &Place) {
    let db = open(place).await;
    Profile::save_all((1..=3).map(profile), &db).await.unwrap();
    let all = update::<Profile>().set(|profile| profile.points, |profile| profile.id.cast::<i64>() * 2 + 1);
    all.run(&db).await.unwrap();
    let patches = json!([[["patch", 1, 1, [3, 3]], ["patch", 1, 2, [3, 5]], ["patch", 1, 3, [3, 7]]]]);
    assert_eq!(newest(place, &db), patches);
    let mut second = profile(2);
    second.points = 20;
    second.save_or_update(&db).await.unwrap();
    assert_eq!(newest(place, &db), json!([[["patch", 1, 2, [3, 20]]]]));
    let session = db.session().unwrap();
    let mut third = session.get::<Profile>(3_u64).await.unwrap().unwrap();
    third.level = Some(9);
    session.update(&mut third).await.unwrap();
    session.add(profile(4)).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(newest(place, &db)[0][0], json!(["patch", 1, 3, [4, 9]]));
    assert_eq!(newest(place, &db)[0][1][0], json!("insert"));
    db.close().await.unwrap();
}

async fn the_first_change_behind_a_checkpoint_sends_the_record(place: &Place) {
    let db = open(place).await;
    let mut peter = profile(1).save(&db).await.unwrap();
    assert_eq!(changes(place, &db, &mut peter).await, ["patch", "patch"]);
    db.checkpoint().await.unwrap();
    assert_eq!(changes(place, &db, &mut peter).await, ["update", "patch"]);
    db.close().await.unwrap();
}

async fn the_first_change_of_a_process_sends_the_record(place: &Place) {
    let db = open(place).await;
    profile(1).save(&db).await.unwrap();
    db.close().await.unwrap();
    let db = open(place).await;
    let mut peter = stored(&db, 1).await;
    assert_eq!(changes(place, &db, &mut peter).await, ["update", "patch"]);
    db.close().await.unwrap();
}

async fn who_takes_over_sends_the_record_first(place: &Place) {
    let db = open(place).await;
    let mut peter = profile(1).save(&db).await.unwrap();
    let follower = Database::builder(&place.name).follower().timing(0, 0, 60_000).build();
    follower.table::<Profile>().unwrap();
    follower.connect_guild(place.local()).await.unwrap();
    // What changed while it followed is behind its opening, and not behind the checkpoint.
    peter.points = 1;
    peter.update().await.unwrap();
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    follower.promote().await.unwrap();
    let mut peter = stored(&follower, 1).await;
    assert_eq!(peter.points, 1);
    assert_eq!(changes(place, &follower, &mut peter).await, ["update", "patch"]);
    follower.close().await.unwrap();
}

async fn lazy_reader(place: &Place) -> Database {
    // No run is so small that all of it is read at once.
    let db = Database::builder(&place.name).follower().timing(0, 0, 60_000).small_runs(0).build();
    db.table_lazy::<Profile>().unwrap();
    db.connect_guild(place.local()).await.unwrap();
    db
}

/// Who reads from a checkpoint on has of a lazy table only the frames behind it: none of them may leave out what only the
/// segments have, although commits are under way while the checkpoint is made.
async fn lazy_readers_know_what_changed_around_checkpoints(place: &Place) {
    let db = open(place).await;
    Profile::save_all((0..8).map(profile), &db).await.unwrap();
    db.checkpoint().await.unwrap();
    let follower = lazy_reader(place).await;
    let mut under_way = 0;
    for round in 1..=6_i64 {
        // Uploads take a while, so that frames leave between the cut and the checkpoint's own.
        let slow = Rule::new(Action::Delay { ms: 50 }).on("POST", "/channels/{channel}/messages").times(5);
        place.local().faults().push(slow);
        let written = AtomicBool::new(false);
        let checkpoint = async {
            let seq = db.checkpoint().await.unwrap();
            written.store(true, Ordering::Relaxed);
            seq
        };
        let saves = async {
            let mut points = round * 1_000;
            // The first checkpoint may find nothing to be written, and be done at once.
            loop {
                points += 1;
                let all = (0..8).map(|id| {
                    let db = db.clone();
                    async move {
                        let mut one = stored(&db, id).await;
                        one.points = points;
                        one.update().await.unwrap();
                    }
                });
                futures_util::future::join_all(all).await;
                if written.load(Ordering::Relaxed) {
                    break points;
                }
            }
        };
        let (covered, points) = tokio::join!(checkpoint, saves);
        // All eight were changed behind the cut.
        under_way += u32::from(stored(&db, 0).await.version() > covered);
        let newcomer = lazy_reader(place).await;
        for id in 0..8 {
            let found = stored(&newcomer, id).await;
            assert_eq!(*found, Profile { points, ..profile(id) }, "round {round}");
        }
        assert!(!newcomer.is_loaded::<Profile>().unwrap());
        newcomer.close().await.unwrap();
    }
    assert!(under_way > 0, "no commit was under way while a checkpoint was written");
    let end = stored(&db, 7).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while *stored(&follower, 7).await != *end {
        assert!(tokio::time::Instant::now() < deadline, "it follows: {:?}", follower.lag());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!follower.is_loaded::<Profile>().unwrap());
    follower.close().await.unwrap();
    db.close().await.unwrap();
}

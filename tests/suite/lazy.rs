//! Lazy tables: records are looked up in the guild, whatever is true of them, and a table is loaded when more is needed.

use std::time::Duration;

use discobase::{Database, ErrorKind, Table};
use discobase_guild::LocalGuild;

use crate::support::Place;
use crate::tables::User;

crate::in_process!(
    a_cold_get_downloads_a_few_blocks,
    what_was_written_since_is_found,
    a_write_loads_the_table,
    what_needs_the_whole_table_loads_it_once,
    a_snapshot_reads_its_own_state,
);

const NEVER: u64 = u64::MAX;
const ROWS: u64 = 30_000;

/// A database that writes a checkpoint only when told to, whose users are loaded.
fn eager(place: &Place) -> Database {
    let db = unregistered(place);
    db.table::<User>().unwrap();
    db
}

/// As [`eager`], but users are looked up.
fn lazy(place: &Place) -> Database {
    let db = unregistered(place);
    db.table_lazy::<User>().unwrap();
    db
}

fn unregistered(place: &Place) -> Database {
    Database::builder(&place.name)
        .timing(0, 0, 60_000)
        .checkpoint_every(NEVER, NEVER)
        .trim_after(Duration::from_secs(3_600), Duration::from_secs(1))
        .build()
}

/// As [`lazy`], but it follows, and so sends nothing that nobody asked for.
fn follower(place: &Place) -> Database {
    let db = Database::builder(&place.name).follower().gateway(false).timing(0, 0, 60_000).build();
    db.table_lazy::<User>().unwrap();
    db
}

async fn open(guild: &LocalGuild, db: Database) -> Database {
    db.connect_guild(guild).await.unwrap();
    db
}

fn user(id: u64) -> User {
    // Scattered, so that neighbours in an index are none in the table.
    User::new(id, &format!("{:016x}", id.wrapping_mul(0x9e37_79b9_7f4a_7c15)), id as i64)
}

fn name(id: u64) -> String {
    user(id).name
}

/// A database with so many users in one run, closed.
async fn filled(place: &Place, rows: u64) {
    let db = open(place.local(), eager(place)).await;
    for first in (0..rows).step_by(10_000) {
        User::save_all((first..rows.min(first + 10_000)).map(user), &db).await.unwrap();
    }
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
}

/// How many requests and bytes of answers `work` took.
async fn cost<R>(db: &Database, work: impl Future<Output = R>) -> (R, u64, u64) {
    let before = db.traffic().unwrap();
    let done = work.await;
    let after = db.traffic().unwrap();
    (done, after.requests - before.requests, after.bytes_received - before.bytes_received)
}

async fn get(db: &Database, id: u64) -> Option<i64> {
    User::get(db, id).await.unwrap().map(|user| user.points)
}

async fn a_cold_get_downloads_a_few_blocks(place: &Place) {
    filled(place, ROWS).await;
    let db = open(place.local(), follower(place)).await;
    assert!(!db.is_loaded::<User>().unwrap());
    let (found, requests, bytes) = cost(&db, get(&db, 12_345)).await;
    assert_eq!(found, Some(12_345));
    assert!(requests <= 4 && bytes <= 256 << 10, "{requests} requests, {bytes} bytes");
    let (found, requests, _) = cost(&db, get(&db, 12_345)).await;
    assert_eq!((found, requests), (Some(12_345), 0), "what was read is kept");
    let by_name = async { User::find_unique(&db, |user| user.name.eq(name(777))).await.unwrap().points };
    let (found, requests, bytes) = cost(&db, by_name).await;
    assert_eq!(found, 777);
    assert!(requests <= 4 && bytes <= 256 << 10, "{requests} requests, {bytes} bytes");
    assert_eq!(get(&db, ROWS + 1).await, None);
    let (count, requests, _) = cost(&db, async { User::count(&db).await.unwrap() }).await;
    assert_eq!((count, requests), (ROWS as usize, 0), "the checkpoint says it");
    assert!(!db.is_loaded::<User>().unwrap());
    db.close().await.unwrap();
}

async fn what_was_written_since_is_found(place: &Place) {
    filled(place, ROWS).await;
    // In the second run a few, and behind it a few more that no checkpoint has.
    let db = open(place.local(), eager(place)).await;
    for round in 0..2_u64 {
        for id in [1, 2] {
            let mut user = User::get(&db, id * 1_000).await.unwrap().unwrap();
            user.points = -(round as i64) - 1;
            user.name = format!("renamed {id} {round}");
            user.update().await.unwrap();
        }
        User::get(&db, 50 + round).await.unwrap().unwrap().delete().await.unwrap();
        user(ROWS + round).save(&db).await.unwrap();
        if round == 0 {
            db.checkpoint().await.unwrap();
        }
    }
    drop(db);
    let db = open(place.local(), lazy(place)).await;
    assert_eq!(get(&db, 1_000).await, Some(-2));
    assert_eq!(get(&db, 2_000).await, Some(-2));
    for round in 0..2 {
        assert_eq!(get(&db, 50 + round).await, None);
        assert_eq!(get(&db, ROWS + round).await, Some((ROWS + round) as i64));
    }
    let named =
        async |name: &str| User::find(&db).filter(|user| user.name.eq(name)).all().await.unwrap().len();
    assert_eq!(named("renamed 1 1").await, 1);
    assert_eq!(named("renamed 1 0").await, 0, "it has another name now");
    assert_eq!(named(&name(1_000)).await, 0);
    assert_eq!(User::count(&db).await.unwrap() as u64, ROWS);
    let (some, _, _) = cost(&db, async {
        User::find(&db).filter(|user| user.id.is_in([3_u64, 50, 1_000, ROWS])).all().await.unwrap()
    })
    .await;
    assert_eq!(some.iter().map(|user| user.id).collect::<Vec<_>>(), [3, 1_000, ROWS]);
    assert!(!db.is_loaded::<User>().unwrap());
    // Loaded, it says the same.
    db.load::<User>().await.unwrap();
    assert!(db.is_loaded::<User>().unwrap());
    assert_eq!(User::find(&db).all().await.unwrap().len() as u64, ROWS);
    assert_eq!(get(&db, 1_000).await, Some(-2));
    db.close().await.unwrap();
}

async fn a_write_loads_the_table(place: &Place) {
    filled(place, 2_000).await;
    let db = open(place.local(), lazy(place)).await;
    let twice = user(7).save(&db).await.unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::DuplicateKey, "{twice}");
    assert!(db.is_loaded::<User>().unwrap());
    let taken = User::new(9_999, &name(8), 0).save(&db).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::UniqueViolated, "{taken}");
    user(2_000).save(&db).await.unwrap();
    drop(db);
    // A record that was looked up is updated as any other.
    let db = open(place.local(), lazy(place)).await;
    let mut found = User::get(&db, 5_u64).await.unwrap().unwrap();
    assert!(!db.is_loaded::<User>().unwrap());
    found.points = 500;
    found.update().await.unwrap();
    assert!(db.is_loaded::<User>().unwrap());
    db.checkpoint().await.unwrap();
    drop(db);
    let db = open(place.local(), lazy(place)).await;
    assert_eq!((get(&db, 5).await, get(&db, 2_000).await), (Some(500), Some(2_000)));
    assert_eq!(User::count(&db).await.unwrap(), 2_001);
    db.close().await.unwrap();
}

async fn what_needs_the_whole_table_loads_it_once(place: &Place) {
    filled(place, ROWS).await;
    let db = open(place.local(), follower(place)).await;
    let rich = || async {
        let rich = User::find(&db).filter(|user| user.points.ge(ROWS as i64 - 10)).all();
        rich.await.unwrap().len()
    };
    let watch = User::watch(&db).expect_err("it is not in memory");
    assert_eq!(watch.kind(), ErrorKind::TableNotReady, "{watch}");
    let all = async { tokio::join!(rich(), rich(), rich(), get(&db, 3)) };
    let (found, requests, _) = cost(&db, all).await;
    assert_eq!(found, (10, 10, 10, Some(3)));
    assert!(requests <= 7, "{requests} requests: one load for all, and a lookup");
    assert!(db.is_loaded::<User>().unwrap());
    let (_, requests, _) = cost(&db, rich()).await;
    assert_eq!(requests, 0);
    let mut watch = User::watch(&db).unwrap();
    assert_eq!(watch.records().unwrap().len() as u64, ROWS);
    db.close().await.unwrap();
}

async fn a_snapshot_reads_its_own_state(place: &Place) {
    filled(place, 2_000).await;
    let db = open(place.local(), lazy(place)).await;
    let before = db.snapshot().unwrap();
    let mut one = User::get(&db, 1_u64).await.unwrap().unwrap();
    one.points = -1;
    one.update().await.unwrap();
    assert_eq!(User::get(&before, 1_u64).await.unwrap().unwrap().points, 1);
    assert_eq!(User::find(&before).all().await.unwrap()[1].points, 1);
    assert_eq!(get(&db, 1).await, Some(-1));
    db.close().await.unwrap();
}

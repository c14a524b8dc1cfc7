//! Many callers at once.

use std::time::Duration;

use discobase::{Database, ErrorKind, Table};

use crate::support::Place;
use crate::tables::User;

crate::everywhere!(
    a_thousand_saves_share_frames,
    increments_of_one_row_lose_nothing,
    of_rivals_for_a_key_one_wins,
    a_snapshot_is_all_of_a_commit_or_nothing,
    a_background_save_reports_how_it_ended,
    a_dropped_future_does_not_cancel_the_commit,
    a_database_is_used_from_another_runtime,
);

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn a_thousand_saves_share_frames(place: &Place) {
    let db = open(place).await;
    let frames = db.frames().unwrap();
    let saves: Vec<_> =
        (0..1000).map(|id| User::new(id, &id.to_string(), 0).save(&db).background()).collect();
    for save in saves {
        save.await.unwrap();
    }
    // How many exactly depends on how fast the machine makes saves; what they cost under Discord's limits is tested
    // where requests are counted.
    assert!(db.frames().unwrap() - frames < 100, "{} frames", db.frames().unwrap() - frames);
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 1000);
    db.close().await.unwrap();
}

async fn increment(db: Database) {
    loop {
        let mut row = User::get(&db, 1_u64).await.unwrap().unwrap();
        row.points += 1;
        match row.update().await {
            Ok(()) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
        }
    }
}

async fn increments_of_one_row_lose_nothing(place: &Place) {
    let db = open(place).await;
    User::new(1, "counter", 0).save(&db).await.unwrap();
    let tasks: Vec<_> = (0..20).map(|_| tokio::spawn(increment(db.clone()))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(User::get(&db, 1_u64).await.unwrap().unwrap().points, 20);
    db.close().await.unwrap();
}

async fn of_rivals_for_a_key_one_wins(place: &Place) {
    let db = open(place).await;
    let saves: Vec<_> = (0..50).map(|n| User::new(1, &n.to_string(), n).save(&db).background()).collect();
    let mut won = Vec::new();
    for (points, save) in (0..).zip(saves) {
        match save.await {
            Ok(record) => won.push((points, record.name.clone())),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::DuplicateKey);
                // The error is told only when the commit it lost to is durable.
                assert_eq!(User::count(&db).await.unwrap(), 1);
            }
        }
    }
    let [(points, name)] = won.as_slice() else { panic!("{won:?}") };
    let row = User::get(&db, 1_u64).await.unwrap().unwrap();
    assert_eq!((row.points, &row.name), (*points, name));
    db.close().await.unwrap();
}

async fn a_snapshot_is_all_of_a_commit_or_nothing(place: &Place) {
    let db = open(place).await;
    let writer = {
        let db = db.clone();
        tokio::spawn(async move {
            for batch in 0..20_u64 {
                let rows = (0..10).map(|n| User::new(batch * 10 + n, &format!("{batch} {n}"), batch as i64));
                User::save_all(rows, &db).await.unwrap();
            }
        })
    };
    while !writer.is_finished() {
        let rows = User::find(&db).all().await.unwrap();
        assert_eq!(rows.len() % 10, 0, "a commit is seen whole");
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
    db.close().await.unwrap();
}

async fn a_background_save_reports_how_it_ended(place: &Place) {
    let db = open(place).await;
    let first = User::new(1, "a", 0).save(&db).background();
    assert_eq!(first.await.unwrap().id, 1);
    let second = User::new(1, "b", 0).save(&db).background();
    assert_eq!(second.await.unwrap_err().kind(), ErrorKind::DuplicateKey);
    db.close().await.unwrap();
}

async fn a_dropped_future_does_not_cancel_the_commit(place: &Place) {
    let db = open(place).await;
    // Long enough to be queued, too short to be answered.
    let save = async { User::new(1, "a", 0).save(&db).await };
    let _late = tokio::time::timeout(Duration::from_micros(1), save).await;
    // A later commit is durable only after every earlier one.
    User::new(2, "b", 0).save(&db).await.unwrap();
    assert_eq!(User::get(&db, 1_u64).await.unwrap().unwrap().name, "a");
    db.close().await.unwrap();
}

async fn a_database_is_used_from_another_runtime(place: &Place) {
    let db = open(place).await;
    let there = db.clone();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            User::new(1, "elsewhere", 0).save(&there).await.unwrap();
            User::count(&there).await.unwrap()
        })
    };
    assert_eq!(tokio::task::spawn_blocking(work).await.unwrap(), 1);
    db.close().await.unwrap();
}

//! What things cost, in requests, under Discord's own limits.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use discobase::{Database, Table};
use discobase_guild::LocalGuild;

use crate::tables::{Note, User};

/// A guild with Discord's limits, rates included.
async fn open() -> (LocalGuild, Database) {
    let guild = LocalGuild::builder().start().await.unwrap();
    // The gateway's own requests would be counted too.
    let db = Database::builder("requests").gateway(false).build();
    db.table::<User>().unwrap().table::<Note>().unwrap();
    db.connect_guild(&guild).await.unwrap();
    (guild, db)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_write_is_one_request_and_a_read_none() {
    let (guild, db) = open().await;
    // What registering the tables cost is over.
    Note { text: "warm".into() }.save(&db).await.unwrap();
    let mut before = guild.stats().requests;
    let mut cost = || {
        let now = guild.stats().requests;
        now - std::mem::replace(&mut before, now)
    };
    let mut user = User::new(1, "a", 0).save(&db).await.unwrap();
    assert_eq!(cost(), 1, "save");
    user.points = 1;
    user.update().await.unwrap();
    assert_eq!(cost(), 1, "update");
    user.update().await.unwrap();
    assert_eq!(cost(), 0, "nothing changed");
    assert!(User::get(&db, 1_u64).await.unwrap().is_some());
    assert_eq!(User::find(&db).filter(|u| u.points.ge(0)).all().await.unwrap().len(), 1);
    assert_eq!(cost(), 0, "reads");
    user.delete().await.unwrap();
    assert_eq!(cost(), 1, "delete");
    assert_eq!(guild.stats().too_many_requests, 0);
    db.close().await.unwrap();
    guild.stop().await;
}

/// A frame waits for company while the limit is being used up, so it makes no difference on how many threads the callers
/// are, nor how fast the machine is.
async fn a_thousand_concurrent_saves_are_at_most_five_requests() {
    let (guild, db) = open().await;
    let before = guild.stats().requests;
    let saves: Vec<_> = (0..1000)
        .map(|id| {
            let db = db.clone();
            tokio::spawn(async move { User::new(id, &id.to_string(), 0).save(&db).await })
        })
        .collect();
    for save in saves {
        save.await.unwrap().unwrap();
    }
    let cost = guild.stats().requests - before;
    assert!(cost <= 5, "{cost} requests");
    assert_eq!(guild.stats().too_many_requests, 0);
    db.close().await.unwrap();
    guild.stop().await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_thousand_concurrent_saves_on_one_thread() {
    a_thousand_concurrent_saves_are_at_most_five_requests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_concurrent_saves_on_several_threads() {
    a_thousand_concurrent_saves_are_at_most_five_requests().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saturated_writer_never_gets_a_429() {
    let (guild, db) = open().await;
    for id in 0..12 {
        User::new(id, &id.to_string(), 0).save(&db).await.unwrap();
    }
    assert_eq!(guild.stats().too_many_requests, 0);
    assert_eq!(guild.stats().invalid, 0);
    db.close().await.unwrap();
    guild.stop().await;
}

/// Keeps how late the machine wakes a sleeper at worst: what it does to everybody is not the writer's fault.
async fn keep_worst(worst: Arc<Mutex<Duration>>) {
    let asleep = Duration::from_millis(20);
    loop {
        let began = tokio::time::Instant::now();
        tokio::time::sleep(asleep).await;
        let late = began.elapsed().saturating_sub(asleep);
        let mut worst = worst.lock().unwrap();
        *worst = late.max(*worst);
    }
}

/// A writer that sends whenever it may uses up what Discord takes at once, and then stands still for most of the five
/// seconds of the limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_steady_stream_of_saves_never_stands_still() {
    let (guild, db) = open().await;
    // What connecting used up of the limit is given back.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut saves = Vec::new();
    let worst = Arc::new(Mutex::new(Duration::ZERO));
    let machine = tokio::spawn(keep_worst(Arc::clone(&worst)));
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for id in 0..300 {
        ticks.tick().await;
        let db = db.clone();
        saves.push(tokio::spawn(async move {
            let started = tokio::time::Instant::now();
            User::new(id, &id.to_string(), 0).save(&db).await.unwrap();
            started.elapsed()
        }));
    }
    let mut slowest = Duration::ZERO;
    for save in saves {
        slowest = slowest.max(save.await.unwrap());
    }
    machine.abort();
    // About so many tasks have a part in one save, each of which may be woken as late as that.
    let late = *worst.lock().unwrap();
    let most = Duration::from_millis(2_500) + 8 * late;
    assert!(slowest < most, "a save took {slowest:?}, and a sleeper was woken {late:?} late");
    assert_eq!(guild.stats().too_many_requests, 0);
    db.close().await.unwrap();
    guild.stop().await;
}

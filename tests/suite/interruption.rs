//! Calls that are dropped halfway, and runtimes that end: nothing hangs afterwards, and what was begun goes on.

use std::time::Duration;

use discobase::transport::Transport;
use discobase::transport::twilight::{TwilightConfig, TwilightTransport};
use discobase::{Confirm, Database, ErrorKind, Table};
use discobase_guild::{Action, Rule};

use crate::support::Place;
use crate::tables::{Everything, Note, User};

crate::in_process!(
    closing_goes_on_where_it_was_dropped,
    after_a_dropped_close_nothing_hangs,
    an_interrupted_clean_can_be_repeated,
    a_clean_interrupted_anywhere_leaves_nothing_in_the_end,
    a_dropped_build_makes_no_channel_twice,
    a_save_is_told_that_the_runtime_of_its_database_ended,
    closing_out_of_reach_ends,
    a_close_dropped_anywhere_leaves_a_database_that_opens,
    a_dropped_connect_shuts_its_transport_down,
    a_full_queue_makes_writes_wait,
);

const POST: (&str, &str) = ("POST", "/channels/{channel}/messages");

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("it ends")
}

async fn closing_goes_on_where_it_was_dropped(place: &Place) {
    let db = open(place).await;
    place.local().faults().push(Rule::new(Action::Delay { ms: 2_000 }).on(POST.0, POST.1).times(2));
    let first = User::new(1, "a", 0).save(&db).background();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let second = User::new(2, "b", 0).save(&db).background();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let closing = tokio::time::timeout(Duration::from_millis(50), db.close()).await;
    assert!(closing.is_err(), "it waits for the saves");
    soon(db.close()).await.unwrap();
    soon(first).await.unwrap();
    soon(second).await.unwrap();
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 2);
    db.close().await.unwrap();
}

async fn after_a_dropped_close_nothing_hangs(place: &Place) {
    let db = open(place).await;
    place.local().faults().push(Rule::new(Action::Delay { ms: 2_000 }).on(POST.0, POST.1));
    let closing = tokio::time::timeout(Duration::from_millis(500), db.close()).await;
    assert!(closing.is_err());
    assert_eq!(User::new(1, "a", 0).save(&db).await.unwrap_err().kind(), ErrorKind::NotConnected);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    db.table::<Note>().unwrap();
    let late = soon(db.build_tables()).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::NotConnected);
    soon(db.close()).await.unwrap();
    assert!(!db.is_open());
}

async fn an_interrupted_clean_can_be_repeated(place: &Place) {
    let db = open(place).await;
    User::new(1, "a", 0).save(&db).await.unwrap();
    let slow = Rule::new(Action::Delay { ms: 3_000 }).on("DELETE", "/channels/{channel}").times(2);
    place.local().faults().push(slow);
    let clean = || db.clean(Confirm::delete_all_data_of(&place.name));
    assert!(tokio::time::timeout(Duration::from_millis(4_000), clean()).await.is_err());
    // It is closed by now, so another process may own it.
    assert_eq!(soon(clean()).await.unwrap_err().kind(), ErrorKind::NotConnected);
    soon(db.close()).await.unwrap();
    let db = open(place).await;
    db.clean(Confirm::delete_all_data_of(&place.name)).await.unwrap();
    assert!(!db.is_open());
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 0);
    db.close().await.unwrap();
}

/// After each deletion of a channel, the categories among them; segments that a checkpoint names are gone by then.
async fn a_clean_interrupted_anywhere_leaves_nothing_in_the_end(place: &Place) {
    let guild = place.local().guild_id();
    let channels = || place.local().with_state(|state, _| state.channels_of(guild).count());
    let before = channels();
    for deleted in 0..9 {
        let db = open(place).await;
        User::new(1, "a", 0).save(&db).await.unwrap();
        db.checkpoint().await.unwrap();
        let forbid = Action::Refuse { status: 403, code: 50_013, message: "Missing Permissions".into() };
        let rule = Rule::new(forbid).on("DELETE", "/channels/{channel}").skip(deleted);
        place.local().faults().push(rule);
        let clean = db.clean(Confirm::delete_all_data_of(&place.name)).await;
        place.local().faults().clear();
        if clean.is_err() {
            // As a program would that starts again.
            let db = open(place).await;
            assert_eq!(User::count(&db).await.unwrap(), 0, "it is empty after {deleted} deletions");
            db.clean(Confirm::delete_all_data_of(&place.name)).await.unwrap();
        } else {
            assert_eq!(deleted, 8, "category, journal, catalog, users and four indexes");
        }
        assert_eq!(channels(), before, "after {deleted} deletions");
    }
}

async fn a_dropped_build_makes_no_channel_twice(place: &Place) {
    let db = open(place).await;
    db.table::<Everything>().unwrap();
    let slow = Rule::new(Action::DelayReply { ms: 1_000 }).on("POST", "/guilds/{guild}/channels").times(3);
    place.local().faults().push(slow);
    assert!(tokio::time::timeout(Duration::from_millis(2_500), db.build_tables()).await.is_err());
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    db.build_tables().await.unwrap();
    let guild = place.local().guild_id();
    let topics: Vec<_> = place
        .local()
        .with_state(|state, _| state.channels_of(guild).filter_map(|one| one.topic.clone()).collect());
    let different: std::collections::HashSet<_> = topics.iter().collect();
    assert_eq!(topics.len(), different.len(), "{topics:#?}");
    db.close().await.unwrap();
}

async fn a_save_is_told_that_the_runtime_of_its_database_ended(place: &Place) {
    let db = place.database();
    db.table::<User>().unwrap();
    let (there, token) = (db.clone(), place.local().token().to_owned());
    let mut config = TwilightConfig::new(token);
    config.api = place.local().api().parse().unwrap();
    let ended = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { there.connect_with(config).await })
    });
    tokio::task::spawn_blocking(move || ended.join().unwrap()).await.unwrap().unwrap();
    let saved = soon(async { User::new(1, "a", 0).save(&db).await }).await;
    assert_eq!(saved.unwrap_err().kind(), ErrorKind::NotConnected);
    db.table::<Note>().unwrap();
    assert!(soon(db.build_tables()).await.is_err());
    assert!(soon(db.close()).await.is_err());
    assert!(!db.is_open());
    place.connect(&db).await.unwrap();
    User::new(1, "a", 0).save(&db).await.unwrap();
    db.close().await.unwrap();
}

async fn closing_out_of_reach_ends(place: &Place) {
    let db = open(place).await;
    User::new(1, "a", 0).save(&db).await.unwrap();
    place.local().faults().push(Rule::new(Action::LoseRequest).times(u64::MAX));
    let started = tokio::time::Instant::now();
    tokio::time::timeout(Duration::from_secs(60), db.close()).await.expect("it ends").unwrap();
    assert!(started.elapsed() > Duration::from_secs(10), "it was out of reach");
    place.local().faults().clear();
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 1);
    db.close().await.unwrap();
}

async fn a_close_dropped_anywhere_leaves_a_database_that_opens(_: &Place) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guild");
    let db = Database::new("dropped");
    db.table::<User>().unwrap();
    for id in 0..20 {
        soon(db.connect_local(&path)).await.unwrap();
        assert_eq!(User::count(&db).await.unwrap(), id as usize);
        User::new(id, &id.to_string(), 0).save(&db).await.unwrap();
        let closed = tokio::time::timeout(Duration::from_millis(2 * id), db.close()).await;
        if closed.is_err() && db.is_open() {
            soon(db.close()).await.unwrap();
        }
    }
}

async fn a_dropped_connect_shuts_its_transport_down(place: &Place) {
    let guild = place.local();
    let mut config = TwilightConfig::new(guild.token());
    config.api = guild.api().parse().unwrap();
    config.gateway = Some(guild.gateway().to_owned());
    let transport = TwilightTransport::new(config).unwrap();
    transport.me().await.unwrap();
    guild.faults().push(Rule::new(Action::DelayReply { ms: 3_000 }).on("GET", "/guilds/{guild}/channels"));
    let db = place.database();
    let connecting =
        tokio::time::timeout(Duration::from_millis(300), db.connect_over(transport.clone())).await;
    assert!(connecting.is_err(), "it waits for the list of channels");
    soon(async {
        while transport.me().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(!db.is_open());
}

/// While Discord does not answer, what waits stays within the limit, and a deadline says that nothing was written.
async fn a_full_queue_makes_writes_wait(place: &Place) {
    let db = place.builder().queue_limit(1_000).build();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    place.local().faults().push(Rule::new(Action::DelayReply { ms: 5_000 }).on(POST.0, POST.1));
    let text = |id: u64| format!("{id}{}", "x".repeat(80));
    let saves: Vec<_> = (0..100).map(|id| User::new(id, &text(id), 0).save(&db).background()).collect();
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    let waiting = db.stats().unwrap().queued;
    assert!((5..40).contains(&waiting), "{waiting} commits wait");
    let late =
        User::new(1_000, &text(1_000), 0).save(&db).deadline(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Busy, "{late}");
    for save in saves {
        save.await.unwrap();
    }
    assert_eq!(User::count(&db).await.unwrap(), 100, "all that waited, and nothing of the one that was late");
    db.close().await.unwrap();
}

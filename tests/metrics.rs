//! What is counted: `Database::stats`, and the `metrics` facade beside it.
#![expect(clippy::unwrap_used, reason = "a test fails where it goes wrong")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use discobase::{Database, Table};
use discobase_guild::{Action, Limit, LocalGuild, Rule};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

#[derive(Debug, Clone, Table)]
struct User {
    #[table(key)]
    id: u64,
    points: i64,
}

/// One number of a recorder: counters and gauges as they are, histograms as how often something was recorded.
#[derive(Default)]
struct Number(AtomicU64);

impl CounterFn for Number {
    fn increment(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

impl GaugeFn for Number {
    fn increment(&self, by: f64) {
        self.0.fetch_add(by as u64, Ordering::Relaxed);
    }

    fn decrement(&self, by: f64) {
        self.0.fetch_sub(by as u64, Ordering::Relaxed);
    }

    fn set(&self, value: f64) {
        self.0.store(value as u64, Ordering::Relaxed);
    }
}

impl HistogramFn for Number {
    fn record(&self, value: f64) {
        assert!((0.0..60.0).contains(&value), "seconds, not {value}");
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A recorder that keeps numbers by name, and which names were described.
#[derive(Default)]
struct Numbers {
    numbers: Mutex<BTreeMap<String, Arc<Number>>>,
    described: Mutex<BTreeMap<String, Option<Unit>>>,
}

impl Numbers {
    fn number(&self, key: &Key) -> Arc<Number> {
        Arc::clone(self.numbers.lock().unwrap().entry(key.name().to_owned()).or_default())
    }

    fn get(&self, name: &str) -> u64 {
        self.numbers.lock().unwrap().get(name).map_or(0, |number| number.0.load(Ordering::Relaxed))
    }

    fn describe(&self, name: &KeyName, unit: Option<Unit>) {
        self.described.lock().unwrap().insert(name.as_str().to_owned(), unit);
    }
}

impl Recorder for Numbers {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, unit);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.number(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.number(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.number(key))
    }
}

const POST: &str = "/channels/{channel}/messages";

/// On one thread, because a recorder of one's own is a thread's.
#[tokio::test(flavor = "current_thread")]
async fn what_happens_is_counted_twice_alike() {
    let recorder = Numbers::default();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let guild = LocalGuild::builder().start().await.unwrap();
    let db = Database::builder("counted").gateway(false).build();
    db.table::<User>().unwrap();
    db.connect_guild(&guild).await.unwrap();
    let before = db.stats().unwrap();
    // Making the table is a commit of its own.
    assert_eq!((before.commits, before.frames, before.refused, before.queued), (1, 1, 0, 0));

    let save = |id| User { id, points: 0 }.save(&db).background();
    for save in [save(1), save(2), save(3)] {
        save.await.unwrap();
    }
    // Refused before it was queued: no commit, and nothing is sent.
    User { id: 1, points: 1 }.save(&db).await.unwrap_err();
    // Limited once, and then refused for good.
    guild
        .faults()
        .push(Rule::new(Action::TooManyRequests { limit: Limit::User, retry_after: 0.1 }).on("POST", POST));
    guild.faults().push(Rule::new(Action::AutoMod).on("POST", POST));
    guild.faults().push(Rule::new(Action::AutoMod).on("POST", POST));
    let refused = User { id: 4, points: 0 }.save(&db);
    assert_eq!(db.stats().unwrap().queued, 0, "a save that nobody awaits is none");
    refused.await.unwrap_err();

    let stats = db.stats().unwrap();
    assert_eq!(stats.commits - before.commits, 3);
    assert_eq!((stats.frames, stats.refused, stats.queued), (before.frames + 1, 1, 0));
    assert_eq!(stats.seq.get(), before.seq.get() + 3);
    assert!(stats.commit_bytes > before.commit_bytes);
    assert_eq!((stats.commit.count, stats.wait.count), (stats.frames, stats.frames + 1));
    assert!(stats.commit.longest >= stats.commit.mean() && !stats.commit.mean().is_zero());
    assert_eq!((stats.traffic.too_many_requests, stats.traffic.retries), (1, 1));
    assert_eq!(stats.traffic.requests, guild.stats().requests);

    for (name, expected) in [
        ("discobase_requests_total", stats.traffic.requests),
        ("discobase_retries_total", stats.traffic.retries),
        ("discobase_too_many_requests_total", stats.traffic.too_many_requests),
        ("discobase_sent_bytes_total", stats.traffic.bytes_sent),
        ("discobase_received_bytes_total", stats.traffic.bytes_received),
        ("discobase_frames_total", stats.frames),
        ("discobase_commits_total", stats.commits),
        ("discobase_refused_commits_total", stats.refused),
        ("discobase_commit_bytes_total", stats.commit_bytes),
        ("discobase_followed_commits_total", stats.followed),
        ("discobase_lookups_total", stats.lookups),
        ("discobase_lookup_hits_total", stats.lookup_hits),
        ("discobase_lookup_misses_total", stats.lookup_misses),
        ("discobase_lookup_bytes_total", stats.lookup_bytes),
        ("discobase_queued_commits", stats.queued),
        ("discobase_commit_seconds", stats.commit.count),
        ("discobase_wait_seconds", stats.wait.count),
        ("discobase_checkpoint_seconds", stats.checkpoint.count),
    ] {
        assert_eq!(recorder.get(name), expected, "{name}");
        assert!(recorder.described.lock().unwrap().contains_key(name), "{name} has no description");
    }
    for name in recorder.numbers.lock().unwrap().keys() {
        let described = recorder.described.lock().unwrap();
        assert!(described.get(name).is_some_and(Option::is_some), "{name} has no unit");
    }
    db.close().await.unwrap();
    guild.stop().await;
}

#[tokio::test(flavor = "current_thread")]
async fn what_a_follower_hears_is_counted() {
    let recorder = Numbers::default();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let guild = LocalGuild::builder().start().await.unwrap();
    let owner = Database::new("counted");
    owner.table::<User>().unwrap();
    owner.connect_guild(&guild).await.unwrap();
    let follower = Database::builder("counted").follower().build();
    follower.table::<User>().unwrap();
    follower.connect_guild(&guild).await.unwrap();
    User::save_all([User { id: 1, points: 0 }, User { id: 2, points: 0 }], &owner).await.unwrap();
    let heard = async {
        while User::count(&follower).await.unwrap() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard).await.unwrap();
    let stats = follower.stats().unwrap();
    assert_eq!((stats.followed, stats.commits, stats.frames), (1, 0, 0));
    assert_eq!(recorder.get("discobase_followed_commits_total"), 1);
    assert_eq!(stats.seq, owner.stats().unwrap().seq);
    assert!(owner.stats().unwrap().lag.is_zero());
    follower.close().await.unwrap();
    owner.close().await.unwrap();
    guild.stop().await;
}

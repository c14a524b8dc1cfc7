//! Numbers that are counted once and read twice: by `Database::stats`, and by whoever records the `metrics` facade.
//!
//! The guide's chapter "Observability" lists the names. They are part of what users see: changing one is a change of
//! the interface.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug)]
pub(crate) struct Count {
    name: &'static str,
    value: AtomicU64,
}

/// A number that grows and shrinks.
#[derive(Debug)]
pub(crate) struct Level {
    name: &'static str,
    value: AtomicU64,
}

/// Times of something that happens again and again.
#[derive(Debug)]
pub(crate) struct Times {
    name: &'static str,
    count: AtomicU64,
    nanoseconds: AtomicU64,
    longest: AtomicU64,
}

impl Count {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, value: AtomicU64::new(0) }
    }

    pub(crate) fn add(&self, more: u64) {
        self.value.fetch_add(more, Ordering::Relaxed);
        record::count(self.name, more);
    }

    pub(crate) fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

impl Level {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, value: AtomicU64::new(0) }
    }

    pub(crate) fn rise(&self, by: u64) {
        self.value.fetch_add(by, Ordering::Relaxed);
        record::rise(self.name, by);
    }

    pub(crate) fn fall(&self, by: u64) {
        self.value.fetch_sub(by, Ordering::Relaxed);
        record::fall(self.name, by);
    }

    pub(crate) fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

impl Times {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, count: AtomicU64::new(0), nanoseconds: AtomicU64::new(0), longest: AtomicU64::new(0) }
    }

    pub(crate) fn took(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        self.longest.fetch_max(nanoseconds, Ordering::Relaxed);
        record::took(self.name, time);
    }

    pub(crate) fn get(&self) -> Took {
        Took {
            count: self.count.load(Ordering::Relaxed),
            total: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
            longest: Duration::from_nanos(self.longest.load(Ordering::Relaxed)),
        }
    }
}

/// How long something took that happens again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Took {
    /// How often it happened.
    pub count: u64,
    /// All of it together.
    pub total: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Took {
    /// How long it took on average; zero if it never happened.
    #[must_use]
    pub fn mean(&self) -> Duration {
        let nanoseconds = self.total.as_nanos() / u128::from(self.count.max(1));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// Every name with what it counts; the unit is part of the name.
#[cfg(feature = "metrics")]
const NAMES: [(&str, &str); 18] = [
    ("discobase_requests_total", "HTTP requests sent, retries and downloads included"),
    ("discobase_retries_total", "requests sent again after a 429, a 5xx or a lost answer"),
    ("discobase_too_many_requests_total", "answers with status 429"),
    ("discobase_sent_bytes_total", "bytes of request bodies"),
    ("discobase_received_bytes_total", "bytes of response bodies"),
    ("discobase_frames_total", "frames of commits that became durable"),
    ("discobase_commits_total", "commits that became durable"),
    ("discobase_refused_commits_total", "commits that were queued and did not become durable here"),
    ("discobase_commit_bytes_total", "bytes of durable commits, before compression"),
    ("discobase_followed_commits_total", "commits of other processes that became visible here"),
    ("discobase_lookups_total", "keys and rows that were looked up in lazy tables"),
    ("discobase_lookup_hits_total", "blocks of lazy tables that were kept when they were needed"),
    ("discobase_lookup_misses_total", "blocks of lazy tables that were not kept when they were needed"),
    (
        "discobase_lookup_bytes_total",
        "bytes of files that were downloaded for lazy tables that are not in memory",
    ),
    ("discobase_queued_commits", "commits that wait to become durable"),
    ("discobase_commit_seconds", "from queueing the first commit of a frame until it is durable"),
    ("discobase_wait_seconds", "what a frame waited, for more commits or for the rate limit, before it left"),
    ("discobase_checkpoint_seconds", "what a checkpoint took, from its beginning until it was durable"),
];

/// Tells a recorder what the names mean.
pub(crate) fn describe() {
    #[cfg(feature = "metrics")]
    for (name, what) in NAMES {
        let unit = match name {
            _ if name.contains("bytes") => metrics::Unit::Bytes,
            _ if name.ends_with("seconds") => metrics::Unit::Seconds,
            _ => metrics::Unit::Count,
        };
        match name {
            _ if name.ends_with("total") => metrics::describe_counter!(name, unit, what),
            _ if name.ends_with("seconds") => metrics::describe_histogram!(name, unit, what),
            _ => metrics::describe_gauge!(name, unit, what),
        }
    }
}

/// What the `metrics` facade hears.
#[cfg(feature = "metrics")]
mod record {
    use std::time::Duration;

    pub(super) fn count(name: &'static str, more: u64) {
        metrics::counter!(name).increment(more);
    }

    pub(super) fn rise(name: &'static str, by: u64) {
        metrics::gauge!(name).increment(by as f64);
    }

    pub(super) fn fall(name: &'static str, by: u64) {
        metrics::gauge!(name).decrement(by as f64);
    }

    pub(super) fn took(name: &'static str, time: Duration) {
        metrics::histogram!(name).record(time);
    }
}

/// Without the facade nobody else hears anything.
#[cfg(not(feature = "metrics"))]
mod record {
    use std::time::Duration;

    pub(super) const fn count(_name: &'static str, _more: u64) {}

    pub(super) const fn rise(_name: &'static str, _by: u64) {}

    pub(super) const fn fall(_name: &'static str, _by: u64) {}

    pub(super) const fn took(_name: &'static str, _time: Duration) {}
}

//! Watchers: each replays what its watch gives, and compares what comes of it with what is there.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use discobase_core::{Change, Database, ErrorKind, Record, RowId, Seq, Table, Watch, Watched};
use tokio::time::{sleep, timeout};

use crate::oracle::Oracle;
use crate::rng::Rng;
use crate::tables::{Claim, Deposit, Entry, Register, digest};
use crate::world::World;

/// A table that is watched.
pub(crate) trait Watchable: Table + Clone + Hash + PartialEq + Debug {
    /// A watcher saw that one commit left these records behind.
    fn seen(oracle: &Oracle, watcher: &str, records: &[Record<Self>]);
}

impl Watchable for Entry {
    fn seen(oracle: &Oracle, watcher: &str, records: &[Record<Self>]) {
        oracle.saw_entries(watcher, records, None);
    }
}

impl Watchable for Deposit {
    fn seen(_: &Oracle, _: &str, _: &[Record<Self>]) {}
}

impl Watchable for Register {
    fn seen(oracle: &Oracle, watcher: &str, records: &[Record<Self>]) {
        records.iter().for_each(|register| oracle.saw_register(watcher, register));
    }
}

impl Watchable for Claim {
    fn seen(oracle: &Oracle, watcher: &str, records: &[Record<Self>]) {
        oracle.saw_claims(watcher, records);
    }
}

/// One watcher of one table.
pub(crate) struct Watcher<T> {
    world: Arc<World>,
    oracle: Arc<Oracle>,
    name: String,
    rng: Rng,
    /// How likely it is to be busy with something else between two events.
    slow: f64,
    watch: Watch<T>,
    /// The table as the events say.
    rows: BTreeMap<RowId, Record<T>>,
    /// The sum of what each of the rows hashes to.
    digest: u64,
    seq: Seq,
}

impl<T: Watchable> Watcher<T> {
    /// Watches until the database is closed.
    pub(crate) async fn watch(
        world: Arc<World>,
        oracle: Arc<Oracle>,
        db: Database,
        process: String,
        mut rng: Rng,
    ) {
        // Whose database was closed in the meantime has nothing to watch.
        let Ok(watch) = T::watch(&db) else { return };
        let watch = watch.buffer(usize::try_from(rng.pick(4_096, &[3, 40])).unwrap_or(3));
        let name = format!("{process} (watching {})", T::SCHEMA.name);
        let slow = rng.pick(0.0, &[0.1, 0.5]);
        let (rows, seq) = (BTreeMap::new(), Seq::default());
        let mut watcher = Self { world, oracle, name, rng, slow, watch, rows, digest: 0, seq };
        watcher.rewind();
        while watcher.go_on().await {}
    }

    /// Takes an event; false if there are no more.
    async fn go_on(&mut self) -> bool {
        if self.rng.chance(self.slow) {
            sleep(Duration::from_millis(self.rng.between(1, 20_000))).await;
        }
        let patience = Duration::from_millis(self.rng.between(1_000, 30_000));
        match timeout(patience, self.watch.next()).await {
            // Nothing waits, and nothing else runs between that and here.
            Err(_) => self.compare(),
            Ok(None) => return false,
            Ok(Some(Err(error))) => self.judge_end(&error),
            Ok(Some(Ok(Watched::Commit { seq, changes }))) => self.apply(seq, changes),
            Ok(Some(Ok(Watched::Lagged))) => {
                self.world.with(|inner, _| inner.trace.counts.lagged += 1);
                self.rewind();
            }
            Ok(Some(Ok(event))) => self.oracle.violation(format!("{} was told {event:?}", self.name)),
        }
        true
    }

    /// What one commit did: each record as it was must be the one that was known.
    fn apply(&mut self, seq: Seq, changes: Vec<Change<T>>) {
        self.world.with(|inner, _| inner.trace.counts.watched += 1);
        // Where people deleted frames that had been read, a follower takes back what they held.
        if seq <= self.seq && !self.world.vandalised() {
            self.wrong(&format!("commit {seq} came after commit {}", self.seq));
        }
        let mut after = Vec::new();
        for change in changes {
            let (id, old, new) = (change.id(), change.before().cloned(), change.after().cloned());
            let known = match &new {
                Some(new) => self.rows.insert(id, new.clone()),
                None => self.rows.remove(&id),
            };
            self.digest = self.digest.wrapping_sub(digest(&known));
            self.digest = self.digest.wrapping_add(digest(&new));
            if !same(known.as_ref(), old.as_ref()) {
                self.wrong(&format!("commit {seq} changed {old:?}, and what was known is {known:?}"));
            }
            after.extend(new);
        }
        T::seen(&self.oracle, &self.name, &after);
        self.reached(seq);
    }

    /// Takes everything anew.
    fn rewind(&mut self) {
        match self.watch.records() {
            Ok(records) => self.rows = records.into_iter().map(|record| (record.id(), record)).collect(),
            Err(error) => return self.wrong(&format!("records: {:?}: {error}", error.kind())),
        }
        self.digest = digest(self.rows.values());
        let seq = self.watch.seq();
        if seq < self.seq && !self.world.vandalised() {
            self.wrong(&format!("records are of commit {seq}, after events up to commit {}", self.seq));
        }
        self.reached(seq);
    }

    /// Nothing more has come: what the events said must be what is there.
    fn compare(&mut self) {
        let known = std::mem::take(&mut self.rows);
        self.rewind();
        let differs = |(id, record): (&RowId, &Record<T>)| {
            (!same(self.rows.get(id), Some(record))).then(|| format!("{record:?}"))
        };
        if let Some(lost) = known.iter().find_map(differs) {
            self.wrong(&format!("the events led to {lost}, which is not there"));
        } else if let Some((_, record)) = self.rows.iter().find(|(id, _)| !known.contains_key(id)) {
            self.wrong(&format!("the events left out {record:?}"));
        }
    }

    /// Everybody who comes to a commit has the same table then.
    fn reached(&mut self, seq: Seq) {
        self.seq = seq;
        if !self.world.vandalised() {
            self.oracle.saw_state(&self.name, T::SCHEMA.name, seq, self.digest);
        }
    }

    fn judge_end(&self, error: &discobase_core::Error) {
        let expected = match error.kind() {
            ErrorKind::Fenced
            | ErrorKind::UnknownOutcome
            | ErrorKind::Unreachable
            | ErrorKind::NotConnected => true,
            ErrorKind::Damaged | ErrorKind::Corrupt | ErrorKind::MissingChannel => self.world.vandalised(),
            _ => false,
        };
        if !expected {
            self.wrong(&format!("it ends with {:?}: {error}", error.kind()));
        }
    }

    fn wrong(&self, what: &str) {
        self.oracle.violation(format!("{}: {what}", self.name));
    }
}

/// Whether two records are one, as one commit left it.
fn same<T: PartialEq>(one: Option<&Record<T>>, other: Option<&Record<T>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            (one.id(), one.version()) == (other.id(), other.version()) && **one == **other
        }
        _ => false,
    }
}

//! How far commits are decided, and who waits for it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::ids::Seq;

/// The last commit of which everything up to it is decided.
///
/// It wakes those who wait in the order in which they began to. tokio's own watch channel does so in a random order,
/// which no simulation could replay.
pub(super) struct Decided {
    seq: AtomicU64,
    changes: AtomicU64,
    changed: Notify,
}

/// What somebody knows of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) seq: Seq,
    changes: u64,
}

impl Decided {
    pub(super) fn new(seq: Seq) -> Self {
        Self { seq: AtomicU64::new(seq.get()), changes: AtomicU64::new(0), changed: Notify::new() }
    }

    pub(super) fn known(&self) -> Known {
        // The changes first: what changes in between is a change that is not known yet.
        let changes = self.changes.load(Ordering::SeqCst);
        Known { seq: self.seq(), changes }
    }

    fn seq(&self) -> Seq {
        Seq::new(self.seq.load(Ordering::SeqCst))
    }

    /// Everything up to `seq` is decided.
    pub(super) fn set(&self, seq: Seq) {
        self.seq.store(seq.get(), Ordering::SeqCst);
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Everything is decided, whatever was asked for.
    pub(super) fn set_all(&self) {
        self.set(Seq::new(u64::MAX));
    }

    /// Waits until everything up to `seq` is decided.
    pub(super) async fn reaches(&self, seq: Seq) {
        self.wait_for(|| self.seq() >= seq).await;
    }

    /// Waits until something has been decided that is not known.
    pub(super) async fn passes(&self, known: Known) {
        self.wait_for(|| self.changes.load(Ordering::SeqCst) != known.changes).await;
    }

    async fn wait_for(&self, is_so: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Before the look, so that what happens between the two is not missed.
            changed.as_mut().enable();
            if is_so() {
                return;
            }
            changed.await;
        }
    }
}

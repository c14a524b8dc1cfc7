//! A process: one life of a program that has the database open. It can end at any request, and be cut off for a while.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// One life of one process.
#[derive(Debug)]
pub(crate) struct Process {
    /// Which life this is, of all.
    pub(crate) life: u64,
    /// How the trace calls it.
    pub(crate) name: String,
    mortal: bool,
    dead: AtomicBool,
    died: Notify,
    cut_off_until: Mutex<Instant>,
}

impl Process {
    /// `mortal`: it may crash and be cut off.
    pub(crate) fn new(life: u64, name: String, mortal: bool) -> Self {
        Self {
            life,
            name,
            mortal,
            dead: AtomicBool::new(false),
            died: Notify::new(),
            cut_off_until: Mutex::new(Instant::now()),
        }
    }

    pub(crate) fn may_crash(&self) -> bool {
        self.mortal && !self.is_dead()
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Ends it: nothing of it goes on, no request of it leaves any more.
    pub(crate) fn die(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.died.notify_one();
    }

    /// Completes when it has died; for one waiter.
    pub(crate) async fn died(&self) {
        while !self.is_dead() {
            self.died.notified().await;
        }
    }

    /// Cuts it off from the network: requests leave and answers arrive only afterwards.
    pub(crate) fn cut_off(&self, time: Duration) {
        let mut until = self.cut_off_until.lock();
        *until = (*until).max(Instant::now() + time);
    }

    /// Completes when something from outside reaches it, or something of it may leave: never, if it is dead.
    pub(crate) async fn reached(&self) {
        loop {
            if self.is_dead() {
                return std::future::pending().await;
            }
            let until = *self.cut_off_until.lock();
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

//! What a process may do with its database, and how far behind the journal it is.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::db::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Incarnation, Seq};

/// What this process does with the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// It opened the journal for writing. If another process took the database over since, writes say so.
    Writer,
    /// It follows what the owner writes, and writes nothing itself.
    Follower,
}

/// How far a process is behind the journal.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Lag {
    /// For how long it has not been certain that everything which was posted is known: the time since the newest frame
    /// arrived, or since a read of the journal's tail found nothing more. Zero for a writer. For a follower that
    /// hears the gateway it grows to half the window (30 seconds on Discord) while nobody writes, although nothing is
    /// missing.
    pub time: Duration,
    /// The last commit that can be read here.
    pub seq: Seq,
    /// How many messages of the journal the gateway brought that are not looked at yet.
    pub waiting: usize,
    /// Why the journal can't be followed any further, if it can't: `Damaged`, `Corrupt`, `MissingChannel`, `WrongKey` or
    /// another word about the key after somebody changed it, or what the transport says. What was known before is served, and reading is tried again regularly.
    pub trouble: Option<Error>,
}

/// What is known of following: behind a lock of its own, because it is asked for at any time.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// When the tail was last known to be complete, on the monotonic clock.
    pub(super) complete: Duration,
    pub(super) trouble: Option<Error>,
}

impl Engine {
    /// What this process does.
    pub(crate) fn role(&self) -> Role {
        *self.role.borrow()
    }

    /// Completes when this process has become the writer; or when it never will, because the engine is gone.
    pub(crate) async fn becomes_writer(&self) {
        let mut role = self.role.subscribe();
        let _ = role.wait_for(|role| *role == Role::Writer).await;
    }

    /// The opening this process writes in.
    ///
    /// # Errors
    /// `ReadOnly` for a follower.
    pub(crate) fn incarnation(&self) -> Result<Incarnation> {
        self.newest.lock().incarnation.ok_or_else(read_only)
    }

    /// How far this process is behind the journal.
    pub(crate) fn lag(&self) -> Lag {
        let seq = self.tables().seq();
        if self.role() == Role::Writer {
            return Lag { time: Duration::ZERO, seq, waiting: 0, trouble: self.stopped() };
        }
        let waiting = self.inbox.lock().heard.len();
        let progress = self.progress.lock();
        let time = self.env.monotonic().saturating_sub(progress.complete);
        Lag { time, seq, waiting, trouble: progress.trouble.clone() }
    }

    /// Asks the task to take the database over, and waits for how that ends. For a writer there is nothing to do.
    pub(crate) async fn promote(&self) -> Result<()> {
        if self.role() == Role::Writer {
            return self.settled().await;
        }
        let closed = || Error::new(ErrorKind::NotConnected, "the database was closed");
        let (waiter, done) = oneshot::channel();
        {
            // Under the lock that the task takes too when it ends or becomes the writer, so that nobody waits for a task
            // that asks no more.
            let newest = self.newest.lock();
            if newest.ended || newest.closing {
                return Err(newest.stopped.clone().unwrap_or_else(closed));
            }
            if newest.incarnation.is_some() {
                return Ok(());
            }
            self.inbox.lock().promoting.push(waiter);
        }
        self.wake.notify_one();
        done.await.unwrap_or_else(|_| Err(closed()))
    }
}

pub(crate) fn read_only() -> Error {
    let text = "this process follows the database and writes nothing: write where it is open for writing, or take it \
                over with db.promote().await";
    Error::new(ErrorKind::ReadOnly, text)
}

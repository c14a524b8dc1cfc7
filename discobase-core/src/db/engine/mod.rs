//! The running engine: commits join a queue, one flusher makes frames of it, and what is durable becomes visible.
//!
//! Two states of the tables are kept. `visible` holds what is durable: readers see nothing else. `newest` has every
//! accepted commit applied on top: commits are checked against it, so that the first committer wins while its
//! frame is still in flight. Both share all they have in common. When a frame is durable, `visible` becomes what
//! `newest` was when the frame was cut: each commit is applied once.

mod commit;
mod counters;
mod ending;
mod flusher;
mod frame;
mod outcome;
mod pace;
mod queue;
mod size;

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};

pub use outcome::Outcome;

use crate::env::SharedEnv;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, Incarnation, Seq};
use crate::journal::writer::Writer;
use crate::tables::Tables;
use crate::transport::Transport;

use counters::Counters;
use flusher::Flusher;
use queue::Newest;

/// The engine of one connected database.
pub(crate) struct Engine {
    visible: ArcSwap<Tables>,
    newest: Mutex<Newest>,
    wake: Notify,
    /// Counts decisions, so that a conflict with a commit in flight is answered when that one is decided.
    decided: watch::Sender<Seq>,
    transport: Arc<dyn Transport>,
    journal: ChannelId,
    incarnation: Incarnation,
    env: SharedEnv,
    counters: Counters,
}

impl Engine {
    /// Starts the flusher on the current runtime.
    pub(crate) fn start(
        writer: Writer,
        tables: Tables,
        past: Vec<(Incarnation, Seq, Seq)>,
        transport: Arc<dyn Transport>,
    ) -> (Arc<Self>, tokio::task::JoinHandle<()>) {
        let engine = Arc::new(Self {
            decided: watch::channel(tables.seq()).0,
            visible: ArcSwap::from_pointee(tables.clone()),
            newest: Mutex::new(Newest::new(tables, past)),
            wake: Notify::new(),
            transport,
            journal: writer.channel(),
            incarnation: writer.incarnation(),
            env: Arc::clone(writer.env()),
            counters: Counters::new(),
        });
        // Made before the task is, so that even a task that never runs ends as it should.
        let flusher = Flusher(Arc::clone(&engine));
        (engine, tokio::spawn(flusher.run(writer)))
    }

    /// The tables as of the last durable commit.
    pub(crate) fn tables(&self) -> arc_swap::Guard<Arc<Tables>> {
        self.visible.load()
    }

    /// What happened since the database was connected.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Lets the queue drain and writes the closing frame. The flusher's task ends after it.
    pub(crate) fn close(&self) {
        self.newest.lock().closing = true;
        self.wake.notify_one();
    }

    /// Why the engine stopped, if it did.
    pub(crate) fn stopped(&self) -> Option<Error> {
        self.newest.lock().stopped.clone()
    }

    /// Has the tail of the journal read soon, because somebody else may have posted.
    pub(crate) fn look(&self) {
        self.newest.lock().look = true;
        self.wake.notify_one();
    }

    /// Has the whole journal read soon, because one of its messages was deleted.
    pub(crate) fn doubt(&self) {
        self.newest.lock().doubt = true;
        self.wake.notify_one();
    }

    /// The journal's channel: no two databases share one.
    pub(crate) fn journal(&self) -> ChannelId {
        self.journal
    }

    /// The opening this engine writes in.
    pub(crate) fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Whether a channel belongs to a table.
    pub(crate) fn uses(&self, channel: ChannelId) -> bool {
        self.tables().iter().any(|table| {
            let def = table.def();
            def.channel == channel || def.indexes.iter().any(|index| index.channel == channel)
        })
    }

    /// Waits until this process is certain to be the owner: before it makes or deletes channels.
    pub(crate) async fn settled(&self) -> Result<()> {
        let closed = || Error::new(ErrorKind::NotConnected, "the database was closed");
        let (waiter, settled) = oneshot::channel();
        {
            let mut newest = self.newest.lock();
            if newest.ended {
                return Err(newest.stopped.clone().unwrap_or_else(closed));
            }
            newest.settling.push(waiter);
        }
        self.wake.notify_one();
        settled.await.unwrap_or_else(|_| Err(closed()))
    }
}

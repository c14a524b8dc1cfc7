//! The running engine: commits join a queue, one task makes frames of it, and what is durable becomes visible. In a
//! follower the same task makes visible what others wrote.
//!
//! Two states of the tables are kept. `visible` holds what is durable: readers see nothing else. `newest` has every
//! accepted commit applied on top: commits are checked against it, so that the first committer wins while its
//! frame is still in flight. Both share all they have in common. When a frame is durable, `visible` becomes what
//! `newest` was when the frame was cut: each commit is applied once.

mod checkpoint;
mod commit;
mod counters;
mod decided;
mod ending;
pub(crate) mod feed;
mod flusher;
mod follow;
mod frame;
mod hold;
pub(crate) mod lookup;
mod mend;
pub(crate) mod news;
mod outcome;
mod pace;
mod queue;
mod role;
mod shorten;
mod size;
mod takeover;
mod task;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};

pub(crate) use checkpoint::{Appended, Cut, Last};
pub use outcome::Outcome;
pub(crate) use queue::Committed;
pub use role::{Lag, Role};
pub(crate) use task::Duty;

use crate::codec::checkpoint::Wrote;
use crate::env::SharedEnv;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, MessageId};
use crate::lookup::Lookups;
use crate::replay::Volume;
use crate::tables::Tables;
use crate::transport::Transport;

use counters::Counters;
use decided::Decided;
use follow::Inbox;
use news::Watchers;
use queue::Newest;
use role::Progress;
pub(crate) use role::read_only;
use task::Task;

/// The engine of one connected database.
pub(crate) struct Engine {
    visible: ArcSwap<Tables>,
    newest: Mutex<Newest>,
    wake: Notify,
    /// Counts decisions, so that a conflict with a commit in flight is answered when that one is decided.
    decided: Decided,
    transport: Arc<dyn Transport>,
    env: SharedEnv,
    counters: Counters,
    journal: ChannelId,
    role: watch::Sender<Role>,
    inbox: Mutex<Inbox>,
    progress: Mutex<Progress>,
    watchers: Watchers,
    /// The name under which this process takes over.
    owner: String,
    /// How long the journal must be silent before this process takes over by itself, if it does.
    stand_by: Option<Duration>,
    /// What was written since the last checkpoint.
    volume: watch::Sender<Volume>,
    /// The last checkpoint that is durable.
    last: Mutex<Option<Last>>,
    /// The newest message of the journal that it covers.
    covered: AtomicU64,
    /// From how many bytes on commits wait for room in the queue.
    queue_limit: usize,
    /// What finds rows of tables that are not loaded.
    lookups: Arc<Lookups>,
    /// How often another process's commits have changed tables.
    redefined: AtomicU64,
}

/// What an engine starts from.
pub(crate) struct Start {
    pub(crate) duty: Duty,
    pub(crate) tables: Tables,
    /// What earlier openings wrote, as far as the journal knows.
    pub(crate) past: Vec<Wrote>,
    /// What was written since the last checkpoint.
    pub(crate) volume: Volume,
    /// The last checkpoint.
    pub(crate) last: Option<Last>,
    /// The newest message of the journal that it covers.
    pub(crate) covered: MessageId,
    pub(crate) transport: Arc<dyn Transport>,
    /// The name under which a follower takes over.
    pub(crate) owner: String,
    /// How long the journal must be silent before a follower takes over by itself, if it does.
    pub(crate) stand_by: Option<Duration>,
    /// From how many bytes on commits wait for room in the queue.
    pub(crate) queue_limit: usize,
    /// What finds rows of tables that are not loaded.
    pub(crate) lookups: Arc<Lookups>,
}

impl Engine {
    /// What the calendar says: microseconds since the Unix epoch.
    pub(crate) fn now(&self) -> i64 {
        self.env.now()
    }

    /// Starts the task on the current runtime.
    pub(crate) fn start(start: Start) -> (Arc<Self>, tokio::task::JoinHandle<()>) {
        let Start { duty, tables, past, volume, last, covered, transport, owner, stand_by, .. } = start;
        let (queue_limit, lookups) = (start.queue_limit, start.lookups);
        let (journal, env, incarnation) = match &duty {
            Duty::Write(writer) => (writer.channel(), writer.env(), Some(writer.incarnation())),
            Duty::Follow(follower) => (follower.reader.channel, &follower.reader.env, None),
        };
        let env = Arc::clone(env);
        let role = if incarnation.is_some() { Role::Writer } else { Role::Follower };
        let engine = Arc::new(Self {
            decided: Decided::new(tables.seq()),
            visible: ArcSwap::from_pointee(tables.clone()),
            newest: Mutex::new(Newest::new(tables, past, incarnation)),
            wake: Notify::new(),
            transport,
            env,
            counters: Counters::new(),
            journal,
            role: watch::channel(role).0,
            inbox: Mutex::default(),
            progress: Mutex::default(),
            watchers: Watchers::default(),
            owner,
            stand_by,
            volume: watch::channel(volume).0,
            last: Mutex::new(last),
            covered: AtomicU64::new(covered.get()),
            queue_limit,
            lookups,
            redefined: AtomicU64::new(0),
        });
        // Made before it is spawned, so that even a task that never runs ends as it should.
        let task = Task(Arc::clone(&engine));
        (engine, tokio::spawn(task.run(duty)))
    }

    /// The tables as of the last durable commit.
    pub(crate) fn tables(&self) -> arc_swap::Guard<Arc<Tables>> {
        self.visible.load()
    }

    /// The clock and the random numbers.
    pub(crate) fn env(&self) -> &SharedEnv {
        &self.env
    }

    /// What happened since the database was connected.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Lets the queue drain and writes the closing frame, if this process writes. The task ends after it.
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
            if newest.incarnation.is_none() {
                return Err(read_only());
            }
            newest.settling.push(waiter);
        }
        self.wake.notify_one();
        settled.await.unwrap_or_else(|_| Err(closed()))
    }
}

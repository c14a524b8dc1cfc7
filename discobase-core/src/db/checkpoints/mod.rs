//! The task that writes checkpoints while commits go on, and afterwards deletes what they make superfluous.

mod heal;
mod pending;
mod rotate;
mod settings;
mod state;
mod tidy;
mod write;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub(crate) use heal::Mend;
use pending::{Pending, Queue};
pub(crate) use settings::{Enough, Settings};
pub use state::CheckpointState;
use state::Progress;

use crate::codec::checkpoint::Root;
use crate::db::engine::{Engine, Last, Role, read_only};
use crate::env::{self, SharedEnv};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Seq;
use crate::journal::reader::Reader;
use crate::replay::Volume;
use crate::seal::Sealing;

/// What is to be done as soon as other keys hold.
pub(crate) type Rotated = Box<dyn FnOnce() + Send>;

/// What somebody wants of the task.
enum Request {
    /// A checkpoint now; the last commit it has.
    Write(oneshot::Sender<Result<Seq>>),
    /// Everything anew under these keys, or clear.
    Rotate(Option<Arc<Sealing>>, Rotated, oneshot::Sender<Result<Seq>>),
    /// Everything anew after damage.
    Heal(Box<Mend>, oneshot::Sender<Result<Seq>>),
    /// A checkpoint if what was written since the last one is worth it, and then nothing more.
    Finish(oneshot::Sender<()>),
}

/// The task's end that a connection holds.
pub(crate) struct Checkpoints {
    engine: Arc<Engine>,
    requests: mpsc::UnboundedSender<Request>,
    progress: Arc<Mutex<Progress>>,
    env: SharedEnv,
    /// Ends what may be interrupted.
    leaving: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// The task.
struct Task {
    engine: Arc<Engine>,
    reader: Reader,
    root: Root,
    settings: Settings,
    pending: Queue,
    /// Whether segments may lie around that no checkpoint refers to.
    orphans: bool,
    /// When a checkpoint that failed is tried again, and how often it has failed.
    retry: Option<(Duration, u32)>,
    requests: mpsc::UnboundedReceiver<Request>,
    leaving: watch::Receiver<bool>,
    progress: Arc<Mutex<Progress>>,
}

impl Checkpoints {
    /// Starts the task on the current runtime. `untrimmed` is the age of the last checkpoint, if messages are left that
    /// it covers.
    pub(crate) fn start(
        engine: Arc<Engine>,
        reader: Reader,
        root: Root,
        settings: Settings,
        untrimmed: Option<Duration>,
    ) -> Self {
        let env = Arc::clone(&reader.env);
        let (requests, receiver) = mpsc::unbounded_channel();
        let leaving = watch::Sender::new(false);
        // A process before this one may have been interrupted while it trimmed, or never have come to it.
        // What it is when this process comes to write is for then.
        let untrimmed = untrimmed.filter(|_| engine.role() != Role::Follower);
        let pending = engine.last().zip(untrimmed).map(|(last, age)| {
            let at = env.monotonic() + settings.trim_after.saturating_sub(age);
            superfluous(&last, at)
        });
        let mut queue = Queue::default();
        pending.into_iter().for_each(|pending| queue.push(pending));
        let progress = Arc::new(Mutex::new(Progress::default()));
        let task = Task {
            engine: Arc::clone(&engine),
            reader,
            root,
            settings,
            pending: queue,
            orphans: true,
            retry: None,
            requests: receiver,
            leaving: leaving.subscribe(),
            progress: Arc::clone(&progress),
        };
        let task = Mutex::new(Some(tokio::spawn(task.run())));
        Self { engine, requests, progress, env, leaving, task }
    }

    /// Writes a checkpoint now: the last commit it has.
    pub(crate) async fn write(&self) -> Result<Seq> {
        let (reply, written) = oneshot::channel();
        // What a task that has ended can't take, it does not answer either.
        let _ = self.requests.send(Request::Write(reply));
        let over = || Error::new(ErrorKind::NotConnected, "the database is being closed");
        written.await.unwrap_or_else(|_| Err(over()))
    }

    /// Writes everything anew under other keys, or clear: the last commit that it has.
    pub(crate) async fn rotate(&self, sealing: Option<Arc<Sealing>>, done: Rotated) -> Result<Seq> {
        let (reply, rotated) = oneshot::channel();
        let _ = self.requests.send(Request::Rotate(sealing, done, reply));
        let over = || Error::new(ErrorKind::NotConnected, "the database is being closed");
        rotated.await.unwrap_or_else(|_| Err(over()))
    }

    /// Writes everything anew after damage: the last commit that it has.
    pub(crate) async fn heal(&self, mend: Mend) -> Result<Seq> {
        let (reply, healed) = oneshot::channel();
        let _ = self.requests.send(Request::Heal(Box::new(mend), reply));
        let over = || Error::new(ErrorKind::NotConnected, "the database is being closed");
        healed.await.unwrap_or_else(|_| Err(over()))
    }

    /// Writes a last checkpoint if there is enough for it, for no longer than `patience`, and ends the task.
    pub(crate) async fn finish(&self, patience: Duration) {
        self.leaving.send_replace(true);
        let (reply, finished) = oneshot::channel();
        let _ = self.requests.send(Request::Finish(reply));
        let end = self.env.monotonic().saturating_add(patience);
        if env::until(&*self.env, end, finished).await.is_none() {
            tracing::warn!(
                name: "checkpoint_failed", target: "discobase::checkpoint", ?patience,
                "the checkpoint at closing took too long and was given up"
            );
        }
        self.stop();
    }

    /// Ends the task where it is: whatever it was about can be continued later.
    pub(crate) fn stop(&self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }

    /// Whether the catalog is being rewritten after a checkpoint.
    pub(crate) fn mirrors(&self) -> bool {
        self.progress.lock().mirroring
    }

    /// How far checkpoints have come.
    pub(crate) fn state(&self) -> CheckpointState {
        let complete_to = self.engine.last().map_or(Seq::default(), |last| last.checkpoint.seq);
        let Progress { written, error, .. } = self.progress.lock().clone();
        CheckpointState { complete_to, written, error }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Task {
    async fn run(mut self) {
        // A process that follows writes none; whoever wants one is told so.
        loop {
            if self.engine.role() == Role::Follower && !self.until_writer().await {
                return;
            }
            let wake = self.pending.next_at();
            let env = Arc::clone(&self.reader.env);
            let due = due(&env, self.engine.volume(), self.settings.due, self.retry.map(|(at, _)| at));
            tokio::select! {
                biased;
                request = self.requests.recv() => match request {
                    None => return,
                    Some(Request::Write(reply)) => {
                        // A caller that went away needs no answer.
                        let _ = reply.send(self.attempt().await);
                    }
                    Some(Request::Rotate(sealing, done, reply)) => {
                        let _ = reply.send(self.rotate(sealing, done).await);
                    }
                    Some(Request::Heal(mend, reply)) => {
                        let _ = reply.send(self.heal(&mend).await);
                    }
                    Some(Request::Finish(reply)) => {
                        if self.settings.at_close.is_reached(*self.engine.volume().borrow()) {
                            let _ = self.attempt().await;
                        }
                        let _ = reply.send(());
                        return;
                    }
                },
                () = due => {
                    let _ = self.attempt().await;
                }
                () = env::sleep_until(&*env, wake.unwrap_or_default()), if wake.is_some() => {
                    self.tidy().await;
                }
            }
        }
    }

    /// Waits until this process writes; `false` if it never will.
    async fn until_writer(&mut self) -> bool {
        loop {
            tokio::select! {
                biased;
                () = self.engine.becomes_writer() => {
                    self.inherit();
                    return true;
                }
                request = self.requests.recv() => match request {
                    Some(Request::Write(reply) | Request::Rotate(_, _, reply) | Request::Heal(_, reply)) => {
                        let _ = reply.send(Err(read_only()));
                    }
                    Some(Request::Finish(reply)) => {
                        let _ = reply.send(());
                        return false;
                    }
                    None => return false,
                },
            }
        }
    }

    /// What the checkpoint of the process before makes superfluous is this one's to delete. It may be a moment old,
    /// however long this process has followed.
    fn inherit(&mut self) {
        let at = self.reader.env.monotonic() + self.settings.trim_after;
        self.pending = Queue::default();
        self.engine.last().into_iter().for_each(|last| self.pending.push(superfluous(&last, at)));
    }

    /// Writes a checkpoint. What keeps it from being written is kept for whoever asks, and tried again later.
    async fn attempt(&mut self) -> Result<Seq> {
        let written = self.write().await;
        match &written {
            Ok(_) => {
                self.retry = None;
                self.progress.lock().error = None;
            }
            Err(error) => {
                tracing::warn!(
                    name: "checkpoint_failed", target: "discobase::checkpoint", %error,
                    "a checkpoint could not be written; commits go on"
                );
                let failures = self.retry.map_or(0, |(_, failures)| failures) + 1;
                self.retry =
                    Some((self.reader.env.monotonic() + self.settings.retry_after(failures), failures));
                self.progress.lock().error = Some(error.clone());
            }
        }
        written
    }
}

/// What a checkpoint makes superfluous that another process wrote, or this one at another time.
fn superfluous(last: &Last, at: Duration) -> Pending {
    Pending { at, checkpoint: last.sum, dropped: last.checkpoint.drop.clone(), collect: false }
}

/// Completes when enough was written for a checkpoint, and not before the time to try again.
async fn due(
    env: &SharedEnv,
    mut volume: watch::Receiver<Volume>,
    enough: Enough,
    not_before: Option<Duration>,
) {
    if let Some(at) = not_before {
        env::sleep_until(&**env, at).await;
    }
    // The sender lives in the engine; without one there is nothing to wait for.
    if volume.wait_for(|volume| enough.is_reached(*volume)).await.is_err() {
        std::future::pending::<()>().await;
    }
}

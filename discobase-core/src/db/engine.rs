//! The running engine: commits join a queue, one flusher makes frames of it, and what is durable becomes visible.
//!
//! Two states of the tables are kept. `visible` holds what is durable: readers see nothing else. `newest` has every
//! accepted commit applied on top: commits are checked against it, so that the first committer wins while its
//! frame is still in flight. Both share all they have in common. When a frame is durable, `visible` becomes what
//! `newest` was when the frame was cut: each commit is applied once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};

use crate::batch::{Commit, Op};
use crate::codec::binary::commit_size;
use crate::codec::frame::Body;
use crate::codec::message::MAX_COMPRESSED;
use crate::db::queue::{Accepted, Batch, Newest, Next, Waiter, tell};
use crate::db::size::{check_size, too_large};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, CommitId, Incarnation, RowId, Seq};
use crate::journal::writer::{AppendError, Writer};
use crate::session::{Write, prepare};
use crate::tables::Tables;
use crate::transport::{Transport, explain};

/// How long the closing frame is tried. It only spares the next opening a wait, and nobody wants to wait for ever to
/// leave a guild that is out of reach.
const CLOSING: Duration = Duration::from_secs(15);

/// Discord takes about one message a second from a channel in the long run, and a few at once. So a frame that follows
/// another within [`BUSY`] waits for company for [`LINGER`], or a burst of saves would use up the few on almost empty
/// frames and then wait for seconds. A save while nothing else happens does not wait.
const BUSY: Duration = Duration::from_secs(1);
const LINGER: Duration = Duration::from_millis(10);

/// What is known of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is in the journal, and every later reader sees it.
    Durable,
    /// It is not in the journal and never will be.
    NotDurable,
    /// It is still being posted.
    Pending,
    /// This process can't tell: the commit was made by another opening of the database and is not in what was
    /// read of the journal, or the writer stopped before it was decided.
    Unknown,
}

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
    frames: AtomicU64,
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
            frames: AtomicU64::new(0),
        });
        // Made before the task is, so that even a task that never runs ends as it should.
        let flusher = Flusher(Arc::clone(&engine));
        (engine, tokio::spawn(flusher.run(writer)))
    }

    /// The tables as of the last durable commit.
    pub(crate) fn tables(&self) -> arc_swap::Guard<Arc<Tables>> {
        self.visible.load()
    }

    /// How many frames were written since the database was opened.
    pub(crate) fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Checks the writes against the newest state and queues them as one commit.
    ///
    /// An error that a commit in flight is the reason for is answered only when that one is decided.
    pub(crate) async fn commit(&self, writes: Vec<Write>) -> Result<Accepted> {
        check_size(&writes).await?;
        let mut decided = self.decided.subscribe();
        loop {
            // Read before the check: what is decided only after it may have taken back what stood in the way.
            let known = *decided.borrow_and_update();
            let (error, last) = match self.accept(&writes) {
                Ok(accepted) => return Ok(accepted),
                Err(refused) => refused,
            };
            if known >= last {
                return Err(error);
            }
            // What stands in the way may itself turn out not to be durable, so it is tried again after that. The
            // sender lives in this engine, so the wait only ends by being satisfied.
            let _ = decided.wait_for(|seq| *seq >= last).await;
        }
    }

    /// Commits the writes and waits until they are durable, for no longer than `deadline`: the commit's number, and the
    /// ids its inserts got.
    pub(crate) async fn commit_by(
        &self,
        writes: Vec<Write>,
        deadline: Option<Duration>,
    ) -> Result<(Seq, Vec<RowId>)> {
        // A deadline beyond what the clock can count is none.
        let end = deadline.and_then(|deadline| tokio::time::Instant::now().checked_add(deadline));
        let Some(end) = end else { return self.commit(writes).await?.durable(None).await };
        match tokio::time::timeout_at(end, self.commit(writes)).await {
            Ok(accepted) => accepted?.durable(Some(end)).await,
            Err(_) => {
                let text = "the write collides with a commit that is not decided yet, and the deadline has passed: \
                            nothing was written, try again";
                Err(Error::new(ErrorKind::Conflict, text))
            }
        }
    }

    /// The error comes with the last commit that must be decided before it may be told.
    fn accept(&self, writes: &[Write]) -> Result<Accepted, (Error, Seq)> {
        let mut newest = self.newest.lock();
        if let Some(stopped) = &newest.stopped {
            return Err((stopped.clone(), Seq::default()));
        }
        if newest.closing {
            return Err((
                Error::new(ErrorKind::NotConnected, "the database is being closed"),
                Seq::default(),
            ));
        }
        newest.seal_if_full();
        let seq = newest.next_seq;
        let last = newest.tables.seq();
        let commit = prepare(&mut newest.tables, seq, writes).map_err(|error| (error, last))?;
        newest.next_seq = seq.next();
        let rows = commit.ops.iter().filter_map(|op| match op {
            Op::Insert { row, .. } => Some(*row),
            _ => None,
        });
        let rows = rows.collect();
        let (waiter, durable) = oneshot::channel();
        newest.push(commit, waiter);
        drop(newest);
        self.wake.notify_one();
        let commit = CommitId { incarnation: self.incarnation, seq };
        Ok(Accepted { commit, rows, durable })
    }

    /// What became of a commit.
    pub(crate) fn outcome(&self, commit: CommitId) -> Outcome {
        let newest = self.newest.lock();
        let within = |&(first, last): &(Seq, Seq)| (first..=last).contains(&commit.seq);
        if commit.incarnation != self.incarnation {
            let found = newest.past.iter().any(|&(incarnation, first, last)| {
                incarnation == commit.incarnation && within(&(first, last))
            });
            return if found { Outcome::Durable } else { Outcome::Unknown };
        }
        match () {
            () if newest.refused.iter().any(within) => Outcome::NotDurable,
            () if commit.seq <= self.tables().seq() => Outcome::Durable,
            () if commit.seq >= newest.next_seq => Outcome::NotDurable,
            () if newest.stopped.is_some() => Outcome::Unknown,
            () => Outcome::Pending,
        }
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

    /// The flusher: while a frame is in flight the next one fills.
    async fn flush_all(&self, mut writer: Writer) {
        self.settle_early(&mut writer).await;
        let mut flushed = None;
        loop {
            let idle = self.newest.lock().is_idle();
            if idle {
                let idle = writer.idle_interval();
                if tokio::time::timeout(idle, self.wake.notified()).await.is_err() {
                    self.idle(&mut writer).await;
                }
                continue;
            }
            self.settle_waiting(&mut writer).await;
            if std::mem::take(&mut self.newest.lock().look) {
                self.idle(&mut writer).await;
            }
            if std::mem::take(&mut self.newest.lock().doubt) {
                self.verify(&mut writer).await;
            }
            if flushed.is_some_and(|at: tokio::time::Instant| at.elapsed() < BUSY) {
                tokio::time::sleep(LINGER).await;
            }
            self.transport.post_ready(self.journal).await;
            let next = self.newest.lock().next();
            match next {
                Next::Frame(batch) => {
                    // Its callers were told; the error is for the half of a split frame only.
                    let _ = self.flush(&mut writer, batch).await;
                    flushed = Some(tokio::time::Instant::now());
                }
                Next::Close => return self.finish(&mut writer).await,
                Next::Nothing => {}
            }
        }
    }

    /// The flusher has ended, however it did: whoever still waits is told, and nobody waits in vain afterwards.
    fn end(&self) {
        let text = "the task that writes the database has ended, with the runtime that connected it or by being \
                    dropped: close the database and connect it again";
        let error = Error::new(ErrorKind::NotConnected, text);
        let mut newest = self.newest.lock();
        newest.ended = true;
        if !newest.closing {
            newest.stopped.get_or_insert_with(|| error.clone());
        }
        let unsent = newest.queue.front().and_then(|batch| batch.commits.first()).map(|commit| commit.seq);
        let waiters = unsent.map(|first| newest.refuse_all(first)).unwrap_or_default();
        let settling = std::mem::take(&mut newest.settling);
        drop(newest);
        self.decided.send_replace(Seq::new(u64::MAX));
        tell(waiters, &Err(error.clone()));
        for waiter in settling {
            let _ = waiter.send(Err(error.clone()));
        }
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

    /// Stops writing if the journal no longer says what the tables do.
    async fn verify(&self, writer: &mut Writer) {
        if self.stopped().is_none()
            && let Err(error) = writer.verify().await
        {
            self.stop(&error);
        }
    }

    /// Makes certain of the term while nothing is to be written yet, so that the first commit need not wait for it.
    async fn settle_early(&self, writer: &mut Writer) {
        tokio::select! {
            settled = writer.settle() => match settled {
                Ok(()) => {}
                // What could not be read now is read before the first frame.
                Err(AppendError::Refused(error)) => tracing::debug!(%error, "settling the term is put off"),
                Err(error) => self.stop(&self.error(error)),
            },
            () = self.wake.notified() => self.wake.notify_one(),
        }
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

    async fn settle_waiting(&self, writer: &mut Writer) {
        let waiting = std::mem::take(&mut self.newest.lock().settling);
        if waiting.is_empty() {
            return;
        }
        let settled = writer.settle_fully().await.map_err(|error| self.error(error));
        for waiter in waiting {
            // A caller that went away needs no answer.
            let _ = waiter.send(settled.clone());
        }
    }

    async fn idle(&self, writer: &mut Writer) {
        if self.stopped().is_some() {
            return;
        }
        match writer.idle().await {
            Ok(()) => {}
            // The next save says so to somebody, and contends with whoever posted.
            Err(AppendError::Refused(error)) => tracing::warn!(%error, "an empty frame was refused"),
            Err(error) => self.stop(&self.error(error)),
        }
    }

    async fn finish(&self, writer: &mut Writer) {
        if self.stopped().is_some() {
            return;
        }
        let error = match tokio::time::timeout(CLOSING, writer.append(Body::Close)).await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => self.error(error),
            Err(_) => {
                Error::new(ErrorKind::Unreachable, format!("the closing frame got no answer in {CLOSING:?}"))
            }
        };
        tracing::warn!(%error, "the database was not closed cleanly");
        self.newest.lock().stopped.get_or_insert(error);
    }

    /// Makes a frame of a batch and tells its callers how it ended.
    async fn flush(&self, writer: &mut Writer, batch: Batch) -> Result<()> {
        let Batch { commits, waiters, after, .. } = batch;
        let (Some(first), Some(last)) = (commits.first(), commits.last()) else { return Ok(()) };
        let (first, last) = (first.seq, last.seq);
        // It may have been queued while the reason to stop was being found.
        if let Some(error) = self.stopped() {
            self.refuse_from(first, &error, waiters);
            return Err(error);
        }
        // A frame that turned out too large needs its commits again; sharing them would cost every other frame.
        let splittable = commits.len() > 1;
        let kept = if splittable && commits.iter().map(commit_size).sum::<usize>() > MAX_COMPRESSED {
            Some(commits.clone())
        } else {
            None
        };
        match (writer.append(Body::Data(commits)).await, kept) {
            (Ok(_), _) => {
                self.publish(after, last, waiters);
                Ok(())
            }
            (Err(AppendError::TooLarge(_)), Some(commits)) => {
                self.flush_halves(writer, commits, waiters).await
            }
            (Err(error), _) => Err(self.fail(error, first, last, waiters)),
        }
    }

    /// Splits a frame that does not fit into two; the state after each is made by applying it. The second builds on
    /// the first: if that fails, its commits fail with it.
    async fn flush_halves(
        &self,
        writer: &mut Writer,
        mut commits: Vec<Commit>,
        mut waiters: Vec<Waiter>,
    ) -> Result<()> {
        let middle = commits.len() / 2;
        let second = (commits.split_off(middle), waiters.split_off(middle));
        let first = self.flush_part(writer, commits, waiters).await;
        let (commits, waiters) = second;
        if let Err(error) = first {
            tell(waiters, &Err(error.clone()));
            return Err(error);
        }
        self.flush_part(writer, commits, waiters).await
    }

    async fn flush_part(
        &self,
        writer: &mut Writer,
        commits: Vec<Commit>,
        waiters: Vec<Waiter>,
    ) -> Result<()> {
        let mut after = Tables::clone(&self.tables());
        if let Err(error) = commits.iter().try_for_each(|commit| after.apply(commit)) {
            let error = Error::new(ErrorKind::Damaged, error.to_string());
            tell(waiters, &Err(error.clone()));
            return Err(error);
        }
        let batch = Batch { commits, waiters, size: 0, after: Some(after) };
        Box::pin(self.flush(writer, batch)).await
    }

    fn publish(&self, after: Option<Tables>, last: Seq, waiters: Vec<Waiter>) {
        if let Some(after) = after {
            self.visible.store(Arc::new(after));
        }
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.decided.send_replace(last);
        tell(waiters, &Ok(last));
    }

    /// A frame did not become durable. What was queued behind it was checked against it, so it fails too.
    fn fail(&self, error: AppendError, first: Seq, last: Seq, waiters: Vec<Waiter>) -> Error {
        let unknown = matches!(error, AppendError::Unknown(_));
        let for_good = unknown || matches!(error, AppendError::Fenced(_));
        let error = self.error(error);
        if for_good {
            self.stop(&error);
        }
        self.refuse_from(if unknown { last.next() } else { first }, &error, waiters);
        error
    }

    /// Takes back every commit from `first` on, whether in the failed frame or still queued, and tells the callers.
    fn refuse_from(&self, first: Seq, error: &Error, waiters: Vec<Waiter>) {
        let mut newest = self.newest.lock();
        newest.tables = Tables::clone(&self.tables());
        let all = newest.last();
        newest.tables.advance(all);
        let queued = newest.refuse_all(first);
        drop(newest);
        self.decided.send_replace(all);
        tell(waiters.into_iter().chain(queued), &Err(error.clone()));
    }

    /// Nothing more is written: every later commit gets `error`.
    fn stop(&self, error: &Error) {
        tracing::error!(%error, "the database stopped writing");
        self.newest.lock().stopped.get_or_insert_with(|| error.clone());
        self.decided.send_replace(Seq::new(u64::MAX));
    }

    fn error(&self, error: AppendError) -> Error {
        let error = match error {
            AppendError::TooLarge(oversize) => too_large(oversize),
            AppendError::Refused(error) => explain(&error, "writing the journal"),
            AppendError::Fenced(reason) => Error::new(
                ErrorKind::Fenced,
                format!(
                    "this process no longer owns the database ({reason}): nothing more is written from here; \
                     open the database again to read what the other process wrote"
                ),
            ),
            AppendError::Unknown(error) => Error::new(
                ErrorKind::UnknownOutcome,
                format!(
                    "whether the commit is durable could not be found out ({error}): open the database again"
                ),
            )
            .caused_by(error),
        };
        error.in_channel(self.journal)
    }
}

/// The flusher's task. Its end is the engine's, whether it closed, panicked, was aborted, or lost its runtime.
struct Flusher(Arc<Engine>);

impl Flusher {
    async fn run(self, writer: Writer) {
        self.0.flush_all(writer).await;
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.0.end();
    }
}

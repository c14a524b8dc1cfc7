//! The running engine: commits join a queue, one flusher makes frames of it, and what is durable becomes visible.
//!
//! Two states of the tables are kept. `visible` holds what is durable: readers see nothing else. `newest` has every
//! accepted commit applied on top: commits are checked against it, so that the first committer wins while its
//! frame is still in flight. Both share all they have in common. When a frame is durable, `visible` becomes what
//! `newest` was when the frame was cut: each commit is applied once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};

use crate::batch::{Commit, Op};
use crate::codec::binary::commit_size;
use crate::codec::frame::Body;
use crate::codec::message::{MAX_COMPRESSED, MAX_UNPACKED, Oversize};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, CommitId, Incarnation, RowId, Seq};
use crate::journal::writer::{AppendError, Writer};
use crate::row::Row;
use crate::session::{Write, prepare};
use crate::tables::Tables;
use crate::transport::{Transport, explain};

/// Commits of one frame stop being added from this size on, in bytes of their encoding: what compresses well
/// fits several times over, and what does not is split.
const FRAME_TARGET: usize = 24 << 20;
/// Room for a frame's fields beside its commits.
const FRAME_MARGIN: usize = 4 << 10;

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

/// The accepted but not yet durable.
struct Newest {
    tables: Tables,
    queue: VecDeque<Batch>,
    next_seq: Seq,
    /// Who wait until the term is certain.
    settling: Vec<oneshot::Sender<Result<()>>>,
    /// Somebody else may have posted: read the tail soon.
    look: bool,
    /// A message of the journal was deleted: read all of it soon.
    doubt: bool,
    stopped: Option<Error>,
    closing: bool,
    /// Commits of this opening that were refused for good.
    refused: Vec<(Seq, Seq)>,
    /// Earlier openings found in the journal, with the first and last commit of each frame of theirs.
    past: Vec<(Incarnation, Seq, Seq)>,
}

/// Commits that go into one frame.
#[derive(Default)]
struct Batch {
    commits: Vec<Commit>,
    waiters: Vec<oneshot::Sender<Result<Seq>>>,
    size: usize,
    /// The tables after its last commit; `None` while it is the last batch and still grows.
    after: Option<Tables>,
}

/// A commit that was accepted and waits to become durable.
pub(crate) struct Accepted {
    pub(crate) commit: CommitId,
    /// The row ids that its inserts got, in their order.
    pub(crate) rows: Vec<RowId>,
    durable: oneshot::Receiver<Result<Seq>>,
}

impl Engine {
    /// Starts the flusher on the current runtime.
    pub(crate) fn start(
        writer: Writer,
        tables: Tables,
        past: Vec<(Incarnation, Seq, Seq)>,
        transport: Arc<dyn Transport>,
    ) -> (Arc<Self>, tokio::task::JoinHandle<()>) {
        let newest = Newest {
            next_seq: tables.seq().next(),
            tables: tables.clone(),
            queue: VecDeque::new(),
            settling: Vec::new(),
            look: false,
            doubt: false,
            stopped: None,
            closing: false,
            refused: Vec::new(),
            past,
        };
        let engine = Arc::new(Self {
            decided: watch::channel(tables.seq()).0,
            visible: ArcSwap::from_pointee(tables),
            newest: Mutex::new(newest),
            wake: Notify::new(),
            transport,
            journal: writer.channel(),
            incarnation: writer.incarnation(),
            frames: AtomicU64::new(0),
        });
        let flusher = tokio::spawn(Arc::clone(&engine).flush_all(writer));
        (engine, flusher)
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
            let (error, last) = match self.accept(&writes) {
                Ok(accepted) => return Ok(accepted),
                Err(refused) => refused,
            };
            if *decided.borrow_and_update() >= last {
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
        let Some(deadline) = deadline else { return self.commit(writes).await?.durable(None).await };
        let end = tokio::time::Instant::now() + deadline;
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
    async fn flush_all(self: Arc<Self>, mut writer: Writer) {
        self.settle_early(&mut writer).await;
        loop {
            if self.is_idle() {
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
            self.transport.post_ready(self.journal).await;
            match self.cut() {
                Some(batch) => {
                    // Its callers were told; the error is for the half of a split frame only.
                    let _ = self.flush(&mut writer, batch).await;
                }
                None if self.newest.lock().closing => return self.finish(&mut writer).await,
                None => {}
            }
        }
    }

    fn is_idle(&self) -> bool {
        let newest = self.newest.lock();
        newest.queue.is_empty()
            && newest.settling.is_empty()
            && !newest.look
            && !newest.doubt
            && !newest.closing
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
        let (waiter, settled) = oneshot::channel();
        self.newest.lock().settling.push(waiter);
        self.wake.notify_one();
        settled.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::NotConnected, "the database was closed")))
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
        if self.stopped().is_none()
            && let Err(error) = writer.idle().await
        {
            self.stop(&self.error(error));
        }
    }

    async fn finish(&self, writer: &mut Writer) {
        if self.stopped().is_none()
            && let Err(error) = writer.append(Body::Close).await
        {
            tracing::warn!(error = %self.error(error), "the database was not closed cleanly");
        }
    }

    /// The next batch, with the state after it; `None` if there is none.
    fn cut(&self) -> Option<Batch> {
        let mut newest = self.newest.lock();
        let mut batch = newest.queue.pop_front()?;
        if batch.after.is_none() {
            batch.after = Some(newest.tables.clone());
        }
        Some(batch)
    }

    /// Makes a frame of a batch and tells its callers how it ended.
    async fn flush(&self, writer: &mut Writer, batch: Batch) -> Result<()> {
        let Batch { commits, waiters, after, .. } = batch;
        let (Some(first), Some(last)) = (commits.first(), commits.last()) else { return Ok(()) };
        let (first, last) = (first.seq, last.seq);
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
        mut waiters: Vec<oneshot::Sender<Result<Seq>>>,
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
        waiters: Vec<oneshot::Sender<Result<Seq>>>,
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

    fn publish(&self, after: Option<Tables>, last: Seq, waiters: Vec<oneshot::Sender<Result<Seq>>>) {
        if let Some(after) = after {
            self.visible.store(Arc::new(after));
        }
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.decided.send_replace(last);
        tell(waiters, &Ok(last));
    }

    /// A frame did not become durable. What was queued behind it was checked against it, so it fails too.
    fn fail(
        &self,
        error: AppendError,
        first: Seq,
        last: Seq,
        waiters: Vec<oneshot::Sender<Result<Seq>>>,
    ) -> Error {
        let refused = matches!(error, AppendError::Refused(_) | AppendError::TooLarge(_));
        let error = self.error(error);
        if !refused {
            self.stop(&error);
        }
        let mut newest = self.newest.lock();
        newest.tables = Tables::clone(&self.tables());
        let last = newest.next_seq.get().saturating_sub(1).max(last.get());
        newest.tables.advance(Seq::new(last));
        if refused {
            newest.refused.push((first, Seq::new(last)));
        }
        let queued: Vec<Batch> = newest.queue.drain(..).collect();
        drop(newest);
        self.decided.send_replace(Seq::new(last));
        let queued = queued.into_iter().flat_map(|batch| batch.waiters);
        tell(waiters.into_iter().chain(queued), &Err(error.clone()));
        error
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

fn tell(waiters: impl IntoIterator<Item = oneshot::Sender<Result<Seq>>>, outcome: &Result<Seq>) {
    for waiter in waiters {
        // A caller that dropped its future does not care any more; the outcome is the same.
        let _ = waiter.send(outcome.clone());
    }
}

impl Newest {
    /// Begins a new batch if the last one is large enough for a frame, keeping the state between the two.
    fn seal_if_full(&mut self) {
        if let Some(last) = self.queue.back_mut()
            && last.after.is_none()
            && last.size >= FRAME_TARGET
        {
            last.after = Some(self.tables.clone());
        }
    }

    fn push(&mut self, commit: Commit, waiter: oneshot::Sender<Result<Seq>>) {
        // Numbers inside a frame follow each other without gaps; a refused commit leaves one.
        let fits = |batch: &Batch| {
            batch.after.is_none() && batch.commits.last().is_none_or(|last| last.seq.next() == commit.seq)
        };
        if !self.queue.back().is_some_and(fits) {
            self.queue.push_back(Batch::default());
        }
        if let Some(batch) = self.queue.back_mut() {
            batch.size += commit_size(&commit);
            batch.commits.push(commit);
            batch.waiters.push(waiter);
        }
    }
}

impl Accepted {
    /// Waits until the commit is durable. After `deadline` its outcome is unknown to the caller, but the commit
    /// goes on.
    pub(crate) async fn durable(self, deadline: Option<tokio::time::Instant>) -> Result<(Seq, Vec<RowId>)> {
        let Self { commit, rows, durable } = self;
        let decided = match deadline {
            None => durable.await,
            Some(deadline) => match tokio::time::timeout_at(deadline, durable).await {
                Ok(decided) => decided,
                Err(_) => return Err(late(commit)),
            },
        };
        match decided {
            Ok(Ok(_)) => Ok((commit.seq, rows)),
            Ok(Err(error)) if error.kind() == ErrorKind::UnknownOutcome => Err(error.of_commit(commit)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(late(commit)),
        }
    }
}

fn late(commit: CommitId) -> Error {
    let text = "the commit was not decided in time: it may become durable or not; \
                ask db.outcome(commit) later, and do not simply repeat it";
    Error::new(ErrorKind::UnknownOutcome, text).of_commit(commit)
}

/// Refuses a commit that fits no frame, before anything is sent.
async fn check_size(writes: &[Write]) -> Result<()> {
    let rows = || {
        writes.iter().filter_map(|write| match write {
            Write::Insert { values, .. } | Write::Update { values, .. } => Some(values),
            Write::Delete { .. } | Write::Schema(_) => None,
        })
    };
    let unpacked = rows().map(|row| row.as_bytes().len()).sum::<usize>() + writes.len() * 24;
    if unpacked + FRAME_MARGIN <= MAX_COMPRESSED {
        return Ok(());
    }
    if unpacked + FRAME_MARGIN > MAX_UNPACKED {
        return Err(too_large(Oversize { unpacked, compressed: None }));
    }
    // Between the two limits only compressing tells. The operations' own bytes hardly count beside the rows'.
    let rows: Vec<Row> = rows().cloned().collect();
    let compress = move || {
        let joined: Vec<u8> = rows.iter().flat_map(|row| row.as_bytes()).copied().collect();
        zstd::bulk::compress(&joined, 3).map(|bytes| bytes.len())
    };
    match tokio::task::spawn_blocking(compress).await {
        Ok(Ok(compressed)) if compressed + writes.len() * 8 + FRAME_MARGIN <= MAX_COMPRESSED => Ok(()),
        Ok(Ok(compressed)) => Err(too_large(Oversize { unpacked, compressed: Some(compressed) })),
        _ => Err(Error::new(
            ErrorKind::TooLarge,
            "the commit could not be compressed: save fewer records at once",
        )),
    }
}

fn too_large(oversize: Oversize) -> Error {
    let mib = |bytes: usize| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let compressed =
        oversize.compressed.map_or(String::new(), |bytes| format!(", {} compressed", mib(bytes)));
    let text = format!(
        "the commit is too large ({}{compressed}); a commit may have {} and {} compressed: save fewer records at \
         once, or keep large values outside the database",
        mib(oversize.unpacked),
        mib(MAX_UNPACKED),
        mib(MAX_COMPRESSED),
    );
    Error::new(ErrorKind::TooLarge, text)
}

//! The queue between callers and the journal: what was accepted and is not durable yet.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::batch::Commit;
use crate::codec::binary::commit_size;
use crate::codec::checkpoint::Wrote;
use crate::db::engine::checkpoint::{Cut, Waiting};
use crate::db::engine::pace::{Pace, Queued};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{CommitId, Incarnation, Seq, TableId};
use crate::replay::wrote;
use crate::session::Written;
use crate::tables::Tables;

/// Commits of one frame stop being added from this size on, in bytes of their encoding: what compresses well
/// fits several times over, and what does not is split.
pub(super) const FRAME_TARGET: usize = 24 << 20;

/// Who waits for a commit.
pub(super) type Waiter = oneshot::Sender<Result<Seq>>;

/// The accepted but not yet durable.
pub(super) struct Newest {
    pub(super) tables: Tables,
    pub(super) queue: VecDeque<Batch>,
    /// How many bytes the frame takes that is being posted: they make room when it is decided.
    pub(super) in_flight: usize,
    /// When the next frame leaves.
    pub(super) pace: Pace,
    pub(super) next_seq: Seq,
    /// A row that no commit after this one has changed is written whole: see [`shorten`](super::shorten).
    pub(super) floor: Seq,
    /// The opening this process writes in; a follower has none.
    pub(super) incarnation: Option<Incarnation>,
    /// The first commit this opening may have made.
    pub(super) first: Seq,
    /// Who wait until the term is certain.
    pub(super) settling: Vec<oneshot::Sender<Result<()>>>,
    /// Somebody else may have posted: read the tail soon.
    pub(super) look: bool,
    /// A message of the journal was deleted: read all of it soon.
    pub(super) doubt: bool,
    pub(super) stopped: Option<Error>,
    pub(super) closing: bool,
    /// The task has ended: nobody answers any more.
    pub(super) ended: bool,
    /// Commits of this opening that were refused for good.
    pub(super) refused: Vec<(Seq, Seq)>,
    /// What earlier openings wrote, as far as the journal knows.
    pub(super) past: Vec<Wrote>,
    /// Who wait for the state between two frames.
    pub(super) cuts: Vec<oneshot::Sender<Cut>>,
    /// A checkpoint that is to be written.
    pub(super) checkpoint: Option<Waiting>,
    /// Whether commits wait, because the key is being changed.
    pub(super) held: bool,
    /// Who wants the journal read, and writing to go on if that shows damage.
    pub(super) mend: Option<oneshot::Sender<Result<bool>>>,
    /// This process has stopped, and a checkpoint is to come that lets it write on.
    pub(super) mending: bool,
}

/// Commits that go into one frame.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) commits: Vec<Commit>,
    pub(super) waiters: Vec<Waiter>,
    pub(super) size: usize,
    /// The tables after its last commit; `None` while it is the last batch and still grows.
    pub(super) after: Option<Tables>,
    /// When its first commit was queued.
    pub(super) since: Duration,
}

/// What the flusher does next.
pub(super) enum Next {
    /// A frame of these commits.
    Frame(Batch),
    /// The closing frame: nothing is queued, and nothing will be.
    Close,
    Nothing,
}

/// A commit that was accepted and waits to become durable.
pub(crate) struct Accepted {
    pub(crate) commit: CommitId,
    /// What its writes did, in their order.
    pub(crate) written: Vec<Written>,
    /// `None` if everything was durable already as it is wanted.
    pub(super) durable: Option<oneshot::Receiver<Result<Seq>>>,
}

/// A commit that is durable.
pub(crate) struct Committed {
    /// Its number; that of the last commit before it, if there was nothing to be changed.
    pub(crate) seq: Seq,
    /// What its writes did, in their order.
    pub(crate) written: Vec<Written>,
}

impl Newest {
    /// Nothing was accepted yet on top of `tables`.
    pub(super) fn new(tables: Tables, past: Vec<Wrote>, incarnation: Option<Incarnation>) -> Self {
        Self {
            next_seq: tables.seq().next(),
            first: tables.seq().next(),
            floor: tables.seq(),
            tables,
            incarnation,
            queue: VecDeque::new(),
            in_flight: 0,
            pace: Pace::default(),
            settling: Vec::new(),
            look: false,
            doubt: false,
            stopped: None,
            closing: false,
            ended: false,
            refused: Vec::new(),
            past,
            cuts: Vec::new(),
            checkpoint: None,
            held: false,
            mend: None,
            mending: false,
        }
    }

    /// Whether a table is there and not in memory.
    pub(super) fn lacks(&self, table: TableId) -> bool {
        self.tables.get(table).is_some_and(|slot| slot.unloaded().is_some())
    }

    /// From now on this process writes, on top of `tables`.
    pub(super) fn begin(&mut self, tables: Tables, incarnation: Incarnation) {
        self.first = tables.seq().next();
        self.next_seq = self.first;
        self.floor = tables.seq();
        self.tables = tables;
        self.incarnation = Some(incarnation);
    }

    /// Keeps which opening wrote which commits.
    pub(super) fn remember(&mut self, new: Vec<Wrote>) {
        new.into_iter().for_each(|new| wrote(&mut self.past, new));
    }

    pub(super) fn is_idle(&self) -> bool {
        let asked =
            self.look || self.doubt || self.closing || self.checkpoint.is_some() || self.mend.is_some();
        let nothing = self.queue.is_empty() || self.held && self.stopped.is_none();
        nothing && self.settling.is_empty() && self.cuts.is_empty() && !asked
    }

    /// Whether commits that are not decided take up `limit` bytes or more.
    pub(super) fn is_full(&self, limit: usize) -> bool {
        self.in_flight + self.queue.iter().map(|batch| batch.size).sum::<usize>() >= limit
    }

    /// What the next frame would hold; `None` if there is no data to be written.
    pub(super) fn queued(&self) -> Option<Queued> {
        let next = self.queue.front().filter(|_| !self.held)?;
        let closed = next.after.is_some() || self.queue.len() > 1 || self.closing || self.stopped.is_some();
        Some(Queued { bytes: next.size, closed })
    }

    /// What is to be written next. A queue that is empty while closing stays empty.
    pub(super) fn next(&mut self) -> Next {
        if self.held && self.stopped.is_none() {
            return Next::Nothing;
        }
        match self.queue.pop_front() {
            Some(mut batch) => {
                batch.after.get_or_insert_with(|| self.tables.clone());
                self.in_flight = batch.size;
                Next::Frame(batch)
            }
            None if self.closing => Next::Close,
            None => Next::Nothing,
        }
    }

    /// The last commit that was accepted.
    pub(super) fn last(&self) -> Seq {
        Seq::new(self.next_seq.get().saturating_sub(1))
    }

    /// Takes all that is queued, for a reason that keeps it from ever being written; commits from `first` on are
    /// known not to be durable.
    pub(super) fn refuse_all(&mut self, first: Seq) -> Vec<Waiter> {
        if first <= self.last() {
            self.refused.push((first, self.last()));
        }
        self.queue.drain(..).flat_map(|batch| batch.waiters).collect()
    }

    /// Begins a new batch if the last one is large enough for a frame, keeping the state between the two.
    pub(super) fn seal_if_full(&mut self) {
        if let Some(last) = self.queue.back_mut()
            && last.after.is_none()
            && last.size >= FRAME_TARGET
        {
            last.after = Some(self.tables.clone());
        }
    }

    pub(super) fn push(&mut self, commit: Commit, waiter: Waiter, now: Duration) {
        self.pace.arrived(now);
        // Numbers inside a frame follow each other without gaps; a refused commit leaves one.
        let fits = |batch: &Batch| {
            batch.after.is_none() && batch.commits.last().is_none_or(|last| last.seq.next() == commit.seq)
        };
        if !self.queue.back().is_some_and(fits) {
            self.queue.push_back(Batch { since: now, ..Batch::default() });
        }
        if let Some(batch) = self.queue.back_mut() {
            batch.size += commit_size(&commit);
            batch.commits.push(commit);
            batch.waiters.push(waiter);
        }
    }
}

impl Accepted {
    /// Waits until the commit is durable. Dropped, the commit goes on.
    pub(crate) async fn durable(self) -> Result<Committed> {
        let Self { commit, written, durable } = self;
        let seq = commit.seq;
        let Some(durable) = durable else { return Ok(Committed { seq, written }) };
        match durable.await {
            Ok(Ok(_)) => Ok(Committed { seq, written }),
            Ok(Err(error)) if error.kind() == ErrorKind::UnknownOutcome => Err(error.of_commit(commit)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(late(commit)),
        }
    }
}

/// The commit was not decided by the time its caller had set.
pub(super) fn late(commit: CommitId) -> Error {
    let text = "the commit was not decided in time: it may become durable or not; \
                ask db.outcome(commit) later, and do not simply repeat it";
    Error::new(ErrorKind::UnknownOutcome, text).of_commit(commit)
}

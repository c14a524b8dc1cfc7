//! Accepting commits: checked against the newest state, then queued.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::db::engine::Engine;
use crate::db::engine::queue::{Accepted, Committed, late};
use crate::db::engine::role::read_only;
use crate::db::engine::size::{check_ops, check_size};
use crate::env;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{CommitId, RowId, Seq, TableId};
use crate::session::{Facts, Prepared, Terms, Write, WriteSet, concerned, prepare_partly, reserve};

/// So often a commit's lookups are done again when a checkpoint came between.
const LOOKUPS: u32 = 2;

impl Engine {
    /// Checks the writes against the newest state and queues them as one commit.
    ///
    /// An error that a commit in flight is the reason for is answered only when that one is decided.
    pub(crate) async fn commit(&self, writes: impl Into<WriteSet>) -> Result<Accepted> {
        let set = writes.into();
        check_size(&self.env, &set.writes).await?;
        self.queue_commit(&set).await
    }

    /// Queues writes that fit a frame, as soon as there is room.
    async fn queue_commit(&self, set: &WriteSet) -> Result<Accepted> {
        let mut facts = Facts::default();
        let mut tries = 0;
        loop {
            self.learn_for(&set.writes, &mut facts).await?;
            // Read before the check: what is decided only after it may have taken back what stood in the way.
            let known = self.decided.known();
            let (answer, last) = match self.accept(set, &facts) {
                Ok(accepted) => return Ok(accepted),
                Err(Refused::Full) => {
                    // Room is made when a frame is decided, and those that are queued are, whatever becomes of them.
                    self.decided.passes(known).await;
                    continue;
                }
                // It was given another base after it was loaded, or looked up: once more.
                Err(Refused::Unloaded) => {
                    tries += 1;
                    facts = self.anew(set, tries).await?;
                    continue;
                }
                Err(Refused::Because(error, last)) => (Err(error), last),
                Err(Refused::Needless(accepted, last)) => (Ok(accepted), last),
            };
            if known.seq >= last {
                return answer;
            }
            // What stands in the way may itself turn out not to be durable, so it is tried again after that.
            self.decided.reaches(last).await;
        }
    }

    /// What is known before everything is looked up once more. What changes all the time is loaded in the end.
    async fn anew(&self, set: &WriteSet, tries: u32) -> Result<Facts> {
        if tries > LOOKUPS {
            for table in set.writes.iter().filter_map(Write::table) {
                self.load_now(table).await?;
            }
        }
        Ok(Facts::default())
    }

    /// Commits the writes and waits until they are durable, for no longer than `deadline`.
    pub(crate) async fn commit_by(
        &self,
        writes: impl Into<WriteSet>,
        deadline: Option<Duration>,
    ) -> Result<Committed> {
        let set = writes.into();
        let Some(deadline) = deadline else { return self.commit(set).await?.durable().await };
        let end = self.env.monotonic().saturating_add(deadline);
        let checked = env::until(&*self.env, end, check_size(&self.env, &set.writes)).await;
        checked.unwrap_or_else(|| {
            Err(busy("the deadline has passed while the size of the write was checked"))
        })?;
        let Some(accepted) = env::until(&*self.env, end, self.queue_commit(&set)).await else {
            if self.newest.lock().is_full(self.queue_limit) {
                return Err(busy("the deadline has passed while the write waited for room in the queue"));
            }
            let text = "the write collides with a commit that is not decided yet, and the deadline has passed: \
                        nothing was written, try again";
            return Err(Error::new(ErrorKind::Conflict, text));
        };
        let accepted = accepted?;
        let commit = accepted.commit;
        env::until(&*self.env, end, accepted.durable()).await.unwrap_or_else(|| Err(late(commit)))
    }

    fn accept(&self, set: &WriteSet, facts: &Facts) -> Result<Accepted, Refused> {
        let mut newest = self.newest.lock();
        if let Some(stopped) = &newest.stopped {
            return Err(Refused::Because(stopped.clone(), Seq::default()));
        }
        if newest.closing {
            let error = Error::new(ErrorKind::NotConnected, "the database is being closed");
            return Err(Refused::Because(error, Seq::default()));
        }
        let Some(incarnation) = newest.incarnation else {
            return Err(Refused::Because(read_only(), Seq::default()));
        };
        if newest.is_full(self.queue_limit) {
            return Err(Refused::Full);
        }
        let lacks =
            |write: &Write| concerned(&newest.tables, write).into_iter().any(|table| newest.lacks(table));
        if set.writes.iter().any(lacks) {
            return Err(Refused::Unloaded);
        }
        newest.seal_if_full();
        let seq = newest.next_seq;
        let last = newest.tables.seq();
        let prepared = prepare_partly(&mut newest.tables, seq, set, &self.terms(), facts);
        let prepared = prepared.map_err(|error| Refused::Because(error, last))?;
        let Prepared { commit, written } = prepared.ok_or(Refused::Unloaded)?;
        if commit.ops.is_empty() {
            let accepted = Accepted { commit: CommitId { incarnation, seq: last }, written, durable: None };
            return Err(Refused::Needless(accepted, last));
        }
        newest.next_seq = seq.next();
        let (waiter, durable) = oneshot::channel();
        newest.push(commit, waiter, self.env.monotonic());
        self.counters.queued.rise(1);
        drop(newest);
        self.wake.notify_one();
        let commit = CommitId { incarnation, seq };
        Ok(Accepted { commit, written, durable: Some(durable) })
    }

    /// Whether the writes would be accepted now. Nothing is queued.
    ///
    /// An error that a commit in flight is the reason for is answered only when that one is decided.
    pub(crate) async fn would_accept(&self, set: &WriteSet) -> Result<()> {
        let mut facts = Facts::default();
        let mut tries = 0;
        loop {
            self.learn_for(&set.writes, &mut facts).await?;
            let known = self.decided.known();
            let (mut tables, seq) = {
                let newest = self.newest.lock();
                if let Some(stopped) = &newest.stopped {
                    return Err(stopped.clone());
                }
                if newest.incarnation.is_none() {
                    return Err(read_only());
                }
                (newest.tables.clone(), newest.next_seq)
            };
            let last = tables.seq();
            match prepare_partly(&mut tables, seq, set, &self.terms(), &facts) {
                Ok(None) => {
                    tries += 1;
                    facts = self.anew(set, tries).await?;
                }
                Err(_) if known.seq < last => self.decided.reaches(last).await,
                checked => return checked.map(|_| ()),
            }
        }
    }

    /// A number for the key of a row that is to be added to a table later: see [`reserve`].
    ///
    /// # Errors
    /// `ReadOnly` for a follower; `Invalid` when there is none left.
    pub(crate) async fn reserve(&self, table: TableId, column: usize) -> Result<RowId> {
        // Which numbers are taken is asked of the whole table.
        self.load_now(table).await?;
        let mut newest = self.newest.lock();
        if newest.incarnation.is_none() {
            return Err(read_only());
        }
        reserve(&mut newest.tables, table, column)
    }

    /// What a commit is made under now.
    pub(crate) fn terms(&self) -> Terms<'static> {
        Terms { now: self.now(), fits: &check_ops, whole: true }
    }
}

/// Why a commit was not queued.
enum Refused {
    /// The queue has no room for it now.
    Full,
    /// Of a table of its too little is in memory.
    Unloaded,
    /// It may not be, if the commits up to this one become durable.
    Because(Error, Seq),
    /// It changes nothing, if the commits up to this one become durable.
    Needless(Accepted, Seq),
}

fn busy(what: &str) -> Error {
    Error::new(ErrorKind::Busy, format!("{what}: nothing was written, try again"))
}

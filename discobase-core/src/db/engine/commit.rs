//! Accepting commits: checked against the newest state, then queued.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::batch::Op;
use crate::db::engine::Engine;
use crate::db::engine::queue::{Accepted, late};
use crate::db::engine::role::read_only;
use crate::db::engine::size::check_size;
use crate::env;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{CommitId, RowId, Seq};
use crate::session::{Write, prepare};

impl Engine {
    /// Checks the writes against the newest state and queues them as one commit.
    ///
    /// An error that a commit in flight is the reason for is answered only when that one is decided.
    pub(crate) async fn commit(&self, writes: Vec<Write>) -> Result<Accepted> {
        check_size(&self.env, &writes).await?;
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
        let Some(deadline) = deadline else { return self.commit(writes).await?.durable().await };
        let end = self.env.monotonic().saturating_add(deadline);
        let Some(accepted) = env::until(&*self.env, end, self.commit(writes)).await else {
            let text = "the write collides with a commit that is not decided yet, and the deadline has passed: \
                        nothing was written, try again";
            return Err(Error::new(ErrorKind::Conflict, text));
        };
        let accepted = accepted?;
        let commit = accepted.commit;
        env::until(&*self.env, end, accepted.durable()).await.unwrap_or_else(|| Err(late(commit)))
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
        let Some(incarnation) = newest.incarnation else { return Err((read_only(), Seq::default())) };
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
        newest.push(commit, waiter, self.env.monotonic());
        self.counters.queued.rise(1);
        drop(newest);
        self.wake.notify_one();
        let commit = CommitId { incarnation, seq };
        Ok(Accepted { commit, rows, durable })
    }
}

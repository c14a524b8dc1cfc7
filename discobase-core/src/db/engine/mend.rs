//! Writing on after damage: one checkpoint of what is in memory takes the place of frames that are lost.

use tokio::sync::oneshot;

use crate::batch::{Commit, Op, TableDef};
use crate::db::engine::Engine;
use crate::db::engine::role::read_only;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::writer::Writer;
use crate::tables::Tables;

impl Engine {
    /// Reads the whole journal. If it lacks frames that memory has, commits are refused until a checkpoint is durable
    /// that has them: then the answer is `true`.
    ///
    /// # Errors
    /// Why this process can't write on.
    pub(crate) async fn mend(&self) -> Result<bool> {
        let closed = || Error::new(ErrorKind::NotConnected, "the database was closed");
        let (waiter, mended) = oneshot::channel();
        {
            let mut newest = self.newest.lock();
            if newest.ended || newest.closing {
                return Err(newest.stopped.clone().unwrap_or_else(closed));
            }
            if newest.incarnation.is_none() {
                return Err(read_only());
            }
            newest.mend = Some(waiter);
        }
        self.wake.notify_one();
        mended.await.unwrap_or_else(|_| Err(closed()))
    }

    /// No checkpoint is going to come: this process stays as it was stopped.
    pub(crate) fn stay_stopped(&self) {
        self.newest.lock().mending = false;
    }

    /// Tables with other definitions, as of a commit of their own that only the next checkpoint tells of.
    pub(crate) fn altered(&self, mut tables: Tables, defs: &[TableDef]) -> Result<Tables> {
        if defs.is_empty() {
            return Ok(tables);
        }
        let seq = {
            let mut newest = self.newest.lock();
            let seq = newest.next_seq;
            newest.next_seq = seq.next();
            seq
        };
        let ops = defs.iter().map(|def| Op::Alter(Box::new(def.clone()))).collect();
        let applied = tables.apply(&Commit { seq, ops });
        applied.map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()))?;
        Ok(tables)
    }

    /// Makes ready for the checkpoint, if somebody waits for that.
    pub(super) async fn mend_waiting(&self, writer: &mut Writer) {
        let Some(waiter) = self.newest.lock().mend.take() else { return };
        // What can't be read now, the mending itself finds out.
        let _ = self.verify(writer).await;
        let Some(stopped) = self.stopped() else {
            let _ = waiter.send(Ok(false));
            return;
        };
        // What was queued was checked against what is in memory, and nothing of it was posted.
        let unsent =
            self.newest.lock().queue.front().and_then(|batch| batch.commits.first().map(|one| one.seq));
        if let Some(first) = unsent {
            self.refuse_from(first, &stopped, Vec::new());
        }
        let resumed = writer.resume(&stopped).await;
        self.newest.lock().mending = resumed.is_ok();
        if waiter.send(resumed.map(|()| true)).is_err() {
            self.stay_stopped();
        }
    }

    /// Whether a checkpoint is awaited that lets this process write on.
    pub(super) fn is_mending(&self) -> bool {
        self.newest.lock().mending
    }

    /// The checkpoint is durable: what is in memory is in the guild again.
    pub(super) fn mended(&self, after: Option<Tables>) {
        if let Some(after) = after {
            self.show_difference(after);
        }
        let mut newest = self.newest.lock();
        let last = newest.last();
        newest.tables = Tables::clone(&self.tables());
        newest.tables.advance(last);
        newest.mending = false;
        newest.stopped = None;
        drop(newest);
        self.decided.set(last);
        tracing::info!(
            name: "writing_again", target: "discobase::engine", channel = %self.journal, seq = %self.tables().seq(),
            "what is in memory was written anew, and this process writes on"
        );
    }
}

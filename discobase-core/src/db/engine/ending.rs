//! When something fails: what is refused, who is told, and what the error says.

use crate::db::engine::Engine;
use crate::db::engine::queue::Waiter;
use crate::db::engine::size::too_large;
use crate::error::{Error, ErrorKind};
use crate::ids::Seq;
use crate::journal::writer::AppendError;
use crate::tables::Tables;
use crate::transport::explain;

impl Engine {
    /// The task has ended, however it did: whoever still waits is told, and nobody waits in vain afterwards.
    pub(super) fn end(&self) {
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
        // Whoever waits for these learns of the end by not being answered.
        newest.cuts.clear();
        newest.checkpoint = None;
        newest.mend = None;
        let failed = newest.stopped.clone();
        // Whoever waits to take over hears that nobody answers.
        self.inbox.lock().promoting.clear();
        drop(newest);
        self.end_news(failed.as_ref());
        self.decided.set_all();
        self.tell(waiters, &Err(error.clone()));
        for waiter in settling {
            let _ = waiter.send(Err(error.clone()));
        }
        // Those of a frame that was in flight were told by being dropped.
        self.counters.queued.fall(self.counters.queued.get());
    }

    /// A frame did not become durable. What was queued behind it was checked against it, so it fails too.
    pub(super) fn fail(&self, error: AppendError, first: Seq, last: Seq, waiters: Vec<Waiter>) -> Error {
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
    pub(super) fn refuse_from(&self, first: Seq, error: &Error, waiters: Vec<Waiter>) {
        let mut newest = self.newest.lock();
        newest.tables = Tables::clone(&self.tables());
        let all = newest.last();
        newest.tables.advance(all);
        newest.in_flight = 0;
        let queued = newest.refuse_all(first);
        drop(newest);
        self.decided.set(all);
        self.tell(waiters.into_iter().chain(queued).collect(), &Err(error.clone()));
    }

    /// Nothing more is written: every later commit gets `error`.
    pub(super) fn stop(&self, error: &Error) {
        tracing::error!(name: "stopped", target: "discobase::engine", %error, "the database stopped writing");
        self.newest.lock().stopped.get_or_insert_with(|| error.clone());
        self.decided.set_all();
        self.end_news(Some(error));
    }

    pub(super) fn error(&self, error: AppendError) -> Error {
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

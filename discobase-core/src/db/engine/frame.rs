//! Frames of queued commits: written, split where they are too large, and made visible.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::batch::Commit;
use crate::codec::binary::commit_size;
use crate::codec::frame::Body;
use crate::codec::message::MAX_COMPRESSED;
use crate::db::engine::Engine;
use crate::db::engine::queue::{Batch, Waiter, tell};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Seq;
use crate::journal::writer::{AppendError, Writer};
use crate::tables::Tables;

impl Engine {
    /// Makes a frame of a batch and tells its callers how it ended.
    pub(super) async fn flush(&self, writer: &mut Writer, batch: Batch) -> Result<()> {
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
    pub(super) async fn flush_halves(
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

    pub(super) async fn flush_part(
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

    pub(super) fn publish(&self, after: Option<Tables>, last: Seq, waiters: Vec<Waiter>) {
        if let Some(after) = after {
            self.visible.store(Arc::new(after));
        }
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.decided.send_replace(last);
        tell(waiters, &Ok(last));
    }
}

//! Frames of queued commits: written, split where they are too large, and made visible.

use std::time::Duration;

use tracing::Instrument;

use crate::batch::Commit;
use crate::codec::binary::commit_size;
use crate::codec::frame::Body;
use crate::codec::message::{MAX_COMPRESSED, Oversize};
use crate::db::engine::Engine;
use crate::db::engine::queue::{Batch, Waiter};
use crate::db::engine::shorten::shorten;
use crate::env::heavy;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Seq;
use crate::journal::post::LARGE;
use crate::journal::writer::{AppendError, Writer};
use crate::tables::Tables;

impl Engine {
    /// Makes a frame of a batch and tells its callers how it ended.
    pub(super) async fn flush(&self, writer: &mut Writer, batch: Batch) -> Result<()> {
        let Batch { commits, waiters, size, after, since } = batch;
        let (Some(first), Some(last)) = (commits.first(), commits.last()) else { return Ok(()) };
        let (first, last) = (first.seq, last.seq);
        // It may have been queued while the reason to stop was being found.
        if let Some(error) = self.stopped() {
            self.refuse_from(first, &error, waiters);
            return Err(error);
        }
        // A frame that turned out too large needs its commits again; sharing them would cost every other frame.
        let splittable = commits.len() > 1;
        let kept = (splittable && size > MAX_COMPRESSED).then(|| commits.clone());
        let Some((commits, size)) = self.shortened(commits, size).await else {
            let oversize = Oversize { unpacked: size, compressed: None };
            return Err(self.fail(AppendError::TooLarge(oversize), first, last, waiters));
        };
        let span = tracing::debug_span!(
            target: "discobase::engine", "frame", first = first.get(), last = last.get(), commits = commits.len(), size
        );
        match (writer.append(Body::Data(commits)).instrument(span).await, kept) {
            (Ok((_, body)), _) => {
                self.volume.send_modify(|volume| volume.add(size as u64));
                self.count(first, last, size, since);
                self.publish(after, &body, last, waiters);
                Ok(())
            }
            (Err(AppendError::TooLarge(_)), Some(commits)) => {
                self.flush_halves(writer, commits, waiters, since).await
            }
            (Err(error), _) => Err(self.fail(error, first, last, waiters)),
        }
    }

    /// Commits that follow on what is visible, as short as a frame may have them, and their size. `None` if the work
    /// panicked, or the runtime ended.
    async fn shortened(&self, mut commits: Vec<Commit>, size: usize) -> Option<(Vec<Commit>, usize)> {
        let (before, floor) = (self.visible.load_full(), self.newest.lock().floor);
        let work = move || {
            shorten(&mut commits, &before, floor);
            let size = commits.iter().map(commit_size).sum();
            (commits, size)
        };
        if size <= LARGE {
            return Some(work());
        }
        heavy(&self.env, work).await
    }

    /// Splits a frame that does not fit into two; the state after each is made by applying it. The second builds on
    /// the first: if that fails, its commits fail with it.
    pub(super) async fn flush_halves(
        &self,
        writer: &mut Writer,
        mut commits: Vec<Commit>,
        mut waiters: Vec<Waiter>,
        since: Duration,
    ) -> Result<()> {
        let middle = commits.len() / 2;
        let second = (commits.split_off(middle), waiters.split_off(middle));
        let first = self.flush_part(writer, commits, waiters, since).await;
        let (commits, waiters) = second;
        if let Err(error) = first {
            self.tell(waiters, &Err(error.clone()));
            return Err(error);
        }
        self.flush_part(writer, commits, waiters, since).await
    }

    pub(super) async fn flush_part(
        &self,
        writer: &mut Writer,
        commits: Vec<Commit>,
        waiters: Vec<Waiter>,
        since: Duration,
    ) -> Result<()> {
        let mut after = Tables::clone(&self.tables());
        if let Err(error) = commits.iter().try_for_each(|commit| after.apply(commit)) {
            let error = Error::new(ErrorKind::Damaged, error.to_string());
            self.tell(waiters, &Err(error.clone()));
            return Err(error);
        }
        let size = commits.iter().map(commit_size).sum();
        let batch = Batch { commits, waiters, size, after: Some(after), since };
        Box::pin(self.flush(writer, batch)).await
    }

    pub(super) fn publish(&self, after: Option<Tables>, body: &Body, last: Seq, waiters: Vec<Waiter>) {
        if let (Some(after), Body::Data(commits)) = (after, body) {
            self.show(after, commits);
        }
        self.counters.frames.add(1);
        self.newest.lock().in_flight = 0;
        self.decided.set(last);
        self.tell(waiters, &Ok(last));
    }

    /// Tells callers how their commits ended. They are counted before, so that whoever was told finds them counted.
    pub(super) fn tell(&self, waiters: Vec<Waiter>, outcome: &Result<Seq>) {
        let ended = if outcome.is_ok() { &self.counters.commits } else { &self.counters.refused };
        ended.add(waiters.len() as u64);
        self.counters.queued.fall(waiters.len() as u64);
        for waiter in waiters {
            // A caller that dropped its future does not care any more; the outcome is the same.
            let _ = waiter.send(outcome.clone());
        }
    }

    /// A frame of `size` bytes is durable whose first commit was queued at `since`.
    fn count(&self, first: Seq, last: Seq, size: usize, since: Duration) {
        let took = self.env.monotonic().saturating_sub(since);
        self.counters.commit_bytes.add(size as u64);
        self.counters.commit.took(took);
        let (first, last) = (first.get(), last.get());
        tracing::debug!(name: "durable", target: "discobase::engine", first, last, size, ?took, "a frame is durable");
    }
}

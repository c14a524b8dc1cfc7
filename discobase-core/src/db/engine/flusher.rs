//! Writing: what is queued becomes frames, and between frames the term is looked after.

use std::time::Duration;

use crate::codec::frame::Body;
use crate::db::engine::Engine;
use crate::db::engine::queue::Next;
use crate::env;
use crate::error::{Error, ErrorKind};
use crate::journal::writer::{AppendError, Checked, Writer};

/// How long the closing frame is tried. It only spares the next opening a wait, and nobody wants to wait for ever to
/// leave a guild that is out of reach.
const CLOSING: Duration = Duration::from_secs(15);

impl Engine {
    /// The flusher: while a frame is in flight the next one fills.
    pub(super) async fn flush_all(&self, mut writer: Writer) {
        self.settle_early(&mut writer).await;
        // When a check of the journal is made again that came to nothing.
        let mut check: Option<Duration> = None;
        loop {
            if check.take_if(|due| *due <= self.env.monotonic()).is_some() {
                self.newest.lock().doubt = true;
            }
            let idle = self.newest.lock().is_idle();
            if idle {
                let end = self.env.monotonic().saturating_add(writer.idle_interval());
                let end = check.map_or(end, |due| end.min(due));
                if env::until(&*self.env, end, self.wake.notified()).await.is_none() {
                    self.idle(&mut writer).await;
                }
                continue;
            }
            self.settle_waiting(&mut writer).await;
            if std::mem::take(&mut self.newest.lock().look) {
                self.idle(&mut writer).await;
            }
            if std::mem::take(&mut self.newest.lock().doubt) {
                let unread = !self.verify(&mut writer).await;
                check = unread.then(|| self.env.monotonic().saturating_add(writer.idle_interval()));
            }
            self.mend_waiting(&mut writer).await;
            self.cut_waiting(&writer);
            self.checkpoint_waiting(&mut writer).await;
            if let Some(due) = self.time_for_company() {
                // What wakes it may be a reason not to wait any longer.
                let _ = env::until(&*self.env, due, self.wake.notified()).await;
                continue;
            }
            self.transport.post_ready(self.journal).await;
            let next = self.newest.lock().next();
            match next {
                Next::Frame(batch) => {
                    let now = self.env.monotonic();
                    self.counters.wait.took(self.newest.lock().pace.leaves(now, batch.since));
                    // Its callers were told; the error is for the half of a split frame only.
                    let _ = self.flush(&mut writer, batch).await;
                    self.newest.lock().pace.answered(self.env.monotonic());
                }
                Next::Close => return self.finish(&mut writer).await,
                Next::Nothing => {}
            }
        }
    }

    /// Until when the next frame waits for more commits, so that what Discord takes lasts.
    fn time_for_company(&self) -> Option<Duration> {
        let (now, room) = (self.env.monotonic(), self.transport.post_room(self.journal));
        let newest = self.newest.lock();
        Some(newest.pace.due(room, newest.queued()?, now)).filter(|due| *due > now)
    }

    /// Makes certain of the term while nothing is to be written yet, so that the first commit need not wait for it.
    async fn settle_early(&self, writer: &mut Writer) {
        // In this order, not in a random one: what a run does is for its environment to decide.
        tokio::select! {
            biased;
            settled = writer.settle() => match settled {
                Ok(()) => {}
                // What could not be read now is read before the first frame.
                Err(AppendError::Refused(error)) => tracing::debug!(
                    name: "settling_delayed", target: "discobase::engine", %error,
                    "settling the term is put off"
                ),
                Err(error) => self.stop(&self.error(error)),
            },
            () = self.wake.notified() => self.wake.notify_one(),
        }
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

    /// Stops writing if the journal no longer says what the tables do. False if it could not be read.
    pub(super) async fn verify(&self, writer: &mut Writer) -> bool {
        if self.stopped().is_some() {
            return true;
        }
        match writer.verify(self.tables().seq()).await {
            Ok(Checked::Whole) => {}
            Ok(Checked::Unread) => return false,
            Ok(Checked::Overtaken(error)) => self.stop(&self.error(error)),
            Err(error) => self.stop(&error),
        }
        true
    }

    async fn idle(&self, writer: &mut Writer) {
        if self.stopped().is_some() {
            return;
        }
        match writer.idle().await {
            Ok(()) => {}
            // The next save says so to somebody, and contends with whoever posted.
            Err(AppendError::Refused(error)) => {
                tracing::warn!(
                    name: "idle_read_failed", target: "discobase::journal", %error, "an empty frame was refused"
                );
            }
            Err(error) => self.stop(&self.error(error)),
        }
    }

    async fn finish(&self, writer: &mut Writer) {
        if self.stopped().is_some() {
            return;
        }
        let end = self.env.monotonic().saturating_add(CLOSING);
        let error = match env::until(&*self.env, end, writer.append(Body::Close)).await {
            Some(Ok(_)) => return,
            Some(Err(error)) => self.error(error),
            None => {
                Error::new(ErrorKind::Unreachable, format!("the closing frame got no answer in {CLOSING:?}"))
            }
        };
        tracing::warn!(
            name: "unclean_close", target: "discobase::engine", %error,
            "the database was not closed cleanly"
        );
        self.newest.lock().stopped.get_or_insert(error);
    }
}

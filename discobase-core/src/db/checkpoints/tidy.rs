//! Deleting what checkpoints make superfluous, once nobody can still be reading it.

use std::collections::HashSet;

use super::{Pending, Task};
use crate::checkpoint::collect::orphans;
use crate::checkpoint::trim::{drop_messages, trim_journal};
use crate::codec::checkpoint::Location;
use crate::codec::frame::Sum;
use crate::error::Result;

impl Task {
    /// Deletes what is pending. Whatever goes wrong, the rest is done the next time.
    pub(super) async fn tidy(&mut self) {
        let Some(pending) = self.pending.take_due(self.reader.env.monotonic()) else { return };
        let mut leaving = self.leaving.clone();
        let tidied = tokio::select! {
            biased;
            tidied = self.delete(&pending) => tidied,
            _ = leaving.wait_for(|leaving| *leaving) => return,
        };
        if let Err(error) = tidied {
            tracing::warn!(
                name: "trimming_failed", target: "discobase::checkpoint", %error,
                "what a checkpoint made superfluous could not be deleted; it is tried again later"
            );
            self.progress.lock().error = Some(error);
            let at = self.reader.env.monotonic() + self.settings.retry_after(u32::MAX);
            self.pending.put_back(Pending { at, ..pending });
        } else if self.retry.is_none() {
            self.progress.lock().error = None;
        }
    }

    /// The journal first, then the segments that only what was before it refers to.
    async fn delete(&self, pending: &Pending) -> Result<()> {
        let Some(last) = self.engine.last() else { return Ok(()) };
        self.engine.settled().await?;
        let later: Vec<Sum> = self.pending.checkpoints().collect();
        trim_journal(&self.reader, pending.checkpoint, &later).await?;
        let now = last.checkpoint.covers.message.time_ms();
        drop_messages(&self.reader, &pending.dropped, now).await?;
        if pending.collect {
            let used: HashSet<Location> =
                last.checkpoint.segments().map(|segment| segment.location).collect();
            // Whoever began with a checkpoint that is not old enough may still be reading what later ones dropped.
            let used = used.into_iter().chain(self.pending.dropped()).collect();
            let found = orphans(&self.reader, &last.checkpoint, &used, self.engine.incarnation()?).await?;
            drop_messages(&self.reader, &found, now).await?;
        }
        Ok(())
    }
}

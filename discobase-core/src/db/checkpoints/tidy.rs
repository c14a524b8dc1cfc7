//! Deleting what the latest checkpoint makes superfluous, once nobody can still be reading it.

use super::{Pending, Task};
use crate::checkpoint::collect::orphans;
use crate::checkpoint::trim::{drop_messages, trim_journal};
use crate::error::Result;

impl Task {
    /// Deletes what is pending. Whatever goes wrong, the rest is done the next time.
    pub(super) async fn tidy(&mut self) {
        let Some(pending) = self.pending.take() else { return };
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
            self.pending = Some(Pending { at, ..pending });
        }
    }

    /// The journal first, then the segments that only what was before it refers to.
    async fn delete(&self, pending: &Pending) -> Result<()> {
        let Some(last) = self.engine.last() else { return Ok(()) };
        self.engine.settled().await?;
        trim_journal(&self.reader, last.sum).await?;
        let now = last.checkpoint.covers.message.time_ms();
        drop_messages(&self.reader, &pending.dropped, now).await?;
        if pending.collect {
            let found = orphans(&self.reader, &last.checkpoint, self.engine.incarnation()?).await?;
            drop_messages(&self.reader, &found, now).await?;
        }
        Ok(())
    }
}

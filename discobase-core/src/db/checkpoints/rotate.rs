//! Changing the key: one checkpoint that keeps nothing of what was written under the old one.

use std::sync::Arc;

use super::{Rotated, Task};
use crate::db::catalog;
use crate::db::engine::{Cut, Last};
use crate::error::Result;
use crate::ids::Seq;
use crate::seal::Sealing;

impl Task {
    /// Writes everything anew under other keys, or clear. From its checkpoint on the old key opens nothing any more;
    /// until then it opens all.
    ///
    /// Most of it is written while commits go on. Only while the checkpoint itself is posted, with what they added
    /// meanwhile, do they wait: no frame under the old key may follow the one that the checkpoint covers.
    pub(super) async fn rotate(&mut self, sealing: Option<Arc<Sealing>>, done: Rotated) -> Result<Seq> {
        self.engine.settled().await?;
        self.orphans = true;
        let under = |cut: Cut| Cut { sealing: sealing.clone(), ..cut };
        let cut = under(self.engine.cut().await?);
        let tables = self.segments(&cut, None).await?;
        let written = self.checkpoint(&cut, None, tables);
        let held = self.engine.hold();
        let cut = under(self.engine.cut().await?);
        let tables = if cut.tables.seq() == written.seq {
            written.tables
        } else {
            // The sum is that of no frame: this checkpoint is only what the next one builds on.
            let written = Last { sum: cut.position.tip.sum, checkpoint: Arc::new(written) };
            self.segments(&cut, Some(&written)).await?
        };
        let checkpoint = self.checkpoint(&cut, self.engine.last().as_ref(), tables);
        let appended = self.engine.append_rekeyed(Box::new(checkpoint), sealing).await?;
        done();
        drop(held);
        let checkpoint = self.finished(&cut, appended);
        let (transport, bot) = (&*self.reader.transport, self.reader.bot);
        let (genesis, since) = (&checkpoint.root.genesis, Seq::default());
        catalog::refresh(transport, genesis, bot, &cut.tables, since, Some(&checkpoint)).await;
        self.mirrored();
        tracing::info!(
            name: "rotated", target: "discobase::checkpoint", seq = checkpoint.seq.get(),
            encrypted = genesis.keying.is_some(), "the key of the database was changed"
        );
        Ok(checkpoint.seq)
    }
}

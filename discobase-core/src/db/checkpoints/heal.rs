//! A checkpoint after damage: everything anew, so that nothing damaged is referred to any more.

use std::collections::HashSet;

use super::Task;
use crate::batch::TableDef;
use crate::db::catalog;
use crate::db::engine::Cut;
use crate::error::Result;
use crate::ids::{ChannelId, Seq};

/// What a checkpoint after damage says otherwise than the journal before it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mend {
    /// Whether commits wait for it, because frames are lost that memory has.
    pub(crate) resumed: bool,
    /// The tables whose channels were deleted, with other ones; in the journal already, unless commits wait.
    pub(crate) defs: Vec<TableDef>,
    /// What took the catalog's place.
    pub(crate) catalog: Option<ChannelId>,
    /// What took the first category's place.
    pub(crate) category: Option<ChannelId>,
    /// The channels that are gone, with all that was in them.
    pub(crate) gone: HashSet<ChannelId>,
}

impl Task {
    /// Writes all tables anew, in one run each.
    pub(super) async fn heal(&mut self, mend: &Mend) -> Result<Seq> {
        if !mend.resumed {
            self.engine.settled().await?;
        }
        self.orphans = true;
        let mut cut = self.engine.cut().await?;
        if mend.resumed {
            cut.tables = self.engine.altered(cut.tables, &mend.defs)?;
        }
        let tables = self.segments(&cut, None).await?;
        let mut checkpoint = self.checkpoint(&cut, self.engine.last().as_ref(), tables);
        let genesis = &mut checkpoint.root.genesis;
        genesis.catalog = mend.catalog.unwrap_or(genesis.catalog);
        genesis.category = mend.category.unwrap_or(genesis.category);
        checkpoint.drop.retain(|dropped| !mend.gone.contains(&dropped.channel));
        let after = mend.resumed.then(|| cut.tables.clone());
        let appended = self.engine.append_mended(Box::new(checkpoint), after).await?;
        let Cut { tables, .. } = &cut;
        let checkpoint = self.finished(&cut, appended);
        // An earlier checkpoint may be among what was deleted.
        self.pending.unite();
        self.pending.forget(&mend.gone);
        let (transport, genesis, bot) = (&*self.reader.transport, &checkpoint.root.genesis, self.reader.bot);
        catalog::rewrite(transport, genesis, bot, tables, Some(&checkpoint)).await;
        self.mirrored();
        tracing::info!(
            name: "healed", target: "discobase::checkpoint", seq = checkpoint.seq.get(),
            "all that is in memory was written anew"
        );
        Ok(checkpoint.seq)
    }
}

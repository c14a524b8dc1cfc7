//! Writing one checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Pending, Task};
use crate::checkpoint::build::{Wanted, build};
use crate::checkpoint::trim::superseded;
use crate::checkpoint::upload::{Uploader, upload};
use crate::codec::checkpoint::{Checkpoint, Covers, Location, TableCheckpoint};
use crate::db::catalog;
use crate::db::engine::{Appended, Cut, Last};
use crate::error::Result;
use crate::ids::{Seq, TableId};

impl Task {
    /// Writes a checkpoint of the durable state, if anything was committed since the last one: the last commit that
    /// the latest checkpoint has.
    pub(super) async fn write(&mut self) -> Result<Seq> {
        // Until its term is verified an owner writes nothing but frames.
        self.engine.settled().await?;
        let began = self.reader.env.monotonic();
        let cut = self.engine.cut().await?;
        let last = self.engine.last();
        let since = last.as_ref().map_or(Seq::default(), |last| last.checkpoint.seq);
        if last.is_some() && since == cut.tables.seq() {
            return Ok(since);
        }
        // Whatever is uploaded from now on is superfluous if no frame follows that refers to it.
        self.orphans = true;
        let tables = self.segments(&cut, last.as_ref()).await?;
        let checkpoint = self.checkpoint(&cut, last.as_ref(), tables);
        let appended = self.engine.append(Box::new(checkpoint)).await?;
        let checkpoint = self.finished(&cut, appended);
        let took = self.reader.env.monotonic().saturating_sub(began);
        self.engine.counters().checkpoint.took(took);
        tracing::info!(
            name: "checkpoint", target: "discobase::checkpoint", seq = checkpoint.seq.get(), ?took,
            "a checkpoint is durable"
        );
        let (transport, genesis, bot) = (&*self.reader.transport, &checkpoint.root.genesis, self.reader.bot);
        catalog::refresh(transport, genesis, bot, &cut.tables, since, Some(&checkpoint)).await;
        self.mirrored();
        Ok(checkpoint.seq)
    }

    /// Keeps that a checkpoint is durable, and what is to be deleted because of it.
    pub(super) fn finished(&mut self, cut: &Cut, appended: Appended) -> Arc<Checkpoint> {
        let Appended { tip, checkpoint } = appended;
        let (dropped, forgettable) = (checkpoint.drop.clone(), forgettable(&checkpoint));
        let checkpoint: Arc<Checkpoint> = Arc::from(checkpoint);
        let last = Last { sum: tip.sum, checkpoint: Arc::clone(&checkpoint) };
        self.progress.lock().mirroring = true;
        self.engine.checkpointed(cut.volume, last, &forgettable);
        let at = self.reader.env.monotonic() + self.settings.trim_after;
        self.pending.push(Pending { at, checkpoint: tip.sum, dropped, collect: self.orphans });
        self.orphans = false;
        self.progress.lock().written += 1;
        checkpoint
    }

    /// The catalog tells of the latest checkpoint.
    pub(super) fn mirrored(&self) {
        self.progress.lock().mirroring = false;
    }

    /// Builds what changed and uploads it, one file after the other: commits need the connection, too.
    pub(super) async fn segments(&self, cut: &Cut, last: Option<&Last>) -> Result<Vec<TableCheckpoint>> {
        let holder = &cut.position.holder;
        let uploader = Uploader {
            transport: Arc::clone(&self.reader.transport),
            epoch: holder.epoch,
            incarnation: holder.incarnation,
        };
        let last = last.map(|last| Arc::clone(&last.checkpoint));
        let (db, tables) = (Arc::clone(&self.reader.db), cut.tables.clone());
        let wanted = Wanted { db, sealing: cut.sealing.clone().into(), tables, last };
        for table in wanted.needed() {
            self.engine.table_in(&cut.tables, table, None).await?;
        }
        upload(&uploader, build(&self.reader.env, wanted)).await
    }

    pub(super) fn checkpoint(
        &self,
        cut: &Cut,
        last: Option<&Last>,
        tables: Vec<TableCheckpoint>,
    ) -> Checkpoint {
        // A checkpoint may have given the database another catalog or category.
        let mut root = self.engine.last().map_or(self.root, |last| last.checkpoint.root);
        root.genesis.keying = cut.sealing.as_ref().map(|sealing| sealing.keying());
        let mut checkpoint = Checkpoint {
            root,
            covers: Covers::of(&cut.position),
            seq: cut.tables.seq(),
            next_table: cut.tables.next_table(),
            tables,
            past: cut.past.clone(),
            steps: cut.tables.steps().to_vec(),
            drop: Vec::new(),
        };
        let undeleted: Vec<Location> = self.pending.dropped().collect();
        if let Some(last) = last {
            checkpoint.drop = superseded(&last.checkpoint, &undeleted, &checkpoint);
        }
        checkpoint
    }
}

/// Up to which commit each table's tombstones are not needed any more: no run but the first, which needs none, can be
/// merged with one that reaches further back.
fn forgettable(checkpoint: &Checkpoint) -> BTreeMap<TableId, Seq> {
    let upto = |table: &TableCheckpoint| match table.runs.first() {
        Some(first) if first.from == Seq::default() => first.to,
        Some(_) => Seq::default(),
        None => checkpoint.seq,
    };
    checkpoint.tables.iter().map(|table| (table.def.id, upto(table))).collect()
}

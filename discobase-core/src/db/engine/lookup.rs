//! Tables that are not loaded: single rows are looked up in the guild, and a table is loaded when more is needed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;

use crate::batch::TableDef;
use crate::checkpoint::load::Loader;
use crate::db::engine::{Engine, Role};
use crate::env::{self, heavy};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{RowId, TableId};
use crate::lookup::{Counts, Lazy, Lost, Wanted};
use crate::session::{Facts, Write, concerned, needs};
use crate::tables::{Base, Found, Slot, Stored, TableState, Tables, Unloaded};

/// How long a process waits for a newer checkpoint when segments of the one it knows are gone, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);

impl Engine {
    /// A table as it is now, or as much of it as has the keys that are wanted. `None` if there is no such table.
    ///
    /// # Errors
    /// `Damaged` when a segment of the table is lost; what downloading can fail with.
    pub(crate) async fn table(
        &self,
        table: TableId,
        wanted: Option<&Wanted>,
    ) -> Result<Option<Arc<TableState>>> {
        let mut lost = None;
        loop {
            let tables = Arc::clone(&self.tables());
            let Some(slot) = tables.get(table) else { return Ok(None) };
            let Some(unloaded) = slot.unloaded() else { return Ok(slot.loaded().cloned()) };
            let tried = unloaded.base();
            match self.part(unloaded, wanted).await {
                Ok(state) => return Ok(Some(state)),
                Err(Lost::Failed(error)) => return Err(error),
                Err(Lost::Segment(error)) if self.is_newer(table, &tried).await => superseded(&error),
                Err(Lost::Segment(error)) => match lost.take() {
                    None => self.wait_for_files(&mut lost, error, false).await,
                    Some(error) => return self.without(unloaded, wanted, error).await.map(Some),
                },
            }
        }
    }

    /// A table as it was in `tables`, or as much of it as has the keys that are wanted. `None` if there was no such
    /// table.
    ///
    /// # Errors
    /// `Damaged` when a segment is lost, which a newer checkpoint may have replaced since; what downloading can fail
    /// with.
    pub(crate) async fn table_in(
        &self,
        tables: &Tables,
        table: TableId,
        wanted: Option<&Wanted>,
    ) -> Result<Option<Arc<TableState>>> {
        let Some(slot) = tables.get(table) else { return Ok(None) };
        let Some(unloaded) = slot.unloaded() else { return Ok(slot.loaded().cloned()) };
        let mut lost = None;
        loop {
            let tried = unloaded.base();
            match self.part(unloaded, wanted).await {
                Ok(state) => return Ok(Some(state)),
                Err(Lost::Failed(error)) => return Err(error),
                Err(Lost::Segment(error)) => {
                    let newer = self.is_newer(table, &tried).await;
                    // This state may be the newest, too, and have been given a newer base.
                    if newer && !unloaded.has_base(&tried) {
                        superseded(&error);
                        continue;
                    }
                    match lost.take() {
                        None => self.wait_for_files(&mut lost, error, newer).await,
                        Some(error) => return self.without(unloaded, wanted, error).await.map(Some),
                    }
                }
            }
        }
    }

    /// Waits before a segment that is not there is tried again: its file may be there only a while after its message.
    async fn wait_for_files(&self, lost: &mut Option<Error>, error: Error, newer: bool) {
        *lost = Some(error);
        // A follower that found no newer checkpoint has waited for it already.
        if newer || self.role() == Role::Writer {
            env::sleep(&*self.env, PATIENCE).await;
        }
    }

    /// A table of which segments are lost: rows alone are enough to load it, if what is lost is of an index.
    async fn without(
        &self,
        table: &Arc<Unloaded>,
        wanted: Option<&Wanted>,
        lost: Error,
    ) -> Result<Arc<TableState>> {
        match wanted {
            Some(_) => self.whole(table).await.map_err(|_| lost),
            None => Err(lost),
        }
    }

    /// Loads a table, so that it is in memory from now on.
    pub(crate) async fn load_now(&self, table: TableId) -> Result<()> {
        while self.tables().get(table).is_some_and(|slot| slot.unloaded().is_some()) {
            self.table(table, None).await?;
        }
        Ok(())
    }

    /// Loads all tables, and gives them.
    pub(crate) async fn load_all(&self) -> Result<Arc<Tables>> {
        loop {
            let tables = Arc::clone(&self.tables());
            let Some(table) = tables.iter().find(|slot| slot.unloaded().is_some()) else { return Ok(tables) };
            self.load_now(table.def().id).await?;
        }
    }

    /// All that was accepted so far, be it decided or not, with every table loaded: what the next commit comes after.
    pub(crate) async fn load_accepted(&self) -> Result<Arc<Tables>> {
        let tables = self.load_all().await?;
        let accepted = self.newest.lock().tables.clone();
        // What is not loaded there has not been written either.
        let loaded = accepted.iter().all(|slot| slot.unloaded().is_none());
        Ok(if loaded { Arc::new(accepted) } else { tables })
    }

    /// Looks up what has to be known for writes to be checked, as far as it is not known yet, and loads the tables of
    /// which that may be much.
    pub(super) async fn learn_for(&self, writes: &[Write], facts: &mut Facts) -> Result<()> {
        for write in writes {
            // Definitions are those of now: whoever accepts the commit looks again.
            for table in concerned(&self.tables(), write) {
                self.load_now(table).await?;
            }
        }
        loop {
            let tables = Arc::clone(&self.tables());
            let needs = match needs(&tables, writes) {
                Ok(needs) => needs,
                Err(table) => {
                    self.load_now(table).await?;
                    continue;
                }
            };
            for (id, wanted) in facts.lacking(&tables, &needs) {
                let found = self.table(id, Some(&wanted)).await?;
                // One that was loaded meanwhile needs no lookup.
                if let (Some(found), Some(table)) = (found, self.tables().get(id).and_then(Slot::unloaded)) {
                    facts.learn(table, tables.seq(), &wanted, rows_of(&found));
                }
            }
            return Ok(());
        }
    }

    /// As [`Engine::learn_for`], in a state that stays what it is. Tables that are loaded for it are loaded in that state.
    pub(crate) async fn learn_in(&self, tables: &Tables, writes: &[Write], facts: &mut Facts) -> Result<()> {
        for table in writes.iter().flat_map(|write| concerned(tables, write)) {
            self.table_in(tables, table, None).await?;
        }
        let needs = loop {
            match needs(tables, writes) {
                Ok(needs) => break needs,
                Err(table) => self.table_in(tables, table, None).await?,
            };
        };
        for (id, wanted) in facts.lacking(tables, &needs) {
            let found = self.table_in(tables, id, Some(&wanted)).await?;
            if let (Some(found), Some(table)) = (found, tables.get(id).and_then(Slot::unloaded)) {
                facts.learn(table, tables.seq(), &wanted, rows_of(&found));
            }
        }
        Ok(())
    }

    /// What lookups counted.
    pub(crate) fn lookup_counts(&self) -> &Counts {
        self.lookups.counts()
    }

    /// A row as it is now.
    pub(crate) async fn stored(&self, table: TableId, row: RowId) -> Result<Option<Found>> {
        let table = self.table(table, Some(&Wanted::row(row))).await?;
        Ok(table.and_then(|table| table.row(row).map(|stored| found(row, stored))))
    }

    /// The tables that are not in memory, and what looks them up.
    pub(super) fn lazy(&self) -> Lazy {
        let tables = self.tables();
        let unloaded = tables.iter().filter(|slot| slot.unloaded().is_some());
        let tables = unloaded.map(|slot| slot.def().name.clone()).collect();
        Lazy { lookups: Arc::clone(&self.lookups), tables }
    }

    /// Loads the tables of a state which are in memory in the one that is visible.
    pub(super) async fn load_as_visible(&self, tables: &Tables) -> Result<()> {
        for slot in tables.iter() {
            if let Some(unloaded) = slot.unloaded()
                && self.tables().loaded(slot.def().id).is_some()
            {
                self.whole(unloaded).await.map_err(Lost::into_error)?;
            }
        }
        Ok(())
    }

    async fn part(&self, table: &Arc<Unloaded>, wanted: Option<&Wanted>) -> Result<Arc<TableState>, Lost> {
        if let Some(wanted) = wanted
            && let Some(part) = self.looked_up(table, wanted).await?
        {
            return Ok(Arc::new(part));
        }
        self.whole(table).await
    }

    /// The rows with certain keys, as a table of their own; `None` if they may be many.
    async fn looked_up(&self, table: &Unloaded, wanted: &Wanted) -> Result<Option<TableState>, Lost> {
        let mut part = TableState::new(TableDef::clone(table.def()));
        let keys = wanted.keys.iter().map(|(index, key)| self.lookups.equal(table, *index, key));
        for found in try_join_all(keys).await? {
            let Some(found) = found else { return Ok(None) };
            part.take_over(found);
        }
        let rows = wanted.rows.iter().map(|row| self.lookups.row(table, *row));
        part.take_over(try_join_all(rows).await?.into_iter().flatten().collect());
        Ok(Some(part))
    }

    /// All of a table.
    async fn whole(&self, table: &Arc<Unloaded>) -> Result<Arc<TableState>, Lost> {
        let base = table.base();
        let loader = Loader {
            transport: &*self.transport,
            env: &self.env,
            db: self.lookups.db(),
            sealing: base.sealing.clone(),
        };
        base.load(async {
            let loaded = loader.table(&base.table).await?;
            tracing::info!(
                name: "table_loaded", target: "discobase::engine", table = %table.def().name, rows = loaded.len(),
                "a table that was looked up is loaded"
            );
            Ok(loaded)
        })
        .await?;
        let this = Arc::clone(table);
        let loaded = heavy(&self.env, move || this.loaded().cloned()).await.flatten();
        loaded.ok_or_else(|| {
            let text = "putting what was committed since over a table that was loaded failed";
            Lost::Failed(Error::new(ErrorKind::Damaged, text).in_table(&table.def().name))
        })
    }

    /// Whether the table goes by another checkpoint than the one that was tried, by now or soon.
    async fn is_newer(&self, table: TableId, tried: &Arc<Base>) -> bool {
        let end = self.env.monotonic().saturating_add(PATIENCE);
        loop {
            let tables = Arc::clone(&self.tables());
            if let Some(last) = self.last() {
                tables.rebase(&last.checkpoint.tables, last.checkpoint.seq);
            }
            let same = tables.get(table).and_then(Slot::unloaded).is_some_and(|now| now.has_base(tried));
            if !same {
                return true;
            }
            // Only another process's checkpoint can be unknown here.
            if self.role() == Role::Writer || self.stopped().is_some() || self.env.monotonic() >= end {
                return false;
            }
            self.look();
            env::sleep(&*self.env, LOOK).await;
        }
    }
}

fn rows_of(part: &TableState) -> impl Iterator<Item = Found> {
    part.rows().map(|(row, stored)| found(row, stored))
}

fn found(row: RowId, stored: Stored<'_>) -> Found {
    Found { row, version: stored.version, values: stored.row.to_row() }
}

fn superseded(error: &Error) {
    tracing::debug!(
        name: "segment_missing", target: "discobase::checkpoint", %error,
        "a segment is not there: a newer checkpoint explains it"
    );
}

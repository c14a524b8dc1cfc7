//! The tables in memory: persistent structures, so that a snapshot costs a pointer and no reader ever waits.
//!
//! Rows lie in pages (`page`) behind a persistent array (`trie`). The index of a key is hashed (`hash`) and ordered, all
//! other indexes are ordered (`ordered`, leaves and inner nodes of which are `packed`).
//!
//! [`Tables::apply`] is the only way a commit changes them, whether it was just acknowledged or is replayed.

mod alter;
mod force;
mod hash;
mod index;
mod load;
mod ordered;
mod overlay;
mod packed;
mod page;
mod references;
mod rows;
mod slot;
mod sort_key;
mod table;
mod touch;
mod trie;
mod unloaded;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use alter::{Unfit, goes_on_from};
pub(crate) use index::{KeyValues, sort_key_of, value_in};
pub(crate) use load::TableLoad;
pub(crate) use overlay::Found;
pub(crate) use references::{Reference, References};
pub(crate) use slot::Slot;
pub(crate) use sort_key::SortKey;
pub(crate) use table::{Before, Stored, TableState, Taken, comparable};
pub(crate) use unloaded::{Base, Unloaded, small_since};

use crate::batch::{AppliedStep, Commit, Op, TableDef};
use crate::codec::checkpoint::TableCheckpoint;
use crate::ids::{RowId, Seq, TableId};
use crate::tables::rows::ID_LIMIT;

/// All tables of a database, as of one commit. Cloning shares everything.
#[derive(Clone, Default)]
pub(crate) struct Tables {
    /// In the order of their ids: whoever goes over all tables does so in the same order every time.
    by_id: Arc<BTreeMap<TableId, Slot>>,
    /// The last commit applied.
    seq: Seq,
    /// One more than the highest id ever given out; 0 while none was.
    next_table: TableId,
    /// The migration steps that were applied, in their order.
    steps: Arc<Vec<AppliedStep>>,
    /// What the tables' definitions say of references.
    references: Arc<References>,
}

/// How one operation is taken back.
pub(crate) enum Undo {
    /// The row becomes what it was.
    Row(TableId, RowId, Before),
    /// The table becomes what it was, or is none again.
    Table { id: TableId, before: Option<Slot>, next_table: TableId },
    /// The steps become what they were.
    Steps(Arc<Vec<AppliedStep>>),
}

/// A commit that does not fit the tables it is applied to: the journal is not what this program wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApplyError {
    #[error("commit {found} comes after commit {last}")]
    Order { last: Seq, found: Seq },
    #[error("commit {seq} names table {table}, which does not exist")]
    UnknownTable { seq: Seq, table: TableId },
    #[error("commit {seq} creates table {table}, which exists")]
    DuplicateTable { seq: Seq, table: TableId },
    #[error("commit {seq} gives table {table} a definition that does not fit it: {why}")]
    UnfitDefinition { seq: Seq, table: TableId, why: Unfit },
    #[error(
        "commit {seq} applies or reverts the migration step {version}, and it is not the next or the last one"
    )]
    Step { seq: Seq, version: String },
    #[error("commit {seq} inserts row {row} of table {table}, whose id was used before")]
    DuplicateRow { seq: Seq, table: TableId, row: RowId },
    #[error("commit {seq} inserts row {row} of table {table}, and no table has so many rows")]
    RowBeyond { seq: Seq, table: TableId, row: RowId },
    #[error("commit {seq} changes row {row} of table {table}, which does not exist")]
    UnknownRow { seq: Seq, table: TableId, row: RowId },
    #[error("commit {seq} changes values that row {row} of table {table} does not have")]
    UnfitPatch { seq: Seq, table: TableId, row: RowId },
}

impl Tables {
    /// The last commit applied.
    pub(crate) fn seq(&self) -> Seq {
        self.seq
    }

    /// A table, loaded or not.
    #[inline]
    pub(crate) fn get(&self, table: TableId) -> Option<&Slot> {
        self.by_id.get(&table)
    }

    /// A table, if it is there and loaded. Whoever needs one that is not has the engine load it.
    #[inline]
    pub(crate) fn loaded(&self, table: TableId) -> Option<&Arc<TableState>> {
        self.get(table)?.loaded()
    }

    /// All tables, in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.by_id.values()
    }

    /// The table of that name.
    pub(crate) fn named(&self, name: &str) -> Option<&Slot> {
        self.iter().find(|table| table.def().name == name)
    }

    /// Everything up to commit `seq` is in: for a commit that was applied operation by operation.
    pub(crate) fn advance(&mut self, seq: Seq) {
        self.seq = self.seq.max(seq);
    }

    /// The migration steps that were applied, in their order.
    pub(crate) fn steps(&self) -> &[AppliedStep] {
        &self.steps
    }

    /// Which tables refer to which.
    #[inline]
    pub(crate) fn references(&self) -> &References {
        &self.references
    }

    /// A definition has changed.
    fn relate(&mut self) {
        let references = References::of(&self.by_id);
        if *self.references != references {
            self.references = Arc::new(references);
        }
    }

    /// The id the next table gets.
    pub(crate) fn next_table(&self) -> TableId {
        self.next_table.max(TableId::new(1))
    }

    /// The tables that a checkpoint describes, as of commit `seq`.
    pub(crate) fn restore(
        tables: impl IntoIterator<Item = Slot>,
        seq: Seq,
        next_table: TableId,
        steps: Vec<AppliedStep>,
    ) -> Self {
        let by_id: BTreeMap<_, _> = tables.into_iter().map(|table| (table.def().id, table)).collect();
        let beyond = by_id.last_key_value().map_or(TableId::new(1), |(last, _)| last.next());
        let references = Arc::new(References::of(&by_id));
        let (by_id, steps) = (Arc::new(by_id), Arc::new(steps));
        Self { by_id, seq, next_table: next_table.max(beyond), steps, references }
    }

    /// Forgets the tombstones of a table's rows that were deleted by commit `upto` or an earlier one: when no run that
    /// is still to be merged reaches back to what they hide.
    pub(crate) fn forget_deleted(&mut self, table: TableId, upto: Seq) {
        // Those of a table that is not loaded hide rows of its runs.
        if self
            .loaded(table)
            .is_some_and(|table| table.deleted_since(Seq::default()).any(|(_, seq)| seq <= upto))
            && let Some(slot) = Arc::make_mut(&mut self.by_id).get_mut(&table)
            && let Slot::Loaded(table) = slot.changed()
        {
            Arc::make_mut(table).forget_deleted(upto);
        }
    }

    /// Has tables that are not loaded go by what a checkpoint says that is newer than theirs. It has the commits up to
    /// `seq`, and none that these tables have not.
    pub(crate) fn rebase(&self, checkpoint: &[TableCheckpoint], seq: Seq) {
        for unloaded in self.iter().filter_map(Slot::unloaded) {
            let base = unloaded.base();
            let newer = checkpoint.iter().find(|table| table.def.id == unloaded.def().id);
            if let Some(newer) = newer.filter(|_| seq > base.seq) {
                unloaded.rebase(Base::new(newer.clone(), seq, base.sealing.clone()));
            }
        }
    }

    /// Forgets of tables that are not loaded what the checkpoint they go by has as well: of each what its commits up to
    /// `since` did.
    pub(crate) fn forget_covered(&mut self, since: impl Fn(&TableCheckpoint) -> Seq) {
        let due = |slot: &Slot| {
            let unloaded = slot.unloaded()?;
            let since = since(&unloaded.base().table);
            (since > unloaded.since()).then_some((slot.def().id, since))
        };
        let due: Vec<_> = self.iter().filter_map(due).collect();
        for (table, since) in due {
            if let Some(Slot::Unloaded(unloaded)) = Arc::make_mut(&mut self.by_id).get_mut(&table) {
                Arc::make_mut(unloaded).forget_upto(since);
            }
        }
    }

    /// Puts a table in the place of the one that has its id.
    pub(crate) fn stand_in(&mut self, table: TableState) {
        Arc::make_mut(&mut self.by_id).insert(table.def().id, Slot::Loaded(Arc::new(table)));
    }

    /// Applies a commit. After an error the tables are in between and must be thrown away.
    pub(crate) fn apply(&mut self, commit: &Commit) -> Result<(), ApplyError> {
        if commit.seq <= self.seq {
            return Err(ApplyError::Order { last: self.seq, found: commit.seq });
        }
        commit.ops.iter().try_for_each(|op| self.apply_op(commit.seq, op))?;
        self.seq = commit.seq;
        Ok(())
    }

    /// Applies one operation of commit `seq`: what [`Tables::apply`] does with each, and what a commit in the
    /// making does so that the next operation is checked against it.
    pub(crate) fn apply_op(&mut self, seq: Seq, op: &Op) -> Result<(), ApplyError> {
        match op {
            Op::Schema(def) => self.create(seq, def),
            Op::Alter(def) => self.alter(seq, def),
            Op::Applied(step) => {
                let fresh = self.steps.iter().all(|known| known.version != step.version);
                Arc::make_mut(&mut self.steps).push(AppliedStep::clone(step));
                if fresh { Ok(()) } else { Err(ApplyError::Step { seq, version: step.version.clone() }) }
            }
            Op::Reverted { version } => match Arc::make_mut(&mut self.steps).pop() {
                Some(last) if last.version == *version => Ok(()),
                _ => Err(ApplyError::Step { seq, version: version.clone() }),
            },
            Op::Drop { table } => match Arc::make_mut(&mut self.by_id).remove(table) {
                Some(_) => {
                    self.relate();
                    Ok(())
                }
                None => Err(ApplyError::UnknownTable { seq, table: *table }),
            },
            Op::Insert { table, row, .. } if *row >= ID_LIMIT => {
                Err(ApplyError::RowBeyond { seq, table: *table, row: *row })
            }
            Op::Insert { table, row, values } => {
                let fresh = self.slot_mut(seq, *table)?.insert(*row, seq, values);
                if fresh { Ok(()) } else { Err(ApplyError::DuplicateRow { seq, table: *table, row: *row }) }
            }
            Op::Update { table, row, values } => {
                let known = self.slot_mut(seq, *table)?.update(*row, seq, values);
                if known { Ok(()) } else { Err(ApplyError::UnknownRow { seq, table: *table, row: *row }) }
            }
            Op::Patch { table, row, patch } => {
                let (table, row, slot) = (*table, *row, self.slot_mut(seq, *table)?);
                let before = slot.row(row).ok_or(ApplyError::UnknownRow { seq, table, row })?;
                let values = patch.apply(before.row).ok_or(ApplyError::UnfitPatch { seq, table, row })?;
                slot.update(row, seq, &values);
                Ok(())
            }
            Op::Delete { table, row } => {
                let known = self.slot_mut(seq, *table)?.delete(seq, *row);
                if known { Ok(()) } else { Err(ApplyError::UnknownRow { seq, table: *table, row: *row }) }
            }
        }
    }

    /// What [`Tables::undo`] needs to take the operation back once it was applied.
    pub(crate) fn before(&self, op: &Op) -> Undo {
        let whole =
            |id: TableId| Undo::Table { id, before: self.get(id).cloned(), next_table: self.next_table };
        match op {
            Op::Schema(def) | Op::Alter(def) => whole(def.id),
            Op::Applied(_) | Op::Reverted { .. } => Undo::Steps(Arc::clone(&self.steps)),
            Op::Drop { table } => whole(*table),
            Op::Insert { table, row, .. }
            | Op::Update { table, row, .. }
            | Op::Patch { table, row, .. }
            | Op::Delete { table, row } => match self.loaded(*table) {
                Some(state) => Undo::Row(*table, *row, state.before(*row)),
                None => whole(*table),
            },
        }
    }

    /// Takes back the operation that was applied last.
    pub(crate) fn undo(&mut self, undo: Undo) {
        let tables = Arc::make_mut(&mut self.by_id);
        match undo {
            Undo::Row(table, row, before) => {
                if let Some(slot) = tables.get_mut(&table)
                    && let Slot::Loaded(table) = slot.changed()
                {
                    Arc::make_mut(table).put_back(row, before);
                }
            }
            Undo::Steps(before) => self.steps = before,
            Undo::Table { id, before, next_table } => {
                match before {
                    Some(before) => tables.insert(id, before),
                    None => tables.remove(&id),
                };
                self.next_table = next_table;
                self.relate();
            }
        }
    }

    /// No row of a table gets an id below `next` any more.
    pub(crate) fn skip_rows(&mut self, table: TableId, next: RowId) {
        if let Some(slot) = Arc::make_mut(&mut self.by_id).get_mut(&table)
            && let Slot::Loaded(table) = slot.changed()
        {
            Arc::make_mut(table).skip_rows(next);
        }
    }

    fn create(&mut self, seq: Seq, def: &TableDef) -> Result<(), ApplyError> {
        // The id of a table that was dropped is not given out again.
        let fresh = def.id >= self.next_table && self.named(&def.name).is_none();
        if !fresh {
            return Err(ApplyError::DuplicateTable { seq, table: def.id });
        }
        Arc::make_mut(&mut self.by_id).insert(def.id, Slot::Loaded(Arc::new(TableState::new(def.clone()))));
        self.next_table = self.next_table.max(def.id.next());
        self.relate();
        Ok(())
    }

    fn alter(&mut self, seq: Seq, def: &TableDef) -> Result<(), ApplyError> {
        let table = def.id;
        if self.named(&def.name).is_some_and(|other| other.def().id != table) {
            return Err(ApplyError::DuplicateTable { seq, table });
        }
        let altered = self.slot_mut(seq, table)?.alter(def, seq);
        self.relate();
        altered.map_err(|why| ApplyError::UnfitDefinition { seq, table, why })
    }

    /// A table that is loaded.
    fn loaded_mut(&mut self, seq: Seq, table: TableId) -> Result<&mut TableState, ApplyError> {
        match self.slot_mut(seq, table)?.changed() {
            Slot::Loaded(loaded) => Ok(Arc::make_mut(loaded)),
            Slot::Unloaded(_) => Err(ApplyError::UnknownTable { seq, table }),
        }
    }

    fn slot_mut(&mut self, seq: Seq, table: TableId) -> Result<&mut Slot, ApplyError> {
        let slot = Arc::make_mut(&mut self.by_id).get_mut(&table);
        slot.ok_or(ApplyError::UnknownTable { seq, table })
    }
}

#[cfg(test)]
mod tests;

//! Foreign keys: in the end of every commit no row refers to one that is not there.
//!
//! While a commit is made, what may break a reference is [noted](Touched). When all its writes are applied, the deletes
//! [act](act) on the rows that refer to what they deleted, and then everything that is in doubt is [looked at](verify).
//! So the order of the writes does not matter: a child may come before its parent, and a parent may be replaced.

mod definitions;
mod errors;
mod rows;

use std::collections::{BTreeSet, HashSet};

use crate::batch::{Op, TableDef};
use crate::error::Error;
use crate::ids::{RowId, TableId};
use crate::row::{Row, RowRef};
use crate::schema::OnDelete;
use crate::session::check::state;
use crate::session::{Change, Write};
use crate::tables::{Reference, SortKey, TableState, Tables, sort_key_of};

pub(crate) use definitions::check_definitions;
pub(crate) use rows::{orphans, refers_to_nothing};

use errors::{no_parent, still_referenced};
use rows::{check_rows, referring, refers, values_of, without};

/// What a commit has done so far that references have to do with. Each with the place of the write.
#[derive(Default)]
pub(super) struct Touched {
    /// Rows whose reference may be to nothing.
    doubtful: Vec<(usize, RowId, Reference)>,
    /// Of these, the ones that were written so: what they refer to has to be there, whatever deletes would do to others.
    written: HashSet<(TableId, RowId, usize)>,
    /// Rows that were deleted and may have been referred to.
    gone: Vec<(usize, TableId, Row)>,
    /// The keys that these had.
    gone_keys: BTreeSet<(TableId, SortKey)>,
    /// Tables that have references which they had not.
    referring: Vec<(usize, TableId)>,
    /// The first write that changed a definition.
    defined: Option<usize>,
}

/// What a delete leads to for a row that refers to the deleted one.
pub(super) struct Consequence {
    /// The place of the delete.
    pub(super) place: usize,
    reference: Reference,
    row: RowId,
}

impl Consequence {
    /// The operation that it is, as the row is now: another reference may have had it changed, or deleted.
    pub(super) fn op(&self, tables: &Tables) -> Option<Op> {
        let Self { reference, row, .. } = self;
        let (table, row, state) = (reference.child, *row, tables.loaded(reference.child)?);
        let stored = state.row(row)?;
        Some(match reference.on_delete {
            OnDelete::Restrict => return None,
            OnDelete::Cascade => Op::Delete { table, row },
            OnDelete::SetNull => {
                Op::Update { table, row, values: without(state.def(), reference.index, stored.row) }
            }
        })
    }
}

/// The tables that must be in memory for a write to be made, beside its own.
pub(crate) fn concerned(tables: &Tables, write: &Write) -> Vec<TableId> {
    let references = tables.references();
    if let Write::Alter(def) | Write::Schema(def) = write {
        let parents = def.references().filter_map(|(_, _, reference)| tables.named(&reference.table));
        return parents.map(|parent| parent.def().id).collect();
    }
    let Some(table) = write.table().filter(|table| references.concern(*table)) else { return Vec::new() };
    let mut concerned: Vec<TableId> =
        references.from(table).iter().map(|reference| reference.parent).collect();
    let deletes = match write {
        Write::Delete { .. } => true,
        Write::Statement(statement) => matches!(statement.change, Change::Delete),
        _ => false,
    };
    let mut deleted: Vec<TableId> = if deletes { vec![table] } else { Vec::new() };
    let mut next = 0;
    while let Some(&table) = deleted.get(next) {
        next += 1;
        for reference in references.to(table) {
            concerned.push(reference.child);
            if reference.on_delete == OnDelete::Cascade && !deleted.contains(&reference.child) {
                deleted.push(reference.child);
            }
        }
    }
    concerned
}

impl Touched {
    /// Notes what an operation, which is about to be applied, may break.
    pub(super) fn note(&mut self, tables: &Tables, place: usize, op: &Op) {
        let references = tables.references();
        match op {
            Op::Insert { table, row, .. } => {
                references.from(*table).iter().for_each(|reference| self.doubt(place, *row, reference));
            }
            Op::Update { table, row, values } => {
                let from = references.from(*table);
                let Some(state) = tables.loaded(*table).filter(|_| !from.is_empty()) else { return };
                let before = state.row(*row);
                let written = |reference: &&Reference| {
                    let of = |row| values_of(state, reference.index, row);
                    before.is_none_or(|before| of(before.row) != of(values.borrow()))
                        || self.is_gone(tables, reference, state, values.borrow())
                };
                let written: Vec<&Reference> = from.iter().filter(written).collect();
                written.into_iter().for_each(|reference| self.doubt(place, *row, reference));
            }
            Op::Delete { table, row } => {
                if !references.to(*table).is_empty()
                    && let Some(state) = tables.loaded(*table)
                    && let Some(stored) = state.row(*row)
                {
                    if let Some((_, key)) = state.def().key() {
                        self.gone_keys.insert((*table, sort_key_of(state.def(), key, stored.row)));
                    }
                    self.gone.push((place, *table, stored.row.to_row()));
                }
            }
            Op::Schema(def) | Op::Alter(def) => {
                self.defined.get_or_insert(place);
                let before = tables.get(def.id).map(|slot| slot.def());
                let known = |columns: &[usize], parent: &str| {
                    before.is_some_and(|before| {
                        let mut same = before.references().filter(|(_, index, _)| index.columns == columns);
                        same.any(|(_, _, reference)| reference.table == parent)
                    })
                };
                let mut all = def.references();
                if all.any(|(_, index, reference)| !known(&index.columns, &reference.table)) {
                    self.referring.push((place, def.id));
                }
            }
            Op::Drop { .. } => {
                self.defined.get_or_insert(place);
            }
            // No write makes a patch: updates become patches when their frame is made.
            Op::Patch { .. } | Op::Applied(_) | Op::Reverted { .. } => {}
        }
    }

    /// A row was written with a reference.
    fn doubt(&mut self, place: usize, row: RowId, reference: &Reference) {
        self.doubtful.push((place, row, *reference));
        self.written.insert((reference.child, row, reference.index));
    }

    /// Whether a delete before has taken away what a row refers to, and would change the row. Whoever writes the reference
    /// all the same, though the row had it already, wants it in the end, not what the delete would make of it.
    fn is_gone(
        &self,
        tables: &Tables,
        reference: &Reference,
        children: &TableState,
        row: RowRef<'_>,
    ) -> bool {
        if self.gone_keys.is_empty() || reference.on_delete == OnDelete::Restrict {
            return false;
        }
        let Some(index) = children.def().indexes.get(reference.index) else { return false };
        let key = (reference.parent, sort_key_of(children.def(), index, row));
        let parents = tables.loaded(reference.parent);
        self.gone_keys.contains(&key)
            && parents.is_some_and(|parents| !refers(parents, &values_of(children, reference.index, row)))
    }

    /// What the next delete that was not asked yet leads to. `None` once all were.
    pub(super) fn consequences(
        &mut self,
        tables: &Tables,
        asked: &mut usize,
    ) -> Option<Result<Vec<Consequence>, (usize, Error)>> {
        let (place, table, row) = self.gone.get(*asked)?.clone();
        *asked += 1;
        Some(self.of_delete(tables, place, table, &row).map_err(|error| (place, error)))
    }

    fn of_delete(
        &mut self,
        tables: &Tables,
        place: usize,
        table: TableId,
        row: &Row,
    ) -> Result<Vec<Consequence>, Error> {
        let mut found = Vec::new();
        // A table that was dropped since has no references any more.
        let Some(parent) = tables.loaded(table) else { return Ok(found) };
        let Some((key, _)) = parent.def().key() else { return Ok(found) };
        let values = values_of(parent, key, row.borrow());
        if parent.by_key(&values).is_some() {
            // Another row has its key since.
            return Ok(found);
        }
        for reference in tables.references().to(table) {
            // What a session has not in memory, its commit acts on.
            let Some(children) = tables.loaded(reference.child) else { continue };
            for child in referring(children, reference.index, &values) {
                let table = reference.child;
                if self.written.contains(&(table, child, reference.index)) {
                    continue;
                }
                match reference.on_delete {
                    OnDelete::Restrict => self.doubtful.push((place, child, *reference)),
                    _ => found.push(Consequence { place, reference: *reference, row: child }),
                }
            }
        }
        Ok(found)
    }

    /// Whether everything that was in doubt is right in the end.
    pub(super) fn verify(&self, tables: &Tables) -> Result<(), (usize, Error)> {
        if let Some(place) = self.defined {
            let defs: Vec<&TableDef> = tables.iter().map(|slot| &**slot.def()).collect();
            check_definitions(&defs).map_err(|error| (place, error))?;
        }
        for (place, table) in &self.referring {
            // It may have been dropped since.
            if tables.get(*table).is_some() {
                check_rows(tables, *table).map_err(|error| (*place, error))?;
            }
        }
        let mut seen = HashSet::new();
        for (place, row, reference) in &self.doubtful {
            if !seen.insert((reference.child, row, reference.index)) {
                continue;
            }
            // A definition may have changed since.
            if tables.references().from(reference.child).contains(reference) {
                self.check_row(tables, *row, reference).map_err(|error| (*place, error))?;
            }
        }
        Ok(())
    }

    fn check_row(&self, tables: &Tables, row: RowId, reference: &Reference) -> Result<(), Error> {
        let (children, parents) = (state(tables, reference.child)?, state(tables, reference.parent)?);
        let Some(stored) = children.row(row) else { return Ok(()) };
        let values = values_of(children, reference.index, stored.row);
        if refers(parents, &values) {
            return Ok(());
        }
        Err(match self.written.contains(&(reference.child, row, reference.index)) {
            true => no_parent(children, parents.def(), reference, stored.row),
            false => still_referenced(children, parents, reference, &values),
        })
    }
}

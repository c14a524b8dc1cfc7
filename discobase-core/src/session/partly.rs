//! Writes to tables that are not in memory: what has to be known of such a table before a write can be checked, and
//! commits that are made with no more than that.
//!
//! A write by key concerns few rows: the one that it changes, and those that have one of its keys. They are looked up
//! before the commit is made. What was committed since is in the table's [overlay](Unloaded), so that the two together
//! say what a table in memory would say: of the rows that were asked for, and only of those.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::batch::{IndexDef, TableDef};
use crate::error::Error;
use crate::ids::{RowId, Seq, TableId};
use crate::lookup::Wanted;
use crate::query::exec::Query;
use crate::row::Row;
use crate::schema::IndexKind;
use crate::session::check::apply_error;
use crate::session::prepare::{Prepared, Terms, prepare, prepare_writes};
use crate::session::{Assigns, Change, Found as Becomes, Write, WriteSet};
use crate::tables::{Found, SortKey, Tables, Unloaded, sort_key_of, value_in};
use crate::value::ValueRef;

/// A commit that concerns more rows or keys of a table than this is no lookup: the table is loaded.
const MANY: usize = 64;

/// What writes concern, by the tables that are not in memory.
pub(crate) type Needs = BTreeMap<TableId, Wanted>;

/// What was looked up of tables that are not in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts(BTreeMap<TableId, Known>);

/// What is known of a table as of a commit.
#[derive(Debug, Clone)]
struct Known {
    seq: Seq,
    /// `None` of a row that is not there.
    rows: BTreeMap<RowId, Option<Found>>,
    keys: BTreeSet<(usize, SortKey)>,
}

/// What has to be looked up for writes to be checked.
///
/// # Errors
/// A table that has to be loaded.
pub(crate) fn needs(tables: &Tables, writes: &[Write]) -> Result<Needs, TableId> {
    let mut needs = Needs::new();
    let lazy = |id: &TableId| tables.get(*id).is_some_and(|slot| slot.unloaded().is_some());
    for write in writes {
        // A query inside of a condition may read any row, of the table itself, too.
        if let Write::Statement(statement) = write
            && let Some(filter) = statement.filter.as_ref().filter(|filter| filter.has_subquery())
        {
            let mut whole = filter.tables_read(tables).into_iter().chain([statement.table]);
            whole.find(lazy).map_or(Ok(()), Err)?;
        }
    }
    for write in writes {
        let Some(id) = write.table() else { continue };
        let Some(table) = tables.get(id).and_then(|slot| slot.unloaded()) else { continue };
        // What refers to a row, and what it refers to, is asked of whole tables.
        let wanted = needs.entry(id).or_default();
        let few = !tables.references().concern(id) && concerns(table.def(), write, wanted);
        if !few || wanted.keys.len() + wanted.rows.len() > MANY {
            return Err(id);
        }
    }
    Ok(needs)
}

/// Adds what a write concerns; false if that can't be said before it is made.
fn concerns(def: &TableDef, write: &Write, wanted: &mut Wanted) -> bool {
    match write {
        Write::Insert { values, .. } => keys(def, values, wanted),
        Write::InsertAuto { values, key, .. } => {
            if is_unset(values, *key) {
                return false;
            }
            keys(def, values, wanted);
        }
        Write::Update { row, values, .. } => {
            wanted.rows.push(*row);
            keys(def, values, wanted);
        }
        Write::Delete { row, .. } => wanted.rows.push(*row),
        Write::Statement(statement) => {
            let query = Query { filter: statement.filter.clone(), ..Query::default() };
            let Some(found) = query.wanted(def) else { return false };
            wanted.keys.extend(found.keys);
            return match &statement.change {
                Change::Delete => true,
                Change::Set(assigns) => keeps_keys(def, assigns),
            };
        }
        Write::Upsert(upsert) => {
            keys(def, &upsert.values, wanted);
            let auto = upsert.auto.is_some_and(|column| is_unset(&upsert.values, column));
            return !auto
                && match &upsert.found {
                    Becomes::Set(assigns) => keeps_keys(def, assigns),
                    Becomes::Replace { keep, around } => {
                        let key = def.key().map_or(&[][..], |(_, index)| &index.columns);
                        let stays = |column: &usize| {
                            key.contains(column) || keep.contains(column) || around.touch == Some(*column)
                        };
                        let mixed = |index: &IndexDef| index.columns.iter().any(stays);
                        !def.indexes.iter().any(|index| index.kind == IndexKind::Unique && mixed(index))
                    }
                };
        }
        Write::Schema(_)
        | Write::Alter(_)
        | Write::Drop { .. }
        | Write::Applied(_)
        | Write::Reverted { .. } => {
            return false;
        }
    }
    true
}

/// Adds the keys of a row that no other may have.
fn keys(def: &TableDef, values: &Row, wanted: &mut Wanted) {
    // Of rows that lack something of what is unique several may be there.
    let lacks = |index: &IndexDef| {
        index.columns.iter().any(|&column| value_in(def, values.borrow(), column).is_null())
    };
    for (position, index) in def.indexes.iter().enumerate() {
        if index.kind == IndexKind::Key || (index.kind == IndexKind::Unique && !lacks(index)) {
            wanted.keys.push((position, sort_key_of(def, index, values.borrow())));
        }
    }
}

fn is_unset(values: &Row, column: usize) -> bool {
    matches!(values.value(column), Some(ValueRef::Int(0)))
}

/// Whether a change leaves alone what no two rows may share.
fn keeps_keys(def: &TableDef, assigns: &Assigns) -> bool {
    let changed = |column: &usize| {
        assigns.set.iter().any(|assign| assign.column == *column) || assigns.around.touch == Some(*column)
    };
    let unique = def.indexes.iter().filter(|index| index.kind != IndexKind::Index);
    !unique.flat_map(|index| &index.columns).any(changed)
}

impl Facts {
    /// What is not known yet of what is needed.
    pub(crate) fn lacking(&self, tables: &Tables, needs: &Needs) -> Needs {
        let lacking = needs.iter().filter_map(|(id, wanted)| {
            let table = tables.get(*id)?.unloaded()?;
            let known = self.0.get(id).filter(|known| known.is_enough_for(table));
            let Some(known) = known else { return Some((*id, wanted.clone())) };
            let rows = wanted.rows.iter().filter(|row| !known.rows.contains_key(row)).copied().collect();
            let keys = wanted.keys.iter().filter(|key| !known.keys.contains(key)).cloned().collect();
            let lacking = Wanted { keys, rows };
            (!lacking.is_empty()).then_some((*id, lacking))
        });
        lacking.collect()
    }

    /// Notes what was found in a table, as it was after commit `seq` or later, of all that was wanted.
    pub(crate) fn learn(
        &mut self,
        table: &Unloaded,
        seq: Seq,
        wanted: &Wanted,
        found: impl IntoIterator<Item = Found>,
    ) {
        let id = table.def().id;
        if self.0.get(&id).is_some_and(|known| !known.is_enough_for(table)) {
            self.0.remove(&id);
        }
        let fresh = || Known { seq, rows: BTreeMap::new(), keys: BTreeSet::new() };
        let known = self.0.entry(id).or_insert_with(fresh);
        known.seq = known.seq.min(seq);
        known.keys.extend(wanted.keys.iter().cloned());
        known.rows.extend(wanted.rows.iter().map(|row| (*row, None)));
        known.rows.extend(found.into_iter().map(|found| (found.row, Some(found))));
    }

    /// Adds what others say of the same state.
    pub(crate) fn merge(&mut self, others: Self) {
        for (id, other) in others.0 {
            match self.0.entry(id) {
                Entry::Vacant(unknown) => drop(unknown.insert(other)),
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    known.seq = known.seq.min(other.seq);
                    known.rows.extend(other.rows);
                    known.keys.extend(other.keys);
                }
            }
        }
    }

    /// A row that was found.
    pub(crate) fn row(&self, table: TableId, row: RowId) -> Option<&Found> {
        self.0.get(&table)?.rows.get(&row)?.as_ref()
    }
}

impl Known {
    /// Whether the table's overlay has everything that was committed since.
    fn is_enough_for(&self, table: &Unloaded) -> bool {
        table.since() <= self.seq
    }
}

/// As [`prepare`], where the tables that are not in memory are as the facts say; `None` if
/// they say too little.
///
/// # Errors
/// As [`prepare`].
pub(crate) fn prepare_partly(
    tables: &mut Tables,
    seq: Seq,
    set: &WriteSet,
    terms: &Terms<'_>,
    facts: &Facts,
) -> Result<Option<Prepared>, Error> {
    let Ok(needs) = needs(tables, &set.writes) else { return Ok(None) };
    if needs.is_empty() {
        return prepare(tables, seq, set, terms).map(Some);
    }
    if !facts.lacking(tables, &needs).is_empty() {
        return Ok(None);
    }
    if let Some(reads) = &set.reads {
        reads.check(tables)?;
    }
    let mut part = tables.clone();
    for (id, wanted) in &needs {
        if let (Some(table), Some(known)) =
            (tables.get(*id).and_then(|slot| slot.unloaded()), facts.0.get(id))
        {
            let rows = known.rows.iter().map(|(row, found)| (*row, found.as_ref()));
            part.stand_in(table.part(rows, &wanted.keys));
        }
    }
    let prepared = prepare_writes(&mut part, seq, set, terms)?;
    let mut after = tables.clone();
    for op in &prepared.commit.ops {
        after.apply_op(seq, op).map_err(|error| apply_error(tables, op, &error))?;
    }
    if !prepared.commit.ops.is_empty() {
        after.advance(seq);
    }
    *tables = after;
    Ok(Some(prepared))
}

//! Foreign keys: in the end of every commit no row refers to one that is not there.
//!
//! While a commit is made, what may break a reference is [noted](Touched). When all its writes are applied, the deletes
//! [act](act) on the rows that refer to what they deleted, and then everything that is in doubt is [looked at](verify).
//! So the order of the writes does not matter: a child may come before its parent, and a parent may be replaced.

use std::collections::HashSet;
use std::sync::Arc;

use crate::batch::{Op, TableDef};
use crate::error::{Error, ErrorKind};
use crate::ids::{RowId, TableId};
use crate::row::{Row, RowRef, RowWriter};
use crate::schema::OnDelete;
use crate::session::check::{key_text, state};
use crate::session::{Change, Write};
use crate::tables::{KeyValues, Reference, SortKey, TableState, Tables, comparable, value_in};
use crate::value::ValueRef;

/// What a commit has done so far that references have to do with. Each with the place of the write.
#[derive(Default)]
pub(super) struct Touched {
    /// Rows whose reference may be to nothing.
    doubtful: Vec<(usize, RowId, Reference)>,
    /// Of these, the ones that were written so: what they refer to has to be there, whatever deletes would do to others.
    written: HashSet<(TableId, RowId, usize)>,
    /// Rows that were deleted and may have been referred to.
    gone: Vec<(usize, TableId, Row)>,
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
                let changed = |reference: &&Reference| {
                    let of = |row| values_of(state, reference.index, row);
                    before.is_none_or(|before| of(before.row) != of(values.borrow()))
                };
                from.iter().filter(changed).for_each(|reference| self.doubt(place, *row, reference));
            }
            Op::Delete { table, row } => {
                if !references.to(*table).is_empty()
                    && let Some(stored) = tables.loaded(*table).and_then(|state| state.row(*row))
                {
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
            Op::Applied(_) | Op::Reverted { .. } => {}
        }
    }

    /// A row was written with a reference.
    fn doubt(&mut self, place: usize, row: RowId, reference: &Reference) {
        self.doubtful.push((place, row, *reference));
        self.written.insert((reference.child, row, reference.index));
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

/// Whether values that refer to rows of `parents` are right: one is null, or there is a row with this key.
fn refers(parents: &TableState, values: &KeyValues<'_>) -> bool {
    values.iter().any(|value| value.is_null()) || parents.by_key(values).is_some()
}

/// The values of a row in the columns of an index.
fn values_of<'a>(state: &'a TableState, index: usize, row: RowRef<'a>) -> KeyValues<'a> {
    let def = state.def();
    let columns = def.indexes.get(index).map_or(&[][..], |index| &index.columns);
    columns.iter().map(|&column| value_in(def, row, column)).collect()
}

/// The rows that have these values in the columns of an index.
fn referring(children: &TableState, index: usize, values: &KeyValues<'_>) -> Vec<RowId> {
    let (def, mut key) = (children.def(), SortKey::default());
    let Some((known, state)) = def.indexes.get(index).zip(children.index(index)) else { return Vec::new() };
    for (&column, value) in known.columns.iter().zip(values) {
        key.push(comparable(def, column, *value));
    }
    state.equal(&key)
}

/// The row with null in the columns of an index that allow it. One null is enough to refer to nothing.
fn without(def: &TableDef, index: usize, row: RowRef<'_>) -> Row {
    let columns = def.indexes.get(index).map_or(&[][..], |index| &index.columns);
    let cleared = |column: usize| {
        columns.contains(&column) && def.columns.get(column).is_some_and(|column| column.nullable)
    };
    let mut changed = RowWriter::new(def.columns.len());
    for column in 0..def.columns.len() {
        changed.put(if cleared(column) { ValueRef::Null } else { value_in(def, row, column) });
    }
    changed.finish()
}

/// Whether the references of all tables have a meaning: the tables that are referred to are there, their keys are of
/// the types of the columns that refer, and no delete goes in a circle of tables.
pub(crate) fn check_definitions(defs: &[&TableDef]) -> Result<(), Error> {
    for def in defs {
        for (_, index, reference) in def.references() {
            let fields = def.names(&index.columns).join(", ");
            let refuse = |kind: ErrorKind, text: String| {
                Err(Error::new(kind, text).in_table(&def.name).in_field(fields.clone()))
            };
            let Some(parent) = defs.iter().find(|parent| parent.name == reference.table) else {
                let text = format!(
                    "the field refers to table {}, which is not there: register its struct, too, with db.table",
                    reference.table
                );
                return refuse(ErrorKind::UnknownTable, text);
            };
            let Some((_, key)) = parent.key() else {
                let text = format!("the field refers to table {}, which has no key", parent.name);
                return refuse(ErrorKind::SchemaChanged, text);
            };
            let types = |def: &TableDef, columns: &[usize]| {
                let column = |column: &usize| def.columns.get(*column);
                let found = columns.iter().filter_map(column);
                found.map(|column| (column.ty.clone(), column.variants.clone())).collect::<Vec<_>>()
            };
            if types(def, &index.columns) != types(parent, &key.columns) {
                let text = format!(
                    "the field refers to table {}, and is not of the type of its key ({})",
                    parent.name,
                    parent.names(&key.columns).join(", ")
                );
                return refuse(ErrorKind::SchemaChanged, text);
            }
            let nullable = |column: &usize| def.columns.get(*column).is_some_and(|column| column.nullable);
            if reference.on_delete == OnDelete::SetNull && !index.columns.iter().any(nullable) {
                let text =
                    "on_delete = set_null needs a field that may be null: make it an Option".to_owned();
                return refuse(ErrorKind::SchemaChanged, text);
            }
        }
    }
    check_circles(defs)
}

/// Refuses deletes that would go from table to table in a circle.
fn check_circles(defs: &[&TableDef]) -> Result<(), Error> {
    for start in defs {
        let mut path = vec![start.name.as_str()];
        if leads_back(defs, &start.name, &start.name, &mut path) {
            let text = format!(
                "deletes would cascade in a circle, {}, so that one delete could empty all these tables: choose restrict \
                 or set_null for one of the references",
                path.join(" <- ")
            );
            return Err(Error::new(ErrorKind::CyclicCascade, text).in_table(&start.name));
        }
    }
    Ok(())
}

/// Whether a delete in `table` cascades to `start` through other tables; `path` is how.
fn leads_back<'a>(defs: &[&'a TableDef], table: &str, start: &str, path: &mut Vec<&'a str>) -> bool {
    for child in defs {
        let mut cascades = child
            .references()
            .filter(|(_, _, reference)| reference.table == table && reference.on_delete == OnDelete::Cascade);
        // Rows of one table may refer to each other: each is deleted once, and a tree has an end.
        if child.name == table || cascades.next().is_none() {
            continue;
        }
        if child.name == start {
            path.push(&child.name);
            return true;
        }
        if !path.contains(&child.name.as_str()) {
            path.push(&child.name);
            if leads_back(defs, &child.name, start, path) {
                return true;
            }
            path.pop();
        }
    }
    false
}

/// How many of the rows that refer to nothing are named.
const NAMED: usize = 3;

/// Whether all rows of a table refer to rows that are there.
fn check_rows(tables: &Tables, table: TableId) -> Result<(), Error> {
    let children = state(tables, table)?;
    for reference in tables.references().from(table) {
        let parents = state(tables, reference.parent)?;
        let mut wrong = children.rows().filter(|(_, stored)| {
            let values = values_of(children, reference.index, stored.row);
            !refers(parents, &values)
        });
        let Some((_, first)) = wrong.next() else { continue };
        let named = |row: RowRef<'_>| key_text(children.def(), key_position(children.def()), row);
        let rest: Vec<String> = wrong.by_ref().take(NAMED - 1).map(|(_, stored)| named(stored.row)).collect();
        let more = wrong.count();
        let error = no_parent(children, parents.def(), reference, first.row);
        let text = match (rest.is_empty(), more) {
            (true, _) => format!("the reference can't be added, and was not: {}", error.text()),
            (false, 0) => format!(
                "the reference can't be added, and was not: {}; so do the records {}",
                error.text(),
                rest.join(", ")
            ),
            (false, more) => format!(
                "the reference can't be added, and was not: {}; so do the records {} and {more} more",
                error.text(),
                rest.join(", ")
            ),
        };
        return Err(error.saying(text));
    }
    Ok(())
}

fn key_position(def: &TableDef) -> Option<usize> {
    def.key().map(|(position, _)| position)
}

/// The error of a row that refers to none.
fn no_parent(children: &Arc<TableState>, parent: &TableDef, reference: &Reference, row: RowRef<'_>) -> Error {
    let def = children.def();
    let fields = def
        .indexes
        .get(reference.index)
        .map_or_else(String::new, |index| def.names(&index.columns).join(", "));
    let text = format!(
        "a record of {} refers to a record of {} that is not there, by {fields} {}: save that one first, or both in one \
         session",
        def.name,
        parent.name,
        key_text(def, Some(reference.index), row)
    );
    let error = Error::new(ErrorKind::NoParent, text).in_table(&def.name).in_field(fields);
    match key_position(def) {
        Some(key) => error.with_key(key_text(def, Some(key), row)),
        None => error,
    }
}

/// The error of a row that can't be deleted, because others refer to it.
fn still_referenced(
    children: &Arc<TableState>,
    parents: &Arc<TableState>,
    reference: &Reference,
    values: &KeyValues<'_>,
) -> Error {
    let (def, parent) = (children.def(), parents.def());
    let fields = def
        .indexes
        .get(reference.index)
        .map_or_else(String::new, |index| def.names(&index.columns).join(", "));
    let count = referring(children, reference.index, values).len();
    let records = if count == 1 { "a record".to_owned() } else { format!("{count} records") };
    let text = format!(
        "{records} of {} would refer by {fields} to a record of {} that is deleted: delete or change what refers to it \
         first, or in the same session",
        def.name, parent.name
    );
    let key: Vec<String> = values.iter().map(ToString::to_string).collect();
    let error = Error::new(ErrorKind::StillReferenced, text).in_table(&parent.name);
    error
        .in_field(parent.key().map_or_else(String::new, |(_, key)| parent.names(&key.columns).join(", ")))
        .with_key(key.join(", "))
}

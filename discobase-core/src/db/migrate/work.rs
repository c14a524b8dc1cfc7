//! From the changes of a step to the writes of one commit.
//!
//! A step's changes are worked out one after the other on copies of the definitions and of the rows that it touches;
//! what is written is the outcome. Where rows change, the table first gets a definition that demands nothing of them,
//! then the rows, then the definition that the step ends with.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::batch::{ColumnDef, IndexDef, TableDef};
use crate::db::layout::Role;
use crate::db::migrate::change::{Change, RowFn, TableChange};
use crate::db::migrate::row::{Fate, RowChange};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, RowId, Seq, TableId};
use crate::row::{Row, RowWriter};
use crate::schema::IndexKind;
use crate::session::{Read, Write};
use crate::tables::{Slot, TableState, Tables, value_in};
use crate::value::Value;

/// What a step has come to so far.
pub(crate) struct Work {
    pub(super) tables: BTreeMap<TableId, TableWork>,
    /// Tables that are made, with their rows; their ids are those that come next.
    pub(super) fresh: Vec<(TableDef, Vec<Vec<Value>>)>,
    next_table: TableId,
    /// How many rows were changed, added or deleted.
    pub(crate) rows: u64,
}

/// A table that a step is about.
pub(super) struct TableWork {
    pub(super) state: Arc<TableState>,
    /// `None` once it is dropped.
    pub(super) def: Option<TableDef>,
    /// The rows, once one of the changes asks for them.
    pub(super) rows: Option<BTreeMap<RowId, RowWork>>,
    pub(super) added: Vec<Vec<Value>>,
}

pub(super) struct RowWork {
    pub(super) version: Seq,
    pub(super) values: Vec<Value>,
    pub(super) fate: Fate,
}

impl Work {
    /// Nothing was changed yet. All tables must have been [loaded](crate::db::engine::Engine::load_all).
    pub(crate) fn new(tables: &Tables) -> Self {
        let begin = |state: &Arc<TableState>| TableWork {
            state: Arc::clone(state),
            def: Some(TableDef::clone(state.def())),
            rows: None,
            added: Vec::new(),
        };
        let works =
            tables.iter().filter_map(Slot::loaded).map(|state| (state.def().id, begin(state))).collect();
        Self { tables: works, fresh: Vec::new(), next_table: tables.next_table(), rows: 0 }
    }

    /// Works one change out.
    pub(crate) fn change(&mut self, change: &Change) -> Result<()> {
        let name = change.table();
        if let Change::Rename { to, .. } = change
            && self.named(to).is_some()
        {
            return Err(
                Error::new(ErrorKind::Migration, format!("there is a table {to} already")).in_table(name)
            );
        }
        let Some(table) = self.named(name) else {
            return Err(Error::new(ErrorKind::Migration, "there is no such table").in_table(name));
        };
        match change {
            Change::Table { change, .. } => table.define(change),
            Change::Each { work, .. } => table.each(work),
            Change::Insert { work, .. } => table.insert(work),
            Change::Drop { .. } => {
                table.def = None;
                Ok(())
            }
            Change::Rename { from, to } => {
                if let Some(def) = &mut table.def {
                    def.name.clone_from(to);
                }
                let (from, to) = (from.clone(), to.clone());
                self.refer(&from, &to);
                Ok(())
            }
        }
    }

    /// Has what refers to a table follow its new name.
    fn refer(&mut self, from: &str, to: &str) {
        for def in self.tables.values_mut().filter_map(|table| table.def.as_mut()) {
            let references = def.indexes.iter_mut().filter_map(|index| index.references.as_mut());
            let referring: Vec<_> = references.filter(|reference| reference.table == from).collect();
            if referring.is_empty() && def.name != to {
                continue;
            }
            referring.into_iter().for_each(|reference| to.clone_into(&mut reference.table));
            def.fingerprint = def.print();
        }
    }

    /// The tables of which each row was looked at: a row that somebody writes meanwhile was not.
    pub(super) fn reads(&self) -> Vec<Read> {
        let looked_at = self.tables.iter().filter(|(_, table)| table.rows.is_some());
        looked_at.map(|(&table, _)| Read::Rows { table, filter: None }).collect()
    }

    /// Whether there is a table of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tables.values().any(|table| table.def.as_ref().is_some_and(|def| def.name == name))
    }

    fn named(&mut self, name: &str) -> Option<&mut TableWork> {
        self.tables.values_mut().find(|table| table.def.as_ref().is_some_and(|def| def.name == name))
    }

    /// The tables and indexes that have no channels yet, and what channels they want.
    pub(crate) fn missing(&mut self) -> Vec<(Role, &mut ChannelId)> {
        let defs = self.tables.values_mut().filter_map(|table| table.def.as_mut());
        let defs = defs.chain(self.fresh.iter_mut().map(|(def, _)| def));
        let missing = defs.flat_map(|def| {
            let TableDef { name, columns, indexes, channel, .. } = def;
            let rows = (Role::Table(name.clone()), channel);
            let indexes = indexes.iter_mut().map(|index| (role(name, columns, index), &mut index.channel));
            [rows].into_iter().chain(indexes).filter(|(_, channel)| **channel == ChannelId::new(0))
        });
        missing.collect()
    }

    /// The channels that nothing is kept in any more once all is written.
    pub(crate) fn left(&self) -> Vec<ChannelId> {
        let all = |def: &TableDef| {
            let indexes = def.indexes.iter().map(|index| index.channel);
            indexes.chain([def.channel]).collect::<Vec<_>>()
        };
        let mut left = Vec::new();
        for table in self.tables.values() {
            let kept = table.def.as_ref().map(all).unwrap_or_default();
            left.extend(all(table.state.def()).into_iter().filter(|channel| !kept.contains(channel)));
        }
        left
    }

    /// The tables' names that are none any more.
    pub(crate) fn gone(&self) -> Vec<String> {
        let gone = self
            .tables
            .values()
            .filter(|table| table.def.as_ref().is_none_or(|def| def.name != table.state.def().name));
        gone.map(|table| table.state.def().name.clone()).collect()
    }

    /// What is written.
    pub(crate) fn writes(&mut self) -> Vec<Write> {
        let (mut writes, mut rows) = (Vec::new(), 0);
        for table in self.tables.values_mut() {
            rows += table.write(&mut writes);
        }
        let mut next = self.next_table;
        for (def, values) in &self.fresh {
            writes.push(Write::Schema(Box::new(def.clone())));
            let table = next;
            writes.extend(values.iter().map(|values| Write::Insert { table, values: encoded(def, values) }));
            rows += values.len() as u64;
            next = next.next();
        }
        self.rows = rows;
        writes
    }
}

/// The role of an index's channel.
fn role(table: &str, columns: &[ColumnDef], index: &IndexDef) -> Role {
    let names = index.columns.iter().filter_map(|&column| columns.get(column));
    let names: Vec<&str> = names.map(|column| column.name.as_str()).collect();
    Role::Index { table: table.to_owned(), channel: format!("{table}_{}", names.join("_")) }
}

impl TableWork {
    fn define(&mut self, change: &TableChange) -> Result<()> {
        let Some(def) = &mut self.def else { return Ok(()) };
        define(def, change).map_err(|error| error.in_table(&def.name))?;
        def.fingerprint = def.print();
        Ok(())
    }

    fn each(&mut self, work: &RowFn) -> Result<()> {
        let Self { state, def: Some(def), rows, added } = self else { return Ok(()) };
        let rows = rows.get_or_insert_with(|| taken(state));
        for (id, row) in rows.iter_mut().filter(|(_, row)| row.fate != Fate::Deleted) {
            pad(&mut row.values, def);
            row.fate = act(work, def, &mut row.values, row.fate).map_err(|error| at(error, state, *id))?;
        }
        let mut kept = Vec::with_capacity(added.len());
        for mut values in std::mem::take(added) {
            pad(&mut values, def);
            if act(work, def, &mut values, Fate::Changed)? != Fate::Deleted {
                kept.push(values);
            }
        }
        *added = kept;
        Ok(())
    }

    fn insert(&mut self, work: &RowFn) -> Result<()> {
        let Self { def: Some(def), added, .. } = self else { return Ok(()) };
        let mut values = Vec::new();
        pad(&mut values, def);
        if act(work, def, &mut values, Fate::Changed)? != Fate::Deleted {
            added.push(values);
        }
        Ok(())
    }

    /// Adds the writes that lead from the table as it is to what it has become; how many rows they are about.
    fn write(&self, writes: &mut Vec<Write>) -> u64 {
        let table = self.state.def().id;
        let Some(def) = &self.def else {
            writes.push(Write::Drop { table });
            return 0;
        };
        let before = writes.len();
        let touched = self.rows.iter().flatten().filter(|(_, row)| row.fate != Fate::Same);
        let rows = touched.map(|(&id, row)| match row.fate {
            Fate::Deleted => Write::Delete { table, row: id, version: row.version },
            _ => Write::Update { table, row: id, version: row.version, values: encoded(def, &row.values) },
        });
        // What goes makes room for what comes.
        let mut rows: Vec<Write> = rows.collect();
        rows.sort_by_key(|write| !matches!(write, Write::Delete { .. }));
        let added = self.added.iter().map(|values| Write::Insert { table, values: encoded(def, values) });
        writes.extend(rows.into_iter().chain(added));
        let rows = writes.len() - before;
        if rows > 0 {
            writes.insert(before, Write::Alter(Box::new(relaxed(self.state.def(), def))));
        }
        if rows > 0 || *def != **self.state.def() {
            writes.push(Write::Alter(Box::new(def.clone())));
        }
        rows as u64
    }
}

/// All rows of a table, with the values that later columns have in them.
fn taken(state: &TableState) -> BTreeMap<RowId, RowWork> {
    let def = state.def();
    let rows = state.rows().map(|(id, stored)| {
        let values = (0..def.columns.len()).map(|column| value_in(def, stored.row, column).to_value());
        (id, RowWork { version: stored.version, values: values.collect(), fate: Fate::Same })
    });
    rows.collect()
}

/// Gives a row the values of the columns that were added after it.
fn pad(values: &mut Vec<Value>, def: &TableDef) {
    let later = def.columns.iter().skip(values.len());
    values.extend(later.map(|column| column.default.clone().unwrap_or(Value::Null)).collect::<Vec<_>>());
}

/// Lets a step's closure have a row. A panic in it is an error of the step's.
fn act(work: &RowFn, def: &TableDef, values: &mut Vec<Value>, fate: Fate) -> Result<Fate> {
    let mut row = RowChange { def, values, fate };
    match catch_unwind(AssertUnwindSafe(|| work(&mut row))) {
        Ok(done) => done.map(|()| row.fate),
        Err(panic) => {
            let said = panic.downcast_ref::<&str>().copied().map(str::to_owned);
            let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Err(Error::new(ErrorKind::Migration, format!("it panicked: {said}")).in_table(&def.name))
        }
    }
}

/// Adds to an error which row it is about.
fn at(error: Error, state: &TableState, id: RowId) -> Error {
    let key = state.def().key().map(|(position, _)| position);
    match state.row(id) {
        Some(stored) if key.is_some() => {
            error.with_key(crate::session::key_text(state.def(), key, stored.row))
        }
        _ => error,
    }
}

fn encoded(def: &TableDef, values: &[Value]) -> Row {
    let mut row = RowWriter::new(def.columns.len());
    let padding = def.columns.iter().map(|column| column.default.as_ref());
    for (place, default) in padding.enumerate() {
        let dropped = def.columns.get(place).is_some_and(|column| column.name.is_empty());
        match values.get(place).or(default).filter(|_| !dropped) {
            Some(value) => row.put(value.as_ref()),
            None => row.put(crate::value::ValueRef::Null),
        }
    }
    row.finish()
}

/// A definition between two: all columns of the later one, of which nothing is demanded, and no index but the key.
fn relaxed(before: &TableDef, after: &TableDef) -> TableDef {
    let mut between = before.clone();
    between.columns.extend(after.columns.iter().skip(before.columns.len()).cloned());
    for (column, later) in between.columns.iter_mut().zip(&after.columns) {
        if !column.name.is_empty() && !later.name.is_empty() {
            (column.nullable, column.max_len) = (true, None);
        }
    }
    // Rows may exchange unique values.
    between.indexes.retain(|index| index.kind == IndexKind::Key);
    between
}

fn define(def: &mut TableDef, change: &TableChange) -> Result<()> {
    let invalid = |text: String| Error::new(ErrorKind::Migration, text);
    let place = |def: &TableDef, name: &str| {
        let found = def.columns.iter().position(|column| column.name == name && !name.is_empty());
        found.ok_or_else(|| invalid("the table has no such field".into()).in_field(name))
    };
    let free = |def: &TableDef, name: &str| match def.columns.iter().any(|column| column.name == name) {
        true => Err(invalid("the table has such a field already".into()).in_field(name)),
        false if name.is_empty() => Err(invalid("a field needs a name".into())),
        false => Ok(()),
    };
    let places = |def: &TableDef, names: &[String]| {
        names.iter().map(|name| place(def, name)).collect::<Result<Vec<usize>>>()
    };
    match change {
        TableChange::Add(column) => {
            free(def, &column.name)?;
            if column.default.is_none() && !column.nullable {
                return Err(
                    invalid("a field that is never null needs a default".into()).in_field(&column.name)
                );
            }
            def.columns.push(ColumnDef::clone(column));
        }
        TableChange::Rename { from, to } => {
            let place = place(def, from)?;
            free(def, to)?;
            def.columns.iter_mut().skip(place).take(1).for_each(|column| column.name.clone_from(to));
        }
        TableChange::Drop(name) => {
            let place = place(def, name)?;
            if def.key().is_some_and(|(_, key)| key.columns.contains(&place)) {
                return Err(invalid("a field of the key can't be dropped".into()).in_field(name));
            }
            def.indexes.retain(|index| !index.columns.contains(&place));
            for column in def.columns.iter_mut().skip(place).take(1) {
                let (name, variants) = (String::new(), Vec::new());
                *column = ColumnDef {
                    name,
                    variants,
                    nullable: true,
                    max_len: None,
                    default: None,
                    ty: column.ty.clone(),
                };
            }
        }
        TableChange::Retype { name, ty, variants } => {
            let place = place(def, name)?;
            for column in def.columns.iter_mut().skip(place).take(1) {
                (column.ty, column.variants) = (ty.clone(), variants.clone());
            }
        }
        TableChange::Nullable { name, nullable } => {
            let place = place(def, name)?;
            def.columns.iter_mut().skip(place).take(1).for_each(|column| column.nullable = *nullable);
        }
        TableChange::MaxLen { name, max_len } => {
            let place = place(def, name)?;
            def.columns.iter_mut().skip(place).take(1).for_each(|column| column.max_len = *max_len);
        }
        TableChange::Index { kind, columns } => {
            let columns = places(def, columns)?;
            if columns.is_empty() || def.indexes.iter().any(|index| index.columns == columns) {
                return Err(invalid("there is an index on these fields already".into()));
            }
            def.indexes.push(IndexDef { kind: *kind, columns, channel: ChannelId::new(0), references: None });
        }
        TableChange::DropIndex(columns) => {
            let names = columns.join(", ");
            let columns = places(def, columns)?;
            let found = def.indexes.iter().position(|index| index.columns == columns);
            let found = found.ok_or_else(|| invalid(format!("there is no index on {names}")))?;
            if def.indexes.get(found).is_some_and(|index| index.kind == IndexKind::Key) {
                return Err(invalid("a table can't lose its key".into()).in_field(names));
            }
            def.indexes.remove(found);
        }
        TableChange::Reference { columns, reference } => {
            let columns = places(def, columns)?;
            let references = Some(reference.clone());
            match def.indexes.iter_mut().find(|index| index.columns == columns) {
                Some(index) => index.references = references,
                None => def.indexes.push(IndexDef {
                    kind: IndexKind::Index,
                    columns,
                    channel: ChannelId::new(0),
                    references,
                }),
            }
        }
        TableChange::DropReference(columns) => {
            let names = columns.join(", ");
            let columns = places(def, columns)?;
            let known = def.indexes.iter_mut().find(|index| index.columns == columns);
            let known = known.filter(|index| index.references.is_some());
            let known = known.ok_or_else(|| invalid(format!("{names} refers to no table")))?;
            known.references = None;
        }
    }
    Ok(())
}

//! Commits that a session could have made, and states compared.

use std::sync::Arc;

use crate::batch::{AppliedStep, ColumnDef, Commit, IndexDef, Op, TableDef};
use crate::fuzzing::arbitrary;
use crate::fuzzing::source::Source;
use crate::ids::{ChannelId, RowId, Seq};
use crate::patch::Patch;
use crate::schema::IndexKind;
use crate::tables::Tables;

/// Commits that a session could have made, and the tables after them.
pub(super) fn commits(source: &mut Source<'_>, mut tables: Tables) -> (Vec<Commit>, Tables) {
    let mut commits = Vec::new();
    let mut seq = if source.rarely(8) { tables.seq().next() } else { tables.seq() };
    for _ in 0..source.below(4) {
        seq = seq.next();
        let mut ops = Vec::new();
        for _ in 0..source.below(4) {
            let (op, mut after) = (op(source, &tables), tables.clone());
            if fits(&tables, &op) && after.apply_op(seq, &op).is_ok() {
                ops.push(shorter(source, &tables, op));
                tables = after;
            }
        }
        tables.advance(seq);
        commits.push(Commit { seq, ops });
    }
    (commits, tables)
}

fn op(source: &mut Source<'_>, tables: &Tables) -> Op {
    let what = source.below(16);
    let state = tables.iter().nth(source.below(2));
    let Some(state) = state.filter(|_| what < 15) else {
        let name = format!("table{}", tables.next_table());
        return Op::Schema(Box::new(arbitrary::table(tables.next_table(), &name)));
    };
    let (table, row) = (state.def().id, RowId::new(1 + source.below(12) as u64));
    match what {
        0..=5 => Op::Insert { table, row: state.next_row(), values: arbitrary::fitting_row(source) },
        6..=8 => Op::Update { table, row, values: arbitrary::fitting_row(source) },
        9 | 10 => Op::Delete { table, row },
        11 => Op::Drop { table },
        12 => {
            let version = source.below(4).to_string();
            Op::Applied(Box::new(AppliedStep { version, ..arbitrary::step(source) }))
        }
        13 => Op::Reverted { version: source.below(4).to_string() },
        _ => Op::Alter(Box::new(altered(source, state.def()))),
    }
}

/// Another definition, which the table may not fit.
fn altered(source: &mut Source<'_>, def: &TableDef) -> TableDef {
    let mut def = def.clone();
    match source.below(5) {
        0 => def.name = format!("table{}", source.below(4)),
        1 => {
            let like = def.columns.last().cloned();
            def.columns
                .extend(like.map(|like| ColumnDef { name: format!("column{}", def.columns.len()), ..like }));
        }
        // An empty name is that of a column that was dropped.
        2 => def.columns.iter_mut().skip(1 + source.below(3)).take(1).for_each(|column| column.name.clear()),
        3 => def.indexes.truncate(1),
        _ => {
            let kind = if source.flag() { IndexKind::Unique } else { IndexKind::Index };
            let columns = vec![source.below(def.columns.len())];
            def.indexes.push(IndexDef { kind, columns, channel: ChannelId::new(8), references: None });
        }
    }
    def
}

/// An update may say only what it changes.
fn shorter(source: &mut Source<'_>, tables: &Tables, op: Op) -> Op {
    let patch = match &op {
        Op::Update { table, row, values } if source.flag() => tables
            .get(*table)
            .and_then(|table| table.row(*row))
            .and_then(|before| Patch::between(before.row, values.borrow()))
            .map(|patch| Op::Patch { table: *table, row: *row, patch }),
        _ => None,
    };
    patch.unwrap_or(op)
}

/// Whether no other row has the key.
fn fits(tables: &Tables, op: &Op) -> bool {
    match op {
        Op::Insert { table, row, values } | Op::Update { table, row, values } => {
            tables.loaded(*table).is_some_and(|table| {
                table.collision(*row, values).is_none()
                    && (matches!(op, Op::Insert { .. }) || table.row(*row).is_some())
            })
        }
        _ => true,
    }
}

/// Whether two states are the same, as far as anybody can see.
pub(super) fn same(one: &Tables, other: &Tables) -> bool {
    let content = |tables: &Tables| -> Vec<_> {
        let rows = |table: &Arc<crate::tables::TableState>| -> Vec<(RowId, Seq, Vec<u8>)> {
            let row = |(id, stored): (RowId, crate::tables::Stored<'_>)| {
                (id, stored.version, stored.row.as_bytes().to_vec())
            };
            table.rows().map(row).collect()
        };
        tables
            .iter()
            .filter_map(crate::tables::Slot::loaded)
            .map(|table| (table.def().clone(), table.next_row(), rows(table)))
            .collect()
    };
    one.seq() == other.seq()
        && one.next_table() == other.next_table()
        && one.steps() == other.steps()
        && content(one) == content(other)
}

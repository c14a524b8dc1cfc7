//! What a frame need not say: the values of a row that stay, if the journal has them already.
//!
//! Whoever reads from a checkpoint on has the frames behind it, and of a table that is not in memory nothing else. So the
//! first time a row changes after a checkpoint it is written whole, and later only what changes is, as databases do with
//! pages of a file (PostgreSQL documentation, `full_page_writes`). Then a reader has the rest of the row in the frames
//! that it reads anyway. `docs/format.md`, "Patches", is the contract.

use std::collections::HashMap;

use crate::batch::{Commit, Op};
use crate::ids::{RowId, Seq, TableId};
use crate::patch::Patch;
use crate::row::{Row, RowRef};
use crate::tables::Tables;

/// What commits of the frame left of rows: `None` of one whose values they do not all have.
type Written = HashMap<(TableId, RowId), Option<Row>>;

/// Leaves out of commits, which follow on `before`, what a reader of every commit after `floor` knows.
pub(super) fn shorten(commits: &mut [Commit], before: &Tables, floor: Seq) {
    let ops = || commits.iter().flat_map(|commit| &commit.ops);
    if !ops().any(|op| matches!(op, Op::Update { .. })) {
        return;
    }
    // As an update by a condition has them, each row comes once: then none has to be remembered.
    let repeats = !ops().map(row).is_sorted_by(|one, other| one.is_some() && one < other);
    let mut written = Written::new();
    for op in commits.iter_mut().flat_map(|commit| &mut commit.ops) {
        let after = match op {
            Op::Insert { values, .. } | Op::Update { values, .. } if repeats => Some(values.clone()),
            // A patch says too little of the row for others to be.
            _ => None,
        };
        shorten_one(op, &written, before, floor);
        if let Some(row) = row(op).filter(|_| repeats) {
            written.insert(row, after);
        }
    }
}

/// The row that an operation is about, if it is about one.
fn row(op: &Op) -> Option<(TableId, RowId)> {
    match op {
        Op::Insert { table, row, .. }
        | Op::Update { table, row, .. }
        | Op::Patch { table, row, .. }
        | Op::Delete { table, row } => Some((*table, *row)),
        Op::Schema(_) | Op::Alter(_) | Op::Drop { .. } | Op::Applied(_) | Op::Reverted { .. } => None,
    }
}

/// Makes a patch of an update, if what it leaves out is known.
fn shorten_one(op: &mut Op, written: &Written, before: &Tables, floor: Seq) {
    let Op::Update { table, row, values } = &*op else { return };
    let (table, row) = (*table, *row);
    let known = known(written, before, floor, (table, row));
    if let Some(patch) = known.and_then(|known| Patch::between(known, values.borrow())) {
        *op = Op::Patch { table, row, patch };
    }
}

/// What commits after `floor` left of a row, as far as it is known.
fn known<'a>(
    written: &'a Written,
    before: &'a Tables,
    floor: Seq,
    (table, row): (TableId, RowId),
) -> Option<RowRef<'a>> {
    match written.get(&(table, row)) {
        Some(values) => values.as_ref().map(Row::borrow),
        None => {
            let stored = before.get(table)?.row(row)?;
            (stored.version > floor).then_some(stored.row)
        }
    }
}

#[cfg(test)]
mod tests;

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
    let mut ops = commits.iter().flat_map(|commit| &commit.ops);
    if !ops.any(|op| matches!(op, Op::Update { .. })) {
        return;
    }
    let mut written = Written::new();
    for op in commits.iter_mut().flat_map(|commit| &mut commit.ops) {
        match op {
            Op::Insert { table, row, values } => {
                written.insert((*table, *row), Some(values.clone()));
            }
            Op::Update { table, row, values } => {
                let (table, row) = (*table, *row);
                let patch = patch(&written, before, floor, (table, row), values.borrow());
                written.insert((table, row), Some(values.clone()));
                if let Some(patch) = patch {
                    *op = Op::Patch { table, row, patch };
                }
            }
            // What is short already says too little of the row for others to be.
            Op::Delete { table, row } | Op::Patch { table, row, .. } => {
                written.insert((*table, *row), None);
            }
            Op::Schema(_) | Op::Alter(_) | Op::Drop { .. } | Op::Applied(_) | Op::Reverted { .. } => {}
        }
    }
}

fn patch(
    written: &Written,
    before: &Tables,
    floor: Seq,
    row: (TableId, RowId),
    after: RowRef<'_>,
) -> Option<Patch> {
    Patch::between(known(written, before, floor, row)?, after)
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

//! Applying commits to tables that lack earlier ones: what a commit says holds, whatever was there.

use std::sync::Arc;

use crate::batch::Op;
use crate::ids::{RowId, Seq};
use crate::tables::rows::ID_LIMIT;
use crate::tables::{ApplyError, Tables};

impl Tables {
    /// Applies one operation although operations before it are missing: a row is written or deleted, be it there or not,
    /// and rows make way that have the same unique values. Those are given. Single values can only be written into a row that
    /// is there.
    pub(crate) fn force(&mut self, seq: Seq, op: &Op) -> Result<Vec<RowId>, ApplyError> {
        match op {
            Op::Insert { table, row, values } | Op::Update { table, row, values } => {
                if *row >= ID_LIMIT {
                    return Err(ApplyError::RowBeyond { seq, table: *table, row: *row });
                }
                let state = self.loaded_mut(seq, *table)?;
                let mut gone = Vec::new();
                while let Some(taken) = state.collision(*row, values) {
                    state.delete(seq, taken.by);
                    gone.push(taken.by);
                }
                state.force(*row, seq, values);
                Ok(gone)
            }
            Op::Patch { table, row, patch } => {
                let (table, row) = (*table, *row);
                let before = self.loaded_mut(seq, table)?.row(row);
                let before = before.ok_or(ApplyError::UnknownRow { seq, table, row })?;
                let values = patch.apply(before.row).ok_or(ApplyError::UnfitPatch { seq, table, row })?;
                self.force(seq, &Op::Update { table, row, values })
            }
            Op::Delete { table, row } => {
                self.loaded_mut(seq, *table)?.delete(seq, *row);
                Ok(Vec::new())
            }
            other => {
                let before = Arc::clone(&self.steps);
                self.apply_op(seq, other).map(|()| Vec::new()).inspect_err(|_| self.steps = before)
            }
        }
    }
}

//! What a serializable session read, checked again when it commits: if everything it read is still so, the commit is
//! as good as if the session had done all its work at that moment.

use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::ids::{RowId, Seq, TableId};
use crate::query::exec::Query;
use crate::query::expr::Expr;
use crate::session::check::check_definition;
use crate::tables::{Slot, TableState, Tables};

/// One thing that was read of a table: all rows that satisfy a condition, or one row. Columns are column ids.
#[derive(Debug, Clone)]
pub(crate) enum Read {
    Rows { table: TableId, filter: Option<Expr> },
    Row { table: TableId, row: RowId },
}

/// All that was read of one state.
#[derive(Clone)]
pub(crate) struct Reads {
    pub(crate) of: Arc<Tables>,
    pub(crate) reads: Vec<Read>,
}

impl Reads {
    /// Whether all of it reads the same in `newest`: the same rows in the same versions.
    ///
    /// # Errors
    /// `Conflict`.
    pub(super) fn check(&self, newest: &Tables) -> Result<(), Error> {
        for read in &self.reads {
            let (Read::Rows { table, .. } | Read::Row { table, .. }) = read;
            let (Some(before), Some(after)) = (self.of.get(*table), newest.get(*table)) else {
                return Err(changed(self.of.get(*table)));
            };
            check_definition(newest, before.def())?;
            // A table that was changed was loaded for it. If what it was before is not known, nothing is certain.
            let both = before.loaded().zip(after.loaded());
            let same = before.last_change() == after.last_change()
                || both.is_some_and(|(before, after)| same(read, before, after));
            if !same {
                return Err(changed(Some(before)));
            }
        }
        Ok(())
    }
}

fn same(read: &Read, before: &TableState, after: &TableState) -> bool {
    match read {
        // Something has changed, and all of it was read.
        Read::Rows { filter: None, .. } => false,
        Read::Rows { filter, .. } => {
            let query = Query { filter: filter.clone(), ..Query::default() };
            let found = |state| -> Vec<(RowId, Seq)> {
                query.run(state).into_iter().map(|(id, stored)| (id, stored.version)).collect()
            };
            found(before) == found(after)
        }
        Read::Row { row, .. } => {
            let version = |state: &TableState| state.row(*row).map(|stored| stored.version);
            version(before) == version(after)
        }
    }
}

fn changed(table: Option<&Slot>) -> Error {
    let text = "somebody changed what this session read before it was committed: begin anew";
    let error = Error::new(ErrorKind::Conflict, text);
    match table {
        Some(table) => error.in_table(&table.def().name),
        None => error,
    }
}

impl std::fmt::Debug for Reads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reads").field("of", &self.of.seq()).field("reads", &self.reads).finish()
    }
}

//! Write sets: what a caller wants to change, checked against the newest state and made into a commit.
//!
//! `check` says whether one write is allowed, `references` whether rows refer to rows that are there, `statement` works
//! out what is known only at commit, `reads` whether what a caller read is still so, and `prepare` makes one commit of all
//! of it; `partly` does so where tables are not in memory.

mod auto;
#[cfg(test)]
mod beside_sqlite;
mod check;
mod partly;
mod prepare;
mod reads;
mod references;
mod statement;

use std::sync::Arc;

pub(crate) use auto::{reserve, with_value};
pub(crate) use check::key_text;
pub(crate) use partly::{Facts, needs, prepare_partly};
pub(crate) use prepare::{Prepared, Terms, commit_of};
pub(crate) use reads::{Read, Reads};
pub(crate) use references::{check_definitions, concerned, orphans, refers_to_nothing};
pub(crate) use statement::{Around, Assign, Assigns, Change, Found, Statement, Upsert};

use crate::batch::{AppliedStep, TableDef};
use crate::ids::{RowId, Seq, TableId};
use crate::row::Row;

/// One change a caller wants.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    /// A new row; the commit gives it its id.
    Insert { table: TableId, values: Row },
    /// A new row of a table whose key is in the column `key`, and is numbered by the commit where it is 0.
    InsertAuto { table: TableId, values: Row, key: usize },
    /// A row's new values; `version` is the one the caller read.
    Update { table: TableId, row: RowId, version: Seq, values: Row },
    /// A row's end; `version` is the one the caller read.
    Delete { table: TableId, row: RowId, version: Seq },
    /// Rows that a condition chooses when the commit is made.
    Statement(Arc<Statement>),
    /// A new row, or the update of the one that has its key.
    Upsert(Arc<Upsert>),
    /// A new table; the commit gives it its id.
    Schema(Box<TableDef>),
    /// Gives a table, by its id, another definition.
    Alter(Box<TableDef>),
    /// Removes a table.
    Drop { table: TableId },
    /// Records a migration step.
    Applied(Box<AppliedStep>),
    /// Takes the record of the last migration step back.
    Reverted { version: String },
}

impl Write {
    /// The table it is about, unless it makes one.
    pub(crate) fn table(&self) -> Option<TableId> {
        match self {
            Self::Insert { table, .. }
            | Self::InsertAuto { table, .. }
            | Self::Update { table, .. }
            | Self::Delete { table, .. }
            | Self::Drop { table } => Some(*table),
            Self::Statement(statement) => Some(statement.table),
            Self::Upsert(upsert) => Some(upsert.table),
            Self::Alter(def) => Some(def.id),
            Self::Schema(_) | Self::Applied(_) | Self::Reverted { .. } => None,
        }
    }
}

/// All that one commit is to change.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteSet {
    /// In this order. Of keys and unique values only what there is at the end counts, but a row that goes must go
    /// before one with its key comes.
    pub(crate) writes: Vec<Write>,
    /// What must still be so.
    pub(crate) reads: Option<Arc<Reads>>,
    /// Whether the caller knows the writes by their places: an error says which one it is about.
    pub(crate) numbered: bool,
    /// The definitions of the tables that the writes were made for.
    pub(crate) defs: Vec<Arc<TableDef>>,
}

impl WriteSet {
    /// Writes to a table, made for the definition that it had then.
    pub(crate) fn of(def: &Arc<TableDef>, writes: Vec<Write>) -> Self {
        Self { writes, defs: vec![Arc::clone(def)], ..Self::default() }
    }
}

impl From<Vec<Write>> for WriteSet {
    fn from(writes: Vec<Write>) -> Self {
        Self { writes, ..Self::default() }
    }
}

/// What a write did to a row.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) row: RowId,
    /// The commit that wrote the row last: an earlier one, if the write found it to be so already.
    pub(crate) version: Seq,
    /// What the row holds now, or what it held before it was deleted.
    pub(crate) values: Row,
    pub(crate) did: Did,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Did {
    /// It was as it should be.
    Nothing,
    Insert,
    Update,
    Delete,
}

//! What a session has made of a row, compared with its snapshot.

use imbl::OrdMap;

use crate::ids::{RowId, Seq, TableId};
use crate::orm::session::after::Own;
use crate::row::Row;
use crate::session::{Facts, Write};
use crate::tables::{Found, Tables};

/// The rows that differ from the snapshot.
pub(super) type Changed = OrdMap<(TableId, RowId), Pending>;

/// A row that differs from the snapshot.
#[derive(Clone)]
pub(super) struct Pending {
    /// Its version in the snapshot; `None` for a row that the session added.
    pub(super) base: Option<Seq>,
    /// `None` once it is deleted.
    pub(super) values: Option<Row>,
    /// The write that added it.
    pub(super) added: Seq,
    /// The last write of it.
    pub(super) last: Seq,
    /// What a struct's own write made of it. Statements and cascades have no hooks.
    pub(super) own: Option<Own>,
}

impl Pending {
    /// What has to be committed for it.
    pub(super) fn write(&self, table: TableId, row: RowId) -> Write {
        match (self.base, &self.values) {
            (Some(version), Some(values)) => Write::Update { table, row, version, values: values.clone() },
            (None, Some(values)) => Write::Insert { table, values: values.clone() },
            (version, None) => Write::Delete { table, row, version: version.unwrap_or_default() },
        }
    }
}

/// A row as a state has it, as far as it is known.
pub(super) fn before(tables: &Tables, facts: &Facts, table: TableId, row: RowId) -> Option<(Seq, Row)> {
    let found = |found: &Found| (found.version, found.values.clone());
    let slot = tables.get(table)?;
    match (slot.loaded(), slot.unloaded().and_then(|table| table.known(row))) {
        (Some(table), _) => table.row(row).map(|stored| (stored.version, stored.row.to_row())),
        (None, Some(known)) => known.as_ref().map(found),
        (None, None) => facts.row(table, row).map(found),
    }
}

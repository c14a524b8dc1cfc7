//! Commits as pure data: what a session makes, a frame carries and the tables apply.

use crate::field::ColumnType;
use crate::ids::{ChannelId, RowId, Seq, TableId};
use crate::patch::Patch;
use crate::row::Row;
use crate::schema::{FNV_START, IndexKind, OnDelete, REFERENCE, TableSchema, fnv_byte, fnv_text, mix};
use crate::value::Value;

/// One commit: operations that become durable and visible together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Commit {
    /// Its place in the order of commits.
    pub(crate) seq: Seq,
    /// What it does, in this order.
    pub(crate) ops: Vec<Op>,
}

/// One operation of a commit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Op {
    /// Adds a row; its id was never used before.
    Insert { table: TableId, row: RowId, values: Row },
    /// Replaces a row.
    Update { table: TableId, row: RowId, values: Row },
    /// Replaces some of a row's values.
    Patch { table: TableId, row: RowId, patch: Patch },
    /// Removes a row.
    Delete { table: TableId, row: RowId },
    /// Adds a table.
    Schema(Box<TableDef>),
    /// Gives a table another definition: its rows stay as they are.
    Alter(Box<TableDef>),
    /// Removes a table and all that is in it.
    Drop { table: TableId },
    /// Records that a migration step was applied, in the commit that did what the step says.
    Applied(Box<AppliedStep>),
    /// Takes back the record of the step that was applied last.
    Reverted { version: String },
}

/// A migration step that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AppliedStep {
    /// The semantic version that the step leads to.
    pub(crate) version: String,
    /// What the step is called.
    pub(crate) name: String,
    /// The first bytes of the blake3 over what the step does.
    pub(crate) checksum: [u8; 16],
    /// When, in microseconds since the Unix epoch.
    pub(crate) at: i64,
}

/// A table as the journal knows it: what a [`TableSchema`] declares, and where it lives in the guild.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableDef {
    pub(crate) id: TableId,
    pub(crate) name: String,
    pub(crate) fingerprint: u64,
    pub(crate) channel: ChannelId,
    /// By column id.
    pub(crate) columns: Vec<ColumnDef>,
    pub(crate) indexes: Vec<IndexDef>,
}

/// A column as the journal knows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ColumnDef {
    /// Empty for a column that was dropped: rows keep its place, because a column's id is its place.
    pub(crate) name: String,
    /// [`ColumnType::name`].
    pub(crate) ty: String,
    /// The variants of an enum; empty for every other type.
    pub(crate) variants: Vec<String>,
    pub(crate) nullable: bool,
    pub(crate) max_len: Option<u32>,
    /// What rows older than the column have in it.
    pub(crate) default: Option<Value>,
}

/// An index as the journal knows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IndexDef {
    pub(crate) kind: IndexKind,
    /// Column ids.
    pub(crate) columns: Vec<usize>,
    pub(crate) channel: ChannelId,
    /// What its columns refer to, if they do.
    pub(crate) references: Option<ReferenceDef>,
}

/// A reference of an index's columns to the key of a table, as the journal knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReferenceDef {
    /// The name of the table that is referred to.
    pub(crate) table: String,
    pub(crate) on_delete: OnDelete,
}

impl TableDef {
    /// The definition of a table that is registered for the first time: column ids are the struct's positions.
    pub(crate) fn new(
        schema: &TableSchema,
        defaults: &[Option<Value>],
        id: TableId,
        channel: ChannelId,
        index_channels: &[ChannelId],
    ) -> Self {
        let columns = schema.columns.iter().enumerate().map(|(position, column)| ColumnDef {
            name: column.name.to_owned(),
            ty: column.ty.name().to_owned(),
            variants: match column.ty {
                ColumnType::Enum { variants } => variants.iter().map(|&name| name.to_owned()).collect(),
                _ => Vec::new(),
            },
            nullable: column.nullable,
            max_len: column.max_len,
            default: defaults.get(position).cloned().flatten(),
        });
        let indexes = schema.indexes.iter().zip(index_channels).map(|(index, &channel)| IndexDef {
            kind: index.kind,
            columns: index.columns.to_vec(),
            channel,
            references: index.references.map(|reference| ReferenceDef {
                table: reference.table.to_owned(),
                on_delete: reference.on_delete,
            }),
        });
        Self {
            id,
            name: schema.name.to_owned(),
            fingerprint: schema.fingerprint(),
            channel,
            columns: columns.collect(),
            indexes: indexes.collect(),
        }
    }

    /// The names of columns.
    pub(crate) fn names(&self, columns: &[usize]) -> Vec<String> {
        columns.iter().filter_map(|&column| Some(self.columns.get(column)?.name.clone())).collect()
    }

    /// The fingerprint, as [`TableSchema::fingerprint`] makes it.
    pub(crate) fn print(&self) -> u64 {
        let live = self.columns.iter().enumerate().filter(|(_, column)| !column.name.is_empty());
        live.fold(mix(fnv_text(FNV_START, &self.name)), |sum, (place, column)| {
            sum.wrapping_add(mix(self.column_print(place, column)))
        })
    }

    fn column_print(&self, place: usize, column: &ColumnDef) -> u64 {
        let mut hash = fnv_text(fnv_text(FNV_START, &column.name), &column.ty);
        hash = column.variants.iter().fold(hash, |hash, variant| fnv_text(hash, variant));
        hash = fnv_byte(hash, u8::from(column.nullable));
        hash = fnv_text(hash, if column.max_len.is_some() { "max" } else { "" });
        let mut length = column.max_len.unwrap_or(0);
        while length > 0 {
            hash = fnv_byte(hash, length as u8);
            length >>= 8;
        }
        for index in &self.indexes {
            for (member, _) in index.columns.iter().enumerate().filter(|(_, column)| **column == place) {
                hash = fnv_byte(fnv_byte(hash, index.kind as u8 + 1), member as u8);
                if let Some(reference) = &index.references {
                    hash = fnv_byte(hash, REFERENCE + reference.on_delete.code());
                    hash = fnv_text(hash, &reference.table);
                }
            }
        }
        hash
    }

    /// Whether an index of this definition orders rows otherwise than the same index of `other` would.
    pub(crate) fn index_differs(&self, other: &Self, position: usize) -> bool {
        let (Some(index), Some(before)) = (self.indexes.get(position), other.indexes.get(position)) else {
            return true;
        };
        let ordering = |def: &Self, column: usize| {
            let column = def.columns.get(column)?;
            Some((column.variants.clone(), column.default.clone()))
        };
        index.kind != before.kind
            || index.columns != before.columns
            || index.columns.iter().any(|&column| ordering(self, column) != ordering(other, column))
    }

    /// Whether what segments hold of a table of the definition `other` serves this one as well: rows always do.
    pub(crate) fn shares_segments(&self, other: &Self) -> bool {
        self.indexes.len() == other.indexes.len()
            && (0..self.indexes.len()).all(|position| !self.index_differs(other, position))
    }

    /// The references of its columns, each with the position of its index.
    pub(crate) fn references(&self) -> impl Iterator<Item = (usize, &IndexDef, &ReferenceDef)> {
        let indexes = self.indexes.iter().enumerate();
        indexes.filter_map(|(position, index)| Some((position, index, index.references.as_ref()?)))
    }

    /// The key's index, by its position.
    pub(crate) fn key(&self) -> Option<(usize, &IndexDef)> {
        self.indexes.iter().enumerate().find(|(_, index)| index.kind == IndexKind::Key)
    }
}

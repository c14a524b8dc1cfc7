//! What a step does to a database, as data: so that it can be shown, tried without effect, and recognised again.

use std::fmt;
use std::sync::Arc;

use crate::batch::{ColumnDef, ReferenceDef};
use crate::codec::text::write_value;
use crate::db::migrate::row::RowChange;
use crate::error::Result;
use crate::schema::IndexKind;

/// What is done with a row.
pub(crate) type RowFn = Arc<dyn Fn(&mut RowChange<'_>) -> Result<()> + Send + Sync>;

/// One change of a step.
#[derive(Clone)]
pub(crate) enum Change {
    /// A table's definition changes.
    Table { table: String, change: TableChange },
    /// Each row of a table is looked at, and changed or deleted.
    Each { table: String, label: String, work: RowFn },
    /// A row is added.
    Insert { table: String, label: String, work: RowFn },
    /// A table gets another name.
    Rename { from: String, to: String },
    /// A table is removed, with all that is in it.
    Drop { table: String },
}

/// A change of a table's definition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TableChange {
    Add(Box<ColumnDef>),
    Rename {
        from: String,
        to: String,
    },
    Drop(String),
    Retype {
        name: String,
        ty: String,
        variants: Vec<String>,
    },
    Nullable {
        name: String,
        nullable: bool,
    },
    MaxLen {
        name: String,
        max_len: Option<u32>,
    },
    Index {
        kind: IndexKind,
        columns: Vec<String>,
    },
    DropIndex(Vec<String>),
    /// Columns refer to a table's key from now on. They get an index if they have none.
    Reference {
        columns: Vec<String>,
        reference: ReferenceDef,
    },
    DropReference(Vec<String>),
}

impl Change {
    /// The table that it is about.
    pub(crate) fn table(&self) -> &str {
        match self {
            Self::Table { table, .. }
            | Self::Each { table, .. }
            | Self::Insert { table, .. }
            | Self::Drop { table }
            | Self::Rename { from: table, .. } => table,
        }
    }
}

/// One line, which the checksum of a step is made of: its wording must not change.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table { table, change } => write!(f, "table {table}: {change}"),
            Self::Each { table, label, .. } => write!(f, "each row of {table}: {label}"),
            Self::Insert { table, label, .. } => write!(f, "a row into {table}: {label}"),
            Self::Rename { from, to } => write!(f, "rename table {from} to {to}"),
            Self::Drop { table } => write!(f, "drop table {table}"),
        }
    }
}

impl fmt::Display for TableChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(column) => {
                write!(f, "add {} {}", column.name, type_text(&column.ty, &column.variants))?;
                if column.nullable {
                    f.write_str(" or null")?;
                }
                match &column.default {
                    None => Ok(()),
                    Some(default) => {
                        let mut text = String::new();
                        write_value(&mut text, default.as_ref());
                        write!(f, " default {text}")
                    }
                }
            }
            Self::Rename { from, to } => write!(f, "rename {from} to {to}"),
            Self::Drop(name) => write!(f, "drop {name}"),
            Self::Retype { name, ty, variants } => write!(f, "{name} becomes {}", type_text(ty, variants)),
            Self::Nullable { name, nullable: true } => write!(f, "{name} may be null"),
            Self::Nullable { name, nullable: false } => write!(f, "{name} is never null"),
            Self::MaxLen { name, max_len: Some(length) } => write!(f, "{name} has at most {length}"),
            Self::MaxLen { name, max_len: None } => write!(f, "{name} has any length"),
            Self::Index { kind: IndexKind::Unique, columns } => write!(f, "unique on {}", columns.join(", ")),
            Self::Index { kind: IndexKind::Key, columns } => write!(f, "key on {}", columns.join(", ")),
            Self::Index { kind: IndexKind::Index, columns } => write!(f, "index on {}", columns.join(", ")),
            Self::DropIndex(columns) => write!(f, "no index on {}", columns.join(", ")),
            Self::Reference { columns, reference } => write!(
                f,
                "{} refers to {}, on delete {}",
                columns.join(", "),
                reference.table,
                reference.on_delete.name()
            ),
            Self::DropReference(columns) => write!(f, "{} refers to nothing", columns.join(", ")),
        }
    }
}

fn type_text(ty: &str, variants: &[String]) -> String {
    if variants.is_empty() { ty.to_owned() } else { format!("{ty} of {}", variants.join(", ")) }
}

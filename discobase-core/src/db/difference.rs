//! What differs between a struct and the table in the guild, and the changes that would make the table fit.

use std::fmt;

use crate::batch::{ColumnDef, ReferenceDef, TableDef};
use crate::db::migrate::change::TableChange;
use crate::db::migrate::generate;
use crate::db::registry::Registered;
use crate::error::{Error, ErrorKind};
use crate::field::ColumnType;
use crate::schema::{ColumnSchema, IndexKind, TableSchema};
use crate::tables::{Slot, Tables};

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Difference {
    /// The table has the name that it had before.
    TableRenamed { from: String, to: String },
    /// A field has the name that it had before.
    Renamed { from: String, to: String },
    /// A field of the table is none of the struct's.
    Missing { field: String },
    /// A field of the struct is none of the table's.
    Fresh(Box<ColumnDef>),
    /// A field has other values.
    Type { stored: Box<ColumnDef>, declared: Box<ColumnDef> },
    /// A field has another bound.
    Length { field: String, stored: Option<u32>, declared: Option<u32> },
    /// An index of the table is none of the struct's.
    IndexGone { kind: IndexKind, fields: Vec<String> },
    /// An index of the struct is none of the table's.
    IndexFresh { kind: IndexKind, fields: Vec<String> },
    /// A reference of the table is none of the struct's.
    ReferenceGone { fields: Vec<String>, reference: ReferenceDef },
    /// A reference of the struct is none of the table's.
    ReferenceFresh { fields: Vec<String>, reference: ReferenceDef },
}

/// What differs, field by field and index by index.
pub(crate) fn differences(registered: &Registered, def: &TableDef) -> Vec<Difference> {
    let schema = registered.schema;
    let declared: Vec<ColumnDef> = schema
        .columns
        .iter()
        .enumerate()
        .map(|(position, column)| declared(column, registered.defaults.get(position).cloned().flatten()))
        .collect();
    let mut found = Vec::new();
    let def = &renamed(schema, def, &mut found);
    for stored in def.columns.iter().filter(|column| !column.name.is_empty()) {
        match declared.iter().find(|declared| declared.name == stored.name) {
            None => found.push(Difference::Missing { field: stored.name.clone() }),
            Some(declared) => compare(stored, declared, &mut found),
        }
    }
    for column in declared {
        if !def.columns.iter().any(|stored| stored.name == column.name) {
            found.push(Difference::Fresh(Box::new(column)));
        }
    }
    let stored: Vec<_> = def.indexes.iter().map(|index| (index.kind, def.names(&index.columns))).collect();
    let name = |position: &usize| schema.columns.get(*position).map(|column| column.name.to_owned());
    let declared =
        schema.indexes.iter().map(|index| (index.kind, index.columns.iter().filter_map(name).collect()));
    let declared: Vec<(IndexKind, Vec<String>)> = declared.collect();
    // What a reference needs goes after it and comes before it.
    let (gone, fresh_references) = references(registered, def);
    found.extend(gone);
    let gone = stored.iter().filter(|index| !declared.contains(index)).cloned();
    found.extend(gone.map(|(kind, fields)| Difference::IndexGone { kind, fields }));
    let fresh = declared.iter().filter(|index| !stored.contains(index)).cloned();
    found.extend(fresh.map(|(kind, fields)| Difference::IndexFresh { kind, fields }));
    found.extend(fresh_references);
    found
}

/// The table as it is once what has another name now is called so. What rows have is not touched by that.
fn renamed(schema: &TableSchema, def: &TableDef, found: &mut Vec<Difference>) -> TableDef {
    let mut def = def.clone();
    if def.name != schema.name {
        found.push(Difference::TableRenamed { from: def.name.clone(), to: schema.name.to_owned() });
        schema.name.clone_into(&mut def.name);
    }
    let is_declared = |name: &str| schema.columns.iter().any(|column| column.name == name);
    for column in schema.columns {
        let Some(from) = column.renamed_from.filter(|from| !is_declared(from)) else { continue };
        if def.columns.iter().any(|stored| stored.name == column.name) {
            continue;
        }
        if let Some(stored) = def.columns.iter_mut().find(|stored| stored.name == from) {
            found.push(Difference::Renamed { from: from.to_owned(), to: column.name.to_owned() });
            column.name.clone_into(&mut stored.name);
        }
    }
    def
}

/// The table of a struct, be it by the name that it had before.
pub(crate) fn table_of<'t>(tables: &'t Tables, registered: &Registered) -> Option<&'t Slot> {
    let schema = registered.schema;
    tables.named(schema.name).or_else(|| tables.named(schema.renamed_from?))
}

/// Whether a table can be made to fit without touching or losing anything that is in it.
pub(crate) fn are_additive(found: &[Difference]) -> bool {
    let is_fresh = |field: &String| {
        found.iter().any(|one| matches!(one, Difference::Fresh(column) if column.name == *field))
    };
    found.iter().all(|one| match one {
        // Rows that are there refer to what a new column's default says, if to anything.
        Difference::ReferenceFresh { fields, .. } => fields.iter().all(is_fresh),
        one => one.is_additive(),
    })
}

/// The references that only the table has, and those that only the struct has.
fn references(registered: &Registered, def: &TableDef) -> (Vec<Difference>, Vec<Difference>) {
    let schema = registered.schema;
    let name = |position: &usize| schema.columns.get(*position).map(|column| column.name.to_owned());
    let declared = schema.indexes.iter().filter_map(|index| {
        let reference = index.references?;
        let reference = ReferenceDef { table: reference.table.to_owned(), on_delete: reference.on_delete };
        Some((index.columns.iter().filter_map(name).collect(), reference))
    });
    let declared: Vec<(Vec<String>, ReferenceDef)> = declared.collect();
    let stored = def.references().map(|(_, index, reference)| (def.names(&index.columns), reference.clone()));
    let stored: Vec<_> = stored.collect();
    let gone = stored.iter().filter(|one| !declared.contains(one)).cloned();
    let gone = gone.map(|(fields, reference)| Difference::ReferenceGone { fields, reference });
    let fresh = declared.iter().filter(|one| !stored.contains(one)).cloned();
    let fresh = fresh.map(|(fields, reference)| Difference::ReferenceFresh { fields, reference });
    (gone.collect(), fresh.collect())
}

fn compare(stored: &ColumnDef, declared: &ColumnDef, found: &mut Vec<Difference>) {
    let kind = |column: &ColumnDef| (column.ty.clone(), column.variants.clone(), column.nullable);
    if kind(stored) != kind(declared) {
        let (stored, declared) = (Box::new(stored.clone()), Box::new(declared.clone()));
        found.push(Difference::Type { stored, declared });
    }
    if stored.max_len != declared.max_len {
        found.push(Difference::Length {
            field: stored.name.clone(),
            stored: stored.max_len,
            declared: declared.max_len,
        });
    }
}

fn declared(column: &ColumnSchema, default: Option<crate::value::Value>) -> ColumnDef {
    let variants = match column.ty {
        ColumnType::Enum { variants } => variants.iter().map(|&name| name.to_owned()).collect(),
        _ => Vec::new(),
    };
    let (name, ty) = (column.name.to_owned(), column.ty.name().to_owned());
    ColumnDef { name, ty, variants, nullable: column.nullable, max_len: column.max_len, default }
}

/// The error of a struct that is not what its table is.
pub(crate) fn changed(registered: &Registered, def: &TableDef, differences: &[Difference]) -> Error {
    let texts: Vec<String> = differences.iter().map(Difference::to_string).collect();
    let additive = match are_additive(differences) {
        true => " allow such changes with Database::builder(…).additive_changes(true),",
        false => "",
    };
    let text = format!(
        "the struct {} is not what table {} was made from: {}. Change the struct back,{additive} or register a step that \
         makes the table fit with db.migrations([…]):\n{}\n",
        registered.type_name,
        def.name,
        texts.join("; "),
        generate::step("1.1.0", &[(def.name.clone(), differences.to_vec())])
    );
    Error::new(ErrorKind::SchemaChanged, text).in_table(&def.name)
}

impl Difference {
    /// Whether rows of the table can't be read as the struct: a field is gone, or may hold what the struct has no place
    /// for.
    pub(crate) fn keeps_from_reading(&self) -> bool {
        match self {
            Self::Fresh(_) | Self::Renamed { .. } => true,
            Self::Type { .. } => !self.is_additive(),
            _ => false,
        }
    }

    /// Whether it is no loss to anything that is in the table.
    fn is_additive(&self) -> bool {
        match self {
            Self::TableRenamed { .. } | Self::Renamed { .. } => true,
            Self::Fresh(column) => column.nullable || column.default.is_some(),
            Self::Type { stored, declared } => {
                let wider = stored.ty == declared.ty || widens(&stored.ty, &declared.ty);
                let variants = stored.variants.iter().all(|name| declared.variants.contains(name));
                wider && variants && (declared.nullable || !stored.nullable)
            }
            Self::Length { stored, declared, .. } => match (stored, declared) {
                (_, None) => true,
                (Some(stored), Some(declared)) => declared > stored,
                (None, Some(_)) => false,
            },
            Self::IndexFresh { kind, .. } => *kind == IndexKind::Index,
            // The rows that are there may break a reference; one whose end nobody checks any more is a loss.
            Self::Missing { .. }
            | Self::IndexGone { .. }
            | Self::ReferenceGone { .. }
            | Self::ReferenceFresh { .. } => false,
        }
    }

    /// What makes the table fit.
    pub(crate) fn changes(&self) -> Vec<TableChange> {
        match self {
            // A step has a change of its own for that.
            Self::TableRenamed { .. } => Vec::new(),
            Self::Renamed { from, to } => {
                vec![TableChange::Rename { from: from.clone(), to: to.clone() }]
            }
            Self::Missing { field } => vec![TableChange::Drop(field.clone())],
            Self::Fresh(column) => {
                let mut changes = vec![TableChange::Add(column.clone())];
                if let Some(max_len) = column.max_len {
                    let (name, max_len) = (column.name.clone(), Some(max_len));
                    changes.push(TableChange::MaxLen { name, max_len });
                }
                changes
            }
            Self::Type { stored, declared } => {
                let name = stored.name.clone();
                let mut changes = Vec::new();
                if (&stored.ty, &stored.variants) != (&declared.ty, &declared.variants) {
                    let (ty, variants) = (declared.ty.clone(), declared.variants.clone());
                    changes.push(TableChange::Retype { name: name.clone(), ty, variants });
                }
                if stored.nullable != declared.nullable {
                    changes.push(TableChange::Nullable { name, nullable: declared.nullable });
                }
                changes
            }
            Self::Length { field, declared, .. } => {
                vec![TableChange::MaxLen { name: field.clone(), max_len: *declared }]
            }
            Self::IndexGone { fields, .. } => vec![TableChange::DropIndex(fields.clone())],
            Self::IndexFresh { kind, fields } => {
                vec![TableChange::Index { kind: *kind, columns: fields.clone() }]
            }
            Self::ReferenceGone { fields, .. } => vec![TableChange::DropReference(fields.clone())],
            Self::ReferenceFresh { fields, reference } => {
                vec![TableChange::Reference { columns: fields.clone(), reference: reference.clone() }]
            }
        }
    }
}

/// Whether every value of an integer type is one of another's.
fn widens(from: &str, to: &str) -> bool {
    let parts = |ty: &str| {
        let (sign, bits) = ty.split_at_checked(1)?;
        Some((sign.to_owned(), bits.parse::<u8>().ok()?)).filter(|(sign, _)| sign == "i" || sign == "u")
    };
    match (parts(from), parts(to)) {
        (Some((a, from)), Some((b, to))) if a == b => to > from,
        (Some((a, from)), Some((b, to))) => a == "u" && b == "i" && to > from,
        _ => false,
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TableRenamed { from, to } | Self::Renamed { from, to } => {
                write!(f, "{from} in the guild is called {to} in the struct")
            }
            Self::Missing { field } => write!(f, "field {field} is in the guild, not in the struct"),
            Self::Fresh(column) => write!(f, "field {} is in the struct, not in the guild", column.name),
            Self::Type { stored, declared } => write!(
                f,
                "field {} is {} in the guild and {} in the struct",
                stored.name,
                type_text(stored),
                type_text(declared)
            ),
            Self::Length { field, stored, declared } => {
                let text =
                    |length: &Option<u32>| length.map_or("no max_len".into(), |n| format!("max_len {n}"));
                write!(
                    f,
                    "field {field} has {} in the guild and {} in the struct",
                    text(stored),
                    text(declared)
                )
            }
            Self::IndexGone { kind, fields } => {
                write!(f, "{} is in the guild, not in the struct", index_text(*kind, fields))
            }
            Self::IndexFresh { kind, fields } => {
                write!(f, "{} is in the struct, not in the guild", index_text(*kind, fields))
            }
            Self::ReferenceGone { fields, reference } => {
                write!(f, "{} is in the guild, not in the struct", reference_text(fields, reference))
            }
            Self::ReferenceFresh { fields, reference } => {
                write!(f, "{} is in the struct, not in the guild", reference_text(fields, reference))
            }
        }
    }
}

fn type_text(column: &ColumnDef) -> String {
    let ty = match column.variants.is_empty() {
        true => column.ty.clone(),
        false => format!("{} of {}", column.ty, column.variants.join(", ")),
    };
    if column.nullable { format!("Option of {ty}") } else { ty }
}

fn reference_text(fields: &[String], reference: &ReferenceDef) -> String {
    let ReferenceDef { table, on_delete } = reference;
    format!("the reference of {} to {table} (on delete {})", fields.join(", "), on_delete.name())
}

fn index_text(kind: IndexKind, fields: &[String]) -> String {
    let kind = match kind {
        IndexKind::Key => "key",
        IndexKind::Unique => "unique",
        IndexKind::Index => "index",
    };
    format!("{kind} on {}", fields.join(", "))
}

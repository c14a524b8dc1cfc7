//! Writing a step: what somebody reviews, completes and adds to the program.

use std::fmt::Write as _;

use crate::batch::ColumnDef;
use crate::db::difference::Difference;
use crate::db::migrate::change::TableChange;
use crate::schema::{IndexKind, OnDelete};
use crate::value::Value;

/// A step, as Rust, that makes tables fit. What only people can know stands in it as a comment.
pub(crate) fn step(version: &str, tables: &[(String, Vec<Difference>)]) -> String {
    let mut text = format!("Step::new({version:?}, \"say what it is for\")");
    for (table, differences) in tables {
        let renamed = differences.iter().find_map(|one| match one {
            Difference::TableRenamed { from, to } => Some((from, to)),
            _ => None,
        });
        if let Some((from, to)) = renamed {
            let _ = write!(text, "\n    .rename_table({from:?}, {to:?})");
        }
        let table = renamed.map_or(table, |(_, to)| to);
        // What is dropped goes last, so that a new column can be filled from it in between.
        let dropped = |change: &TableChange| matches!(change, TableChange::Drop(_));
        let mut changes: Vec<_> = differences.iter().flat_map(Difference::changes).collect();
        changes.sort_by_key(dropped);
        if changes.is_empty() {
            continue;
        }
        let _ = write!(text, "\n    .table({table:?}, |table| table");
        for change in &changes {
            let _ = write!(text, "\n        {}", call(change));
        }
        text.push(')');
    }
    text
}

/// The call that makes a change.
fn call(change: &TableChange) -> String {
    match change {
        TableChange::Add(column) => format!(".add({:?}, {})", column.name, default(column)),
        TableChange::Rename { from, to } => format!(".rename({from:?}, {to:?})"),
        TableChange::Drop(name) => {
            format!(".drop({name:?}) // its values are lost; was it renamed? then .rename({name:?}, \"…\")")
        }
        TableChange::Retype { name, ty, variants } => format!(".retype::<{}>({name:?})", rust(ty, variants)),
        TableChange::Nullable { name, nullable: true } => format!(".nullable({name:?})"),
        TableChange::Nullable { name, nullable: false } => format!(".required({name:?})"),
        TableChange::MaxLen { name, max_len: Some(length) } => format!(".max_len({name:?}, {length})"),
        TableChange::MaxLen { name, max_len: None } => format!(".max_len({name:?}, None)"),
        TableChange::Index { kind: IndexKind::Unique, columns } => format!(".unique({columns:?})"),
        TableChange::Index { columns, .. } => format!(".index({columns:?})"),
        TableChange::DropIndex(columns) => format!(".drop_index({columns:?})"),
        TableChange::Reference { columns, reference } => {
            let action = match reference.on_delete {
                OnDelete::Restrict => "Restrict",
                OnDelete::Cascade => "Cascade",
                OnDelete::SetNull => "SetNull",
            };
            format!(".reference({columns:?}, {:?}, OnDelete::{action})", reference.table)
        }
        TableChange::DropReference(columns) => format!(".drop_reference({columns:?})"),
    }
}

/// The Rust type of a column's values.
fn rust(ty: &str, variants: &[String]) -> String {
    match ty {
        "text" => "String".into(),
        "bytes" => "Vec<u8>".into(),
        "timestamp" => "Timestamp".into(),
        "uuid" => "Uuid".into(),
        "id" => "Id<UserMarker>".into(),
        "json" => "Json".into(),
        "enum" => format!("/* the enum of {} */", variants.join(", ")),
        number => number.into(),
    }
}

/// What the rows that are there have in a new column.
fn default(column: &ColumnDef) -> String {
    let rust = rust(&column.ty, &column.variants);
    match &column.default {
        None if column.nullable => format!("None::<{rust}>"),
        None => format!("/* a {rust} for the rows that are there */"),
        Some(value) => {
            let text = literal(value, column);
            if column.nullable { format!("Some({text})") } else { text }
        }
    }
}

fn literal(value: &Value, column: &ColumnDef) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) if column.ty.starts_with(['i', 'u']) && column.ty != "id" => {
            format!("{value}_{}", column.ty)
        }
        Value::Float(value) => format!("{value:?}_{}", column.ty),
        Value::Text(value) if column.ty == "text" => format!("String::from({value:?})"),
        value => format!("/* {} as {} */", value.as_ref(), rust(&column.ty, &column.variants)),
    }
}

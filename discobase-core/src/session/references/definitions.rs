//! What references must be like between tables, whatever rows there are.

use crate::batch::TableDef;
use crate::error::{Error, ErrorKind};
use crate::schema::OnDelete;

/// Whether the references of all tables have a meaning: the tables that are referred to are there, their keys are of
/// the types of the columns that refer, and no delete goes in a circle of tables.
pub(crate) fn check_definitions(defs: &[&TableDef]) -> Result<(), Error> {
    for def in defs {
        for (_, index, reference) in def.references() {
            let fields = def.names(&index.columns).join(", ");
            let refuse = |kind: ErrorKind, text: String| {
                Err(Error::new(kind, text).in_table(&def.name).in_field(fields.clone()))
            };
            let Some(parent) = defs.iter().find(|parent| parent.name == reference.table) else {
                let text = format!(
                    "the field refers to table {}, which is not there: register its struct, too, with db.table",
                    reference.table
                );
                return refuse(ErrorKind::UnknownTable, text);
            };
            let Some((_, key)) = parent.key() else {
                let text = format!("the field refers to table {}, which has no key", parent.name);
                return refuse(ErrorKind::SchemaChanged, text);
            };
            let types = |def: &TableDef, columns: &[usize]| {
                let column = |column: &usize| def.columns.get(*column);
                let found = columns.iter().filter_map(column);
                found.map(|column| (column.ty.clone(), column.variants.clone())).collect::<Vec<_>>()
            };
            if types(def, &index.columns) != types(parent, &key.columns) {
                let text = format!(
                    "the field refers to table {}, and is not of the type of its key ({})",
                    parent.name,
                    parent.names(&key.columns).join(", ")
                );
                return refuse(ErrorKind::SchemaChanged, text);
            }
            let nullable = |column: &usize| def.columns.get(*column).is_some_and(|column| column.nullable);
            if reference.on_delete == OnDelete::SetNull && !index.columns.iter().any(nullable) {
                let text =
                    "on_delete = set_null needs a field that may be null: make it an Option".to_owned();
                return refuse(ErrorKind::SchemaChanged, text);
            }
        }
    }
    check_circles(defs)
}

/// Refuses deletes that would go from table to table in a circle.
fn check_circles(defs: &[&TableDef]) -> Result<(), Error> {
    for start in defs {
        let mut path = vec![start.name.as_str()];
        if leads_back(defs, &start.name, &start.name, &mut path) {
            let text = format!(
                "deletes would cascade in a circle, {}, so that one delete could empty all these tables: choose restrict \
                 or set_null for one of the references",
                path.join(" <- ")
            );
            return Err(Error::new(ErrorKind::CyclicCascade, text).in_table(&start.name));
        }
    }
    Ok(())
}

/// Whether a delete in `table` cascades to `start` through other tables; `path` is how.
fn leads_back<'a>(defs: &[&'a TableDef], table: &str, start: &str, path: &mut Vec<&'a str>) -> bool {
    for child in defs {
        let mut cascades = child
            .references()
            .filter(|(_, _, reference)| reference.table == table && reference.on_delete == OnDelete::Cascade);
        // Rows of one table may refer to each other: each is deleted once, and a tree has an end.
        if child.name == table || cascades.next().is_none() {
            continue;
        }
        if child.name == start {
            path.push(&child.name);
            return true;
        }
        if !path.contains(&child.name.as_str()) {
            path.push(&child.name);
            if leads_back(defs, &child.name, start, path) {
                return true;
            }
            path.pop();
        }
    }
    false
}

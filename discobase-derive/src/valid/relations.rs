//! The rules of references and relations.

use std::collections::HashSet;

use syn::Ident;
use syn::ext::IdentExt;

use crate::ast::{Field, Table};
use crate::errors::Errors;

/// What a record can do by its name already: a relation of the same name would hide it.
const TAKEN: [&str; 22] = [
    "builder",
    "save",
    "save_all",
    "save_or_update",
    "get_or_create",
    "commit",
    "find",
    "find_unique",
    "get",
    "watch",
    "count",
    "update",
    "delete",
    "restore",
    "delete_forever",
    "refresh",
    "id",
    "version",
    "db",
    "into_inner",
    "columns",
    "clone",
];

/// Adds every rule that references and relations break to `errors`.
pub(super) fn check(table: &Table<'_>, errors: &mut Errors) {
    let mut names =
        Names { taken: table.fields.iter().map(|field| field.ident.unraw().to_string()).collect() };
    for field in table.columns() {
        options(field, errors);
        let Some((references, _)) = &field.options.references else { continue };
        generic(table, references, errors);
        let Some(name) = field.relation() else {
            let message = "what the field refers to has no name, because the field's does not end with `_id`: call it \
                           something with `relation = name`";
            errors.at(references, message);
            continue;
        };
        let place = field.options.relation.as_ref().map_or(references, |(_, name)| name);
        names.add(&name, place, "call the relation otherwise with `relation = name`", errors);
    }
    for relation in &table.relations {
        generic(table, &relation.name, errors);
        names.add(&relation.name, &relation.name, "call the relation otherwise", errors);
    }
}

fn generic(table: &Table<'_>, place: &Ident, errors: &mut Errors) {
    if !table.generics.params.is_empty() {
        errors.at(place, "a generic table can't have relations: they are between tables that are known");
    }
}

/// The names of fields and relations: queries know them side by side.
struct Names {
    taken: HashSet<String>,
}

impl Names {
    fn add(&mut self, name: &Ident, place: &Ident, advice: &str, errors: &mut Errors) {
        let text = name.unraw().to_string();
        if TAKEN.contains(&text.as_str()) {
            errors.at(place, format!("a record has a method `{text}`: {advice}"));
        } else if !self.taken.insert(text.clone()) {
            errors.at(place, format!("there is a field or a relation `{text}` already: {advice}"));
        }
    }
}

fn options(field: &Field<'_>, errors: &mut Errors) {
    let options = &field.options;
    if options.references.is_none() {
        let others = [
            options.on_delete.as_ref().map(|(option, _)| option),
            options.relation.as_ref().map(|(option, _)| option),
        ];
        for option in others.into_iter().flatten() {
            errors.at(option, format!("`{option}` is about a reference: add `references = Struct`"));
        }
        return;
    }
    if let Some((with, _)) = &options.with {
        let message = "a field that refers to a key has the key's type: remove `with` or `references`";
        errors.at(with, message);
    }
    for filled in
        [&options.auto, &options.created_at, &options.updated_at, &options.soft_delete].into_iter().flatten()
    {
        errors.at(
            filled,
            format!("what `{filled}` fills refers to nothing: remove `{filled}` or `references`"),
        );
    }
}

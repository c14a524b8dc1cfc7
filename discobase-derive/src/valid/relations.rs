//! The rules of references and relations.

use std::collections::HashSet;

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
    let mut names: HashSet<String> = table.fields.iter().map(|field| field.ident.to_string()).collect();
    for field in table.columns() {
        options(field, errors);
        let Some((references, _)) = &field.options.references else { continue };
        let Some(name) = field.relation() else {
            let message = "what the field refers to has no name, because the field's does not end with `_id`: call it \
                           something with `relation = name`";
            errors.at(references, message);
            continue;
        };
        let place = field.options.relation.as_ref().map_or(references, |(_, name)| name);
        let text = name.to_string();
        if TAKEN.contains(&text.as_str()) {
            errors.at(
                place,
                format!("a record has a method `{text}`: call the relation otherwise, `relation = name`"),
            );
        } else if !names.insert(text.clone()) {
            let message = format!(
                "there is a field or a relation `{text}` already: call this relation otherwise, `relation = name`"
            );
            errors.at(place, message);
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

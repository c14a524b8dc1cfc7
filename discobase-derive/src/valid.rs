//! The rules that a single attribute can't check: what fits together, and which names are possible.

mod relations;

use syn::ext::IdentExt as _;
use syn::{GenericParam, Generics, Ident};

use crate::ast::{Enum, Field, Index, Kind, Name, Table};
use crate::case::{MAX_NAME, channel_form, closest, unsupported_char};
use crate::errors::Errors;

/// More columns than any row that fits into a message could fill.
const MAX_COLUMNS: usize = 1_000;

/// Adds every rule that the struct breaks to `errors`.
pub(crate) fn table(table: &Table<'_>, errors: &mut Errors) {
    lifetimes(table.generics, errors);
    if name("a table's name", &table.name, errors) {
        let (given, kept) = (&table.name.text, channel_form(&table.name.text));
        if *given != kept {
            let message =
                format!("Discord writes the channel `{given}` as `{kept}`: name the table `{kept}`");
            errors.at(&table.name.tokens, message);
        }
    }
    for field in &table.fields {
        options(field, errors);
    }
    if !table.generics.params.is_empty() {
        for field in table.embedded() {
            let message = "a generic table can't embed a struct: the names of all columns are put together before its \
                           parameters are known";
            errors.at(field.options.embed.as_ref().map(|(option, _)| option), message);
        }
    }
    columns(table, errors);
    renamed(table, errors);
    filled_once(table, errors);
    composites(table, errors);
    indexes(&table.indexes(), errors);
    relations::check(table, errors);
}

/// Adds every rule that a struct to embed breaks to `errors`.
pub(crate) fn embedded(model: &Table<'_>, errors: &mut Errors) {
    if !model.generics.params.is_empty() {
        errors.at(model.generics, "an embedded struct can't be generic: its columns are those of one table");
    }
    for field in &model.fields {
        options(field, errors);
    }
    columns(model, errors);
}

fn lifetimes(generics: &Generics, errors: &mut Errors) {
    for parameter in &generics.params {
        if let GenericParam::Lifetime(lifetime) = parameter {
            errors.at(
                lifetime,
                "a row owns its data and can't borrow: use `String` instead of `&str`, `Vec<u8>` instead of `&[u8]`",
            );
        }
    }
}

/// Whether a channel can have the name, apart from its case.
fn name(what: &str, name: &Name, errors: &mut Errors) -> bool {
    let length = name.text.chars().count();
    if length == 0 {
        errors.at(&name.tokens, format!("{what} can't be empty"));
    } else if let Some(wrong) = unsupported_char(&name.text) {
        errors.at(&name.tokens, format!("{what} consists of letters, digits, `_` and `-`, not of {wrong:?}"));
    } else if length > MAX_NAME {
        let message =
            format!("{what} has at most {MAX_NAME} characters, like a channel's; this one has {length}");
        errors.at(&name.tokens, message);
    } else {
        return true;
    }
    false
}

/// What one field asks for must make sense together.
fn options(field: &Field<'_>, errors: &mut Errors) {
    let options = &field.options;
    if options.skip.is_some() {
        for other in options.set().filter(|option| *option != "skip") {
            errors
                .at(other, format!("`skip` leaves the field out of the table, so `{other}` has no meaning"));
        }
        return;
    }
    if let Some((_, prefix)) = &options.embed {
        for other in options.set().filter(|option| *option != "embed") {
            let message = if other == "validate" {
                "an embedded struct checks itself: write #[table(validate = function)] on it".to_owned()
            } else {
                format!(
                    "an embedded struct is no column, so `{other}` has no meaning: write it on a field of it"
                )
            };
            errors.at(other, message);
        }
        if let Some(prefix) = prefix
            && let Some(wrong) = unsupported_char(&prefix.value())
        {
            let message =
                format!("a column's name consists of letters, digits, `_` and `-`, not of {wrong:?}");
            errors.at(prefix, message);
        }
        return;
    }
    if options.json.is_some() {
        let wrong = [
            "key",
            "unique",
            "index",
            "max_len",
            "auto",
            "with",
            "created_at",
            "updated_at",
            "soft_delete",
            "length",
            "range",
            "pattern",
            "references",
        ];
        for other in options.set().filter(|option| wrong.iter().any(|wrong| *option == wrong)) {
            let message = match other.to_string().as_str() {
                "max_len" => "JSON has no length to bound: remove `max_len` or `json`".to_owned(),
                filled @ ("auto" | "created_at" | "updated_at" | "soft_delete") => {
                    format!("what `{filled}` fills is no JSON: remove `{filled}` or `json`")
                }
                "with" => "a column has one form: keep it as JSON, or as what `with` makes of it".to_owned(),
                rule @ ("length" | "range" | "pattern") => {
                    format!("`{rule}` can't look into JSON: check the value with `validate = function`")
                }
                other => format!("JSON has no order, so it can't be compared: remove `{other}` or `json`"),
            };
            errors.at(other, message);
        }
        return;
    }
    if let (Some(_), Some(unique)) = (&options.key, &options.unique) {
        errors.at(
            unique,
            "a key is unique already; of a composite key no single field is: remove `unique` or `key`",
        );
    }
    if let (Some(_), Some(index)) = (&options.unique, &options.index) {
        errors.at(index, "a unique column has an index already: remove `index`");
    }
    if let (Some(_), Some((default_with, _))) = (&options.default, &options.default_with) {
        errors.at(default_with, "`default` says already what a new record has: keep one");
    }
    if options.with.is_some() {
        for other in options.set() {
            let message = match other.to_string().as_str() {
                filled @ ("auto" | "created_at" | "updated_at" | "soft_delete") => {
                    format!("what fills the field is of a type of its own: remove `{filled}` or `with`")
                }
                rule @ ("length" | "range" | "pattern") => {
                    format!(
                        "`{rule}` can't look at what `with` converts: check it with `validate = function`"
                    )
                }
                _ => continue,
            };
            errors.at(other, message);
        }
    }
    filled(field, errors);
}

/// A field that the database fills has one thing in it, and nobody else puts anything there.
fn filled(field: &Field<'_>, errors: &mut Errors) {
    let options = &field.options;
    if let (Some(auto), None) = (&options.auto, &options.key) {
        errors.at(auto, "`auto` numbers keys: write #[table(key, auto)]");
    }
    let ways = [&options.auto, &options.created_at, &options.updated_at, &options.soft_delete];
    let mut ways = ways.into_iter().flatten();
    let Some(first) = ways.next() else { return };
    for second in ways {
        errors.at(
            second,
            format!("the field is filled by `{first}` already: give `{second}` a field of its own"),
        );
    }
    let default = options.default.as_ref().map(|(option, _)| option);
    for default in default.into_iter().chain(options.default_with.as_ref().map(|(option, _)| option)) {
        if first != "soft_delete" {
            errors.at(default, format!("`{first}` fills the field: remove `{default}`"));
        }
    }
    if let (Some(key), true) = (&options.key, first != "auto") {
        errors.at(
            key,
            format!("`{first}` changes the field, and a key never changes: remove `key` or `{first}`"),
        );
    }
}

/// What the database fills, it fills in one field.
fn filled_once(table: &Table<'_>, errors: &mut Errors) {
    let ways: [for<'f> fn(&'f Field<'_>) -> Option<&'f Ident>; 4] = [
        |field| field.options.auto.as_ref(),
        |field| field.options.created_at.as_ref(),
        |field| field.options.updated_at.as_ref(),
        |field| field.options.soft_delete.as_ref(),
    ];
    for way in ways {
        for second in table.columns().filter_map(way).skip(1) {
            errors.at(second, format!("two fields are `{second}`: a table has one"));
        }
    }
    let keys = table.columns().filter(|field| field.options.key.is_some()).count();
    for auto in table.columns().filter_map(|field| field.options.auto.as_ref()).filter(|_| keys > 1) {
        errors.at(
            auto,
            "`auto` numbers a key of one field, and this one is composite: remove `auto` or the other `key`",
        );
    }
}

/// How many columns there are, and that their names differ.
fn columns(table: &Table<'_>, errors: &mut Errors) {
    if table.shaped && table.columns().chain(table.embedded()).next().is_none() {
        errors.at(table.ident, "a table needs at least one column: a field that is not skipped");
    }
    if let Some(field) = table.columns().nth(MAX_COLUMNS) {
        errors.at(field.ident, format!("a table has at most {MAX_COLUMNS} columns"));
    }
    let mut seen = std::collections::HashMap::new();
    for field in table.columns() {
        if !name("a column's name", &field.name, errors) {
            continue;
        }
        let text = field.name.text.as_str();
        match seen.insert(channel_form(text), text) {
            Some(earlier) if earlier == text => {
                errors.at(&field.name.tokens, format!("two columns are called `{text}`"));
            }
            Some(earlier) => {
                let message = format!(
                    "the columns `{earlier}` and `{text}` would be the same in the name of a channel"
                );
                errors.at(&field.name.tokens, message);
            }
            None => {}
        }
    }
}

/// What was renamed has another name now, and nothing else has the old one.
fn renamed(table: &Table<'_>, errors: &mut Errors) {
    for (option, from) in table.columns().filter_map(|field| field.options.renamed_from.as_ref()) {
        if table.columns().any(|other| other.name.text == from.value()) {
            errors.at(from, format!("a column is called `{}` now: remove `{option}`", from.value()));
        }
    }
    if let Some(from) = table.renamed_from.as_ref().filter(|from| from.value() == table.name.text) {
        errors.at(from, "the table is called that now: remove `renamed_from`");
    }
}

/// An index of several fields is of the struct's own columns, each once.
fn composites(table: &Table<'_>, errors: &mut Errors) {
    for composite in &table.composites {
        for (place, ident) in composite.fields.iter().enumerate() {
            let Some(field) = table.fields.iter().find(|field| field.ident == ident) else {
                let message = match table.fields.iter().find(|field| *ident == field.name.text) {
                    Some(field) => {
                        format!("`{ident}` is what the column is called: write the field, `{}`", field.ident)
                    }
                    None => {
                        let fields: Vec<String> =
                            table.columns().map(|field| field.ident.unraw().to_string()).collect();
                        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
                        match closest(&ident.to_string(), &fields) {
                            Some(meant) => {
                                format!("the struct has no field `{ident}`; did you mean `{meant}`?")
                            }
                            None => format!("the struct has no field `{ident}`"),
                        }
                    }
                };
                errors.at(ident, message);
                continue;
            };
            let options = &field.options;
            if options.skip.is_some() {
                errors.at(ident, format!("`{ident}` is skipped: it is no column that could be indexed"));
            } else if options.embed.is_some() {
                errors.at(ident, format!("`{ident}` is embedded: it is no column that could be indexed"));
            } else if options.json.is_some() {
                errors.at(ident, format!("`{ident}` is JSON, which has no order: remove it, or `json`"));
            } else if composite.fields.iter().take(place).any(|earlier| earlier == ident) {
                errors.at(ident, format!("`{ident}` is there twice: keep one"));
            }
        }
    }
}

/// Every index has a channel, whose name must be possible and its own.
fn indexes(indexes: &[Index<'_>], errors: &mut Errors) {
    let mut seen = std::collections::HashMap::new();
    for index in indexes {
        let length = index.channel.chars().count();
        if length > MAX_NAME {
            let message = format!(
                "the index's channel would be called `{}`: a channel's name has at most {MAX_NAME} characters, \
                 this one has {length}",
                index.channel
            );
            errors.at(index.option, message);
        }
        match seen.insert(channel_form(&index.channel), index) {
            Some(earlier)
                if (earlier.kind, index.kind) == (Kind::Key, Kind::Index)
                    && earlier.columns == index.columns =>
            {
                errors.at(index.option, "a key has an index already: remove `index`");
            }
            Some(earlier) if earlier.columns.len() > 1 && earlier.columns == index.columns => {
                let message = if earlier.kind == Kind::Key {
                    format!("the key is of these fields already: remove `{}`", index.option)
                } else {
                    "these fields have such an index already: keep one".to_owned()
                };
                errors.at(index.option, message);
            }
            Some(earlier)
                if earlier.columns != index.columns && index.columns.len().max(earlier.columns.len()) > 1 =>
            {
                let message = format!(
                    "this index's channel would be called `{}`, as another index's: rename a column",
                    index.channel
                );
                errors.at(index.option, message);
            }
            // A unique key, or two columns of one name: reported where they are declared.
            _ => {}
        }
    }
}

/// Adds every rule that the enum breaks to `errors`.
pub(crate) fn column_enum(column_enum: &Enum<'_>, errors: &mut Errors) {
    if !column_enum.generics.params.is_empty() {
        let message = "a `ColumnEnum` can't be generic: a column holds the names of its variants and no data";
        errors.at(column_enum.generics, message);
    }
    if column_enum.shaped && column_enum.variants.is_empty() {
        errors.at(
            column_enum.ident,
            "a `ColumnEnum` needs at least one variant: a column of it could hold nothing",
        );
    }
    let mut seen = std::collections::HashSet::new();
    for variant in &column_enum.variants {
        if !variant.fields.is_empty() {
            let message = "a column keeps the name of a variant and no data: give the data columns of their own, or \
                           keep the enum as JSON with #[table(json)] on the field that holds it";
            errors.at(variant.fields, message);
        }
        if variant.name.text.is_empty() {
            errors.at(&variant.name.tokens, "a variant's name can't be empty");
        } else if !seen.insert(&variant.name.text) {
            errors.at(&variant.name.tokens, format!("two variants are called `{}`", variant.name.text));
        }
    }
}

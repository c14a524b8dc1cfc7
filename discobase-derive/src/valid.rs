//! The rules that a single attribute can't check: what fits together, and which names are possible.

use syn::{GenericParam, Generics};

use crate::ast::{Enum, Field, Index, Kind, Name, Table};
use crate::case::{MAX_NAME, channel_form, unsupported_char};
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
    columns(table, errors);
    indexes(&table.indexes(), errors);
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
    if options.json.is_some() {
        for other in
            options.set().filter(|option| ["key", "unique", "index", "max_len"].iter().any(|o| *option == o))
        {
            let message = match other.to_string().as_str() {
                "max_len" => "JSON has no length to bound: remove `max_len` or `json`".to_owned(),
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
}

/// How many columns there are, and that their names differ.
fn columns(table: &Table<'_>, errors: &mut Errors) {
    if table.shaped && table.columns().next().is_none() {
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
            Some(earlier) if earlier.columns.len() != index.columns.len() => {
                let message = format!(
                    "this index's channel would be called `{}`, as the composite key's: rename the column",
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

//! Options of references, `references = User`, `on_delete = cascade`, `relation = owner`, and of the relations back:
//! `has_many(orders = Order.user_id)`.

use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Ident, Path, Token};

use super::{By, Item, OnDelete, Relation, tokens};
use crate::case::closest;
use crate::errors::Errors;

/// Reads `references = Struct`.
pub(super) fn table(item: Item, errors: &mut Errors) -> Option<(Ident, Path)> {
    match item.value {
        Some(Expr::Path(path)) if path.qself.is_none() && path.attrs.is_empty() => {
            Some((item.name, path.path))
        }
        _ => {
            let message = match item.value.as_ref().and_then(of_fields) {
                Some(table) => format!(
                    "a reference is to the key of a table, which is one field: `references = {table}`. To refer to its \
                     records by other fields, make the table's key of one field that says who they are, and the others \
                     unique"
                ),
                None => {
                    "`references` takes the struct of the table that the field refers to: `references = User`"
                        .to_owned()
                }
            };
            errors.at(tokens(&item), message);
            None
        }
    }
}

/// The struct whose fields somebody would refer to: `User.email`, `User(a, b)`, `(User.a, User.b)`.
fn of_fields(value: &Expr) -> Option<String> {
    match value {
        Expr::Field(field) => match &*field.base {
            Expr::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        },
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        },
        Expr::Tuple(tuple) => tuple.elems.first().and_then(of_fields),
        Expr::Array(array) => array.elems.first().and_then(of_fields),
        _ => None,
    }
}

/// Reads `on_delete = …`.
pub(super) fn on_delete(item: Item, errors: &mut Errors) -> Option<(Ident, OnDelete)> {
    const ACTIONS: [(&str, OnDelete); 3] =
        [("restrict", OnDelete::Restrict), ("cascade", OnDelete::Cascade), ("set_null", OnDelete::SetNull)];
    let given = ident(item.value.as_ref());
    let known = given.and_then(|given| ACTIONS.into_iter().find(|(name, _)| given == name));
    if let Some((_, action)) = known {
        return Some((item.name, action));
    }
    let names = ACTIONS.map(|(name, _)| name);
    let guess = given.and_then(|given| closest(&given.to_string(), &names));
    let message = match guess {
        Some(guess) => format!("no such action; did you mean `{guess}`?"),
        None => format!("`on_delete` is one of {}: `on_delete = restrict`", names.join(", ")),
    };
    errors.at(tokens(&item), message);
    None
}

/// Reads `relation = name`.
pub(super) fn name(item: Item, errors: &mut Errors) -> Option<(Ident, Ident)> {
    match ident(item.value.as_ref()).cloned() {
        Some(name) => Some((item.name, name)),
        None => {
            let message = "`relation` takes the name that the relation is called by: `relation = owner`";
            errors.at(tokens(&item), message);
            None
        }
    }
}

fn ident(value: Option<&Expr>) -> Option<&Ident> {
    match value {
        Some(Expr::Path(path)) => path.path.get_ident(),
        _ => None,
    }
}

/// Reads `has_many(orders = Order.user_id, …)`, `has_one(…)` and `many_to_many(tags = Tag, through = UserTag(user_id, tag_id))`.
pub(super) fn relations(item: &Item, errors: &mut Errors) -> Vec<Relation> {
    let example = match item.name.to_string().as_str() {
        "has_many" => "has_many(orders = Order.user_id)",
        "has_one" => "has_one(profile = Profile.user_id)",
        _ => "many_to_many(tags = Tag, through = UserTag(user_id, tag_id))",
    };
    let Some(group) = &item.arguments else {
        errors.at(tokens(item), format!("`{}` names its relations in parentheses: `{example}`", item.name));
        return Vec::new();
    };
    let read = |input: ParseStream<'_>| {
        let mut found = Vec::new();
        while !input.is_empty() {
            found.push(if item.name == "many_to_many" { linked(input)? } else { back(item, input)? });
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(found)
    };
    match read.parse2(group.stream()) {
        Ok(found) if found.is_empty() => {
            errors.at(&item.name, format!("no relation is named: `{example}`"));
            found
        }
        Ok(found) => found,
        Err(error) => {
            let message = format!("{error}; `{}` is written `{example}`", item.name);
            errors.push(syn::Error::new(error.span(), message));
            Vec::new()
        }
    }
}

/// `orders = Order.user_id`.
fn back(item: &Item, input: ParseStream<'_>) -> syn::Result<Relation> {
    let name = input.call(Ident::parse_any)?;
    input.parse::<Token![=]>()?;
    let to = input.call(Path::parse_mod_style)?;
    input.parse::<Token![.]>()?;
    let by = input.parse()?;
    let by = if item.name == "has_one" { By::One(by) } else { By::Many(by) };
    Ok(Relation { name, to, by })
}

/// `tags = Tag, through = UserTag(user_id, tag_id)`.
fn linked(input: ParseStream<'_>) -> syn::Result<Relation> {
    let name = input.call(Ident::parse_any)?;
    input.parse::<Token![=]>()?;
    let to = input.call(Path::parse_mod_style)?;
    input.parse::<Token![,]>()?;
    let through: Ident = input.parse()?;
    if through != "through" {
        return Err(syn::Error::new(through.span(), "expected `through`"));
    }
    input.parse::<Token![=]>()?;
    let link = input.call(Path::parse_mod_style)?;
    let fields;
    syn::parenthesized!(fields in input);
    let from = fields.parse()?;
    fields.parse::<Token![,]>()?;
    let toward = fields.parse()?;
    fields.parse::<Option<Token![,]>>()?;
    Ok(Relation { name, to, by: By::Links(link, from, toward) })
}

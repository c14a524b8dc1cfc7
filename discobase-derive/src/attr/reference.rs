//! Options of references: `references = User`, `on_delete = cascade`, `relation = owner`.

use syn::{Expr, Ident, Path};

use super::{Item, OnDelete, tokens};
use crate::case::closest;
use crate::errors::Errors;

/// Reads `references = Struct`.
pub(super) fn table(item: Item, errors: &mut Errors) -> Option<(Ident, Path)> {
    match item.value {
        Some(Expr::Path(path)) if path.qself.is_none() && path.attrs.is_empty() => {
            Some((item.name, path.path))
        }
        _ => {
            let message =
                "`references` takes the struct of the table that the field refers to: `references = User`";
            errors.at(tokens(&item), message);
            None
        }
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

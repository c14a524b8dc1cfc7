//! Options with arguments: `length(min = 1, max = 20)`, `range(min = 0, max = 99)`, `range(0..=99)`, `index(guild, name)`.

use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, ExprRange, Ident, Lit, LitStr, RangeLimits, Token};

use super::{Composite, Item, Length, Range, tokens};
use crate::errors::Errors;

/// The bounds as they stand there.
#[derive(Default)]
struct Bounds {
    min: Option<Expr>,
    max: Option<Expr>,
}

/// Reads `length(…)`.
pub(super) fn length(item: &Item, errors: &mut Errors) -> Option<Length> {
    let bounds = bounds(item, "length(min = 1, max = 20)", errors)?;
    let mut number = |bound: Option<Expr>| match bound {
        None => Ok(None),
        Some(Expr::Lit(ExprLit { lit: Lit::Int(number), .. })) if number.base10_parse::<u32>().is_ok() => {
            Ok(number.base10_parse().ok())
        }
        Some(other) => {
            errors.at(other, format!("a length is a whole number from 0 to {}", u32::MAX));
            Err(())
        }
    };
    let (min, max) = (number(bounds.min), number(bounds.max));
    let length = Length { min: min.ok()?, max: max.ok()? };
    if let (Some(min), Some(max)) = (length.min, length.max)
        && min > max
    {
        errors.at(&item.name, format!("no value has at least {min} and at most {max}"));
    }
    Some(length)
}

/// Reads `range(…)`.
pub(super) fn range(item: &Item, errors: &mut Errors) -> Option<Range> {
    let bounds = bounds(item, "range(min = 0, max = 99)", errors)?;
    if let (Some(min), Some(max)) =
        (bounds.min.as_ref().and_then(number), bounds.max.as_ref().and_then(number))
        && min > max
    {
        errors.at(&item.name, format!("no number is at least {min} and at most {max}"));
    }
    Some(Range { min: bounds.min, max: bounds.max })
}

/// Reads `embed` and `embed(prefix = "…")`.
pub(super) fn prefix(item: &Item, errors: &mut Errors) -> Option<Option<LitStr>> {
    let example = "embed(prefix = \"home_\")";
    let Some(group) = &item.arguments else {
        if let Some(value) = &item.value {
            errors.at(value, format!("`embed` takes a prefix in parentheses: `{example}`"));
            return None;
        }
        return Some(None);
    };
    let read = |input: ParseStream<'_>| {
        let name: Ident = input.parse()?;
        if name != "prefix" {
            return Err(syn::Error::new(
                name.span(),
                format!("unknown argument `{name}`: there is `prefix`"),
            ));
        }
        input.parse::<Token![=]>()?;
        let prefix = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        Ok(prefix)
    };
    match read.parse2(group.stream()) {
        Ok(prefix) => Some(Some(prefix)),
        Err(error) => {
            errors.push(syn::Error::new(error.span(), format!("{error}; `embed` is written `{example}`")));
            None
        }
    }
}

/// Reads `index(guild, name)` and `unique(guild, name)` of a struct.
pub(super) fn composite(item: Item, errors: &mut Errors) -> Option<Composite> {
    let name = &item.name;
    let Some(group) = &item.arguments else {
        let message = format!(
            "on a struct `{name}` takes fields: `{name}(first, second)`; for one field write #[table({name})] on it"
        );
        errors.at(tokens(&item), message);
        return None;
    };
    let read = Punctuated::<Ident, Token![,]>::parse_terminated.parse2(group.stream());
    let fields: Vec<Ident> = match read {
        Ok(fields) => fields.into_iter().collect(),
        Err(error) => {
            let message = format!("{error}; `{name}` takes names of fields: `{name}(first, second)`");
            errors.push(syn::Error::new(error.span(), message));
            return None;
        }
    };
    if fields.len() < 2 {
        let message = format!("an index of one field is written on the field: #[table({name})]");
        errors.at(name, message);
        return None;
    }
    Some(Composite { option: item.name, fields })
}

/// A number that can be compared here, if the expression is one.
fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => number.base10_parse().ok(),
        Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Neg(_)) => {
            number(&unary.expr).map(|number| -number)
        }
        _ => None,
    }
}

/// Reads `min = …, max = …`, or a range of Rust's.
fn bounds(item: &Item, example: &str, errors: &mut Errors) -> Option<Bounds> {
    let name = &item.name;
    let Some(group) = &item.arguments else {
        errors.at(tokens(item), format!("`{name}` takes bounds: `{example}`"));
        return None;
    };
    let read = |input: ParseStream<'_>| {
        if input.peek(Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]) {
            named(input)
        } else {
            from_range(input)
        }
    };
    match read.parse2(group.stream()) {
        Ok(Bounds { min: None, max: None }) => {
            errors.at(name, format!("without a bound `{name}` allows everything: `{example}`"));
            None
        }
        Ok(bounds) => Some(bounds),
        Err(error) => {
            errors.push(syn::Error::new(error.span(), format!("{error}; `{name}` is written `{example}`")));
            None
        }
    }
}

fn named(input: ParseStream<'_>) -> syn::Result<Bounds> {
    let mut bounds = Bounds::default();
    while !input.is_empty() {
        let name: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        let bound = match name.to_string().as_str() {
            "min" => &mut bounds.min,
            "max" => &mut bounds.max,
            other => {
                let message = format!("unknown bound `{other}`: there are `min` and `max`");
                return Err(syn::Error::new(name.span(), message));
            }
        };
        if bound.is_some() {
            return Err(syn::Error::new(name.span(), format!("`{name}` is given twice")));
        }
        *bound = Some(input.parse()?);
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(bounds)
}

fn from_range(input: ParseStream<'_>) -> syn::Result<Bounds> {
    if input.is_empty() {
        return Ok(Bounds::default());
    }
    let expr: Expr = input.parse()?;
    let Expr::Range(ExprRange { start, limits, end, .. }) = expr else {
        return Err(syn::Error::new_spanned(expr, "not a range"));
    };
    if let (RangeLimits::HalfOpen(dots), Some(_)) = (&limits, &end) {
        return Err(syn::Error::new_spanned(dots, "an end is included: write `..=`"));
    }
    Ok(Bounds { min: start.map(|start| *start), max: end.map(|end| *end) })
}

//! The head of the impl: generics, and the bounds that generated code needs.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Generics, Ident, WherePredicate, parse_quote};

use crate::ast::{Field, Table};

/// `impl<…> Entity for User<…> where …`, with the bounds that generated code needs of the types of fields that
/// mention a type parameter.
pub(super) fn entity(table: &Table<'_>) -> TokenStream {
    header(table, |field| bounds(table, field))
}

/// The same for an impl that is a stub: it must hold whatever the fields are, so it asks only for what the trait
/// itself does.
pub(crate) fn stub(table: &Table<'_>) -> TokenStream {
    header(table, |_| TokenStream::new())
}

fn header(table: &Table<'_>, bounds: impl Fn(&Field<'_>) -> TokenStream) -> TokenStream {
    let (ident, krate) = (table.ident, &table.krate);
    let generics = bounded(table, bounds);
    let (impl_generics, _, clause) = generics.split_for_impl();
    let (_, type_generics, _) = table.generics.split_for_impl();
    quote!(impl #impl_generics #krate::private::Entity for #ident #type_generics #clause)
}

/// The table's generics with the bounds under which it is an entity.
pub(crate) fn generics(table: &Table<'_>, stub: bool) -> Generics {
    bounded(table, |field| if stub { TokenStream::new() } else { bounds(table, field) })
}

fn bounded(table: &Table<'_>, bounds: impl Fn(&Field<'_>) -> TokenStream) -> Generics {
    let mut predicates: Vec<WherePredicate> = Vec::new();
    for lifetime in table.generics.lifetimes() {
        let lifetime = &lifetime.lifetime;
        predicates.push(parse_quote!(#lifetime: 'static));
    }
    let parameters: Vec<_> = table.generics.type_params().map(|parameter| &parameter.ident).collect();
    for parameter in &parameters {
        predicates.push(parse_quote!(#parameter: 'static));
    }
    for field in table.fields.iter().filter(|field| mentions(field.ty.to_token_stream(), &parameters)) {
        let (ty, bounds) = (field.ty, bounds(field));
        predicates.push(parse_quote!(#ty: #bounds ::core::marker::Send + ::core::marker::Sync + 'static));
    }
    let mut generics = table.generics.clone();
    if !predicates.is_empty() {
        generics.make_where_clause().predicates.extend(predicates);
    }
    generics
}

/// What generated code needs of a field's type: `A + B +`.
fn bounds(table: &Table<'_>, field: &Field<'_>) -> TokenStream {
    let (options, krate) = (&field.options, &table.krate);
    let mut bounds = if options.skip.is_some() {
        quote!(::core::default::Default+)
    } else if options.json.is_some() {
        quote!(#krate::private::Serialize + #krate::private::DeserializeOwned +)
    } else if options.with.is_some() {
        return TokenStream::new();
    } else {
        quote!(#krate::private::ColumnValue +)
    };
    if matches!(options.default, Some((_, None))) {
        bounds.extend(quote!(::core::default::Default+));
    }
    if options.key.is_some() {
        bounds.extend(quote!(#krate::private::KeyValue +));
    }
    // A key's type is one already.
    if (table.is_indexed(field) && options.key.is_none()) || options.references.is_some() {
        bounds.extend(quote!(#krate::private::Indexable +));
    }
    if options.auto.is_some() || options.created_at.is_some() || options.updated_at.is_some() {
        bounds.extend(quote!(#krate::private::ColumnValue +));
    }
    if options.max_len.is_some() {
        bounds.extend(quote!(#krate::private::Bounded +));
    }
    bounds
}

/// Whether the field's type is not known before the generic parameters are.
pub(super) fn is_generic(table: &Table<'_>, field: &Field<'_>) -> bool {
    let types = table.generics.type_params().map(|parameter| &parameter.ident);
    let parameters: Vec<_> =
        types.chain(table.generics.const_params().map(|parameter| &parameter.ident)).collect();
    mentions(field.ty.to_token_stream(), &parameters)
}

/// Whether one of `idents` is somewhere in `tokens`.
fn mentions(tokens: TokenStream, idents: &[&Ident]) -> bool {
    !idents.is_empty()
        && tokens.into_iter().any(|token| match token {
            TokenTree::Ident(found) => idents.contains(&&found),
            TokenTree::Group(group) => mentions(group.stream(), idents),
            _ => false,
        })
}

//! From the derive's input to its output: read, check, write.

pub(crate) mod columns;
mod row;
mod schema;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{DeriveInput, Type, parse_quote};

use crate::ast::{Field, Table};
use crate::errors::Errors;
use crate::{fallback, valid};

/// `#[derive(Table)]`.
pub(crate) fn table(input: TokenStream) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::new();
    let table = Table::from_syn(&input, &mut errors);
    valid::check(&table, &mut errors);
    let code = if errors.is_empty() { entity(&table) } else { fallback::table(&table) };
    let diagnostics = errors.finish();
    quote!(#diagnostics #code)
}

fn entity(table: &Table<'_>) -> TokenStream {
    let header = header(table);
    let (columns, columns_type) = columns::expand(table);
    let columns_value = columns::value(table);
    let schema = schema::expand(table);
    let row = row::expand(table);
    quote! {
        #columns
        #[automatically_derived]
        #[allow(deprecated)]
        #header {
            type Columns = #columns_type;
            #schema
            #columns_value
            #row
        }
    }
}

/// `impl<…> Entity for User<…> where …`, with the bounds that generated code needs of the types of fields that
/// mention a type parameter.
pub(crate) fn header(table: &Table<'_>) -> TokenStream {
    let (ident, krate) = (table.ident, &table.krate);
    let mut generics = table.generics.clone();
    let parameters: Vec<_> = generics.type_params().map(|parameter| parameter.ident.clone()).collect();
    if !parameters.is_empty() {
        let mentions =
            |ty: &Type| parameters.iter().any(|parameter| mentions(ty.to_token_stream(), parameter));
        let bounds: Vec<_> = table
            .fields
            .iter()
            .filter(|field| mentions(field.ty))
            .map(|field| bounds(field, krate))
            .collect();
        let clause = generics.make_where_clause();
        for parameter in &parameters {
            clause.predicates.push(parse_quote!(#parameter: 'static));
        }
        clause.predicates.extend(bounds);
    }
    let (impl_generics, _, clause) = generics.split_for_impl();
    let (_, type_generics, _) = table.generics.split_for_impl();
    quote!(impl #impl_generics #krate::private::Entity for #ident #type_generics #clause)
}

fn bounds(field: &Field<'_>, krate: &syn::Path) -> syn::WherePredicate {
    let (ty, options) = (field.ty, &field.options);
    let mut bounds = Vec::new();
    if options.skip.is_some() {
        bounds.push(quote!(::core::default::Default));
    } else if options.json.is_some() {
        bounds.push(quote!(#krate::private::Serialize));
        bounds.push(quote!(#krate::private::DeserializeOwned));
    } else {
        bounds.push(quote!(#krate::private::ColumnValue));
    }
    if matches!(options.default, Some((_, None))) {
        bounds.push(quote!(::core::default::Default));
    }
    if options.key.is_some() {
        bounds.push(quote!(#krate::private::KeyValue));
    }
    if options.unique.is_some() || options.index.is_some() {
        bounds.push(quote!(#krate::private::Indexable));
    }
    if options.max_len.is_some() {
        bounds.push(quote!(#krate::private::Bounded));
    }
    parse_quote!(#ty: #(#bounds +)* ::core::marker::Send + ::core::marker::Sync + 'static)
}

/// Whether `ident` is somewhere in `tokens`.
fn mentions(tokens: TokenStream, ident: &syn::Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Ident(found) => found == *ident,
        proc_macro2::TokenTree::Group(group) => mentions(group.stream(), ident),
        _ => false,
    })
}

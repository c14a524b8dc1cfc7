//! From the derive's input to its output: read, check, write.

pub(crate) mod builder;
mod column_enum;
pub(crate) mod columns;
mod embedded;
pub(crate) mod header;
pub(crate) mod model;
pub(crate) mod relations;
pub(crate) mod row;
mod schema;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::ast::{Enum, Table};
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
    valid::table(&table, &mut errors);
    let code = if errors.is_empty() { entity(&table) } else { fallback::table(&table) };
    let diagnostics = errors.finish();
    quote!(#diagnostics #code)
}

/// `#[derive(ColumnEnum)]`.
pub(crate) fn column_enum(input: TokenStream) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::new();
    let model = Enum::from_syn(&input, &mut errors);
    valid::column_enum(&model, &mut errors);
    let code = if errors.is_empty() { column_enum::expand(&model) } else { fallback::column_enum(&model) };
    let diagnostics = errors.finish();
    quote!(#diagnostics #code)
}

/// `#[derive(Embedded)]`.
pub(crate) fn embedded(input: TokenStream) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::new();
    let model = Table::embedded_from_syn(&input, &mut errors);
    valid::embedded(&model, &mut errors);
    let code = if errors.is_empty() { embedded::expand(&model) } else { fallback::embedded(&model) };
    let diagnostics = errors.finish();
    quote!(#diagnostics #code)
}

fn entity(table: &Table<'_>) -> TokenStream {
    let header = header::entity(table);
    let (columns, columns_type) = columns::expand(table);
    let columns_value = columns::value(table);
    let schema = schema::expand(table);
    let checks =
        [schema::checks(table), model::checks(table), embedded::checks(table), relations::checks(table)];
    let model = model::expand(table);
    let soft_delete = model::soft_delete(table, false);
    let relations = relations::expand(table);
    let conversions = row::conversions(table, false);
    let builder::Builder { items, ty, value } = builder::expand(table, false);
    let row = row::expand(table);
    let key = key(table);
    quote! {
        #columns
        #(#checks)*
        const _: () = {
            #items
            #soft_delete
            #relations
            #conversions
            #[automatically_derived]
            #[allow(deprecated)]
            #header {
                type Columns = #columns_type;
                type Key = #key;
                type Builder = #ty;
                fn new_builder() -> Self::Builder {
                    #value
                }
                #schema
                #columns_value
                #row
                #model
            }
        };
    }
}

/// The types of the key's fields as a tuple, so that keys of one and of several fields are alike.
pub(crate) fn key(table: &Table<'_>) -> TokenStream {
    let Table { ident, krate, .. } = table;
    let (_, type_generics, _) = table.generics.split_for_impl();
    let keys = table.columns().enumerate().filter(|(_, field)| field.options.key.is_some());
    let types = keys.map(|(at, field)| match (&field.options.with, field.ty) {
        (Some(_), ty) => quote!(#krate::private::With<#ident #type_generics, #at, #ty>),
        (None, ty) => quote!(#ty),
    });
    quote!((#(#types,)*))
}

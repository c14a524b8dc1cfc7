//! Stub impls beside a diagnostic: the rest of the user's code still finds the traits it uses, so that one mistake
//! is reported as one.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::{Enum, Table};
use crate::expand::{builder, columns, header, key, model, relations, row};

/// An `Entity` without meaning, and the columns as far as they are known.
pub(crate) fn table(table: &Table<'_>) -> TokenStream {
    let krate = &table.krate;
    let header = header::stub(table);
    let key = key(table);
    // A struct without columns would not use its own generics.
    let known = table.columns().next().is_some();
    let (columns, columns_type) =
        if known { columns::expand(table) } else { (TokenStream::new(), quote!(())) };
    let builder::Builder { items, ty, value } = builder::expand(table, true);
    let soft_delete = model::soft_delete(table, true);
    let conversions = row::conversions(table, true);
    let relations = relations::expand(table);
    quote! {
        #columns
        const _: () = {
        #items
        #soft_delete
        #relations
        #conversions
        #[automatically_derived]
        #header {
            type Columns = #columns_type;
            type Key = #key;
            type Builder = #ty;
            fn new_builder() -> Self::Builder {
                #value
            }
            const SCHEMA: &'static #krate::private::TableSchema = #krate::private::NO_TABLE;
            fn columns() -> Self::Columns {
                ::core::unreachable!()
            }
            fn default_value(_: ::core::primitive::usize) -> ::core::option::Option<#krate::private::Value> {
                ::core::unreachable!()
            }
            fn encode(
                &self,
                _: ::core::primitive::usize,
                _: &mut #krate::private::RowWriter,
            ) -> ::core::result::Result<(), #krate::private::FieldError> {
                ::core::unreachable!()
            }
            fn decode(
                _: &#krate::private::Stored<'_>,
            ) -> ::core::result::Result<Self, (::core::primitive::usize, #krate::private::FieldError)> {
                ::core::unreachable!()
            }
        }
        };
    }
}

/// An `Embedded` without meaning.
pub(crate) fn embedded(model: &Table<'_>) -> TokenStream {
    let Table { ident, krate, generics, .. } = model;
    // A generic one is the mistake, and the trait asks of it what its parameters need not be.
    if !generics.params.is_empty() {
        return TokenStream::new();
    }
    let (impl_generics, type_generics, clause) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::private::Embedded for #ident #type_generics #clause {
            type Columns<Root: 'static> = ();
            const COLUMNS: &'static [#krate::private::ColumnSchema] = &[];
            const INDEXES: &'static [#krate::private::IndexSchema] = &[];
            fn columns<Root: 'static>(_: &'static [#krate::private::ColumnSchema], _: ::core::primitive::usize) {}
            fn default_value(_: ::core::primitive::usize) -> ::core::option::Option<#krate::private::Value> {
                ::core::unreachable!()
            }
            fn encode(
                &self,
                _: ::core::primitive::usize,
                _: &mut #krate::private::RowWriter,
            ) -> ::core::result::Result<(), #krate::private::FieldError> {
                ::core::unreachable!()
            }
            fn decode(
                _: &#krate::private::Stored<'_>,
                _: ::core::primitive::usize,
            ) -> ::core::result::Result<Self, (::core::primitive::usize, #krate::private::FieldError)> {
                ::core::unreachable!()
            }
        }
    }
}

/// The traits of a column's type, without meaning. `ColumnEnum` itself is not among them, because it asks for
/// `Copy`, which an enum with data may not be.
pub(crate) fn column_enum(column_enum: &Enum<'_>) -> TokenStream {
    let Enum { ident, krate, generics, .. } = column_enum;
    let (impl_generics, type_generics, clause) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::private::ColumnValue for #ident #type_generics #clause {
            const TYPE: #krate::private::ColumnType = #krate::private::ColumnType::Bool;
            fn as_value(&self) -> #krate::private::ValueRef<'_> {
                ::core::unreachable!()
            }
            fn decode(
                _: #krate::private::ValueRef<'_>,
            ) -> ::core::result::Result<Self, #krate::private::FieldError> {
                ::core::unreachable!()
            }
        }
        #[automatically_derived]
        impl #impl_generics #krate::private::Indexable for #ident #type_generics #clause {}
        #[automatically_derived]
        impl #impl_generics #krate::private::KeyValue for #ident #type_generics #clause {}
        #[automatically_derived]
        impl #impl_generics #krate::private::NotOption for #ident #type_generics #clause {}
    }
}

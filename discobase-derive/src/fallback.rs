//! Stub impls beside a diagnostic: the rest of the user's code still finds the traits it uses, so that one mistake
//! is reported as one.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::Table;
use crate::expand::{columns, header};

/// An `Entity` without meaning, and the columns as far as they are known.
pub(crate) fn table(table: &Table<'_>) -> TokenStream {
    let krate = &table.krate;
    let header = header(table);
    let (columns, columns_type) = columns::expand(table);
    quote! {
        #columns
        #[automatically_derived]
        #header {
            type Columns = #columns_type;
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
                _: &dyn #krate::private::Fields,
            ) -> ::core::result::Result<Self, (::core::primitive::usize, #krate::private::FieldError)> {
                ::core::unreachable!()
            }
        }
    }
}

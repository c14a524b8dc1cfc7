//! A unit enum as the type of a column.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::Enum;

/// `ColumnEnum`, and the traits of a column's type. These repeat the names instead of asking `ColumnEnum` for them,
/// so that an enum that is not `Copy` is one error and not one for each use.
pub(super) fn expand(column_enum: &Enum<'_>) -> TokenStream {
    let Enum { ident, krate, .. } = column_enum;
    let idents: Vec<_> = column_enum.variants.iter().map(|variant| variant.ident).collect();
    let names: Vec<_> = column_enum.variants.iter().map(|variant| &variant.name.text).collect();
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #krate::private::ColumnEnum for #ident {
            const VARIANTS: &'static [&'static ::core::primitive::str] = &[#(#names),*];
            fn name(self) -> &'static ::core::primitive::str {
                match self {
                    #(Self::#idents => #names,)*
                }
            }
            fn from_name(name: &::core::primitive::str) -> ::core::option::Option<Self> {
                match name {
                    #(#names => ::core::option::Option::Some(Self::#idents),)*
                    _ => ::core::option::Option::None,
                }
            }
        }
        #[automatically_derived]
        #[allow(deprecated)]
        impl #krate::private::ColumnValue for #ident {
            const TYPE: #krate::private::ColumnType = #krate::private::ColumnType::Enum {
                variants: &[#(#names),*],
            };
            fn as_value(&self) -> #krate::private::ValueRef<'_> {
                #krate::private::ValueRef::Text(match self {
                    #(Self::#idents => #names,)*
                })
            }
            fn decode(
                value: #krate::private::ValueRef<'_>,
            ) -> ::core::result::Result<Self, #krate::private::FieldError> {
                #krate::private::decode_enum(value)
            }
        }
        #[automatically_derived]
        impl #krate::private::Indexable for #ident {}
        #[automatically_derived]
        impl #krate::private::KeyValue for #ident {}
        #[automatically_derived]
        impl #krate::private::NotOption for #ident {}
    }
}

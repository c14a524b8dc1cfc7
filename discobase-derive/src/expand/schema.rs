//! The table's schema as a constant.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use crate::ast::{Kind, Table};

/// `const SCHEMA`, and the checks of the types that attributes need.
pub(super) fn expand(table: &Table<'_>) -> TokenStream {
    let krate = &table.krate;
    let name = &table.name.text;
    let checks = checks(table);
    let columns = table.columns().map(|field| {
        let (name, ty) = (&field.name.text, field.ty);
        let max_len =
            Literal::u32_unsuffixed(field.options.max_len.as_ref().map_or(0, |(_, length)| *length));
        let has_default = field.options.default.is_some();
        let (kind, nullable) = if field.options.json.is_some() {
            (quote!(#krate::private::ColumnType::Json), quote!(false))
        } else {
            // The same path everywhere, so that a type that is no column type is one error and not three.
            let value = quote!(<#ty as #krate::private::ColumnValue>);
            (quote!(#value::TYPE), quote!(#value::NULLABLE))
        };
        quote!(#krate::private::column(#name, #kind, #nullable, #max_len, #has_default))
    });
    let indexes = table.indexes().into_iter().map(|index| {
        let kind = match index.kind {
            Kind::Key => quote!(Key),
            Kind::Unique => quote!(Unique),
            Kind::Index => quote!(Index),
        };
        let (columns, channel) = (index.columns.into_iter().map(Literal::usize_unsuffixed), index.channel);
        quote!(#krate::private::index(#krate::private::IndexKind::#kind, &[#(#columns),*], #channel))
    });
    quote! {
        const SCHEMA: &'static #krate::private::TableSchema = {
            #checks
            &#krate::private::TableSchema { name: #name, columns: &[#(#columns),*], indexes: &[#(#indexes),*] }
        };
    }
}

/// Calls that compile only if the type of the field is one that the attribute can work with.
fn checks(table: &Table<'_>) -> TokenStream {
    let krate = &table.krate;
    let mut checks = TokenStream::new();
    for field in table.columns() {
        let (ty, options) = (field.ty, &field.options);
        if options.key.is_some() {
            checks.extend(quote!(#krate::private::assert_key::<#ty>();));
        }
        if options.unique.is_some() || options.index.is_some() {
            checks.extend(quote!(#krate::private::assert_indexable::<#ty>();));
        }
        if options.max_len.is_some() {
            checks.extend(quote!(#krate::private::assert_bounded::<#ty>();));
        }
    }
    checks
}

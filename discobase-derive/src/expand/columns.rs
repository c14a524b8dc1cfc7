//! The typed columns: a struct with one `Column` for each stored field.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};

use super::{embedded, relations};
use crate::ast::{Field, Table};

/// The struct, and the type to name it by.
pub(crate) fn expand(table: &Table<'_>) -> (TokenStream, TokenStream) {
    let Table { ident, vis, generics, krate, .. } = table;
    let columns = format_ident!("{ident}Columns");
    let (impl_generics, type_generics, clause) = generics.split_for_impl();
    let docs = format!("The columns of `{ident}`, typed: what its queries are written with.");
    let name = columns.to_string();
    let this = quote!(#ident #type_generics);
    let own = table.columns().enumerate().map(|(position, field)| {
        let (ident, ty) = (field.ident, column_ty(table, field, position));
        let docs = format!("The column `{}`.", field.name.text);
        quote!(#[doc = #docs] #vis #ident: #krate::private::Column<#this, #ty>)
    });
    let related = relations::columns(table).into_iter().map(|(field, _)| field);
    let fields = own.chain(embedded::column_fields(table, &this)).chain(related);
    let code = quote! {
        #[doc = #docs]
        #[allow(dead_code, non_snake_case, private_interfaces)]
        #vis struct #columns #generics #clause { #(#fields,)* }
        #[automatically_derived]
        impl #impl_generics ::core::marker::Copy for #columns #type_generics #clause {}
        #[automatically_derived]
        impl #impl_generics ::core::clone::Clone for #columns #type_generics #clause {
            fn clone(&self) -> Self {
                *self
            }
        }
        #[automatically_derived]
        impl #impl_generics ::core::fmt::Debug for #columns #type_generics #clause {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(#name)
            }
        }
    };
    (code, quote!(#columns #type_generics))
}

/// The type of a column, as queries know it.
pub(super) fn column_ty(table: &Table<'_>, field: &Field<'_>, position: usize) -> TokenStream {
    let Table { ident, generics, krate, .. } = table;
    let (_, type_generics, _) = generics.split_for_impl();
    let this = quote!(#ident #type_generics);
    let ty = replace_self(field.ty.to_token_stream(), &this);
    if field.options.json.is_some() {
        quote!(#krate::private::Json<#ty>)
    } else if field.options.with.is_some() {
        quote!(#krate::private::With<#this, #position, #ty>)
    } else {
        ty
    }
}

/// `fn columns`.
pub(super) fn value(table: &Table<'_>) -> TokenStream {
    let Table { ident, krate, .. } = table;
    let columns = format_ident!("{ident}Columns");
    let fields = table.columns().enumerate().map(|(position, field)| {
        let (ident, name) = (field.ident, &field.name.text);
        quote!(#ident: #krate::private::Column::new(#position, #name))
    });
    let all = quote!(<Self as #krate::private::Entity>::SCHEMA.columns);
    let fields = fields.chain(embedded::column_values(table, &quote!(Self), &all, &TokenStream::new()));
    let fields = fields.chain(relations::columns(table).into_iter().map(|(_, value)| value));
    quote! {
        fn columns() -> Self::Columns {
            #columns { #(#fields,)* }
        }
    }
}

/// `Self` in a field's type is the table, not the struct of columns.
pub(super) fn replace_self(tokens: TokenStream, this: &TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(ident) if ident == "Self" => this.clone(),
            TokenTree::Group(group) => {
                let mut replaced = Group::new(group.delimiter(), replace_self(group.stream(), this));
                replaced.set_span(group.span());
                TokenTree::Group(replaced).into()
            }
            token => token.into(),
        })
        .collect()
}

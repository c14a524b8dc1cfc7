//! The typed columns: a struct with one `Column` for each stored field.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};

use crate::ast::Table;

/// The struct, and the type to name it by.
pub(crate) fn expand(table: &Table<'_>) -> (TokenStream, TokenStream) {
    let Table { ident, vis, generics, krate, .. } = table;
    let columns = format_ident!("{ident}Columns");
    let (impl_generics, type_generics, clause) = generics.split_for_impl();
    let docs = format!("The columns of `{ident}`, typed: what its queries are written with.");
    let name = columns.to_string();
    let this = quote!(#ident #type_generics);
    let fields = table.columns().map(|field| {
        let (ident, ty) = (field.ident, replace_self(field.ty.to_token_stream(), &this));
        let docs = format!("The column `{}`.", field.name.text);
        let ty = if field.options.json.is_some() { quote!(#krate::private::Json<#ty>) } else { ty };
        quote!(#[doc = #docs] #vis #ident: #krate::private::Column<#this, #ty>)
    });
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

/// `fn columns`.
pub(super) fn value(table: &Table<'_>) -> TokenStream {
    let Table { ident, krate, .. } = table;
    let columns = format_ident!("{ident}Columns");
    let fields = table.columns().enumerate().map(|(position, field)| {
        let (ident, name) = (field.ident, &field.name.text);
        quote!(#ident: #krate::private::Column::new(#position, #name))
    });
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

//! Embedded structs: what a table writes of those it embeds, and `#[derive(Embedded)]`.
//!
//! Own columns have the positions that the derive counts; those of embedded structs follow, at positions that only the
//! compiler knows.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;

use super::{columns, model, row, schema};
use crate::ast::{Field, Table};

/// `<Address as Embedded>`.
fn embedded(table: &Table<'_>, field: &Field<'_>) -> TokenStream {
    let (krate, ty) = (&table.krate, field.ty);
    quote_spanned!(model::located(ty)=> <#ty as #krate::private::Embedded>)
}

/// The fields that are embedded structs, each with the position of its first column.
fn parts<'t>(table: &'t Table<'_>) -> impl Iterator<Item = (&'t Field<'t>, TokenStream)> {
    let own = Literal::usize_unsuffixed(table.columns().count());
    let mut first = own.to_token_stream();
    table.embedded().map(move |field| {
        let embedded = embedded(table, field);
        let next = quote!(#first + #embedded::COLUMNS.len());
        (field, std::mem::replace(&mut first, next))
    })
}

/// The columns and the indexes as expressions of static slices; the names of channels begin with `prefix`.
pub(super) fn slices(table: &Table<'_>, prefix: &str) -> (TokenStream, TokenStream) {
    let (own_columns, own_indexes) = (schema::columns(table), schema::indexes(table));
    if table.embedded().next().is_none() {
        return (own_columns, own_indexes);
    }
    let krate = &table.krate;
    let parts = table.embedded().map(|field| {
        let (embedded, before) = (embedded(table, field), field.prefix());
        quote! {
            #krate::private::Part {
                prefix: #before,
                columns: #embedded::COLUMNS,
                indexes: #embedded::INDEXES,
            }
        }
    });
    let shared = quote! {
        const OWN: &[#krate::private::ColumnSchema] = #own_columns;
        const PARTS: &[#krate::private::Part] = &[#(#parts),*];
        const NAMES: &[::core::primitive::u8] =
            &#krate::private::names::<{ #krate::private::name_bytes(#prefix, PARTS) }>(#prefix, PARTS);
        const COUNT: ::core::primitive::usize = #krate::private::column_count(OWN, PARTS);
    };
    let columns = quote! {{
        #shared
        const ALL: &[#krate::private::ColumnSchema] =
            &#krate::private::all_columns::<COUNT>(#prefix, OWN, PARTS, NAMES);
        ALL
    }};
    let indexes = quote! {{
        #shared
        const OWN_INDEXES: &[#krate::private::IndexSchema] = #own_indexes;
        const POSITIONS: &[::core::primitive::usize] = &#krate::private::positions::<COUNT>();
        const ALL: &[#krate::private::IndexSchema] =
            &#krate::private::all_indexes::<{ #krate::private::index_count(OWN_INDEXES, PARTS) }>(
                #prefix, OWN.len(), OWN_INDEXES, PARTS, NAMES, POSITIONS,
            );
        ALL
    }};
    (columns, indexes)
}

/// Constants that compile only if what is embedded fits beside everything else.
pub(super) fn checks(table: &Table<'_>) -> TokenStream {
    let Some(field) = table.embedded().last() else { return TokenStream::new() };
    let (krate, ident) = (&table.krate, table.ident);
    let schema = quote!(<#ident as #krate::private::Entity>::SCHEMA);
    let alike = "two columns or two indexes have the same name: give an embedded struct another prefix with \
                 embed(prefix = \"…\")";
    let long = "the name of a column or of an index's channel is longer than the 100 characters that a channel's may \
                have: give the embedded struct a shorter prefix with embed(prefix = \"…\")";
    let check = |name: &str, message: &str| {
        let check = Ident::new(name, Span::call_site());
        quote_spanned! {field.ident.span()=>
            const _: () = ::core::assert!(#krate::private::#check(#schema.columns, #schema.indexes), #message);
        }
    };
    [check("are_distinct", alike), check("are_short", long)].into_iter().collect()
}

/// The fields of the struct of columns.
pub(super) fn column_fields(table: &Table<'_>, root: &TokenStream) -> Vec<TokenStream> {
    let vis = table.vis;
    // A generic table that embeds is reported; what it embeds asks of the parameters what they need not be.
    table
        .embedded()
        .filter(|_| table.generics.params.is_empty())
        .map(|field| {
            let (ident, embedded) = (field.ident, embedded(table, field));
            let docs = format!("The columns of `{}`.", field.ident.unraw());
            let ty = quote_spanned!(model::located(field.ty)=> #embedded::Columns<#root>);
            quote!(#[doc = #docs] #vis #ident: #ty)
        })
        .collect()
}

/// Their values: `all` are the columns of the table, and the struct's own begin at `first`.
pub(super) fn column_values(
    table: &Table<'_>,
    root: &TokenStream,
    all: &TokenStream,
    first: &TokenStream,
) -> Vec<TokenStream> {
    parts(table)
        .map(|(field, at)| {
            let (ident, embedded) = (field.ident, embedded(table, field));
            quote!(#ident: #embedded::columns::<#root>(#all, #first #at))
        })
        .collect()
}

/// The last arm of `match position`: asks the embedded struct whose column it is.
pub(super) fn route(
    table: &Table<'_>,
    position: &Ident,
    ask: impl Fn(&Field<'_>, TokenStream, TokenStream) -> TokenStream,
    otherwise: &TokenStream,
) -> TokenStream {
    let asked = parts(table).map(|(field, first)| {
        let embedded = embedded(table, field);
        let there = ask(field, embedded.clone(), quote!(#position - (#first)));
        quote! {
            if #position >= #first && #position < #first + #embedded::COLUMNS.len() {
                return #there;
            }
        }
    });
    quote! {
        _ => {
            #(#asked)*
            #otherwise
        }
    }
}

/// What `decode` makes of the embedded structs.
pub(super) fn decoded(table: &Table<'_>, row: &TokenStream, first: &TokenStream) -> Vec<TokenStream> {
    parts(table)
        .map(|(field, at)| {
            let (ident, embedded) = (field.ident, embedded(table, field));
            quote!(#ident: #embedded::decode(#row, #first #at)?)
        })
        .collect()
}

/// The checks of their rules.
pub(super) fn rules(table: &Table<'_>, found: &Ident) -> Vec<TokenStream> {
    table
        .embedded()
        .map(|field| {
            let (ident, name, embedded) =
                (field.ident, field.ident.unraw().to_string(), embedded(table, field));
            quote!(#found.inside(#name, |found| #embedded::validate(&self.#ident, found));)
        })
        .collect()
}

/// `#[derive(Embedded)]`.
pub(super) fn expand(model: &Table<'_>) -> TokenStream {
    let Table { ident, vis, krate, .. } = model;
    let name = format_ident!("{ident}Columns");
    let (docs, shown) = (format!("The columns of `{ident}` in a table that embeds it."), name.to_string());
    let root = quote!(Root);
    let own = model.columns().enumerate().map(|(position, field)| {
        let (field_ident, ty) = (field.ident, columns::column_ty(model, field, position));
        let docs = format!("The column `{}`.", field.name.text);
        quote!(#[doc = #docs] #vis #field_ident: #krate::private::Column<Root, #ty>)
    });
    let fields = own.chain(column_fields(model, &root));
    let [all, first] = ["all", "first"].map(|name| Ident::new(name, Span::mixed_site()));
    let plus = quote!(#first +);
    let values = model.columns().enumerate().map(|(position, field)| {
        let field_ident = field.ident;
        quote!(#field_ident: #krate::private::column_at(#all, #first + #position))
    });
    let values = values.chain(column_values(model, &root, &all.to_token_stream(), &plus));
    let (columns, indexes) = slices(model, "");
    let checks = [schema::checks(model), model::checks(model)];
    let (conversions, rules) = (row::conversions(model, false), model::rules(model));
    let row = row::expand_embedded(model, &first);
    quote! {
        #[doc = #docs]
        #[allow(dead_code, non_snake_case, private_interfaces)]
        #vis struct #name<Root: 'static> { #(#fields,)* }
        #[automatically_derived]
        impl<Root: 'static> ::core::marker::Copy for #name<Root> {}
        #[automatically_derived]
        impl<Root: 'static> ::core::clone::Clone for #name<Root> {
            fn clone(&self) -> Self {
                *self
            }
        }
        #[automatically_derived]
        impl<Root: 'static> ::core::fmt::Debug for #name<Root> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(#shown)
            }
        }
        #(#checks)*
        const _: () = {
            #conversions
            #[automatically_derived]
            #[allow(deprecated)]
            impl #krate::private::Embedded for #ident {
                type Columns<Root: 'static> = #name<Root>;
                const COLUMNS: &'static [#krate::private::ColumnSchema] = #columns;
                const INDEXES: &'static [#krate::private::IndexSchema] = #indexes;
                fn columns<Root: 'static>(
                    #all: &'static [#krate::private::ColumnSchema],
                    #first: ::core::primitive::usize,
                ) -> Self::Columns<Root> {
                    #name { #(#values,)* }
                }
                #row
                #rules
            }
        };
    }
}

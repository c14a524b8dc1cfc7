//! Between the struct and the values of a row.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, ExprLit, Lit, Path};

use super::model::located;
use super::{embedded, header};
use crate::ast::{Field, Table};

/// `fn default_value`, `fn encode` and `fn decode` of a table.
pub(super) fn expand(table: &Table<'_>) -> TokenStream {
    let krate = &table.krate;
    // Out of sight of the expressions of `default`.
    let row = Ident::new("row", Span::mixed_site());
    let kept = kept(table);
    let decoded = decoded(table, &row, &TokenStream::new());
    let embedded = embedded::decoded(table, &row.to_token_stream(), &TokenStream::new());
    quote! {
        #kept
        fn decode(
            #row: &#krate::private::Stored<'_>,
        ) -> ::core::result::Result<Self, (::core::primitive::usize, #krate::private::FieldError)> {
            ::core::result::Result::Ok(Self { #(#decoded,)* #(#embedded,)* })
        }
    }
}

/// The same of an embedded struct, whose first column is at `first`.
pub(super) fn expand_embedded(table: &Table<'_>, first: &Ident) -> TokenStream {
    let krate = &table.krate;
    let row = Ident::new("row", Span::mixed_site());
    let kept = kept(table);
    let decoded = decoded(table, &row, &quote!(#first +));
    let embedded = embedded::decoded(table, &row.to_token_stream(), &quote!(#first +));
    quote! {
        #kept
        fn decode(
            #row: &#krate::private::Stored<'_>,
            #first: ::core::primitive::usize,
        ) -> ::core::result::Result<Self, (::core::primitive::usize, #krate::private::FieldError)> {
            ::core::result::Result::Ok(Self { #(#decoded,)* #(#embedded,)* })
        }
    }
}

/// `fn default_value` and `fn encode`.
fn kept(table: &Table<'_>) -> TokenStream {
    let krate = &table.krate;
    let [position, row] = ["position", "row"].map(|name| Ident::new(name, Span::mixed_site()));
    let defaults = table.columns().enumerate().filter_map(|(at, field)| default(table, field, at));
    let encoded = table.columns().enumerate().map(|(at, field)| encode(table, field, at, &row));
    let no_default = embedded::route(
        table,
        &position,
        |_, embedded, there| quote!(#embedded::default_value(#there)),
        &quote!(::core::option::Option::None),
    );
    let none = embedded::route(
        table,
        &position,
        |field, embedded, there| {
            let ident = field.ident;
            quote!(#embedded::encode(&self.#ident, #there, #row))
        },
        &quote!(::core::result::Result::Ok(())),
    );
    quote! {
        fn default_value(#position: ::core::primitive::usize) -> ::core::option::Option<#krate::private::Value> {
            match #position {
                #(#defaults)*
                #no_default
            }
        }
        fn encode(
            &self,
            #position: ::core::primitive::usize,
            #row: &mut #krate::private::RowWriter,
        ) -> ::core::result::Result<(), #krate::private::FieldError> {
            match #position {
                #(#encoded,)*
                #none
            }
        }
    }
}

/// The fields that are no embedded structs, as `decode` makes them.
fn decoded(table: &Table<'_>, row: &Ident, first: &TokenStream) -> Vec<TokenStream> {
    let mut at = 0;
    let fields =
        table.fields.iter().filter(|field| field.options.skip.is_some() || field.options.embed.is_none());
    fields
        .map(|field| {
            let code = decode(table, field, at, row, first);
            at += usize::from(field.options.skip.is_none());
            code
        })
        .collect()
}

fn default(table: &Table<'_>, field: &Field<'_>, at: usize) -> Option<TokenStream> {
    let value = default_expr(&table.krate, field)?;
    let (krate, ty, at) = (&table.krate, field.ty, Literal::usize_unsuffixed(at));
    let helper = if field.options.json.is_some() {
        quote!(default_json)
    } else if field.options.with.is_some() {
        quote!(default_with::<Self, #at>)
    } else {
        quote!(default_value)
    };
    let local = Ident::new("value", Span::mixed_site());
    Some(quote! {
        #at => {
            let #local: #ty = #value;
            #krate::private::#helper(&#local)
        }
    })
}

/// The value of `default`.
pub(super) fn default_expr(krate: &Path, field: &Field<'_>) -> Option<TokenStream> {
    let (_, expr) = field.options.default.as_ref()?;
    let ty = field.ty;
    Some(match expr {
        None => quote!(<#ty as ::core::default::Default>::default()),
        Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. }))
            if field.options.json.is_none() && field.options.with.is_none() =>
        {
            quote!(<#ty as #krate::private::TextDefault>::text_default(#text))
        }
        Some(expr) => quote!(#expr),
    })
}

fn encode(table: &Table<'_>, field: &Field<'_>, at: usize, row: &Ident) -> TokenStream {
    let (krate, ident, ty, at) = (&table.krate, field.ident, field.ty, Literal::usize_unsuffixed(at));
    if field.options.json.is_some() {
        quote!(#at => #krate::private::encode_json::<#ty>(&self.#ident, #row))
    } else if field.options.with.is_some() {
        quote!(#at => #krate::private::encode_with::<Self, #at>(&self.#ident, #row))
    } else {
        // The same path everywhere, so that a type that is no column type is one error.
        let value = quote!(<#ty as #krate::private::ColumnValue>);
        quote!(#at => #krate::private::encode(#value::TYPE, #value::as_value(&self.#ident), #row))
    }
}

fn decode(table: &Table<'_>, field: &Field<'_>, at: usize, row: &Ident, first: &TokenStream) -> TokenStream {
    let (krate, ident, ty, at) = (&table.krate, field.ident, field.ty, Literal::usize_unsuffixed(at));
    if field.options.skip.is_some() {
        quote!(#ident: <#ty as ::core::default::Default>::default())
    } else if field.options.json.is_some() {
        quote!(#ident: #row.json::<#ty>(#first #at)?)
    } else if field.options.with.is_some() {
        quote!(#ident: #row.field(#first #at, #krate::private::decode_with::<Self, #at>)?)
    } else {
        quote!(#ident: #row.read::<#ty>(#first #at)?)
    }
}

/// `Converts` for each field with `with`.
pub(crate) fn conversions(table: &Table<'_>, stub: bool) -> TokenStream {
    let Table { ident, krate, .. } = table;
    let generics = header::generics(table, stub);
    let (impl_generics, _, clause) = generics.split_for_impl();
    let (_, type_generics, _) = table.generics.split_for_impl();
    let converted = table.columns().enumerate().filter_map(|(at, field)| {
        let (_, module) = field.options.with.as_ref()?;
        Some((Literal::usize_unsuffixed(at), field.ty, module))
    });
    converted
        .map(|(at, ty, module)| {
            let there = located(module);
            let column = quote_spanned!(there=> #module::Column);
            let to = quote_spanned!(there=> #module::to_column(value));
            let from = quote_spanned! {there=>
                let given = #module::from_column(stored);
                (#krate::private::converted)(given)
            };
            quote! {
                #[automatically_derived]
                impl #impl_generics #krate::private::Converts<#at> for #ident #type_generics #clause {
                    type Field = #ty;
                    type Column = #column;
                    fn to_column(value: &Self::Field) -> Self::Column {
                        #to
                    }
                    fn from_column(
                        stored: Self::Column,
                    ) -> ::core::result::Result<Self::Field, #krate::private::FieldError> {
                        #from
                    }
                }
            }
        })
        .collect()
}

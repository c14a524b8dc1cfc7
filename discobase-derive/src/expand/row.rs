//! Between the struct and the values of a row.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;
use syn::{Expr, ExprLit, Lit, Path};

use crate::ast::{Field, Table};

/// `fn default_value`, `fn encode` and `fn decode`.
pub(super) fn expand(table: &Table<'_>) -> TokenStream {
    let krate = &table.krate;
    // Out of sight of the expressions of `default`.
    let [position, row, fields] =
        ["position", "row", "fields"].map(|name| Ident::new(name, Span::mixed_site()));
    let defaults = table.columns().enumerate().filter_map(|(at, field)| default(table, field, at));
    let encoded = table.columns().enumerate().map(|(at, field)| encode(table, field, at, &row));
    let decoded = table.fields.iter().scan(0, |at, field| {
        let code = decode(table, field, *at, &row);
        *at += usize::from(field.options.skip.is_none());
        Some(code)
    });
    quote! {
        fn default_value(#position: ::core::primitive::usize) -> ::core::option::Option<#krate::private::Value> {
            match #position {
                #(#defaults)*
                _ => ::core::option::Option::None,
            }
        }
        fn encode(
            &self,
            #position: ::core::primitive::usize,
            #row: &mut #krate::private::RowWriter,
        ) -> ::core::result::Result<(), #krate::private::FieldError> {
            match #position {
                #(#encoded,)*
                _ => {}
            }
            ::core::result::Result::Ok(())
        }
        fn decode(
            #fields: &dyn #krate::private::Fields,
        ) -> ::core::result::Result<Self, (::core::primitive::usize, #krate::private::FieldError)> {
            let #row = #krate::private::Stored::new(#fields, Self::default_value);
            ::core::result::Result::Ok(Self { #(#decoded,)* })
        }
    }
}

fn default(table: &Table<'_>, field: &Field<'_>, at: usize) -> Option<TokenStream> {
    let value = default_expr(&table.krate, field)?;
    let (krate, ty, at) = (&table.krate, field.ty, Literal::usize_unsuffixed(at));
    let helper = if field.options.json.is_some() { quote!(default_json) } else { quote!(default_value) };
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
        Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) if field.options.json.is_none() => {
            quote!(<#ty as #krate::private::TextDefault>::text_default(#text))
        }
        Some(expr) => quote!(#expr),
    })
}

fn encode(table: &Table<'_>, field: &Field<'_>, at: usize, row: &Ident) -> TokenStream {
    let (krate, ident, ty, at) = (&table.krate, field.ident, field.ty, Literal::usize_unsuffixed(at));
    if field.options.json.is_some() {
        quote!(#at => return #krate::private::encode_json::<#ty>(&self.#ident, #row))
    } else {
        quote!(#at => #row.put(<#ty as #krate::private::ColumnValue>::as_value(&self.#ident)))
    }
}

fn decode(table: &Table<'_>, field: &Field<'_>, at: usize, row: &Ident) -> TokenStream {
    let (krate, ident, ty, at) = (&table.krate, field.ident, field.ty, Literal::usize_unsuffixed(at));
    if field.options.skip.is_some() {
        quote!(#ident: <#ty as ::core::default::Default>::default())
    } else if field.options.json.is_some() {
        quote!(#ident: #row.json::<#ty>(#at)?)
    } else {
        quote!(#ident: #row.field(#at, <#ty as #krate::private::ColumnValue>::decode)?)
    }
}

//! Relations: the methods that lead from a record to others.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::header;
use crate::ast::{Field, Table};
use crate::attr::OnDelete;

/// The methods that find the record a field refers to.
pub(super) fn expand(table: &Table<'_>) -> TokenStream {
    let methods: Vec<_> = referring(table).map(|(at, field)| parent(table, at, field)).collect();
    if methods.is_empty() {
        return TokenStream::new();
    }
    let ident = table.ident;
    let generics = header::generics(table, false);
    let (impl_generics, _, clause) = generics.split_for_impl();
    let (_, type_generics, _) = table.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        #[allow(dead_code, private_interfaces)]
        impl #impl_generics #ident #type_generics #clause {
            #(#methods)*
        }
    }
}

/// The fields that refer to a table, with their positions.
fn referring<'t>(table: &'t Table<'_>) -> impl Iterator<Item = (usize, &'t Field<'t>)> {
    table.columns().enumerate().filter(|(_, field)| field.options.references.is_some())
}

fn parent(table: &Table<'_>, at: usize, field: &Field<'_>) -> TokenStream {
    let (Some((_, parent)), Some(name)) = (&field.options.references, field.relation()) else {
        return TokenStream::new();
    };
    let (krate, vis, ty) = (&table.krate, table.vis, field.ty);
    let docs = format!(
        "The record that `{}` refers to, as the source shows it: await it. It is an error if there is none, unless the \
         field is an `Option`.",
        field.name.text
    );
    let at = Literal::usize_unsuffixed(at);
    let key = quote!(<#parent as #krate::private::Entity>::Key);
    // At the field's type in the user's code: there it is said if that can't refer to the key.
    let refers = quote_spanned!(ty.span()=> <#ty as #krate::private::RefersTo<#key>>);
    quote! {
        #[doc = #docs]
        #vis fn #name(&self, source: &impl #krate::private::Source) -> #refers::Found<#parent> {
            #krate::private::parent::<Self, #parent, #ty>(self, #at, source)
        }
    }
}

/// Constants that compile only if what is asked of references can be done.
pub(super) fn checks(table: &Table<'_>) -> TokenStream {
    let krate = &table.krate;
    let nullable = referring(table).filter_map(|(_, field)| {
        let (option, OnDelete::SetNull) = field.options.on_delete.as_ref()? else { return None };
        if header::is_generic(table, field) {
            return None;
        }
        let ty = field.ty;
        let message = "`set_null` needs a field that can be null: make it an Option";
        Some(quote_spanned! {option.span()=>
            const _: () = ::core::assert!(<#ty as #krate::private::ColumnValue>::NULLABLE, #message);
        })
    });
    nullable.collect()
}

//! The table's schema as a constant.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned;

use super::columns::replace_self;
use super::{embedded, header};
use crate::ast::{Kind, Table};
use crate::attr::OnDelete;

/// `const SCHEMA`.
pub(super) fn expand(table: &Table<'_>) -> TokenStream {
    let (krate, name) = (&table.krate, &table.name.text);
    let renamed_from = match &table.renamed_from {
        Some(from) => quote!(::core::option::Option::Some(#from)),
        None => quote!(::core::option::Option::None),
    };
    let (columns, indexes) = embedded::slices(table, name);
    let skipped = table.fields.iter().filter(|field| field.options.skip.is_some());
    let skipped: Vec<_> = skipped.map(|field| field.ident.unraw().to_string()).collect();
    let skipped = (!skipped.is_empty())
        .then(|| quote!(const SKIPPED: &'static [&'static ::core::primitive::str] = &[#(#skipped),*];));
    quote! {
        #skipped
        const NAME: &'static ::core::primitive::str = #name;
        const SCHEMA: &'static #krate::private::TableSchema = &#krate::private::TableSchema {
            name: #name,
            columns: #columns,
            indexes: #indexes,
            renamed_from: #renamed_from,
        };
    }
}

/// The struct's own columns, as a slice.
pub(super) fn columns(table: &Table<'_>) -> TokenStream {
    let krate = &table.krate;
    let columns = table.columns().map(|field| {
        let (name, ty) = (&field.name.text, field.column_ty());
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
        let column = quote!(#krate::private::column(#name, #kind, #nullable, #max_len, #has_default));
        match &field.options.renamed_from {
            Some((_, from)) => quote!(#krate::private::renamed(#column, #from)),
            None => column,
        }
    });
    quote!(&[#(#columns),*])
}

/// The struct's own indexes, as a slice.
pub(super) fn indexes(table: &Table<'_>) -> TokenStream {
    let krate = &table.krate;
    let indexes = table.indexes().into_iter().map(|index| {
        let kind = match index.kind {
            Kind::Key => quote!(Key),
            Kind::Unique => quote!(Unique),
            Kind::Index => quote!(Index),
        };
        let (columns, channel) = (index.columns.into_iter().map(Literal::usize_unsuffixed), index.channel);
        let made =
            quote!(#krate::private::index(#krate::private::IndexKind::#kind, &[#(#columns),*], #channel));
        let Some((parent, on_delete)) = index.references else { return made };
        let on_delete = match on_delete {
            OnDelete::Restrict => quote!(Restrict),
            OnDelete::Cascade => quote!(Cascade),
            OnDelete::SetNull => quote!(SetNull),
        };
        let parent = quote!(<#parent as #krate::private::Entity>::NAME);
        quote!(#krate::private::referring(#made, #parent, #krate::private::OnDelete::#on_delete))
    });
    quote!(&[#(#indexes),*])
}

/// Constants that compile only if the type of a field is one that its options can work with.
///
/// They ask for constants of `ColumnValue` and not for further traits, so that a type that can't be a column at all
/// is one error. A type that mentions a generic parameter has the traits as bounds of the impl instead.
pub(super) fn checks(table: &Table<'_>) -> TokenStream {
    let Table { ident, krate, .. } = table;
    let this = quote!(#ident);
    let mut checks = TokenStream::new();
    for field in
        table.columns().filter(|field| field.options.json.is_none() && !header::is_generic(table, field))
    {
        let options = &field.options;
        let ty = replace_self(field.column_ty(), &this);
        let value = quote!(<#ty as #krate::private::ColumnValue>);
        let mut check = |condition: TokenStream, message: &str| {
            // At the field's type in the user's code, as if the check were written there.
            let condition = quote_spanned!(field.ty.span()=> ::core::assert!(#condition, #message));
            checks.extend(quote!(const _: () = #condition;));
        };
        if options.key.is_some() {
            let message = "a key can't be an Option, because it is always there; #[table(unique)] is for a field \
                           that is unique where it is set";
            check(quote!(!#value::NULLABLE), message);
        }
        if table.is_indexed(field) {
            check(
                quote!(#krate::private::is_indexable(#value::TYPE)),
                "JSON has no order, so it can't be a key, unique or an index",
            );
        }
        if options.max_len.is_some() {
            check(
                quote!(#krate::private::is_bounded(#value::TYPE)),
                "`max_len` is for String, Vec<u8> and Options of them: nothing else has a length",
            );
        }
    }
    checks
}

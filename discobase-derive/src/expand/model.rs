//! What the database does for a struct beside keeping it: fills fields, checks rules, runs hooks.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::{columns, embedded, header};
use crate::ast::{Field, Table};

/// `const MODEL`, `fn assign`, `fn validate`, `fn loaded` and `fn hooks`, as far as the struct has use for them.
pub(super) fn expand(table: &Table<'_>) -> TokenStream {
    [filled(table), rules(table), hooks(table)].into_iter().collect()
}

/// `SoftDelete`, if a field asks for it.
pub(crate) fn soft_delete(table: &Table<'_>, stub: bool) -> TokenStream {
    if !table.columns().any(|field| field.options.soft_delete.is_some()) {
        return TokenStream::new();
    }
    let (ident, krate) = (table.ident, &table.krate);
    let generics = header::generics(table, stub);
    let (impl_generics, _, clause) = generics.split_for_impl();
    let (_, type_generics, _) = table.generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #krate::private::SoftDelete for #ident #type_generics #clause {}
    }
}

fn filled(table: &Table<'_>) -> TokenStream {
    let krate = &table.krate;
    let find = |asked: fn(&Field<'_>) -> bool| table.columns().position(asked);
    let found = [
        find(|field| field.options.auto.is_some()),
        find(|field| field.options.created_at.is_some()),
        find(|field| field.options.updated_at.is_some()),
        find(|field| field.options.soft_delete.is_some()),
    ];
    if found.iter().all(Option::is_none) {
        return TokenStream::new();
    }
    let position = |found: Option<usize>| match found.map(Literal::usize_unsuffixed) {
        Some(position) => quote!(::core::option::Option::Some(#position)),
        None => quote!(::core::option::Option::None),
    };
    let [auto, created_at, updated_at, deleted_at] = found.map(position);
    let [at, value] = ["position", "value"].map(|name| Ident::new(name, Span::mixed_site()));
    let assigned = table.columns().enumerate().filter(|(position, _)| found.contains(&Some(*position))).map(
        |(position, field)| {
            let (position, ident, ty) = (Literal::usize_unsuffixed(position), field.ident, field.ty);
            quote!(#position => self.#ident = <#ty as #krate::private::ColumnValue>::decode(#value)?)
        },
    );
    quote! {
        const MODEL: #krate::private::Model = #krate::private::Model {
            auto: #auto,
            created_at: #created_at,
            updated_at: #updated_at,
            deleted_at: #deleted_at,
        };
        fn assign(
            &mut self,
            #at: ::core::primitive::usize,
            #value: #krate::private::ValueRef<'_>,
        ) -> ::core::result::Result<(), #krate::private::FieldError> {
            match #at {
                #(#assigned,)*
                _ => {}
            }
            ::core::result::Result::Ok(())
        }
    }
}

/// `fn validate`, if there is something to check.
pub(super) fn rules(table: &Table<'_>) -> TokenStream {
    let krate = &table.krate;
    let found = Ident::new("found", Span::mixed_site());
    let mut checks: Vec<TokenStream> =
        table.fields.iter().flat_map(|field| field_rules(table, field, &found)).collect();
    checks.extend(embedded::rules(table, &found));
    if let Some(function) = &table.validate {
        let at = located(function);
        checks.push(quote_spanned!(at=> #found.custom("", (#function)(self));));
    }
    for (option, check) in [(&table.garde, "garde"), (&table.validator, "validator")] {
        if let Some(option) = option {
            let check = Ident::new(check, option.span());
            checks.push(quote_spanned!(option.span()=> #krate::private::#check(self, #found);));
        }
    }
    if checks.is_empty() {
        return TokenStream::new();
    }
    quote! {
        fn validate(&self, #found: &mut #krate::private::Violations) {
            #(#checks)*
        }
    }
}

/// Where the user's own words stand, so that mistakes in them are reported there; names mean what they do in generated code.
pub(super) fn located(written: &impl Spanned) -> Span {
    Span::call_site().located_at(written.span())
}

/// The checks of one field.
pub(super) fn field_rules(table: &Table<'_>, field: &Field<'_>, found: &Ident) -> Vec<TokenStream> {
    let (krate, ident, ty, options) = (&table.krate, field.ident, field.ty, &field.options);
    let name = ident.unraw().to_string();
    let mut checks = Vec::new();
    if let Some((_, length)) = &options.length {
        let bound = |bound: Option<u32>| match bound {
            Some(bound) => quote!(::core::option::Option::Some(#bound)),
            None => quote!(::core::option::Option::None),
        };
        let (min, max) = (bound(length.min), bound(length.max));
        checks.push(quote!(#found.note(#name, #krate::private::length(&self.#ident, #min, #max));));
    }
    if let Some((_, range)) = &options.range {
        for (bound, check) in [(&range.min, quote!(at_least)), (&range.max, quote!(at_most))] {
            let Some(bound) = bound else { continue };
            let bound = quote!(&#krate::private::bound::<#ty>(#bound));
            checks.push(quote!(#found.note(#name, #krate::private::#check(&self.#ident, #bound));));
        }
    }
    if let Some((_, pattern)) = &options.pattern {
        checks.push(quote! {{
            static PATTERN: #krate::private::Pattern = #krate::private::Pattern::new(#pattern);
            #found.note(#name, PATTERN.check(&self.#ident));
        }});
    }
    if let Some((_, function)) = &options.validate {
        let at = located(function);
        checks.push(quote_spanned!(at=> #found.custom(#name, (#function)(&self.#ident));));
    }
    checks
}

fn hooks(table: &Table<'_>) -> TokenStream {
    let Some(option) = &table.hooks else { return TokenStream::new() };
    let krate = &table.krate;
    // At the option, so that hooks nobody wrote are reported there.
    let span = option.span();
    let load = quote_spanned!(span=> <Self as #krate::private::Hooks>::after_load(self));
    let made = quote_spanned!(span=> <#krate::private::HookTable<Self>>::new());
    quote! {
        // What is at the user's option is looked at by the user's lints.
        #[allow(unused_qualifications)]
        fn loaded(&mut self) {
            #load;
        }
        #[allow(unused_qualifications)]
        fn hooks() -> ::core::option::Option<&'static dyn #krate::private::Any> {
            ::core::option::Option::Some(const { &#made })
        }
    }
}

/// Constants that compile only if what is asked of a field fits its type.
pub(super) fn checks(table: &Table<'_>) -> TokenStream {
    let Table { ident, krate, .. } = table;
    let this = quote!(#ident);
    let mut checks = TokenStream::new();
    for field in
        table.columns().filter(|field| field.options.json.is_none() && !header::is_generic(table, field))
    {
        let options = &field.options;
        let ty = columns::replace_self(field.column_ty(), &this);
        let value = quote!(<#ty as #krate::private::ColumnValue>);
        let mut check = |option: Option<&Ident>, condition: TokenStream, message: &str| {
            if let Some(option) = option {
                let condition = quote_spanned!(option.span()=> ::core::assert!(#condition, #message));
                checks.extend(quote!(const _: () = #condition;));
            }
        };
        let is = |kind: &str| {
            let kind = Ident::new(kind, Span::call_site());
            quote!(#krate::private::#kind(#value::TYPE))
        };
        check(
            options.auto.as_ref(),
            is("is_integer"),
            "`auto` numbers integers: give other keys a `default_with = function`",
        );
        for option in [&options.created_at, &options.updated_at] {
            check(
                option.as_ref(),
                is("is_timestamp"),
                "a time is kept in a Timestamp, or in the type for times of chrono, time or jiff",
            );
        }
        let message = "`soft_delete` is for an Option of a time: None while the record is not deleted";
        check(
            options.soft_delete.as_ref(),
            quote!(#value::NULLABLE && #krate::private::is_timestamp(#value::TYPE)),
            message,
        );
        check(
            options.length.as_ref().map(|(option, _)| option),
            is("is_bounded"),
            "`length` is for String, Vec<u8> and Options of them: nothing else has a length",
        );
        check(
            options.range.as_ref().map(|(option, _)| option),
            is("is_ranged"),
            "`range` is for numbers, times and Options of them",
        );
        check(
            options.pattern.as_ref().map(|(option, _)| option),
            is("is_text"),
            "`pattern` is for String and Option<String>: only text can fit one",
        );
    }
    checks
}

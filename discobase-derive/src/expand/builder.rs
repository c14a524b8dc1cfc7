//! The builder: a struct whose type knows which fields it has, so that one that is missing is an error of the compiler
//! that names it.
//!
//! Each field that must be given is a type parameter, `Missing` at first and `Given` afterwards. `build` and `save` ask
//! each parameter for a trait of its field's own, whose diagnostic is the sentence a user reads. All of it lives in the
//! block of the table's impls: no name of it meets a user's.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{GenericParam, Generics, parse_quote};

use super::columns::replace_self;
use super::{header, row};
use crate::ast::{Field, Table};

/// A builder of so many parameters takes the compiler a moment; one of more has to be a struct.
const MOST: usize = 100;

/// The type of a table's builder before any field is given, the function that makes it, and the items both need.
pub(crate) struct Builder {
    pub(crate) items: TokenStream,
    pub(crate) ty: TokenStream,
    pub(crate) value: TokenStream,
}

/// A field that must be given: its state's parameter, and the trait that asks for it.
struct Required<'t> {
    field: &'t Field<'t>,
    state: Ident,
    given: Ident,
}

/// The builder; a `stub` is one beside a diagnostic, which nothing calls.
pub(crate) fn expand(table: &Table<'_>, stub: bool) -> Builder {
    let krate = &table.krate;
    let required: Vec<Required<'_>> =
        table.fields.iter().filter(|field| !field.may_be_left_out()).map(Required::new).collect();
    if required.len() > MOST || table.fields.is_empty() {
        let (ty, value) = (quote!(#krate::private::NoBuilder), quote!(#krate::private::NoBuilder));
        return Builder { items: TokenStream::new(), ty, value };
    }
    let parts = Parts::new(table, &required);
    let missing = vec![quote!(#krate::private::Missing); required.len()];
    let Parts { name, fields: fields_name, .. } = &parts;
    let (ty, fields) = (parts.ty(&missing), empty(table));
    Builder {
        items: [parts.declaration(), parts.traits(), parts.setters(), parts.finish(stub)]
            .into_iter()
            .collect(),
        ty,
        value: quote!(#name { fields: #fields_name { #fields }, state: ::core::marker::PhantomData }),
    }
}

impl<'t> Required<'t> {
    fn new(field: &'t Field<'t>) -> Self {
        let plain = field.ident.unraw();
        Self { field, state: format_ident!("State_{plain}"), given: format_ident!("Given_{plain}") }
    }
}

/// What the builder's items are written with.
struct Parts<'t> {
    table: &'t Table<'t>,
    required: &'t [Required<'t>],
    name: Ident,
    /// The struct of what was given so far, whatever its builder's type says of it.
    fields: Ident,
    /// The table's own parameters without their defaults, and those of the states.
    generics: Generics,
}

impl<'t> Parts<'t> {
    fn new(table: &'t Table<'t>, required: &'t [Required<'t>]) -> Self {
        let mut generics = without_defaults(table.generics);
        generics.params.extend(required.iter().map::<GenericParam, _>(|one| {
            let state = &one.state;
            parse_quote!(#state)
        }));
        let [name, fields] = ["Builder", "Fields"].map(|what| format_ident!("{}{what}", table.ident.unraw()));
        Self { table, required, name, fields, generics }
    }

    /// The builder's type with these states.
    fn ty(&self, states: &[TokenStream]) -> TokenStream {
        let (name, own) = (&self.name, arguments(self.table.generics));
        quote!(#name<#(#own,)* #(#states),*>)
    }

    fn states(&self) -> Vec<TokenStream> {
        self.required.iter().map(|one| one.state.to_token_stream()).collect()
    }

    /// The type of what was given so far.
    fn fields_ty(&self) -> TokenStream {
        let (fields, own) = (&self.fields, arguments(self.table.generics));
        quote!(#fields<#(#own),*>)
    }

    fn declaration(&self) -> TokenStream {
        let Self { table, name, generics, .. } = self;
        let (states, clause) = (self.states(), &generics.where_clause);
        let (fields_name, fields_ty, own) =
            (&self.fields, self.fields_ty(), without_defaults(table.generics));
        let fields = table.fields.iter().map(|field| {
            let (ident, ty) = (slot(field), ty(table, field));
            quote!(#ident: ::core::option::Option<#ty>)
        });
        let docs = format!("Makes a `{}` field by field.", table.ident);
        quote! {
            #[doc = #docs]
            #[must_use = "nothing is made until `build` or `save` is called"]
            #[allow(dead_code, missing_debug_implementations, non_camel_case_types, private_interfaces, unreachable_pub)]
            pub struct #name #generics #clause {
                fields: #fields_ty,
                state: ::core::marker::PhantomData<fn() -> (#(#states,)*)>,
            }
            #[allow(dead_code, non_snake_case)]
            struct #fields_name #own #clause {
                #(#fields,)*
            }
        }
    }

    /// A trait for each field that must be given, whose diagnostic names the field.
    fn traits(&self) -> TokenStream {
        let (krate, table) = (&self.table.krate, self.table.ident);
        self.required
            .iter()
            .map(|Required { field, given, .. }| {
                let (plain, ident) = (field.ident.unraw(), setter(field));
                let message = format!("the field `{plain}` of `{table}` is missing");
                let note = format!("call `.{ident}(…)` first; a field with a `default` may be left out");
                let label = format!("`{plain}` was not given");
                quote! {
                    #[diagnostic::on_unimplemented(message = #message, label = #label, note = #note)]
                    #[doc(hidden)]
                    #[allow(dead_code, non_camel_case_types, unreachable_pub)]
                    pub trait #given {}
                    impl #given for #krate::private::Given {}
                }
            })
            .collect()
    }

    fn setters(&self) -> TokenStream {
        let table = self.table;
        let (impl_generics, _, clause) = self.generics.split_for_impl();
        let (before, name) = (self.ty(&self.states()), &self.name);
        let setters = table.fields.iter().map(|field| {
            let krate = &table.krate;
            let (slot, setter, ty) = (slot(field), setter(field), ty(table, field));
            let docs = format!("Gives the field `{}`.", field.ident.unraw());
            let value = Ident::new("value", Span::mixed_site());
            let head = quote! {
                #[doc = #docs]
                #[allow(deprecated, non_snake_case, private_interfaces)]
                pub fn #setter
            };
            let given = quote! {
                self.fields.#slot = ::core::option::Option::Some(#krate::private::Assign::assign(#value));
            };
            let head = quote!(#head(mut self, #value: impl #krate::private::Assign<#ty>));
            let Some(at) = self.required.iter().position(|one| one.field.ident == field.ident) else {
                return quote!(#head -> Self { #given self });
            };
            let mut states = self.states();
            if let Some(state) = states.get_mut(at) {
                *state = quote!(#krate::private::Given);
            }
            let after = self.ty(&states);
            quote! {
                #head -> #after {
                    #given
                    #name { fields: self.fields, state: ::core::marker::PhantomData }
                }
            }
        });
        quote! {
            #[automatically_derived]
            #[allow(dead_code, non_camel_case_types)]
            impl #impl_generics #before #clause {
                #(#setters)*
            }
        }
    }

    /// `build` and `save`.
    fn finish(&self, stub: bool) -> TokenStream {
        let table = self.table;
        let Table { ident, krate, .. } = table;
        let mut generics = without_defaults(&header::generics(table, stub));
        let states: Vec<&Ident> = self.required.iter().map(|one| &one.state).collect();
        generics.params.extend(states.iter().map::<GenericParam, _>(|state| parse_quote!(#state)));
        let (impl_generics, _, clause) = generics.split_for_impl();
        let (_, type_generics, _) = table.generics.split_for_impl();
        let before = self.ty(&self.states());
        let given: Vec<&Ident> = self.required.iter().map(|one| &one.given).collect();
        let fields = table.fields.iter().map(|field| taken(table, field));
        let build_docs = format!("The `{ident}`.");
        let save_docs = format!("Saves the `{ident}`, as `Table::save` does.");
        quote! {
            #[automatically_derived]
            #[allow(dead_code, non_camel_case_types)]
            impl #impl_generics #before #clause {
                #[doc = #build_docs]
                #[allow(deprecated, private_interfaces)]
                pub fn build(self) -> #ident #type_generics
                where
                    #(#states: #given,)*
                {
                    #ident { #(#fields,)* }
                }

                #[doc = #save_docs]
                ///
                /// # Errors
                /// As `Table::save`.
                #[allow(private_interfaces)]
                pub fn save(self, db: &#krate::private::Database) -> #krate::private::Save<#ident #type_generics>
                where
                    #(#states: #given,)*
                {
                    #krate::private::Table::save(self.build(), db)
                }
            }
        }
    }
}

/// The builder's fields before any is given.
fn empty(table: &Table<'_>) -> TokenStream {
    table
        .fields
        .iter()
        .map(|field| {
            let slot = slot(field);
            quote!(#slot: ::core::option::Option::None,)
        })
        .collect()
}

/// A field of the struct, out of the builder.
fn taken(table: &Table<'_>, field: &Field<'_>) -> TokenStream {
    let (krate, ident, slot, ty, options) =
        (&table.krate, field.ident, slot(field), field.ty, &field.options);
    let left_out = if let Some((_, function)) = &options.default_with {
        quote!((#function)())
    } else if let Some(value) = row::default_expr(krate, field) {
        value
    } else if field.is_option() {
        quote!(::core::option::Option::None)
    } else if field.is_filled() {
        quote!(#krate::private::unfilled())
    } else if options.skip.is_some() {
        quote!(::core::default::Default::default())
    } else {
        return quote!(#ident: #krate::private::given(self.fields.#slot));
    };
    quote! {
        #ident: match self.fields.#slot {
            ::core::option::Option::Some(value) => value,
            ::core::option::Option::None => {
                let value: #ty = #left_out;
                value
            }
        }
    }
}

/// Where the builder keeps a field: apart from `state`, whatever the field is called.
fn slot(field: &Field<'_>) -> Ident {
    format_ident!("field_{}", field.ident.unraw())
}

/// What gives the field: called like it, unless the builder's own functions are.
fn setter(field: &Field<'_>) -> Ident {
    match field.ident.unraw().to_string().as_str() {
        own @ ("build" | "save") => format_ident!("with_{own}"),
        _ => field.ident.clone(),
    }
}

fn ty(table: &Table<'_>, field: &Field<'_>) -> TokenStream {
    let (ident, (_, type_generics, _)) = (table.ident, table.generics.split_for_impl());
    replace_self(field.ty.to_token_stream(), &quote!(#ident #type_generics))
}

fn without_defaults(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    for parameter in &mut generics.params {
        match parameter {
            GenericParam::Type(parameter) => parameter.default = None,
            GenericParam::Const(parameter) => parameter.default = None,
            GenericParam::Lifetime(_) => {}
        }
    }
    generics
}

/// The table's parameters as arguments.
fn arguments(generics: &Generics) -> Vec<TokenStream> {
    let argument = |parameter: &GenericParam| match parameter {
        GenericParam::Type(parameter) => parameter.ident.to_token_stream(),
        GenericParam::Const(parameter) => parameter.ident.to_token_stream(),
        GenericParam::Lifetime(parameter) => parameter.lifetime.to_token_stream(),
    };
    generics.params.iter().map(argument).collect()
}

//! Relations: the methods that lead from a record to others.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::Path;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::columns::replace_self;
use super::header;
use crate::ast::{Field, Table};
use crate::attr::{By, OnDelete, Relation};
use crate::krate::at;

/// The methods that lead from a record to others.
pub(crate) fn expand(table: &Table<'_>) -> TokenStream {
    let parents = referring(table).map(|(at, field)| parent(table, at, field));
    let others = table.relations.iter().map(|relation| others(table, relation));
    let methods: Vec<_> = parents.chain(others).collect();
    // A generic table that has relations is reported.
    if methods.is_empty() || !table.generics.params.is_empty() {
        return TokenStream::new();
    }
    let ident = table.ident;
    quote! {
        #[automatically_derived]
        #[allow(dead_code, private_interfaces)]
        impl #ident {
            #(#methods)*
        }
    }
}

/// The fields of the struct of columns, each with its value.
pub(super) fn columns(table: &Table<'_>) -> Vec<(TokenStream, TokenStream)> {
    if !table.generics.params.is_empty() {
        return Vec::new();
    }
    let Table { ident, krate, vis, .. } = table;
    let parents = referring(table).filter_map(|(at, field)| {
        let ((_, parent), name, ty) = (field.options.references.as_ref()?, field.relation()?, field.ty);
        let docs = format!("What `{}` refers to.", field.name.text);
        let ty = replace_self(ty.to_token_stream(), &quote!(#ident));
        Some((
            quote!(#[doc = #docs] #vis #name: #krate::private::BelongsTo<#ident, #parent, #ty>),
            quote!(#name: #krate::private::BelongsTo::new(#at)),
        ))
    });
    let others = table.relations.iter().map(|relation| {
        let (name, to) = (&relation.name, &relation.to);
        let docs = format!("The relation `{}`.", name.unraw());
        let (ty, value) = match &relation.by {
            By::Many(by) | By::One(by) => {
                let kind = if matches!(relation.by, By::Many(_)) { quote!(HasMany) } else { quote!(HasOne) };
                let back = back(table, to, by);
                let ty = quote!(#krate::private::#kind<#ident, #to>);
                (ty, quote!(#krate::private::#kind::new(|| #back)))
            }
            By::Links(link, from, toward) => {
                let ty = quote!(#krate::private::ManyToMany<#ident, #link, #to>);
                (ty, links(table, to, link, from, toward))
            }
        };
        (quote!(#[doc = #docs] #vis #name: #ty), quote!(#name: #value))
    });
    parents.chain(others).collect()
}

/// The position of a field of another struct that refers to this table.
fn back(table: &Table<'_>, other: &Path, field: &Ident) -> TokenStream {
    let (krate, ident) = (&table.krate, table.ident);
    // Here it is said if the field can't refer to this table's key.
    let span = field.span();
    quote_spanned! {span=>
        #krate::private::back::<#ident, #other, _>(<#other as #krate::private::Entity>::columns().#field)
    }
}

fn links(table: &Table<'_>, to: &Path, link: &Path, from: &Ident, toward: &Ident) -> TokenStream {
    let krate = &table.krate;
    let from = back(table, link, from);
    let toward = quote_spanned! {toward.span()=>
        #krate::private::back::<#to, #link, _>(<#link as #krate::private::Entity>::columns().#toward)
    };
    quote!(#krate::private::ManyToMany::new(|| #from, || #toward))
}

/// The methods that lead to records which refer to this one, or are linked to it.
fn others(table: &Table<'_>, relation: &Relation) -> TokenStream {
    let (krate, vis, name, to) = (&table.krate, table.vis, &relation.name, &relation.to);
    let shown = to.segments.last().map_or_else(String::new, |last| last.ident.unraw().to_string());
    match &relation.by {
        By::Many(by) => {
            let docs = format!("A query for the records of `{shown}` that refer to this one.");
            let back = back(table, to, by);
            quote! {
                #[doc = #docs]
                #vis fn #name(&self, source: &impl #krate::private::Source) -> #krate::private::Find<#to> {
                    #krate::private::children::<Self, #to>(self, #back, source)
                }
            }
        }
        By::One(by) => {
            let docs = format!("The record of `{shown}` that refers to this one, if there is one: await it.");
            let back = back(table, to, by);
            quote! {
                #[doc = #docs]
                #vis fn #name(
                    &self,
                    source: &impl #krate::private::Source,
                ) -> #krate::private::FindLenient<#to> {
                    #krate::private::only_child::<Self, #to>(self, #back, source)
                }
            }
        }
        By::Links(link, from, toward) => {
            let links = links(table, to, link, from, toward);
            let ty = quote!(#krate::private::ManyToMany<Self, #link, #to>);
            let found = format!("A query for the records of `{shown}` that are linked to this one.");
            let mut methods = quote! {
                #[doc = #found]
                #vis fn #name(&self, source: &impl #krate::private::Source) -> #krate::private::Find<#to> {
                    let links: #ty = #links;
                    #krate::private::linked(self, links, source)
                }
            };
            let ways = [
                (
                    "link",
                    "link",
                    "Links records of `{}` to this one, those that are not linked yet: one commit. How many were.",
                ),
                ("unlink", "unlink", "Takes links to records of `{}` away: one commit. How many there were."),
                (
                    "set",
                    "set_links",
                    "Links exactly these records of `{}` to this one: one commit. How many links were made or taken away.",
                ),
            ];
            for (prefix, function, docs) in ways {
                let method = format_ident!("{prefix}_{}", name.unraw(), span = name.span());
                let function = Ident::new(function, Span::call_site());
                let docs = docs.replace("{}", &shown);
                methods.extend(quote! {
                    #[doc = #docs]
                    #[doc = ""]
                    #[doc = "# Errors"]
                    #[doc = "`NoParent` when one of the records is not there; what a commit can fail with."]
                    #vis async fn #method(
                        &self,
                        target: &impl #krate::private::Writable,
                        to: impl ::core::iter::IntoIterator<Item = impl #krate::private::Keyed<#to>>,
                    ) -> #krate::private::Result<::core::primitive::u64> {
                        let links: #ty = #links;
                        #krate::private::#function(self, links, target, to).await
                    }
                });
            }
            methods
        }
    }
}

/// The fields that refer to a table, with their positions.
fn referring<'t>(table: &'t Table<'_>) -> impl Iterator<Item = (usize, &'t Field<'t>)> {
    table.columns().enumerate().filter(|(_, field)| field.options.references.is_some())
}

fn parent(table: &Table<'_>, position: usize, field: &Field<'_>) -> TokenStream {
    let (Some((_, parent)), Some(name)) = (&field.options.references, field.relation()) else {
        return TokenStream::new();
    };
    let (krate, vis, ty) = (&table.krate, table.vis, field.ty);
    let docs = format!(
        "The record that `{}` refers to, as the source shows it: await it. It is an error if there is none, unless the \
         field is an `Option`.",
        field.name.text
    );
    let place = Literal::usize_unsuffixed(position);
    let key = quote!(<#parent as #krate::private::Entity>::Key);
    // At the field's type in the user's code: there it is said if that can't refer to the key.
    let found = at(ty.span(), quote!(<#ty as #krate::private::RefersTo<#key>>::Found<#parent>));
    let find = at(ty.span(), quote!({ #krate::private::parent::<Self, #parent, #ty>(self, #place, source) }));
    quote! {
        #[doc = #docs]
        #vis fn #name(&self, source: &impl #krate::private::Source) -> #found #find
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

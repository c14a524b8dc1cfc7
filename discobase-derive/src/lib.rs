//! The derive macros of discobase. Use them through `discobase`, which re-exports them.
//!
//! A derive runs in three steps, one module each: `attr` and `ast` read the input into a model, `valid`
//! checks the rules that span several attributes, `expand` writes the code. Mistakes are collected in
//! `errors` and reported all at once, beside a stub from `fallback` that keeps them from causing others.

mod ast;
mod attr;
mod case;
mod errors;
mod expand;
mod fallback;
mod krate;
mod projection;
mod valid;

use proc_macro::TokenStream;

#[doc = include_str!("docs/table.md")]
#[proc_macro_derive(Table, attributes(table))]
pub fn derive_table(input: TokenStream) -> TokenStream {
    expand::table(input.into()).into()
}

#[doc = include_str!("docs/column_enum.md")]
#[proc_macro_derive(ColumnEnum, attributes(table))]
pub fn derive_column_enum(input: TokenStream) -> TokenStream {
    expand::column_enum(input.into()).into()
}

#[doc = include_str!("docs/embedded.md")]
#[proc_macro_derive(Embedded, attributes(table))]
pub fn derive_embedded(input: TokenStream) -> TokenStream {
    expand::embedded(input.into()).into()
}

#[doc = include_str!("docs/projection.md")]
#[proc_macro_derive(Projection, attributes(projection))]
pub fn derive_projection(input: TokenStream) -> TokenStream {
    projection::expand(input.into()).into()
}

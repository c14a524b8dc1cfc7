//! The model of a table: what the struct and its attributes say, before any rule is checked.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Fields, Generics, Ident, Path, Type, Visibility};

use crate::attr::{self, FieldOptions, Place};
use crate::case::snake_case;
use crate::errors::Errors;
use crate::krate;

/// A struct whose values are rows.
pub(crate) struct Table<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) vis: &'a Visibility,
    pub(crate) generics: &'a Generics,
    pub(crate) name: Name,
    /// The path of discobase.
    pub(crate) krate: Path,
    pub(crate) fields: Vec<Field<'a>>,
}

/// A name, and the tokens it came from.
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) tokens: TokenStream,
}

/// A field of the struct: a column, unless it is skipped.
pub(crate) struct Field<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) name: Name,
    pub(crate) options: FieldOptions,
}

/// What an index is for; the names are those of `IndexKind`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Key,
    Unique,
    Index,
}

/// An index: its columns by position, the plain name of its channel, and the option that asks for it.
pub(crate) struct Index<'a> {
    pub(crate) kind: Kind,
    pub(crate) columns: Vec<usize>,
    pub(crate) channel: String,
    pub(crate) option: &'a Ident,
}

impl<'a> Table<'a> {
    /// Reads the struct. What is not a struct with named fields has no model, only a mistake in `errors`.
    pub(crate) fn from_syn(input: &'a DeriveInput, errors: &mut Errors) -> Self {
        let options = attr::container(&input.attrs, Place::Struct, errors);
        Self {
            ident: &input.ident,
            vis: &input.vis,
            generics: &input.generics,
            name: match options.name {
                Some(name) => Name { text: name.value(), tokens: name.into_token_stream() },
                None => Name {
                    text: snake_case(&input.ident.unraw().to_string()),
                    tokens: input.ident.to_token_stream(),
                },
            },
            krate: krate::path(options.krate),
            fields: fields(input, errors),
        }
    }

    /// The stored fields, in the order of their positions.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &Field<'a>> + Clone {
        self.fields.iter().filter(|field| field.options.skip.is_none())
    }

    /// The indexes: the key first, then the others in the order of their columns.
    pub(crate) fn indexes(&self) -> Vec<Index<'_>> {
        let mut indexes: Vec<Index<'_>> = Vec::new();
        let table = &self.name.text;
        for (position, field) in self.columns().enumerate() {
            let Some(option) = &field.options.key else { continue };
            match indexes.first_mut() {
                Some(key) => {
                    key.columns.push(position);
                    key.channel = format!("{}_{}", key.channel, field.name.text);
                }
                None => indexes.push(Index::of(Kind::Key, position, table, field, option)),
            }
        }
        for (position, field) in self.columns().enumerate() {
            for (kind, option) in [(Kind::Unique, &field.options.unique), (Kind::Index, &field.options.index)]
            {
                if let Some(option) = option {
                    indexes.push(Index::of(kind, position, table, field, option));
                }
            }
        }
        indexes
    }
}

impl<'a> Index<'a> {
    fn of(kind: Kind, position: usize, table: &str, field: &Field<'_>, option: &'a Ident) -> Self {
        Self { kind, columns: vec![position], channel: format!("{table}_{}", field.name.text), option }
    }
}

fn fields<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Vec<Field<'a>> {
    let ident = &input.ident;
    let data = match &input.data {
        Data::Struct(data) => data,
        Data::Enum(data) => {
            errors.at(
                data.enum_token,
                "an enum can't be a table: derive `Table` for a struct with named fields; for an enum without data \
                 that is the type of a column, derive `ColumnEnum`",
            );
            return Vec::new();
        }
        Data::Union(data) => {
            errors.at(
                data.union_token,
                "a union can't be a table: derive `Table` for a struct with named fields",
            );
            return Vec::new();
        }
    };
    match &data.fields {
        Fields::Named(_) => {}
        Fields::Unnamed(unnamed) => {
            errors.at(
                unnamed,
                format!("columns are named after fields: write `struct {ident} {{ name: Type, … }}`"),
            );
        }
        Fields::Unit => {
            errors.at(ident, format!("a table needs a column: write `struct {ident} {{ name: Type, … }}`"));
        }
    }
    data.fields.iter().filter_map(|field| Field::from_syn(field, errors)).collect()
}

impl<'a> Field<'a> {
    fn from_syn(field: &'a syn::Field, errors: &mut Errors) -> Option<Self> {
        let ident = field.ident.as_ref()?;
        let options = attr::field(&field.attrs, Place::Field, errors);
        let name = match &options.rename {
            Some((_, name)) => Name { text: name.value(), tokens: quote!(#name) },
            None => Name { text: ident.unraw().to_string(), tokens: ident.to_token_stream() },
        };
        Some(Self { ident, ty: &field.ty, name, options })
    }
}

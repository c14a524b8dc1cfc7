//! The models of a table and of a column's enum: what the items and their attributes say, before any rule is
//! checked.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Expr, Fields, Generics, Ident, LitStr, Path, Type, Visibility};

use crate::attr::{self, Composite, FieldOptions, OnDelete, Place, Relation};
use crate::case::snake_case;
use crate::errors::Errors;
use crate::krate;

/// A struct whose values are rows.
pub(crate) struct Table<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) vis: &'a Visibility,
    pub(crate) generics: &'a Generics,
    pub(crate) name: Name,
    /// `renamed_from`.
    pub(crate) renamed_from: Option<LitStr>,
    /// The path of discobase.
    pub(crate) krate: Path,
    pub(crate) fields: Vec<Field<'a>>,
    /// Whether this is a struct with named fields; otherwise that is the mistake to report.
    pub(crate) shaped: bool,
    /// `hooks`, where it stands.
    pub(crate) hooks: Option<Ident>,
    /// The function that checks the whole struct.
    pub(crate) validate: Option<Expr>,
    /// `garde` and `validator`, where they stand.
    pub(crate) garde: Option<Ident>,
    pub(crate) validator: Option<Ident>,
    /// The relations to records that refer to those of this table.
    pub(crate) relations: Vec<Relation>,
    /// The indexes of several fields, apart from a composite key.
    pub(crate) composites: Vec<Composite>,
}

/// A name, and the tokens it came from.
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) tokens: TokenStream,
}

impl Name {
    fn given(text: &LitStr) -> Self {
        Self { text: text.value(), tokens: text.to_token_stream() }
    }

    fn of(ident: &Ident) -> Self {
        Self { text: ident.unraw().to_string(), tokens: ident.to_token_stream() }
    }

    fn renamed(ident: &Ident, options: &FieldOptions) -> Self {
        options.rename.as_ref().map_or_else(|| Self::of(ident), |(_, name)| Self::given(name))
    }
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
    /// The struct that its columns refer to, if they do.
    pub(crate) references: Option<(&'a Path, OnDelete)>,
}

impl<'a> Table<'a> {
    /// Reads the struct of a table.
    pub(crate) fn from_syn(input: &'a DeriveInput, errors: &mut Errors) -> Self {
        Self::read(input, Place::Struct, Place::Field, errors)
    }

    /// Reads a struct that tables embed: a table without a name.
    pub(crate) fn embedded_from_syn(input: &'a DeriveInput, errors: &mut Errors) -> Self {
        Self::read(input, Place::Embedded, Place::EmbeddedField, errors)
    }

    fn read(input: &'a DeriveInput, place: Place, field_place: Place, errors: &mut Errors) -> Self {
        let options = attr::container(&input.attrs, place, errors);
        Self {
            ident: &input.ident,
            vis: &input.vis,
            generics: &input.generics,
            name: match options.name {
                _ if place == Place::Embedded => Name { text: String::new(), ..Name::of(&input.ident) },
                Some(name) => Name::given(&name),
                None => Name { text: snake_case(&input.ident.unraw().to_string()), ..Name::of(&input.ident) },
            },
            renamed_from: options.renamed_from,
            krate: krate::path(options.krate),
            fields: fields(input, field_place, errors),
            shaped: matches!(&input.data, Data::Struct(data) if matches!(data.fields, Fields::Named(_))),
            hooks: options.hooks,
            validate: options.validate.map(|(_, function)| function),
            garde: options.garde,
            validator: options.validator,
            relations: options.relations,
            composites: options.composites,
        }
    }

    /// The fields that are columns, in the order of their positions.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &Field<'a>> + Clone {
        self.fields.iter().filter(|field| field.options.skip.is_none() && field.options.embed.is_none())
    }

    /// The fields that are embedded structs. Their columns come after the table's own.
    pub(crate) fn embedded(&self) -> impl Iterator<Item = &Field<'a>> + Clone {
        self.fields.iter().filter(|field| field.options.skip.is_none() && field.options.embed.is_some())
    }

    /// The indexes: the key first, then those of one column in the order of the columns, then those of several.
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
            let Some((option, parent)) = &field.options.references else { continue };
            // Whoever looks for what refers to a row finds it in an index on exactly this column.
            let known = indexes.iter().position(|index| index.columns == [position]);
            let known = known.unwrap_or_else(|| {
                indexes.push(Index::of(Kind::Index, position, table, field, option));
                indexes.len() - 1
            });
            if let Some(index) = indexes.get_mut(known) {
                let action = field.options.on_delete.as_ref().map(|(_, action)| *action);
                index.references = Some((parent, action.unwrap_or_default()));
            }
        }
        indexes.extend(self.composites.iter().filter_map(|composite| self.composite(composite)));
        indexes
    }

    /// An index of several fields; `None` if one of them is no column.
    fn composite<'t>(&'t self, composite: &'t Composite) -> Option<Index<'t>> {
        let (mut columns, mut channel) = (Vec::new(), self.name.text.clone());
        for ident in &composite.fields {
            let (position, field) = self.columns().enumerate().find(|(_, field)| field.ident == ident)?;
            columns.push(position);
            channel = format!("{channel}_{}", field.name.text);
        }
        let kind = if composite.option == "unique" { Kind::Unique } else { Kind::Index };
        Some(Index { kind, columns, channel, option: &composite.option, references: None })
    }

    /// Whether a field's values are compared by an index.
    pub(crate) fn is_indexed(&self, field: &Field<'_>) -> bool {
        let options = &field.options;
        let alone = options.key.is_some() || options.unique.is_some() || options.index.is_some();
        alone || self.composites.iter().any(|composite| composite.fields.contains(field.ident))
    }
}

impl<'a> Index<'a> {
    fn of(kind: Kind, position: usize, table: &str, field: &Field<'_>, option: &'a Ident) -> Self {
        let name = &field.name.text;
        let channel = if table.is_empty() { name.clone() } else { format!("{table}_{name}") };
        Self { kind, columns: vec![position], channel, option, references: None }
    }
}

fn fields<'a>(input: &'a DeriveInput, place: Place, errors: &mut Errors) -> Vec<Field<'a>> {
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
    data.fields.iter().filter_map(|field| Field::from_syn(field, place, errors)).collect()
}

impl<'a> Field<'a> {
    /// Whether a builder can do without the field: something else says what is in it.
    pub(crate) fn may_be_left_out(&self) -> bool {
        let options = &self.options;
        options.skip.is_some()
            || options.default.is_some()
            || options.default_with.is_some()
            || self.is_filled()
            || self.is_option()
    }

    /// What the relation to the record that the field refers to is called: `user` for `user_id`, if it is not said.
    pub(crate) fn relation(&self) -> Option<Ident> {
        if let Some((_, name)) = &self.options.relation {
            return Some(name.clone());
        }
        let name = self.ident.unraw().to_string();
        let name = name.strip_suffix("_id").filter(|name| !name.is_empty())?;
        // One that is a word of the language is written as one that is not.
        Some(syn::parse_str(name).unwrap_or_else(|_| Ident::new_raw(name, self.ident.span())))
    }

    /// What the names of an embedded struct's columns begin with.
    pub(crate) fn prefix(&self) -> String {
        match &self.options.embed {
            Some((_, Some(prefix))) => prefix.value(),
            _ => format!("{}_", self.ident.unraw()),
        }
    }

    /// The type of what is kept in its column: the field's, or what `with` makes of it.
    pub(crate) fn column_ty(&self) -> TokenStream {
        match &self.options.with {
            Some((_, module)) => quote!(#module::Column),
            None => self.ty.to_token_stream(),
        }
    }

    /// Whether the database puts something into it when it is saved.
    pub(crate) fn is_filled(&self) -> bool {
        let options = &self.options;
        options.auto.is_some() || options.created_at.is_some() || options.updated_at.is_some()
    }

    /// Whether the type is written as an `Option`; what an alias stands for nobody knows here.
    pub(crate) fn is_option(&self) -> bool {
        matches!(self.ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
    }

    fn from_syn(field: &'a syn::Field, place: Place, errors: &mut Errors) -> Option<Self> {
        let ident = field.ident.as_ref()?;
        let options = attr::field(&field.attrs, place, errors);
        Some(Self { ident, ty: &field.ty, name: Name::renamed(ident, &options), options })
    }
}

/// An enum that is the type of a column.
pub(crate) struct Enum<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) generics: &'a Generics,
    /// The path of discobase.
    pub(crate) krate: Path,
    pub(crate) variants: Vec<Variant<'a>>,
    /// Whether this is an enum; otherwise that is the mistake to report.
    pub(crate) shaped: bool,
}

/// One of its variants; the fields are those it must not have.
pub(crate) struct Variant<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) name: Name,
    pub(crate) fields: &'a Fields,
}

impl<'a> Enum<'a> {
    /// Reads the enum.
    pub(crate) fn from_syn(input: &'a DeriveInput, errors: &mut Errors) -> Self {
        let options = attr::container(&input.attrs, Place::Enum, errors);
        let mut read = Self {
            ident: &input.ident,
            generics: &input.generics,
            krate: krate::path(options.krate),
            variants: Vec::new(),
            shaped: false,
        };
        let message = "`ColumnEnum` is for an enum without data; a struct of serde's can be a column with \
                       #[table(json)] on the field that holds it";
        match &input.data {
            Data::Enum(data) => {
                read.shaped = true;
                read.variants =
                    data.variants.iter().map(|variant| Variant::from_syn(variant, errors)).collect();
            }
            Data::Struct(data) => errors.at(data.struct_token, message),
            Data::Union(data) => errors.at(data.union_token, message),
        }
        read
    }
}

impl<'a> Variant<'a> {
    fn from_syn(variant: &'a syn::Variant, errors: &mut Errors) -> Self {
        let options = attr::field(&variant.attrs, Place::Variant, errors);
        Self { ident: &variant.ident, name: Name::renamed(&variant.ident, &options), fields: &variant.fields }
    }
}

//! `#[table(...)]` attributes: from tokens to options that remember the tokens they came from.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::token::Paren;
use syn::{Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, Path, Token};

mod arguments;
mod reference;

use crate::case::closest;
use crate::errors::Errors;

/// Where an attribute stands, which decides what it may say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the struct of a table.
    Struct,
    /// On a field of it.
    Field,
    /// On an enum that is a column's type.
    Enum,
    /// On a variant of it.
    Variant,
    /// On a struct that tables embed.
    Embedded,
    /// On a field of it.
    EmbeddedField,
}

impl Place {
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Struct => &[
                "name",
                "renamed_from",
                "crate",
                "hooks",
                "validate",
                "garde",
                "validator",
                "has_many",
                "has_one",
                "many_to_many",
                "index",
                "unique",
            ],
            Self::Field => &[
                "key",
                "auto",
                "unique",
                "index",
                "max_len",
                "default",
                "default_with",
                "rename",
                "renamed_from",
                "skip",
                "json",
                "with",
                "created_at",
                "updated_at",
                "soft_delete",
                "length",
                "range",
                "pattern",
                "validate",
                "embed",
                "references",
                "on_delete",
                "relation",
            ],
            Self::Embedded => &["crate", "validate", "garde", "validator"],
            Self::EmbeddedField => &[
                "unique", "index", "max_len", "default", "rename", "skip", "json", "with", "length", "range",
                "pattern", "validate", "embed",
            ],
            Self::Enum => &["crate"],
            Self::Variant => &["rename"],
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Struct => "the struct",
            Self::Field => "a field",
            Self::Enum => "the enum",
            Self::Variant => "a variant",
            Self::Embedded => "an embedded struct",
            Self::EmbeddedField => "a field of an embedded struct",
        }
    }

    /// The other place of the same derive, for options that stand in the wrong one.
    fn other(self) -> Self {
        match self {
            Self::Struct => Self::Field,
            Self::Field => Self::Struct,
            Self::Enum => Self::Variant,
            Self::Variant => Self::Enum,
            Self::Embedded => Self::EmbeddedField,
            Self::EmbeddedField => Self::Embedded,
        }
    }
}

/// The options of a struct or an enum.
#[derive(Default)]
pub(crate) struct ContainerOptions {
    /// `name = "…"`.
    pub(crate) name: Option<LitStr>,
    /// `renamed_from = "…"`.
    pub(crate) renamed_from: Option<LitStr>,
    /// `crate = "…"`.
    pub(crate) krate: Option<Path>,
    /// `hooks`.
    pub(crate) hooks: Option<Ident>,
    /// `validate = path`.
    pub(crate) validate: Option<(Ident, Expr)>,
    /// `garde`.
    pub(crate) garde: Option<Ident>,
    /// `validator`.
    pub(crate) validator: Option<Ident>,
    /// `has_many(…)`, `has_one(…)`, `many_to_many(…)`.
    pub(crate) relations: Vec<Relation>,
    /// `index(…)`, `unique(…)`.
    pub(crate) composites: Vec<Composite>,
}

/// An index of several fields.
pub(crate) struct Composite {
    /// `index` or `unique`, where it stands.
    pub(crate) option: Ident,
    /// The fields, in the order of the index.
    pub(crate) fields: Vec<Ident>,
}

/// A relation to records that refer to those of this table.
pub(crate) struct Relation {
    /// What it is called.
    pub(crate) name: Ident,
    /// The struct that it leads to.
    pub(crate) to: Path,
    pub(crate) by: By,
}

/// How a relation leads back.
pub(crate) enum By {
    /// Many records refer to one by this field.
    Many(Ident),
    /// One record refers to one by this field.
    One(Ident),
    /// Records of this struct link two, by these fields.
    Links(Path, Ident, Ident),
}

/// The options of a field or a variant. A flag is kept as its identifier.
#[derive(Default)]
pub(crate) struct FieldOptions {
    pub(crate) key: Option<Ident>,
    pub(crate) unique: Option<Ident>,
    pub(crate) index: Option<Ident>,
    pub(crate) max_len: Option<(Ident, u32)>,
    pub(crate) default: Option<(Ident, Option<Expr>)>,
    pub(crate) rename: Option<(Ident, LitStr)>,
    pub(crate) renamed_from: Option<(Ident, LitStr)>,
    pub(crate) skip: Option<Ident>,
    pub(crate) json: Option<Ident>,
    pub(crate) with: Option<(Ident, Path)>,
    pub(crate) auto: Option<Ident>,
    pub(crate) default_with: Option<(Ident, Expr)>,
    pub(crate) created_at: Option<Ident>,
    pub(crate) updated_at: Option<Ident>,
    pub(crate) soft_delete: Option<Ident>,
    pub(crate) length: Option<(Ident, Length)>,
    pub(crate) range: Option<(Ident, Range)>,
    pub(crate) pattern: Option<(Ident, LitStr)>,
    pub(crate) validate: Option<(Ident, Expr)>,
    /// With the prefix, if one is given.
    pub(crate) embed: Option<(Ident, Option<LitStr>)>,
    /// `references = Struct`.
    pub(crate) references: Option<(Ident, Path)>,
    /// `on_delete = restrict`.
    pub(crate) on_delete: Option<(Ident, OnDelete)>,
    /// `relation = name`.
    pub(crate) relation: Option<(Ident, Ident)>,
}

/// What becomes of the rows that refer to one that is deleted; the names are those of core's `OnDelete`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnDelete {
    #[default]
    Restrict,
    Cascade,
    SetNull,
}

/// `length(min = …, max = …)`.
#[derive(Default)]
pub(crate) struct Length {
    pub(crate) min: Option<u32>,
    pub(crate) max: Option<u32>,
}

/// `range(min = …, max = …)`.
#[derive(Default)]
pub(crate) struct Range {
    pub(crate) min: Option<Expr>,
    pub(crate) max: Option<Expr>,
}

impl FieldOptions {
    /// The identifiers of all options that are set, in the order of the reference.
    pub(crate) fn set(&self) -> impl Iterator<Item = &Ident> {
        [
            self.key.as_ref(),
            self.auto.as_ref(),
            self.unique.as_ref(),
            self.index.as_ref(),
            self.max_len.as_ref().map(|(ident, _)| ident),
            self.default.as_ref().map(|(ident, _)| ident),
            self.default_with.as_ref().map(|(ident, _)| ident),
            self.rename.as_ref().map(|(ident, _)| ident),
            self.renamed_from.as_ref().map(|(ident, _)| ident),
            self.skip.as_ref(),
            self.json.as_ref(),
            self.with.as_ref().map(|(ident, _)| ident),
            self.created_at.as_ref(),
            self.updated_at.as_ref(),
            self.soft_delete.as_ref(),
            self.length.as_ref().map(|(ident, _)| ident),
            self.range.as_ref().map(|(ident, _)| ident),
            self.pattern.as_ref().map(|(ident, _)| ident),
            self.validate.as_ref().map(|(ident, _)| ident),
            self.embed.as_ref().map(|(ident, _)| ident),
            self.references.as_ref().map(|(ident, _)| ident),
            self.on_delete.as_ref().map(|(ident, _)| ident),
            self.relation.as_ref().map(|(ident, _)| ident),
        ]
        .into_iter()
        .flatten()
    }
}

/// One `name`, `name = value` or `name(arguments)`.
struct Item {
    name: Ident,
    value: Option<Expr>,
    arguments: Option<Group>,
}

/// The options that take arguments in parentheses.
const WITH_ARGUMENTS: [&str; 6] = ["embed", "length", "range", "has_many", "has_one", "many_to_many"];

/// The relations that a struct may have several of.
const RELATIONS: [&str; 3] = ["has_many", "has_one", "many_to_many"];

/// On a struct they take fields, and may be given several times; on a field they are flags.
const INDEXES: [&str; 2] = ["index", "unique"];

/// Reads the options of a struct or an enum.
pub(crate) fn container(attrs: &[Attribute], place: Place, errors: &mut Errors) -> ContainerOptions {
    let mut options = ContainerOptions::default();
    for item in items(attrs, place, errors) {
        if item.name == "name" {
            options.name = text(&item, "\"users\"", errors);
        } else if item.name == "renamed_from" {
            options.renamed_from = text(&item, "\"people\"", errors);
        } else if item.name == "hooks" {
            options.hooks = flag(item, errors);
        } else if item.name == "garde" {
            options.garde = flag(item, errors);
        } else if item.name == "validator" {
            options.validator = flag(item, errors);
        } else if item.name == "validate" {
            options.validate = function(item, errors);
        } else if RELATIONS.iter().any(|name| item.name == name) {
            options.relations.extend(reference::relations(&item, errors));
        } else if INDEXES.iter().any(|name| item.name == name) {
            options.composites.extend(arguments::composite(item, errors));
        } else if let Some(literal) = text(&item, "\"discobase\"", errors) {
            match literal.parse_with(Path::parse_mod_style) {
                Ok(path) => options.krate = Some(path),
                Err(_) => errors.at(
                    &literal,
                    "not a path; `crate` takes the path of discobase, for example `crate = \"discobase\"`",
                ),
            }
        }
    }
    options
}

/// Reads the options of a field or a variant.
pub(crate) fn field(attrs: &[Attribute], place: Place, errors: &mut Errors) -> FieldOptions {
    let mut options = FieldOptions::default();
    for item in items(attrs, place, errors) {
        match item.name.to_string().as_str() {
            "key" => options.key = flag(item, errors),
            "unique" => options.unique = flag(item, errors),
            "index" => options.index = flag(item, errors),
            "skip" => options.skip = flag(item, errors),
            "json" => options.json = flag(item, errors),
            "with" => options.with = module(item, errors),
            "auto" => options.auto = flag(item, errors),
            "created_at" => options.created_at = flag(item, errors),
            "updated_at" => options.updated_at = flag(item, errors),
            "soft_delete" => options.soft_delete = flag(item, errors),
            "default_with" => options.default_with = function(item, errors),
            "validate" => options.validate = function(item, errors),
            "references" => options.references = reference::table(item, errors),
            "on_delete" => options.on_delete = reference::on_delete(item, errors),
            "relation" => options.relation = reference::name(item, errors),
            "embed" => options.embed = arguments::prefix(&item, errors).map(|prefix| (item.name, prefix)),
            "length" => options.length = arguments::length(&item, errors).map(|length| (item.name, length)),
            "range" => options.range = arguments::range(&item, errors).map(|range| (item.name, range)),
            "pattern" => options.pattern = pattern(&item, errors).map(|pattern| (item.name, pattern)),
            "max_len" => options.max_len = length(&item, errors).map(|length| (item.name, length)),
            "renamed_from" => {
                options.renamed_from = text(&item, "\"score\"", errors).map(|name| (item.name, name));
            }
            "rename" => {
                options.rename = text(&item, "\"display-name\"", errors).map(|name| (item.name, name));
            }
            _ => options.default = Some((item.name, item.value)),
        }
    }
    options
}

/// All items of all `#[table(...)]` attributes that may stand in `place`, each once.
fn items(attrs: &[Attribute], place: Place, errors: &mut Errors) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("table")) {
        let Meta::List(list) = &attr.meta else {
            let options = place.options().join(", ");
            errors.at(
                &attr.meta,
                format!("write the options in parentheses: #[table(...)]; {} takes {options}", place.noun()),
            );
            continue;
        };
        let mut found = Vec::new();
        // What can't be read is a mistake in `errors`; only running out of tokens would be one here.
        let read = |input: ParseStream<'_>| parse_items(input, place, &mut found, errors);
        if let Err(error) = read.parse2(list.tokens.clone()) {
            errors.push(error);
        }
        for item in found {
            if !place.options().contains(&item.name.to_string().as_str()) {
                unknown(&item, place, errors);
            } else if items.iter().any(|earlier| earlier.name == item.name)
                && !may_be_several(&item.name, place)
            {
                errors.at(&item.name, format!("`{}` is given twice; keep one", item.name));
            } else {
                items.push(item);
            }
        }
    }
    items
}

/// Reads `name, name = value, …`; after something unreadable it goes on behind the next comma.
fn parse_items(
    input: ParseStream<'_>,
    place: Place,
    items: &mut Vec<Item>,
    errors: &mut Errors,
) -> syn::Result<()> {
    while !input.is_empty() {
        match parse_item(input, place) {
            Ok(item) => items.push(item),
            Err(error) => errors.push(error),
        }
        while !input.is_empty() && !input.peek(Token![,]) {
            input.parse::<TokenTree>()?;
        }
        input.parse::<Option<Token![,]>>()?;
    }
    Ok(())
}

/// Whether an option may be given several times.
fn may_be_several(option: &Ident, place: Place) -> bool {
    let known = |names: &[&str]| names.iter().any(|name| option == name);
    known(&RELATIONS) || (place == Place::Struct && known(&INDEXES))
}

fn parse_item(input: ParseStream<'_>, place: Place) -> syn::Result<Item> {
    let name = input.call(Ident::parse_any).map_err(|error| {
        let message = format!("expected an option; {} takes {}", place.noun(), place.options().join(", "));
        syn::Error::new(error.span(), message)
    })?;
    let of_fields = INDEXES.iter().any(|index| name == index);
    if input.peek(Paren) && of_fields && place != Place::Struct {
        let message = format!(
            "an index of several fields is written on the struct of the table: #[table({name}(first, second))]"
        );
        return Err(input.error(message));
    }
    let arguments = match input.peek(Paren) && (of_fields || WITH_ARGUMENTS.iter().any(|with| name == with)) {
        true => Some(input.parse()?),
        false => None,
    };
    let has_value = arguments.is_none() && input.parse::<Option<Token![=]>>()?.is_some();
    let value = if has_value { Some(input.parse()?) } else { None };
    if input.is_empty() || input.peek(Token![,]) {
        Ok(Item { name, value, arguments })
    } else {
        Err(input.error("options are written `name` or `name = value`, with a comma between them"))
    }
}

fn unknown(item: &Item, place: Place, errors: &mut Errors) {
    let name = item.name.to_string();
    let options = place.options();
    let message = if name == "name" && place == Place::Field {
        "`name` names the table and belongs on the struct; a column gets another name with `rename`"
            .to_owned()
    } else if name == "rename" && place == Place::Struct {
        "`rename` belongs on a field; a table gets another name with `name`".to_owned()
    } else if place == Place::EmbeddedField && Place::Field.options().contains(&name.as_str()) {
        format!("`{name}` belongs on a field of the table itself, not of a struct that it embeds")
    } else if place == Place::Embedded && Place::Struct.options().contains(&name.as_str()) {
        format!("`{name}` belongs on the struct of the table, not on one that it embeds")
    } else if place.other().options().contains(&name.as_str()) {
        format!("`{name}` belongs on {}, not on {}", place.other().noun(), place.noun())
    } else if let Some(known) = closest(&name, options) {
        format!("unknown option `{name}`; did you mean `{known}`?")
    } else {
        format!("unknown option `{name}`; {} takes {}", place.noun(), options.join(", "))
    };
    errors.at(&item.name, message);
}

fn flag(item: Item, errors: &mut Errors) -> Option<Ident> {
    if let Some(value) = &item.value {
        errors.at(value, format!("`{}` takes no value", item.name));
    }
    Some(item.name)
}

/// `name = function`.
fn function(item: Item, errors: &mut Errors) -> Option<(Ident, Expr)> {
    match item.value {
        Some(function @ (Expr::Path(_) | Expr::Closure(_))) => Some((item.name, function)),
        _ => {
            let message = format!("`{name}` takes a function: `{name} = path::of::it`", name = item.name);
            errors.at(tokens(&item), message);
            None
        }
    }
}

/// `name = module`.
fn module(item: Item, errors: &mut Errors) -> Option<(Ident, Path)> {
    match item.value {
        Some(Expr::Path(path)) if path.qself.is_none() && path.attrs.is_empty() => {
            Some((item.name, path.path))
        }
        _ => {
            let message = format!(
                "`{name}` takes a module that has `Column`, `to_column` and `from_column`: `{name} = url_as_text`",
                name = item.name
            );
            errors.at(tokens(&item), message);
            None
        }
    }
}

/// `pattern = "…"`, which must be a regular expression.
fn pattern(item: &Item, errors: &mut Errors) -> Option<LitStr> {
    let pattern = text(item, "\"^[a-z]+$\"", errors)?;
    match regex_lite::Regex::new(&pattern.value()) {
        Ok(_) => Some(pattern),
        Err(error) => {
            errors.at(&pattern, format!("not a pattern that can be matched: {error}"));
            None
        }
    }
}

fn text(item: &Item, example: &str, errors: &mut Errors) -> Option<LitStr> {
    if let Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) = &item.value {
        return Some(text.clone());
    }
    errors.at(tokens(item), format!("`{name}` takes a text: `{name} = {example}`", name = item.name));
    None
}

fn length(item: &Item, errors: &mut Errors) -> Option<u32> {
    if let Some(Expr::Lit(ExprLit { lit: Lit::Int(number), .. })) = &item.value {
        match number.base10_parse::<u32>() {
            Ok(0) => errors.at(number, "nothing but an empty value would fit; `max_len` is at least 1"),
            Ok(length) if matches!(number.suffix(), "" | "u32") => return Some(length),
            _ => errors.at(number, format!("`max_len` is a whole number from 1 to {}", u32::MAX)),
        }
    } else {
        errors
            .at(tokens(item), format!("`max_len` is a whole number from 1 to {}: `max_len = 100`", u32::MAX));
    }
    None
}

/// What to underline for a wrong value: the value, or the name where there is none.
fn tokens(item: &Item) -> TokenStream {
    let name = &item.name;
    item.value.as_ref().map_or_else(|| quote!(#name), |value| quote!(#value))
}

//! `#[derive(Projection)]`: a struct of some columns of a table.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::{Parse as _, ParseStream, Parser as _};
use syn::spanned::Spanned as _;
use syn::{Attribute, Data, DeriveInput, Fields, LitStr, Meta, Path, Token, Type};

use crate::case::closest;
use crate::errors::Errors;
use crate::krate;

/// What the input says, as far as it could be read.
struct Model<'a> {
    input: &'a DeriveInput,
    krate: Path,
    table: Option<Type>,
    fields: Vec<Field<'a>>,
}

/// One field, and the table's fields that lead to its column.
struct Field<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    column: Vec<Ident>,
}

/// An option with the value that follows it.
enum Value {
    Type(Box<Type>),
    Text(LitStr),
    None,
}

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(input) {
        Ok(input) => input,
        Err(error) => return error.to_compile_error(),
    };
    let mut errors = Errors::new();
    let model = Model::read(&input, &mut errors);
    let code = model.code(errors.is_empty());
    let diagnostics = errors.finish();
    quote!(#diagnostics #code)
}

impl<'a> Model<'a> {
    fn read(input: &'a DeriveInput, errors: &mut Errors) -> Self {
        let (mut table, mut given) = (None, None);
        for (name, value) in options(&input.attrs, &["table", "crate"], "the struct", errors) {
            match value {
                Value::Type(ty) if name == "table" => table = Some(*ty),
                Value::Text(path) if name == "crate" => match path.parse_with(Path::parse_mod_style) {
                    Ok(path) => given = Some(path),
                    Err(_) => errors.at(&path, "not a path; `crate` takes the path of discobase"),
                },
                _ if name == "table" => {
                    errors.at(&name, "`table` takes the struct of a table: `table = User`");
                }
                _ => errors.at(&name, "`crate` takes the path of discobase: `crate = \"discobase\"`"),
            }
        }
        if table.is_none() && errors.is_empty() {
            errors.at(
                &input.ident,
                "of which table are the fields columns? Say it with #[projection(table = …)]",
            );
        }
        if let Some(parameter) = input.generics.params.first() {
            errors.at(parameter, "a projection has no parameters: its fields have the types of the table's");
        }
        let fields = fields(input, errors);
        Self { input, krate: krate::path(given), table, fields }
    }

    /// The impl; without meaning if there are mistakes.
    fn code(&self, correct: bool) -> TokenStream {
        let Self { input: DeriveInput { ident, .. }, krate, .. } = self;
        let Some(table) = self.table.as_ref().filter(|_| self.input.generics.params.is_empty()) else {
            return TokenStream::new();
        };
        let [columns, values] = ["columns", "values"].map(|name| Ident::new(name, Span::mixed_site()));
        let parts =
            if correct { self.parts(table, &columns, &values) } else { quote!(::core::unreachable!()) };
        quote! {
            #[automatically_derived]
            #[allow(deprecated, unused_variables)]
            impl #krate::private::Projection for #ident {
                type Table = #table;
                fn parts(
                    #values: ::core::option::Option<&[#krate::private::ValueRef<'_>]>,
                ) -> ::core::result::Result<
                    #krate::private::Parts<Self>,
                    (::core::primitive::usize, #krate::private::FieldError),
                > {
                    #parts
                }
            }
        }
    }

    /// Names each column once: one that is not there is reported once.
    fn parts(&self, table: &Type, columns: &Ident, values: &Ident) -> TokenStream {
        let krate = &self.krate;
        let column = |place: usize| Ident::new(&format!("column_{place}"), Span::mixed_site());
        let all = self.fields.iter().enumerate().map(|(place, field)| {
            let (column, path) = (column(place), &field.column);
            quote!(let #column = #columns #(.#path)*;)
        });
        let positions = (0..self.fields.len()).map(|place| {
            let column = column(place);
            quote!(#column.position())
        });
        let fields = self.fields.iter().enumerate().map(|(place, field)| {
            let (ident, column, place) = (field.ident, column(place), Literal::usize_suffixed(place));
            let read = quote!(#krate::private::projected(#column, #values, #place)?);
            let read = krate::at(field.ty.span(), read);
            quote!(#ident: #read)
        });
        quote! {
            let #columns = <#table as #krate::private::Entity>::columns();
            #(#all)*
            let ::core::option::Option::Some(#values) = #values else {
                return ::core::result::Result::Ok(
                    #krate::private::Parts::Positions(::std::vec![#(#positions),*]),
                );
            };
            ::core::result::Result::Ok(#krate::private::Parts::Struct(Self { #(#fields,)* }))
        }
    }
}

fn fields<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Vec<Field<'a>> {
    let named = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(named) if !named.named.is_empty() => named,
            _ => {
                errors.at(
                    &input.ident,
                    "a projection is a struct with named fields: each is a column of the table",
                );
                return Vec::new();
            }
        },
        Data::Enum(data) => {
            errors.at(data.enum_token, "a projection is a struct with named fields, not an enum");
            return Vec::new();
        }
        Data::Union(data) => {
            errors.at(data.union_token, "a projection is a struct with named fields, not a union");
            return Vec::new();
        }
    };
    let mut fields = Vec::new();
    for field in &named.named {
        let Some(ident) = &field.ident else { continue };
        let mut column = vec![ident.clone()];
        for (name, value) in options(&field.attrs, &["column"], "a field", errors) {
            match value {
                Value::Text(path) => match column_path(&path) {
                    Some(path) => column = path,
                    None => errors.at(
                        &path,
                        "not the name of a field: `column` takes one, `column = \"name\"`, and with a dot one of an \
                         embedded struct, `column = \"home.city\"`",
                    ),
                },
                _ => errors.at(&name, "`column` takes the name of a field of the table: `column = \"name\"`"),
            }
        }
        fields.push(Field { ident, ty: &field.ty, column });
    }
    fields
}

/// The names of `home.city`, at the place of the text.
fn column_path(path: &LitStr) -> Option<Vec<Ident>> {
    let name = |part: &str| {
        let mut ident = Ident::parse_any.parse_str(part).ok()?;
        if syn::parse_str::<Ident>(part).is_err() {
            ident = Ident::new_raw(part, path.span());
        }
        ident.set_span(path.span());
        Some(ident)
    };
    path.value().split('.').map(name).collect()
}

/// The options of all `#[projection(...)]`, each once.
fn options(attrs: &[Attribute], known: &[&str], place: &str, errors: &mut Errors) -> Vec<(Ident, Value)> {
    let mut options: Vec<(Ident, Value)> = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("projection")) {
        let Meta::List(list) = &attr.meta else {
            let known = known.join(", ");
            errors.at(
                &attr.meta,
                format!("write the options in parentheses: #[projection(...)]; {place} takes {known}"),
            );
            continue;
        };
        let read = |input: ParseStream<'_>| {
            while !input.is_empty() {
                let (name, value) = option(input)?;
                let text = name.to_string();
                if !known.contains(&text.as_str()) {
                    let message = match closest(&text, known) {
                        Some(known) => format!("unknown option `{name}`; did you mean `{known}`?"),
                        None => format!("unknown option `{name}`; {place} takes {}", known.join(", ")),
                    };
                    errors.at(&name, message);
                } else if options.iter().any(|(earlier, _)| *earlier == name) {
                    errors.at(&name, format!("`{name}` is given twice; keep one"));
                } else {
                    options.push((name, value));
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        if let Err(error) = read.parse2(list.tokens.clone()) {
            errors.push(error);
        }
    }
    options
}

fn option(input: ParseStream<'_>) -> syn::Result<(Ident, Value)> {
    let name = input.call(Ident::parse_any)?;
    if input.parse::<Option<Token![=]>>()?.is_none() {
        return Ok((name, Value::None));
    }
    let value = if input.peek(LitStr) {
        Value::Text(input.parse()?)
    } else {
        Value::Type(Box::new(Type::parse(input)?))
    };
    Ok((name, value))
}

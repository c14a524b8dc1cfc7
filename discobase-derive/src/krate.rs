//! The path under which the deriving crate knows discobase.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::format_ident;
use syn::{Path, parse_quote};

/// `given`, or else the name of the dependency in the deriving crate's manifest: the facade, or core alone.
pub(crate) fn path(given: Option<Path>) -> Path {
    given.unwrap_or_else(|| {
        let name = format_ident!("{}", name(|package| crate_name(package).ok()), span = Span::call_site());
        parse_quote!(::#name)
    })
}

fn name(found: impl Fn(&str) -> Option<FoundCrate>) -> String {
    let name = ["discobase", "discobase-core"].into_iter().find_map(|package| match found(package)? {
        FoundCrate::Name(name) => Some(name),
        // The package itself derives: its examples, tests and doctests know it by its name, too.
        FoundCrate::Itself => Some(package.replace('-', "_")),
    });
    // Without a manifest that says otherwise, the name is most likely the usual one.
    name.unwrap_or_else(|| "discobase".to_owned())
}

/// The same tokens, located at a place in the user's code: what is wrong with them is shown there. What they mean stays.
pub(crate) fn at(span: Span, tokens: TokenStream) -> TokenStream {
    let moved = tokens.into_iter().map(|token| {
        let mut token = match token {
            TokenTree::Group(group) => {
                TokenTree::Group(Group::new(group.delimiter(), at(span, group.stream())))
            }
            token => token,
        };
        token.set_span(token.span().located_at(span));
        token
    });
    moved.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_the_crate() {
        let facade =
            |package: &str| (package == "discobase").then(|| FoundCrate::Name("database".to_owned()));
        assert_eq!(name(facade), "database");
        let core = |package: &str| (package == "discobase-core").then_some(FoundCrate::Itself);
        assert_eq!(name(core), "discobase_core");
        assert_eq!(name(|_| None), "discobase");
    }
}

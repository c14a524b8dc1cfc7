//! The path under which the deriving crate knows discobase.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::Span;
use quote::format_ident;
use syn::{Path, parse_quote};

/// `given`, or else the name of the dependency in the deriving crate's manifest: the facade, or core alone.
pub(crate) fn path(given: Option<Path>) -> Path {
    given.unwrap_or_else(|| {
        let name = ["discobase", "discobase-core"]
            .into_iter()
            .find_map(|package| match crate_name(package) {
                Ok(FoundCrate::Name(name)) => Some(name),
                // The package itself derives: its examples, tests and doctests know it by its name, too.
                Ok(FoundCrate::Itself) => Some(package.replace('-', "_")),
                Err(_) => None,
            })
            // Without a manifest that says otherwise the name is most likely the usual one.
            .unwrap_or_else(|| "discobase".to_owned());
        let name = format_ident!("{name}", span = Span::call_site());
        parse_quote!(::#name)
    })
}

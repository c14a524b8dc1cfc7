//! What the derives write, as snapshots: a change of the output is seen in review.

use proc_macro2::TokenStream;
use quote::quote;

/// The code, laid out.
fn pretty(code: TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(code).unwrap())
}

#[test]
fn a_table() {
    let code = super::table(quote! {
        #[table(name = "user_profiles")]
        pub struct UserProfile {
            #[table(key)]
            pub user_id: u64,
            #[table(unique, max_len = 100, rename = "name")]
            display_name: String,
            #[table(default = 0)]
            points: i64,
            #[table(index)]
            guild: Option<Id<GuildMarker>>,
            #[table(json, default)]
            settings: Settings,
            #[table(skip)]
            cache: Cache,
        }
    });
    insta::assert_snapshot!(pretty(code));
}

#[test]
fn a_generic_table_with_a_composite_key() {
    let code = super::table(quote! {
        #[table(crate = "database")]
        struct Wrapper<T: Into<u64>, const N: usize> where T: Copy {
            #[table(key)]
            a: T,
            #[table(key)]
            b: u64,
            #[table(skip)]
            parents: Vec<Self>,
        }
    });
    insta::assert_snapshot!(pretty(code));
}

#[test]
fn a_column_enum() {
    let code = super::column_enum(quote! {
        enum Role {
            Member,
            #[table(rename = "boss")]
            Chief,
        }
    });
    insta::assert_snapshot!(pretty(code));
}

#[test]
fn a_mistake_has_a_stub_beside_it() {
    let code = super::table(quote! {
        struct User<'a> {
            #[table(kye)]
            name: &'a str,
        }
    });
    insta::assert_snapshot!(pretty(code));
}

//! Generated code passes the lints that users deny.

#![deny(missing_docs, missing_debug_implementations, unreachable_pub, unused_qualifications)]
#![deny(warnings, single_use_lifetimes, unused_lifetimes, unused_results, trivial_casts, elided_lifetimes_in_paths)]
#![deny(let_underscore_drop, non_ascii_idents, unused_import_braces, variant_size_differences)]
#![forbid(unsafe_code)]

/// A module, to have something public.
pub mod tables {
    use discobase::{ColumnEnum, Table};

    /// A role.
    #[derive(Debug, Clone, Copy, ColumnEnum)]
    pub enum Role {
        /// A member.
        Member,
        /// A boss.
        #[deprecated]
        Boss,
    }

    /// A type that nobody outside sees.
    #[derive(Debug, Clone, Copy, ColumnEnum)]
    enum Secret {
        /// One.
        One,
    }

    /// A user.
    #[derive(Debug, Table)]
    pub struct User {
        /// The id.
        #[table(key)]
        pub id: u64,
        /// The role.
        pub role: Role,
        /// The old name.
        #[deprecated(note = "use the new one")]
        #[table(default = "x")]
        pub old: String,
        secret: Secret,
    }

    #[allow(non_snake_case)]
    #[derive(Debug, Table)]
    pub(crate) struct Inner {
        pub(super) id: u64,
        pub(crate) guildId: u64,
    }

    /// A generic table.
    #[derive(Debug, Table)]
    pub struct Wrapper<T> {
        /// The value.
        pub value: T,
    }
}

fn main() {
    use discobase::Entity;

    let columns = tables::Inner::columns();
    assert_eq!((columns.id.position(), columns.guildId.name()), (0, "guildId"));
    assert_eq!(format!("{columns:?}"), "InnerColumns");
}

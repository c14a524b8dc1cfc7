//! Models whose names and lints are not what generated code would like.

#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, unused_results)]
#![allow(dead_code)]

use discobase::{Database, Embedded, Hooks, Table};
use twilight_model::util::Timestamp;

/// Fields that are called like what a builder has.
#[derive(Debug, Clone, Table)]
#[table(hooks)]
pub struct Release {
    /// A key.
    #[table(key, auto)]
    pub id: i32,
    /// Like the builder's functions.
    pub build: u32,
    /// The same.
    pub save: String,
    /// A word of Rust's.
    pub r#type: String,
    /// Like the builder's own field.
    pub state: u8,
    /// The same.
    pub fields: u8,
    /// Like what `build` binds.
    #[table(default = 3)]
    pub value: u8,
    #[table(created_at)]
    created_at: Option<Timestamp>,
    /// An embedded struct.
    #[table(embed)]
    pub place: Place,
}

impl Hooks for Release {}

/// An embedded struct with names of generated code.
#[derive(Debug, Clone, Embedded)]
pub struct Place {
    /// Its columns.
    pub first: u8,
    /// The same.
    #[table(range(..=9))]
    pub all: u8,
    /// The same.
    pub found: u8,
    #[table(validate = fine)]
    row: u8,
    #[table(embed)]
    inner: Inner,
}

#[derive(Debug, Clone, Embedded)]
struct Inner {
    position: u8,
}

fn fine(_: &u8) -> Result<(), String> {
    Ok(())
}

/// A table whose builder asks for nothing.
#[derive(Debug, Default, Table)]
struct Lazy {
    #[table(default)]
    number: u8,
}

/// A generic one, with a default.
#[derive(Debug, Table)]
struct Wrapper<T, U = u8, const N: usize = 3> {
    id: T,
    other: Option<U>,
    #[table(skip)]
    skipped: u8,
}

fn main() {
    let place = Place { first: 1, all: 2, found: 3, row: 4, inner: Inner { position: 5 } };
    let mut builder = Release::builder().with_build(1).with_save("x").r#type("y").state(1).fields(2).place(place);
    if builder_is_long() {
        builder = builder.value(4);
    }
    let release = builder.clone_free().build();
    assert_eq!((release.id, release.value, release.created_at), (0, 3, None));
    assert_eq!(Lazy::builder().build().number, 0);
    let wrapper: Wrapper<u64, u16, 4> = Wrapper::<u64, u16, 4>::builder().id(1).build();
    assert_eq!(wrapper.other, None);
    let db = Database::new("models");
    drop(Lazy::builder().save(&db));
}

fn builder_is_long() -> bool {
    false
}

/// Whatever it is called, a builder can be handed on.
trait Free: Sized {
    fn clone_free(self) -> Self {
        self
    }
}

impl<T> Free for T {}

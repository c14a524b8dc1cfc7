//! Projections whose names and lints are not what generated code would like.

#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, unused_results)]
#![allow(dead_code)]

use discobase::{Database, Embedded, Projection, Table};

/// A table with names of generated code.
#[derive(Debug, Clone, Table)]
pub struct User {
    /// A key.
    #[table(key)]
    pub id: u64,
    /// A word of Rust's.
    pub r#type: String,
    /// Like what the derive binds.
    pub columns: u8,
    /// The same.
    pub values: Option<u8>,
    /// Kept as JSON.
    #[table(json)]
    pub tags: Vec<String>,
    /// An embedded struct.
    #[table(embed)]
    pub home: Address,
}

/// An embedded struct.
#[derive(Debug, Clone, Embedded)]
pub struct Address {
    /// A column.
    pub city: String,
}

/// Everything that a field can be.
#[derive(Debug, Clone, PartialEq, Projection)]
#[projection(table = User)]
pub struct Part {
    columns: u8,
    values: Option<u8>,
    r#type: String,
    #[projection(column = "type")]
    same: String,
    tags: Vec<String>,
    #[projection(column = "home.city")]
    city: String,
}

mod elsewhere {
    #[derive(Debug, discobase::Projection)]
    #[projection(table = super::User, crate = "discobase")]
    pub(crate) struct Id {
        pub(crate) id: u64,
    }
}

async fn parts(db: &Database) -> discobase::Result<(Vec<Part>, Option<elsewhere::Id>)> {
    let parts = User::find(db).select_as::<Part>().distinct().all().await?;
    Ok((parts, User::find(db).select_as().first().await?))
}

fn main() {
    let _future = parts;
}

//! An option that belongs elsewhere is told where.

use discobase::{ColumnEnum, Table};

#[derive(Table)]
#[table(key, rename = "people")]
struct User {
    #[table(name = "login")]
    name: String,
    #[table(crate = "discobase")]
    guild: u64,
}

#[derive(Clone, Copy, ColumnEnum)]
#[table(rename = "roles")]
enum Role {
    #[table(crate = "discobase")]
    Member,
    #[table(key)]
    Boss,
}

fn main() {}

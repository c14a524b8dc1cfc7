//! Columns that the table does not have, or of another type: each is reported once.

use discobase::{Projection, Table};

#[derive(Table)]
struct User {
    #[table(key)]
    id: u64,
    name: String,
    points: i64,
    #[table(skip)]
    cache: Vec<u8>,
}

#[derive(Projection)]
#[projection(table = User)]
struct Rank {
    nam: String,
    #[projection(column = "point")]
    score: i64,
    cache: Vec<u8>,
}

#[derive(Projection)]
#[projection(table = User)]
struct Other {
    id: i32,
    name: Option<String>,
}

fn main() {}

//! Fields that are no columns of the table.

use discobase::{Projection, Table};

#[derive(Table)]
struct User {
    #[table(key)]
    id: u64,
    name: String,
    points: Option<i64>,
    #[table(skip)]
    cache: Vec<u8>,
}

#[derive(Projection)]
#[projection(table = User)]
struct Unknown {
    id: u64,
    nam: String,
    #[projection(column = "point")]
    points: Option<i64>,
    cache: Vec<u8>,
}

fn main() {}

//! What a projection can say, and of what.

use discobase::{Projection, Table};

#[derive(Table)]
struct User {
    #[table(key)]
    id: u64,
    name: String,
    points: i64,
}

#[derive(Projection)]
struct OfNothing {
    id: u64,
}

#[derive(Projection)]
#[projection(table = "User", tabel = User)]
#[projection(column = "id")]
struct Options {
    #[projection(colum = "id")]
    id: u64,
    #[projection(column = name)]
    name: String,
    #[projection(column = "na me")]
    other: String,
    #[projection]
    points: i64,
}

#[derive(Projection)]
#[projection(table = User, table = User)]
struct Twice {
    id: u64,
}

#[derive(Projection)]
#[projection(table = User)]
struct Generic<T> {
    id: T,
}

#[derive(Projection)]
#[projection(table = User)]
struct Tuple(u64);

#[derive(Projection)]
#[projection(table = User)]
enum Choice {
    Id(u64),
}

fn main() {}

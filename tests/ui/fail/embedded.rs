//! What can be embedded, where, and as what.

use discobase::{Embedded, Table};

#[derive(Embedded)]
#[table(hooks, name = "x")]
struct Wrong<T> {
    #[table(key)]
    id: u64,
    #[table(uniqe)]
    text: T,
    #[table(created_at)]
    at: u64,
}

#[derive(Embedded)]
struct Address {
    city: String,
    #[table(length(min = 1))]
    number: u8,
}

struct Plain;

#[derive(Table)]
struct User {
    #[table(embed, index, max_len = 3)]
    home: Address,
    #[table(embed = "x")]
    work: Address,
    #[table(embed(prefix = "a b"))]
    other: Address,
    #[table(embed(before = "x"))]
    more: Address,
}

#[derive(Table)]
struct Generic<T> {
    id: T,
    #[table(embed)]
    home: Address,
}

fn main() {}

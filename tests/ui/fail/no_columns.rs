//! Columns are named after fields, and there is at least one.

use discobase::Table;

#[derive(Table)]
struct Pair(u64, String);

#[derive(Table)]
struct Unit;

#[derive(Table)]
struct Empty {}

#[derive(Table)]
struct AllSkipped {
    #[table(skip)]
    cache: u64,
}

fn main() {}

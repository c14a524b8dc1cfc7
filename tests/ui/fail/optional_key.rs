//! A key is always there.

use discobase::Table;

#[derive(Table)]
struct User {
    #[table(key)]
    id: Option<u64>,
}

fn main() {}

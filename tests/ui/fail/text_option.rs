//! Options whose value is a text.

use discobase::Table;

#[derive(Table)]
#[table(name = users, crate = 3)]
struct User {
    #[table(rename)]
    name: String,
    #[table(rename = 5)]
    alias: String,
}

#[derive(Table)]
#[table(crate = "not a path")]
struct Other {
    name: String,
}

fn main() {}

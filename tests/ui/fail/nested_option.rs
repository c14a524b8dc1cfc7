//! A column knows one kind of null only.

use discobase::Table;

#[derive(Table)]
struct User {
    name: Option<Option<String>>,
}

fn main() {}

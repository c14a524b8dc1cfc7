//! Options that exclude each other.

use discobase::Table;

#[derive(Table)]
struct User {
    #[table(key, unique)]
    id: u64,
    #[table(unique, index)]
    name: String,
    #[table(skip, key, default = 3, rename = "c")]
    cache: u64,
    #[table(json, unique)]
    settings: Vec<u64>,
    #[table(json, index, max_len = 3)]
    tags: Vec<String>,
}

#[derive(Table)]
struct Json {
    #[table(json, key)]
    id: Vec<u64>,
}

#[derive(Table)]
struct Keyed {
    #[table(key, index)]
    id: u64,
}

fn main() {}

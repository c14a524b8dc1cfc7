//! How options are written.

use discobase::Table;

#[derive(Table)]
#[table]
struct Bare {
    #[table = "key"]
    id: u64,
}

#[derive(Table)]
struct Values {
    #[table(key = true)]
    id: u64,
    #[table(rename("login"))]
    name: String,
    #[table(unique index)]
    alias: String,
    #[table(max_len = , index)]
    text: String,
    #[table(default = 1 2)]
    points: u64,
}

fn main() {}

//! Every option once, also across several attributes.

use discobase::Table;

#[derive(Table)]
#[table(name = "users", name = "people")]
struct User {
    #[table(key, key)]
    id: u64,
    #[table(max_len = 10)]
    #[table(max_len = 20)]
    name: String,
}

fn main() {}

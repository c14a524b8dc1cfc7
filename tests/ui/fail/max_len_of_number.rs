//! Only what has a length can be bounded.

use discobase::Table;

#[derive(Table)]
struct User {
    #[table(max_len = 10)]
    points: u64,
}

fn main() {}

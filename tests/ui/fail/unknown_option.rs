//! Slips are recognised; what nobody knows gets the list.

use discobase::{ColumnEnum, Table};

#[derive(Table)]
#[table(nmae = "users", schema = "public")]
struct User {
    #[table(uniqe)]
    name: String,
    #[table(maxlen = 10, primary)]
    alias: String,
    #[table("index")]
    guild: u64,
}

#[derive(Clone, Copy, ColumnEnum)]
#[table(path = "discobase")]
enum Role {
    #[table(renmae = "member")]
    Member,
    #[table(label = "boss")]
    Boss,
}

fn main() {}

//! A length is a whole number that something fits into.

use discobase::Table;

#[derive(Table)]
struct Lengths {
    #[table(max_len = 0)]
    zero: String,
    #[table(max_len = 4_294_967_296)]
    huge: String,
    #[table(max_len = "10")]
    text: String,
    #[table(max_len = -1)]
    negative: String,
    #[table(max_len = 10u8)]
    suffix: String,
    #[table(max_len = LIMIT)]
    constant: String,
    #[table(max_len)]
    missing: String,
}

const LIMIT: u32 = 10;

fn main() {}

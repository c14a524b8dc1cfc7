//! What is embedded must be able to be.

use discobase::{Embedded, Table};

#[derive(Embedded)]
struct Address {
    city: String,
}

struct Plain;

#[derive(Table)]
struct Types {
    id: u64,
    #[table(embed)]
    plain: Plain,
}

#[derive(Table)]
struct Optional {
    id: u64,
    #[table(embed)]
    maybe: Option<Address>,
}

fn main() {}

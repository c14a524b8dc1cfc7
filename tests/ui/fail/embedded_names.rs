//! Names that come together only when everything is known.

use discobase::{Embedded, Table};

#[derive(Embedded)]
struct Address {
    #[table(index)]
    city: String,
}

#[derive(Table)]
struct Alike {
    city: String,
    #[table(embed(prefix = ""))]
    home: Address,
}

#[derive(Table)]
struct Long {
    id: u64,
    #[table(embed(
        prefix = "a_prefix_that_is_so_long_that_nobody_would_ever_write_it_but_somebody_did_and_so_it_has_to_be_told_"
    ))]
    home: Address,
}

fn main() {}

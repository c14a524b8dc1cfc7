//! A column's name is part of its index's channel.

use discobase::Table;

#[derive(Table)]
struct User {
    #[table(rename = "")]
    empty: u64,
    #[table(rename = "display name")]
    space: u64,
    #[table(rename = "a_name_that_goes_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on")]
    long: u64,
}

fn main() {}

//! A row owns its data.

use discobase::Table;

#[derive(Table)]
struct Borrowed<'a, 'b: 'a> {
    name: &'a str,
    bytes: &'b [u8],
}

fn main() {}

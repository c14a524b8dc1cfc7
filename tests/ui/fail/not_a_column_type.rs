//! One error for a type that no column can have, wherever the type is used.

use std::collections::HashMap;

use discobase::Table;

struct Point;

#[derive(Table)]
struct Place {
    point: Point,
    maybe: Option<Point>,
    #[table(index)]
    visits: HashMap<String, u64>,
    #[table(key)]
    count: u128,
    #[table(max_len = 3)]
    tags: Vec<String>,
}

fn main() {}

//! A generic table is one for the arguments that fit its columns.

use discobase::{Entity, Table};

#[derive(Table)]
struct Wrapper<T> {
    #[table(key)]
    value: T,
}

struct Point;

fn entity<E: Entity>() {}

fn main() {
    entity::<Wrapper<u64>>();
    entity::<Wrapper<Point>>();
    entity::<Wrapper<Option<u64>>>();
}

//! Only a struct can be a table.

use discobase::Table;

#[derive(Table)]
enum Shape {
    Circle { radius: f64 },
    Point,
}

#[derive(Table)]
union Bits {
    float: f32,
    integer: u32,
}

fn main() {}

//! A type of the user's own that is kept as JSON does not order, so it can't be indexed.

use discobase::private::ValueRef;
use discobase::{ColumnType, ColumnValue, FieldError, Table};

struct Point;

impl ColumnValue for Point {
    const TYPE: ColumnType = ColumnType::Json;

    fn as_value(&self) -> ValueRef<'_> {
        ValueRef::Text("")
    }

    fn decode(_: ValueRef<'_>) -> Result<Self, FieldError> {
        Ok(Self)
    }
}

#[derive(Table)]
struct Place {
    #[table(unique)]
    unique: Point,
    #[table(index)]
    index: Point,
    #[table(key)]
    key: Point,
}

fn main() {}

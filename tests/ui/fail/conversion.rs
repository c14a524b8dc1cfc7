//! What the module of `with` must have.

use discobase::Table;

#[derive(Table)]
struct Half {
    #[table(with = half)]
    half: u8,
}

#[derive(Table)]
struct Empty {
    #[table(with = empty)]
    empty: u8,
}

mod half {
    pub type Column = u32;

    pub fn to_column(value: &u8) -> Column {
        (*value).into()
    }
}

mod empty {}

fn main() {}

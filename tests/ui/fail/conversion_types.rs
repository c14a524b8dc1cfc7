//! What the functions of `with` take and give.

use discobase::Table;

#[derive(Table)]
struct Types {
    #[table(with = of_text)]
    a: u8,
    #[table(with = to_nothing)]
    b: u8,
    #[table(with = without_result)]
    c: u8,
}

mod of_text {
    pub type Column = String;

    pub fn to_column(value: &str) -> Column {
        value.to_owned()
    }

    pub fn from_column(value: Column) -> Result<u8, std::num::ParseIntError> {
        value.parse()
    }
}

mod to_nothing {
    pub type Column = ();

    pub fn to_column(_: &u8) -> Column {}

    pub fn from_column(_: Column) -> Result<u8, std::convert::Infallible> {
        Ok(0)
    }
}

mod without_result {
    pub type Column = u32;

    pub fn to_column(value: &u8) -> Column {
        (*value).into()
    }

    pub fn from_column(value: Column) -> u8 {
        value as u8
    }
}

fn main() {}

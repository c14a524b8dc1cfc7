//! How rules are written.

use discobase::Table;

#[derive(Table)]
struct Rules {
    #[table(length)]
    a: String,
    #[table(length())]
    b: String,
    #[table(length(min = 3, max = 2))]
    c: String,
    #[table(length(min = "x"))]
    d: String,
    #[table(length(most = 3))]
    e: String,
    #[table(range(5..3))]
    f: u8,
    #[table(range(5..=3))]
    g: u8,
    #[table(range = 3)]
    h: u8,
    #[table(pattern = "(")]
    i: String,
    #[table(pattern = r"\p{Greek}")]
    j: String,
    #[table(validate = 3)]
    k: String,
    #[table(default_with = "x")]
    l: String,
    #[table(with = "module")]
    m: String,
    #[table(range(min = 1, min = 2))]
    n: u8,
}

#[derive(Table)]
#[table(validate = wrong)]
struct Functions {
    #[table(validate = takes_text)]
    a: u8,
    #[table(range(min = "x"))]
    b: u8,
    #[table(validate = gives_a_number)]
    c: String,
    #[table(with = no_module)]
    d: String,
    #[table(with = half)]
    e: u8,
}

fn takes_text(_: &str) -> Result<(), String> {
    Ok(())
}

fn gives_a_number(_: &str) -> Result<(), u8> {
    Ok(())
}

mod half {
    pub type Column = u32;

    pub fn to_column(value: &u8) -> Column {
        (*value).into()
    }
}

fn main() {}

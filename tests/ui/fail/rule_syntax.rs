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

fn main() {}

//! Functions of `validate` take the field, or the struct, and say what is wrong.

use discobase::Table;

#[derive(Table)]
#[table(validate = about_another)]
struct Functions {
    #[table(validate = takes_text)]
    a: u8,
    #[table(range(min = "x"))]
    b: u8,
    #[table(validate = gives_a_number)]
    c: String,
    #[table(validate = gives_a_bool)]
    d: u8,
    #[table(validate = takes_two)]
    e: u8,
    #[table(validate = takes_the_inner)]
    f: Option<u8>,
}

struct Other;

fn about_another(_: &Other) -> Result<(), String> {
    Ok(())
}

fn takes_text(_: &str) -> Result<(), String> {
    Ok(())
}

fn gives_a_number(_: &str) -> Result<(), u8> {
    Ok(())
}

fn gives_a_bool(_: &u8) -> bool {
    true
}

fn takes_two(_: &u8, _: &u8) -> Result<(), String> {
    Ok(())
}

fn takes_the_inner(_: &u8) -> Result<(), String> {
    Ok(())
}

fn main() {}

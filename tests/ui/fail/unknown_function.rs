//! Functions, modules and defaults that are not there, each told where it is named.

use discobase::Table;

#[derive(Table)]
#[table(validate = wrong)]
struct Unknown {
    #[table(key, default_with = no_id)]
    id: u64,
    #[table(validate = no_rule)]
    name: String,
    #[table(with = no_module)]
    converted: String,
    #[table(default = no_default())]
    points: u8,
}

fn main() {}

//! Two columns need two names, in a channel's name, too.

use discobase::Table;

#[derive(Table)]
struct User {
    name: String,
    #[table(rename = "name")]
    alias: String,
    #[table(rename = "Name")]
    title: String,
}

fn main() {}

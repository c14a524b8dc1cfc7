//! JSON needs serde's traits.

use discobase::Table;

struct Settings;

#[derive(Table)]
struct User {
    #[table(json)]
    settings: Settings,
}

fn main() {}

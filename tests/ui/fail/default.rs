//! A default is of the field's type.

use discobase::Table;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Settings;

#[derive(Table)]
struct User {
    #[table(default = 1.5)]
    points: u64,
    #[table(default = "many")]
    level: u64,
    #[table(default = position)]
    hygiene: usize,
    #[table(json, default)]
    settings: Settings,
    #[table(skip)]
    cache: Settings,
}

fn main() {}

//! Every option in its place.

use discobase::{ColumnEnum, Entity, Table};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Default, Serialize, Deserialize)]
struct Settings {
    dark: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, ColumnEnum)]
#[table(crate = "::discobase")]
enum Role {
    #[table(rename = "member")]
    Member,
    Boss = 7,
}

#[derive(Table)]
#[table(name = "members", crate = "discobase", index(role, points), index(points, role), unique(guild, r#type))]
struct Member {
    #[table(key)]
    guild: u64,
    #[table(key, index)]
    user: u64,
    #[table(unique, max_len = 32, rename = "display-name")]
    name: Option<String>,
    #[table(default = Role::Boss)]
    #[table(index)]
    role: Role,
    #[table(default)]
    points: i64,
    #[table(default = "none")]
    title: String,
    #[table(default = { let base = 3; base + 1 })]
    level: u8,
    #[table(json, default)]
    settings: Settings,
    #[table(skip)]
    cache: Vec<Vec<u8>>,
    #[table()]
    r#type: bool,
}

fn main() {
    assert_eq!(Member::SCHEMA.columns.len(), 9);
    assert_eq!(Member::columns().r#type.name(), "type");
}

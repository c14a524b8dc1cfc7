//! What the database fills in, fits where it is asked for.

use discobase::Table;
use twilight_model::util::Timestamp;

#[derive(Table)]
struct Contradictions {
    #[table(auto)]
    id: u64,
    #[table(key, created_at)]
    key: Timestamp,
    #[table(created_at, updated_at)]
    both: Timestamp,
    #[table(updated_at, default_with = now)]
    again: Timestamp,
    #[table(default = 1, default_with = one)]
    points: u8,
    #[table(json, auto, soft_delete, length(max = 3))]
    json: Vec<u8>,
    #[table(json, with = module)]
    with: Vec<u8>,
    #[table(with = module, range(1..=2), updated_at)]
    ruled: u8,
    #[table(skip, auto)]
    skipped: u8,
}

#[derive(Table)]
struct Composite {
    #[table(key, auto)]
    a: u64,
    #[table(key)]
    b: u64,
}

#[derive(Table)]
struct Types {
    #[table(key, auto)]
    id: String,
    #[table(created_at)]
    created_at: u64,
    #[table(updated_at)]
    updated_at: Option<String>,
    #[table(soft_delete)]
    deleted_at: Timestamp,
    #[table(length(min = 1))]
    length: u8,
    #[table(range(min = 1))]
    range: bool,
    #[table(pattern = "x")]
    pattern: Vec<u8>,
}

fn main() {}

//! A field that is missing is named; all that are missing are told at once.

use discobase::{Database, Table};

#[derive(Table)]
struct User {
    #[table(key, auto)]
    id: u64,
    name: String,
    age: u8,
    #[table(default = 1)]
    points: i64,
    note: Option<String>,
}

fn main() {
    let _ = User::builder().age(3).build();
    let db = Database::new("x");
    let _ = User::builder().save(&db);
    let _ = User::builder().name(5).age("x").points("many").nickname("x");
}

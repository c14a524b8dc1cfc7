//! The derive by its path, and the trait, which has the methods, not imported.

use discobase::Database;

#[derive(discobase::Table)]
struct User {
    #[table(key)]
    id: u64,
    name: String,
}

async fn work(db: &Database) {
    let _ = User::find(db).all().await;
    let _ = User::get(db, 1).await;
    let _ = User { id: 1, name: String::new() }.save(db).await;
    let _ = User::count(db).await;
}

fn main() {}

//! Hooks that nobody wrote, and calls that need what a table does not have.

use discobase::{Database, Table};

#[derive(Table)]
#[table(hooks)]
struct User {
    id: u64,
}

#[derive(Table)]
struct Plain {
    id: u64,
}

fn main() {
    let db = Database::new("x");
    let _ = Plain::find(&db).with_deleted();
    let _ = Plain::find(&db).only_deleted();
}

async fn brought_back(mut plain: discobase::Record<Plain>) {
    let _ = plain.restore().await;
    let _ = plain.delete_forever().await;
}

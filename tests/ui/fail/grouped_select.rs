//! Groups have answers and no columns.

use discobase::{Database, Table};

#[derive(Table)]
struct Sale {
    #[table(key)]
    id: u64,
    shop: String,
    euros: i64,
}

async fn shops(db: &Database) {
    let _ = Sale::find(db).group_by(|s| s.shop).select(|s| s.euros).all().await;
}

fn main() {}

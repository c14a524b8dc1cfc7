//! A record of a `Copy` struct can't be copied out of itself and saved again.

use discobase::{Database, Table};

#[derive(Clone, Copy, Table)]
struct Point {
    #[table(key)]
    id: u64,
    x: i64,
}

async fn twice(db: &Database) -> discobase::Result<()> {
    let record = Point { id: 1, x: 2 }.save(db).await?;
    record.save(db).await?;
    Ok(())
}

fn main() {}

//! Queries take values of the columns' types: each mistake is named where it stands.

use discobase::{Database, Table};

#[derive(Table)]
struct User {
    #[table(key)]
    id: u64,
    name: String,
    team: Option<u64>,
    #[table(json)]
    tags: Vec<String>,
}

async fn wrong(db: &Database) -> discobase::Result<()> {
    User::find(db).filter(|u| u.id.eq("one")).all().await?;
    User::find(db).filter(|u| u.name.gt(3)).all().await?;
    User::find(db).filter(|u| u.id.contains("1")).all().await?;
    User::find(db).filter(|u| u.name.is_null()).all().await?;
    User::find(db).filter(|u| u.tags.eq(vec![String::new()])).all().await?;
    User::find(db).order_by(|u| u.tags.asc()).all().await?;
    Ok(())
}

fn main() {}

//! What was never saved has no row to delete.

use discobase::Table;

#[derive(Table)]
struct User {
    #[table(key)]
    id: u64,
    name: String,
}

async fn delete(user: User) -> discobase::Result<()> {
    user.delete().await?;
    Ok(())
}

async fn update(mut user: User) -> discobase::Result<()> {
    user.name.push('x');
    user.update().await?;
    Ok(())
}

fn main() {}

//! Another module. Its table has the name of the other module's, and nothing else in common with it.

use discobase::{Database, Result, Table};
use discobase_modules::{Hook, Module};

#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "user_profiles")]
struct Greeted {
    #[table(key)]
    user_id: u64,
    greeting: String,
}

/// All greetings.
pub(crate) async fn all(db: &Database) -> Result<Vec<String>> {
    Greeted::find(db).scalars(|g| g.greeting).await
}

pub(crate) struct Greetings;

impl Module for Greetings {
    fn tables(&self, db: &Database) -> Result<()> {
        db.table::<Greeted>().map(|_| ())
    }

    async fn on_db_ready(&self, db: &Database) -> Hook {
        Greeted { user_id: 1, greeting: "ciao".into() }.get_or_create(db).await?;
        Ok(())
    }
}

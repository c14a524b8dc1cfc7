//! The module `profiles`, version 1.1.0: profiles have levels.

use discobase::{Database, Result, RowChange, Step, Table};
use discobase_modules::{Hook, Module};

#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "user_profiles")]
pub(crate) struct UserProfile {
    #[table(key)]
    pub(crate) user_id: u64,
    #[table(max_len = 100)]
    pub(crate) display_name: String,
    #[table(default = 0)]
    pub(crate) points: i64,
    #[table(index, default = 1)]
    pub(crate) level: u32,
}

/// A level for each 100 points.
fn level(points: i64) -> u32 {
    u32::try_from(1 + points / 100).unwrap_or(1)
}

/// The users of a level, the one with most points first.
pub(crate) async fn names_of_level(db: &Database, level: u32) -> Result<Vec<String>> {
    UserProfile::find(db)
        .filter(|u| u.level.eq(level))
        .order_by(|u| u.points.desc())
        .scalars(|u| u.display_name)
        .await
}

pub(crate) struct Profiles;

impl Module for Profiles {
    fn tables(&self, db: &Database) -> Result<()> {
        db.table::<UserProfile>().map(|_| ())
    }

    /// Applied once, before the hooks; the definition, all rows, and the record that it was done are one commit.
    fn migrations(&self) -> Vec<Step> {
        let by_points = |row: &mut RowChange<'_>| {
            let points: i64 = row.get("points")?;
            row.set("level", level(points))
        };
        vec![
            Step::new("1.1.0", "levels")
                .table("user_profiles", |table| table.add("level", 1_u32).index(["level"]))
                .each("user_profiles", "a level for each 100 points", by_points)
                .down(|step| step.table("user_profiles", |table| table.drop("level"))),
        ]
    }

    async fn on_db_ready(&self, db: &Database) -> Hook {
        println!("  profiles 1.1.0 is ready and finds {} profiles", UserProfile::count(db).await?);
        for step in db.migrator().status()? {
            println!("  migration {} ({}): applied {}", step.version, step.name, step.applied.is_some());
        }
        Ok(())
    }
}

//! The module `profiles`, version 1.0.0: who has how many points.

use discobase::{Database, Result, Table};
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
}

/// The points of a user; 0 of one who is not known.
pub(crate) async fn get_user_points(db: &Database, user_id: u64) -> Result<i64> {
    let points = UserProfile::find(db).filter(|u| u.user_id.eq(user_id)).scalar(|u| u.points).await?;
    Ok(points.unwrap_or(0))
}

/// Adds points to a user, and creates the profile if there is none: one commit, worked out on the newest state, so that no
/// point is lost however many are added at once.
pub(crate) async fn add_points(db: &Database, user_id: u64, points: i64) -> Result<i64> {
    let profile = UserProfile { user_id, display_name: format!("User_{user_id}"), points };
    let profile = profile.save_or_update(db).set(|u| u.points, |u| u.points + points).await?;
    Ok(profile.points)
}

pub(crate) struct Profiles;

impl Module for Profiles {
    /// They are created when the module is loaded.
    fn tables(&self, db: &Database) -> Result<()> {
        db.table::<UserProfile>().map(|_| ())
    }

    /// The tables are there and durable, and no transaction is open around the hook: it may read and write.
    async fn on_db_ready(&self, db: &Database) -> Hook {
        println!("  profiles 1.0.0 is ready and finds {} profiles", UserProfile::count(db).await?);
        Ok(())
    }
}

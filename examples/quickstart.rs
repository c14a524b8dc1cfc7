//! The shortest whole program: a table, a record saved, changed, found again.
//!
//! Runs on a local guild in `target/quickstart.redb`; with `DISCORD_TOKEN` set, on Discord.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use discobase::{Database, Result, Table};

#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "user_profiles")]
struct UserProfile {
    #[table(key)]
    user_id: u64,
    #[table(unique, max_len = 100)]
    display_name: String,
    #[table(default = 0)]
    points: i64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let db = Database::new("quickstart");
    db.table::<UserProfile>()?;
    db.connect_env("target/quickstart.redb").await?;
    println!("connected: {} in guild {}", db.name(), db.guild()?.name);

    for (user_id, name) in [(1, "Peter"), (2, "Ada")] {
        if UserProfile::get(&db, user_id).await?.is_none() {
            let saved = UserProfile { user_id, display_name: name.into(), points: 0 }.save(&db).await?;
            println!("saved:     {:?}", *saved);
        }
    }

    let mut peter = UserProfile::find_unique(&db, |u| u.display_name.eq("Peter")).await?;
    peter.points += 5;
    peter.update().await?;
    println!("updated:   {:?}", *peter);

    let best = UserProfile::find(&db)
        .filter(|u| u.points.gt(3))
        .order_by(|u| u.points.desc())
        .limit(10)
        .all()
        .await?;
    for (place, user) in best.iter().enumerate() {
        println!("place {}:   {} with {} points", place + 1, user.display_name, user.points);
    }

    let traffic = db.traffic()?;
    db.close().await?;
    println!("closed after {} requests; run it again, and Peter has 5 points more", traffic.requests);
    Ok(())
}

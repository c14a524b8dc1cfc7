//! What things cost in requests: opening, saving, saving a thousand at once, opening again.
//!
//! Runs on a local guild that obeys Discord's limits, in `target/figures.redb`, which starts empty.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::path::Path;

use discobase::{Database, Result, Table};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "members")]
struct Member {
    #[table(key)]
    id: u64,
    #[table(index)]
    name: String,
    points: i64,
}

impl Member {
    fn numbered(id: u64) -> Self {
        Self { id, name: format!("member {id}"), points: 0 }
    }
}

/// Requests, and frames of the journal.
#[derive(Debug, Clone, Copy)]
struct Cost {
    requests: u64,
    frames: u64,
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let file = Path::new("target/figures.redb");
    if file.exists() {
        std::fs::remove_file(file)?;
    }
    let db = open(file).await?;
    let mut figures = vec![("opening an empty guild, with one table of one index to create", cost(&db)?)];
    figures.push(("one save while idle", save(&db, 0..1).await?));
    figures.push(("1,000 concurrent saves of one record", save(&db, 1..1_001).await?));
    let before = cost(&db)?;
    Member::save_all((1_001..101_001).map(Member::numbered), &db).await?;
    figures.push(("one save_all of 100,000 records", since(&db, before)?));
    let before = cost(&db)?;
    let found = Member::find(&db).filter(|m| m.name.starts_with("member 10")).all().await?;
    figures.push(("finding records", since(&db, before)?));
    let mut first = found.into_iter().next().ok_or("nothing was found")?;
    let before = cost(&db)?;
    first.points += 1;
    first.update().await?;
    figures.push(("one update while idle", since(&db, before)?));
    let mut limited = db.traffic()?.too_many_requests;
    db.close().await?;

    let db = open(file).await?;
    figures.push(("opening it with 101,001 records", cost(&db)?));
    limited += db.traffic()?.too_many_requests;
    db.close().await?;

    for (what, Cost { requests, frames }) in &figures {
        println!("{what:63} {requests:3} requests {frames:3} frames");
    }
    println!("{:63} {limited:3}", "requests beyond a limit (429)");
    if std::env::args().any(|argument| argument == "--json") {
        let figures: Vec<_> = figures
            .iter()
            .map(|(what, cost)| json!({ "what": what, "requests": cost.requests, "frames": cost.frames }))
            .collect();
        println!("{}", json!({ "figures": figures, "too_many_requests": limited }));
    }
    Ok(())
}

async fn open(file: &Path) -> Result<Database> {
    let db = Database::new("figures");
    db.table::<Member>()?;
    db.connect_local(file).await?;
    Ok(db)
}

/// Saves all at the same time, each as a commit of its own.
async fn save(db: &Database, ids: std::ops::Range<u64>) -> Result<Cost> {
    let before = cost(db)?;
    let saves: Vec<_> = ids.map(|id| Member::numbered(id).save(db).background()).collect();
    for save in saves {
        save.await?;
    }
    since(db, before)
}

fn cost(db: &Database) -> Result<Cost> {
    Ok(Cost { requests: db.traffic()?.requests, frames: db.frames()? })
}

fn since(db: &Database, before: Cost) -> Result<Cost> {
    let now = cost(db)?;
    Ok(Cost { requests: now.requests - before.requests, frames: now.frames - before.frames })
}

//! Saves the cities of the world, then asks ten questions about them.
//!
//! Without arguments it takes the 32,008 places that come with the project and starts from an empty local guild.
//! With `DISCORD_TOKEN` set it uses the database `cities` on Discord; what is there already is not saved again.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod city;
mod load;
mod questions;

use std::path::{Path, PathBuf};

use clap::Parser;
use discobase::{Database, Table};
use serde_json::json;

use city::City;
use load::Loaded;

/// Saves the cities of the world into a guild and asks questions about them.
#[derive(Parser)]
struct Arguments {
    /// Cities to save instead of the ones that come with the project: JSON lines, plain or .gz
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Keep the local guild in this file; without it, it starts empty in target/cities.redb
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Print what loading took as JSON, in the last line
    #[arg(long)]
    json: bool,
}

/// What starts empty each time.
const FRESH: &str = "target/cities.redb";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let file = match &arguments.keep {
        Some(file) => file,
        None => fresh()?,
    };
    let db = Database::new("cities");
    db.table::<City>()?;
    db.connect_env(file).await?;
    println!("connected: {} in guild {}", db.name(), db.guild()?.name);

    let known = City::count(&db).await?;
    let loaded = if known > 0 {
        println!("loaded:    {known} cities are there already; nothing to save");
        Loaded::default()
    } else {
        let cities = city::read(arguments.data.as_deref())?;
        let loaded = load::load(&db, cities, !arguments.json).await?;
        println!("loaded:    {loaded}");
        loaded
    };

    let before = db.traffic()?.requests;
    questions::ask(&db).await?;
    let (traffic, frames) = (db.traffic()?, db.frames()?);
    println!("\nThe answers took {} requests;", traffic.requests - before);
    println!("connecting, making the table and saving took {before}, with {frames} frames of the journal.");
    db.close().await?;

    if arguments.json {
        let report = json!({
            "rows": loaded.rows,
            "seconds": loaded.seconds,
            "rows_per_second": loaded.rows_per_second(),
            "requests": traffic.requests,
            "frames": frames,
            "too_many_requests": traffic.too_many_requests,
        });
        println!("{report}");
    }
    Ok(())
}

/// The file of a local guild that does not exist yet.
fn fresh() -> std::io::Result<&'static Path> {
    let file = Path::new(FRESH);
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(file),
    }
}

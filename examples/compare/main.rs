//! Compares discobase with SQLite, with SQLite through an ORM, and with other stores in Discord, on one machine in one go.
//!
//! Whoever stores in Discord does so in a local guild that keeps Discord's limits and is a stated round trip away. Each
//! contestant runs in a process of its own; what it asked of the guild is counted by the guild. The other stores come from
//! PyPI, at the versions named here and unmodified, into `target/compare`.
//!
//! `--write` puts tables and plots into `docs/benchmarks.md`, `--json` prints everything for programs.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

#[path = "../cities/city.rs"]
mod city;
mod contestant;
mod goals;
mod install;
mod ours;
mod outcome;
mod page;
mod plot;
mod race;
mod sqlite;
mod stage;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use futures_util::future::try_join_all;
use serde_json::json;

use contestant::{CONTESTANTS, Kind, Part};
use outcome::Ran;

/// What goes wrong is told to the user, and ends the program.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Compares discobase with other databases and other stores in Discord.
#[derive(Parser)]
struct Arguments {
    /// Compare only these; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Name the contestants and compare none
    #[arg(long)]
    list: bool,
    /// Print everything as one line of JSON
    #[arg(long)]
    json: bool,
    /// Put tables and plots into docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// How far away the guild is, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 100)]
    round_trip: u64,
    /// How long the other stores in Discord may try each task, in seconds; then the rows are counted that they got to
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    budget: u64,
    /// How often what takes no long time is run; the median counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// What one of the processes is to do that this program starts, as JSON
    #[arg(long, hide = true)]
    part: Option<String>,
}

/// The conditions of a comparison.
#[derive(Debug, Clone)]
pub(crate) struct Conditions {
    pub(crate) round_trip: Duration,
    pub(crate) budget: Duration,
    pub(crate) runs: usize,
    /// What is built and installed on the way.
    pub(crate) target: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(part) = &arguments.part {
        return Part::run(part).await;
    }
    if arguments.list {
        for contestant in &CONTESTANTS {
            println!("{:16} {}", contestant.name, contestant.about);
        }
        return Ok(());
    }
    let is_asked_for = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|one| one == name);
    if let Some(unknown) = arguments.only.iter().find(|name| CONTESTANTS.iter().all(|one| one.name != **name))
    {
        return Err(format!("there is no contestant {unknown:?}; --list names them").into());
    }
    let conditions = Conditions {
        round_trip: Duration::from_millis(arguments.round_trip),
        budget: Duration::from_secs(arguments.budget),
        runs: arguments.runs.max(1),
        target: install::target()?,
    };
    let mut all: Vec<Ran> = Vec::new();
    let asked_for = || CONTESTANTS.iter().filter(|one| is_asked_for(one.name));
    for contestant in asked_for().filter(|one| one.kind != Kind::Python) {
        all.push(race::run(contestant, &conditions).await?);
    }
    // Each has a guild of its own, and nearly all they do is wait for it.
    if asked_for().any(|one| one.kind == Kind::Python) {
        install::python(&conditions.target)?;
    }
    let others = asked_for().filter(|one| one.kind == Kind::Python);
    all.extend(try_join_all(others.map(|one| race::run(one, &conditions))).await?);
    let goals = goals::of(&all);
    if arguments.write {
        page::write(&all, &goals, &conditions)?;
    }
    if arguments.json {
        println!("{}", json!({ "contestants": all, "goals": goals }));
    } else {
        println!("{}", page::text(&all));
        goals.iter().for_each(|goal| println!("{goal}"));
    }
    Ok(())
}

//! Compares discobase with SQLite, with SQLite through an ORM, and with other stores in Discord, on one machine in one go.
//!
//! Whoever stores in Discord does so in a local guild that keeps Discord's limits and is a stated round trip away. Each
//! contestant runs in a process of its own; what it asked of the guild is counted by the guild. The other stores come from
//! PyPI, at the versions named here and unmodified, into `target/compare`.
//!
//! `--write` puts tables and plots into `docs/benchmarks.md`, `--json` prints everything for programs.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

#[path = "../measure/choice.rs"]
mod choice;
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

use choice::Choice;
use contestant::{CONTESTANTS, Kind, Part};
use outcome::Ran;

/// What goes wrong is told to the user, and ends the program.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Compares discobase with other databases and other stores in Discord.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Put tables and plots into docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// How far away the guild is, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 100)]
    round_trip: u64,
    /// How long the other stores in Discord may try each task, in seconds; then the rows are counted that they got to
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    budget: u64,
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
    let Arguments { choice, write, round_trip, budget } = Arguments::parse();
    if let Some(part) = &choice.part {
        return Part::run(part).await;
    }
    let chosen = choice.among(&CONTESTANTS, "contestant", |one| (one.name, one.about))?;
    let Some(chosen) = chosen else { return Ok(()) };
    let conditions = Conditions {
        round_trip: Duration::from_millis(round_trip),
        budget: Duration::from_secs(budget),
        runs: choice.runs(),
        target: install::target()?,
    };
    let mut all: Vec<Ran> = Vec::new();
    let asked_for = || chosen.iter().copied();
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
    if write {
        page::write(&all, &goals, &conditions)?;
    }
    if choice.json {
        println!("{}", json!({ "contestants": all, "goals": goals }));
    } else {
        println!("{}", page::text(&all));
        goals.iter().for_each(|goal| println!("{goal}"));
    }
    Ok(())
}

//! Measures what the database does and costs: under Discord's limits, and beside SQLite.
//!
//! Everything runs on a local guild in a process of its own that keeps Discord's limits, over real sockets and in real
//! time. Every measurement runs in a process of its own too, so that one's memory is not another's. Each says under
//! which conditions it was made.
//!
//! `--list` names the measurements, `--only NAME` makes one of them, `--json` prints them for programs.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod choice;
#[path = "../cities/city.rs"]
mod city;
mod concurrency;
mod contents;
mod distance;
mod encryption;
mod figure;
mod grouping;
mod guild;
mod latency;
mod loading;
mod lookup;
mod measurements;
mod member;
mod memory;
mod opening;
mod part;
mod reading;
mod sqlite;
mod time;
mod updating;

use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use choice::Choice;
use measurements::{MEASUREMENTS, Scale};
use part::Part;

/// What goes wrong in a measurement is told to the user, and ends the program.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Measures speed, cost and memory on a local guild that keeps Discord's limits.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    choice: Choice,
    /// Rows of the large table
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Cities to open instead of the ones that come with the project: JSON lines, plain or .gz
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
}

fn main() -> Result<()> {
    let Arguments { choice, rows, data } = Arguments::parse();
    if let Some(part) = &choice.part {
        return Part::run(part);
    }
    let chosen = choice.among(&MEASUREMENTS, "measurement", |one| (one.name, one.about))?;
    let Some(chosen) = chosen else { return Ok(()) };
    let scale = Scale { rows, runs: choice.runs(), cities: data };
    let mut report = Vec::new();
    for measurement in chosen {
        let figures = (measurement.make)(&scale)?;
        let conditions = (measurement.conditions)(&scale);
        if choice.json {
            report.push(json!({ "name": measurement.name, "conditions": conditions, "figures": figures }));
        } else {
            println!("{}: {}\n{conditions}", measurement.name, measurement.about);
            println!("{}\n", figure::grid(&figures));
        }
    }
    if choice.json {
        println!("{}", json!({ "measurements": report }));
    }
    Ok(())
}

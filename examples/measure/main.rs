//! Measures what the database does and costs: under Discord's limits, and beside SQLite.
//!
//! Everything runs on a local guild in a process of its own that keeps Discord's limits, over real sockets and in real
//! time. Every measurement runs in a process of its own too, so that one's memory is not another's. Each says under
//! which conditions it was made.
//!
//! `--list` names the measurements, `--only NAME` makes one of them, `--json` prints them for programs.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

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

use measurements::{MEASUREMENTS, Scale};
use part::Part;

/// What goes wrong in a measurement is told to the user, and ends the program.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Measures speed, cost and memory on a local guild that keeps Discord's limits.
#[derive(Parser)]
struct Arguments {
    /// Make only this measurement; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Name the measurements and make none
    #[arg(long)]
    list: bool,
    /// Print the figures as one line of JSON
    #[arg(long)]
    json: bool,
    /// Rows of the large table
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// How often what can be repeated is repeated; medians are reported, with the lowest and the highest
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Cities to open instead of the ones that come with the project: JSON lines, plain or .gz
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// What one of the processes is to do that this program starts, as JSON
    #[arg(long, hide = true)]
    part: Option<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(part) = &arguments.part {
        return Part::run(part);
    }
    if arguments.list {
        for measurement in &MEASUREMENTS {
            println!("{:12} {}", measurement.name, measurement.about);
        }
        return Ok(());
    }
    if let Some(unknown) =
        arguments.only.iter().find(|name| MEASUREMENTS.iter().all(|known| known.name != **name))
    {
        return Err(format!("there is no measurement {unknown:?}; --list names them").into());
    }
    let scale = Scale { rows: arguments.rows, runs: arguments.runs.max(1), cities: arguments.data };
    let chosen = MEASUREMENTS
        .iter()
        .filter(|known| arguments.only.is_empty() || arguments.only.iter().any(|name| *name == known.name));
    let mut report = Vec::new();
    for measurement in chosen {
        let figures = (measurement.make)(&scale)?;
        let conditions = (measurement.conditions)(&scale);
        if arguments.json {
            report.push(json!({ "name": measurement.name, "conditions": conditions, "figures": figures }));
        } else {
            println!("{}: {}\n{conditions}", measurement.name, measurement.about);
            println!("{}\n", figure::grid(&figures));
        }
    }
    if arguments.json {
        println!("{}", json!({ "measurements": report }));
    }
    Ok(())
}

//! Explores the rules that keep one writer, in full: some minutes, and less than a gigabyte for the largest scenarios.
//!
//! `cargo run --release -p discobase-core --features model --example model`, with names of scenarios behind `--` to
//! explore only those, and `LIMIT` for the most states of one (20,000,000).
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::process::ExitCode;

use discobase_core::model::scenarios;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let limit = std::env::var("LIMIT").ok().and_then(|limit| limit.parse().ok()).unwrap_or(20_000_000);
    let chosen = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let mut surprises = 0;
    for scenario in scenarios().iter().filter(|scenario| chosen(scenario.name)) {
        let report = scenario.explore(limit);
        let outcome = match (&report.broken, report.exhausted) {
            (Some((wrong, _)), _) => format!("breaks: {wrong}"),
            (None, true) => "holds".to_owned(),
            (None, false) => "nothing found, not exhausted".to_owned(),
        };
        println!("{:4} {}: {outcome}; {} states", scenario.name, scenario.about, report.states);
        if report.broken.is_some() != scenario.breaks {
            surprises += 1;
            println!("     this was not expected");
        }
        for event in report.broken.iter().flat_map(|(_, trace)| trace) {
            println!("       {event}");
        }
    }
    if surprises == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

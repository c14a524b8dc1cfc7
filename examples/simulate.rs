//! Runs the simulation that the engine is tested in: many seeds, and a report as one line of JSON at the end.
//!
//! ```console
//! $ cargo run --release --example simulate -- --seeds 1000 --from 1
//! $ cargo run --release --example simulate -- --from 42 --trace
//! ```
//!
//! A seed that violates something prints what, and its trace. It exits with an error then; with `--broken`, where
//! Discord does not keep what the engine relies on, it does so if nothing is violated.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use discobase_sim::{Assumptions, Report, run};

#[derive(Parser)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Break an assumption on purpose: then violations must appear.
    #[arg(long)]
    broken: Option<Broken>,
    /// Print every trace, not only those of violations.
    #[arg(long)]
    trace: bool,
    /// Print the first words of what is violated, without traces.
    #[arg(long)]
    brief: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Broken {
    /// Messages become visible later than assumed.
    Visibility,
    /// Nonces do not keep rivals apart.
    Nonces,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let assumptions = match arguments.broken {
        None => Assumptions::Kept,
        Some(Broken::Visibility) => Assumptions::LateVisibility,
        Some(Broken::Nonces) => Assumptions::ShortNonces,
    };
    let mut report = Report::default();
    for seed in (arguments.from..).take(usize::try_from(arguments.seeds).unwrap_or(usize::MAX)) {
        let outcome = run(seed, assumptions);
        report.add(&outcome);
        let violated = !outcome.violations.is_empty();
        if arguments.trace || violated && !arguments.brief {
            outcome.trace.iter().for_each(|line| println!("{line}"));
        }
        // The first ones tell most; what follows from them is often long.
        let told = if arguments.brief { 6 } else { usize::MAX };
        for violation in outcome.violations.iter().take(told) {
            println!("seed {seed}: {violation}");
        }
        if violated {
            println!("replay: cargo run --release --example simulate -- --from {seed}");
        }
    }
    println!("{}", report.line());
    let expected = arguments.broken.is_some();
    if report.violations.is_empty() == expected { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

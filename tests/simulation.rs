//! The simulation, as many seeds of it as a test has time for. `examples/simulate.rs` runs more; `docs/testing.md` says
//! how to replay one.
//!
//! `SIM_SEEDS` and `SIM_FROM` set how many seeds are run, and the first of them.

use std::env::var;

use discobase_sim::{Assumptions, Report, run};

fn number(name: &str, default: u64) -> u64 {
    var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Invariants 1 to 6 of the engine hold under every fault that its assumptions allow.
#[test]
fn nothing_is_lost_doubled_torn_or_reordered() {
    let mut report = Report::default();
    let mut found = Vec::new();
    let from = number("SIM_FROM", 1);
    for seed in from..from + number("SIM_SEEDS", 60) {
        let outcome = run(seed, Assumptions::Kept);
        report.add(&outcome);
        if !outcome.violations.is_empty() && found.is_empty() {
            found = outcome.trace;
            found.extend(outcome.violations.iter().map(|violation| format!("seed {seed}: {violation}")));
        }
    }
    println!("{}", report.line());
    assert!(
        report.violations.is_empty(),
        "\n{}\nreplay: cargo run --release --example simulate -- --from {} --trace",
        found.join("\n"),
        report.violations.first().copied().unwrap_or_default()
    );
    // A simulation in which nothing happens proves nothing.
    let counts = report.counts;
    assert!(counts.acknowledged > 20 * report.seeds && counts.crashes > report.seeds, "{counts:?}");
    assert!(counts.faults > 20 * report.seeds && counts.unknown > report.seeds, "{counts:?}");
}

/// Seeds that found faults which are mended.
#[test]
fn seeds_that_failed_once() {
    for seed in [501_089, 501_670, 501_924, 503_056, 505_855, 802_669, 809_041] {
        let outcome = run(seed, Assumptions::Kept);
        assert!(outcome.violations.is_empty(), "seed {seed}: {:?}", outcome.violations);
    }
}

/// Where Discord does not keep what the engine relies on, commits are lost, and the simulation sees it.
#[test]
fn broken_assumptions_are_seen() {
    for assumptions in [Assumptions::LateVisibility, Assumptions::ShortNonces] {
        let seen = (1..400).any(|seed| !run(seed, assumptions).violations.is_empty());
        assert!(seen, "{assumptions:?}: no violation in 400 seeds");
    }
}

/// One seed is one run, always.
#[test]
fn a_seed_is_replayed_line_by_line() {
    for seed in 1..=10 {
        let (first, second) = (run(seed, Assumptions::Kept), run(seed, Assumptions::Kept));
        let apart = first.trace.iter().zip(&second.trace).find(|(one, other)| one != other);
        assert_eq!(apart, None, "seed {seed}");
        assert_eq!((first.hash, first.trace.len()), (second.hash, second.trace.len()), "seed {seed}");
        assert_ne!(run(seed + 1, Assumptions::Kept).hash, second.trace.concat());
    }
}

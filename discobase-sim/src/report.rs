//! The report: what many runs came to, as one line of JSON.

use crate::run::Outcome;

/// What was counted in one run or in many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that reached Discord.
    pub requests: u64,
    /// Processes that ended without closing.
    pub crashes: u64,
    /// Faults of the network, of Discord and of its gateway.
    pub faults: u64,
    /// Openings that succeeded.
    pub openings: u64,
    /// Commits that were acknowledged.
    pub acknowledged: u64,
    /// Commits whose callers were told that the outcome is unknown, or were told nothing because they crashed.
    pub unknown: u64,
    /// Commits that were refused.
    pub refused: u64,
    /// Commits that watchers saw.
    pub watched: u64,
    /// Times that a watcher was told it had been too slow.
    pub lagged: u64,
    /// Followers that became the writer.
    pub takeovers: u64,
    /// Changes of the key.
    pub rotations: u64,
    /// Messages and channels of the database that people deleted.
    pub deletions: u64,
    /// Runs in which the database was damaged at the end, and said so.
    pub damaged: u64,
}

/// What many runs came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many seeds were run.
    pub seeds: u64,
    /// The seeds that violated something.
    pub violations: Vec<u64>,
    /// What was counted in all of them.
    pub counts: Counts,
}

impl Report {
    /// Adds a run.
    pub fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        if !outcome.violations.is_empty() {
            self.violations.push(outcome.seed);
        }
        let (all, one) = (&mut self.counts, outcome.counts);
        all.requests += one.requests;
        all.crashes += one.crashes;
        all.faults += one.faults;
        all.openings += one.openings;
        all.acknowledged += one.acknowledged;
        all.unknown += one.unknown;
        all.refused += one.refused;
        all.watched += one.watched;
        all.lagged += one.lagged;
        all.takeovers += one.takeovers;
        all.rotations += one.rotations;
        all.deletions += one.deletions;
        all.damaged += one.damaged;
    }

    /// The report as one line of JSON.
    #[must_use]
    pub fn line(&self) -> String {
        let counts = self.counts;
        serde_json::json!({
            "seeds": self.seeds,
            "violations": self.violations.len(),
            "violating_seeds": self.violations,
            "crashes": counts.crashes,
            "faults": counts.faults,
            "openings": counts.openings,
            "requests": counts.requests,
            "commits_acknowledged": counts.acknowledged,
            "commits_unknown": counts.unknown,
            "commits_refused": counts.refused,
            "commits_watched": counts.watched,
            "watchers_lagged": counts.lagged,
            "takeovers": counts.takeovers,
            "rotations": counts.rotations,
            "deletions": counts.deletions,
            "damaged_at_the_end": counts.damaged,
        })
        .to_string()
    }
}

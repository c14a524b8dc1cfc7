//! What came out of a task, as the contestants print it and as it is reported.

use serde::{Deserialize, Serialize};

/// The tasks, in the order they are done and shown, and what each is called.
pub(crate) const TASKS: [(&str, &str); 11] = [
    ("cities", "load the cities"),
    ("save_one", "save one row"),
    ("save_many", "save 1,000 rows in one call"),
    ("save_singly", "save 1,000 rows, one call each, all at once"),
    ("read", "read a row by its key"),
    ("filter", "rows of one country"),
    ("update", "update one row"),
    ("delete", "delete one row"),
    ("increments", "1,000 concurrent increments of one number"),
    ("open", "open again and read a row"),
    ("found", "rows found again after that"),
];

/// What a contestant prints of one task.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Printed {
    pub(crate) task: String,
    /// How often it was done.
    pub(crate) times: u64,
    /// In what time, all of them together.
    pub(crate) seconds: f64,
    /// How many rows were saved, found, or should have been found.
    pub(crate) rows: u64,
    /// Of those that should have been found: how many were; of increments: how many are in the number.
    pub(crate) found: Option<u64>,
    /// What is to be said about it.
    pub(crate) note: String,
    /// Why it can't be done.
    pub(crate) unsupported: Option<String>,
}

/// A task, with what the guild counted meanwhile.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Outcome {
    #[serde(flatten)]
    pub(crate) printed: Printed,
    /// Requests, downloads included.
    pub(crate) requests: u64,
    /// Replies with status 429.
    pub(crate) too_many_requests: u64,
}

impl Outcome {
    /// Seconds of one time.
    pub(crate) fn seconds_each(&self) -> f64 {
        self.printed.seconds / self.printed.times.max(1) as f64
    }

    pub(crate) fn rows_per_second(&self) -> f64 {
        self.printed.rows as f64 / self.printed.seconds.max(1e-9)
    }
}

/// All tasks of a contestant.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ran {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Whether it stores in a guild.
    pub(crate) in_discord: bool,
    pub(crate) outcomes: Vec<Outcome>,
}

impl Ran {
    /// The outcome of a task that was done.
    pub(crate) fn of(&self, task: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|one| one.printed.task == task && one.printed.unsupported.is_none())
    }

    pub(crate) fn too_many_requests(&self) -> u64 {
        self.outcomes.iter().map(|one| one.too_many_requests).sum()
    }

    /// Each task's median of several runs, by the time it took.
    pub(crate) fn median(mut runs: Vec<Self>) -> Option<Self> {
        let mut first = runs.pop()?;
        for outcome in &mut first.outcomes {
            let task = &outcome.printed.task;
            let mut all = vec![outcome.clone()];
            all.extend(
                runs.iter()
                    .filter_map(|run| run.outcomes.iter().find(|one| one.printed.task == *task))
                    .cloned(),
            );
            all.sort_by(|a, b| a.printed.seconds.total_cmp(&b.printed.seconds));
            // Rows that one run lost, and refusals, are not hidden by a median.
            let lost = all.iter().filter_map(|one| one.printed.found).min();
            let refused = all.iter().map(|one| one.too_many_requests).max().unwrap_or_default();
            if let Some(middle) = all.get(all.len() / 2) {
                *outcome = middle.clone();
            }
            outcome.printed.found = lost;
            outcome.too_many_requests = refused;
        }
        Some(first)
    }
}

//! What is promised, and whether it is kept.

use std::fmt;

use serde::Serialize;

use crate::outcome::Ran;

/// A promise.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) is: f64,
    pub(crate) kept: bool,
}

/// All that can be said of what ran.
pub(crate) fn of(all: &[Ran]) -> Vec<Goal> {
    let named = |name: &str| all.iter().find(|ran| ran.name == name);
    let mut goals = Vec::new();
    let Some(ours) = named("discobase") else { return goals };
    let ratio = |other: &str, value: fn(&crate::outcome::Outcome) -> f64| {
        Some(value(ours.of("cities")?) / value(named(other)?.of("cities")?))
    };
    if let Some(times) = ratio("python-discobase", crate::outcome::Outcome::rows_per_second) {
        let what = "durable rows a second, times those of Python discobase (goal: 10,000; better: 100,000)";
        goals.push(Goal { what: what.to_owned(), is: times, kept: times >= 10_000.0 });
    }
    if let Some(times) = ratio("sqlite", crate::outcome::Outcome::seconds_each) {
        let what =
            "time to load the cities, times that of one transaction of SQLite's on a file (goal: at most 3)";
        goals.push(Goal { what: what.to_owned(), is: times, kept: times <= 3.0 });
    }
    if let Some(found) = ours.of("found") {
        let lost = found.printed.rows.saturating_sub(found.printed.found.unwrap_or_default());
        goals.push(Goal {
            what: "saved rows not found again (goal: 0)".to_owned(),
            is: lost as f64,
            kept: lost == 0,
        });
    }
    let refused = ours.too_many_requests();
    goals.push(Goal {
        what: "replies with 429 (goal: 0)".to_owned(),
        is: refused as f64,
        kept: refused == 0,
    });
    goals
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is = if self.is >= 100.0 { format!("{:.0}", self.is) } else { format!("{:.2}", self.is) };
        write!(f, "{}: {is} {}", if self.kept { "kept" } else { "MISSED" }, self.what)
    }
}

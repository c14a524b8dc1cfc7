//! The measurements, by name.

use std::path::PathBuf;

use crate::contents::Contents;
use crate::figure::Figure;
use crate::guild::ROUND_TRIP_MS;
use crate::{
    Result, concurrency, encryption, grouping, latency, loading, lookup, memory, opening, reading, updating,
};

/// How large and how often.
pub(crate) struct Scale {
    pub(crate) rows: usize,
    pub(crate) runs: usize,
    pub(crate) cities: Option<PathBuf>,
}

/// Something that can be measured.
pub(crate) struct Measurement {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// What one has to know to understand the figures.
    pub(crate) conditions: fn(&Scale) -> String,
    pub(crate) make: fn(&Scale) -> Result<Vec<Figure>>,
}

impl Scale {
    fn members(&self) -> Contents {
        Contents::Members(self.rows)
    }

    fn cities(&self) -> Contents {
        Contents::Cities(self.cities.clone())
    }
}

pub(crate) const MEASUREMENTS: [Measurement; 10] = [
    Measurement {
        name: "saturation",
        about: "callers who save one record each, again and again",
        conditions: |_| {
            format!(
                "Round trip {ROUND_TRIP_MS} ms; the guild takes 5 messages in 5 s. A value is what happened during 5 \
                 frames, 6 in a row, after 15 frames that don't count."
            )
        },
        make: |_| concurrency::figures(&[1, 100, 10_000]),
    },
    Measurement {
        name: "latency",
        about: "commits that come at a rate, from the call to the acknowledgement",
        conditions: |scale| {
            format!(
                "Round trip {ROUND_TRIP_MS} ms; the guild takes 5 messages in 5 s. Commits of one row come at random \
                 times (a Poisson process) for 40 s. A value is one of {} runs.",
                scale.runs
            )
        },
        make: |scale| latency::figures(&[1, 10, 100], scale.runs),
    },
    Measurement {
        name: "loading",
        about: "saving many rows with save_all",
        conditions: |_| {
            "No distance; Discord's limits. From the first save to the last acknowledgement, all commits handed over \
             at once."
                .to_owned()
        },
        make: |scale| {
            let mut figures = loading::figures(&scale.cities(), scale.runs)?;
            figures.extend(loading::figures(&scale.members(), scale.runs)?);
            Ok(figures)
        },
    },
    Measurement {
        name: "opening",
        about: "opening a database cold",
        conditions: |_| {
            "No distance; Discord's limits. From connecting until reads are served, after so many checkpoints with one \
             update before each. Peak memory is the largest \
             resident set (VmHWM) of the process that opens; the guild is in another."
                .to_owned()
        },
        make: |scale| {
            let mut figures = Vec::new();
            for contents in [scale.cities(), scale.members()] {
                for checkpoints in [0, 1, 1_000] {
                    figures.extend(opening::figures(&contents, checkpoints, scale.runs)?);
                }
            }
            Ok(figures)
        },
    },
    Measurement {
        name: "lookup",
        about: "records of a table that is not loaded",
        conditions: |scale| {
            format!(
                "{} rows with a key and a unique field in one run, {} lookups of each kind, in turns; nothing of what they \
                 read is kept. No distance; Discord's limits.",
                scale.rows,
                lookup::LOOKUPS
            )
        },
        make: |scale| lookup::figures(scale.rows),
    },
    Measurement {
        name: "reading",
        about: "reads beside SQLite in memory",
        conditions: |scale| {
            format!(
                "{} rows in the same process on both sides, the same questions, owned structs; SQLite by prepared \
                 statements and integer primary key. The scan finds one row in a hundred without an index. A value \
                 is one of 5 rounds.",
                scale.rows
            )
        },
        make: |scale| reading::figures(scale.rows),
    },
    Measurement {
        name: "grouping",
        about: "groups and sums beside SQLite in memory",
        conditions: |scale| {
            format!(
                "{} rows in the same process on both sides, the same questions by turns, owned tuples; SQLite by prepared \
                 statements, without an index on what is grouped by, as discobase. A value is one of {} rounds.",
                scale.rows,
                grouping::ROUNDS
            )
        },
        make: |scale| grouping::figures(scale.rows),
    },
    Measurement {
        name: "memory",
        about: "memory per row beside SQLite",
        conditions: |scale| {
            format!(
                "By how much the resident set (VmRSS) of a process of its own grows while {} rows are saved; the \
                 guild is in another.",
                scale.rows
            )
        },
        make: |scale| memory::figures(scale.rows),
    },
    Measurement {
        name: "encryption",
        about: "a save into an encrypted database beside one into a clear database",
        conditions: |_| {
            format!(
                "{} saves of {} rows into each, in turn, in one process; the guild is in another, without limits and \
                 without distance.",
                encryption::SAVES,
                encryption::ROWS
            )
        },
        make: |_| encryption::figures(),
    },
    Measurement {
        name: "updating",
        about: "updates that are worked out at the commit",
        conditions: |scale| {
            format!(
                "{} rows, then {} increments of one of them at once; no distance, Discord's limits, of which nothing \
                 is used up at first. A value is one of {} runs.",
                updating::ROWS,
                updating::INCREMENTS,
                scale.runs
            )
        },
        make: |scale| updating::figures(scale.runs),
    },
];

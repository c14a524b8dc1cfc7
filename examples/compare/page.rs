//! The results as text for a terminal, and as tables and plots in `docs/benchmarks.md`.

use std::fs;
use std::path::Path;

use comfy_table::{Table as Grid, presets};

use crate::goals::Goal;
use crate::outcome::{Outcome, Ran, TASKS};
use crate::plot::{Axis, Bar, bars};
use crate::{Conditions, Result};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
const BEGIN: &str = "<!-- results: begin, written by the command above -->";
const END: &str = "<!-- results: end -->";

/// All results as a table for a terminal.
pub(crate) fn text(all: &[Ran]) -> String {
    let mut grid = Grid::new();
    grid.load_style(presets::UTF8_FULL_CONDENSED);
    grid.set_header(["task".to_owned()].into_iter().chain(all.iter().map(|ran| ran.about.to_owned())));
    for (task, name) in TASKS {
        grid.add_row([name.to_owned()].into_iter().chain(all.iter().map(|ran| cell(ran, task))));
    }
    grid.to_string()
}

/// Writes everything between the page's markers, and the plots beside it.
pub(crate) fn write(all: &[Ran], goals: &[Goal], conditions: &Conditions) -> Result<()> {
    let path = Path::new(DOCS).join("benchmarks.md");
    let page = fs::read_to_string(&path)?;
    let (before, rest) = page.split_once(BEGIN).ok_or("docs/benchmarks.md has no marker to begin at")?;
    let (_, after) = rest.split_once(END).ok_or("docs/benchmarks.md has no marker to end at")?;
    let results = results(all, goals, conditions);
    fs::write(path, format!("{before}{BEGIN}\n\n{results}\n{END}{after}"))?;
    fs::create_dir_all(Path::new(DOCS).join("benchmarks"))?;
    for (file, title, axis, task, value, label) in PLOTS {
        let some: Vec<Bar> = all.iter().filter_map(|ran| bar(ran, ran.of(task)?, value, label)).collect();
        fs::write(Path::new(DOCS).join("benchmarks").join(file), bars(title, axis, &some))?;
    }
    Ok(())
}

type Value = fn(&Outcome) -> f64;
type Label = fn(f64) -> String;

/// File, title, axis, task, what is plotted, how it is written.
const PLOTS: [(&str, &str, Axis, &str, Value, Label); 4] = [
    ("load.svg", "Loading cities", Axis::Rate, "cities", Outcome::rows_per_second, rate),
    ("save.svg", "Saving one row", Axis::Time, "save_one", Outcome::seconds_each, time),
    ("read.svg", "Reading a row by its key", Axis::Time, "read", Outcome::seconds_each, time),
    ("open.svg", "Opening again and reading a row", Axis::Time, "open", Outcome::seconds_each, time),
];

fn bar(ran: &Ran, outcome: &Outcome, value: Value, label: Label) -> Option<Bar> {
    let value = value(outcome);
    let ours = ran.name == "discobase";
    (value > 0.0).then(|| Bar { name: ran.about.to_owned(), value, label: label(value), ours })
}

fn results(all: &[Ran], goals: &[Goal], conditions: &Conditions) -> String {
    let mut parts = vec![format!(
        "Round trip {} ms, tasks of the other stores in Discord ended after {} s each, medians of {} runs (one run of those \
         stores), {} with {} processors.",
        conditions.round_trip.as_millis(),
        conditions.budget.as_secs(),
        conditions.runs,
        std::env::consts::ARCH,
        std::thread::available_parallelism().map_or(1, usize::from),
    )];
    parts.push(grid(all, "Time", cell));
    parts.push(grid(all, "Requests and refusals", requests));
    let plots =
        PLOTS.map(|(file, title, axis, ..)| format!("![{title}: {}](benchmarks/{file})", axis.about()));
    parts.push(plots.join("\n\n"));
    let promises: Vec<String> = goals.iter().map(|goal| format!("- {goal}")).collect();
    parts.push(format!("**Promises**\n\n{}", promises.join("\n")));
    let notes: Vec<String> = all.iter().flat_map(notes).collect();
    if !notes.is_empty() {
        parts.push(format!("**Notes**\n\n{}", notes.join("\n")));
    }
    parts.join("\n\n") + "\n"
}

fn notes(ran: &Ran) -> Vec<String> {
    let said = ran
        .outcomes
        .iter()
        .map(|one| (&one.printed.task, one.printed.unsupported.as_ref(), &one.printed.note));
    let said = said.filter(|(_, unsupported, note)| unsupported.is_some() || !note.is_empty());
    let name =
        |task: &str| TASKS.iter().find(|(known, _)| *known == task).map_or("before", |(_, name)| *name);
    said.map(|(task, unsupported, note)| {
        format!("- {}, {}: {}", ran.about, name(task), unsupported.unwrap_or(note))
    })
    .collect()
}

fn grid(all: &[Ran], title: &str, cell: fn(&Ran, &str) -> String) -> String {
    let names: Vec<&str> = all.iter().map(|ran| ran.about).collect();
    let mut lines =
        vec![format!("| {title} | {} |", names.join(" | ")), format!("|---|{}", "---:|".repeat(all.len()))];
    for (task, name) in TASKS {
        let cells: Vec<String> = all.iter().map(|ran| cell(ran, task)).collect();
        lines.push(format!("| {name} | {} |", cells.join(" | ")));
    }
    lines.join("\n")
}

fn cell(ran: &Ran, task: &str) -> String {
    let Some(outcome) = ran.of(task) else { return "–".to_owned() };
    let printed = &outcome.printed;
    match (task, printed.found) {
        ("found", Some(found)) => format!("{} of {}", whole(found), whole(printed.rows)),
        ("increments", Some(found)) => {
            format!("{}, {} of {} counted", time(printed.seconds), whole(found), whole(printed.rows))
        }
        ("filter", Some(found)) if found != printed.rows => {
            format!("{}, {} of {} found", time(outcome.seconds_each()), whole(found), whole(printed.rows))
        }
        ("cities" | "save_many" | "save_singly", _) => {
            let rate = rate(outcome.rows_per_second());
            format!("{} for {}: {rate} rows/s", time(printed.seconds), whole(printed.rows))
        }
        _ => time(outcome.seconds_each()),
    }
}

fn requests(ran: &Ran, task: &str) -> String {
    match ran.of(task) {
        None => "–".to_owned(),
        Some(_) if !ran.in_discord => "0".to_owned(),
        Some(outcome) => {
            let refused = outcome.too_many_requests;
            let refused = if refused == 0 { String::new() } else { format!(" ({refused} × 429)") };
            format!("{}{refused}", whole(outcome.requests))
        }
    }
}

/// A time in the unit that suits it.
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

fn rate(rows: f64) -> String {
    match rows {
        r if r >= 100.0 => whole(r.round() as u64),
        r if r >= 1.0 => format!("{r:.1}"),
        r => format!("{r:.3}"),
    }
}

/// A number with commas.
fn whole(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}

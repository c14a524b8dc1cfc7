//! What a contestant in this program does its tasks with: a clock, and the line for each task.

use std::io::{Write as _, stdin, stdout};
use std::time::Instant;

use crate::Result;
use crate::city::City;
use crate::outcome::Printed;

/// Measures one task after the other.
pub(crate) struct Stage {
    started: Instant,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self { started: now() }
    }

    /// The next task begins here.
    pub(crate) fn start(&mut self) {
        self.started = now();
    }

    /// The task is done: prints it, and waits until the next one may begin.
    pub(crate) fn end(&mut self, task: &str, times: u64, rows: u64, found: Option<u64>) -> Result<()> {
        let seconds = self.started.elapsed().as_secs_f64();
        let printed = Printed { task: task.to_owned(), times, seconds, rows, found, ..Printed::default() };
        let mut output = stdout().lock();
        writeln!(output, "{}", serde_json::to_string(&printed)?)?;
        output.flush()?;
        stdin().read_line(&mut String::new())?;
        self.start();
        Ok(())
    }
}

/// Rows that are in no data set: copies of cities with other ids.
pub(crate) fn more(cities: &[City], first: u64, count: usize) -> Vec<City> {
    let copies = (0..).zip(cities.iter().cycle()).skip(first as usize).take(count);
    copies.map(|(number, city)| City { id: MORE + number, ..city.clone() }).collect()
}

/// Higher than the ids of all cities.
const MORE: u64 = 2_000_000_000;

#[expect(clippy::disallowed_methods, reason = "an example measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

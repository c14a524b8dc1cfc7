//! Saving many records fast: a few commits in flight at once, which the engine packs into few frames.

use std::fmt;
use std::time::Instant;

use discobase::{Database, Result, Table};
use indicatif::{ProgressBar, ProgressStyle};

use crate::city::City;

/// Cities in one commit. All commits are handed over at once; while a frame travels, the next one fills.
const CHUNK: usize = 34_000;

/// What loading took, from the first save to the last acknowledgement.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) rows: usize,
    pub(crate) seconds: f64,
    frames: u64,
    requests: u64,
}

impl Loaded {
    pub(crate) fn rows_per_second(&self) -> f64 {
        if self.rows == 0 { 0.0 } else { (self.rows as f64 / self.seconds).round() }
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, seconds, frames, requests } = self;
        let speed = self.rows_per_second();
        write!(f, "{rows} cities in {seconds:.2} s ({speed} a second), {frames} frames, {requests} requests")
    }
}

/// Saves all cities; when it returns they are durable.
pub(crate) async fn load(db: &Database, cities: Vec<City>, progress: bool) -> Result<Loaded> {
    let rows = cities.len();
    let bar = if progress { progress_bar(rows) } else { ProgressBar::hidden() };
    let chunks: Vec<Vec<City>> = cities.chunks(CHUNK).map(<[City]>::to_vec).collect();
    let (frames, requests) = (db.frames()?, db.traffic()?.requests);

    let started = now();
    let saves: Vec<_> = chunks.into_iter().map(|chunk| City::save_all(chunk, db).background()).collect();
    for save in saves {
        bar.inc(save.await?.len() as u64);
    }
    let seconds = started.elapsed().as_secs_f64();

    bar.finish_and_clear();
    let (frames, requests) = (db.frames()? - frames, db.traffic()?.requests - requests);
    Ok(Loaded { rows, seconds, frames, requests })
}

/// On standard error, and only if that is a terminal.
fn progress_bar(rows: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("saving {wide_bar} {human_pos} of {human_len} cities");
    ProgressBar::new(rows as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[expect(clippy::disallowed_methods, reason = "an example measures real time")]
fn now() -> Instant {
    Instant::now()
}

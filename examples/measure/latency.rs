//! How long a commit takes from the call to the acknowledgement, when commits come at a rate, independent of each other
//! and of how fast they are answered.

use std::thread;
use std::time::Duration;

use discobase::Table;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::figure::Figure;
use crate::guild::{Address, Guild};
use crate::member::Member;
use crate::part::Part;
use crate::time::{Random, milliseconds, now, percentile};

/// For how long commits are made.
const SECONDS: f64 = 40.0;
/// Commits so far apart have nothing to do with each other.
const ALONE: f64 = 6.0;
/// What connecting used up of the limit is given back after this.
const REST: Duration = Duration::from_secs(6);

/// One process that commits.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    guild: Address,
    /// Commits come at this rate at random times; without one each comes alone, [`ALONE`] after the one before.
    per_second: Option<f64>,
    seed: u64,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Latencies {
    /// In milliseconds, in order.
    sorted: Vec<f64>,
    too_many_requests: u64,
}

/// Makes the figures for commits that come alone, and for several rates.
pub(crate) fn figures(rates: &[u32], runs: usize) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let alone = several(None, runs)?;
    let all = |share| alone.iter().map(|run| percentile(&run.sorted, share)).collect();
    figures.push(Figure::of("p50 of commits that come alone", "ms", all(0.5)));
    figures.push(Figure::of("slowest of commits that come alone", "ms", all(1.0)));
    for &rate in rates {
        let runs = several(Some(f64::from(rate)), runs)?;
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("slowest", 1.0)] {
            let values = runs.iter().map(|run| percentile(&run.sorted, share)).collect();
            figures.push(Figure::of(format!("{name} at {rate} commits a second"), "ms", values));
        }
        let refused: u64 = runs.iter().map(|run| run.too_many_requests).sum();
        figures.push(Figure::once(
            format!("answers with 429 at {rate} a second"),
            "requests",
            refused as f64,
        ));
    }
    Ok(figures)
}

/// Several runs at the same time, each on a guild of its own.
fn several(per_second: Option<f64>, runs: usize) -> Result<Vec<Latencies>> {
    let runs: Vec<_> = (1..=runs as u64)
        .map(|seed| thread::spawn(move || once(per_second, seed).map_err(|error| error.to_string())))
        .collect();
    let ended = runs.into_iter().map(|run| run.join().map_err(|_| "a run panicked".to_owned()));
    Ok(ended.map(std::result::Result::flatten).collect::<std::result::Result<_, _>>()?)
}

fn once(per_second: Option<f64>, seed: u64) -> Result<Latencies> {
    let guild = Guild::far().start()?;
    Part::Latency(Latency { guild: guild.address.clone(), per_second, seed }).measure()
}

impl Latency {
    /// Commits at the rate; the times between them are exponentially distributed.
    pub(crate) async fn run(self) -> Result<Latencies> {
        let db = self.guild.open::<Member>().await?;
        tokio::time::sleep(REST).await;
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (self.seed << 17));
        let (started, mut due, mut commits) = (tokio::time::Instant::now(), 0.0, Vec::new());
        for id in 0.. {
            due += self.per_second.map_or(ALONE, |per_second| -random.fraction().ln() / per_second);
            if due >= SECONDS {
                break;
            }
            tokio::time::sleep_until(started + Duration::from_secs_f64(due)).await;
            let db = db.clone();
            commits.push(tokio::spawn(async move {
                let called = now();
                let saved = Member { id, name: format!("member {id}"), points: 0, joined: 0 }.save(&db).await;
                saved.map(|_| milliseconds(called.elapsed()))
            }));
        }
        let mut sorted = Vec::new();
        for commit in commits {
            sorted.push(commit.await??);
        }
        sorted.sort_unstable_by(f64::total_cmp);
        let too_many_requests = db.traffic()?.too_many_requests;
        db.close().await?;
        Ok(Latencies { sorted, too_many_requests })
    }
}

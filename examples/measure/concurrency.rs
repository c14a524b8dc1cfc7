//! Callers who save one record each and wait until it is durable, again and again: how many frames leave of those that
//! Discord takes, and how many rows become durable a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use discobase::{Database, Table};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::figure::Figure;
use crate::guild::{Address, Guild};
use crate::member::Member;
use crate::part::Part;
use crate::time::now;

/// What a channel takes, as the local guild has it of Discord: 5 messages in 5 seconds.
const FRAMES: u64 = 5;
const WINDOW: Duration = Duration::from_secs(5);
/// How often that many frames are watched.
const WINDOWS: usize = 6;

/// One process of callers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Concurrency {
    guild: Address,
    callers: u64,
}

/// What happened while the guild took [`FRAMES`] frames.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Watched {
    seconds: f64,
    rows: usize,
    too_many_requests: u64,
}

/// Makes the figures for several numbers of callers.
pub(crate) fn figures(callers: &[u64]) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for &callers in callers {
        let guild = Guild::far().start()?;
        let part = Part::Concurrency(Concurrency { guild: guild.address.clone(), callers });
        let watched: Vec<Watched> = part.measure()?;
        let each = |value: fn(&Watched) -> f64| watched.iter().map(value).collect();
        let rows = each(|window| window.rows as f64 / window.seconds);
        figures.push(Figure::of(format!("durable rows, {callers} callers"), "rows/s", rows));
        let share = each(|window| WINDOW.as_secs_f64() / window.seconds * 100.0);
        figures.push(Figure::of(format!("frames sent of those allowed, {callers} callers"), "%", share));
        let refused = watched.last().map_or(0, |window| window.too_many_requests);
        figures.push(Figure::once(
            format!("answers with 429, {callers} callers"),
            "requests",
            refused as f64,
        ));
    }
    Ok(figures)
}

impl Concurrency {
    /// Saves from all callers and watches.
    pub(crate) async fn run(self) -> Result<Vec<Watched>> {
        let db = self.guild.open::<Member>().await?;
        let next = Arc::new(AtomicU64::new(0));
        let callers: Vec<_> =
            (0..self.callers).map(|_| tokio::spawn(call(db.clone(), Arc::clone(&next)))).collect();
        // What connecting used up of the first window is over.
        let mut before = reached(&db, db.frames()? + 3 * FRAMES).await?;
        let mut watched = Vec::new();
        for _ in 0..WINDOWS {
            let after = reached(&db, db.frames()? + FRAMES).await?;
            watched.push(Watched {
                seconds: (after.0 - before.0).as_secs_f64(),
                rows: after.1 - before.1,
                too_many_requests: db.traffic()?.too_many_requests,
            });
            before = after;
        }
        callers.iter().for_each(tokio::task::JoinHandle::abort);
        Ok(watched)
    }
}

/// One caller.
async fn call(db: Database, next: Arc<AtomicU64>) -> discobase::Result<()> {
    loop {
        let id = next.fetch_add(1, Ordering::Relaxed);
        Member { id, name: format!("member {id}"), points: 0, joined: 0 }.save(&db).await?;
    }
}

/// Waits until this many frames are durable: when that was, and how many rows there are then.
async fn reached(db: &Database, frames: u64) -> Result<(Instant, usize)> {
    while db.frames()? < frames {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok((now(), Member::count(db).await?))
}

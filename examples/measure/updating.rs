//! Updates that are worked out at the commit: one of very many rows, and very many of one row.

use std::time::Duration;

use discobase::{Database, Table, update};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::figure::Figure;
use crate::guild::{Address, Guild};
use crate::member::{Member, members};
use crate::part::Part;
use crate::time::{milliseconds, now};

/// Rows of the one update.
pub(crate) const ROWS: usize = 100_000;
/// Increments of one row at once.
pub(crate) const INCREMENTS: usize = 1_000;

/// Before each of them, so that it is not a limit that is measured which the one before has used up.
const REST: Duration = Duration::from_secs(6);

/// A record that is mostly text.
#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "pages")]
struct Page {
    #[table(key)]
    id: u64,
    text: String,
    views: i64,
}

/// A thousand characters that hardly repeat.
fn text() -> String {
    members(62).map(|member| member.id.to_string()).collect::<String>().chars().take(1_000).collect()
}

/// One process that updates.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Updating {
    guild: Address,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Updated {
    /// Bytes sent to save the rows: what whole rows take.
    saved: u64,
    /// Milliseconds, bytes sent and frames of the one update, which changes one field of each.
    all: (f64, u64, u64),
    /// Milliseconds, bytes sent and frames of the increments.
    one: (f64, u64, u64),
    /// Bytes sent for a change of one number of a long record: the first behind a checkpoint, and those after it, the
    /// middle one.
    long: (u64, u64),
    /// Increments that are missing in the end.
    lost: i64,
}

/// Makes the figures.
pub(crate) fn figures(runs: usize) -> Result<Vec<Figure>> {
    let mut updated = Vec::new();
    for _ in 0..runs {
        let guild = Guild::default().start()?;
        updated.push(Part::Updating(Updating { guild: guild.address.clone() }).measure::<Updated>()?);
    }
    let each = |what: &str, unit: &str, value: fn(&Updated) -> f64| {
        Figure::of(what, unit, updated.iter().map(value).collect())
    };
    Ok(vec![
        each("an update of all rows, until acknowledged", "ms", |run| run.all.0),
        each("bytes sent to save the rows, a row", "bytes", |run| run.saved as f64 / ROWS as f64),
        each("bytes sent for the update of one field of each, a row", "bytes", |run| {
            run.all.1 as f64 / ROWS as f64
        }),
        each("frames of it", "frames", |run| run.all.2 as f64),
        each("increments of one row, until all are acknowledged", "ms", |run| run.one.0),
        each("bytes sent for them, an increment", "bytes", |run| run.one.1 as f64 / INCREMENTS as f64),
        each("frames of them", "frames", |run| run.one.2 as f64),
        each("bytes sent for one field of a long record, behind a checkpoint", "bytes", |run| {
            run.long.0 as f64
        }),
        each("bytes sent for one field of a long record, later", "bytes", |run| run.long.1 as f64),
        each("increments lost", "increments", |run| run.lost as f64),
    ])
}

impl Updating {
    /// Saves the rows, updates all of them, then one of them very often.
    pub(crate) async fn run(self) -> Result<Updated> {
        let db = self.guild.open::<Member>().await?;
        let rows: Vec<Member> = members(ROWS).collect();
        let first = rows.first().map_or(0, |row| row.id);
        let empty = sent(&db)?;
        Member::save_all(rows, &db).await?;
        tokio::time::sleep(REST).await;
        let before = sent(&db)?;
        let called = now();
        update::<Member>().set(|m| m.points, |m| m.points + 5).run(&db).await?;
        let took = milliseconds(called.elapsed());
        let (before_all, after) = (before.0, sent(&db)?);
        let all = (took, after.0 - before.0, after.1 - before.1);

        tokio::time::sleep(REST).await;
        let points =
            async || Ok::<_, discobase::Error>(Member::get(&db, first).await?.map_or(0, |row| row.points));
        let (start, before, called) = (points().await?, sent(&db)?, now());
        let increments: Vec<_> = (0..INCREMENTS)
            .map(|_| {
                let increment =
                    update::<Member>().filter(|m| m.id.eq(first)).set(|m| m.points, |m| m.points + 1);
                tokio::spawn(increment.run(&db))
            })
            .collect();
        for increment in increments {
            increment.await??;
        }
        let (took, after) = (milliseconds(called.elapsed()), sent(&db)?);
        let one = (took, after.0 - before.0, after.1 - before.1);
        let lost = INCREMENTS as i64 - (points().await? - start);
        db.close().await?;
        let long = self.long().await?;
        Ok(Updated { saved: before_all - empty.0, all, one, long, lost })
    }

    /// Changes a number beside a long text.
    async fn long(&self) -> Result<(u64, u64)> {
        let db = self.guild.builder("pages")?.checkpoint_every(u64::MAX, u64::MAX).build();
        db.table::<Page>()?;
        self.guild.connect(&db).await?;
        let mut page = Page { id: 1, text: text(), views: 0 }.save(&db).await?;
        db.checkpoint().await?;
        let mut costs = Vec::new();
        for views in 1..=11 {
            // Alone in its frame, which is text.
            tokio::time::sleep(Duration::from_secs(1)).await;
            let before = sent(&db)?.0;
            page.views = views;
            page.update().await?;
            costs.push(sent(&db)?.0 - before);
        }
        db.close().await?;
        let first = costs.remove(0);
        costs.sort_unstable();
        Ok((first, costs.get(costs.len() / 2).copied().unwrap_or_default()))
    }
}

/// Bytes and frames that were sent.
fn sent(db: &Database) -> discobase::Result<(u64, u64)> {
    Ok((db.traffic()?.bytes_sent, db.frames()?))
}

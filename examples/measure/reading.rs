//! Reads, beside SQLite in the same process: the same rows, the same questions in the same order, the same structs.

use std::hint::black_box;
use std::time::Duration;

use discobase::{Database, Record, Table};
use serde::{Deserialize, Serialize};

use crate::figure::Figure;
use crate::guild::{Address, Guild};
use crate::member::{Member, POINTS, members};
use crate::part::Part;
use crate::sqlite::{self, Questions};
use crate::time::{Random, now};
use crate::{Result, contents};

/// Point reads, ranges and scans of one round.
const READS: usize = 200_000;
const RANGES: usize = 2_000;
const SCANS: usize = 3;
/// Snapshots of one round.
const SNAPSHOTS: usize = 100_000;
/// Rows of a range.
const RANGE: usize = 100;
/// Rounds, the two sides by turns.
const ROUNDS: usize = 5;

/// One process that reads.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reading {
    guild: Address,
    rows: usize,
}

/// Makes the figures.
pub(crate) fn figures(rows: usize) -> Result<Vec<Figure>> {
    let guild = Guild::default().start()?;
    Part::Reading(Reading { guild: guild.address.clone(), rows }).measure()
}

/// Both sides, filled.
struct Sides<'a> {
    db: &'a Database,
    sqlite: Questions<'a>,
    /// In order.
    keys: Vec<u64>,
    random: Random,
}

/// What a question takes on both sides, a value for each round.
#[derive(Default)]
struct Times {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

impl Reading {
    /// Fills both sides, asks both the same, and compares the answers.
    pub(crate) async fn run(self) -> Result<Vec<Figure>> {
        let rows: Vec<Member> = members(self.rows).collect();
        let db = self.guild.open::<Member>().await?;
        contents::save(rows.clone(), &db, || ()).await?;
        let mut keys: Vec<u64> = rows.iter().map(|member| member.id).collect();
        keys.sort_unstable();
        let connection = sqlite::fill(rows)?;
        let sqlite = Questions::prepare(&connection)?;
        let mut sides = Sides { db: &db, sqlite, keys, random: Random(0x9e37_79b9_7f4a_7c15) };
        sides.agree().await?;

        let (mut point, mut range, mut scan) = (Times::default(), Times::default(), Times::default());
        let mut snapshots = Vec::new();
        for _ in 0..ROUNDS {
            sides.point(&mut point).await?;
            sides.range(&mut range).await?;
            sides.scan(&mut scan).await?;
            snapshots.push(sides.snapshots()?);
        }
        let mut figures = Vec::new();
        for (what, unit, times) in [
            ("one row by key", "ns", point),
            ("100 rows by key, in order", "µs", range),
            ("scan", "ms", scan),
        ] {
            let ratio = times.ours.iter().zip(&times.theirs).map(|(ours, theirs)| theirs / ours).collect();
            figures.push(Figure::of(format!("{what}: discobase"), unit, times.ours));
            figures.push(Figure::of(format!("{what}: SQLite"), unit, times.theirs));
            figures.push(Figure::of(format!("{what}: how many times as fast as SQLite"), "", ratio));
        }
        figures.push(Figure::of("a snapshot of all tables: discobase", "ns", snapshots));
        db.close().await?;
        Ok(figures)
    }
}

impl Sides<'_> {
    /// A measurement of two different things would be worth nothing.
    async fn agree(&mut self) -> Result<()> {
        let different = |what: &str| format!("{what}: discobase and SQLite give different rows");
        for _ in 0..1_000 {
            let key = self.key();
            let (ours, theirs) = (Member::get(self.db, key).await?, self.sqlite.by_key(key)?);
            if ours.map(Record::into_inner) != theirs {
                return Err(different("by key").into());
            }
        }
        let (first, last) = self.bounds();
        if between(self.db, first, last).await? != self.sqlite.range(first, last)? {
            return Err(different("range").into());
        }
        let (least, most) = self.points();
        let (mut ours, mut theirs) =
            (with_points(self.db, least, most).await?, self.sqlite.scan(least, most)?);
        ours.sort_unstable_by_key(|member| member.id);
        theirs.sort_unstable_by_key(|member| member.id);
        if ours != theirs || ours.is_empty() {
            return Err(different("scan").into());
        }
        Ok(())
    }

    async fn point(&mut self, times: &mut Times) -> Result<()> {
        let keys: Vec<u64> = (0..READS).map(|_| self.key()).collect();
        let started = now();
        for &key in &keys {
            black_box(Member::get(self.db, key).await?.map(Record::into_inner));
        }
        times.ours.push(each(started.elapsed(), READS) * 1e9);
        let started = now();
        for &key in &keys {
            black_box(self.sqlite.by_key(key)?);
        }
        times.theirs.push(each(started.elapsed(), READS) * 1e9);
        Ok(())
    }

    async fn range(&mut self, times: &mut Times) -> Result<()> {
        let bounds: Vec<(u64, u64)> = (0..RANGES).map(|_| self.bounds()).collect();
        let started = now();
        for &(first, last) in &bounds {
            black_box(between(self.db, first, last).await?);
        }
        times.ours.push(each(started.elapsed(), RANGES) * 1e6);
        let started = now();
        for &(first, last) in &bounds {
            black_box(self.sqlite.range(first, last)?);
        }
        times.theirs.push(each(started.elapsed(), RANGES) * 1e6);
        Ok(())
    }

    async fn scan(&mut self, times: &mut Times) -> Result<()> {
        let bounds: Vec<(i64, i64)> = (0..SCANS).map(|_| self.points()).collect();
        let started = now();
        for &(least, most) in &bounds {
            black_box(with_points(self.db, least, most).await?);
        }
        times.ours.push(each(started.elapsed(), SCANS) * 1e3);
        let started = now();
        for &(least, most) in &bounds {
            black_box(self.sqlite.scan(least, most)?);
        }
        times.theirs.push(each(started.elapsed(), SCANS) * 1e3);
        Ok(())
    }

    /// What a snapshot takes, in nanoseconds.
    fn snapshots(&self) -> Result<f64> {
        let started = now();
        for _ in 0..SNAPSHOTS {
            black_box(self.db.snapshot()?);
        }
        Ok(each(started.elapsed(), SNAPSHOTS) * 1e9)
    }

    fn key(&mut self) -> u64 {
        let index = self.random.below(self.keys.len());
        self.keys.get(index).copied().unwrap_or_default()
    }

    /// The keys of the first and the last of [`RANGE`] rows.
    fn bounds(&mut self) -> (u64, u64) {
        let first = self.random.below(self.keys.len().saturating_sub(RANGE));
        let last = (first + RANGE).min(self.keys.len()).saturating_sub(1);
        (self.keys.get(first).copied().unwrap_or_default(), self.keys.get(last).copied().unwrap_or_default())
    }

    /// Between which points one row in a hundred is.
    fn points(&mut self) -> (i64, i64) {
        let least = self.random.below(POINTS as usize * 99 / 100) as i64;
        (least, least + POINTS / 100 - 1)
    }
}

async fn between(db: &Database, first: u64, last: u64) -> discobase::Result<Vec<Member>> {
    let found = Member::find(db).filter(|m| m.id.between(first, last)).order_by(|m| m.id.asc()).all().await?;
    Ok(found.into_iter().map(Record::into_inner).collect())
}

async fn with_points(db: &Database, least: i64, most: i64) -> discobase::Result<Vec<Member>> {
    let found = Member::find(db).filter(|m| m.points.between(least, most)).all().await?;
    Ok(found.into_iter().map(Record::into_inner).collect())
}

fn each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() / count as f64
}

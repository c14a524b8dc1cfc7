//! Point reads by key at a million rows: discobase, and SQLite in memory beside it in the same run.
//!
//! Both give the same owned struct for the same keys in the same random order. SQLite is asked through one prepared
//! statement. discobase runs over a local guild in memory that keeps Discord's limits.

mod memory;
mod ours;
mod sqlite;

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use discobase::Table;
use serde_json::json;

/// Measures point reads by key against SQLite in memory.
#[derive(Parser)]
struct Arguments {
    /// Rows in the table
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Rounds of reading every row once; the medians are reported
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Print the figures as JSON, in the last line
    #[arg(long)]
    json: bool,
    /// Fill one side alone and print how many bytes the process grew by: what the main run starts for each side
    #[arg(long, hide = true)]
    memory: Option<Side>,
}

/// One of the two.
#[derive(Clone, Copy, ValueEnum)]
enum Side {
    Discobase,
    Sqlite,
}

/// What both sides keep.
#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "members")]
struct Member {
    /// As large as Discord's ids.
    #[table(key)]
    id: u64,
    name: String,
    points: i64,
    joined: i64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if let Some(side) = arguments.memory {
        println!("{}", memory::growth(side, members(arguments.rows)).await?);
        return Ok(());
    }
    let members: Vec<Member> = members(arguments.rows).collect();
    let mut keys: Vec<u64> = members.iter().map(|member| member.id).collect();

    let sqlite = sqlite::fill(members.iter().cloned())?;
    let (db, saved) = ours::fill(&members).await?;
    let rows_per_second = (arguments.rows as f64 / saved.seconds).round();
    println!(
        "saved {} rows in {:.1} s ({rows_per_second} a second) with {} frames and {} requests, {} of them limited",
        arguments.rows, saved.seconds, saved.frames, saved.requests, saved.too_many_requests
    );

    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut discobase_times, mut sqlite_times) = (Vec::new(), Vec::new());
    let mut select = sqlite::select(&sqlite)?;
    for round in 0..arguments.rounds {
        random.shuffle(&mut keys);
        let started = now();
        for &key in &keys {
            black_box(ours::get(&db, key).await?);
        }
        discobase_times.push(started.elapsed());
        let started = now();
        for &key in &keys {
            black_box(sqlite::get(&mut select, key)?);
        }
        sqlite_times.push(started.elapsed());
        if round == 0 {
            same_answers(&db, &mut select, &keys).await?;
        }
    }
    db.close().await?;

    let per_read = |times: Vec<Duration>| median(times).as_nanos() as f64 / keys.len() as f64;
    let (discobase_ns, sqlite_ns) = (per_read(discobase_times), per_read(sqlite_times));
    let ratio = sqlite_ns / discobase_ns;
    println!(
        "one read by key: discobase {discobase_ns:.0} ns, SQLite {sqlite_ns:.0} ns: {ratio:.2} times as fast"
    );

    let (discobase_bytes, sqlite_bytes) =
        (memory::of(Side::Discobase, arguments.rows)?, memory::of(Side::Sqlite, arguments.rows)?);
    println!("memory per row: discobase {discobase_bytes:.0} bytes, SQLite {sqlite_bytes:.0} bytes");

    if arguments.json {
        let report = json!({
            "rows": arguments.rows, "rounds": arguments.rounds,
            "discobase_ns": discobase_ns, "sqlite_ns": sqlite_ns, "ratio": ratio,
            "save_seconds": saved.seconds, "save_rows_per_second": rows_per_second,
            "frames": saved.frames, "requests": saved.requests, "too_many_requests": saved.too_many_requests,
            "discobase_bytes_per_row": discobase_bytes, "sqlite_bytes_per_row": sqlite_bytes,
        });
        println!("{report}");
    }
    Ok(())
}

/// A measurement of two different things would be worth nothing.
async fn same_answers(
    db: &discobase::Database,
    select: &mut rusqlite::Statement<'_>,
    keys: &[u64],
) -> Result<(), Box<dyn Error>> {
    for &key in keys.iter().take(1_000) {
        let (ours, theirs) = (ours::get(db, key).await?, sqlite::get(select, key)?);
        if ours != theirs {
            return Err(format!("key {key}: discobase has {ours:?}, SQLite {theirs:?}").into());
        }
    }
    Ok(())
}

/// Members with distinct ids of 63 bits, in no order.
fn members(rows: usize) -> impl Iterator<Item = Member> {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let member = move |number: usize| Member {
        // The low bits keep the ids distinct.
        id: random.next() << 24 >> 1 | number as u64,
        name: format!("member {:x}", random.next() >> 40),
        points: (random.next() >> 48) as i64,
        joined: 1_420_070_400_000 + (random.next() >> 26) as i64,
    };
    (0..rows).map(member)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// xorshift64*: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, (self.next() % (last as u64 + 1)) as usize);
        }
    }
}

//! Looking up records of a table that is not loaded, with nothing of it kept.

use discobase::{Database, Table};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::contents::save;
use crate::figure::Figure;
use crate::guild::{Address, Guild};
use crate::part::Part;
use crate::time::{Random, now};

/// How many records of each kind are looked up.
pub(crate) const LOOKUPS: usize = 200;

/// A record with a unique name.
#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "accounts")]
struct Account {
    #[table(key)]
    id: u64,
    #[table(unique)]
    name: String,
    points: i64,
}

/// One process, which saves them or looks some of them up.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Lookup {
    guild: Address,
    rows: usize,
    save: bool,
}

/// What the lookups took, each.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Looked {
    opening: Vec<Taken>,
    key: Vec<Taken>,
    unique: Vec<Taken>,
    absent: Vec<Taken>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Taken {
    requests: u64,
    bytes: u64,
    seconds: f64,
}

/// Makes the figures: fills a guild, writes a checkpoint, and looks records up in a process that has nothing of them.
pub(crate) fn figures(rows: usize) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let guild =
        |unlimited| Guild { data: Some(folder.path().join("guild.redb")), unlimited, ..Guild::default() };
    let part = |guild: &Address, save| Part::Lookup(Lookup { guild: guild.clone(), rows, save });
    {
        let guild = guild(true).start()?;
        part(&guild.address, true).measure::<Looked>()?;
    }
    let guild = guild(false).start()?;
    let looked: Looked = part(&guild.address, false).measure()?;
    let mut figures = Vec::new();
    for (what, taken) in [
        ("opening", &looked.opening),
        ("by key", &looked.key),
        ("by a unique field", &looked.unique),
        ("what is not there", &looked.absent),
    ] {
        let mut figure = |of: &str, unit: &str, value: fn(&Taken) -> f64| {
            let values = taken.iter().map(value).collect();
            figures.push(Figure::of(format!("{of}, {what}, {rows} rows"), unit, values));
        };
        figure("requests", "requests", |taken| taken.requests as f64);
        figure("received", "KB", |taken| taken.bytes as f64 / 1e3);
        figure("time", "ms", |taken| taken.seconds * 1e3);
    }
    Ok(figures)
}

impl Lookup {
    /// Saves everything, or looks some up.
    pub(crate) async fn run(self) -> Result<Looked> {
        if self.save {
            let db = self.guild.open::<Account>().await?;
            save(accounts(self.rows).collect(), &db, || ()).await?;
            db.checkpoint().await?;
            db.close().await?;
            return Ok(Looked::default());
        }
        let db = self.guild.builder("measure")?.lookup_cache(0).build();
        db.table_lazy::<Account>()?;
        let started = now();
        self.guild.connect(&db).await?;
        let traffic = db.traffic()?;
        let mut looked = Looked::default();
        looked.opening.push(Taken {
            requests: traffic.requests,
            bytes: traffic.bytes_received,
            seconds: started.elapsed().as_secs_f64(),
        });
        let step = (self.rows / LOOKUPS).max(1);
        for account in accounts(self.rows).step_by(step).take(LOOKUPS) {
            let (found, taken) = cost(&db, Account::get(&db, account.id)).await?;
            looked.key.push(taken);
            let name = account.name.clone();
            let (named, taken) = cost(&db, Account::find_unique(&db, |row| row.name.eq(name))).await?;
            looked.unique.push(taken);
            // Ids are even.
            let (absent, taken) = cost(&db, Account::get(&db, account.id + 1)).await?;
            looked.absent.push(taken);
            let right = found.is_some_and(|found| *found == account) && *named == account && absent.is_none();
            if !right {
                return Err(format!("{account:?} was saved and is not what was looked up").into());
            }
        }
        if db.is_loaded::<Account>()? {
            return Err("the table was loaded".into());
        }
        db.close().await?;
        Ok(looked)
    }
}

/// The answer, and what was asked of the guild for it.
async fn cost<A>(db: &Database, asked: impl IntoFuture<Output = discobase::Result<A>>) -> Result<(A, Taken)> {
    let (before, started) = (db.traffic()?, now());
    let answer = asked.await?;
    let seconds = started.elapsed().as_secs_f64();
    let after = db.traffic()?;
    let taken = Taken {
        requests: after.requests - before.requests,
        bytes: after.bytes_received - before.bytes_received,
        seconds,
    };
    Ok((answer, taken))
}

/// Accounts with distinct even ids in no order; the same in every run.
fn accounts(rows: usize) -> impl Iterator<Item = Account> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..rows).map(move |number| Account {
        // The low bits keep them distinct.
        id: random.next() << 25 | (number as u64) << 1,
        name: format!("account {:x}-{number:x}", random.next() >> 48),
        points: (random.next() >> 48) as i64,
    })
}

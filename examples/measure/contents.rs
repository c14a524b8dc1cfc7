//! What is in a table that is filled, closed and opened again.

use std::path::PathBuf;

use discobase::{Database, Table};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::city::{self, City};
use crate::guild::Address;
use crate::member::{Member, members};

/// Rows in one commit.
const CHUNK: usize = 100_000;

/// The rows of a measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Contents {
    /// A key and no index besides.
    Members(usize),
    /// A key and three indexes; from a file, or those that come with the project.
    Cities(Option<PathBuf>),
}

impl Contents {
    /// Connects to a guild, with the table registered.
    pub(crate) async fn open(&self, guild: &Address) -> Result<Database> {
        match self {
            Self::Members(_) => guild.open::<Member>().await,
            Self::Cities(_) => guild.open::<City>().await,
        }
    }

    /// What the rows are.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Members(_) => "members",
            Self::Cities(_) => "cities",
        }
    }

    /// How many rows the table has.
    pub(crate) async fn count(&self, db: &Database) -> Result<usize> {
        Ok(match self {
            Self::Members(_) => Member::count(db).await?,
            Self::Cities(_) => City::count(db).await?,
        })
    }

    /// Updates one record and writes a checkpoint, so many times.
    pub(crate) async fn checkpoint(&self, db: &Database, times: usize) -> Result<()> {
        match self {
            Self::Members(_) => checkpoint::<Member>(db, times, |member| member.points += 1).await,
            Self::Cities(_) => checkpoint::<City>(db, times, |city| city.population += 1).await,
        }
    }

    /// Saves the rows, all commits handed over at once. They are made, or read, before `started` is called.
    pub(crate) async fn save(&self, db: &Database, started: impl FnOnce()) -> Result<()> {
        match self {
            Self::Members(rows) => save(members(*rows).collect(), db, started).await,
            Self::Cities(file) => save(city::read(file.as_deref())?, db, started).await,
        }
    }
}

/// Saves rows in commits of [`CHUNK`].
pub(crate) async fn save<T: Table>(rows: Vec<T>, db: &Database, started: impl FnOnce()) -> Result<()> {
    let mut rows = rows.into_iter().peekable();
    let mut chunks: Vec<Vec<T>> = Vec::new();
    while rows.peek().is_some() {
        chunks.push(rows.by_ref().take(CHUNK).collect());
    }
    started();
    let saves: Vec<_> = chunks.into_iter().map(|chunk| T::save_all(chunk, db).background()).collect();
    for save in saves {
        save.await?;
    }
    Ok(())
}

async fn checkpoint<T: Table>(db: &Database, times: usize, change: impl Fn(&mut T)) -> Result<()> {
    let mut records = T::find(db).limit(times).all().await?;
    for record in &mut records {
        change(record);
        record.update().await?;
        db.checkpoint().await?;
    }
    Ok(())
}

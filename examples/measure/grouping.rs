//! Groups, beside SQLite in the same process: the same rows, the same questions by turns, the same owned tuples.

use std::hint::black_box;

use discobase::aggregate::{count, max, sum};
use discobase::{Database, Table};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use crate::figure::Figure;
use crate::guild::{Address, Guild};
use crate::part::Part;
use crate::time::{Random, milliseconds, now};
use crate::{Result, contents};

/// Rounds, the two sides by turns.
pub(crate) const ROUNDS: usize = 7;

/// What a bot keeps of a purchase.
#[derive(Debug, Clone, Table)]
#[table(name = "sales")]
struct Sale {
    #[table(key)]
    id: u64,
    /// One of 1,000.
    guild: u64,
    /// One of 8.
    kind: String,
    /// One of 65,536.
    price: i64,
}

type Kinds = Vec<(String, (u64, i64))>;
type Guilds = Vec<(u64, (u64, i64, Option<i64>))>;
type Prices = Vec<(i64, u64)>;

/// One process that groups.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    guild: Address,
    rows: usize,
}

/// Makes the figures.
pub(crate) fn figures(rows: usize) -> Result<Vec<Figure>> {
    let guild = Guild::default().start()?;
    Part::Group(Group { guild: guild.address.clone(), rows }).measure()
}

fn sales(rows: usize) -> impl Iterator<Item = Sale> {
    let mut random = Random(0x6a09_e667_f3bc_c908);
    (0..rows).map(move |number| Sale {
        // The low bits keep the ids distinct.
        id: random.next() << 24 >> 1 | number as u64,
        // As large as Discord's ids.
        guild: 1_000_000_000_000_000_000 + random.next() % 1_000,
        kind: format!("kind {}", random.next() % 8),
        price: (random.next() >> 48) as i64,
    })
}

fn beside(sales: &[Sale]) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    // What is sorted on the way stays in memory, too.
    connection.execute_batch(
        "PRAGMA temp_store = MEMORY; CREATE TABLE sales (id INTEGER PRIMARY KEY, guild INTEGER NOT NULL, kind TEXT NOT \
         NULL, price INTEGER NOT NULL)",
    )?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO sales VALUES (?1, ?2, ?3, ?4)")?;
        for Sale { id, guild, kind, price } in sales {
            insert.execute(params![*id as i64, *guild as i64, kind, price])?;
        }
    }
    transaction.commit()?;
    Ok(connection)
}

/// A question: what it takes on both sides, in milliseconds, a value for each round.
#[derive(Default)]
struct Times {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

impl Times {
    /// Asks both sides, and compares what they say.
    async fn round<T: PartialEq>(
        &mut self,
        ours: impl Future<Output = discobase::Result<T>>,
        theirs: impl FnOnce() -> rusqlite::Result<T>,
    ) -> Result<()> {
        let started = now();
        let our_answer = black_box(ours.await?);
        self.ours.push(milliseconds(started.elapsed()));
        let started = now();
        let their_answer = black_box(theirs()?);
        self.theirs.push(milliseconds(started.elapsed()));
        if our_answer == their_answer {
            Ok(())
        } else {
            Err("discobase and SQLite give different answers".into())
        }
    }

    fn figures(self, what: &str) -> [Figure; 3] {
        let ratio = self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| theirs / ours).collect();
        [
            Figure::of(format!("{what}: discobase"), "ms", self.ours),
            Figure::of(format!("{what}: SQLite"), "ms", self.theirs),
            Figure::of(format!("{what}: how many times as fast as SQLite"), "", ratio),
        ]
    }
}

impl Group {
    pub(crate) async fn run(self) -> Result<Vec<Figure>> {
        let rows: Vec<Sale> = sales(self.rows).collect();
        let db = self.guild.open::<Sale>().await?;
        let connection = beside(&rows)?;
        contents::save(rows, &db, || ()).await?;
        let (mut kinds, mut guilds, mut prices, mut all) =
            (Times::default(), Times::default(), Times::default(), Times::default());
        for _ in 0..ROUNDS {
            kinds.round(by_kind(&db), || sqlite_by_kind(&connection)).await?;
            guilds.round(by_guild(&db), || sqlite_by_guild(&connection)).await?;
            prices.round(by_price(&db), || sqlite_by_price(&connection)).await?;
            all.round(total(&db), || sqlite_total(&connection)).await?;
        }
        db.close().await?;
        let mut figures = Vec::new();
        figures.extend(kinds.figures("8 groups by a text: count, sum"));
        figures.extend(guilds.figures("1,000 groups by an id: count, sum, max"));
        figures.extend(prices.figures("65,536 groups by an integer: count"));
        figures.extend(all.figures("no groups: count, sum, max"));
        Ok(figures)
    }
}

async fn by_kind(db: &Database) -> discobase::Result<Kinds> {
    Sale::find(db).group_by(|s| s.kind).aggregate(|s| (count(), sum(s.price))).await
}

async fn by_guild(db: &Database) -> discobase::Result<Guilds> {
    Sale::find(db).group_by(|s| s.guild).aggregate(|s| (count(), sum(s.price), max(s.price))).await
}

async fn by_price(db: &Database) -> discobase::Result<Prices> {
    Sale::find(db).group_by(|s| s.price).aggregate(|_| count()).await
}

async fn total(db: &Database) -> discobase::Result<(u64, i64, Option<i64>)> {
    Sale::find(db).aggregate(|s| (count(), sum(s.price), max(s.price))).await
}

fn sqlite_by_kind(connection: &Connection) -> rusqlite::Result<Kinds> {
    let sql = "SELECT kind, count(*), sum(price) FROM sales GROUP BY kind ORDER BY kind";
    let mut statement = connection.prepare_cached(sql)?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, (row.get::<_, i64>(1)? as u64, row.get(2)?)));
    statement.query_map([], row)?.collect()
}

fn sqlite_by_guild(connection: &Connection) -> rusqlite::Result<Guilds> {
    let sql = "SELECT guild, count(*), sum(price), max(price) FROM sales GROUP BY guild ORDER BY guild";
    let mut statement = connection.prepare_cached(sql)?;
    let row = |row: &rusqlite::Row<'_>| {
        let (guild, count): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok((guild as u64, (count as u64, row.get(2)?, row.get(3)?)))
    };
    statement.query_map([], row)?.collect()
}

fn sqlite_by_price(connection: &Connection) -> rusqlite::Result<Prices> {
    let mut statement =
        connection.prepare_cached("SELECT price, count(*) FROM sales GROUP BY price ORDER BY price")?;
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64));
    statement.query_map([], row)?.collect()
}

fn sqlite_total(connection: &Connection) -> rusqlite::Result<(u64, i64, Option<i64>)> {
    let mut statement = connection.prepare_cached("SELECT count(*), sum(price), max(price) FROM sales")?;
    statement.query_row([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?, row.get(2)?)))
}

//! SQLite in a file, by its own interface, as it is without any pragma: a rollback journal, and the disk is waited for.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::city::{self, City};
use crate::stage::{Stage, more};

/// Where the file is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sqlite {
    pub(crate) file: PathBuf,
}

const TABLES: &str = "
    CREATE TABLE cities (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT NOT NULL, admin TEXT NOT NULL,
        population INTEGER NOT NULL, feature TEXT NOT NULL, longitude REAL NOT NULL, latitude REAL NOT NULL);
    CREATE INDEX cities_name ON cities (name);
    CREATE INDEX cities_country ON cities (country);
    CREATE INDEX cities_population ON cities (population);
    CREATE TABLE counters (id INTEGER PRIMARY KEY, points INTEGER NOT NULL);
    INSERT INTO counters VALUES (1, 0);";

impl Sqlite {
    fn open(&self) -> Result<Connection> {
        let connection = Connection::open(&self.file)?;
        connection.busy_timeout(Duration::from_secs(60))?;
        Ok(connection)
    }

    pub(crate) fn run(&self) -> Result<()> {
        let cities = city::read(None)?;
        let mut db = self.open()?;
        db.execute_batch(TABLES)?;
        let mut stage = Stage::new();
        stage.end("prepare", 1, 1, None)?;

        in_one_transaction(&mut db, &cities)?;
        stage.end("cities", 1, cities.len() as u64, None)?;
        let one = more(&cities, 0, 1);
        one.iter().try_for_each(|city| insert(&db, city))?;
        stage.end("save_one", 1, 1, None)?;
        let many = more(&cities, 1, 1_000);
        stage.start();
        in_one_transaction(&mut db, &many)?;
        stage.end("save_many", 1, 1_000, None)?;
        let many = more(&cities, 1_001, 1_000);
        stage.start();
        many.iter().try_for_each(|city| insert(&db, city))?;
        stage.end("save_singly", 1, 1_000, None)?;

        let mut read = 0;
        for city in cities.iter().step_by(3).take(10_000) {
            read += u64::from(by_key(&db, city.id)?.is_some());
        }
        stage.end("read", 10_000, 10_000, Some(read))?;
        let there = cities.iter().filter(|city| city.country == "IS").count() as u64;
        let mut found = 0;
        for _ in 0..100 {
            found = of_country(&db, "IS")?.len() as u64;
        }
        stage.end("filter", 100, there, Some(found))?;
        let last = one.first().map_or(0, |city| city.id as i64);
        db.execute("UPDATE cities SET population = population + 1 WHERE id = ?1", [last])?;
        stage.end("update", 1, 1, None)?;
        db.execute("DELETE FROM cities WHERE id = ?1", [last])?;
        stage.end("delete", 1, 1, None)?;
        let points = self.increments()?;
        stage.end("increments", 1, 1_000, Some(points))?;
        drop(db);

        stage.start();
        let db = self.open()?;
        let read = by_key(&db, cities.first().map_or(0, |city| city.id))?.is_some();
        stage.end("open", 1, 1, Some(u64::from(read)))?;
        let mut expected = cities.clone();
        expected.extend(more(&cities, 1, 2_000));
        let mut found = 0;
        for city in &expected {
            found += u64::from(by_key(&db, city.id)?.is_some_and(|one| one == *city));
        }
        stage.end("found", 1, expected.len() as u64, Some(found))
    }

    /// Eight connections, each in its turn.
    fn increments(&self) -> Result<u64> {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let this = self.clone();
                std::thread::spawn(move || {
                    let db = this.open().map_err(|error| error.to_string())?;
                    for _ in 0..125 {
                        let done = db.execute("UPDATE counters SET points = points + 1 WHERE id = 1", []);
                        done.map_err(|error| error.to_string())?;
                    }
                    Ok::<_, String>(())
                })
            })
            .collect();
        for thread in threads {
            thread.join().map_err(|_| "a thread of SQLite's ended")??;
        }
        let points: i64 = self.open()?.query_row("SELECT points FROM counters", [], |row| row.get(0))?;
        Ok(points.unsigned_abs())
    }
}

fn in_one_transaction(db: &mut Connection, cities: &[City]) -> Result<()> {
    let transaction = db.transaction()?;
    cities.iter().try_for_each(|city| insert(&transaction, city))?;
    Ok(transaction.commit()?)
}

fn insert(db: &Connection, city: &City) -> Result<()> {
    let mut insert = db.prepare_cached("INSERT INTO cities VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    let City { id, name, country, admin, population, feature, longitude, latitude } = city;
    insert.execute(params![*id as i64, name, country, admin, population, feature, longitude, latitude])?;
    Ok(())
}

fn by_key(db: &Connection, id: u64) -> Result<Option<City>> {
    let mut select = db.prepare_cached("SELECT * FROM cities WHERE id = ?1")?;
    Ok(select.query_row([id as i64], city).optional()?)
}

fn of_country(db: &Connection, country: &str) -> Result<Vec<City>> {
    let mut select = db.prepare_cached("SELECT * FROM cities WHERE country = ?1")?;
    Ok(select.query_map([country], city)?.collect::<std::result::Result<_, _>>()?)
}

fn city(row: &rusqlite::Row<'_>) -> rusqlite::Result<City> {
    Ok(City {
        id: row.get::<_, i64>(0)?.unsigned_abs(),
        name: row.get(1)?,
        country: row.get(2)?,
        admin: row.get(3)?,
        population: row.get(4)?,
        feature: row.get(5)?,
        longitude: row.get(6)?,
        latitude: row.get(7)?,
    })
}

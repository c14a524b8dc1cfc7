//! discobase.

use discobase::{Database, Table, update};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::city::{self, City};
use crate::stage::{Stage, more};

/// Where the guild is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Guild {
    pub(crate) api: String,
    pub(crate) gateway: String,
    pub(crate) token: String,
    pub(crate) guild_id: u64,
}

#[derive(Debug, Table)]
#[table(name = "counters")]
struct Counter {
    #[table(key)]
    id: u64,
    points: i64,
}

impl Guild {
    /// Opens the database, with the times and limits that hold on Discord.
    async fn open(&self) -> Result<Database> {
        let db = Database::builder("compare")
            .owner("compare")
            .guild_id(self.guild_id)
            .api(self.api.parse()?)
            .build();
        db.table::<City>()?;
        db.table::<Counter>()?;
        db.connect(self.token.as_str()).await?;
        Ok(db)
    }

    pub(crate) async fn run(self) -> Result<()> {
        let cities = city::read(None)?;
        let db = self.open().await?;
        // The first write waits until it is certain that nobody else writes: once, after an opening.
        Counter { id: 1, points: 0 }.save(&db).await?;
        let mut stage = Stage::new();
        stage.end("prepare", 1, 1, None)?;

        let count = cities.len() as u64;
        let copy = cities.clone();
        stage.start();
        City::save_all(copy, &db).await?;
        stage.end("cities", 1, count, None)?;
        let mut last = None;
        for one in more(&cities, 0, 1) {
            last = Some(one.save(&db).await?);
        }
        stage.end("save_one", 1, 1, None)?;
        let many = more(&cities, 1, 1_000);
        stage.start();
        City::save_all(many, &db).await?;
        stage.end("save_many", 1, 1_000, None)?;
        let many = more(&cities, 1_001, 1_000);
        stage.start();
        try_join_all(many.into_iter().map(|one| async { one.save(&db).await })).await?;
        stage.end("save_singly", 1, 1_000, None)?;

        let mut read = 0;
        for city in cities.iter().step_by(3).take(10_000) {
            read += u64::from(City::get(&db, city.id).await?.is_some());
        }
        stage.end("read", 10_000, 10_000, Some(read))?;
        let there = cities.iter().filter(|city| city.country == "IS").count() as u64;
        let mut found = 0;
        for _ in 0..100 {
            found = City::find(&db).filter(|city| city.country.eq("IS")).all().await?.len() as u64;
        }
        stage.end("filter", 100, there, Some(found))?;
        let mut last = last.ok_or("a row was saved")?;
        last.population += 1;
        last.update().await?;
        stage.end("update", 1, 1, None)?;
        last.delete().await?;
        stage.end("delete", 1, 1, None)?;
        try_join_all((0..1_000).map(|_| async {
            let change =
                update::<Counter>().filter(|one| one.id.eq(1)).set(|one| one.points, |one| one.points + 1);
            change.run(&db).await
        }))
        .await?;
        let points = Counter::get(&db, 1).await?.map_or(0, |one| one.points.unsigned_abs());
        stage.end("increments", 1, 1_000, Some(points))?;
        db.close().await?;

        stage.start();
        let db = self.open().await?;
        let first = cities.first().map_or(0, |city| city.id);
        let read = City::get(&db, first).await?.is_some();
        stage.end("open", 1, 1, Some(u64::from(read)))?;
        let mut expected: Vec<City> = cities.clone();
        expected.extend(more(&cities, 1, 2_000));
        let mut found = 0;
        for city in &expected {
            found += u64::from(City::get(&db, city.id).await?.is_some_and(|one| *one == *city));
        }
        stage.end("found", 1, expected.len() as u64, Some(found))?;
        db.close().await?;
        Ok(())
    }
}

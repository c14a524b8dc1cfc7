//! SQLite in a file through SeaORM, as `cargo run --release --example compare` runs it:
//! `discobase-bench-orm FILE CITIES.jsonl.gz`. Each task prints a line of JSON and waits for one.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Write as _, stdin, stdout};
use std::time::Instant;

use flate2::read::GzDecoder;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr as Sql, ExprTrait as _};
use sea_orm::{ConnectOptions, Database, IntoActiveModel as _, Schema, Set, TransactionTrait as _};
use serde_json::json;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

mod city {
    use sea_orm::entity::prelude::*;
    use serde::Deserialize;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Deserialize)]
    #[sea_orm(table_name = "cities")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        #[sea_orm(indexed)]
        pub name: String,
        #[sea_orm(indexed)]
        pub country: String,
        pub admin: String,
        #[sea_orm(indexed)]
        pub population: i64,
        pub feature: String,
        pub longitude: f64,
        pub latitude: f64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod counter {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "counters")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        pub points: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Rows of one statement: SQLite takes 32,766 values.
const CHUNK: usize = 4_000;

struct Stage(Instant);

impl Stage {
    fn end(&mut self, task: &str, times: u64, rows: u64, found: Option<u64>) -> Result<()> {
        let seconds = self.0.elapsed().as_secs_f64();
        let line = json!({ "task": task, "times": times, "seconds": seconds, "rows": rows, "found": found });
        let mut output = stdout().lock();
        writeln!(output, "{line}")?;
        output.flush()?;
        stdin().read_line(&mut String::new())?;
        self.0 = Instant::now();
        Ok(())
    }
}

async fn open(file: &str) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(format!("sqlite://{file}?mode=rwc"));
    // SQLite has one writer: several connections would wait for its lock, and one of them too long.
    options.sqlx_logging(false).max_connections(1);
    Ok(Database::connect(options).await?)
}

async fn insert(db: &DatabaseConnection, cities: &[city::Model]) -> Result<()> {
    let transaction = db.begin().await?;
    for chunk in cities.chunks(CHUNK) {
        let models = chunk.iter().map(|one| one.clone().into_active_model());
        city::Entity::insert_many(models).exec_without_returning(&transaction).await?;
    }
    Ok(transaction.commit().await?)
}

fn more(cities: &[city::Model], first: usize, count: usize) -> Vec<city::Model> {
    let copies = (0..).zip(cities.iter().cycle()).skip(first).take(count);
    copies.map(|(number, one)| city::Model { id: 2_000_000_000 + number, ..one.clone() }).collect()
}

async fn get(db: &DatabaseConnection, id: i64) -> Result<Option<city::Model>> {
    Ok(city::Entity::find_by_id(id).one(db).await?)
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("no file")?;
    let lines = BufReader::new(GzDecoder::new(File::open(arguments.next().ok_or("no cities")?)?)).lines();
    let mut cities: Vec<city::Model> = Vec::new();
    for line in lines {
        cities.push(serde_json::from_str(&line?)?);
    }
    let db = open(&file).await?;
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(city::Entity)).await?;
    db.execute(&schema.create_table_from_entity(counter::Entity)).await?;
    for index in schema.create_index_from_entity(city::Entity) {
        db.execute(&index).await?;
    }
    let counter = counter::ActiveModel { id: Set(1), points: Set(0) };
    counter::Entity::insert(counter).exec_without_returning(&db).await?;
    let mut stage = Stage(Instant::now());
    stage.end("prepare", 1, 1, None)?;

    insert(&db, &cities).await?;
    stage.end("cities", 1, cities.len() as u64, None)?;
    for one in more(&cities, 0, 1) {
        city::Entity::insert(one.into_active_model()).exec_without_returning(&db).await?;
    }
    stage.end("save_one", 1, 1, None)?;
    let many = more(&cities, 1, 1_000);
    stage.0 = Instant::now();
    insert(&db, &many).await?;
    stage.end("save_many", 1, 1_000, None)?;
    let many = more(&cities, 1_001, 1_000);
    stage.0 = Instant::now();
    // SQLite has one writer: more of them would only wait for each other.
    for one in many {
        city::Entity::insert(one.into_active_model()).exec_without_returning(&db).await?;
    }
    stage.end("save_singly", 1, 1_000, None)?;

    let mut read = 0;
    for one in cities.iter().step_by(3).take(10_000) {
        read += u64::from(get(&db, one.id).await?.is_some());
    }
    stage.end("read", 10_000, 10_000, Some(read))?;
    let there = cities.iter().filter(|one| one.country == "IS").count() as u64;
    let mut found = 0;
    for _ in 0..100 {
        found = city::Entity::find().filter(city::Column::Country.eq("IS")).all(&db).await?.len() as u64;
    }
    stage.end("filter", 100, there, Some(found))?;
    let id = 2_000_000_000;
    let mut last = get(&db, id).await?.ok_or("a row was saved")?.into_active_model();
    last.population = Set(1);
    last.update(&db).await?;
    stage.end("update", 1, 1, None)?;
    city::Entity::delete_by_id(id).exec(&db).await?;
    stage.end("delete", 1, 1, None)?;
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let db = db.clone();
        workers.spawn(async move {
            for _ in 0..125 {
                let change = counter::Entity::update_many()
                    .col_expr(counter::Column::Points, Sql::col(counter::Column::Points).add(1));
                change.exec(&db).await?;
            }
            Ok::<_, DbErr>(())
        });
    }
    while let Some(done) = workers.join_next().await {
        done??;
    }
    let points = counter::Entity::find_by_id(1).one(&db).await?.map_or(0, |one| one.points.unsigned_abs());
    stage.end("increments", 1, 1_000, Some(points))?;
    db.close().await?;

    stage.0 = Instant::now();
    let db = open(&file).await?;
    let read = get(&db, cities.first().ok_or("no cities")?.id).await?.is_some();
    stage.end("open", 1, 1, Some(u64::from(read)))?;
    let mut expected = cities.clone();
    expected.extend(more(&cities, 1, 2_000));
    let mut found = 0;
    for one in &expected {
        found += u64::from(get(&db, one.id).await?.as_ref() == Some(one));
    }
    stage.end("found", 1, expected.len() as u64, Some(found))
}

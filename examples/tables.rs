//! Every type a column can have: saved, the database closed and opened again, and compared.
//!
//! Runs on a local guild in `target/tables.redb`; with `DISCORD_TOKEN` set, on Discord.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::collections::BTreeMap;

use discobase::{ColumnEnum, Database, ErrorKind, Table};
use serde::{Deserialize, Serialize};
use twilight_model::id::Id;
use twilight_model::id::marker::{GuildMarker, UserMarker};
use twilight_model::util::Timestamp;
use uuid::Uuid;

/// An enum without data; its variants order as they are declared.
#[derive(Debug, Clone, Copy, PartialEq, ColumnEnum)]
enum Rank {
    Member,
    Moderator,
    #[table(rename = "boss")]
    Admin,
}

/// Any type that serde knows, kept as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Settings {
    theme: String,
    shortcuts: BTreeMap<String, Vec<u32>>,
}

#[derive(Debug, Clone, Table)]
#[table(name = "every_type")]
struct EveryType {
    #[table(key)]
    id: Id<UserMarker>,
    yes: bool,
    tiny: i8,
    small: i16,
    medium: i32,
    large: i64,
    byte: u8,
    port: u16,
    count: u32,
    huge: u64,
    /// Floats order by `total_cmp`, so that a NaN is found like any other number.
    #[table(index)]
    ratio: f32,
    exact: f64,
    #[table(max_len = 100)]
    text: String,
    #[table(max_len = 1024)]
    bytes: Vec<u8>,
    since: Timestamp,
    #[table(unique)]
    token: Uuid,
    #[table(index)]
    rank: Rank,
    /// `None` is less than every value, as in Rust, and several rows may lack a unique one.
    #[table(unique)]
    nickname: Option<String>,
    home: Option<Id<GuildMarker>>,
    #[table(json)]
    settings: Settings,
    /// Not a column: `Default::default()` when the record is loaded.
    #[table(skip)]
    cached: Option<String>,
}

fn samples() -> Result<[EveryType; 2], Box<dyn std::error::Error>> {
    let settings = Settings {
        theme: "dark `and` \"quoted\"".into(),
        shortcuts: BTreeMap::from([("save".into(), vec![17, 83]), (String::new(), vec![])]),
    };
    let highest = EveryType {
        id: Id::new(u64::MAX),
        yes: true,
        tiny: i8::MAX,
        small: i16::MAX,
        medium: i32::MAX,
        large: i64::MAX,
        byte: u8::MAX,
        port: u16::MAX,
        count: u32::MAX,
        huge: u64::MAX,
        ratio: f32::NAN,
        exact: f64::NAN,
        text: "žluťoučký kůň 🐎 @everyone\0\u{200b}".into(),
        bytes: (0..=255).collect(),
        since: Timestamp::parse("2026-11-22T10:30:00.123456+00:00")?,
        token: Uuid::from_u128(0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8),
        rank: Rank::Admin,
        nickname: Some("Pete".into()),
        home: Some(Id::new(1)),
        settings,
        cached: Some("worked out from the rest".into()),
    };
    let lowest = EveryType {
        id: Id::new(1),
        yes: false,
        tiny: i8::MIN,
        small: i16::MIN,
        medium: i32::MIN,
        large: i64::MIN,
        byte: 0,
        port: 0,
        count: 0,
        huge: 0,
        ratio: f32::NEG_INFINITY,
        exact: -0.0,
        text: String::new(),
        bytes: Vec::new(),
        since: Timestamp::from_secs(0)?,
        token: Uuid::nil(),
        rank: Rank::Member,
        nickname: None,
        home: None,
        settings: Settings { theme: String::new(), shortcuts: BTreeMap::new() },
        cached: None,
    };
    Ok([highest, lowest])
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = "target/tables.redb";
    let db = Database::new("tables");
    db.table::<EveryType>()?;
    db.connect_env(file).await?;
    // What an earlier run left.
    for record in EveryType::find(&db).all().await? {
        record.delete().await?;
    }
    let samples = samples()?;
    EveryType::save_all(samples.clone(), &db).await?;
    db.close().await?;
    println!("saved two records with a column of every type, and closed the database");

    db.connect_env(file).await?;
    for sample in &samples {
        let read = EveryType::get(&db, sample.id).await?.ok_or("a record is missing")?;
        if read.cached.is_some() {
            return Err("a skipped field was kept".into());
        }
        let saved = EveryType { cached: None, ..sample.clone() };
        // As text, a NaN equals itself and -0.0 differs from 0.0; with `==` neither is so.
        if format!("{saved:?}") != format!("{:?}", *read) {
            return Err(format!("saved {saved:?}\nread  {:?}", *read).into());
        }
    }
    println!("opened it again: every value is what was saved");

    let nan = EveryType::find_unique(&db, |row| row.ratio.eq(f32::NAN)).await?;
    println!("found by its NaN:           user {}", nan.id);
    let staff = EveryType::find(&db).filter(|row| row.rank.ge(Rank::Moderator)).all().await?;
    println!("moderators and above:       {}", staff.len());
    let nameless = EveryType::find(&db).filter(|row| row.nickname.is_null()).count().await?;
    println!("without a nickname:         {nameless}");

    let [sample, _] = samples;
    let long = EveryType { id: Id::new(2), text: "x".repeat(101), ..sample };
    match long.save(&db).await {
        Err(error) if error.kind() == ErrorKind::TooLong => println!("refused before it is sent:  {error}"),
        other => return Err(format!("a text that is too long gave {other:?}").into()),
    }
    db.close().await?;
    Ok(())
}

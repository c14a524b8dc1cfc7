//! What `docs/format.md` says is enough: `reader.rs` and `bytes.rs` know that page and nothing of the engine, read a guild over
//! plain HTTP, and find the rows that the engine saved there.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "in a test whatever is not as expected is a failure"
)]

mod bytes;
mod reader;

use std::cell::Cell;
use std::collections::BTreeMap;

use discobase::{Database, Table};
use discobase_guild::{Limits, LocalGuild, Rate};
use serde_json::{Value as Json, json};

use reader::Guild;

#[derive(Debug, Clone, Table)]
struct Thing {
    #[table(key)]
    id: u64,
    #[table(unique)]
    name: String,
    #[table(index)]
    weight: Option<f64>,
    debt: i64,
    alive: bool,
}

fn thing(id: u64) -> Thing {
    Thing {
        id,
        name: format!("thing \"{id}\" \u{1f4be} `\n"),
        weight: (!id.is_multiple_of(3)).then_some(id as f64 / 8.0),
        debt: -(id as i64) * 1_000_003,
        alive: id.is_multiple_of(2),
    }
}

fn expected(thing: &Thing) -> Vec<Json> {
    vec![json!(thing.id), json!(thing.name), json!(thing.weight), json!(thing.debt), json!(thing.alive)]
}

/// Saves, changes and deletes in small frames and large ones; what is left of it, by key.
async fn live(db: &Database) -> BTreeMap<u64, Vec<Json>> {
    let mut records = BTreeMap::new();
    for record in Thing::save_all((0..3_000).map(thing), db).await.unwrap() {
        records.insert(record.id, record);
    }
    for id in (0..40).step_by(4) {
        records.remove(&id).unwrap().delete().await.unwrap();
    }
    for id in (1..40).step_by(4) {
        let record = records.get_mut(&id).unwrap();
        record.debt = 7;
        record.update().await.unwrap();
    }
    for id in 5_000..5_005 {
        records.insert(id, thing(id).save(db).await.unwrap());
    }
    records.iter().map(|(id, record)| (*id, expected(record))).collect()
}

fn reader(guild: &LocalGuild) -> Guild {
    Guild {
        api: guild.api().to_owned(),
        token: guild.token().to_owned(),
        filters: Cell::default(),
        patches: Cell::default(),
    }
}

fn found(guild: &LocalGuild) -> BTreeMap<u64, Vec<Json>> {
    found_by(&reader(guild), guild)
}

fn found_by(reader: &Guild, guild: &LocalGuild) -> BTreeMap<u64, Vec<Json>> {
    let tables = reader.read(guild.guild_id(), "shop");
    tables["thing"].rows.values().map(|row| (row[0].as_u64().unwrap(), row.clone())).collect()
}

async fn guild() -> LocalGuild {
    let rate = Rate { count: 1_000, window_ms: 5_000 };
    let limits = Limits { message_create: Some(rate), ..Limits::unlimited() };
    LocalGuild::builder().limits(limits).start().await.unwrap()
}

async fn connect(guild: &LocalGuild) -> Database {
    let db = Database::new("shop");
    db.table::<Thing>().unwrap();
    db.connect_guild(guild).await.unwrap();
    db
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_enough_to_read_a_journal() {
    let guild = guild().await;
    let db = connect(&guild).await;
    let kept = live(&db).await;
    let reader = reader(&guild);
    assert_eq!(found_by(&reader, &guild), kept, "while it is open");
    assert_eq!(reader.patches.get(), 10, "one for each change of a record that was saved before");
    db.close().await.unwrap();
    assert_eq!(found(&guild), kept, "after it was closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_enough_to_read_checkpoints_and_segments() {
    let guild = guild().await;
    let db = connect(&guild).await;
    live(&db).await;
    db.checkpoint().await.unwrap();
    assert!(found(&guild).len() > 2_900, "a checkpoint that covers all");
    // Changes and deletions in a second run, and a tail behind it that no checkpoint covers.
    for id in 100..110 {
        Thing::get(&db, id).await.unwrap().unwrap().delete().await.unwrap();
    }
    let mut record = Thing::get(&db, 111).await.unwrap().unwrap();
    record.name = "changed".to_owned();
    record.update().await.unwrap();
    db.checkpoint().await.unwrap();
    thing(9_000).save(&db).await.unwrap();
    // The first change behind the checkpoint has the whole row, the second a patch.
    for weight in [1.5, 2.5] {
        record.weight = Some(weight);
        record.update().await.unwrap();
    }
    let kept = Thing::find(&db).all().await.unwrap();
    let kept: BTreeMap<_, _> = kept.iter().map(|record| (record.id, expected(record))).collect();
    let reader = reader(&guild);
    assert_eq!(found_by(&reader, &guild), kept, "while it is open");
    assert_eq!(reader.filters.get(), 1, "the second run's file has one");
    assert_eq!(reader.patches.get(), 1);
    db.close().await.unwrap();
    assert_eq!(found(&guild), kept, "after it was closed");
}

#[derive(Debug, Clone, Table)]
struct Owner {
    #[table(key)]
    id: u64,
}

#[derive(Debug, Clone, Table)]
struct Pet {
    #[table(key)]
    name: String,
    #[table(references = Owner)]
    owner_id: u64,
    #[table(unique, references = Owner, on_delete = set_null)]
    friend_id: Option<u64>,
    #[table(references = Pet, on_delete = cascade)]
    mother_id: Option<String>,
}

fn pet(name: &str, owner_id: u64, friend_id: Option<u64>, mother_id: Option<&str>) -> Pet {
    Pet { name: name.to_owned(), owner_id, friend_id, mother_id: mother_id.map(str::to_owned) }
}

/// What of the two tables is in the guild: their references, and the pets.
fn pets(guild: &LocalGuild) -> Vec<Vec<Json>> {
    let tables = reader(guild).read(guild.guild_id(), "shop");
    let reference =
        |column, table: &str, on_delete: &str| (vec![column], table.to_owned(), on_delete.to_owned());
    let mut references = tables["pet"].references.clone();
    references.sort_unstable();
    let expected = [
        reference(1, "owner", "restrict"),
        reference(2, "owner", "set_null"),
        reference(3, "pet", "cascade"),
    ];
    assert_eq!(references, expected);
    assert_eq!(tables["owner"].references, []);
    tables["pet"].rows.values().cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_enough_to_read_references() {
    let guild = guild().await;
    let db = Database::new("shop");
    db.table::<Owner>().unwrap();
    db.table::<Pet>().unwrap();
    db.connect_guild(&guild).await.unwrap();
    assert_eq!(pets(&guild), Vec::<Vec<Json>>::new(), "of the tables there is nothing but their definitions");
    Owner::save_all((1..=3).map(|id| Owner { id }), &db).await.unwrap();
    let all = [pet("a", 1, Some(2), None), pet("b", 1, None, Some("a")), pet("c", 1, Some(3), None)];
    Pet::save_all(all, &db).await.unwrap();
    // What a delete leads to stands in its commit: a reader derives none of it.
    Pet::get(&db, "a").await.unwrap().unwrap().delete().await.unwrap();
    Owner::get(&db, 3).await.unwrap().unwrap().delete().await.unwrap();
    let left = [vec![json!("c"), json!(1), Json::Null, Json::Null]];
    assert_eq!(pets(&guild), left, "from the journal");
    db.checkpoint().await.unwrap();
    assert_eq!(pets(&guild), left, "from a checkpoint");
    db.close().await.unwrap();
    assert_eq!(pets(&guild), left, "after it was closed");
}

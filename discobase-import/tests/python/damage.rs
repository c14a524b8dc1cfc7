//! Messages that are damaged, records that are no good: each is named, and the others are imported.

use discobase_core::{ErrorKind, Table};
use discobase_import::{Import, Mapping};
use serde_json::json;

use crate::shelf::Shelf;

#[derive(Debug, Clone, PartialEq, Table)]
#[table(crate = "discobase_core")]
struct Reader {
    #[table(unique)]
    name: String,
    #[table(max_len = 5)]
    town: Option<String>,
    #[table(range(min = 0, max = 150))]
    age: u8,
}

fn reader(name: &str, town: &str, age: u32) -> serde_json::Value {
    json!({ "name": name, "town": town, "age": age })
}

const FIELDS: [&str; 3] = ["name", "town", "age"];

#[tokio::test]
async fn what_can_not_be_imported_is_named_with_its_message_and_field() {
    let shelf = Shelf::new().await;
    let (channel, good) = shelf.table("reader", &FIELDS, &[reader("Ada", "Rome", 36)]);
    let bad = [
        (shelf.post(channel, "who is reading this?"), None, "it is no record"),
        (shelf.post(channel, r#"{"content":"eyJ0"}"#), None, "its JSON is damaged"),
        (shelf.record(channel, &json!([1])), None, "no object"),
        (shelf.record(channel, &json!({ "name": "Bob", "age": 3 })), None, ""),
        (shelf.record(channel, &json!({ "town": "Rome", "age": 3 })), Some("name"), "no field name"),
        (shelf.record(channel, &json!({ "name": 5, "age": 3 })), Some("name"), "expected text, found 5"),
        (
            shelf.record(channel, &json!({ "name": null, "age": 3 })),
            Some("name"),
            "expected text, found null",
        ),
        (shelf.record(channel, &reader("Cy", "Rome", 300)), Some("age"), "expected u8, found 300"),
        (shelf.record(channel, &reader("Di", "Rome", 151)), Some("age"), "150 at most"),
        (shelf.record(channel, &reader("Ed", "Londinium", 20)), Some("town"), "5"),
        (shelf.record(channel, &reader("Ada", "Paris", 20)), Some("name"), "Ada"),
    ];
    let last = shelf.record(channel, &reader("Eve", "Paris", 150));
    let db = shelf.database::<Reader>().await;
    let report = Import::new(&db).table(Mapping::<Reader>::new()).run().await.unwrap();

    let skipped = &report.tables[0].skipped;
    // The one without a town is fine: the column may be without it.
    let expected: Vec<_> = bad.iter().filter(|(_, _, says)| !says.is_empty()).collect();
    assert_eq!(skipped.len(), expected.len(), "{report}");
    for (skipped, (message, field, says)) in skipped.iter().zip(expected) {
        assert_eq!((skipped.message, skipped.field.as_deref()), (*message, *field), "{skipped}");
        assert!(skipped.reason.contains(says), "{says:?} is not in: {skipped}");
        assert!(report.to_string().contains(&message.to_string()), "{report}");
    }
    let names: Vec<_> = Reader::find(&db).order_by(|one| one.name.asc()).all().await.unwrap();
    let names: Vec<_> = names.iter().map(|one| (one.name.as_str(), one.town.as_deref())).collect();
    // Of the two called Ada, the older one.
    assert_eq!(names, [("Ada", Some("Rome")), ("Bob", None), ("Eve", Some("Paris"))]);
    assert!(good[0] < last);
    db.close().await.unwrap();
}

#[tokio::test]
async fn a_table_without_metadata_is_imported_from_its_channel() {
    let shelf = Shelf::new().await;
    let metadata = shelf.channel("_dbmetadata");
    let damaged = shelf.post(metadata, r#"{"name":"reader","keys":["#);
    let channel = shelf.channel("reader");
    shelf.record(channel, &reader("Ada", "Rome", 36));
    let db = shelf.database::<Reader>().await;

    let error = Import::new(&db).table(Mapping::<Reader>::new()).run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTable, "{error}");
    assert!(error.to_string().contains(&damaged.to_string()), "{error}");

    let report = Import::new(&db).table(Mapping::<Reader>::new().channel(channel)).run().await.unwrap();
    assert_eq!((report.records(), report.unreadable[0].message), (1, damaged));
    db.close().await.unwrap();
}

#[tokio::test]
async fn a_table_whose_channel_is_gone_is_an_error() {
    let shelf = Shelf::new().await;
    let (channel, _) = shelf.table("reader", &FIELDS, &[reader("Ada", "Rome", 36)]);
    shelf.guild.delete_channel_as_owner(channel.get()).unwrap();
    let db = shelf.database::<Reader>().await;
    let error = Import::new(&db).table(Mapping::<Reader>::new()).run().await.unwrap_err();
    assert_eq!((error.kind(), error.place().channel), (ErrorKind::MissingChannel, Some(channel)), "{error}");
    db.close().await.unwrap();
}

#[tokio::test]
async fn two_tables_of_one_name_are_told_apart_by_their_channels() {
    let shelf = Shelf::new().await;
    let (old, _) = shelf.table("reader", &FIELDS, &[reader("Ada", "Rome", 36)]);
    let (new, _) = shelf.table("reader", &FIELDS, &[reader("Eve", "Rome", 36), reader("Bob", "Rome", 36)]);
    let db = shelf.database::<Reader>().await;
    let error = Import::new(&db).table(Mapping::<Reader>::new()).run().await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&old.to_string()) && text.contains(&new.to_string()), "{text}");
    let report = Import::new(&db).table(Mapping::<Reader>::new().channel(new)).run().await.unwrap();
    assert_eq!((report.records(), report.left_alone.as_slice()), (2, ["reader".to_owned()].as_slice()));
    db.close().await.unwrap();
}

#[tokio::test]
async fn records_that_discord_withholds_are_skipped_and_say_why() {
    let mut shelf = Shelf::new().await;
    let metadata = shelf.channel("_dbmetadata");
    let (channel, _) = shelf.table_in(metadata, "reader", &FIELDS, &[reader("Ada", "Rome", 36)]);
    shelf.written_by_another_bot();
    let foreign = shelf.record(channel, &reader("Eve", "Rome", 36));
    let db = shelf.database::<Reader>().await;
    let report = Import::new(&db).table(Mapping::<Reader>::new()).check().await.unwrap();
    let skipped = &report.tables[0].skipped;
    assert_eq!((report.records(), skipped[0].message), (1, foreign), "{report}");
    assert!(skipped[0].reason.contains("message content intent"), "{report}");

    // As the developer portal says how to mend it.
    shelf.guild.allow_privileged_intents();
    let report = Import::new(&db).table(Mapping::<Reader>::new()).run().await.unwrap();
    assert_eq!((report.records(), report.skipped()), (2, 0), "{report}");
    db.close().await.unwrap();
}

#[tokio::test]
async fn a_table_of_many_pages_is_read_whole() {
    let shelf = Shelf::new().await;
    let readers: Vec<_> = (0..1_201).map(|number| reader(&format!("reader {number}"), "Rome", 36)).collect();
    shelf.table("reader", &FIELDS, &readers);
    let db = shelf.database::<Reader>().await;
    let report = Import::new(&db).table(Mapping::<Reader>::new()).run().await.unwrap();
    assert_eq!((report.records(), report.skipped()), (1_201, 0));
    assert_eq!(Reader::count(&db).await.unwrap(), 1_201);
    let last = Reader::find_unique(&db, |one| one.name.eq("reader 1200")).await.unwrap();
    assert_eq!(last.age, 36);
    db.close().await.unwrap();
}

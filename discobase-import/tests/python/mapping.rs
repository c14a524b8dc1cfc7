//! Fields that are called otherwise, are of other types, or are not there.

use discobase_core::{ErrorKind, Table};
use discobase_import::{Import, Mapping};
use serde_json::json;
use twilight_model::util::Timestamp;

use crate::shelf::Shelf;

#[derive(Debug, Clone, PartialEq, Table)]
#[table(crate = "discobase_core")]
struct BookClub {
    #[table(key, auto)]
    id: u64,
    name: String,
    members: Option<u32>,
    #[table(default = 7)]
    days: u8,
    #[table(json)]
    tags: Vec<String>,
    #[table(created_at)]
    created_at: Timestamp,
}

#[tokio::test]
async fn fields_are_renamed_converted_filled_and_left_out() {
    let shelf = Shelf::new().await;
    // A class `BookClub` of Python.
    shelf.table(
        "bookclub",
        &["title", "size", "note", "tags"],
        &[
            json!({ "title": "Friday", "size": "12", "note": "a", "tags": ["x", "y"] }),
            json!({ "title": "Sunday", "size": "many", "note": "b", "tags": [] }),
            json!({ "title": "Monday", "size": "3", "note": "c", "tags": [] }),
        ],
    );
    let db = shelf.database::<BookClub>().await;
    let mapping = Mapping::<BookClub>::new()
        .rename("title", |club| club.name)
        .rename("size", |club| club.members)
        .convert(|club| club.members, |json| json.as_str().unwrap_or_default().parse::<u32>())
        .ignore("note")
        .fill(|club| club.created_at, |record| record.saved_at());
    let report = Import::new(&db).table(mapping).run().await.unwrap();
    assert_eq!((report.records(), report.skipped()), (2, 1));
    let skipped = &report.tables[0].skipped[0];
    assert_eq!(skipped.field.as_deref(), Some("members"));
    assert!(skipped.reason.contains("invalid digit"), "{}", skipped.reason);

    let clubs = BookClub::find(&db).order_by(|club| club.id.asc()).all().await.unwrap();
    let found: Vec<_> = clubs.iter().map(|club| (club.name.as_str(), club.members, club.days)).collect();
    assert_eq!(found, [("Friday", Some(12), 7), ("Monday", Some(3), 7)]);
    assert_eq!(clubs[0].tags, ["x", "y"]);
    assert!(clubs[0].id < clubs[1].id && clubs[0].id > 0);
    assert!(clubs[0].created_at.as_micros() > 0);
    db.close().await.unwrap();
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_anything_is_written() {
    let shelf = Shelf::new().await;
    shelf.table("bookclub", &["title", "size"], &[json!({ "title": "Friday", "size": 1, "extra": true })]);
    let db = shelf.database::<BookClub>().await;
    let cases = [
        (
            Mapping::<BookClub>::new(),
            ["column name has no field", "field title goes to no column", "field extra"],
        ),
        (
            Mapping::<BookClub>::new().rename("nme", |club| club.name).ignore("size"),
            ["no field nme for the column name", "field title", "field extra"],
        ),
        (
            Mapping::<BookClub>::new().rename("title", |club| club.name).rename("size", |club| club.name),
            ["given the field title, and another", "field title", "field extra"],
        ),
        (
            Mapping::<BookClub>::new().rename("title", |club| club.name).fill(|club| club.name, |_| "x"),
            ["column name is filled and has a field, too", "field size", "field extra"],
        ),
    ];
    for (mapping, says) in cases {
        let error = Import::new(&db).table(mapping).run().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert_eq!(error.place().table.as_deref(), Some("book_club"));
        for part in says {
            assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
        }
    }
    assert_eq!(BookClub::count(&db).await.unwrap(), 0);
    db.close().await.unwrap();
}

#[tokio::test]
async fn a_table_of_another_name_and_another_guild_is_imported() {
    let mut shelf = Shelf::new().await;
    let id = shelf.move_to("My discord database");
    shelf.table("clubs", &["name", "tags"], &[json!({ "name": "Friday", "tags": [] })]);
    let db = shelf.database::<BookClub>().await;
    let mapping = || Mapping::<BookClub>::new().named("Clubs");

    let here = Import::new(&db).table(mapping()).run().await.unwrap_err();
    assert_eq!(here.kind(), ErrorKind::UnknownTable, "{here}");
    let nowhere = Import::new(&db).guild_name("Nowhere").table(mapping()).run().await.unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::GuildNotFound, "{nowhere}");

    let by_id = Import::new(&db).guild_id(id).table(mapping()).check().await.unwrap();
    assert_eq!((by_id.records(), by_id.commit), (1, None));
    assert_eq!(BookClub::count(&db).await.unwrap(), 0, "a check writes nothing");
    let report = Import::new(&db).guild_name("My discord database").table(mapping()).run().await.unwrap();
    assert_eq!(report.records(), 1);

    shelf.move_to("My discord database");
    let twice = Import::new(&db).guild_name("My discord database").table(mapping()).run().await.unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::AmbiguousGuild, "{twice}");
    db.close().await.unwrap();
}

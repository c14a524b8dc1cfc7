//! The guild that the unmodified library wrote, as its client test keeps it.

use discobase_core::{Database, MessageId, Table};
use discobase_import::{Import, Mapping};
use serde_json::{Value as Json, json};

use crate::shelf::Shelf;

const LIBRARY: &str = include_str!("../../../tests/clients/python_discobase/library.json");

#[derive(Debug, Clone, PartialEq, Table)]
#[table(crate = "discobase_core")]
struct Book {
    #[table(key)]
    title: String,
    pages: u32,
}

#[derive(Debug, Clone, PartialEq, Table)]
#[table(crate = "discobase_core")]
struct Reader {
    #[table(unique)]
    name: String,
    active: bool,
}

#[derive(Debug, Clone, PartialEq, Table)]
#[table(crate = "discobase_core")]
struct Loan {
    #[table(key)]
    id: u64,
    #[table(index)]
    reader: String,
    book: String,
    days: i64,
}

/// Writes the fixture into a guild: its channels get other ids, which the metadata names.
fn write(shelf: &Shelf) {
    let library: serde_json::Map<String, Json> = serde_json::from_str(LIBRARY).unwrap();
    let mut renamed = Vec::new();
    for (name, channel) in library.iter().filter(|(name, _)| *name != "general") {
        renamed.push((channel["id"].as_str().unwrap(), shelf.channel(name), channel));
    }
    for (_, channel, held) in &renamed {
        for message in held["messages"].as_array().unwrap() {
            let content = message["content"].as_str().unwrap().to_owned();
            let content =
                renamed.iter().fold(content, |text, (old, new, _)| text.replace(old, &new.to_string()));
            shelf.post(*channel, &content);
        }
    }
}

async fn opened(shelf: &Shelf) -> Database {
    shelf
        .opened(|db| {
            db.table::<Book>()?;
            db.table::<Reader>()?;
            db.table::<Loan>().map(drop)
        })
        .await
}

fn import(db: &Database) -> Import<'_> {
    let loans = Mapping::<Loan>::new().fill(|loan| loan.id, |record| record.message().get());
    Import::new(db).table(Mapping::<Book>::new()).table(Mapping::<Reader>::new()).table(loans)
}

#[tokio::test]
async fn every_record_is_imported_whatever_the_indexes_say() {
    let shelf = Shelf::new().await;
    write(&shelf);
    let before = shelf.contents();
    let db = opened(&shelf).await;

    let report = import(&db).run().await.unwrap();
    assert_eq!((report.records(), report.skipped()), (11, 0), "{report}");
    assert!(report.left_alone.is_empty() && report.unreadable.is_empty() && report.commit.is_some());
    let counts: Vec<_> = report.tables.iter().map(|table| (table.table, table.imported)).collect();
    assert_eq!(counts, [("book", 1), ("reader", 0), ("loan", 10)]);

    assert_eq!(*Book::get(&db, "Momo").await.unwrap().unwrap(), Book { title: "Momo".into(), pages: 305 });
    let loans = Loan::find(&db).order_by(|loan| loan.id.asc()).all().await.unwrap();
    for (number, loan) in (0..10_i64).zip(&loans) {
        assert_eq!(
            (loan.reader.as_str(), loan.book.as_str()),
            (format!("reader {}", number % 3).as_str(), format!("bøk {number}").as_str(),)
        );
        assert_eq!(loan.days, number * number - 3);
        assert_eq!(Loan::find(&db).filter(|one| one.book.eq(loan.book.as_str())).count().await.unwrap(), 1);
    }
    // Of these the library's own index lost some: that is why an import does not read it.
    let library: Json = serde_json::from_str(LIBRARY).unwrap();
    let indexed = |channel: &str| {
        let messages = library[channel]["messages"].as_array().unwrap();
        messages.iter().filter(|message| message["content"] != "null").count()
    };
    assert!(indexed("loan_days") < 10 || indexed("loan_book") < 10, "the fixture's indexes lost nothing");

    assert_eq!(shelf.contents(), before, "the old channels are as they were");
    db.close().await.unwrap();
}

#[tokio::test]
async fn imported_rows_are_durable_and_in_one_commit() {
    let shelf = Shelf::new().await;
    write(&shelf);
    let db = opened(&shelf).await;
    let report = import(&db).run().await.unwrap();
    let books = Book::find(&db).all().await.unwrap();
    let loans = Loan::find(&db).all().await.unwrap();
    let versions: Vec<_> =
        books.iter().map(|one| one.version()).chain(loans.iter().map(|one| one.version())).collect();
    assert!(versions.iter().all(|version| Some(*version) == report.commit), "{versions:?} {report}");
    db.close().await.unwrap();

    let again = opened(&shelf).await;
    assert_eq!(Loan::count(&again).await.unwrap(), 10);
    assert_eq!(Book::count(&again).await.unwrap(), 1);
    again.close().await.unwrap();
}

#[tokio::test]
async fn a_record_knows_its_message_and_its_time() {
    let shelf = Shelf::new().await;
    let (_, ids) = shelf.table(
        "loan",
        &["reader", "book", "days"],
        &[json!({
            "reader": "Ada", "book": "Momo", "days": 3,
        })],
    );
    let db = shelf.database::<Loan>().await;
    let loans = Mapping::<Loan>::new().fill(
        |loan| loan.id,
        move |record| {
            assert_eq!(record.field("reader"), Some(&json!("Ada")));
            assert_eq!(record.message(), ids[0]);
            record.saved_at().as_micros().unsigned_abs()
        },
    );
    let report = Import::new(&db).table(loans).run().await.unwrap();
    let message = MessageId::new(shelf.contents().last().unwrap().0);
    assert!(Loan::get(&db, message.time_ms() * 1000).await.unwrap().is_some(), "{report}");
    db.close().await.unwrap();
}

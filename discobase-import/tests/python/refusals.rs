//! What is refused as a whole, and leaves everything as it was.

use discobase_core::{Database, ErrorKind, Hooks, Result, Table};
use discobase_import::{Import, Mapping};
use serde_json::json;

use crate::shelf::Shelf;

#[derive(Debug, Clone, PartialEq, Table)]
#[table(crate = "discobase_core")]
struct Book {
    title: String,
}

#[derive(Debug, Clone, PartialEq, Table)]
#[table(crate = "discobase_core")]
struct Reader {
    name: String,
}

async fn shelf() -> Shelf {
    let shelf = Shelf::new().await;
    let metadata = shelf.channel("_dbmetadata");
    shelf.table_in(
        metadata,
        "book",
        &["title"],
        &[json!({ "title": "Momo" }), json!({ "title": "Ulysses" })],
    );
    shelf.table_in(metadata, "reader", &["name"], &[json!({ "name": "Ada" })]);
    shelf
}

fn import(db: &Database) -> Import<'_> {
    Import::new(db).table(Mapping::<Book>::new()).table(Mapping::<Reader>::new())
}

async fn opened(shelf: &Shelf) -> Database {
    shelf
        .opened(|db| {
            db.table::<Book>()?;
            db.table::<Reader>().map(drop)
        })
        .await
}

#[tokio::test]
async fn a_second_import_is_refused() {
    let shelf = shelf().await;
    let db = opened(&shelf).await;
    assert_eq!(import(&db).run().await.unwrap().records(), 3);
    let error = import(&db).run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("2 records"), "{error}");
    assert_eq!((Book::count(&db).await.unwrap(), Reader::count(&db).await.unwrap()), (2, 1));
    db.close().await.unwrap();
}

#[tokio::test]
async fn all_tables_are_imported_or_none() {
    let shelf = shelf().await;
    let db = opened(&shelf).await;
    Reader { name: "Eve".into() }.save(&db).await.unwrap();
    let error = import(&db).run().await.unwrap_err();
    assert_eq!(error.place().table.as_deref(), Some("reader"), "{error}");
    assert_eq!((Book::count(&db).await.unwrap(), Reader::count(&db).await.unwrap()), (0, 1));
    db.close().await.unwrap();
}

#[tokio::test]
async fn of_two_imports_at_once_only_one_happens() {
    let shelf = shelf().await;
    let db = opened(&shelf).await;
    let (one, other) = tokio::join!(import(&db).run(), import(&db).run());
    let refused: Vec<_> = [&one, &other].into_iter().filter_map(|done| done.as_ref().err()).collect();
    assert_eq!(refused.len(), 1, "{one:?} {other:?}");
    assert!(matches!(refused[0].kind(), ErrorKind::Conflict | ErrorKind::Invalid), "{}", refused[0]);
    assert_eq!((Book::count(&db).await.unwrap(), Reader::count(&db).await.unwrap()), (2, 1));
    db.close().await.unwrap();
}

#[tokio::test]
async fn an_import_of_nothing_or_of_a_table_twice_is_refused() {
    let shelf = shelf().await;
    let db = opened(&shelf).await;
    let nothing = Import::new(&db).run().await.unwrap_err();
    let twice = import(&db).table(Mapping::<Book>::new()).run().await.unwrap_err();
    assert_eq!((nothing.kind(), twice.kind()), (ErrorKind::Invalid, ErrorKind::Invalid), "{nothing} {twice}");
    assert!(twice.to_string().contains("book is to be imported into twice"), "{twice}");
    let only = Import::new(&db).table(Mapping::<Book>::new()).run().await.unwrap();
    assert_eq!(only.left_alone, ["reader"]);
    db.close().await.unwrap();
}

#[derive(Debug, Clone, PartialEq, Table)]
#[table(hooks, crate = "discobase_core")]
struct Guest {
    name: String,
}

impl Hooks for Guest {
    /// While the first one is imported, somebody else saves a book.
    async fn before_save(&mut self, db: &Database) -> Result<()> {
        if self.name == "Ada" {
            Book { title: "Emma".into() }.save(db).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn what_somebody_saves_meanwhile_is_not_mixed_with_what_is_imported() {
    let shelf = shelf().await;
    let db = shelf
        .opened(|db| {
            db.table::<Book>()?;
            db.table::<Guest>().map(drop)
        })
        .await;
    let guests = Mapping::<Guest>::new().named("reader");
    let error = Import::new(&db).table(Mapping::<Book>::new()).table(guests).run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert_eq!((Book::count(&db).await.unwrap(), Guest::count(&db).await.unwrap()), (1, 0));
    db.close().await.unwrap();
}

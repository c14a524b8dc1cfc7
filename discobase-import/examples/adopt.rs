//! Imports the library of `tests/clients/python_discobase` from the guild that the environment names (`DISCORD_TOKEN`,
//! `DISCORD_GUILD`, `DISCORD_API`), then looks every record up by its values. The last line is what was found, as JSON.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::error::Error;

use discobase_core::{Database, Table};
use discobase_import::{Import, Mapping};
use serde_json::json;

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
    #[table(index)]
    book: String,
    #[table(index)]
    days: i64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let db = Database::new("adopted");
    db.table::<Book>()?;
    db.table::<Reader>()?;
    db.table::<Loan>()?;
    db.connect_env("target/adopt.redb").await?;
    let loans = Mapping::<Loan>::new().fill(|loan| loan.id, |record| record.message().get());
    let import = Import::new(&db)
        .table(Mapping::<Book>::new())
        .table(Mapping::<Reader>::new())
        .table(loans)
        .run()
        .await?;
    println!("{import}");

    let (mut books, mut found) = (Vec::new(), Vec::new());
    for book in Book::find(&db).all().await? {
        books.push(json!({ "title": book.title, "pages": book.pages }));
    }
    for loan in Loan::find(&db).order_by(|loan| loan.id.asc()).all().await? {
        // Each by each of its values, as the Python library looks for them.
        let by_reader = Loan::find(&db).filter(|one| one.reader.eq(loan.reader.as_str())).all().await?;
        let by_book = Loan::find(&db).filter(|one| one.book.eq(loan.book.as_str())).all().await?;
        let by_days = Loan::find(&db).filter(|one| one.days.eq(loan.days)).all().await?;
        if [by_reader, by_book, by_days].iter().all(|some| some.contains(&loan)) {
            found.push(json!({ "reader": loan.reader, "book": loan.book, "days": loan.days }));
        }
    }
    let readers = Reader::count(&db).await?;
    db.close().await?;
    println!("{}", json!({ "skipped": import.skipped(), "book": books, "reader": readers, "loan": found }));
    Ok(())
}

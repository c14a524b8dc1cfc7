//! Databases that come from before the release that brought a table which later steps change.

use discobase::{Database, Error, ErrorKind, Step, Table};

use crate::support::Place;

crate::everywhere!(
    a_release_that_brought_a_table_may_be_skipped,
    whoever_did_not_skip_it_is_migrated,
    a_table_that_nobody_knows_may_be_the_one_that_is_missing,
    a_name_that_another_table_gets_later_is_not_passed_over,
);

#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "members")]
struct Member {
    #[table(key)]
    id: u64,
    points: i64,
}

/// As the release after the first had it.
#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "orders")]
struct Order {
    #[table(key)]
    id: u64,
    price: i64,
}

#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "drafts")]
struct Draft {
    #[table(key)]
    id: u64,
}

/// As it is now.
#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "purchases")]
struct Purchase {
    #[table(key)]
    id: u64,
    cents: i64,
    #[table(default = "")]
    note: String,
}

/// The steps since the second release.
fn steps() -> [Step; 4] {
    [
        Step::new("1.2.0", "cents")
            .each("members", "twice the points", |row| {
                let points: i64 = row.get("points")?;
                row.set("points", points * 2)
            })
            .table("orders", |orders| orders.rename("price", "cents"))
            .each("orders", "in cents", |row| {
                let cents: i64 = row.get("cents")?;
                row.set("cents", cents * 100)
            }),
        Step::new("1.3.0", "purchases").rename_table("orders", "purchases").drop_table("drafts"),
        Step::new("1.4.0", "notes").table("purchases", |purchases| purchases.add("note", String::new())),
        Step::new("1.5.0", "the first").insert("purchases", "a gift", |row| {
            row.set("id", 1_000_u64)?;
            row.set("cents", 0_i64)?;
            row.set("note", "gift".to_owned())
        }),
    ]
}

/// The newest release. It is not connected yet.
fn newest(place: &Place) -> Database {
    let db = place.builder().migrate_on_connect(false).build();
    db.table::<Member>().unwrap();
    db.table::<Purchase>().unwrap();
    db.migrations(steps()).unwrap();
    db
}

async fn first_release(place: &Place) -> Database {
    let db = place.database();
    db.table::<Member>().unwrap();
    place.connect(&db).await.unwrap();
    Member { id: 1, points: 5 }.save(&db).await.unwrap();
    db
}

async fn points(db: &Database) -> i64 {
    Member::get(db, 1).await.unwrap().unwrap().points
}

async fn purchases(db: &Database) -> Vec<(u64, i64, String)> {
    Purchase::find(db).order_by(|p| p.id.asc()).select(|p| (p.id, p.cents, p.note)).all().await.unwrap()
}

const VERSIONS: [&str; 4] = ["1.2.0", "1.3.0", "1.4.0", "1.5.0"];

async fn a_release_that_brought_a_table_may_be_skipped(place: &Place) {
    first_release(place).await.close().await.unwrap();
    let db = newest(place);
    place.connect(&db).await.unwrap();
    let tried = db.migrator().dry_run().await.unwrap();
    let rows: Vec<_> = tried.into_iter().map(|step| step.rows.unwrap()).collect();
    assert_eq!(rows, [1, 0, 0, 0], "only the member is there");
    assert_eq!(db.migrator().up().await.unwrap(), VERSIONS);
    assert_eq!(points(&db).await, 10);
    assert!(
        purchases(&db).await.is_empty(),
        "a table is made as its struct says, and nothing is put into it"
    );
    Purchase { id: 1, cents: 250, note: "tea".into() }.save(&db).await.unwrap();
    db.close().await.unwrap();
    // All steps are recorded, and none is applied again.
    let db = newest(place);
    place.connect(&db).await.unwrap();
    assert!(db.migrator().status().unwrap().iter().all(|step| step.applied.is_some()));
    assert_eq!(db.migrator().up().await.unwrap(), Vec::<String>::new());
    assert_eq!((points(&db).await, purchases(&db).await), (10, vec![(1, 250, "tea".into())]));
    db.close().await.unwrap();
}

async fn whoever_did_not_skip_it_is_migrated(place: &Place) {
    let db = first_release(place).await;
    db.table::<Order>().unwrap();
    db.table::<Draft>().unwrap();
    db.build_tables().await.unwrap();
    Order { id: 1, price: 3 }.save(&db).await.unwrap();
    db.close().await.unwrap();
    let db = newest(place);
    place.connect(&db).await.unwrap();
    assert_eq!(db.migrator().up().await.unwrap(), VERSIONS);
    let expected = [(1, 300, String::new()), (1_000, 0, "gift".into())];
    assert_eq!((points(&db).await, purchases(&db).await), (10, expected.to_vec()));
    assert_eq!(db.tables(), ["members", "purchases"]);
    db.close().await.unwrap();
}

async fn refusal(db: &Database) -> Error {
    let tried = db.migrator().dry_run().await.unwrap().pop().unwrap().rows.unwrap_err();
    let error = db.migrator().up().await.unwrap_err();
    assert_eq!((error.kind(), tried.kind()), (ErrorKind::Migration, ErrorKind::Migration), "{error}");
    assert!(db.migrator().status().unwrap().iter().all(|step| step.applied.is_none()), "nothing was applied");
    error
}

async fn a_table_that_nobody_knows_may_be_the_one_that_is_missing(place: &Place) {
    let db = first_release(place).await;
    db.table::<Draft>().unwrap();
    #[derive(Table)]
    #[table(name = "orderz")]
    struct Misnamed {
        #[table(key)]
        id: u64,
    }
    db.table::<Misnamed>().unwrap();
    db.build_tables().await.unwrap();
    Misnamed { id: 1 }.save(&db).await.unwrap();
    db.close().await.unwrap();
    let db = newest(place);
    place.connect(&db).await.unwrap();
    let error = refusal(&db).await.to_string();
    assert!(error.contains("change 2 (table orders: rename price to cents)"), "{error}");
    assert!(error.contains("no struct is registered for: orderz. If one of them is meant"), "{error}");
    assert_eq!(points(&db).await, 5);
    db.close().await.unwrap();
}

async fn a_name_that_another_table_gets_later_is_not_passed_over(place: &Place) {
    let db = place.database();
    db.table::<Order>().unwrap();
    place.connect(&db).await.unwrap();
    Order { id: 1, price: 3 }.save(&db).await.unwrap();
    db.close().await.unwrap();
    let db = place.builder().migrate_on_connect(false).build();
    db.table::<Purchase>().unwrap();
    let notes = Step::new("1.1.0", "notes").table("purchases", |table| table.add("note", String::new()));
    let name = Step::new("1.2.0", "cents")
        .rename_table("orders", "purchases")
        .table("purchases", |purchases| purchases.rename("price", "cents"));
    db.migrations([notes, name]).unwrap();
    place.connect(&db).await.unwrap();
    let error = refusal(&db).await.to_string();
    assert!(error.contains("there is no such table (table purchases)"), "{error}");
    db.close().await.unwrap();
}

//! Builders, keys that commits give, defaults, and times that the database fills in.

use discobase::{Database, ErrorKind, Result, Table};
use serde::{Deserialize, Serialize};
use twilight_model::util::Timestamp;
use uuid::Uuid;

use crate::support::Place;

#[derive(Debug, Clone, PartialEq, Table)]
struct Article {
    #[table(key, auto)]
    id: u64,
    #[table(unique)]
    title: String,
    #[table(default = "nobody")]
    author: String,
    #[table(default_with = next_uuid)]
    token: Uuid,
    #[table(default_with = || 7)]
    stars: u8,
    subtitle: Option<String>,
    #[table(json, default)]
    tags: Vec<String>,
    #[table(created_at)]
    created_at: Timestamp,
    #[table(updated_at)]
    updated_at: Timestamp,
    #[table(skip)]
    seen: u32,
}

fn next_uuid() -> Uuid {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    Uuid::from_u128(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed).into())
}

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<Article>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn saved(db: &Database, title: &str) -> u64 {
    Article::builder().title(title).save(db).await.unwrap().id
}

crate::everywhere!(
    a_builder_fills_what_is_left_out,
    numbers_are_given_once,
    numbers_that_are_taken_are_left_out,
    many_are_numbered_at_once,
    a_refused_save_gives_no_key,
    times_are_those_of_the_writes,
    what_is_saved_together_has_one_time,
    the_smallest_key_runs_out,
);

async fn a_builder_fills_what_is_left_out(place: &Place) {
    let db = open(place).await;
    let first = Article::builder().title("One").save(&db).await.unwrap();
    assert_eq!((first.id, first.author.as_str(), first.stars), (1, "nobody", 7));
    assert_eq!((&first.subtitle, &first.tags, first.seen), (&None, &Vec::new(), 0));
    let second = Article::builder()
        .stars(3)
        .title("Two".to_owned())
        .subtitle("a sequel")
        .tags(vec!["x".into()])
        .author("Ann")
        .seen(9u32)
        .save(&db)
        .await
        .unwrap();
    assert_ne!(first.token, second.token);
    let found = Article::get(&db, second.id).await.unwrap().unwrap();
    assert_eq!(*found, Article { seen: 0, ..second.clone().into_inner() });
    assert_eq!((found.subtitle.as_deref(), found.author.as_str(), found.stars), (Some("a sequel"), "Ann", 3));
    // Made, and not saved: what the database fills is empty.
    let built = Article::builder().title("Three").build();
    assert_eq!((built.id, built.created_at.as_micros()), (0, 0));
    assert_eq!(built.save(&db).await.unwrap().id, 3);
    db.close().await.unwrap();
}

async fn numbers_are_given_once(place: &Place) {
    let db = open(place).await;
    for title in ["a", "b", "c"] {
        saved(&db, title).await;
    }
    Article::get(&db, 3).await.unwrap().unwrap().delete().await.unwrap();
    assert_eq!(saved(&db, "d").await, 4);
    Article::get(&db, 4).await.unwrap().unwrap().delete().await.unwrap();
    db.close().await.unwrap();
    // Not even in another process, and not after a checkpoint that knows nothing of the deleted rows.
    let db = open(place).await;
    assert_eq!(saved(&db, "e").await, 5);
    Article::get(&db, 5).await.unwrap().unwrap().delete().await.unwrap();
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(saved(&db, "f").await, 6);
    db.close().await.unwrap();
}

async fn numbers_that_are_taken_are_left_out(place: &Place) {
    let db = open(place).await;
    let given = |id: u64, title: &str| Article::builder().id(id).title(title).build();
    Article::save_all([given(1, "a"), given(2, "b"), given(5, "c"), given(1 << 50, "d")], &db).await.unwrap();
    let mut numbers = Vec::new();
    for title in ["e", "f", "g"] {
        numbers.push(saved(&db, title).await);
    }
    assert!(
        numbers.is_sorted() && numbers.iter().all(|number| ![0, 1, 2, 5, 1 << 50].contains(number)),
        "{numbers:?}"
    );
    let error = given(numbers[0], "h").save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey);
    assert_eq!(Article::count(&db).await.unwrap(), 7);
    db.close().await.unwrap();
}

async fn many_are_numbered_at_once(place: &Place) {
    let db = open(place).await;
    let batch = |from: usize| {
        (from..from + 20)
            .map(|number| Article::builder().title(format!("n{number}")).build())
            .collect::<Vec<_>>()
    };
    let mut tasks = Vec::new();
    for task in 0..5 {
        let (db, batch) = (db.clone(), batch(task * 20));
        tasks.push(tokio::spawn(async move {
            let records = Article::save_all(batch, &db).await.unwrap();
            records.iter().map(|record| (record.id, record.title.clone())).collect::<Vec<_>>()
        }));
    }
    let mut ids = Vec::new();
    for task in tasks {
        let one = task.await.unwrap();
        assert!(one.is_sorted_by_key(|(id, _)| *id), "a batch is numbered in its order");
        for (id, title) in one {
            assert_eq!(Article::get(&db, id).await.unwrap().unwrap().title, title);
            ids.push(id);
        }
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=100).collect::<Vec<u64>>());
    db.close().await.unwrap();
}

async fn a_refused_save_gives_no_key(place: &Place) {
    let db = open(place).await;
    assert_eq!(saved(&db, "a").await, 1);
    let error = Article::builder().title("a").save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UniqueViolated);
    assert_eq!(saved(&db, "b").await, 2);
    db.close().await.unwrap();
}

async fn times_are_those_of_the_writes(place: &Place) {
    let db = open(place).await;
    let mut article = Article::builder().title("a").save(&db).await.unwrap();
    let (created, updated) = (article.created_at, article.updated_at);
    assert!(created.as_micros() > 1_420_070_400_000_000 && created == updated);
    article.update().await.unwrap();
    assert_eq!(article.updated_at, updated, "nothing changed, so nothing was written");
    article.stars += 1;
    article.update().await.unwrap();
    assert!(article.updated_at.as_micros() > updated.as_micros() && article.created_at == created);
    let found = Article::get(&db, article.id).await.unwrap().unwrap();
    assert_eq!((found.created_at, found.updated_at), (created, article.updated_at));
    // A time that is given, for example with old data, is kept.
    let old = Timestamp::from_micros(1_000_000).unwrap();
    let imported = Article::builder().title("b").created_at(old).save(&db).await.unwrap();
    assert!(imported.created_at == old && imported.updated_at.as_micros() > 1_000_000);
    db.close().await.unwrap();
}

#[derive(Debug, Table)]
struct Tiny {
    #[table(key, auto)]
    id: i8,
    #[table(json)]
    what: Shape,
}

/// An enum with data: kept as JSON, by serde.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Shape {
    Circle { radius: f64 },
    Point,
}

async fn the_smallest_key_runs_out(place: &Place) {
    let db = place.database();
    db.table::<Tiny>().unwrap();
    place.connect(&db).await.unwrap();
    let tiny = |_| Tiny::builder().what(Shape::Circle { radius: 1.5 }).build();
    let records = Tiny::save_all((0..127).map(tiny), &db).await.unwrap();
    assert_eq!(records.last().unwrap().id, 127);
    let error = Tiny::builder().what(Shape::Point).save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!((error.place().table.as_deref(), error.place().field.as_deref()), (Some("tiny"), Some("id")));
    assert_eq!(Tiny { id: -1, what: Shape::Point }.save(&db).await.unwrap().id, -1);
    let found: Result<_> = Tiny::get(&db, -1).await;
    assert_eq!(found.unwrap().unwrap().what, Shape::Point);
    db.close().await.unwrap();
}

async fn what_is_saved_together_has_one_time(place: &Place) {
    let db = open(place).await;
    let many = (0..500).map(|number| Article::builder().title(format!("n{number}")).build());
    let saved = Article::save_all(many, &db).await.unwrap();
    let first = (saved[0].created_at, saved[0].created_at);
    assert!(saved.iter().all(|one| (one.created_at, one.updated_at) == first));
    db.close().await.unwrap();
}

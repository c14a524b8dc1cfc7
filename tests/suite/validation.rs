//! Rules that structs declare for their fields.

use discobase::{Database, ErrorKind, Reason, Table};

use crate::support::Place;

#[derive(Debug, Clone, PartialEq, Table)]
#[table(validate = Person::consistent)]
struct Person {
    #[table(key, range(min = 1))]
    id: u64,
    #[table(length(min = 2, max = 5), pattern = "^[a-z]+$")]
    name: String,
    #[table(range(-1.5..=1.5))]
    mood: f64,
    #[table(range(max = 150), validate = even)]
    age: Option<u8>,
    #[table(length(max = 3), rename = "picture")]
    image: Vec<u8>,
    #[table(json, validate = not_empty)]
    tags: Vec<String>,
    #[table(length(min = 1), pattern = "x")]
    note: Option<String>,
}

impl Person {
    fn consistent(&self) -> Result<(), String> {
        if self.name == "root" && self.id != 1 { Err("only the first can be root".into()) } else { Ok(()) }
    }
}

fn even(age: &Option<u8>) -> Result<(), Reason> {
    match age {
        Some(age) if age % 2 == 1 => Err(Reason::new("odd", "it must be even")),
        _ => Ok(()),
    }
}

fn not_empty(tags: &[String]) -> Result<(), &'static str> {
    if tags.is_empty() { Err("one tag is needed") } else { Ok(()) }
}

fn person(id: u64) -> Person {
    Person {
        id,
        name: "ann".into(),
        mood: 0.5,
        age: Some(30),
        image: vec![1],
        tags: vec!["a".into()],
        note: None,
    }
}

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<Person>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

crate::everywhere!(
    rules_of_other_crates_are_checked,
    all_rules_of_all_fields_are_told,
    an_update_is_checked,
    all_of_a_batch_are_checked,
    bounds_are_included
);

async fn all_rules_of_all_fields_are_told(place: &Place) {
    let db = open(place).await;
    let frames = db.frames().unwrap();
    let wrong = Person {
        id: 0,
        name: "A".into(),
        mood: 1.6,
        age: Some(151),
        image: vec![0; 4],
        tags: Vec::new(),
        note: Some(String::new()),
    };
    let error = wrong.save(&db).await.unwrap_err();
    assert_eq!((error.kind(), error.place().table.as_deref()), (ErrorKind::Violated, Some("person")));
    let found: Vec<_> =
        error.violations().iter().map(|one| (one.field(), one.code(), one.message())).collect();
    assert_eq!(
        found,
        [
            ("id", "range", "it must be 1 at least"),
            ("name", "length", "it has 1 characters, and at least 2 are needed"),
            ("name", "pattern", "it does not fit the pattern ^[a-z]+$"),
            ("mood", "range", "it must be 1.5 at most"),
            ("age", "range", "it must be 150 at most"),
            ("age", "odd", "it must be even"),
            ("image", "length", "it has 4 bytes, and at most 3 are allowed"),
            ("tags", "custom", "one tag is needed"),
            ("note", "length", "it has 0 characters, and at least 1 are needed"),
            ("note", "pattern", "it does not fit the pattern x"),
        ]
    );
    let text = error.to_string();
    assert!(text.starts_with("10 rules are broken: id: it must be 1 at least; name: "), "{text}");
    let error = Person { name: "root".into(), ..person(2) }.save(&db).await.unwrap_err();
    assert_eq!(error.to_string(), "a rule is broken: only the first can be root (table person)");
    let error = Person { name: "toolong".into(), ..person(2) }.save(&db).await.unwrap_err();
    assert_eq!(error.place().field.as_deref(), Some("name"));
    assert_eq!((Person::count(&db).await.unwrap(), db.frames().unwrap()), (0, frames));
    db.close().await.unwrap();
}

async fn an_update_is_checked(place: &Place) {
    let db = open(place).await;
    let mut ann = person(1).save(&db).await.unwrap();
    ann.mood = -2.0;
    let error = ann.update().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Violated);
    assert_eq!(Person::get(&db, 1).await.unwrap().unwrap().mood, 0.5);
    ann.mood = -1.0;
    ann.update().await.unwrap();
    db.close().await.unwrap();
}

async fn all_of_a_batch_are_checked(place: &Place) {
    let db = open(place).await;
    let batch =
        [person(1), Person { mood: 2.0, ..person(2) }, person(3), Person { tags: Vec::new(), ..person(0) }];
    let error = Person::save_all(batch, &db).await.unwrap_err();
    let found: Vec<_> = error.violations().iter().map(|one| (one.record(), one.field())).collect();
    assert_eq!(found, [(1, "mood"), (3, "id"), (3, "tags")]);
    assert_eq!(Person::count(&db).await.unwrap(), 0);
    db.close().await.unwrap();
}

async fn bounds_are_included(place: &Place) {
    let db = open(place).await;
    let low = Person { name: "ab".into(), mood: -1.5, age: Some(150), image: vec![1; 3], ..person(1) };
    low.save(&db).await.unwrap();
    Person { name: "abcde".into(), mood: 1.5, age: None, note: Some("x".into()), ..person(2) }
        .save(&db)
        .await
        .unwrap();
    db.close().await.unwrap();
}

/// Whose rules garde and validator know.
#[derive(Debug, Clone, PartialEq, Table, garde::Validate, validator::Validate)]
#[table(garde, validator)]
struct Guest {
    #[table(key, auto)]
    #[garde(skip)]
    id: u64,
    #[garde(length(min = 3), ascii)]
    #[validate(length(min = 2, code = "short", message = "longer, please"))]
    #[table(length(max = 9))]
    name: String,
    #[garde(skip)]
    #[validate(range(max = 5))]
    guests: u8,
}

async fn rules_of_other_crates_are_checked(place: &Place) {
    let db = place.database();
    db.table::<Guest>().unwrap();
    place.connect(&db).await.unwrap();
    let error = Guest::builder().name("ä").guests(6).save(&db).await.unwrap_err();
    let found: Vec<_> =
        error.violations().iter().map(|one| (one.field(), one.code(), one.message())).collect();
    assert_eq!(
        found,
        [
            ("name", "garde", "not ascii"),
            ("name", "garde", "length is lower than 3"),
            ("guests", "range", "it does not satisfy `range`"),
            ("name", "short", "longer, please"),
        ]
    );
    let error = Guest::builder().name("longer than nine").guests(0).save(&db).await.unwrap_err();
    assert_eq!(error.violations().len(), 1);
    Guest::builder().name("Ann").guests(5).save(&db).await.unwrap();
    db.close().await.unwrap();
}

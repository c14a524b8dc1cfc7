//! Upserts, get-or-create, bulk inserts, refreshing.

use discobase::{Database, ErrorKind, Table, update, when};

use crate::support::Place;
use crate::tables::{Membership, Note, User};

crate::everywhere!(
    an_upsert_saves_or_replaces_by_the_key,
    an_upsert_looks_by_a_unique_field_if_told_to,
    an_upsert_works_out_what_becomes_of_the_record,
    upserts_at_once_make_one_record_and_lose_nothing,
    of_many_who_get_or_create_one_creates,
    a_bulk_insert_says_which_record_is_wrong,
    a_record_is_read_again,
);

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<User>().unwrap().table::<Note>().unwrap().table::<Membership>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn user(db: &Database, id: u64) -> User {
    User::get(db, id).await.unwrap().unwrap().into_inner()
}

async fn an_upsert_saves_or_replaces_by_the_key(place: &Place) {
    let db = open(place).await;
    let first = User::new(1, "Peter", 1).save_or_update(&db).await.unwrap();
    let mut second = User::in_team(1, "Paul", 2, "red").save_or_update(&db).await.unwrap();
    assert_eq!((first.id(), User::count(&db).await.unwrap()), (second.id(), 1));
    assert!(second.version() > first.version());
    assert_eq!(user(&db, 1).await, User::in_team(1, "Paul", 2, "red"));
    second.points = 3;
    second.update().await.unwrap();
    let frames = db.frames().unwrap();
    let third = User::in_team(1, "Paul", 3, "red").save_or_update(&db).await.unwrap();
    assert_eq!((third, db.frames().unwrap()), (second, frames), "it is so already");

    User::new(2, "Ada", 0).save(&db).await.unwrap();
    let error = User::new(1, "Ada", 0).save_or_update(&db).await.unwrap_err();
    assert_eq!((error.kind(), error.place().field.as_deref()), (ErrorKind::UniqueViolated, Some("name")));
    let error = User::new(3, "Ada", 0).save_or_update(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UniqueViolated);
    let error = Note { text: "no key".into() }.save_or_update(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    let member = |role: &str| Membership { guild: 1, user: "a".into(), role: role.into() };
    member("user").save_or_update(&db).await.unwrap();
    member("admin").save_or_update(&db).await.unwrap();
    assert_eq!(Membership::find(&db).scalars(|m| m.role).await.unwrap(), ["admin"], "composite keys, too");
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 2);
    assert_eq!(user(&db, 1).await, User::in_team(1, "Paul", 3, "red"));
    db.close().await.unwrap();
}

async fn an_upsert_looks_by_a_unique_field_if_told_to(place: &Place) {
    let db = open(place).await;
    User::new(1, "Peter", 1).save(&db).await.unwrap();
    let found = User::new(7, "Peter", 70).save_or_update(&db).on(|u| u.name).await.unwrap();
    assert_eq!(found.into_inner(), User::new(1, "Peter", 70), "its key stays");
    let new = User::new(7, "Ada", 70).save_or_update(&db).on(|u| u.name).await.unwrap();
    assert_eq!(new.id, 7);
    let error = User::new(7, "Mary", 0).save_or_update(&db).on(|u| u.name).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey, "another record has the key");
    let error = User::new(8, "Eve", 0).save_or_update(&db).on(|u| u.points).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.place().field.as_deref()),
        (ErrorKind::Invalid, Some("points")),
        "{error}"
    );
    db.close().await.unwrap();
}

async fn an_upsert_works_out_what_becomes_of_the_record(place: &Place) {
    let db = open(place).await;
    let add = |points| {
        User::new(1, "Peter", points)
            .save_or_update(&db)
            .set(|u| u.points, move |u| u.points + points)
            .set(|u| u.team, |u| when(u.points.ge(5), "red").otherwise(u.team))
    };
    assert_eq!(add(5).await.unwrap().points, 5);
    assert_eq!(add(6).await.unwrap().points, 11);
    assert_eq!(user(&db, 1).await, User::in_team(1, "Peter", 11, "red"));
    let error = add(i64::MAX).await.unwrap_err();
    assert_eq!((error.kind(), error.place().key.as_deref()), (ErrorKind::Arithmetic, Some("1")));
    assert_eq!(user(&db, 1).await.points, 11);
    db.close().await.unwrap();
}

async fn upserts_at_once_make_one_record_and_lose_nothing(place: &Place) {
    let db = open(place).await;
    let tasks: Vec<_> = (0..300)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                User::new(1, "Peter", 1).save_or_update(&db).set(|u| u.points, |u| u.points + 1).await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!((User::count(&db).await.unwrap(), user(&db, 1).await.points), (1, 300));
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!((User::count(&db).await.unwrap(), user(&db, 1).await.points), (1, 300));
    db.close().await.unwrap();
}

async fn of_many_who_get_or_create_one_creates(place: &Place) {
    let db = open(place).await;
    let tasks: Vec<_> = (0..50_i64)
        .map(|n| {
            let db = db.clone();
            tokio::spawn(async move {
                let got = User::new(1, &n.to_string(), n).get_or_create(&db).await.unwrap();
                // Whoever has it can find it.
                assert_eq!(User::get(&db, 1_u64).await.unwrap().unwrap(), got);
                got
            })
        })
        .collect();
    let mut got = Vec::new();
    for task in tasks {
        got.push(task.await.unwrap());
    }
    assert!(got.iter().all(|one| *one == got[0]), "{got:?}");
    let frames = db.frames().unwrap();
    assert_eq!(User::new(1, "late", 0).get_or_create(&db).await.unwrap(), got[0]);
    let by_name = User::new(9, &got[0].name, 0).get_or_create(&db).on(|u| u.name).await.unwrap();
    assert_eq!((by_name, db.frames().unwrap()), (got[0].clone(), frames));
    db.close().await.unwrap();
}

async fn a_bulk_insert_says_which_record_is_wrong(place: &Place) {
    let db = open(place).await;
    User::new(50, "known", 0).save(&db).await.unwrap();
    let many = |wrong: User| (0..20).map(|id| User::new(id, &id.to_string(), 0)).chain([wrong]);
    let refused = [
        (User::new(50, "new", 0), ErrorKind::DuplicateKey),
        (User::new(51, "known", 0), ErrorKind::UniqueViolated),
        (User::new(7, "new", 0), ErrorKind::DuplicateKey),
        (User::new(51, "7", 0), ErrorKind::UniqueViolated),
    ];
    for (wrong, kind) in refused {
        let error = User::save_all(many(wrong).chain([User::new(60, "fine", 0)]), &db).await.unwrap_err();
        assert_eq!((error.kind(), error.place().position), (kind, Some(20)), "{error}");
        assert!(error.to_string().contains("record 20"), "{error}");
    }
    let error = User::save_all(many(User::new(51, &"x".repeat(101), 0)), &db).await.unwrap_err();
    assert_eq!((error.kind(), error.place().position), (ErrorKind::TooLong, Some(20)), "{error}");
    assert_eq!(User::count(&db).await.unwrap(), 1, "all or nothing");
    db.close().await.unwrap();
}

async fn a_record_is_read_again(place: &Place) {
    let db = open(place).await;
    let mut peter = User::new(1, "Peter", 1).save(&db).await.unwrap();
    update::<User>().set(|u| u.points, |u| u.points + 1).run(&db).await.unwrap();
    peter.name = "never written".into();
    peter.refresh().await.unwrap();
    assert_eq!(peter, User::get(&db, 1_u64).await.unwrap().unwrap());
    let s = db.session().unwrap();
    let mut twin = peter.clone();
    twin.points = 10;
    s.update(&mut twin).await.unwrap();
    s.refresh(&mut peter).await.unwrap();
    assert_eq!(peter, twin);
    s.commit().await.unwrap();
    peter.refresh().await.unwrap();
    assert_eq!(peter.points, 10);
    peter.clone().delete().await.unwrap();
    assert_eq!(peter.refresh().await.unwrap_err().kind(), ErrorKind::NotFound);
    db.close().await.unwrap();
}

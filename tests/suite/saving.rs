//! Saving, updating, deleting.

use discobase::{Database, ErrorKind, Outcome, Table};

use crate::support::Place;
use crate::tables::{Everything, Membership, Note, User};

crate::everywhere!(
    a_saved_record_is_found_again_after_reopening,
    an_existing_key_is_never_overwritten,
    a_unique_value_is_taken_once_but_none_often,
    an_update_needs_the_version_that_was_read,
    a_key_cannot_be_changed,
    a_deleted_record_is_gone_and_its_key_free,
    many_are_saved_together_or_not_at_all,
    a_table_needs_no_key,
    composite_keys_are_looked_up_whole,
    every_type_comes_back_exactly,
);

crate::in_process!(a_record_of_one_database_touches_no_row_of_another);

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<User>().unwrap().table::<Note>().unwrap().table::<Membership>().unwrap();
    db.table::<Everything>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn a_saved_record_is_found_again_after_reopening(place: &Place) {
    let db = open(place).await;
    let saved = User::new(1, "Peter", 3).save(&db).await.unwrap();
    assert_eq!(*saved, User::new(1, "Peter", 3));
    let mut saved = saved;
    saved.points = 4;
    saved.update().await.unwrap();
    db.close().await.unwrap();

    let db = open(place).await;
    let found = User::get(&db, 1_u64).await.unwrap().unwrap();
    assert_eq!(found, {
        let mut same = found.clone();
        same.points = 4;
        same
    });
    assert_eq!((found.id(), found.version()), (saved.id(), saved.version()));
    assert_eq!(found.into_inner(), User::new(1, "Peter", 4));
    assert_eq!(User::count(&db).await.unwrap(), 1);
    db.close().await.unwrap();
}

async fn an_existing_key_is_never_overwritten(place: &Place) {
    let db = open(place).await;
    User::new(1, "Peter", 3).save(&db).await.unwrap();
    let error = User::new(1, "Paul", 9).save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey);
    assert_eq!(error.place().table.as_deref(), Some("users"));
    assert_eq!(error.place().field.as_deref(), Some("id"));
    assert_eq!(error.place().key.as_deref(), Some("1"));
    assert_eq!(User::get(&db, 1_u64).await.unwrap().unwrap().name, "Peter");
    db.close().await.unwrap();
}

async fn a_unique_value_is_taken_once_but_none_often(place: &Place) {
    let db = open(place).await;
    let mut peter = User::new(1, "Peter", 3).save(&db).await.unwrap();
    let error = User::new(2, "Peter", 3).save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UniqueViolated);
    assert_eq!(error.place().field.as_deref(), Some("name"));
    User::new(2, "Paul", 3).save(&db).await.unwrap();
    peter.name = "Paul".into();
    assert_eq!(peter.update().await.unwrap_err().kind(), ErrorKind::UniqueViolated);
    peter.name = "Mary".into();
    peter.update().await.unwrap();
    User::new(3, "Peter", 3).save(&db).await.unwrap();
    db.close().await.unwrap();
}

async fn an_update_needs_the_version_that_was_read(place: &Place) {
    let db = open(place).await;
    let mut mine = User::new(1, "Peter", 3).save(&db).await.unwrap();
    let mut theirs = User::get(&db, 1_u64).await.unwrap().unwrap();
    theirs.points = 10;
    theirs.update().await.unwrap();
    mine.points = 4;
    let error = mine.update().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.place().key.as_deref(), Some("1"));
    assert_eq!(User::get(&db, 1_u64).await.unwrap().unwrap().points, 10);
    assert_eq!(mine.clone().delete().await.unwrap_err().kind(), ErrorKind::Conflict);
    theirs.delete().await.unwrap();
    assert_eq!(mine.update().await.unwrap_err().kind(), ErrorKind::Conflict);
    db.close().await.unwrap();
}

async fn a_key_cannot_be_changed(place: &Place) {
    let db = open(place).await;
    let mut peter = User::new(1, "Peter", 3).save(&db).await.unwrap();
    peter.id = 2;
    assert_eq!(peter.update().await.unwrap_err().kind(), ErrorKind::KeyChanged);
    assert!(User::get(&db, 2_u64).await.unwrap().is_none());
    db.close().await.unwrap();
}

async fn a_deleted_record_is_gone_and_its_key_free(place: &Place) {
    let db = open(place).await;
    let peter = User::new(1, "Peter", 3).save(&db).await.unwrap();
    let id = peter.id();
    assert_eq!(peter.delete().await.unwrap(), User::new(1, "Peter", 3));
    assert!(User::get(&db, 1_u64).await.unwrap().is_none());
    assert!(User::find(&db).all().await.unwrap().is_empty());
    let again = User::new(1, "Peter", 5).save(&db).await.unwrap();
    assert!(again.id() > id, "a row id is never used twice");
    db.close().await.unwrap();

    let db = open(place).await;
    assert_eq!(User::find(&db).all().await.unwrap().len(), 1);
    again_after_delete(&db).await;
    db.close().await.unwrap();
}

async fn again_after_delete(db: &Database) {
    let found = User::find_unique(db, |u| u.name.eq("Peter")).await.unwrap();
    assert_eq!(found.points, 5);
}

async fn many_are_saved_together_or_not_at_all(place: &Place) {
    let db = open(place).await;
    let users = (1..=500).map(|id| User::new(id, &format!("user {id}"), id as i64));
    let saved = User::save_all(users, &db).await.unwrap();
    assert_eq!(saved.len(), 500);
    assert!(saved.iter().all(|record| record.version() == saved[0].version()), "one commit");
    assert_eq!(saved[499].id, 500);

    let frames = db.frames().unwrap();
    let with_duplicate = [User::new(501, "a", 0), User::new(7, "b", 0), User::new(502, "c", 0)];
    let error = User::save_all(with_duplicate, &db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey);
    assert_eq!(error.place().key.as_deref(), Some("7"));
    let among_themselves = [User::new(601, "a", 0), User::new(601, "b", 0)];
    assert_eq!(User::save_all(among_themselves, &db).await.unwrap_err().kind(), ErrorKind::DuplicateKey);
    assert_eq!(db.frames().unwrap(), frames, "nothing was sent");
    assert_eq!(User::count(&db).await.unwrap(), 500);
    assert!(User::save_all([], &db).await.unwrap().is_empty());
    db.close().await.unwrap();

    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 500);
    db.close().await.unwrap();
}

async fn a_table_needs_no_key(place: &Place) {
    let db = open(place).await;
    let one = Note { text: "same".into() }.save(&db).await.unwrap();
    let two = Note { text: "same".into() }.save(&db).await.unwrap();
    assert_ne!(one.id(), two.id());
    assert_eq!(Note::count(&db).await.unwrap(), 2);
    one.delete().await.unwrap();
    assert_eq!(Note::find(&db).all().await.unwrap(), vec![two]);
    db.close().await.unwrap();
}

async fn composite_keys_are_looked_up_whole(place: &Place) {
    let db = open(place).await;
    let member = |guild, user: &str, role: &str| Membership { guild, user: user.into(), role: role.into() };
    member(1, "a", "admin").save(&db).await.unwrap();
    member(1, "b", "user").save(&db).await.unwrap();
    member(2, "a", "user").save(&db).await.unwrap();
    assert_eq!(member(1, "a", "x").save(&db).await.unwrap_err().kind(), ErrorKind::DuplicateKey);
    assert_eq!(Membership::get(&db, (2_u64, "a")).await.unwrap().unwrap().role, "user");
    assert!(Membership::get(&db, (2_u64, "b")).await.unwrap().is_none());
    db.close().await.unwrap();
}

async fn every_type_comes_back_exactly(place: &Place) {
    let db = open(place).await;
    let ordinary = Everything { cached: Some("not stored".into()), ..Everything::ordinary("a") };
    let saved = ordinary.save(&db).await.unwrap();
    let commit = discobase::CommitId { incarnation: db.incarnation().unwrap(), seq: saved.version() };
    assert_eq!(db.outcome(commit).unwrap(), Outcome::Durable);
    db.close().await.unwrap();
    let db = open(place).await;
    let found = Everything::get(&db, "a").await.unwrap().unwrap();
    assert_eq!(found.into_inner(), Everything::ordinary("a"));
    assert_eq!(db.outcome(commit).unwrap(), Outcome::Durable, "earlier openings are known too");
    db.close().await.unwrap();
}

async fn a_record_of_one_database_touches_no_row_of_another(_: &Place) {
    let db = Database::new("one");
    db.table::<Note>().unwrap();
    db.connect_memory().await.unwrap();
    let mut old = Note { text: "old".into() }.save(&db).await.unwrap();
    db.close().await.unwrap();
    // The same name, and a row of the same id and version, but another database.
    db.connect_memory().await.unwrap();
    let new = Note { text: "new".into() }.save(&db).await.unwrap();
    assert_eq!((old.id(), old.version()), (new.id(), new.version()));
    old.text = "overwritten".into();
    assert_eq!(old.update().await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(old.delete().await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(Note::find(&db).all().await.unwrap(), [new]);
    db.close().await.unwrap();
}

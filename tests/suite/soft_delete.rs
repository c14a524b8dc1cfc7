//! Records that are deleted and still there.

use discobase::{Change, Database, ErrorKind, Table, Watched, delete, update};
use twilight_model::util::Timestamp;

use crate::support::Place;

#[derive(Debug, Clone, PartialEq, Table)]
struct Note {
    #[table(key)]
    id: u64,
    #[table(unique)]
    title: String,
    text: String,
    #[table(soft_delete, index)]
    deleted_at: Option<Timestamp>,
}

fn note(id: u64) -> Note {
    Note { id, title: format!("note {id}"), text: "…".into(), deleted_at: None }
}

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<Note>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn three(place: &Place) -> Database {
    let db = open(place).await;
    Note::save_all((1..=3).map(note), &db).await.unwrap();
    Note::get(&db, 2).await.unwrap().unwrap().delete().await.unwrap();
    db
}

crate::everywhere!(
    a_deleted_record_is_not_found,
    a_deleted_record_can_be_found_and_restored,
    a_deleted_record_keeps_its_key_and_unique_values,
    forever_is_forever,
    a_delete_writes_nothing_else,
    deletes_collide_like_other_writes,
    upserts_do_not_bring_a_deleted_record_back,
    statements_pass_over_deleted_records,
    a_watch_sees_a_delete_as_an_update,
    a_delete_is_no_change,
);

async fn a_deleted_record_is_not_found(place: &Place) {
    let db = three(place).await;
    assert!(Note::get(&db, 2).await.unwrap().is_none());
    assert_eq!(Note::count(&db).await.unwrap(), 2);
    let ids: Vec<u64> = Note::find(&db).all().await.unwrap().iter().map(|note| note.id).collect();
    assert_eq!(ids, [1, 3]);
    let found = Note::find(&db).filter(|n| n.title.eq("note 2") | n.id.eq(1)).all().await.unwrap();
    assert_eq!(found.len(), 1);
    let error = Note::find_unique(&db, |n| n.id.eq(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        Note::find(&db).order_by(|n| n.id.desc()).offset(1).first().await.unwrap().is_some_and(|n| n.id == 1)
    );
    db.close().await.unwrap();
}

async fn a_deleted_record_can_be_found_and_restored(place: &Place) {
    let db = three(place).await;
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(Note::find(&db).with_deleted().count().await.unwrap(), 3);
    let mut deleted = Note::find(&db).only_deleted().all().await.unwrap();
    assert_eq!(deleted.len(), 1);
    let mut two = deleted.pop().unwrap();
    assert!(two.id == 2 && two.deleted_at.is_some());
    two.restore().await.unwrap();
    assert_eq!(*Note::get(&db, 2).await.unwrap().unwrap(), note(2));
    assert_eq!(Note::find(&db).only_deleted().count().await.unwrap(), 0);
    let frames = db.frames().unwrap();
    two.restore().await.unwrap();
    assert_eq!(db.frames().unwrap(), frames, "what is not deleted needs no restoring");
    db.close().await.unwrap();
}

async fn a_deleted_record_keeps_its_key_and_unique_values(place: &Place) {
    let db = three(place).await;
    let error = note(2).save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey);
    let error = Note { id: 4, ..note(2) }.save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UniqueViolated);
    db.close().await.unwrap();
}

async fn forever_is_forever(place: &Place) {
    let db = three(place).await;
    Note::get(&db, 1).await.unwrap().unwrap().delete_forever().await.unwrap();
    let two = Note::find(&db).only_deleted().first().await.unwrap().unwrap();
    let gone = two.delete_forever().await.unwrap();
    assert!(gone.deleted_at.is_some());
    assert_eq!(Note::find(&db).with_deleted().count().await.unwrap(), 1);
    note(2).save(&db).await.unwrap();
    db.close().await.unwrap();
}

async fn a_delete_writes_nothing_else(place: &Place) {
    let db = three(place).await;
    let mut one = Note::get(&db, 1).await.unwrap().unwrap();
    one.text = "never written".into();
    one.id = 77;
    let one = one.delete().await.unwrap();
    assert!(one.deleted_at.is_some());
    let stored = Note::find(&db).only_deleted().filter(|n| n.id.eq(1)).first().await.unwrap().unwrap();
    assert_eq!((stored.text.as_str(), stored.deleted_at), ("…", one.deleted_at));
    // Deleting it again changes nothing, not even the time.
    let frames = db.frames().unwrap();
    assert_eq!(stored.delete().await.unwrap().deleted_at, one.deleted_at);
    assert_eq!(db.frames().unwrap(), frames);
    db.close().await.unwrap();
}

async fn deletes_collide_like_other_writes(place: &Place) {
    let db = three(place).await;
    let mut one = Note::get(&db, 1).await.unwrap().unwrap();
    let stale = one.clone();
    one.text = "new".into();
    one.update().await.unwrap();
    assert_eq!(stale.delete().await.unwrap_err().kind(), ErrorKind::Conflict);
    let stale = one.clone();
    one.delete().await.unwrap();
    let mut stale = stale;
    stale.text = "newer".into();
    assert_eq!(stale.update().await.unwrap_err().kind(), ErrorKind::Conflict);
    db.close().await.unwrap();
}

async fn upserts_do_not_bring_a_deleted_record_back(place: &Place) {
    let db = three(place).await;
    let frames = db.frames().unwrap();
    let error = note(2).get_or_create(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey);
    assert_eq!(
        error.to_string(),
        "the record that is found by this value is deleted (deleted_at is set): find it with only_deleted(), and restore \
         it or delete it forever (table note, field id, key 2)"
    );
    let error = note(2).save_or_update(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey);
    let error = note(2).save_or_update(&db).set(|n| n.text, |_| "new").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey);
    let error = Note { id: 9, ..note(2) }.get_or_create(&db).on(|n| n.title).await.unwrap_err();
    assert_eq!((error.kind(), error.place().field.as_deref()), (ErrorKind::UniqueViolated, Some("title")));
    let s = db.session().unwrap();
    let error = note(2).get_or_create(&s).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey);
    // What the session itself deletes is in its way, too.
    s.delete(s.get::<Note>(3).await.unwrap().unwrap()).await.unwrap();
    let error = note(3).get_or_create(&s).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey);
    s.rollback();
    assert_eq!(db.frames().unwrap(), frames, "nothing was written");
    let mut two = Note::find(&db).only_deleted().first().await.unwrap().unwrap();
    assert!(two.id == 2 && two.text == "…");
    two.restore().await.unwrap();
    assert_eq!(note(2).get_or_create(&db).await.unwrap(), two);
    two.delete_forever().await.unwrap();
    assert_eq!(note(2).get_or_create(&db).await.unwrap().id, 2);
    db.close().await.unwrap();
}

async fn statements_pass_over_deleted_records(place: &Place) {
    let db = three(place).await;
    let rows = update::<Note>().set(|n| n.text, |_| "changed").run(&db).await.unwrap();
    assert_eq!(rows, 2);
    let two = Note::find(&db).only_deleted().first().await.unwrap().unwrap();
    assert_eq!(two.text, "…");
    let gone = delete::<Note>().filter(|n| n.id.le(2)).returning(&db).await.unwrap();
    assert!(gone.len() == 1 && gone[0].id == 1 && gone[0].deleted_at.is_some());
    assert_eq!(Note::find(&db).with_deleted().count().await.unwrap(), 3, "it is marked only");
    assert_eq!(Note::find(&db).only_deleted().filter(|n| n.id.eq(2)).first().await.unwrap().unwrap(), two);
    assert_eq!(delete::<Note>().filter(|n| n.id.ge(3)).forever().run(&db).await.unwrap(), 1);
    assert_eq!(Note::find(&db).with_deleted().count().await.unwrap(), 2);
    db.close().await.unwrap();
}

async fn a_watch_sees_a_delete_as_an_update(place: &Place) {
    let db = three(place).await;
    let mut watch = Note::watch(&db).unwrap();
    Note::get(&db, 1).await.unwrap().unwrap().delete().await.unwrap();
    let Watched::Commit { changes, .. } = watch.next().await.unwrap().unwrap() else { panic!("lagged") };
    let [Change::Updated { old, new }] = &changes[..] else { panic!("{changes:?}") };
    assert!(old.deleted_at.is_none() && new.deleted_at.is_some() && new.id == 1);
    db.close().await.unwrap();
}

#[derive(Debug, Clone, PartialEq, Table)]
struct Job {
    #[table(key, auto)]
    id: u64,
    #[table(updated_at)]
    updated_at: Timestamp,
    #[table(soft_delete)]
    deleted_at: Option<Timestamp>,
}

async fn a_delete_is_no_change(place: &Place) {
    let db = place.database();
    db.table::<Job>().unwrap();
    place.connect(&db).await.unwrap();
    let old = Timestamp::from_micros(1_000_000).unwrap();
    let jobs = [1, 2].map(|_| Job::builder().updated_at(old).build());
    let mut jobs = Job::save_all(jobs, &db).await.unwrap();
    jobs.pop().unwrap().delete().await.unwrap();
    assert_eq!(delete::<Job>().run(&db).await.unwrap(), 1, "the other one");
    let mut deleted = Job::find(&db).only_deleted().all().await.unwrap();
    assert_eq!(deleted.iter().map(|job| job.updated_at).collect::<Vec<_>>(), [old, old]);
    deleted[0].restore().await.unwrap();
    let restored = Job::get(&db, deleted[0].id).await.unwrap().unwrap();
    assert!(restored.updated_at.as_micros() > old.as_micros(), "to restore is to update");
    db.close().await.unwrap();
}

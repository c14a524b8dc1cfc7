//! Foreign keys: no record refers to one that is not there.

use crate::support::Place;
use discobase::{Database, ErrorKind, Table, delete, update};

#[derive(Debug, Clone, PartialEq, Table)]
pub(crate) struct User {
    #[table(key)]
    pub(crate) id: u64,
    #[table(unique)]
    pub(crate) name: String,
}

#[derive(Debug, Clone, PartialEq, Table)]
pub(crate) struct Order {
    #[table(key)]
    pub(crate) id: u64,
    #[table(references = User)]
    pub(crate) user_id: u64,
    #[table(references = User, on_delete = set_null)]
    pub(crate) approver_id: Option<u64>,
    #[table(references = Order, on_delete = cascade, relation = original)]
    pub(crate) copy_of: Option<u64>,
}

/// What goes with its order.
#[derive(Debug, Clone, PartialEq, Table)]
pub(crate) struct Item {
    #[table(key)]
    pub(crate) order_id: u64,
    #[table(key)]
    pub(crate) number: u32,
    #[table(references = Order, on_delete = cascade)]
    pub(crate) of_order_id: u64,
}

pub(crate) fn user(id: u64) -> User {
    User { id, name: format!("user {id}") }
}

pub(crate) fn order(id: u64, user_id: u64) -> Order {
    Order { id, user_id, approver_id: None, copy_of: None }
}

pub(crate) fn item(order_id: u64, number: u32) -> Item {
    Item { order_id, number, of_order_id: order_id }
}

pub(crate) async fn open(place: &Place) -> Database {
    let db = place.database();
    // A table may be registered before the one that it refers to.
    db.table::<Order>().unwrap();
    db.table::<Item>().unwrap();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

pub(crate) async fn ids(db: &Database) -> (Vec<u64>, Vec<u64>, Vec<(u64, u32)>) {
    let users = User::find(db).order_by(|u| u.id.asc()).all().await.unwrap();
    let orders = Order::find(db).order_by(|o| o.id.asc()).all().await.unwrap();
    let items = Item::find(db).order_by(|i| i.order_id.asc()).all().await.unwrap();
    (
        users.iter().map(|user| user.id).collect(),
        orders.iter().map(|order| order.id).collect(),
        items.iter().map(|item| (item.order_id, item.number)).collect(),
    )
}

crate::everywhere!(
    a_child_needs_its_parent,
    a_parent_with_children_stays,
    deletes_cascade,
    deletes_set_null,
    the_order_of_a_sessions_writes_does_not_matter,
    a_session_sees_what_its_deletes_do,
    what_is_saved_with_a_reference_is_not_deleted_with_it,
    a_reference_that_is_written_again_is_not_cleared,
    a_parent_that_is_replaced_keeps_its_children,
    a_child_of_a_process_that_knows_less_is_checked_too,
);

async fn a_child_needs_its_parent(place: &Place) {
    let db = open(place).await;
    let error = order(1, 7).save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoParent);
    assert_eq!(error.place().table.as_deref(), Some("order"));
    assert_eq!(error.place().field.as_deref(), Some("user_id"));
    assert_eq!(error.place().key.as_deref(), Some("1"));
    assert!(error.to_string().contains("user") && error.to_string().contains("user_id 7"), "{error}");
    user(7).save(&db).await.unwrap();
    let mut saved = order(1, 7).save(&db).await.unwrap();
    assert_eq!(saved.user(&db).await.unwrap().name, "user 7");
    assert!(saved.approver(&db).await.unwrap().is_none());
    saved.user_id = 8;
    assert_eq!(saved.update().await.unwrap_err().kind(), ErrorKind::NoParent);
    saved.user_id = 7;
    saved.approver_id = Some(7);
    saved.update().await.unwrap();
    assert_eq!(saved.approver(&db).await.unwrap().unwrap().id, 7);
    let error = update::<Order>().set(|o| o.user_id, |o| o.user_id + 1).run(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoParent);
    let error = order(1, 9).save_or_update(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoParent);
    let many = [order(2, 7), order(3, 9), order(4, 7)];
    let error = Order::save_all(many, &db).await.unwrap_err();
    assert_eq!((error.kind(), error.place().position), (ErrorKind::NoParent, Some(1)));
    assert_eq!(ids(&db).await, (vec![7], vec![1], vec![]));
    assert_eq!(Order::get(&db, 1).await.unwrap().unwrap().user_id, 7);
    db.close().await.unwrap();
}

async fn a_parent_with_children_stays(place: &Place) {
    let db = open(place).await;
    let peter = user(1).save(&db).await.unwrap();
    user(2).save(&db).await.unwrap();
    Order::save_all([order(1, 1), order(2, 1), order(3, 2)], &db).await.unwrap();
    let error = peter.clone().delete().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StillReferenced);
    assert_eq!(error.place().table.as_deref(), Some("user"));
    assert_eq!(error.place().field.as_deref(), Some("id"));
    assert_eq!(error.place().key.as_deref(), Some("1"));
    assert!(error.to_string().contains("2 records of order would refer by user_id"), "{error}");
    let error = delete::<User>().filter(|u| u.id.ge(1)).run(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StillReferenced);
    delete::<Order>().filter(|o| o.user_id.eq(1)).run(&db).await.unwrap();
    peter.delete().await.unwrap();
    assert_eq!(ids(&db).await, (vec![2], vec![3], vec![]));
    db.close().await.unwrap();
}

async fn deletes_cascade(place: &Place) {
    let db = open(place).await;
    user(1).save(&db).await.unwrap();
    let copies = |id, of| Order { copy_of: Some(of), ..order(id, 1) };
    Order::save_all([order(1, 1), copies(2, 1), copies(3, 2), order(4, 1)], &db).await.unwrap();
    // One that is a copy of itself.
    copies(5, 5).save(&db).await.unwrap();
    Item::save_all([item(1, 1), item(3, 1), item(3, 2), item(4, 1)], &db).await.unwrap();
    let before = db.stats().unwrap().commits;
    assert_eq!(delete::<Order>().filter(|o| o.id.eq(1) | o.id.eq(5)).run(&db).await.unwrap(), 2);
    assert_eq!(db.stats().unwrap().commits, before + 1, "it is one commit");
    assert_eq!(ids(&db).await, (vec![1], vec![4], vec![(4, 1)]));
    // What is gone is gone for the next process, too.
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(ids(&db).await, (vec![1], vec![4], vec![(4, 1)]));
    assert!(db.verify().await.unwrap().is_clean());
    db.close().await.unwrap();
}

async fn deletes_set_null(place: &Place) {
    let db = open(place).await;
    User::save_all([user(1), user(2)], &db).await.unwrap();
    let mut mine = Order { approver_id: Some(2), ..order(1, 1) }.save(&db).await.unwrap();
    let version = mine.version();
    User::get(&db, 2).await.unwrap().unwrap().delete().await.unwrap();
    let now = Order::get(&db, 1).await.unwrap().unwrap();
    assert_eq!(now.approver_id, None);
    assert!(now.version() > version, "the record has changed");
    mine.user_id = 1;
    mine.copy_of = Some(1);
    assert_eq!(mine.update().await.unwrap_err().kind(), ErrorKind::Conflict);
    db.close().await.unwrap();
}

async fn the_order_of_a_sessions_writes_does_not_matter(place: &Place) {
    let db = open(place).await;
    let session = db.session().unwrap();
    session.add(item(1, 1)).await.unwrap();
    session.add(order(1, 1)).await.unwrap();
    session.add(user(1)).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(ids(&db).await, (vec![1], vec![1], vec![(1, 1)]));
    let session = db.session().unwrap();
    session.add(order(2, 3)).await.unwrap();
    let error = session.flush().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoParent);
    let error = session.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoParent);
    // The parent goes first, and what refers to it afterwards.
    let session = db.session().unwrap();
    delete::<User>().run(&session).await.unwrap();
    delete::<Order>().run(&session).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(ids(&db).await, (vec![], vec![], vec![]));
    db.close().await.unwrap();
}

async fn a_session_sees_what_its_deletes_do(place: &Place) {
    let db = open(place).await;
    User::save_all([user(1), user(2)], &db).await.unwrap();
    Order::save_all([Order { approver_id: Some(2), ..order(1, 1) }, order(2, 1)], &db).await.unwrap();
    Item::save_all([item(1, 1), item(2, 1)], &db).await.unwrap();
    let session = db.session().unwrap();
    delete::<User>().filter(|u| u.id.eq(2)).run(&session).await.unwrap();
    assert_eq!(Order::get(&session, 1).await.unwrap().unwrap().approver_id, None);
    delete::<Order>().filter(|o| o.id.eq(2)).run(&session).await.unwrap();
    assert_eq!(Item::count(&session).await.unwrap(), 1);
    assert_eq!(Item::count(&db).await.unwrap(), 2);
    // Somebody adds to what the session deletes: that goes, too.
    item(2, 2).save(&db).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(ids(&db).await, (vec![1], vec![1], vec![(1, 1)]));
    db.close().await.unwrap();
}

/// A record that refers to what the same commit deletes is refused: nobody would expect it to vanish.
async fn what_is_saved_with_a_reference_is_not_deleted_with_it(place: &Place) {
    let db = open(place).await;
    user(1).save(&db).await.unwrap();
    Order::save_all([order(1, 1), order(2, 1)], &db).await.unwrap();
    let mut moved = item(2, 1).save(&db).await.unwrap();
    item(1, 1).save(&db).await.unwrap();
    let session = db.session().unwrap();
    delete::<Order>().filter(|o| o.id.eq(1)).run(&session).await.unwrap();
    session.add(item(1, 2)).await.unwrap();
    assert_eq!(session.commit().await.unwrap_err().kind(), ErrorKind::NoParent);
    let session = db.session().unwrap();
    delete::<Order>().filter(|o| o.id.eq(1)).run(&session).await.unwrap();
    moved.of_order_id = 1;
    session.update(&mut moved).await.unwrap();
    assert_eq!(session.commit().await.unwrap_err().kind(), ErrorKind::NoParent);
    assert_eq!(ids(&db).await, (vec![1], vec![1, 2], vec![(1, 1), (2, 1)]));
    db.close().await.unwrap();
}

/// The delete clears it, and the session writes what was there before.
async fn a_reference_that_is_written_again_is_not_cleared(place: &Place) {
    let db = open(place).await;
    User::save_all([user(1), user(2)], &db).await.unwrap();
    Order { approver_id: Some(2), ..order(1, 1) }.save(&db).await.unwrap();
    // The whole record is as it was, or another field is not.
    for copy_of in [None, Some(1)] {
        let session = db.session().unwrap();
        delete::<User>().filter(|u| u.id.eq(2)).run(&session).await.unwrap();
        let mut mine = Order::get(&session, 1).await.unwrap().unwrap();
        *mine = Order { approver_id: Some(2), copy_of, ..order(1, 1) };
        session.update(&mut mine).await.unwrap();
        let error = session.commit().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.place().field.as_deref()),
            (ErrorKind::NoParent, Some("approver_id"))
        );
    }
    assert_eq!(Order::get(&db, 1).await.unwrap().unwrap().approver_id, Some(2));
    // What is changed before the delete is cleared by it.
    let session = db.session().unwrap();
    let mut mine = Order::get(&session, 1).await.unwrap().unwrap();
    mine.copy_of = Some(1);
    session.update(&mut mine).await.unwrap();
    delete::<User>().filter(|u| u.id.eq(2)).run(&session).await.unwrap();
    session.commit().await.unwrap();
    let now = Order::get(&db, 1).await.unwrap().unwrap();
    assert_eq!((now.approver_id, now.copy_of), (None, Some(1)));
    // A record that stays as it is keeps what it refers to, whatever else is changed of it.
    let session = db.session().unwrap();
    let mut mine = Order::get(&session, 1).await.unwrap().unwrap();
    mine.copy_of = None;
    session.update(&mut mine).await.unwrap();
    delete::<User>().filter(|u| u.id.eq(1)).run(&session).await.unwrap();
    assert_eq!(session.commit().await.unwrap_err().kind(), ErrorKind::StillReferenced);
    db.close().await.unwrap();
}

async fn a_parent_that_is_replaced_keeps_its_children(place: &Place) {
    let db = open(place).await;
    user(1).save(&db).await.unwrap();
    order(1, 1).save(&db).await.unwrap();
    let session = db.session().unwrap();
    delete::<User>().run(&session).await.unwrap();
    session.add(User { id: 1, name: "another".into() }).await.unwrap();
    session.commit().await.unwrap();
    let order = Order::get(&db, 1).await.unwrap().unwrap();
    assert_eq!(order.user(&db).await.unwrap().name, "another");
    // What a delete leads to the session sees at once, so that is gone; what somebody adds meanwhile has a parent.
    item(1, 1).save(&db).await.unwrap();
    let session = db.session().unwrap();
    delete::<Order>().run(&session).await.unwrap();
    session.add(self::order(1, 1)).await.unwrap();
    item(1, 2).save(&db).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(ids(&db).await, (vec![1], vec![1], vec![(1, 2)]));
    db.close().await.unwrap();
}

/// The guild knows the references: a process that has the struct of one table only can't break them.
async fn a_child_of_a_process_that_knows_less_is_checked_too(place: &Place) {
    let db = open(place).await;
    user(1).save(&db).await.unwrap();
    order(1, 1).save(&db).await.unwrap();
    db.close().await.unwrap();
    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    let error = User::get(&db, 1).await.unwrap().unwrap().delete().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StillReferenced);
    db.close().await.unwrap();
}

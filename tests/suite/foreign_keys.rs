//! Foreign keys: no record refers to one that is not there.

use std::sync::atomic::{AtomicU32, Ordering};

use discobase::{Database, ErrorKind, OnDelete, Step, Table, Transaction, delete, update};
use twilight_model::util::Timestamp;

use crate::support::Place;

#[derive(Debug, Clone, PartialEq, Table)]
struct User {
    #[table(key)]
    id: u64,
    #[table(unique)]
    name: String,
}

#[derive(Debug, Clone, PartialEq, Table)]
struct Order {
    #[table(key)]
    id: u64,
    #[table(references = User)]
    user_id: u64,
    #[table(references = User, on_delete = set_null)]
    approver_id: Option<u64>,
    #[table(references = Order, on_delete = cascade, relation = original)]
    copy_of: Option<u64>,
}

/// What goes with its order.
#[derive(Debug, Clone, PartialEq, Table)]
struct Item {
    #[table(key)]
    order_id: u64,
    #[table(key)]
    number: u32,
    #[table(references = Order, on_delete = cascade)]
    of_order_id: u64,
}

fn user(id: u64) -> User {
    User { id, name: format!("user {id}") }
}

fn order(id: u64, user_id: u64) -> Order {
    Order { id, user_id, approver_id: None, copy_of: None }
}

fn item(order_id: u64, number: u32) -> Item {
    Item { order_id, number, of_order_id: order_id }
}

async fn open(place: &Place) -> Database {
    let db = place.database();
    // A table may be registered before the one that it refers to.
    db.table::<Order>().unwrap();
    db.table::<Item>().unwrap();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn ids(db: &Database) -> (Vec<u64>, Vec<u64>, Vec<(u64, u32)>) {
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
    a_parent_that_is_replaced_keeps_its_children,
    a_child_of_a_process_that_knows_less_is_checked_too,
    a_deleted_parent_and_its_new_child_never_both_are,
    cascades_in_a_circle_are_refused,
    a_reference_needs_its_table,
    a_reference_is_added_only_to_rows_that_keep_it,
    a_table_that_is_referred_to_can_be_renamed_not_dropped,
    a_transaction_that_lost_a_parent_or_met_a_child_is_done_again,
    a_transaction_that_breaks_references_by_itself_is_told_at_once,
);

crate::in_process!(
    lazy_tables_are_loaded_for_it,
    a_marked_parent_is_still_there,
    transactions_on_lazy_tables
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

/// Two at once, many times: one deletes a parent, the other gives it a child.
async fn a_deleted_parent_and_its_new_child_never_both_are(place: &Place) {
    let db = open(place).await;
    let (mut deleted, mut saved) = (0, 0);
    for round in 1..=40 {
        user(round).save(&db).await.unwrap();
        let deleting = async {
            let session = db.session()?;
            let found = session.get::<User>(round).await?.unwrap();
            session.delete(found).await?;
            session.commit().await
        };
        let saving = async {
            let session = db.session()?;
            session.add(order(round, round)).await?;
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            session.commit().await
        };
        let (gone, child) = if round % 3 == 0 {
            tokio::join!(deleting, saving)
        } else {
            let (child, gone) = tokio::join!(saving, deleting);
            (gone, child)
        };
        match (gone, child) {
            (Ok(_), Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::NoParent);
                deleted += 1;
            }
            (Err(error), Ok(_)) => {
                assert_eq!(error.kind(), ErrorKind::StillReferenced);
                saved += 1;
            }
            other => panic!("round {round}: {other:?}"),
        }
        let (users, orders, _) = ids(&db).await;
        assert_eq!(users.contains(&round), orders.contains(&round));
    }
    assert!(deleted > 0 && saved > 0, "{deleted} parents deleted, {saved} children saved");
    db.close().await.unwrap();
}

mod circle {
    use discobase::Table;

    #[derive(Debug, Table)]
    pub(super) struct Hen {
        #[table(key)]
        pub(super) id: u64,
        #[table(references = Egg, on_delete = cascade)]
        pub(super) egg_id: Option<u64>,
    }

    #[derive(Debug, Table)]
    pub(super) struct Egg {
        #[table(key)]
        pub(super) id: u64,
        #[table(references = Hen, on_delete = cascade)]
        pub(super) hen_id: Option<u64>,
    }
}

async fn cascades_in_a_circle_are_refused(place: &Place) {
    let db = place.database();
    db.table::<circle::Hen>().unwrap();
    db.table::<circle::Egg>().unwrap();
    let error = place.connect(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CyclicCascade);
    assert!(error.to_string().contains("hen <- egg <- hen"), "{error}");
}

async fn a_reference_needs_its_table(place: &Place) {
    let db = place.database();
    db.table::<Item>().unwrap();
    let error = place.connect(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTable);
    assert!(error.to_string().contains("refers to table order"), "{error}");
}

/// The same tables before they referred to each other.
mod before {
    use discobase::Table;

    #[derive(Debug, Table)]
    pub(super) struct Pet {
        #[table(key)]
        pub(super) id: u64,
        pub(super) owner_id: u64,
    }
}

#[derive(Debug, Table)]
struct Pet {
    #[table(key)]
    id: u64,
    #[table(references = User, on_delete = cascade)]
    owner_id: u64,
}

async fn a_reference_is_added_only_to_rows_that_keep_it(place: &Place) {
    let db = place.database();
    db.table::<User>().unwrap();
    db.table::<before::Pet>().unwrap();
    place.connect(&db).await.unwrap();
    user(1).save(&db).await.unwrap();
    let pets = [(1, 1), (2, 7), (3, 1), (4, 8), (5, 9), (6, 9)];
    before::Pet::save_all(pets.map(|(id, owner_id)| before::Pet { id, owner_id }), &db).await.unwrap();
    db.close().await.unwrap();

    let after = |steps: Vec<Step>| {
        let db = place.database();
        db.table::<User>().unwrap();
        db.table::<Pet>().unwrap();
        db.migrations(steps).unwrap();
        db
    };
    let error = place.connect(&after(Vec::new())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged);
    let said = error.to_string();
    assert!(said.contains(".reference([\"owner_id\"], \"user\", OnDelete::Cascade)"), "{said}");

    let owned = || {
        Step::new("1.1.0", "owners")
            .table("pet", |table| table.reference(["owner_id"], "user", OnDelete::Cascade))
    };
    let error = place.connect(&after(vec![owned()])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoParent);
    let said = error.to_string();
    assert!(said.contains("owner_id 7") && said.contains("the records 4, 5 and 1 more"), "{said}");

    let found = Step::new("1.1.0", "owners")
        .each("pet", "strays find somebody", |row| {
            let owner: u64 = row.get("owner_id")?;
            row.set("owner_id", if owner > 1 { 1_u64 } else { owner })
        })
        .table("pet", |table| table.reference(["owner_id"], "user", OnDelete::Cascade));
    let db = after(vec![found.down(|step| step.table("pet", |table| table.drop_reference(["owner_id"])))]);
    place.connect(&db).await.unwrap();
    let peter = User::get(&db, 1).await.unwrap().unwrap();
    peter.delete().await.unwrap();
    assert_eq!(Pet::count(&db).await.unwrap(), 0);
    db.close().await.unwrap();
}

async fn a_table_that_is_referred_to_can_be_renamed_not_dropped(place: &Place) {
    let db = open(place).await;
    user(1).save(&db).await.unwrap();
    order(1, 1).save(&db).await.unwrap();
    db.close().await.unwrap();
    let with = |step: Step| {
        let db = place.database();
        db.migrations([step]).unwrap();
        db
    };
    let error = place.connect(&with(Step::new("1.1.0", "no users").drop_table("user"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTable);
    let db = with(Step::new("1.1.0", "people").rename_table("user", "people"));
    place.connect(&db).await.unwrap();
    db.close().await.unwrap();
    let db = place.database();
    db.table::<Person>().unwrap();
    db.migrations([Step::new("1.1.0", "people").rename_table("user", "people")]).unwrap();
    place.connect(&db).await.unwrap();
    let error = Person::get(&db, 1).await.unwrap().unwrap().delete().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StillReferenced);
    db.close().await.unwrap();
}

#[derive(Debug, Table)]
#[table(name = "people")]
struct Person {
    #[table(key)]
    id: u64,
    #[table(unique)]
    name: String,
}

async fn lazy_tables_are_loaded_for_it(place: &Place) {
    let db = open(place).await;
    User::save_all([user(1), user(2)], &db).await.unwrap();
    Order::save_all([order(1, 1), order(2, 2)], &db).await.unwrap();
    Item::save_all([item(1, 1), item(2, 1)], &db).await.unwrap();
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    let db = place.database();
    db.table_lazy::<User>().unwrap();
    db.table_lazy::<Order>().unwrap();
    db.table_lazy::<Item>().unwrap();
    place.connect(&db).await.unwrap();
    assert!(!db.is_loaded::<User>().unwrap());
    assert_eq!(order(3, 9).save(&db).await.unwrap_err().kind(), ErrorKind::NoParent);
    order(3, 2).save(&db).await.unwrap();
    assert!(!db.is_loaded::<Item>().unwrap());
    assert_eq!(delete::<Order>().filter(|o| o.id.eq(1)).run(&db).await.unwrap(), 1);
    let error = delete::<User>().filter(|u| u.id.eq(2)).run(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StillReferenced);
    assert_eq!(ids(&db).await, (vec![1, 2], vec![2, 3], vec![(2, 1)]));
    db.close().await.unwrap();
}

#[derive(Debug, Clone, Table)]
#[table(has_many(members = Member.club_id))]
struct Club {
    #[table(key)]
    id: u64,
    #[table(soft_delete)]
    closed_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Table)]
struct Member {
    #[table(key)]
    id: u64,
    #[table(references = Club, on_delete = cascade)]
    club_id: u64,
    #[table(soft_delete)]
    left_at: Option<Timestamp>,
}

async fn a_marked_parent_is_still_there(place: &Place) {
    let db = place.database();
    db.table::<Club>().unwrap();
    db.table::<Member>().unwrap();
    place.connect(&db).await.unwrap();
    let club = Club { id: 1, closed_at: None }.save(&db).await.unwrap();
    let mut member = Member { id: 1, club_id: 1, left_at: None }.save(&db).await.unwrap();
    club.delete().await.unwrap();
    assert_eq!(Club::count(&db).await.unwrap(), 0);
    // It can be referred to, and found by whoever refers to it.
    member.left_at = None;
    member.update().await.unwrap();
    assert_eq!(member.club(&db).await.unwrap().id, 1);
    assert_eq!(Member::find(&db).filter(|m| m.club.exists()).count().await.unwrap(), 1);
    let (_, found) = Member::find(&db).with(|m| m.club).first().await.unwrap().unwrap();
    assert!(found.id == 1 && found.closed_at.is_some());
    // A marked child is none.
    let clubs = || Club::find(&db).with_deleted();
    assert_eq!(clubs().filter(|c| c.members.exist()).count().await.unwrap(), 1);
    member.clone().delete().await.unwrap();
    assert_eq!(clubs().filter(|c| c.members.exist()).count().await.unwrap(), 0);
    assert_eq!(clubs().filter(|c| c.members.all(|m| m.id.eq(9))).count().await.unwrap(), 1);
    let (_, members) = clubs().with(|c| c.members).first().await.unwrap().unwrap();
    assert!(members.is_empty());
    Member { id: 2, club_id: 1, left_at: None }.save(&db).await.unwrap().delete().await.unwrap();
    let club = Club::find(&db).with_deleted().first().await.unwrap().unwrap();
    club.delete_forever().await.unwrap();
    assert_eq!(Member::find(&db).with_deleted().count().await.unwrap(), 0);
    db.close().await.unwrap();
}

/// The first time, before the work commits, somebody else does something.
struct Once(AtomicU32);

impl Once {
    const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    fn attempts(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    async fn meanwhile(&self, other: impl Future<Output = discobase::Result<()>>) {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            other.await.unwrap();
        }
    }
}

async fn gone(db: &Database, id: u64) -> discobase::Result<()> {
    User::get(db, id).await?.unwrap().delete().await.map(|_| ())
}

/// What the session saw was right: somebody else was faster, and the next attempt sees what they did.
async fn a_transaction_that_lost_a_parent_or_met_a_child_is_done_again(place: &Place) {
    let db = open(place).await;
    racing(&db).await;
    db.close().await.unwrap();
}

async fn racing(db: &Database) {
    User::save_all([user(1), user(2), user(3)], db).await.unwrap();
    for flush in [false, true] {
        // A parent that was there is gone.
        let (once, other) = (Once::new(), 1 + u64::from(flush));
        let parent = db.transaction(|s| {
            let once = &once;
            async move {
                let parent = if s.get::<User>(other).await?.is_some() { other } else { 3 };
                s.add(order(other, parent)).await?;
                once.meanwhile(gone(db, other)).await;
                if flush {
                    s.flush().await?;
                }
                Ok(parent)
            }
        });
        assert_eq!(parent.await.unwrap(), 3);
        assert_eq!(once.attempts(), 2);
    }
    assert_eq!(ids(db).await, (vec![3], vec![1, 2], vec![]));

    // A parent that nothing referred to has a child.
    delete::<Order>().run(db).await.unwrap();
    let once = Once::new();
    let children = db.transaction(|s| {
        let once = &once;
        async move {
            let children = delete::<Order>().filter(|o| o.user_id.eq(3)).run(&s).await?;
            delete::<User>().filter(|u| u.id.eq(3)).run(&s).await?;
            once.meanwhile(async { order(4, 3).save(db).await.map(|_| ()) }).await;
            Ok(children)
        }
    });
    assert_eq!(children.await.unwrap(), 1);
    assert_eq!(once.attempts(), 2);
    assert_eq!(ids(db).await, (vec![], vec![], vec![]));

    // It ends with the error if the same happens each time.
    user(1).save(db).await.unwrap();
    let attempts = Once::new();
    let three = Transaction::new().attempts(3);
    let error = three.run(db, |s| {
        let attempts = &attempts;
        async move {
            let id = u64::from(attempts.0.fetch_add(1, Ordering::Relaxed)) + 1;
            s.add(order(1, id)).await?;
            user(id + 1).save(db).await?;
            gone(db, id).await
        }
    });
    assert_eq!(error.await.unwrap_err().kind(), ErrorKind::NoParent);
    assert_eq!(attempts.attempts(), 3);
}

/// No other attempt would change it.
async fn a_transaction_that_breaks_references_by_itself_is_told_at_once(place: &Place) {
    let db = open(place).await;
    mistaken(&db).await;
    db.close().await.unwrap();
}

async fn mistaken(db: &Database) {
    User::save_all([user(1), user(2)], db).await.unwrap();
    order(1, 1).save(db).await.unwrap();
    for flush in [false, true] {
        let attempts = Once::new();
        let work = db.transaction(|s| {
            let attempts = &attempts;
            async move {
                attempts.meanwhile(async { Ok(()) }).await;
                s.add(order(2, 7)).await?;
                if flush { s.flush().await } else { Ok(()) }
            }
        });
        assert_eq!(work.await.unwrap_err().kind(), ErrorKind::NoParent);
        assert_eq!(attempts.attempts(), 1);
    }
    // It saw the child. That another one comes meanwhile does not matter.
    let once = Once::new();
    let work = db.transaction(|s| {
        let once = &once;
        async move {
            s.delete(s.get::<User>(1).await?.unwrap()).await?;
            once.meanwhile(async { order(3, 1).save(db).await.map(|_| ()) }).await;
            Ok(())
        }
    });
    assert_eq!(work.await.unwrap_err().kind(), ErrorKind::StillReferenced);
    assert_eq!(once.attempts(), 1);
    assert_eq!(ids(db).await, (vec![1, 2], vec![1, 3], vec![]));
}

async fn transactions_on_lazy_tables(place: &Place) {
    let lazy = async |name: &str| {
        let db = place.database_named(name);
        db.table_lazy::<Order>().unwrap();
        db.table_lazy::<Item>().unwrap();
        db.table_lazy::<User>().unwrap();
        place.connect(&db).await.unwrap();
        db
    };
    for mistake in [false, true] {
        let name = format!("{}-{mistake}", place.name);
        let db = lazy(&name).await;
        db.checkpoint().await.unwrap();
        db.close().await.unwrap();
        let db = lazy(&name).await;
        assert!(!db.is_loaded::<User>().unwrap());
        if mistake {
            mistaken(&db).await;
        } else {
            racing(&db).await;
        }
        db.close().await.unwrap();
    }
}

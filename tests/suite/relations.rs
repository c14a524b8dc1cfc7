//! Relations: from records to those they refer to and that refer to them, one by one, in filters, and all at once.

use discobase::{Database, ErrorKind, Table, delete, update};
use futures_util::future::try_join_all;
use twilight_model::util::Timestamp;

use crate::support::Place;

#[derive(Debug, Clone, PartialEq, Table)]
#[table(has_many(orders = Order.user_id, approved = Order.approver_id), has_one(profile = Profile.user_id))]
#[table(many_to_many(tags = Tag, through = UserTag(user_id, tag_id)))]
struct User {
    #[table(key)]
    id: u64,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Table)]
struct Profile {
    #[table(key, references = User, on_delete = cascade)]
    user_id: u64,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Table)]
#[table(has_many(items = Item.order_id))]
struct Order {
    #[table(key)]
    id: u64,
    #[table(references = User)]
    user_id: u64,
    #[table(references = User, on_delete = set_null)]
    approver_id: Option<u64>,
    total: i64,
}

#[derive(Debug, Clone, PartialEq, Table)]
struct Item {
    #[table(key, auto)]
    id: u64,
    #[table(references = Order, on_delete = cascade)]
    order_id: u64,
    price: i64,
}

#[derive(Debug, Clone, PartialEq, Table)]
#[table(many_to_many(users = User, through = UserTag(tag_id, user_id)))]
struct Tag {
    #[table(key)]
    name: String,
}

#[derive(Debug, Clone, PartialEq, Table)]
struct UserTag {
    #[table(key, references = User, on_delete = cascade)]
    user_id: u64,
    #[table(key, references = Tag, on_delete = cascade)]
    tag_id: String,
    #[table(default = 1)]
    weight: i64,
}

/// A forest.
#[derive(Debug, Clone, PartialEq, Table)]
#[table(has_many(children = Node.parent_id))]
struct Node {
    #[table(key)]
    id: u64,
    #[table(references = Node, on_delete = cascade)]
    parent_id: Option<u64>,
}

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<User>().unwrap();
    db.table::<Profile>().unwrap();
    db.table::<Order>().unwrap();
    db.table::<Item>().unwrap();
    db.table::<Tag>().unwrap();
    db.table::<UserTag>().unwrap();
    db.table::<Node>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

fn user(id: u64) -> User {
    User { id, name: format!("user {id}") }
}

fn order(id: u64, user_id: u64, approver_id: Option<u64>, total: i64) -> Order {
    Order { id, user_id, approver_id, total }
}

/// Four users, of whom the last has nothing.
async fn filled(place: &Place) -> Database {
    let db = open(place).await;
    User::save_all((1..=4).map(user), &db).await.unwrap();
    let orders =
        [order(1, 1, Some(2), 10), order(2, 1, None, 20), order(3, 2, Some(1), 30), order(4, 3, Some(2), 5)];
    Order::save_all(orders, &db).await.unwrap();
    let items = [(1, 4), (1, 6), (2, 20), (3, 30)];
    Item::save_all(items.map(|(order_id, price)| Item { id: 0, order_id, price }), &db).await.unwrap();
    let profiles = [(1, "one"), (3, "three")];
    Profile::save_all(profiles.map(|(user_id, text)| Profile { user_id, text: text.into() }), &db)
        .await
        .unwrap();
    Tag::save_all(["a", "b", "c"].map(|name| Tag { name: name.into() }), &db).await.unwrap();
    db
}

fn ids<T, K: Ord>(records: &[T], id: impl Fn(&T) -> K) -> Vec<K> {
    let mut ids: Vec<K> = records.iter().map(id).collect();
    ids.sort();
    ids
}

crate::everywhere!(
    a_record_leads_to_others,
    filters_ask_other_tables,
    statements_ask_other_tables,
    what_is_related_comes_with_one_query,
    what_comes_is_of_one_state,
    links_made_at_once_are_made_once,
    links_are_made_and_taken_away,
    a_tree_leads_both_ways,
);

crate::in_process!(
    filters_ask_lazy_tables,
    sessions_ask_other_tables,
    what_comes_while_others_write_is_of_one_state
);

async fn a_record_leads_to_others(place: &Place) {
    let db = filled(place).await;
    let one = User::get(&db, 1).await.unwrap().unwrap();
    let large = one.orders(&db).filter(|o| o.total.gt(10)).all().await.unwrap();
    assert_eq!(ids(&large, |order| order.id), [2]);
    assert_eq!(one.orders(&db).count().await.unwrap(), 2);
    let newest = one.orders(&db).order_by(|o| o.id.desc()).first().await.unwrap().unwrap();
    assert_eq!(newest.user(&db).await.unwrap(), one);
    assert!(newest.approver(&db).await.unwrap().is_none());
    assert_eq!(one.approved(&db).scalars(|o| o.id).await.unwrap(), [3]);
    assert_eq!(one.profile(&db).await.unwrap().unwrap().text, "one");
    assert!(User::get(&db, 2).await.unwrap().unwrap().profile(&db).await.unwrap().is_none());
    let found = one.orders(&db).explain().unwrap();
    assert_eq!((found.access, found.index.as_deref(), found.rows), ("key", Some("user_id"), 2));
    db.close().await.unwrap();
}

async fn filters_ask_other_tables(place: &Place) {
    let db = filled(place).await;
    let orders = Order::find(&db).filter(|o| o.user.has(|u| u.name.eq("user 1"))).all().await.unwrap();
    assert_eq!(ids(&orders, |order| order.id), [1, 2]);
    let orders = Order::find(&db).filter(|o| !o.approver.has(|u| u.id.eq(2))).all().await.unwrap();
    assert_eq!(ids(&orders, |order| order.id), [2, 3]);
    let orders = Order::find(&db).filter(|o| o.approver.exists()).all().await.unwrap();
    assert_eq!(ids(&orders, |order| order.id), [1, 3, 4]);
    let users = User::find(&db).filter(|u| u.orders.any(|o| o.total.ge(20))).all().await.unwrap();
    assert_eq!(ids(&users, |user| user.id), [1, 2]);
    let users = User::find(&db).filter(|u| u.orders.none(|o| o.total.ge(20))).all().await.unwrap();
    assert_eq!(ids(&users, |user| user.id), [3, 4]);
    let users =
        User::find(&db).filter(|u| u.orders.all(|o| o.total.ge(20)) & u.orders.exist()).all().await.unwrap();
    assert_eq!(ids(&users, |user| user.id), [2]);
    let users = User::find(&db).filter(|u| u.profile.has(|p| p.text.contains("e")) & u.id.gt(1));
    assert_eq!(ids(&users.all().await.unwrap(), |user| user.id), [3]);
    // Two tables away, and back.
    let users = User::find(&db).filter(|u| u.orders.any(|o| o.items.any(|i| i.price.le(6))));
    assert_eq!(ids(&users.all().await.unwrap(), |user| user.id), [1]);
    let items = Item::find(&db).filter(|i| i.order.has(|o| o.user.has(|u| u.profile.exists())));
    assert_eq!(ids(&items.clone().all().await.unwrap(), |item| item.price), [4, 6, 20]);
    assert_eq!(items.clone().count().await.unwrap(), 3);
    assert_eq!(items.sum(|i| i.price).await.unwrap(), 30);
    // What is found goes through an index.
    let found = Order::find(&db).filter(|o| o.user.has(|u| u.id.eq(1))).explain().unwrap();
    assert_eq!((found.access, found.index.as_deref(), found.rows), ("key", Some("user_id"), 2));
    db.close().await.unwrap();
}

async fn statements_ask_other_tables(place: &Place) {
    let db = filled(place).await;
    let changed = update::<Order>()
        .filter(|o| o.user.has(|u| u.name.eq("user 1")))
        .set(|o| o.total, |o| o.total + 1)
        .returning(&db)
        .await
        .unwrap();
    assert_eq!(ids(&changed, |order| order.total), [11, 21]);
    assert_eq!(delete::<User>().filter(|u| u.orders.none(|o| o.id.gt(0))).run(&db).await.unwrap(), 1);
    assert_eq!(delete::<Item>().filter(|i| i.order.has(|o| o.total.eq(21))).run(&db).await.unwrap(), 1);
    assert_eq!(User::count(&db).await.unwrap(), 3);
    db.close().await.unwrap();
}

async fn what_is_related_comes_with_one_query(place: &Place) {
    let db = filled(place).await;
    let found = User::find(&db).with(|u| (u.orders, u.profile)).order_by(|u| u.id.asc()).all().await.unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|(user, (orders, profile))| {
            (user.id, ids(orders, |order| order.id), profile.as_ref().map(|profile| profile.text.as_str()))
        })
        .collect();
    let expected =
        [(1, vec![1, 2], Some("one")), (2, vec![3], None), (3, vec![4], Some("three")), (4, vec![], None)];
    assert_eq!(shown, expected);
    let found = Order::find(&db).with(|o| (o.user, o.approver)).order_by(|o| o.id.asc()).all().await.unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|(order, (user, approver))| (order.id, user.id, approver.as_ref().map(|approver| approver.id)))
        .collect();
    assert_eq!(shown, [(1, 1, Some(2)), (2, 1, None), (3, 2, Some(1)), (4, 3, Some(2))]);
    // One level more, and what is said of it.
    let nested = || {
        User::find(&db)
            .with(|u| u.orders.filter(|o| o.total.ge(10)).order_by(|o| o.id.desc()).with(|o| o.items))
    };
    let (first, orders) = nested().first().await.unwrap().unwrap();
    let shown: Vec<_> =
        orders.iter().map(|(order, items)| (order.id, ids(items, |item| item.price))).collect();
    assert_eq!((first.id, shown), (1, vec![(2, vec![20]), (1, vec![4, 6])]));
    let most = User::find(&db).with(|u| u.orders.order_by(|o| o.total.desc()).limit(1)).all().await.unwrap();
    let shown: Vec<_> = most.iter().flat_map(|(_, orders)| orders.iter().map(|order| order.total)).collect();
    assert_eq!(shown, [20, 30, 5]);
    // As many queries as there are relations, whatever the number of records.
    let queries = nested().explain().await.unwrap();
    let shown: Vec<_> = queries.iter().map(|one| (one.table.as_str(), one.access, one.rows)).collect();
    assert_eq!(shown, [("user", "scan", 4), ("order", "keys", 4), ("item", "keys", 4)]);
    for id in 10..200 {
        user(id).save(&db).background();
    }
    user(200).save(&db).await.unwrap();
    assert_eq!(nested().explain().await.unwrap().len(), 3);
    db.close().await.unwrap();
}

async fn what_comes_is_of_one_state(place: &Place) {
    let db = filled(place).await;
    let snapshot = db.snapshot().unwrap();
    delete::<Order>().run(&db).await.unwrap();
    let found = User::find(&snapshot).with(|u| u.orders.with(|o| o.items)).all().await.unwrap();
    assert_eq!(found.iter().map(|(_, orders)| orders.len()).sum::<usize>(), 4);
    let users = User::find(&snapshot).filter(|u| u.orders.exist()).count().await.unwrap();
    assert_eq!((users, User::find(&db).filter(|u| u.orders.exist()).count().await.unwrap()), (3, 0));
    db.close().await.unwrap();
}

async fn links_are_made_and_taken_away(place: &Place) {
    let db = filled(place).await;
    let one = User::get(&db, 1).await.unwrap().unwrap();
    let two = User::get(&db, 2).await.unwrap().unwrap();
    let tags = Tag::find(&db).order_by(|t| t.name.asc()).all().await.unwrap();
    let [a, b, c] = tags.as_slice() else { panic!("three tags") };
    assert_eq!(one.link_tags(&db, [a, b]).await.unwrap(), 2);
    assert_eq!(one.link_tags(&db, [b, c]).await.unwrap(), 1);
    assert_eq!(two.link_tags(&db, [c]).await.unwrap(), 1);
    let names = |user: &User| user.tags(&db).order_by(|t| t.name.asc()).scalars(|t| t.name);
    assert_eq!(names(&one).await.unwrap(), ["a", "b", "c"]);
    assert_eq!(one.unlink_tags(&db, [a, a]).await.unwrap(), 1);
    let before = db.stats().unwrap().commits;
    assert_eq!(one.set_tags(&db, [a, c]).await.unwrap(), 2);
    assert_eq!(db.stats().unwrap().commits, before + 1, "it is one commit");
    assert_eq!(names(&one).await.unwrap(), ["a", "c"]);
    assert_eq!(one.set_tags(&db, [a, c]).await.unwrap(), 0);
    assert_eq!(c.users(&db).count().await.unwrap(), 2);
    let users = User::find(&db).filter(|u| u.tags.any(|t| t.name.eq("a"))).all().await.unwrap();
    assert_eq!(ids(&users, |user| user.id), [1]);
    assert_eq!(User::find(&db).filter(|u| u.tags.none(|t| t.name.gt(""))).count().await.unwrap(), 2);
    let found = User::find(&db).with(|u| u.tags.with(|t| t.users)).limit(2).all().await.unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|(_, tags)| tags.iter().map(|(tag, users)| (tag.name.as_str(), users.len())).collect::<Vec<_>>())
        .collect();
    assert_eq!(shown, [vec![("a", 1), ("c", 2)], vec![("c", 2)]]);
    let nobody = Tag { name: "nobody".into() };
    assert_eq!(one.link_tags(&db, [&nobody]).await.unwrap_err().kind(), ErrorKind::NoParent);
    // In a session it is part of its commit.
    let session = db.session().unwrap();
    session.add(nobody.clone()).await.unwrap();
    assert_eq!(one.set_tags(&session, [&nobody]).await.unwrap(), 3);
    assert_eq!(names(&one).await.unwrap(), ["a", "c"]);
    session.commit().await.unwrap();
    assert_eq!(names(&one).await.unwrap(), ["nobody"]);
    // Links go with what they link.
    User::find_unique(&db, |u| u.id.eq(2)).await.unwrap();
    delete::<Tag>().run(&db).await.unwrap();
    assert_eq!(UserTag::count(&db).await.unwrap(), 0);
    db.close().await.unwrap();
}

async fn a_tree_leads_both_ways(place: &Place) {
    let db = open(place).await;
    let node = |id, parent_id| Node { id, parent_id };
    let nodes = [node(4, Some(2)), node(1, None), node(2, Some(1)), node(3, Some(1)), node(9, None)];
    Node::save_all(nodes, &db).await.unwrap();
    let found = Node::find(&db)
        .filter(|n| n.parent_id.is_null())
        .with(|n| n.children.order_by(|n| n.id.asc()).with(|n| (n.children, n.parent)))
        .first()
        .await
        .unwrap();
    let (root, children) = found.unwrap();
    let shown: Vec<_> = children
        .iter()
        .map(|(child, (children, parent))| {
            (child.id, ids(children, |child| child.id), parent.as_ref().map(|parent| parent.id))
        })
        .collect();
    assert_eq!((root.id, shown), (1, vec![(2, vec![4], Some(1)), (3, vec![], Some(1))]));
    let leaves = Node::find(&db).filter(|n| n.children.none(|n| n.id.gt(0))).all().await.unwrap();
    assert_eq!(ids(&leaves, |node| node.id), [3, 4, 9]);
    root.delete().await.unwrap();
    assert_eq!(Node::find(&db).scalars(|n| n.id).await.unwrap(), [9]);
    db.close().await.unwrap();
}

async fn filters_ask_lazy_tables(place: &Place) {
    let db = filled(place).await;
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    let db = place.database();
    db.table_lazy::<User>().unwrap();
    db.table_lazy::<Order>().unwrap();
    db.table_lazy::<Item>().unwrap();
    db.table_lazy::<Profile>().unwrap();
    db.table::<Tag>().unwrap();
    db.table::<UserTag>().unwrap();
    place.connect(&db).await.unwrap();
    let snapshot = db.snapshot().unwrap();
    let orders = Order::find(&db).filter(|o| o.user.has(|u| u.profile.has(|p| p.text.eq("three"))));
    assert_eq!(orders.scalars(|o| o.id).await.unwrap(), [4]);
    assert!(!db.is_loaded::<Order>().unwrap(), "one key was looked up");
    let found = User::find(&snapshot).filter(|u| u.id.eq(1)).with(|u| u.orders.with(|o| o.items)).first();
    let (_, orders) = found.await.unwrap().unwrap();
    assert_eq!(orders.iter().map(|(_, items)| items.len()).sum::<usize>(), 3);
    let changed =
        update::<Order>().filter(|o| o.items.any(|i| i.price.eq(30))).set(|o| o.total, |_| 1).run(&db);
    assert_eq!(changed.await.unwrap(), 1);
    db.close().await.unwrap();
}

async fn sessions_ask_other_tables(place: &Place) {
    let db = filled(place).await;
    let session = db.session().unwrap().serializable();
    session.add(user(5)).await.unwrap();
    session.add(order(5, 5, None, 99)).await.unwrap();
    let asked = User::find(&session).filter(|u| u.orders.any(|o| o.total.eq(99))).all().await.unwrap();
    assert_eq!(ids(&asked, |user| user.id), [5]);
    // What was asked of another table has changed.
    update::<Order>().filter(|o| o.id.eq(1)).set(|o| o.total, |_| 99).run(&db).await.unwrap();
    assert_eq!(session.commit().await.unwrap_err().kind(), ErrorKind::Conflict);
    let mut changes = Order::watch(&db).unwrap().filter(|o| o.user.has(|u| u.id.eq(1)));
    assert_eq!(changes.records().unwrap_err().kind(), ErrorKind::Invalid);
    db.close().await.unwrap();
}

#[derive(Debug, Clone, Table)]
#[table(has_many(entries = Entry.account_id))]
struct Account {
    #[table(key)]
    id: u64,
    /// How many entries there are: written in their commits.
    count: u64,
}

#[derive(Debug, Clone, Table)]
struct Entry {
    #[table(key, auto)]
    id: u64,
    #[table(references = Account, on_delete = cascade)]
    account_id: u64,
}

async fn what_comes_while_others_write_is_of_one_state(place: &Place) {
    let db = place.database();
    db.table::<Account>().unwrap();
    db.table::<Entry>().unwrap();
    place.connect(&db).await.unwrap();
    Account { id: 1, count: 0 }.save(&db).await.unwrap();
    let writing = tokio::spawn({
        let db = db.clone();
        async move {
            for _ in 0..100 {
                let session = db.session().unwrap();
                session.add(Entry { id: 0, account_id: 1 }).await.unwrap();
                update::<Account>().set(|a| a.count, |a| a.count + 1).run(&session).await.unwrap();
                session.commit().await.unwrap();
            }
        }
    });
    let mut reads = 0;
    while !writing.is_finished() {
        let (account, entries) = Account::find(&db).with(|a| a.entries).first().await.unwrap().unwrap();
        assert_eq!(account.count, entries.len() as u64, "read {reads}");
        reads += 1;
        if reads % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    writing.await.unwrap();
    assert!(reads > 100, "{reads} reads");
    db.close().await.unwrap();
}

/// Links whose key is a number: nothing but the look at what is linked already keeps them from being doubled.
#[derive(Debug, Clone, PartialEq, Table)]
#[table(many_to_many(badges = Badge, through = Award(person_id, badge_id)))]
struct Person {
    #[table(key)]
    id: u64,
}

#[derive(Debug, Clone, PartialEq, Table)]
struct Badge {
    #[table(key)]
    id: u64,
}

#[derive(Debug, Clone, PartialEq, Table)]
struct Award {
    #[table(key, auto)]
    id: u64,
    #[table(references = Person, on_delete = cascade)]
    person_id: u64,
    #[table(references = Badge, on_delete = cascade)]
    badge_id: u64,
    #[table(created_at)]
    at: Timestamp,
}

async fn links_made_at_once_are_made_once(place: &Place) {
    let db = place.database();
    db.table::<Person>().unwrap();
    db.table::<Badge>().unwrap();
    db.table::<Award>().unwrap();
    place.connect(&db).await.unwrap();
    let person = Person { id: 1 }.save(&db).await.unwrap().into_inner();
    let badges = Badge::save_all((1..=3).map(|id| Badge { id }), &db).await.unwrap();
    let linking = (0..4).map(|_| person.link_badges(&db, &badges));
    let made: u64 = try_join_all(linking).await.unwrap().into_iter().sum();
    assert_eq!((made, Award::count(&db).await.unwrap()), (3, 3));
    assert_eq!(person.badges(&db).count().await.unwrap(), 3);
    db.close().await.unwrap();
}

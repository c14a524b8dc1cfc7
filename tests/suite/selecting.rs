//! Some columns instead of whole records; distinct ones; conditions on what another query finds.

use discobase::aggregate::{count, max};
use discobase::{Column, ColumnEnum, Database, Embedded, ErrorKind, Projection, Table, delete, update, when};

use crate::support::Place;

crate::everywhere!(columns_are_selected_by_themselves, a_condition_can_be_on_what_another_query_finds);

crate::in_process!(
    projections_read_what_they_name,
    distinct_values_come_once_and_are_paged,
    only_the_columns_that_are_selected_are_decoded,
    a_query_inside_of_a_condition_may_be_on_enums,
    a_query_inside_of_a_condition_sees_the_same_state,
    updates_and_deletes_go_by_what_another_query_finds_at_the_commit,
    a_serializable_session_reads_what_its_conditions_read,
    lazy_tables_are_loaded_for_a_condition,
    a_query_where_none_can_be_is_refused,
);

#[derive(Debug, Clone, PartialEq, Embedded)]
struct Address {
    city: String,
    street: String,
}

mod as_text {
    pub(super) type Column = String;

    pub(super) fn to_column(value: &std::net::Ipv4Addr) -> String {
        value.to_string()
    }

    #[expect(clippy::needless_pass_by_value, reason = "a column's value is handed over")]
    pub(super) fn from_column(text: String) -> Result<std::net::Ipv4Addr, std::net::AddrParseError> {
        text.parse()
    }
}

#[derive(Debug, Clone, PartialEq, Table)]
struct Customer {
    #[table(key)]
    id: u64,
    #[table(rename = "display-name")]
    name: String,
    points: i64,
    team: Option<String>,
    #[table(json)]
    tags: Vec<String>,
    #[table(with = as_text)]
    host: std::net::Ipv4Addr,
    #[table(embed)]
    home: Address,
}

#[derive(Debug, Clone, PartialEq, Table)]
struct Order {
    #[table(key)]
    id: u64,
    #[table(index)]
    customer: Option<u64>,
    paid: bool,
    team: Option<String>,
}

#[derive(Debug, PartialEq, Projection)]
#[projection(table = Customer)]
struct Ranked {
    points: i64,
    #[projection(column = "name")]
    who: String,
    tags: Vec<String>,
    host: std::net::Ipv4Addr,
    #[projection(column = "home.city")]
    city: String,
}

fn customer(id: u64, name: &str, points: i64, team: Option<&str>) -> Customer {
    Customer {
        id,
        name: name.into(),
        points,
        team: team.map(Into::into),
        tags: vec![format!("tag {id}")],
        host: std::net::Ipv4Addr::new(10, 0, 0, id as u8),
        home: Address { city: format!("City {}", id % 2), street: "Street".into() },
    }
}

fn order(id: u64, customer: Option<u64>, paid: bool, team: Option<&str>) -> Order {
    Order { id, customer, paid, team: team.map(Into::into) }
}

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<Customer>().unwrap().table::<Order>().unwrap();
    place.connect(&db).await.unwrap();
    let customers = [
        customer(1, "Ada", 30, Some("red")),
        customer(2, "Ben", 20, Some("blue")),
        customer(3, "Cleo", 20, Some("red")),
        customer(4, "Dora", -5, None),
    ];
    Customer::save_all(customers, &db).await.unwrap();
    let orders = [
        order(1, Some(1), true, Some("red")),
        order(2, Some(1), false, None),
        order(3, Some(3), false, Some("blue")),
        order(4, None, false, Some("red")),
        order(5, Some(9), true, None),
    ];
    Order::save_all(orders, &db).await.unwrap();
    db
}

async fn names(find: discobase::Find<Customer>) -> String {
    find.select(|c| c.name).all().await.unwrap().join(" ")
}

async fn columns_are_selected_by_themselves(place: &Place) {
    let db = open(place).await;
    let find = || Customer::find(&db).order_by(|c| c.points.desc());
    assert_eq!(find().select(|c| c.name).all().await.unwrap(), ["Ada", "Ben", "Cleo", "Dora"]);
    let pairs =
        find().filter(|c| c.points.gt(0)).limit(2).select(|c| (c.points, c.name)).all().await.unwrap();
    assert_eq!(pairs, [(30, "Ada".to_owned()), (20, "Ben".to_owned())]);
    // The same column twice, in no order of the table's, through an embedded struct, and one that is kept as JSON.
    let mixed = find().offset(3).select(|c| (c.home.city, c.id, c.tags, c.id)).first().await.unwrap();
    assert_eq!(mixed, Some(("City 0".to_owned(), 4, vec!["tag 4".to_owned()], 4)));
    let hosts = find().limit(1).select(|c| c.host).first().await.unwrap().unwrap();
    assert_eq!(hosts.into_field().unwrap(), std::net::Ipv4Addr::new(10, 0, 0, 1));
    assert_eq!(find().filter(|c| c.id.eq(7)).select(|c| c.name).first().await.unwrap(), None);
    assert_eq!(find().select(|c| c.name).count().await.unwrap(), 4);
    let grouped =
        Customer::find(&db).group_by(|c| c.tags).aggregate(|c| (count(), max(c.team))).await.unwrap();
    assert_eq!(grouped[0], (vec!["tag 1".to_owned()], (1, Some("red".to_owned()))));
    db.close().await.unwrap();
}

async fn projections_read_what_they_name(place: &Place) {
    let db = open(place).await;
    let ranked =
        Customer::find(&db).order_by(|c| c.points.asc()).limit(1).select_as::<Ranked>().all().await.unwrap();
    let dora = Ranked {
        points: -5,
        who: "Dora".into(),
        tags: vec!["tag 4".into()],
        host: std::net::Ipv4Addr::new(10, 0, 0, 4),
        city: "City 0".into(),
    };
    assert_eq!(ranked, [dora]);
    assert_eq!(Customer::find(&db).select_as::<Ranked>().distinct().count().await.unwrap(), 4);
    db.close().await.unwrap();
}

async fn distinct_values_come_once_and_are_paged(place: &Place) {
    let db = open(place).await;
    let teams = || Customer::find(&db).order_by(|c| c.id.asc()).select(|c| c.team).distinct();
    let team = |name: &str| Some(name.to_owned());
    assert_eq!(teams().all().await.unwrap(), [team("red"), team("blue"), None]);
    assert_eq!(teams().count().await.unwrap(), 3);
    let page = Customer::find(&db).order_by(|c| c.id.asc()).offset(1).limit(1).select(|c| c.team).distinct();
    assert_eq!(page.clone().all().await.unwrap(), [team("blue")], "a page of what is distinct");
    assert_eq!(page.count().await.unwrap(), 1);
    let both = Customer::find(&db).select(|c| (c.points, c.home.city)).distinct();
    assert_eq!(both.count().await.unwrap(), 4);
    assert_eq!(Customer::find(&db).select(|c| c.points).distinct().count().await.unwrap(), 3);
    assert_eq!(Customer::find(&db).limit(0).select(|c| c.points).distinct().all().await.unwrap(), [0; 0]);
    db.close().await.unwrap();
}

mod unreadable {
    pub(super) type Column = String;

    pub(super) fn to_column(value: &u8) -> String {
        value.to_string()
    }

    #[expect(clippy::needless_pass_by_value, reason = "a column's value is handed over")]
    pub(super) fn from_column(text: String) -> Result<u8, String> {
        Err(format!("{text} was read"))
    }
}

#[derive(Debug, Table)]
struct Half {
    #[table(key)]
    id: u64,
    #[table(with = unreadable)]
    secret: u8,
    open: String,
}

async fn only_the_columns_that_are_selected_are_decoded(place: &Place) {
    let db = place.database();
    db.table::<Half>().unwrap();
    place.connect(&db).await.unwrap();
    Half { id: 1, secret: 7, open: "open".into() }.save(&db).await.unwrap();
    assert_eq!(Half::find(&db).all().await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(Half::find(&db).select(|h| (h.id, h.open)).all().await.unwrap(), [(1, "open".to_owned())]);
    db.close().await.unwrap();
}

async fn a_condition_can_be_on_what_another_query_finds(place: &Place) {
    let db = open(place).await;
    let unpaid = || Order::find(&db).filter(|o| o.paid.eq(false)).select(|o| o.customer);
    let find = || Customer::find(&db);
    assert_eq!(names(find().filter(|c| c.id.is_in(unpaid()))).await, "Ada Cleo");
    assert_eq!(
        names(find().filter(|c| c.id.not_in(unpaid()))).await,
        "Ben Dora",
        "a null among them takes nothing away"
    );
    assert_eq!(names(find().filter(|c| c.id.is_in(unpaid()).and(c.points.lt(30)))).await, "Cleo");
    assert_eq!(names(find().filter(|c| c.id.is_in(unpaid()) | c.name.eq("Ben"))).await, "Ada Ben Cleo");
    // The last order alone.
    let last = Order::find(&db).order_by(|o| o.id.desc()).limit(2).select(|o| o.customer);
    assert_eq!(names(find().filter(|c| c.id.is_in(last))).await, "");
    // Nothing is a value: it is among the teams of orders, so who has none is found.
    let teams = || Order::find(&db).filter(|o| o.paid.eq(false)).select(|o| o.team).distinct();
    assert_eq!(names(find().filter(|c| c.team.is_in(teams()))).await, "Ada Ben Cleo Dora");
    assert_eq!(names(find().filter(|c| c.team.not_in(["red"]))).await, "Ben Dora");
    assert_eq!(names(find().filter(|c| c.team.not_in([None, Some("red".to_owned())]))).await, "Ben");
    // A query inside of one inside of one.
    let teammates = Customer::find(&db).filter(|c| c.id.is_in(unpaid())).select(|c| c.team);
    let rich = Customer::find(&db).filter(|c| c.team.is_in(teammates)).select(|c| c.id);
    let orders = Order::find(&db).filter(|o| o.customer.is_in(rich));
    assert_eq!(orders.select(|o| o.id).all().await.unwrap(), [1, 2, 3]);
    // The index of the column serves it.
    let poor = Customer::find(&db).filter(|c| c.points.lt(25)).select(|c| c.id);
    let orders = Order::find(&db).filter(|o| o.customer.is_in(poor));
    assert_eq!(orders.clone().explain().unwrap().access, "keys");
    assert_eq!(orders.count().await.unwrap(), 1);
    assert!(find().filter(|c| c.id.is_in(unpaid())).exists().await.unwrap());
    assert_eq!(find().filter(|c| c.id.is_in(unpaid())).sum(|c| c.points).await.unwrap(), 50);
    db.close().await.unwrap();
}

#[derive(Debug, Clone, Copy, PartialEq, ColumnEnum)]
enum Size {
    Small,
    Medium,
    Large,
}

#[derive(Debug, Table)]
struct Shirt {
    #[table(key)]
    id: u64,
    #[table(index)]
    size: Size,
}

#[derive(Debug, Table)]
struct Wish {
    #[table(key)]
    id: u64,
    size: Size,
}

/// A variant is kept by its name and compared by its place.
async fn a_query_inside_of_a_condition_may_be_on_enums(place: &Place) {
    let db = place.database();
    db.table::<Shirt>().unwrap().table::<Wish>().unwrap();
    place.connect(&db).await.unwrap();
    let shirts = [(1, Size::Small), (2, Size::Medium), (3, Size::Large), (4, Size::Small)];
    Shirt::save_all(shirts.map(|(id, size)| Shirt { id, size }), &db).await.unwrap();
    Wish::save_all([Wish { id: 1, size: Size::Large }, Wish { id: 2, size: Size::Medium }], &db)
        .await
        .unwrap();
    let wished = || Wish::find(&db).select(|wish| wish.size);
    let find = || Shirt::find(&db);
    let ids = async |found: discobase::Find<Shirt>| found.select(|shirt| shirt.id).all().await.unwrap();
    assert_eq!(ids(find().filter(|shirt| shirt.size.is_in(wished()))).await, [2, 3]);
    assert_eq!(ids(find().filter(|shirt| shirt.size.not_in(wished()))).await, [1, 4]);
    let large = || Wish::find(&db).filter(|wish| wish.size.gt(Size::Medium)).select(|wish| wish.size);
    assert_eq!(ids(find().filter(|shirt| shirt.size.is_in(large()))).await, [3]);
    db.close().await.unwrap();
}

async fn a_query_inside_of_a_condition_sees_the_same_state(place: &Place) {
    let db = open(place).await;
    let before = db.snapshot().unwrap();
    let session = db.session().unwrap();
    session.add(order(6, Some(2), false, None)).await.unwrap();
    let unpaid = |db: &Database| Order::find(db).filter(|o| o.paid.eq(false)).select(|o| o.customer);
    // Begun with the database; evaluated where the outer query looks.
    assert_eq!(names(Customer::find(&session).filter(|c| c.id.is_in(unpaid(&db)))).await, "Ada Ben Cleo");
    assert_eq!(names(Customer::find(&db).filter(|c| c.id.is_in(unpaid(&db)))).await, "Ada Cleo");
    session.commit().await.unwrap();
    assert_eq!(names(Customer::find(&db).filter(|c| c.id.is_in(unpaid(&db)))).await, "Ada Ben Cleo");
    assert_eq!(names(Customer::find(&before).filter(|c| c.id.is_in(unpaid(&db)))).await, "Ada Cleo");
    db.close().await.unwrap();
}

async fn updates_and_deletes_go_by_what_another_query_finds_at_the_commit(place: &Place) {
    let db = open(place).await;
    let unpaid = || Order::find(&db).filter(|o| o.paid.eq(false)).select(|o| o.customer);
    let fined = update::<Customer>().filter(|c| c.id.is_in(unpaid())).set(|c| c.points, |c| c.points - 100);
    // Made before the order, run after it.
    order(6, Some(2), false, None).save(&db).await.unwrap();
    assert_eq!(fined.run(&db).await.unwrap(), 3);
    assert_eq!(names(Customer::find(&db).filter(|c| c.points.lt(-50))).await, "Ada Ben Cleo");
    let gone = delete::<Order>()
        .filter(|o| o.customer.not_in(Customer::find(&db).select(|c| c.id)).and(o.customer.is_not_null()));
    assert_eq!(gone.run(&db).await.unwrap(), 1, "the order of customer 9");
    let session = db.session().unwrap();
    session.add(order(7, Some(4), false, None)).await.unwrap();
    let again = update::<Customer>().filter(|c| c.id.is_in(unpaid())).set(|c| c.points, |_| 0);
    assert_eq!(again.run(&session).await.unwrap(), 4, "its own order counts");
    session.commit().await.unwrap();
    assert_eq!(Customer::find(&db).filter(|c| c.points.eq(0)).count().await.unwrap(), 4);
    db.close().await.unwrap();
}

async fn a_serializable_session_reads_what_its_conditions_read(place: &Place) {
    let db = open(place).await;
    let unpaid = || Order::find(&db).filter(|o| o.paid.eq(false)).select(|o| o.customer);
    for by_update in [false, true] {
        let session = db.session().unwrap().serializable();
        if by_update {
            let fined = update::<Customer>().filter(|c| c.id.is_in(unpaid())).set(|c| c.points, |_| 0);
            fined.run(&session).await.unwrap();
        } else {
            Customer::find(&session).filter(|c| c.id.is_in(unpaid())).all().await.unwrap();
            session.add(customer(50, "Eve", 1, None)).await.unwrap();
        }
        // The customers are as they were, and still another query would have found others.
        order(10 + u64::from(by_update), Some(2), false, None).save(&db).await.unwrap();
        assert_eq!(session.commit().await.unwrap_err().kind(), ErrorKind::Conflict, "by update: {by_update}");
    }
    db.close().await.unwrap();
}

async fn lazy_tables_are_loaded_for_a_condition(place: &Place) {
    let db = open(place).await;
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    let db = place.database();
    db.table_lazy::<Customer>().unwrap().table_lazy::<Order>().unwrap();
    place.connect(&db).await.unwrap();
    let unpaid = || Order::find(&db).filter(|o| o.paid.eq(false)).select(|o| o.customer);
    let teammates = || Customer::find(&db).filter(|c| c.id.is_in(unpaid())).select(|c| c.team);
    assert_eq!(names(Customer::find(&db).filter(|c| c.team.is_in(teammates()))).await, "Ada Cleo");
    let one = || Order::find(&db).filter(|o| o.id.eq(3)).select(|o| o.customer);
    assert_eq!(names(Customer::find(&db).filter(|c| c.id.is_in(one()))).await, "Cleo");
    let fined = update::<Customer>().filter(|c| c.id.is_in(unpaid())).set(|c| c.points, |_| 0);
    db.load::<Order>().await.unwrap();
    assert_eq!(fined.run(&db).await.unwrap(), 2);
    db.close().await.unwrap();
}

async fn a_query_where_none_can_be_is_refused(place: &Place) {
    let (db, other) = (open(place).await, place.database_named("another"));
    other.table::<Order>().unwrap();
    let foreign = || Order::find(&other).select(|o| o.customer);
    let error = Customer::find(&db).filter(|c| c.id.is_in(foreign())).all().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error.to_string().starts_with("a query inside of a condition is one of another database"),
        "{error}"
    );
    let error = delete::<Customer>().filter(|c| c.id.is_in(foreign())).run(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let unpaid = || Order::find(&db).select(|o| o.customer);
    let error = update::<Customer>()
        .set(|c| c.points, |c| when(c.id.is_in(unpaid()), 1).otherwise(2))
        .run(&db)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "a query can't be inside of `when`: put it into the filter of an update of its own (table customer)"
    );
    let mut watch = Customer::watch(&db).unwrap().filter(|c| c.id.is_in(unpaid()));
    assert_eq!(watch.records().unwrap_err().kind(), ErrorKind::Invalid);
    customer(9, "Eve", 0, None).save(&db).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap_err().kind(), ErrorKind::Invalid);
    let missing = Order::find(&db).filter(|o| o.customer.is_in(Unregistered::find(&db).select(|u| u.id)));
    let error = missing.all().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.place().table.as_deref()),
        (ErrorKind::UnknownTable, Some("unregistered"))
    );
    let _typed: Column<Customer, u64> = <Customer as discobase::Entity>::columns().id;
    db.close().await.unwrap();
}

#[derive(Debug, Table)]
struct Unregistered {
    #[table(key)]
    id: u64,
}

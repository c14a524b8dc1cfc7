//! Structs whose fields are columns of the table that embeds them.

use discobase::{Database, Embedded, Entity, ErrorKind, IndexKind, Table};
use serde::{Deserialize, Serialize};

use crate::support::Place;

#[derive(Debug, Clone, PartialEq, Embedded)]
#[table(validate = Address::check)]
struct Address {
    #[table(length(min = 1))]
    street: String,
    #[table(index, max_len = 30)]
    city: String,
    #[table(embed)]
    point: Point,
    #[table(json, default)]
    tags: Vec<Tag>,
}

impl Address {
    fn check(&self) -> Result<(), &'static str> {
        if self.street == self.city { Err("a street is no city") } else { Ok(()) }
    }
}

#[derive(Debug, Clone, PartialEq, Embedded)]
struct Point {
    #[table(range(-90.0..=90.0))]
    lat: f64,
    #[table(rename = "lng")]
    lon: f64,
    #[table(skip)]
    cached: bool,
}

/// An enum with data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Tag {
    Home,
    Named(String),
}

#[derive(Debug, Clone, PartialEq, Table)]
struct Customer {
    #[table(embed)]
    home: Address,
    #[table(key, auto)]
    id: u64,
    #[table(embed(prefix = "w-"))]
    work: Address,
    #[table(unique)]
    name: String,
}

fn address(city: &str, lat: f64) -> Address {
    let point = Point { lat, lon: -lat, cached: false };
    Address {
        street: "Main St".into(),
        city: city.into(),
        point,
        tags: vec![Tag::Home, Tag::Named(city.into())],
    }
}

fn customer(name: &str, home: &str, work: &str) -> Customer {
    Customer::builder().name(name).home(address(home, 1.0)).work(address(work, 2.0)).build()
}

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<Customer>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

#[test]
fn columns_of_embedded_structs_come_last() {
    let names: Vec<_> = Customer::SCHEMA.columns.iter().map(|column| column.name).collect();
    assert_eq!(
        names,
        [
            "id",
            "name",
            "home_street",
            "home_city",
            "home_tags",
            "home_point_lat",
            "home_point_lng",
            "w-street",
            "w-city",
            "w-tags",
            "w-point_lat",
            "w-point_lng",
        ]
    );
    let columns = Customer::columns();
    assert_eq!((columns.id.position(), columns.name.position()), (0, 1));
    assert_eq!((columns.home.city.position(), columns.home.city.name()), (3, "home_city"));
    assert_eq!((columns.work.point.lon.position(), columns.work.point.lon.name()), (11, "w-point_lng"));
    let indexes: Vec<_> =
        Customer::SCHEMA.indexes.iter().map(|index| (index.kind, index.columns, index.channel)).collect();
    assert_eq!(
        indexes,
        [
            (IndexKind::Key, &[0][..], "customer_id"),
            (IndexKind::Unique, &[1][..], "customer_name"),
            (IndexKind::Index, &[3][..], "customer_home_city"),
            (IndexKind::Index, &[8][..], "customer_w-city"),
        ]
    );
    assert_eq!(Customer::SCHEMA.columns[3].max_len, Some(30));
    assert!(Customer::SCHEMA.columns[4].has_default && Customer::default_value(4).is_some());
    assert!(Customer::default_value(9).is_some() && Customer::default_value(8).is_none());
}

crate::everywhere!(embedded_fields_are_columns, rules_name_the_path);

async fn embedded_fields_are_columns(place: &Place) {
    let db = open(place).await;
    let batch = [customer("a", "Rome", "Bern"), customer("b", "Bern", "Rome"), customer("c", "Rome", "Oslo")];
    let mut saved = Customer::save_all(batch, &db).await.unwrap();
    saved[1].work.point.lat = 50.5;
    saved[1].update().await.unwrap();
    db.close().await.unwrap();
    let db = open(place).await;
    let found = Customer::find(&db).all().await.unwrap();
    assert!(found.iter().map(|one| &**one).eq(saved.iter().map(|one| &**one)));
    let romans = Customer::find(&db).filter(|c| c.home.city.eq("Rome")).order_by(|c| c.work.city.desc());
    assert_eq!(romans.clone().explain().unwrap().index.as_deref(), Some("home_city"));
    let names: Vec<_> = romans.all().await.unwrap().iter().map(|one| one.name.clone()).collect();
    assert_eq!(names, ["c", "a"]);
    let north = Customer::find(&db).filter(|c| c.work.point.lat.gt(50.0) & c.work.city.starts_with("R"));
    assert_eq!(north.count().await.unwrap(), 1);
    db.close().await.unwrap();
}

async fn rules_name_the_path(place: &Place) {
    let db = open(place).await;
    let mut wrong = customer("a", "Rome", "Bern");
    wrong.work.point.lat = 91.0;
    wrong.home.street = "Rome".into();
    wrong.work.street = String::new();
    let error = wrong.save(&db).await.unwrap_err();
    let found: Vec<_> = error.violations().iter().map(|one| (one.field(), one.code())).collect();
    assert_eq!(found, [("home", "custom"), ("work.street", "length"), ("work.point.lat", "range")]);
    let error = customer("a", &"x".repeat(31), "Bern").save(&db).await.unwrap_err();
    assert_eq!((error.kind(), error.place().field.as_deref()), (ErrorKind::TooLong, Some("home_city")));
    db.close().await.unwrap();
}

//! Fields of types that are not discobase's own: through a module, and by feature.

use std::net::Ipv4Addr;

use discobase::{Database, Entity, ErrorKind, Table, now, update};
use twilight_model::util::Timestamp;

use crate::support::Place;

/// An address as the number it is.
mod as_number {
    use std::net::Ipv4Addr;

    pub(super) type Column = u32;

    pub(super) fn to_column(address: &Ipv4Addr) -> Column {
        (*address).into()
    }

    pub(super) fn from_column(number: Column) -> Result<Ipv4Addr, &'static str> {
        if number == 0 { Err("there is no host 0.0.0.0") } else { Ok(number.into()) }
    }
}

/// A path of words as one text, and none as null.
mod as_text {
    pub(super) type Column = Option<String>;

    pub(super) fn to_column(words: &[String]) -> Column {
        if words.is_empty() { None } else { Some(words.join("/")) }
    }

    pub(super) fn from_column(text: Column) -> Result<Vec<String>, std::convert::Infallible> {
        Ok(text.map(|text| text.split('/').map(str::to_owned).collect()).unwrap_or_default())
    }
}

#[derive(Debug, Clone, PartialEq, Table)]
struct Host {
    #[table(key, with = as_number)]
    address: Ipv4Addr,
    #[table(with = as_text, index, max_len = 18)]
    path: Vec<String>,
    #[table(with = as_number, default = Ipv4Addr::LOCALHOST)]
    gateway: Ipv4Addr,
}

#[derive(Debug, Clone, PartialEq, Table)]
struct Times {
    #[table(key)]
    id: u64,
    #[table(created_at)]
    created_at: chrono::DateTime<chrono::Utc>,
    #[table(updated_at)]
    updated_at: Option<time::OffsetDateTime>,
    #[table(soft_delete)]
    deleted_at: Option<jiff::Timestamp>,
    #[table(index, range(min = jiff::Timestamp::UNIX_EPOCH))]
    at: jiff::Timestamp,
    utc: Option<time::UtcDateTime>,
}

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<Host>().unwrap();
    db.table::<Times>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

fn host(last: u8, path: &[&str]) -> Host {
    Host::builder()
        .address(Ipv4Addr::new(10, 0, 0, last))
        .path(path.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        .build()
}

crate::everywhere!(
    converted_fields_are_compared_as_what_they_are,
    what_can_not_be_converted_back_is_told,
    times_of_all_crates_are_one_column_type,
    times_are_cut_to_microseconds,
);

async fn converted_fields_are_compared_as_what_they_are(place: &Place) {
    let db = open(place).await;
    Host::save_all([host(1, &["a", "b"]), host(2, &[]), host(3, &["a"])], &db).await.unwrap();
    let found = Host::get(&db, Ipv4Addr::new(10, 0, 0, 1)).await.unwrap().unwrap();
    assert_eq!((found.path.len(), found.gateway), (2, Ipv4Addr::LOCALHOST));
    let after = Host::find(&db).filter(|h| h.address.gt(Ipv4Addr::new(10, 0, 0, 1))).count().await.unwrap();
    assert_eq!(after, 2);
    let words = vec!["a".to_owned()];
    let find = Host::find(&db).filter(|h| h.path.eq(&words));
    assert_eq!(find.clone().first().await.unwrap().unwrap().address, Ipv4Addr::new(10, 0, 0, 3));
    assert!(find.explain().unwrap().index.as_deref() == Some("path"), "through the index");
    let error = host(4, &["far", "too", "long", "for", "it"]).save(&db).await.unwrap_err();
    assert_eq!((error.kind(), error.place().field.as_deref()), (ErrorKind::TooLong, Some("path")));
    let error = host(1, &[]).save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey);
    db.close().await.unwrap();
}

async fn what_can_not_be_converted_back_is_told(place: &Place) {
    let db = open(place).await;
    let zero = Host { gateway: Ipv4Addr::UNSPECIFIED, ..host(1, &[]) };
    zero.save(&db).await.unwrap();
    let error = Host::find(&db).all().await.unwrap_err();
    assert_eq!((error.kind(), error.place().field.as_deref()), (ErrorKind::Invalid, Some("gateway")));
    assert!(error.to_string().contains("there is no host 0.0.0.0"), "{error}");
    db.close().await.unwrap();
}

async fn times_of_all_crates_are_one_column_type(place: &Place) {
    let db = open(place).await;
    assert!(Times::SCHEMA.columns.iter().skip(1).all(|column| column.ty.name() == "timestamp"));
    let at: jiff::Timestamp = "1970-01-02T03:04:05.000006Z".parse().unwrap();
    let mut saved = Times::builder().id(1u64).at(at).save(&db).await.unwrap();
    assert_eq!(
        Some(saved.created_at.timestamp_micros()),
        saved.updated_at.map(|time| (time.unix_timestamp_nanos() / 1_000) as i64)
    );
    saved.utc = time::UtcDateTime::from_unix_timestamp(-1).ok();
    saved.update().await.unwrap();
    let found = Times::get(&db, 1).await.unwrap().unwrap();
    assert_eq!(*found, *saved);
    assert_eq!(Times::find(&db).filter(|t| t.at.between(at, at)).count().await.unwrap(), 1);
    let begin = jiff::Timestamp::now();
    let moved = update::<Times>()
        .set(|t| t.created_at, |_| now())
        .set(|t| t.updated_at, |_| now())
        .set(|t| t.at, |_| now())
        .set(|t| t.utc, |_| now())
        .returning(&db)
        .await
        .unwrap();
    // The clock of the commit has microseconds.
    assert!(moved[0].at.as_microsecond() >= begin.as_microsecond());
    let micros = i128::from(moved[0].at.as_microsecond());
    let others = [
        i128::from(moved[0].created_at.timestamp_micros()),
        moved[0].updated_at.unwrap().unix_timestamp_nanos() / 1_000,
        moved[0].utc.unwrap().unix_timestamp_nanos() / 1_000,
    ];
    assert_eq!(others, [micros; 3], "one moment");
    let found = Times::get(&db, 1).await.unwrap().unwrap();
    found.delete().await.unwrap();
    assert_eq!(Times::count(&db).await.unwrap(), 0);
    let old = Times::builder().id(2u64).at("1969-12-31T23:59:59Z".parse::<jiff::Timestamp>().unwrap());
    let error = old.save(&db).await.unwrap_err();
    assert_eq!((error.kind(), error.violations()[0].field()), (ErrorKind::Violated, "at"));
    db.close().await.unwrap();
}

async fn times_are_cut_to_microseconds(place: &Place) {
    let db = open(place).await;
    let at = jiff::Timestamp::from_nanosecond(1_999).unwrap();
    let before = chrono::DateTime::from_timestamp_nanos(-1);
    Times::builder().id(1u64).at(at).created_at(before).save(&db).await.unwrap();
    let found = Times::get(&db, 1).await.unwrap().unwrap();
    assert_eq!((found.at.as_nanosecond(), found.created_at.timestamp_micros()), (1_000, -1));
    // Far away, and still a number of microseconds: whether a crate can read it is its own matter.
    let far = chrono::DateTime::<chrono::Utc>::MIN_UTC;
    Times::builder().id(2u64).at(at).created_at(far).save(&db).await.unwrap();
    assert_eq!(Times::get(&db, 2).await.unwrap().unwrap().created_at, far);
    db.close().await.unwrap();
}

/// What the same table is to a program with other crates.
#[derive(Debug, Table)]
#[table(name = "times")]
struct OtherTimes {
    #[table(key)]
    id: u64,
    created_at: Timestamp,
    updated_at: Option<jiff::Timestamp>,
    deleted_at: Option<Timestamp>,
    #[table(index)]
    at: chrono::DateTime<chrono::Utc>,
    utc: Option<Timestamp>,
}

crate::in_process!(a_time_that_another_crate_can_not_hold_is_told);

async fn a_time_that_another_crate_can_not_hold_is_told(place: &Place) {
    let db = open(place).await;
    let far = chrono::DateTime::<chrono::Utc>::MIN_UTC;
    let at = jiff::Timestamp::UNIX_EPOCH;
    Times::builder().id(1u64).at(at).created_at(far).save(&db).await.unwrap();
    db.close().await.unwrap();
    let db = place.database();
    db.table::<OtherTimes>().unwrap();
    place.connect(&db).await.unwrap();
    let error = OtherTimes::get(&db, 1).await.unwrap_err();
    assert_eq!((error.kind(), error.place().field.as_deref()), (ErrorKind::Invalid, Some("created_at")));
    db.close().await.unwrap();
}

//! Queries: filters, order, pages, plans.

use discobase::{Database, ErrorKind, Table};
use twilight_model::util::Timestamp;

use crate::support::Place;
use crate::tables::{Everything, Level, User};

crate::everywhere!(
    filters_find_what_they_say,
    order_limit_and_offset_page_through,
    unique_is_strict_or_lenient,
    indexes_are_used_and_change_nothing,
    types_order_as_in_rust,
);

crate::in_process!(a_filter_of_many_parts_is_no_deeper_than_one_of_few,);

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<User>().unwrap().table::<Everything>().unwrap();
    place.connect(&db).await.unwrap();
    let users = [
        User::in_team(1, "Ada", 30, "red"),
        User::in_team(2, "Ben", 20, "blue"),
        User::in_team(3, "Cleo", 20, "red"),
        User::new(4, "Dora", -5),
        User::new(5, "Adam", 0),
    ];
    User::save_all(users, &db).await.unwrap();
    db
}

async fn names(find: discobase::Find<User>) -> String {
    let found = find.all().await.unwrap();
    found.iter().map(|user| user.name.clone()).collect::<Vec<_>>().join(" ")
}

async fn filters_find_what_they_say(place: &Place) {
    let db = open(place).await;
    let find = || User::find(&db);
    assert_eq!(names(find()).await, "Ada Ben Cleo Dora Adam");
    assert_eq!(names(find().filter(|u| u.points.eq(20))).await, "Ben Cleo");
    assert_eq!(names(find().filter(|u| u.points.ne(20))).await, "Ada Dora Adam");
    assert_eq!(names(find().filter(|u| u.points.lt(0))).await, "Dora");
    assert_eq!(names(find().filter(|u| u.points.le(0))).await, "Dora Adam");
    assert_eq!(names(find().filter(|u| u.points.gt(20))).await, "Ada");
    assert_eq!(names(find().filter(|u| u.points.ge(20))).await, "Ada Ben Cleo");
    assert_eq!(names(find().filter(|u| u.points.between(0, 20))).await, "Ben Cleo Adam");
    assert_eq!(names(find().filter(|u| u.points.between(20, 0))).await, "");
    assert_eq!(names(find().filter(|u| u.id.is_in([5, 1, 9, 1]))).await, "Ada Adam");
    assert_eq!(names(find().filter(|u| u.id.is_in(Vec::<u64>::new()))).await, "");
    assert_eq!(names(find().filter(|u| u.name.contains("d"))).await, "Ada Adam");
    assert_eq!(names(find().filter(|u| u.name.starts_with("Ad"))).await, "Ada Adam");
    assert_eq!(names(find().filter(|u| u.name.starts_with(""))).await, "Ada Ben Cleo Dora Adam");
    assert_eq!(names(find().filter(|u| u.team.is_null())).await, "Dora Adam");
    assert_eq!(names(find().filter(|u| u.team.is_not_null())).await, "Ada Ben Cleo");
    assert_eq!(names(find().filter(|u| u.team.eq("red"))).await, "Ada Cleo");
    assert_eq!(names(find().filter(|u| u.team.eq(None::<String>))).await, "Dora Adam");
    assert_eq!(names(find().filter(|u| u.team.lt("c"))).await, "Ben Dora Adam", "None is less than Some");
    assert_eq!(names(find().filter(|u| u.team.eq("red")).filter(|u| u.points.lt(30))).await, "Cleo");
    assert_eq!(names(find().filter(|u| u.team.eq("red") & u.points.lt(30))).await, "Cleo");
    assert_eq!(names(find().filter(|u| u.team.eq("blue").or(u.points.eq(0)))).await, "Ben Adam");
    assert_eq!(names(find().filter(|u| !(u.team.eq("red") | u.points.eq(0)))).await, "Ben Dora");
    assert_eq!(names(find().filter(|u| u.id.eq(77_u64))).await, "");
    db.close().await.unwrap();
}

async fn order_limit_and_offset_page_through(place: &Place) {
    let db = open(place).await;
    let by_points = || User::find(&db).order_by(|u| u.points.desc()).order_by(|u| u.name.asc());
    assert_eq!(names(by_points()).await, "Ada Ben Cleo Adam Dora");
    assert_eq!(names(by_points().limit(2)).await, "Ada Ben");
    assert_eq!(names(by_points().limit(2).offset(1)).await, "Ben Cleo");
    assert_eq!(names(by_points().offset(4)).await, "Dora");
    assert_eq!(names(by_points().offset(9)).await, "");
    assert_eq!(names(by_points().limit(0)).await, "");
    assert_eq!(names(User::find(&db).order_by(|u| u.team.asc())).await, "Dora Adam Ben Ada Cleo");
    assert_eq!(names(User::find(&db).limit(2).offset(1)).await, "Ben Cleo");
    assert_eq!(User::find(&db).filter(|u| u.points.ge(0)).count().await.unwrap(), 4);
    assert_eq!(User::find(&db).limit(3).count().await.unwrap(), 3);
    assert_eq!(User::find(&db).offset(4).count().await.unwrap(), 1);
    assert_eq!(by_points().first().await.unwrap().unwrap().name, "Ada");
    assert!(User::find(&db).filter(|u| u.points.gt(99)).first().await.unwrap().is_none());
    db.close().await.unwrap();
}

async fn unique_is_strict_or_lenient(place: &Place) {
    let db = open(place).await;
    assert_eq!(User::find_unique(&db, |u| u.name.eq("Ben")).await.unwrap().id, 2);
    let none = User::find_unique(&db, |u| u.name.eq("Zoe")).await.unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NotFound);
    let several = User::find_unique(&db, |u| u.points.eq(20)).await.unwrap_err();
    assert_eq!(several.kind(), ErrorKind::NotUnique);
    assert!(User::find_unique(&db, |u| u.name.eq("Zoe")).lenient().await.unwrap().is_none());
    assert_eq!(User::find_unique(&db, |u| u.points.eq(20)).lenient().await.unwrap().unwrap().name, "Ben");
    db.close().await.unwrap();
}

async fn indexes_are_used_and_change_nothing(place: &Place) {
    let db = open(place).await;
    let explain = |find: discobase::Find<User>| find.explain().unwrap();
    let by_key = explain(User::find(&db).filter(|u| u.id.eq(3_u64)));
    assert_eq!((by_key.access, by_key.index.as_deref(), by_key.rows), ("key", Some("id"), 1));
    let range = explain(User::find(&db).filter(|u| u.points.between(0, 20)));
    assert_eq!((range.access, range.index.as_deref(), range.rows), ("range", Some("points"), 3));
    let prefix = explain(User::find(&db).filter(|u| u.name.starts_with("Ad")));
    assert_eq!((prefix.access, prefix.index.as_deref(), prefix.rows), ("range", Some("name"), 2));
    let keys = explain(User::find(&db).filter(|u| u.id.is_in([1, 2, 9])));
    assert_eq!((keys.access, keys.rows), ("keys", 2));
    let scan = explain(User::find(&db).filter(|u| u.name.contains("a")));
    assert_eq!((scan.access, scan.index, scan.rows, scan.of), ("scan", None, 5, 5));
    // The unique name is the better way than the points.
    let both = explain(User::find(&db).filter(|u| u.points.ge(0) & u.name.eq("Ben")));
    assert_eq!((both.index.as_deref(), both.rows), (Some("name"), 1));
    let nothing = explain(User::find(&db).filter(|u| u.points.gt(5) & u.points.lt(5)));
    assert_eq!(nothing.rows, 0);
    assert_eq!(explain(User::find(&db)).to_string(), "scan of users: looks at 5 of 5 rows");
    db.close().await.unwrap();
}

async fn types_order_as_in_rust(place: &Place) {
    let db = open(place).await;
    let row = |key: &str, u64, f64, text: &str, level, time| Everything {
        u64,
        f64,
        text: text.into(),
        level,
        time: Timestamp::from_micros(time).unwrap(),
        ..Everything::ordinary(key)
    };
    let rows = [
        row("a", u64::MAX, f64::NAN, "\u{10ffff}", Level::High, 1),
        row("b", 0, f64::NEG_INFINITY, "", Level::Low, -1),
        row("c", u64::MAX - 1, -0.0, "a\0b", Level::Middle, 0),
        row("d", 1, 0.0, "a", Level::Low, i64::MIN / 1_000_000),
    ];
    Everything::save_all(rows, &db).await.unwrap();
    let keys = async |find: discobase::Find<Everything>| {
        find.all().await.unwrap().iter().map(|row| row.key.clone()).collect::<String>()
    };
    let find = || Everything::find(&db);
    assert_eq!(keys(find().order_by(|e| e.u64.asc())).await, "bdca");
    assert_eq!(keys(find().order_by(|e| e.f64.asc())).await, "bcda");
    assert_eq!(keys(find().order_by(|e| e.text.asc())).await, "bdca");
    assert_eq!(keys(find().order_by(|e| e.level.desc())).await, "acbd");
    assert_eq!(keys(find().order_by(|e| e.time.asc())).await, "dbca");
    assert_eq!(keys(find().filter(|e| e.f64.eq(f64::NAN))).await, "a", "NaN equals itself");
    assert_eq!(keys(find().filter(|e| e.level.ge(Level::Middle))).await, "ac");
    assert_eq!(keys(find().filter(|e| e.level.eq(Level::Low))).await, "bd");
    assert_eq!(keys(find().filter(|e| e.u64.gt(u64::MAX - 1))).await, "a");
    assert_eq!(keys(find().filter(|e| e.text.starts_with("a"))).await, "cd");
    db.close().await.unwrap();
}

async fn a_filter_of_many_parts_is_no_deeper_than_one_of_few(place: &Place) {
    let db = open(place).await;
    let any = |u: <User as discobase::Entity>::Columns| {
        (1..100_000_u64).fold(u.id.eq(0_u64), |any, id| any | u.id.eq(id))
    };
    let found = User::find(&db).filter(any).count().await.unwrap();
    assert_eq!(found, 5);
    let none = User::find(&db)
        .filter(|u| (2..100_000_u64).fold(u.id.eq(1_u64), |all, id| u.id.ne(id) & all))
        .all()
        .await
        .unwrap();
    assert_eq!(none.len(), 1);
    let not = User::find(&db).filter(|u| (0..100_000).fold(u.id.eq(1_u64), |one, _| !one)).count();
    assert_eq!(not.await.unwrap(), 1);
    db.close().await.unwrap();
}

//! Structs that differ from the tables they were registered as.

use discobase::{ErrorKind, Table};

use crate::support::Place;
use crate::tables::User;

crate::everywhere!(a_changed_struct_is_refused_field_by_field, the_order_of_fields_does_not_matter);

mod reordered {
    use discobase::Table;

    #[derive(Debug, Clone, PartialEq, Table)]
    #[table(name = "users")]
    pub(super) struct User {
        #[table(index)]
        pub(super) team: Option<String>,
        #[table(index)]
        pub(super) points: i64,
        #[table(unique, max_len = 100)]
        pub(super) name: String,
        #[table(key)]
        pub(super) id: u64,
    }
}

mod changed {
    use discobase::Table;

    #[derive(Debug, Clone, PartialEq, Table)]
    #[table(name = "users")]
    pub(super) struct User {
        #[table(key)]
        pub(super) id: u64,
        #[table(max_len = 50)]
        pub(super) name: Option<String>,
        #[table(index)]
        pub(super) points: i32,
        pub(super) nick: String,
    }
}

async fn a_changed_struct_is_refused_field_by_field(place: &Place) {
    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    let twin = db.table::<changed::User>().unwrap_err();
    assert_eq!(twin.kind(), ErrorKind::DuplicateTable);
    assert!(twin.to_string().contains("changed::User"), "{twin}");
    User::new(1, "a", 1).save(&db).await.unwrap();
    db.close().await.unwrap();

    let db = place.database();
    db.table::<changed::User>().unwrap();
    let error = place.connect(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged);
    let text = error.to_string();
    for difference in [
        "field name is text in the guild and Option of text in the struct",
        "field name has max_len 100 in the guild and max_len 50 in the struct",
        "field points is i64 in the guild and i32 in the struct",
        "field team is in the guild, not in the struct",
        "field nick is in the struct, not in the guild",
        "unique on name is in the guild, not in the struct",
        "index on team is in the guild, not in the struct",
    ] {
        assert!(text.contains(difference), "{difference:?} is not in {text:?}");
    }
    assert!(!text.contains("field id"), "{text}");

    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    assert_eq!(User::count(&db).await.unwrap(), 1, "the refused opening harmed nothing");
    db.close().await.unwrap();
}

async fn the_order_of_fields_does_not_matter(place: &Place) {
    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    User::in_team(1, "a", 5, "red").save(&db).await.unwrap();
    db.close().await.unwrap();

    let db = place.database();
    db.table::<reordered::User>().unwrap();
    place.connect(&db).await.unwrap();
    let mut found = reordered::User::get(&db, 1_u64).await.unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.points, found.team.as_deref()), ("a", 5, Some("red")));
    found.points = 6;
    found.update().await.unwrap();
    reordered::User { id: 2, name: "b".into(), points: 7, team: None }.save(&db).await.unwrap();
    let best = reordered::User::find(&db).filter(|u| u.points.gt(5)).order_by(|u| u.points.desc());
    let best: Vec<String> = best.all().await.unwrap().iter().map(|user| user.name.clone()).collect();
    assert_eq!(best, ["b", "a"]);
    db.close().await.unwrap();

    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    assert_eq!(*User::get(&db, 1_u64).await.unwrap().unwrap(), User::in_team(1, "a", 6, "red"));
    assert_eq!(*User::get(&db, 2_u64).await.unwrap().unwrap(), User::new(2, "b", 7));
    db.close().await.unwrap();
}

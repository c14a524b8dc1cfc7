//! Changes that need no step, changes of whole tables, and what does not go together.

use discobase::{ErrorKind, Step, Table};

use crate::migrations::version_one;
use crate::support::Place;

crate::everywhere!(additive_changes_need_no_step_where_they_are_allowed, tables_are_renamed_and_dropped,);

crate::in_process!(programs_and_databases_that_do_not_go_together);

/// Version 1 with more of everything.
mod wider {
    use discobase::Table;

    #[derive(Debug, Clone, PartialEq, Table)]
    #[table(name = "profiles")]
    pub(super) struct Profile {
        #[table(key)]
        pub(super) id: u64,
        #[table(max_len = 40)]
        pub(super) name: String,
        #[table(index)]
        pub(super) points: i64,
        #[table(index)]
        pub(super) legacy: Option<String>,
        #[table(default = 3)]
        pub(super) level: u8,
        pub(super) nick: Option<String>,
    }
}

/// Version 1 with a field that nothing is known of for the rows that are there.
mod demanding {
    use discobase::Table;

    #[derive(Debug, Clone, PartialEq, Table)]
    #[table(name = "profiles")]
    pub(super) struct Profile {
        #[table(key)]
        pub(super) id: u64,
        #[table(max_len = 20)]
        pub(super) name: String,
        #[table(index)]
        pub(super) points: i32,
        pub(super) mail: String,
    }
}

async fn additive_changes_need_no_step_where_they_are_allowed(place: &Place) {
    version_one(place, 2).await.close().await.unwrap();
    let db = place.database();
    db.table::<wider::Profile>().unwrap();
    let error = place.connect(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged);
    for part in [
        "field points is i32 in the guild and i64 in the struct",
        "Database::builder(…).additive_changes(true)",
        "Step::new(\"1.1.0\", \"say what it is for\")\n    .table(\"profiles\", |table| table\n",
        ".max_len(\"name\", 40)",
        ".retype::<i64>(\"points\")",
        ".add(\"level\", 3_u8)",
        ".add(\"nick\", None::<String>)",
        ".index([\"legacy\"])",
    ] {
        assert!(error.to_string().contains(part), "{part:?} is not in {error}");
    }

    let db = place.builder().additive_changes(true).build();
    db.table::<wider::Profile>().unwrap();
    place.connect(&db).await.unwrap();
    let first = wider::Profile::get(&db, 1_u64).await.unwrap().unwrap();
    assert_eq!((first.points, first.level, first.nick.as_deref()), (60, 3, None));
    assert_eq!(wider::Profile::find(&db).filter(|p| p.legacy.eq("x")).count().await.unwrap(), 2);
    db.close().await.unwrap();

    let db = place.builder().additive_changes(true).build();
    db.table::<demanding::Profile>().unwrap();
    let error = place.connect(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged);
    let text = error.to_string();
    assert!(!text.contains("additive_changes"), "it would not help: {text}");
    assert!(text.contains(".add(\"mail\", /* a String for the rows that are there */)"), "{text}");
    assert!(text.contains(".drop(\"nick\") // its values are lost"), "{text}");

    let db = place.builder().migrate_on_connect(false).build();
    db.table::<demanding::Profile>().unwrap();
    place.connect(&db).await.unwrap();
    let step = db.migrator().generate("2.0.0").unwrap().unwrap();
    assert!(step.starts_with("Step::new(\"2.0.0\", "), "{step}");
    assert_eq!(demanding::Profile::count(&db).await.unwrap_err().kind(), ErrorKind::SchemaChanged);
    db.close().await.unwrap();
}

/// A table that takes an old one's name.
#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "profiles")]
struct Fresh {
    #[table(key)]
    name: String,
}

#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "members")]
struct Member {
    #[table(key)]
    id: u64,
    #[table(max_len = 20)]
    name: String,
    #[table(index)]
    points: i32,
    legacy: Option<String>,
}

async fn tables_are_renamed_and_dropped(place: &Place) {
    version_one(place, 3).await.close().await.unwrap();
    let db = place.database();
    db.table::<Member>().unwrap();
    db.table::<Fresh>().unwrap();
    db.migrations([Step::new("2.0.0", "members").rename_table("profiles", "members")]).unwrap();
    place.connect(&db).await.unwrap();
    assert_eq!(Member::find(&db).filter(|m| m.points.ge(120)).count().await.unwrap(), 2);
    Fresh { name: "new".into() }.save(&db).await.unwrap();
    assert_eq!(Fresh::count(&db).await.unwrap(), 1, "the new table has channels of its own");
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();

    let db = place.database();
    db.table::<Fresh>().unwrap();
    let rename = Step::new("2.0.0", "members").rename_table("profiles", "members");
    db.migrations([rename, Step::new("3.0.0", "no members").drop_table("members")]).unwrap();
    place.connect(&db).await.unwrap();
    assert_eq!(Fresh::count(&db).await.unwrap(), 1);
    db.close().await.unwrap();

    let db = place.database();
    db.table::<Fresh>().unwrap();
    db.table::<Member>().unwrap();
    let rename = Step::new("2.0.0", "members").rename_table("profiles", "members");
    db.migrations([rename, Step::new("3.0.0", "no members").drop_table("members")]).unwrap();
    place.connect(&db).await.unwrap();
    assert_eq!((Fresh::count(&db).await.unwrap(), Member::count(&db).await.unwrap()), (1, 0));
    db.close().await.unwrap();
}

async fn programs_and_databases_that_do_not_go_together(place: &Place) {
    version_one(place, 1).await.close().await.unwrap();
    let add = |version: &str, column: &'static str| {
        Step::new(version, "more").table("profiles", move |table| table.add(column, None::<String>))
    };
    let migrated = |steps: Vec<Step>| {
        let db = place.database();
        db.migrations(steps).unwrap();
        async move { place.connect(&db).await.map(|()| db) }
    };
    migrated(vec![add("1.2.0", "a"), add("1.4.0", "b")]).await.unwrap().close().await.unwrap();
    for (steps, text) in [
        (vec![add("1.2.0", "a")], "was migrated to version 1.4.0 (more), and this program has no such step"),
        (
            vec![add("1.2.0", "c"), add("1.4.0", "b")],
            "step 1.2.0 (more) is not what it was when it was applied",
        ),
        (vec![add("1.2.0", "a"), add("1.3.0", "c"), add("1.4.0", "b")], "give it a version above 1.4.0"),
    ] {
        let error = migrated(steps).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Migration);
        assert!(error.to_string().contains(text), "{error}");
    }
    migrated(vec![add("1.2.0", "a"), add("1.4.0", "b"), add("1.5.0", "c")])
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
}

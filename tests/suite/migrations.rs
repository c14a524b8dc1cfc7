//! Steps that lead a database from one version of a program to the next.

use std::time::{Duration, SystemTime};

use discobase::{Database, ErrorKind, Step, Table};
use discobase_guild::{Action, Rule};

use crate::support::Place;

crate::everywhere!(
    steps_lead_from_version_to_version,
    a_new_database_needs_no_steps,
    a_step_that_fails_leaves_nothing_behind,
    additive_changes_need_no_step_where_they_are_allowed,
    tables_are_renamed_and_dropped,
    steps_are_reverted,
    a_trial_writes_nothing,
    a_backup_takes_everything_back,
);

crate::in_process!(
    programs_and_databases_that_do_not_go_together,
    what_was_migrated_is_kept_by_checkpoints,
    a_process_that_ends_between_steps_goes_on_where_it_was,
    a_lost_reply_does_not_apply_a_step_twice,
    a_follower_sees_what_a_step_did,
    a_step_gives_way_to_writers,
);

/// Version 1.
mod one {
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
        pub(super) legacy: Option<String>,
    }

    pub(super) fn profile(id: u64, points: i32) -> Profile {
        Profile { id, name: format!(" user {id} "), points, legacy: Some("x".into()) }
    }
}

/// Version 2: `points` is `score`, and wider; there are levels, and `legacy` is gone.
mod two {
    use discobase::Table;

    #[derive(Debug, Clone, PartialEq, Table)]
    #[table(name = "profiles")]
    pub(super) struct Profile {
        #[table(key)]
        pub(super) id: u64,
        #[table(unique, max_len = 30)]
        pub(super) name: String,
        #[table(index)]
        pub(super) score: i64,
        #[table(index, default = 1)]
        pub(super) level: u8,
    }
}

/// What version 1 lacks of version 2.
fn steps() -> [Step; 2] {
    let points = |row: &mut discobase::RowChange<'_>| {
        let score: i64 = row.get("score")?;
        row.set("level", u8::try_from(1 + score / 100).unwrap_or(u8::MAX))
    };
    [
        Step::new("1.10.0", "levels")
            .each("profiles", "a level for 100 points", points)
            .table("profiles", |table| table.drop("legacy")),
        Step::new("1.9.0", "scores")
            .table("profiles", |table| {
                table.rename("points", "score").retype::<i64>("score").add("level", 1_u8).index(["level"])
            })
            .each("profiles", "names without spaces", |row| {
                let name: String = row.get("name")?;
                row.set("name", name.trim().to_owned())
            })
            .table("profiles", |table| table.unique(["name"]).max_len("name", 30))
            .down(|step| {
                step.table("profiles", |table| {
                    table
                        .drop("level")
                        .drop_index(["name"])
                        .max_len("name", 20)
                        .retype::<i32>("score")
                        .rename("score", "points")
                })
            }),
    ]
}

async fn version_one(place: &Place, rows: u64) -> Database {
    let db = place.database();
    db.table::<one::Profile>().unwrap();
    place.connect(&db).await.unwrap();
    let rows = (1..=rows).map(|id| one::profile(id, i32::try_from(id).unwrap() * 60));
    one::Profile::save_all(rows, &db).await.unwrap();
    db
}

async fn version_two(place: &Place) -> discobase::Result<Database> {
    let db = place.database();
    db.table::<two::Profile>().unwrap();
    db.migrations(steps()).unwrap();
    place.connect(&db).await.map(|()| db)
}

async fn check_two(db: &Database) {
    let mut all = two::Profile::find(db).order_by(|p| p.id.asc()).all().await.unwrap();
    let found: Vec<_> = all.iter().map(|p| (p.name.as_str(), p.score, p.level)).collect();
    assert_eq!(found, [("user 1", 60, 1), ("user 2", 120, 2), ("user 3", 180, 2), ("user 4", 240, 3)]);
    let second = two::Profile::find(db).filter(|p| p.level.eq(2));
    assert_eq!(second.clone().count().await.unwrap(), 2);
    assert_eq!(second.explain().unwrap().index.as_deref(), Some("level"));
    let twin = two::Profile { id: 9, name: "user 1".into(), score: 0, level: 1 };
    assert_eq!(twin.save(db).await.unwrap_err().kind(), ErrorKind::UniqueViolated);
    all[0].score = i64::from(i32::MAX) + 60;
    all[0].update().await.unwrap();
    all[0].score = 60;
    all[0].update().await.unwrap();
}

async fn steps_lead_from_version_to_version(place: &Place) {
    version_one(place, 4).await.close().await.unwrap();
    let before = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let db = version_two(place).await.unwrap();
    check_two(&db).await;
    let status = db.migrator().status().unwrap();
    let names: Vec<_> = status.iter().map(|step| (step.version.as_str(), step.name.as_str())).collect();
    assert_eq!(names, [("1.9.0", "scores"), ("1.10.0", "levels")], "in the order of versions, not of texts");
    assert!(status.iter().all(|step| step.applied.is_some_and(|at| at > before)), "{status:?}");
    db.close().await.unwrap();

    let db = version_two(place).await.unwrap();
    check_two(&db).await;
    assert_eq!(db.migrator().status().unwrap(), status, "applied once");
    assert!(db.migrator().up().await.unwrap().is_empty());
    db.close().await.unwrap();
}

async fn a_new_database_needs_no_steps(place: &Place) {
    let db = version_two(place).await.unwrap();
    assert_eq!(two::Profile::count(&db).await.unwrap(), 0);
    let status = db.migrator().status().unwrap();
    assert_eq!(status.iter().filter(|step| step.applied.is_some()).count(), 2);
    db.close().await.unwrap();
    version_two(place).await.unwrap().close().await.unwrap();
}

async fn a_step_that_fails_leaves_nothing_behind(place: &Place) {
    version_one(place, 4).await.close().await.unwrap();
    let fine = || Step::new("1.1.0", "fine").table("profiles", |table| table.add("extra", 7_i64));
    let refusals: [(Step, ErrorKind, &str); 8] = [
        (
            Step::new("1.2.0", "panics").each("profiles", "nothing good", |_| panic!("no such luck")),
            ErrorKind::Migration,
            "the migration step 1.2.0 (panics) failed at change 1 (each row of profiles: nothing good), and the database \
             is as before: it panicked: no such luck",
        ),
        (
            Step::new("1.2.0", "clash")
                .each("profiles", "all the same", |row| row.set("name", "same".to_owned()))
                .table("profiles", |table| table.unique(["name"])),
            ErrorKind::UniqueViolated,
            "have the same values in index",
        ),
        (
            Step::new("1.2.0", "nulls").table("profiles", |table| table.required("legacy")).each(
                "profiles",
                "no legacy",
                |row| row.set("legacy", None::<String>),
            ),
            ErrorKind::Invalid,
            "it is null, and the column allows none",
        ),
        (
            Step::new("1.2.0", "short").table("profiles", |table| table.max_len("name", 3)),
            ErrorKind::Invalid,
            "it is longer than the column allows",
        ),
        (
            Step::new("1.2.0", "typo").table("profiles", |table| table.rename("pionts", "score")),
            ErrorKind::Migration,
            "the table has no such field (table profiles, field pionts)",
        ),
        (
            Step::new("1.2.0", "elsewhere").table("profile", |table| table.drop("name")),
            ErrorKind::Migration,
            "there is no such table (table profile)",
        ),
        (
            Step::new("1.2.0", "keyless").table("profiles", |table| table.drop("id")),
            ErrorKind::Migration,
            "a field of the key can't be dropped",
        ),
        (
            Step::new("1.2.0", "type").each("profiles", "wrong type", |row| row.set("points", 1_i64)),
            ErrorKind::Invalid,
            "the field is i32, and the value i64",
        ),
    ];
    for (step, kind, text) in refusals {
        let db = place.builder().migrate_on_connect(false).build();
        db.table::<one::Profile>().unwrap();
        db.migrations([fine(), step]).unwrap();
        place.connect(&db).await.unwrap();
        let tried = db.migrator().dry_run().await.unwrap();
        assert_eq!(tried.last().unwrap().rows.as_ref().unwrap_err().kind(), kind, "{tried:?}");
        let error = db.migrator().up().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(text), "{error}");
        let applied = db.migrator().status().unwrap().iter().filter(|step| step.applied.is_some()).count();
        assert_eq!(applied, 1, "the step before it stays");
        db.close().await.unwrap();
    }
    // What was refused left the table as the first step had made it.
    let db = place.builder().migrate_on_connect(false).build();
    db.table::<one::Profile>().unwrap();
    db.migrations([fine().down(|step| step.table("profiles", |table| table.drop("extra")))]).unwrap();
    place.connect(&db).await.unwrap();
    let error = one::Profile::count(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged);
    assert_eq!(db.migrator().down("1.0.0").await.unwrap(), ["1.1.0"]);
    let all = one::Profile::find(&db).order_by(|p| p.id.asc()).all().await.unwrap();
    let all: Vec<_> = all.into_iter().map(discobase::Record::into_inner).collect();
    assert_eq!(all, [1, 2, 3, 4].map(|id| one::profile(id, i32::try_from(id).unwrap() * 60)));
    db.close().await.unwrap();
}

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

async fn steps_are_reverted(place: &Place) {
    version_one(place, 4).await.close().await.unwrap();
    let db = place.database();
    let [levels, scores] = steps();
    db.table::<two::Profile>().unwrap();
    db.migrations([levels, scores]).unwrap();
    place.connect(&db).await.unwrap();
    let error = db.migrator().down("1.0.0").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Migration);
    assert!(error.to_string().contains("1.10.0 (levels) does not say how it is reverted"), "{error}");
    check_two(&db).await;
    db.close().await.unwrap();

    let place_for = |last: Step| {
        let db = place.builder().migrate_on_connect(false).build();
        db.table::<two::Profile>().unwrap();
        let [_, scores] = steps();
        db.migrations([last, scores]).unwrap();
        db
    };
    let [levels, _] = steps();
    let db =
        place_for(levels.down(|step| step.table("profiles", |table| table.add("legacy", None::<String>))));
    place.connect(&db).await.unwrap();
    assert_eq!(db.migrator().down("1.0.0").await.unwrap(), ["1.10.0", "1.9.0"], "the last one first");
    db.close().await.unwrap();
    let db = place.database();
    db.table::<one::Profile>().unwrap();
    place.connect(&db).await.unwrap();
    let first = one::Profile::get(&db, 1_u64).await.unwrap().unwrap();
    assert_eq!(
        (first.name.as_str(), first.points, first.legacy.as_deref()),
        ("user 1", 60, None),
        "what is lost is lost"
    );
    db.close().await.unwrap();
}

async fn a_trial_writes_nothing(place: &Place) {
    version_one(place, 4).await.close().await.unwrap();
    let db = place.builder().migrate_on_connect(false).build();
    db.table::<two::Profile>().unwrap();
    db.migrations(steps()).unwrap();
    place.connect(&db).await.unwrap();
    let before = db.frames().unwrap();
    let tried = db.migrator().dry_run().await.unwrap();
    let rows: Vec<u64> = tried.iter().map(|step| *step.rows.as_ref().unwrap()).collect();
    assert_eq!(rows, [4, 3], "all names; the levels of those with 100 points");
    assert_eq!(tried[0].changes[0], "table profiles: rename points to score");
    assert_eq!(db.frames().unwrap(), before);
    assert!(db.migrator().status().unwrap().iter().all(|step| step.applied.is_none()));
    let error = two::Profile::count(&db).await.unwrap_err();
    assert!(error.to_string().contains("db.migrator().up().await"), "{error}");
    assert_eq!(db.migrator().up().await.unwrap(), ["1.9.0", "1.10.0"]);
    check_two(&db).await;
    db.close().await.unwrap();
}

async fn a_backup_takes_everything_back(place: &Place) {
    let db = place.builder().migrate_on_connect(false).build();
    db.table::<one::Profile>().unwrap();
    db.table::<Leftover>().unwrap();
    let [levels, scores] = steps();
    let drop = Step::new("2.0.0", "less").drop_table("leftovers").each("profiles", "fewer", |row| {
        if row.get::<u64>("id")? == 3 {
            row.delete();
        }
        Ok(())
    });
    place.connect(&db).await.unwrap();
    one::Profile::save_all((1..=4).map(|id| one::profile(id, 60)), &db).await.unwrap();
    Leftover { name: "kept".into() }.save(&db).await.unwrap();
    let before = one::Profile::find(&db).order_by(|p| p.id.asc()).all().await.unwrap();
    let backup = db.backup().unwrap();
    assert_eq!(db.restore(&backup).await.unwrap(), 0, "nothing differs");

    db.migrations([levels, scores, drop]).unwrap();
    // The structs do not fit what the steps lead to; that is what a failed update looks like.
    let error = db.migrator().up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged, "{error}");
    assert_eq!(db.migrator().status().unwrap().iter().filter(|step| step.applied.is_some()).count(), 3);
    assert!(db.restore(&backup).await.unwrap() >= 4);
    let check = async |db: &Database| {
        let after = one::Profile::find(db).order_by(|p| p.id.asc()).all().await.unwrap();
        let values =
            |all: &[discobase::Record<one::Profile>]| all.iter().map(|p| (**p).clone()).collect::<Vec<_>>();
        assert_eq!(values(&after), values(&before));
        let kept = Leftover::find(db).all().await.unwrap();
        assert_eq!(kept.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["kept"]);
        assert_eq!(one::Profile::find(db).filter(|p| p.points.eq(60)).count().await.unwrap(), 4);
        assert!(db.migrator().status().unwrap().iter().all(|step| step.applied.is_none()));
    };
    check(&db).await;
    db.close().await.unwrap();

    let db = place.database();
    db.table::<one::Profile>().unwrap();
    db.table::<Leftover>().unwrap();
    place.connect(&db).await.unwrap();
    check(&db).await;

    // Rows that came, changed and went since.
    let backup = db.backup().unwrap();
    Leftover::save_all(["x", "y"].map(|name| Leftover { name: name.into() }), &db).await.unwrap();
    let mut first = one::Profile::get(&db, 1_u64).await.unwrap().unwrap();
    first.points = 7;
    first.update().await.unwrap();
    one::Profile::get(&db, 2_u64).await.unwrap().unwrap().delete().await.unwrap();
    assert_eq!(db.restore(&backup).await.unwrap(), 4, "two rows go, one changes, one comes back");
    check(&db).await;
    db.close().await.unwrap();
}

#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "leftovers")]
struct Leftover {
    #[table(key)]
    name: String,
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

async fn what_was_migrated_is_kept_by_checkpoints(place: &Place) {
    let db = version_one(place, 4).await;
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    let db = version_two(place).await.unwrap();
    check_two(&db).await;
    let status = db.migrator().status().unwrap();
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    let db = version_two(place).await.unwrap();
    check_two(&db).await;
    assert_eq!(db.migrator().status().unwrap(), status);
    // Segments behind a changed definition go on from it.
    two::Profile { id: 5, name: "user 5".into(), score: 1, level: 9 }.save(&db).await.unwrap();
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    let db = version_two(place).await.unwrap();
    assert_eq!(two::Profile::find(&db).filter(|p| p.level.gt(2)).count().await.unwrap(), 2);
    db.close().await.unwrap();
}

async fn a_process_that_ends_between_steps_goes_on_where_it_was(place: &Place) {
    version_one(place, 4).await.close().await.unwrap();
    let [levels, scores] = steps();
    let db = place.builder().migrate_on_connect(false).build();
    db.migrations([scores]).unwrap();
    place.connect(&db).await.unwrap();
    assert_eq!(db.migrator().up().await.unwrap(), ["1.9.0"]);
    drop((db, levels));
    let db = version_two(place).await.unwrap();
    check_two(&db).await;
    db.close().await.unwrap();
}

async fn a_lost_reply_does_not_apply_a_step_twice(place: &Place) {
    version_one(place, 4).await.close().await.unwrap();
    let db = place.builder().migrate_on_connect(false).build();
    db.table::<two::Profile>().unwrap();
    db.migrations(steps()).unwrap();
    place.connect(&db).await.unwrap();
    let lost = Rule::new(Action::LoseReply).on("POST", "/channels/{channel}/messages").times(2);
    place.local().faults().push(lost);
    db.migrator().up().await.unwrap();
    check_two(&db).await;
    db.close().await.unwrap();
    version_two(place).await.unwrap().close().await.unwrap();
}

async fn a_follower_sees_what_a_step_did(place: &Place) {
    let writer = version_one(place, 4).await;
    let follower = place.follower();
    follower.table::<one::Profile>().unwrap();
    place.connect(&follower).await.unwrap();
    writer
        .migrations([Step::new("1.1.0", "more").table("profiles", |table| table.add("mail", None::<String>))])
        .unwrap();
    let error = writer.migrator().up().await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::SchemaChanged,
        "the step was applied, and the struct lacks the column"
    );
    // The follower's program has no such step: that is how it is seen here.
    let seen = async {
        while follower.migrator().status().is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen).await.expect("the follower hears of it");
    // A column more harms nobody who does not know it.
    assert_eq!(one::Profile::count(&follower).await.unwrap(), 4);
    follower.close().await.unwrap();
    writer.close().await.unwrap();
}

async fn a_step_gives_way_to_writers(place: &Place) {
    let db = version_one(place, 4).await;
    let raise = |row: &mut discobase::RowChange<'_>| {
        let points: i32 = row.get("points")?;
        row.set("points", points + 1)
    };
    let mut first = one::Profile::get(&db, 1_u64).await.unwrap().unwrap();
    db.migrations([Step::new("1.1.0", "one more").each("profiles", "one point more", raise)]).unwrap();
    first.points = 1_000;
    let migrator = db.migrator();
    let (saved, migrated) = tokio::join!(first.update(), migrator.up());
    migrated.unwrap();
    let now = one::Profile::get(&db, 1_u64).await.unwrap().unwrap().points;
    match saved {
        Ok(()) => assert!([1_000, 1_001].contains(&now), "{now}"),
        Err(error) => assert_eq!((error.kind(), now), (ErrorKind::Conflict, 61)),
    }
    assert_eq!(one::Profile::get(&db, 2_u64).await.unwrap().unwrap().points, 121);
    db.close().await.unwrap();
}

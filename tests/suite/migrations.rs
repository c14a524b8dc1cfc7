//! Steps that lead a database from one version of a program to the next.

use std::time::{Duration, SystemTime};

use discobase::{Database, ErrorKind, Step, Table, TableChanges};

use crate::support::Place;

crate::everywhere!(
    steps_lead_from_version_to_version,
    a_new_database_needs_no_steps,
    rows_from_before_a_column_have_what_the_step_says,
    a_step_that_fails_leaves_nothing_behind,
    structs_say_what_they_were_called,
    steps_are_reverted,
    a_trial_writes_nothing,
    a_step_is_one_commit,
    all_steps_are_reverted_or_none_is,
    rows_are_added_and_columns_become_optional,
);

/// Version 1.
pub(crate) mod one {
    use discobase::Table;

    #[derive(Debug, Clone, PartialEq, Table)]
    #[table(name = "profiles")]
    pub(crate) struct Profile {
        #[table(key)]
        pub(crate) id: u64,
        #[table(max_len = 20)]
        pub(crate) name: String,
        #[table(index)]
        pub(crate) points: i32,
        pub(crate) legacy: Option<String>,
    }

    pub(crate) fn profile(id: u64, points: i32) -> Profile {
        Profile { id, name: format!(" user {id} "), points, legacy: Some("x".into()) }
    }
}

/// Version 2: `points` is `score`, and wider; there are levels, and `legacy` is gone.
pub(crate) mod two {
    use discobase::Table;

    #[derive(Debug, Clone, PartialEq, Table)]
    #[table(name = "profiles")]
    pub(crate) struct Profile {
        #[table(key)]
        pub(crate) id: u64,
        #[table(unique, max_len = 30)]
        pub(crate) name: String,
        #[table(index)]
        pub(crate) score: i64,
        #[table(index, default = 1)]
        pub(crate) level: u8,
    }
}

/// What version 1 lacks of version 2.
pub(crate) fn steps() -> [Step; 2] {
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

pub(crate) async fn version_one(place: &Place, rows: u64) -> Database {
    let db = place.database();
    db.table::<one::Profile>().unwrap();
    place.connect(&db).await.unwrap();
    let rows = (1..=rows).map(|id| one::profile(id, i32::try_from(id).unwrap() * 60));
    one::Profile::save_all(rows, &db).await.unwrap();
    db
}

pub(crate) async fn version_two(place: &Place) -> discobase::Result<Database> {
    let db = place.database();
    db.table::<two::Profile>().unwrap();
    db.migrations(steps()).unwrap();
    place.connect(&db).await.map(|()| db)
}

pub(crate) async fn check_two(db: &Database) {
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

/// What the struct says is for the records that it makes.
async fn rows_from_before_a_column_have_what_the_step_says(place: &Place) {
    version_one(place, 2).await.close().await.unwrap();
    let sevens = |table: TableChanges| {
        let table = table.drop("legacy").rename("points", "score").retype::<i64>("score");
        table.add("level", 7_u8).index(["level"]).unique(["name"]).max_len("name", 30)
    };
    let open = async || {
        let db = place.database();
        db.table::<two::Profile>().unwrap();
        db.migrations([Step::new("2.0.0", "level 7").table("profiles", sevens)]).unwrap();
        place.connect(&db).await.unwrap();
        db
    };
    let levels = async |db: &Database| {
        let found = two::Profile::find(db).filter(|p| p.level.eq(7)).order_by(|p| p.id.asc()).all();
        found.await.unwrap().iter().map(|profile| (profile.id, profile.level)).collect::<Vec<_>>()
    };
    let db = open().await;
    assert_eq!(levels(&db).await, [(1, 7), (2, 7)]);
    let mut first = two::Profile::get(&db, 1).await.unwrap().unwrap();
    first.score += 1;
    first.update().await.unwrap();
    assert_eq!(levels(&db).await, [(1, 7), (2, 7)], "who writes another field writes no other level");
    db.close().await.unwrap();
    let db = open().await;
    assert_eq!(levels(&db).await, [(1, 7), (2, 7)]);
    db.close().await.unwrap();
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

/// What a step does and the record that it was done: a reader who sees one sees the other.
async fn a_step_is_one_commit(place: &Place) {
    version_one(place, 4).await.close().await.unwrap();
    let db = place.builder().migrate_on_connect(false).build();
    db.table::<two::Profile>().unwrap();
    db.migrations(steps()).unwrap();
    place.connect(&db).await.unwrap();
    let (frames, seq) = (db.frames().unwrap(), db.snapshot().unwrap().seq());
    assert_eq!(db.migrator().up().await.unwrap().len(), 2);
    assert_eq!(db.snapshot().unwrap().seq().get() - seq.get(), 2, "two steps, two commits");
    assert_eq!(db.frames().unwrap() - frames, 2);
    db.close().await.unwrap();
}

/// Version 1 with a name that may be missing, and a legacy that may not.
mod relaxed {
    use discobase::Table;

    #[derive(Debug, Clone, PartialEq, Table)]
    #[table(name = "profiles")]
    pub(crate) struct Profile {
        #[table(key)]
        pub(crate) id: u64,
        #[table(max_len = 20)]
        pub(crate) name: Option<String>,
        #[table(index)]
        pub(crate) points: i32,
        pub(crate) legacy: String,
    }
}

async fn rows_are_added_and_columns_become_optional(place: &Place) {
    version_one(place, 2).await.close().await.unwrap();
    let guests = || {
        Step::new("1.1.0", "guests")
            .insert("profiles", "a guest", |row| {
                row.set("id", 100_u64)?;
                row.set("points", 7_i32)?;
                row.set("name", "guest".to_owned())?;
                row.set("legacy", Some("y".to_owned()))
            })
            .table("profiles", |table| table.nullable("name").required("legacy"))
            .each("profiles", "guests have no name", |row| {
                if row.get::<u64>("id")? >= 100 {
                    row.set("name", None::<String>)?;
                }
                Ok(())
            })
    };
    let db = place.database();
    db.table::<relaxed::Profile>().unwrap();
    db.migrations([guests()]).unwrap();
    place.connect(&db).await.unwrap();
    let all = relaxed::Profile::find(&db).order_by(|p| p.id.asc()).all().await.unwrap();
    let found: Vec<_> = all.iter().map(|p| (p.id, p.name.as_deref(), p.points, p.legacy.as_str())).collect();
    assert_eq!(found, [(1, Some(" user 1 "), 60, "x"), (2, Some(" user 2 "), 120, "x"), (100, None, 7, "y")]);
    db.close().await.unwrap();

    // A key stays what it is, and two rows can't have one.
    let add = |id: u64| {
        Step::new("1.2.0", "again").insert("profiles", "a twin", move |row| {
            row.set("id", id)?;
            row.set("points", 0_i32)?;
            row.set("legacy", String::new())
        })
    };
    let rekey = Step::new("1.2.0", "other keys").each("profiles", "other keys", |row| row.set("id", 5_u64));
    for (step, kind) in [(add(100), ErrorKind::DuplicateKey), (rekey, ErrorKind::KeyChanged)] {
        let db = place.builder().migrate_on_connect(false).build();
        db.migrations([guests(), step]).unwrap();
        place.connect(&db).await.unwrap();
        let error = db.migrator().up().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        db.close().await.unwrap();
    }
}

async fn all_steps_are_reverted_or_none_is(place: &Place) {
    version_one(place, 1).await.close().await.unwrap();
    let add = |version: &str, column: &'static str| {
        Step::new(version, "more").table("profiles", move |table| table.add(column, None::<String>))
    };
    let last = add("1.2.0", "b").down(|step| step.table("profiles", |table| table.drop("b")));
    let db = place.database();
    db.migrations([add("1.1.0", "a"), last]).unwrap();
    place.connect(&db).await.unwrap();
    let frames = db.frames().unwrap();
    let error = db.migrator().down("1.0.0").await.unwrap_err();
    assert!(error.to_string().contains("1.1.0 (more) does not say how it is reverted"), "{error}");
    assert_eq!(db.frames().unwrap(), frames, "nor is the one that says it");
    assert_eq!(db.migrator().down("1.1.0").await.unwrap(), ["1.2.0"]);
    db.close().await.unwrap();
}

mod renamed {
    use discobase::Table;

    /// Version 1 under another name, with a field that has another name and is wider.
    #[derive(Debug, Clone, PartialEq, Table)]
    #[table(renamed_from = "profiles")]
    pub(super) struct Player {
        #[table(key)]
        pub(super) id: u64,
        #[table(max_len = 20)]
        pub(super) name: String,
        #[table(index, renamed_from = "points")]
        pub(super) score: i64,
        pub(super) legacy: Option<String>,
    }
}

async fn structs_say_what_they_were_called(place: &Place) {
    version_one(place, 3).await.close().await.unwrap();
    let open = |additive| {
        let db = place.builder().additive_changes(additive).build();
        db.table::<renamed::Player>().unwrap();
        db
    };
    let error = place.connect(&open(false)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged);
    let step = ".rename_table(\"profiles\", \"player\")\n    .table(\"player\", |table| table\n        \
                .rename(\"points\", \"score\")\n        .retype::<i64>(\"score\"))";
    assert!(error.to_string().contains(step), "{error}");
    assert!(error.to_string().contains("points in the guild is called score in the struct"), "{error}");
    let db = open(true);
    place.connect(&db).await.unwrap();
    assert_eq!(renamed::Player::count(&db).await.unwrap(), 3);
    let found = renamed::Player::find(&db).filter(|p| p.score.ge(0)).explain().unwrap();
    assert_eq!(found.index.as_deref(), Some("score"));
    db.close().await.unwrap();
    // From then on the attribute says nothing any more.
    let db = open(false);
    place.connect(&db).await.unwrap();
    assert_eq!(renamed::Player::count(&db).await.unwrap(), 3);
    assert!(db.verify().await.unwrap().is_clean());
    db.close().await.unwrap();
}

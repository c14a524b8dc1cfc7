//! Updates and deletes by a condition, and the expressions they are made with.
#![expect(clippy::eq_op, clippy::identity_op, reason = "what is written there is worked out by the database")]

use discobase::{Change, Database, ErrorKind, Table, Watched, delete, now, update, when};
use twilight_model::util::Timestamp;

use crate::support::Place;
use crate::tables::{Everything, Level, User};

crate::everywhere!(
    an_update_by_a_condition_says_how_many_it_changed,
    all_values_are_worked_out_from_what_the_row_was,
    increments_at_once_lose_nothing_and_share_frames,
    numbers_that_do_not_fit_are_errors_and_nothing_is_written,
    what_is_calculated_with_null_is_null,
    texts_are_changed_as_rust_does_it,
    every_type_can_be_assigned,
    a_case_takes_the_first_condition_that_holds_and_evaluates_no_other,
    keys_and_unique_values_are_kept,
    unique_values_count_only_in_the_end,
    records_are_deleted_by_a_condition,
    what_changes_nothing_sends_nothing,
    an_update_without_a_condition_is_one_commit_of_all_rows,
);

crate::in_process!(an_update_that_changes_nothing_waits_for_what_is_in_flight, what_fits_no_frame_is_refused);

pub(crate) async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<User>().unwrap().table::<Everything>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn user(db: &Database, id: u64) -> User {
    User::get(db, id).await.unwrap().unwrap().into_inner()
}

async fn three(db: &Database) {
    let users = [User::new(1, "Peter", 3), User::in_team(2, "Ada", 5, "red"), User::new(3, "Grace", 8)];
    User::save_all(users, db).await.unwrap();
}

async fn an_update_by_a_condition_says_how_many_it_changed(place: &Place) {
    let db = open(place).await;
    three(&db).await;
    let rows = update::<User>().filter(|u| u.points.ge(5)).set(|u| u.points, |u| u.points + 5).run(&db).await;
    assert_eq!(rows.unwrap(), 2);
    assert_eq!(User::find(&db).scalars(|u| u.points).await.unwrap(), [3, 10, 13]);
    let none = update::<User>().filter(|u| u.id.eq(99)).set(|u| u.points, |_| 0).run(&db).await;
    assert_eq!(none.unwrap(), 0);

    let returned =
        update::<User>().filter(|u| u.id.lt(3)).set(|u| u.points, |u| -u.points).returning(&db).await;
    let mut returned = returned.unwrap();
    assert_eq!(returned.iter().map(|user| user.points).collect::<Vec<_>>(), [-3, -10]);
    // What is returned are records like any other.
    assert_eq!(returned[0], User::get(&db, 1_u64).await.unwrap().unwrap());
    returned[0].points = 1;
    returned[0].update().await.unwrap();
    db.close().await.unwrap();

    let db = open(place).await;
    assert_eq!(User::find(&db).scalars(|u| u.points).await.unwrap(), [1, -10, 13]);
    assert_eq!(User::find(&db).filter(|u| u.points.eq(13)).count().await.unwrap(), 1, "the index has it");
    db.close().await.unwrap();
}

async fn all_values_are_worked_out_from_what_the_row_was(place: &Place) {
    let db = open(place).await;
    let mut row = Everything::ordinary("a");
    (row.i32, row.i16) = (10, 3);
    row.save(&db).await.unwrap();
    let swapped = update::<Everything>()
        .set(|e| e.i32, |e| e.i16.cast::<i32>())
        .set(|e| e.i16, |e| e.i32.cast())
        .set(|e| e.i64, |_| 1)
        .set(|e| e.i64, |e| (e.i32 * 100 + e.i16.cast::<i32>()).cast())
        .returning(&db)
        .await
        .unwrap();
    assert_eq!((swapped[0].i32, swapped[0].i16, swapped[0].i64), (3, 10, 1003));
    db.close().await.unwrap();
}

async fn increments_at_once_lose_nothing_and_share_frames(place: &Place) {
    let db = open(place).await;
    User::new(1, "counter", 0).save(&db).await.unwrap();
    let frames = db.frames().unwrap();
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                update::<User>().filter(|u| u.id.eq(1)).set(|u| u.points, |u| u.points + 1).run(&db).await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), 1);
    }
    assert_eq!(user(&db, 1).await.points, 1_000);
    assert!(db.frames().unwrap() - frames < 100, "{} frames", db.frames().unwrap() - frames);
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(user(&db, 1).await.points, 1_000);
    db.close().await.unwrap();
}

async fn numbers_that_do_not_fit_are_errors_and_nothing_is_written(place: &Place) {
    let db = open(place).await;
    three(&db).await;
    let mut row = Everything::ordinary("a");
    (row.i64, row.u8, row.u64, row.f64, row.f32) = (i64::MAX, 250, u64::MAX, f64::MAX, f32::MAX);
    row.clone().save(&db).await.unwrap();
    let frames = db.frames().unwrap();
    let everything = update::<Everything>;
    let refused = [
        ("i64", everything().set(|e| e.i64, |e| e.i64 + 1)),
        ("u8", everything().set(|e| e.u8, |e| e.u8 + 6)),
        ("u8", everything().set(|e| e.u8, |e| e.u8 - 251)),
        ("u64", everything().set(|e| e.u64, |e| e.u64 * 2)),
        ("u64", everything().set(|e| e.u64, |e| e.i8.cast())),
        ("f64", everything().set(|e| e.f64, |e| e.f64 * 2.0)),
        ("f32", everything().set(|e| e.f32, |e| e.f32 + e.f32)),
        ("i32", everything().set(|e| e.i32, |e| e.i32 / 0)),
        ("i32", everything().set(|e| e.i32, |e| e.i32 % 0)),
        ("f64", everything().set(|e| e.f64, |e| e.f64 / 0.0)),
        ("option", everything().set(|e| e.option, |e| e.option * i32::MAX)),
        // What comes before it in the same statement is not written either.
        ("i8", everything().set(|e| e.i32, |_| 1).set(|e| e.i8, |e| e.i8 - 100 - 100)),
    ];
    for (field, statement) in refused {
        let error = statement.run(&db).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Arithmetic, "{field}: {error}");
        let place = error.place();
        assert_eq!(place.table.as_deref(), Some("everything"));
        assert_eq!((place.field.as_deref(), place.key.as_deref()), (Some(field), Some("\"a\"")), "{error}");
    }
    // One row of three is beyond: the other two are not changed either.
    let error = update::<User>().set(|u| u.points, |u| u.points / (u.points - 8)).run(&db).await.unwrap_err();
    assert_eq!((error.kind(), error.place().key.as_deref()), (ErrorKind::Arithmetic, Some("3")), "{error}");
    assert_eq!(User::find(&db).scalars(|u| u.points).await.unwrap(), [3, 5, 8]);
    assert_eq!(Everything::get(&db, "a").await.unwrap().unwrap().into_inner(), row);
    assert_eq!(db.frames().unwrap(), frames, "nothing was sent");

    // What is beyond the type only on the way is no error.
    let fits = everything()
        .set(|e| e.i64, |e| e.i64 * 4 / 8)
        .set(|e| e.u8, |e| e.u8 - 251 + 1)
        .set(|e| e.i32, |e| e.i32 % -2);
    let fits = fits.returning(&db).await.unwrap();
    assert_eq!((fits[0].i64, fits[0].u8, fits[0].i32), (i64::MAX / 2, 0, -1));
    db.close().await.unwrap();
}

async fn what_is_calculated_with_null_is_null(place: &Place) {
    let db = open(place).await;
    for (key, option) in [("none", None), ("some", Some(7))] {
        Everything { option, ..Everything::ordinary(key) }.save(&db).await.unwrap();
    }
    let options = async |statement: discobase::UpdateWhere<Everything>| {
        let rows = statement.returning(&db).await.unwrap();
        rows.iter().map(|row| row.option).collect::<Vec<_>>()
    };
    let set = |value: fn(
        <Everything as discobase::Entity>::Columns,
    ) -> discobase::Expression<Everything, Option<i32>>| {
        update::<Everything>().set(|e| e.option, value)
    };
    assert_eq!(options(set(|e| e.option + 1)).await, [None, Some(8)]);
    assert_eq!(options(set(|e| (-e.option).max(3))).await, [None, Some(3)]);
    // Nothing is divided where there is nothing.
    assert_eq!(options(set(|e| e.option / 0).filter(|e| e.key.eq("none"))).await, [None]);
    db.close().await.unwrap();
}

async fn texts_are_changed_as_rust_does_it(place: &Place) {
    let db = open(place).await;
    User::in_team(1, "  Größe 😀 ", 0, "red").save(&db).await.unwrap();
    User::new(2, "Ada", 0).save(&db).await.unwrap();
    let names = async |statement: discobase::UpdateWhere<User>| {
        let rows = statement.filter(|u| u.id.eq(1)).returning(&db).await.unwrap();
        rows.first().map(|row| row.name.clone()).unwrap_or_default()
    };
    assert_eq!(names(update::<User>().set(|u| u.name, |u| u.name.trim())).await, "Größe 😀");
    assert_eq!(names(update::<User>().set(|u| u.name, |u| u.name.upper())).await, "GRÖSSE 😀");
    assert_eq!(names(update::<User>().set(|u| u.name, |u| u.name.lower())).await, "grösse 😀");
    assert_eq!(
        names(update::<User>().set(|u| u.name, |u| u.name.replace("ö", "oe").substr(1, 4))).await,
        "roes"
    );
    assert_eq!(names(update::<User>().set(|u| u.name, |u| u.name + "-" + u.name)).await, "roes-roes");
    let counted = update::<User>().set(|u| u.points, |u| u.name.length()).returning(&db).await.unwrap();
    assert_eq!(counted.iter().map(|user| user.points).collect::<Vec<_>>(), [9, 3]);
    // A text without a value makes the whole none, unless something stands in for it.
    update::<User>().set(|u| u.team, |u| u.team + "!").run(&db).await.unwrap();
    let teams = User::find(&db).scalars(|u| u.team).await.unwrap();
    assert_eq!(teams, [Some("red!".to_owned()), None]);
    update::<User>().set(|u| u.team, |u| u.team.coalesce(u.name).lower()).run(&db).await.unwrap();
    let teams = User::find(&db).scalars(|u| u.team).await.unwrap();
    assert_eq!(teams, [Some("red!".to_owned()), Some("ada".to_owned())]);

    let long = update::<User>().set(|u| u.name, |u| u.name.replace("a", "x".repeat(200))).run(&db).await;
    let error = long.unwrap_err();
    assert_eq!((error.kind(), error.place().field.as_deref()), (ErrorKind::TooLong, Some("name")), "{error}");
    assert_eq!(error.place().key.as_deref(), Some("2"));
    db.close().await.unwrap();
}

async fn every_type_can_be_assigned(place: &Place) {
    let db = open(place).await;
    let time = Timestamp::from_secs(1_600_000_000).unwrap();
    Everything::ordinary("a").save(&db).await.unwrap();
    let rows = update::<Everything>()
        .filter(|e| e.level.eq(Level::Middle))
        .set(|e| e.yes, |e| !e.yes)
        .set(|e| e.bytes, |_| vec![9_u8])
        .set(|e| e.level, |_| Level::High)
        .set(|e| e.uuid, |_| uuid::Uuid::nil())
        .set(|e| e.user, |_| twilight_model::id::Id::new(5))
        .set(|e| e.time, |_| time)
        .set(|e| e.option, |_| None)
        .set(|e| e.f64, |e| e.u8.to_f64() / 4.0 + e.f64)
        .returning(&db)
        .await
        .unwrap();
    let row = &rows[0];
    assert_eq!((row.yes, row.bytes.as_slice(), row.level), (false, &[9][..], Level::High));
    assert_eq!((row.uuid, row.user.get(), row.time, row.option), (uuid::Uuid::nil(), 5, time, None));
    assert_eq!(row.f64.to_bits(), (-2.0_f64).to_bits());
    let found = Everything::find(&db).filter(|e| e.level.gt(Level::Middle)).count().await;
    assert_eq!(found.unwrap(), 1, "the index orders variants");
    let set = update::<Everything>().set(|e| e.time, |_| now()).returning(&db).await.unwrap();
    assert!(set[0].time.as_secs() > 1_700_000_000, "{:?}", set[0].time);
    db.close().await.unwrap();
}

async fn a_case_takes_the_first_condition_that_holds_and_evaluates_no_other(place: &Place) {
    let db = open(place).await;
    let users =
        [0, 4, 20, 200].into_iter().zip(1..).map(|(points, id)| User::new(id, &id.to_string(), points));
    User::save_all(users, &db).await.unwrap();
    let levels = update::<User>()
        .set(|u| u.team, |u| when(u.points.gt(100), "gold").when(u.points.gt(10), "silver").otherwise_null())
        // Where there are no points, nothing is divided by them.
        .set(|u| u.points, |u| when(u.points.ne(0), u.points * 0 + 100 / 1).otherwise(u.points - 1))
        .returning(&db)
        .await
        .unwrap();
    let found: Vec<_> = levels.iter().map(|user| (user.team.as_deref(), user.points)).collect();
    assert_eq!(found, [(None, -1), (None, 100), (Some("silver"), 100), (Some("gold"), 100)]);
    let divided = update::<User>()
        .set(|u| u.points, |u| when(u.points.gt(0), u.points / u.points).otherwise(u.points / -1))
        .returning(&db)
        .await
        .unwrap();
    assert!(divided.iter().all(|user| user.points == 1));
    update::<User>().set(|u| u.points, |_| 0).run(&db).await.unwrap();
    let kept = update::<User>()
        .set(|u| u.points, |u| when(u.points.eq(0), 7).otherwise(u.points / u.points))
        .set(|u| u.team, |u| u.team.or(when(u.points.gt(9), "never").otherwise_null()))
        .returning(&db)
        .await
        .unwrap();
    assert!(kept.iter().all(|user| user.points == 7));
    db.close().await.unwrap();
}

async fn keys_and_unique_values_are_kept(place: &Place) {
    let db = open(place).await;
    three(&db).await;
    let error = update::<User>().set(|u| u.id, |u| u.id + 10).run(&db).await.unwrap_err();
    assert_eq!((error.kind(), error.place().key.as_deref()), (ErrorKind::KeyChanged, Some("1")), "{error}");
    let error = update::<User>().set(|u| u.name, |_| "same").run(&db).await.unwrap_err();
    assert_eq!((error.kind(), error.place().field.as_deref()), (ErrorKind::UniqueViolated, Some("name")));
    let error =
        update::<User>().filter(|u| u.id.eq(1)).set(|u| u.name, |_| "Ada").run(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UniqueViolated);
    assert_eq!(User::find(&db).scalars(|u| u.name).await.unwrap(), ["Peter", "Ada", "Grace"]);
    db.close().await.unwrap();
}

async fn unique_values_count_only_in_the_end(place: &Place) {
    let db = open(place).await;
    let users = (1..=3).map(|id| User::new(id, &id.to_string(), 0));
    User::save_all(users, &db).await.unwrap();
    // Each takes the name of the next, which the next has until it takes another itself.
    let next =
        |u: <User as discobase::Entity>::Columns| when(u.id.eq(1), "2").when(u.id.eq(2), "3").otherwise("1");
    assert_eq!(update::<User>().set(|u| u.name, next).run(&db).await.unwrap(), 3);
    assert_eq!(User::find(&db).scalars(|u| u.name).await.unwrap(), ["2", "3", "1"]);
    db.close().await.unwrap();
    let db = open(place).await;
    for (name, id) in [("2", 1), ("3", 2), ("1", 3)] {
        assert_eq!(User::find_unique(&db, |u| u.name.eq(name)).await.unwrap().id, id);
    }
    db.close().await.unwrap();
}

async fn records_are_deleted_by_a_condition(place: &Place) {
    let db = open(place).await;
    three(&db).await;
    let gone = delete::<User>().filter(|u| u.points.lt(8)).returning(&db).await.unwrap();
    assert_eq!(gone, [User::new(1, "Peter", 3), User::in_team(2, "Ada", 5, "red")]);
    assert_eq!(delete::<User>().filter(|u| u.points.lt(8)).run(&db).await.unwrap(), 0);
    assert_eq!(User::count(&db).await.unwrap(), 1);
    assert_eq!(delete::<User>().run(&db).await.unwrap(), 1);
    assert_eq!(User::count(&db).await.unwrap(), 0);
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 0);
    db.close().await.unwrap();
}

async fn what_changes_nothing_sends_nothing(place: &Place) {
    let db = open(place).await;
    three(&db).await;
    let before = User::get(&db, 1_u64).await.unwrap().unwrap();
    let (frames, seq) = (db.frames().unwrap(), db.snapshot().unwrap().seq());
    let same = update::<User>().set(|u| u.points, |u| u.points + 0).set(|u| u.name, |u| u.name.trim());
    assert_eq!(same.clone().run(&db).await.unwrap(), 3, "rows that are so already count");
    assert_eq!(same.returning(&db).await.unwrap()[0], before, "and keep their version");
    assert_eq!(
        update::<User>().filter(|u| u.points.gt(99)).set(|u| u.points, |_| 0).run(&db).await.unwrap(),
        0
    );
    assert_eq!((db.frames().unwrap(), db.snapshot().unwrap().seq()), (frames, seq));
    // Of several rows only those are written that change.
    let rows = update::<User>().set(|u| u.points, |u| u.points.max(5)).returning(&db).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.version() > seq).collect::<Vec<_>>(), [true, false, false]);
    db.close().await.unwrap();
}

async fn an_update_without_a_condition_is_one_commit_of_all_rows(place: &Place) {
    let db = open(place).await;
    User::save_all((0..5_000).map(|id| User::new(id, &id.to_string(), 1)), &db).await.unwrap();
    let mut watch = User::watch(&db).unwrap();
    assert_eq!(update::<User>().set(|u| u.points, |u| u.points * 3).run(&db).await.unwrap(), 5_000);
    let Watched::Commit { changes, .. } = watch.next().await.unwrap().unwrap() else { panic!("lagged") };
    assert_eq!(changes.len(), 5_000, "one commit");
    let tripled =
        |change: &Change<User>| change.before().unwrap().points * 3 == change.after().unwrap().points;
    assert!(changes.iter().all(tripled));
    db.close().await.unwrap();
}

/// "It is so already" may rest on a commit that is still in flight, and is told only once that one is durable.
async fn an_update_that_changes_nothing_waits_for_what_is_in_flight(place: &Place) {
    let db = open(place).await;
    three(&db).await;
    let set = || update::<User>().filter(|u| u.id.eq(1)).set(|u| u.points, |_| 50);
    let first = tokio::spawn(set().run(&db));
    tokio::task::yield_now().await;
    assert_eq!(set().run(&db).await.unwrap(), 1);
    assert_eq!(user(&db, 1).await.points, 50, "whoever was told so finds it so");
    first.await.unwrap().unwrap();
    db.close().await.unwrap();
}

async fn what_fits_no_frame_is_refused(place: &Place) {
    let db = open(place).await;
    // 40 rows of 100 KiB each become 40 of 3,200 KiB: they would compress well, but not be unpacked.
    for key in 0..40 {
        let text = format!("{key} ").repeat(60 << 10)[..100 << 10].to_owned();
        Everything { text, ..Everything::ordinary(&key.to_string()) }.save(&db).await.unwrap();
    }
    let frames = db.frames().unwrap();
    let double = |e: <Everything as discobase::Entity>::Columns| {
        (0..5).fold(e.text + "", |text, _| text.clone() + text)
    };
    let error = update::<Everything>().set(|e| e.text, double).run(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(db.frames().unwrap(), frames, "nothing was sent");
    let lengths: Vec<_> = Everything::find(&db).scalars(|e| e.text).await.unwrap();
    assert!(lengths.iter().all(|text| text.len() == 100 << 10), "nothing was changed");
    // And nothing is left of it in what later commits are checked against.
    assert_eq!(update::<Everything>().set(|e| e.text, |e| e.text.substr(0, 3)).run(&db).await.unwrap(), 40);
    db.close().await.unwrap();
}

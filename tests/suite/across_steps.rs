//! What was begun, read or watched before a step, and goes on after it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use discobase::{
    Database, Entity, ErrorKind, Result, Role, RowChange, Step, Table, TableChanges, Watch, Watched, update,
};

use crate::following::until;
use crate::migrations::{one, version_one};
use crate::support::Place;

crate::in_process!(
    readers_meet_no_table_that_they_take_for_an_older_one,
    a_session_writes_to_no_table_that_was_changed_since,
    a_watch_ends_where_a_step_replaces_what_it_reads,
    a_record_from_before_a_step_writes_nothing_over_what_the_step_made,
    a_step_that_leaves_a_struct_behind_lets_nobody_write_it,
    who_takes_over_reads_on_and_writes_only_what_fits,
);

/// Another column of the same name, so that the same structs fit, before and after.
fn legacy_anew(version: &str, legacy: &str) -> Step {
    let anew = |table: TableChanges| table.drop("legacy").add("legacy", Some(legacy.to_owned()));
    Step::new(version, "legacy anew").table("profiles", anew)
}

/// Between the commit of a step and the moment the process that commits it knows what it has done, others read.
async fn readers_meet_no_table_that_they_take_for_an_older_one(place: &Place) {
    version_one(place, 4).await.close().await.unwrap();
    for (version, legacy, of_snapshot) in [("1.1.0", "y", false), ("1.2.0", "z", true)] {
        let db = place.builder().migrate_on_connect(false).build();
        db.table::<one::Profile>().unwrap();
        let steps = [legacy_anew("1.1.0", "y"), legacy_anew("1.2.0", "z")];
        db.migrations(steps.into_iter().take(1 + usize::from(of_snapshot))).unwrap();
        place.connect(&db).await.unwrap();
        let read = async || match of_snapshot {
            true => one::Profile::get(&db.snapshot().unwrap(), 1).await,
            false => one::Profile::get(&db, 1).await,
        };
        let (migrator, begin) = (db.migrator(), db.stats().unwrap().seq);
        let (mut up, mut met) = (pin!(migrator.up()), 0);
        // Time for a commit, which is read before the migration hears of it.
        let applied = loop {
            if db.stats().unwrap().seq > begin {
                met += 1;
                assert_eq!(read().await.unwrap().unwrap().legacy.as_deref(), Some(legacy));
            }
            match poll_fn(|context| Poll::Ready(up.as_mut().poll(context))).await {
                Poll::Ready(applied) => break applied,
                Poll::Pending => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        assert_eq!(applied.unwrap(), [version]);
        assert!(met > 0, "the commit was not met");
        db.close().await.unwrap();
    }
}

#[derive(Debug, Clone, PartialEq, Table)]
struct Guest {
    #[table(key)]
    id: u64,
    #[table(max_len = 20)]
    name: String,
}

/// Version 1, with another table that no step is about.
async fn with_a_guest(place: &Place) {
    version_one(place, 2).await.close().await.unwrap();
    let db = place.database();
    db.table::<one::Profile>().unwrap();
    db.table::<Guest>().unwrap();
    place.connect(&db).await.unwrap();
    Guest { id: 1, name: "Ann".into() }.save(&db).await.unwrap();
    db.close().await.unwrap();
}

async fn a_session_writes_to_no_table_that_was_changed_since(place: &Place) {
    with_a_guest(place).await;
    let db = place.builder().migrate_on_connect(false).build();
    db.table::<one::Profile>().unwrap();
    db.table::<Guest>().unwrap();
    db.migrations([legacy_anew("1.1.0", "y")]).unwrap();
    place.connect(&db).await.unwrap();
    let legacy = async |id: u64| one::Profile::get(&db, id).await.unwrap().unwrap().legacy.clone();
    let (session, new) = (db.session().unwrap(), db.session().unwrap());
    let reader = db.session().unwrap().serializable();
    reader.get::<one::Profile>(1).await.unwrap();
    reader.add(Guest { id: 2, name: "Bea".into() }).await.unwrap();
    let mut first = session.get::<one::Profile>(1).await.unwrap().unwrap();
    first.legacy = Some("mine".into());
    session.update(&mut first).await.unwrap();
    new.add(one::profile(3, 3)).await.unwrap();
    assert_eq!(db.migrator().up().await.unwrap(), ["1.1.0"]);
    for session in [session, new, reader] {
        let error = session.commit().await.unwrap_err();
        assert_eq!((error.kind(), error.place().table.as_deref()), (ErrorKind::Conflict, Some("profiles")));
    }
    assert_eq!(legacy(1).await.as_deref(), Some("y"), "nothing was written");
    // Whoever begins it again writes what is read afterwards.
    let session = db.session().unwrap();
    let mut first = session.get::<one::Profile>(1).await.unwrap().unwrap();
    first.legacy = Some("mine".into());
    session.update(&mut first).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(legacy(1).await.as_deref(), Some("mine"));
    db.close().await.unwrap();
}

/// What a watch gives next.
async fn soon<T: Entity>(watch: &mut Watch<T>) -> Option<Result<Watched<T>>> {
    tokio::time::timeout(Duration::from_secs(20), watch.next()).await.expect("something happens")
}

async fn a_watch_ends_where_a_step_replaces_what_it_reads(place: &Place) {
    with_a_guest(place).await;
    let (db, follower) = (place.builder().migrate_on_connect(false).build(), place.follower());
    for db in [&db, &follower] {
        db.table::<one::Profile>().unwrap();
        db.table::<Guest>().unwrap();
    }
    let wider = |table: TableChanges| table.max_len("name", None);
    let everyone = |row: &mut RowChange<'_>| {
        row.delete();
        Ok(())
    };
    db.migrations([
        legacy_anew("1.1.0", "y"),
        Step::new("1.2.0", "longer names").table("guest", wider),
        Step::new("1.3.0", "no guests").each("guest", "everyone", everyone),
    ])
    .unwrap();
    place.connect(&db).await.unwrap();
    place.connect(&follower).await.unwrap();
    let watch = |db: &Database| (one::Profile::watch(db).unwrap(), Guest::watch(db).unwrap());
    let watches = [watch(&db), watch(&follower)];
    one::profile(3, 3).save(&db).await.unwrap();
    db.migrator().up().await.unwrap_err();
    for (mut profiles, mut guests) in watches {
        match soon(&mut profiles).await.unwrap().unwrap() {
            Watched::Commit { changes, .. } => assert_eq!(changes[0].after().unwrap().points, 3),
            lagged => panic!("{lagged:?}"),
        }
        let error = soon(&mut profiles).await.unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.place().table.as_deref()),
            (ErrorKind::SchemaChanged, Some("profiles"))
        );
        assert!(soon(&mut profiles).await.is_none());
        assert_eq!(profiles.records().unwrap_err().kind(), ErrorKind::SchemaChanged);
        // What only widens a table is nothing to those who watch it.
        match soon(&mut guests).await.unwrap().unwrap() {
            Watched::Commit { changes, .. } => assert_eq!(changes[0].before().unwrap().name, "Ann"),
            lagged => panic!("{lagged:?}"),
        }
        assert!(guests.records().unwrap().is_empty());
    }
    let anew = one::Profile::watch(&db).unwrap().records().unwrap();
    assert!(anew.iter().all(|profile| profile.legacy.as_deref() == Some("y")), "{anew:?}");
    follower.close().await.unwrap();
    db.close().await.unwrap();
}

async fn a_record_from_before_a_step_writes_nothing_over_what_the_step_made(place: &Place) {
    with_a_guest(place).await;
    let db = place.builder().migrate_on_connect(false).build();
    db.table::<one::Profile>().unwrap();
    db.table::<Guest>().unwrap();
    let mail = |table: TableChanges| table.add("mail", None::<String>);
    let steps = [legacy_anew("1.1.0", "y"), Step::new("1.2.0", "mail").table("guest", mail)];
    db.migrations(steps).unwrap();
    place.connect(&db).await.unwrap();
    let mut first = one::Profile::get(&db, 1).await.unwrap().unwrap();
    let (mut second, gone) = (first.clone(), one::Profile::get(&db, 2).await.unwrap().unwrap());
    let mut ann = Guest::get(&db, 1).await.unwrap().unwrap();
    // The struct lacks the column that came to the guests; what it is of the profiles is all of them.
    db.migrator().up().await.unwrap_err();
    first.points += 1;
    second.points += 2;
    let error = first.update().await.unwrap_err();
    assert_eq!((error.kind(), error.place().table.as_deref()), (ErrorKind::Conflict, Some("profiles")));
    assert!(error.to_string().contains("find it again"), "{error}");
    let session = db.session().unwrap();
    let error = session.update(&mut second).await.unwrap_err();
    assert_eq!((error.kind(), error.place().table.as_deref()), (ErrorKind::Conflict, Some("profiles")));
    session.rollback();
    let mut now = one::Profile::get(&db, 1).await.unwrap().unwrap();
    assert_eq!((now.points, now.legacy.as_deref()), (first.points - 1, Some("y")));
    // To delete it one need not know its fields, and what was read again is written.
    gone.delete().await.unwrap();
    first.refresh().await.unwrap();
    assert_eq!(first, now);
    now.points += 1;
    now.update().await.unwrap();
    assert_eq!(ann.update().await.unwrap_err().kind(), ErrorKind::SchemaChanged);
    db.close().await.unwrap();
}

/// From the moment it may write until the tables are what its structs say.
async fn who_takes_over_reads_on_and_writes_only_what_fits(place: &Place) {
    with_a_guest(place).await;
    let names = |version: &str, most: u32| {
        Step::new(version, "names").table("guest", |table| table.max_len("name", most))
    };
    let db = place.follower();
    db.table::<Guest>().unwrap();
    db.migrations([names("1.1.0", 10), names("1.2.0", 20)]).unwrap();
    place.connect(&db).await.unwrap();
    let writer = place.database();
    writer.migrations([names("1.1.0", 10)]).unwrap();
    place.connect(&writer).await.unwrap();
    let seq = writer.stats().unwrap().seq;
    writer.close().await.unwrap();
    until("the follower sees it", async || db.stats().unwrap().seq >= seq).await;
    let mut before = Guest::get(&db, 1).await.unwrap().unwrap();
    let (mut promoted, mut met) = (pin!(db.promote()), 0);
    loop {
        assert_eq!(Guest::get(&db, 1).await.unwrap().unwrap().name, "Ann");
        if db.role().unwrap() == Role::Writer && db.migrator().status().unwrap()[1].applied.is_none() {
            met += 1;
            let error = Guest { id: 2, name: "Bea".into() }.save(&db).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.place().table.as_deref()),
                (ErrorKind::SchemaChanged, Some("guest"))
            );
            assert!(error.to_string().contains("max_len 10"), "{error}");
            let error = update::<Guest>().set(|guest| guest.name, |_| "Bea").run(&db).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SchemaChanged, "{error}");
        }
        match poll_fn(|context| Poll::Ready(promoted.as_mut().poll(context))).await {
            Poll::Ready(promoted) => break promoted.unwrap(),
            Poll::Pending => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    assert!(met > 0, "there was no such moment");
    Guest { id: 2, name: "Bea".into() }.save(&db).await.unwrap();
    // The step has only widened what was read before it.
    before.name = "Ann, and more".into();
    before.update().await.unwrap();
    db.close().await.unwrap();
}

async fn a_step_that_leaves_a_struct_behind_lets_nobody_write_it(place: &Place) {
    #[derive(Debug, Clone, PartialEq, Table)]
    #[table(name = "guest")]
    struct UniqueGuest {
        #[table(key)]
        id: u64,
        #[table(unique)]
        name: String,
    }
    with_a_guest(place).await;
    let db = place.builder().migrate_on_connect(false).build();
    db.table::<one::Profile>().unwrap();
    db.table::<UniqueGuest>().unwrap();
    db.migrations([legacy_anew("1.1.0", "y")]).unwrap();
    place.connect(&db).await.unwrap();
    let error = db.migrator().up().await.unwrap_err();
    assert_eq!((error.kind(), error.place().table.as_deref()), (ErrorKind::SchemaChanged, Some("guest")));
    // The step was applied, and what it is about is read as it is now.
    let first = one::Profile::get(&db, 1).await.unwrap().unwrap();
    assert_eq!(first.legacy.as_deref(), Some("y"));
    let error = UniqueGuest { id: 2, name: "Ann".into() }.save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged, "{error}");
    one::profile(3, 3).save(&db).await.unwrap();
    db.close().await.unwrap();
}

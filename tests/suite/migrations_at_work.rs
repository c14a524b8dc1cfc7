//! Steps, and what happens around them: checkpoints, crashes, lost replies, followers, writers.

use std::time::Duration;

use discobase::{Database, ErrorKind, RowChange, Step, Table, TableChanges};
use discobase_guild::{Action, Rule};

use crate::following::until;
use crate::migrations::{check_two, one, steps, two, version_one, version_two};
use crate::support::Place;
use crate::tables::User;

crate::in_process!(
    the_catalog_shows_what_a_step_made,
    what_was_migrated_is_kept_by_checkpoints,
    a_process_that_ends_between_steps_goes_on_where_it_was,
    a_lost_reply_does_not_apply_a_step_twice,
    a_follower_sees_what_a_step_did,
    a_follower_goes_by_what_others_made_of_a_table,
    a_dropped_table_holds_no_trimming_up,
    a_new_table_may_have_the_name_that_another_had,
    a_step_gives_way_to_writers,
    a_step_does_its_work_on_what_is_on_its_way,
    a_dropped_tables_channels_go,
    a_follower_migrates_nothing,
);

/// What people read in the guild, of each table.
fn catalog(place: &Place, db: &Database) -> Vec<String> {
    let channel = db.catalog().unwrap().get();
    place
        .local()
        .with_state(|state, _| state.messages_in(channel).map(|message| message.content.clone()).collect())
}

/// A commit that is accepted and not acknowledged comes before the step in the journal.
async fn a_step_does_its_work_on_what_is_on_its_way(place: &Place) {
    version_one(place, 1).await.close().await.unwrap();
    let db = place.builder().migrate_on_connect(false).build();
    db.table::<one::Profile>().unwrap();
    let double = |row: &mut RowChange<'_>| {
        let points: i32 = row.get("points")?;
        row.set("points", points * 2)
    };
    db.migrations([Step::new("2.0.0", "twice").each("profiles", "twice the points", double)]).unwrap();
    place.connect(&db).await.unwrap();
    let before = db.backup().unwrap();
    let on_its_way = async |work: std::pin::Pin<Box<dyn Future<Output = ()> + '_>>| {
        let late = Rule::new(Action::Delay { ms: 1_500 }).on("POST", "/channels/{channel}/messages");
        place.local().faults().push(late);
        let (new, old) = (one::profile(2, 10), one::Profile::get(&db, 1).await.unwrap().unwrap());
        let saving = async { new.save(&db).await.unwrap() };
        let updating = async {
            let mut old = old;
            old.points = 30;
            old.update().await.unwrap();
        };
        let working = async {
            while !place.local().faults().pending().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            work.await;
        };
        tokio::join!(saving, updating, working);
    };
    on_its_way(Box::pin(async {
        db.restore(&before).await.unwrap();
    }))
    .await;
    let points = async || {
        let found = one::Profile::find(&db).order_by(|p| p.id.asc()).select(|p| (p.id, p.points)).all().await;
        found.unwrap()
    };
    assert_eq!(points().await, [(1, 60)], "what was on its way is undone");
    on_its_way(Box::pin(async {
        assert_eq!(db.migrator().up().await.unwrap(), ["2.0.0"]);
    }))
    .await;
    assert_eq!(points().await, [(1, 60), (2, 20)], "what was on its way is changed, too");
    db.close().await.unwrap();
}

async fn the_catalog_shows_what_a_step_made(place: &Place) {
    version_one(place, 4).await.close().await.unwrap();
    let db = version_two(place).await.unwrap();
    let shown = catalog(place, &db);
    assert_eq!(shown.len(), 1, "{shown:?}");
    for (part, there) in
        [("\"score\"", true), ("\"level\"", true), ("\"points\"", false), ("\"legacy\"", false)]
    {
        assert_eq!(shown[0].contains(part), there, "{part}: {}", shown[0]);
    }
    assert!(shown[0].contains("\"current_records\": 4"), "{}", shown[0]);
    let steps_of =
        |shown: &str| shown.split_once("\"steps\": ").map(|(_, steps)| steps.replace(['\n', ' '], ""));
    assert!(steps_of(&shown[0]).unwrap().starts_with("[\"1.9.0scores\",\"1.10.0levels\"]"), "{}", shown[0]);
    db.close().await.unwrap();

    let whole = |last: Step| {
        let db = place.builder().migrate_on_connect(false).build();
        let [levels, scores] = steps();
        db.migrations([scores, levels, last]).unwrap();
        db
    };
    let db = whole(Step::new("2.0.0", "members").rename_table("profiles", "members"));
    place.connect(&db).await.unwrap();
    db.migrator().up().await.unwrap();
    let shown = catalog(place, &db);
    assert_eq!(shown.len(), 1, "one message for one table: {shown:?}");
    assert!(shown[0].contains("\"name\": \"members\""), "{}", shown[0]);
    let report = db.verify().await.unwrap();
    assert!(report.is_clean(), "{report}");
    db.close().await.unwrap();
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

/// A process whose structs are those of version 1 goes on reading what is there, by the indexes that are there; what is not
/// there any more it does not make up.
async fn a_follower_goes_by_what_others_made_of_a_table(place: &Place) {
    version_one(place, 4).await.close().await.unwrap();
    let (eager, lazy) = (place.follower(), place.follower());
    eager.table::<one::Profile>().unwrap();
    lazy.table_lazy::<one::Profile>().unwrap();
    place.connect(&eager).await.unwrap();
    place.connect(&lazy).await.unwrap();
    let mut steps = Vec::new();
    let mut migrate = async |step: Step| {
        steps.push(step);
        let db = place.builder().migrate_on_connect(false).build();
        db.migrations(steps.clone()).unwrap();
        place.connect(&db).await.unwrap();
        db.migrator().up().await.unwrap();
        db.checkpoint().await.unwrap();
        let seq = db.stats().unwrap().seq;
        db.close().await.unwrap();
        for follower in [&eager, &lazy] {
            until("the follower sees it", async || follower.stats().unwrap().seq >= seq).await;
        }
    };
    let rich = async |db: &Database| {
        let rich = one::Profile::find(db).filter(|profile| profile.points.eq(180)).all().await?;
        Ok::<_, discobase::Error>(rich.iter().map(|profile| profile.id).collect::<Vec<_>>())
    };
    let others = |table: TableChanges| {
        table.add("mail", None::<String>).drop_index(["points"]).index(["name"]).index(["points"])
    };
    migrate(Step::new("1.1.0", "other indexes").table("profiles", others)).await;
    assert_eq!(rich(&eager).await.unwrap(), [3]);
    assert_eq!(rich(&lazy).await.unwrap(), [3], "the index is at another place");
    migrate(Step::new("1.2.0", "members").rename_table("profiles", "members")).await;
    assert_eq!(rich(&eager).await.unwrap(), [3]);
    assert_eq!(rich(&lazy).await.unwrap(), [3], "whatever it is called");
    migrate(Step::new("1.3.0", "less").table("members", |table| table.drop("legacy"))).await;
    for follower in [&eager, &lazy] {
        let error = rich(follower).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaChanged, "{error}");
        assert!(error.to_string().contains("legacy"), "{error}");
    }
    migrate(Step::new("1.4.0", "again").table("members", |table| table.add("legacy", None::<String>))).await;
    assert_eq!(rich(&eager).await.unwrap(), [3]);
    assert_eq!(rich(&lazy).await.unwrap(), [3]);
    // It may write only what it has all fields of, in what it began before, too.
    let session = eager.session().unwrap();
    let mut third = session.get::<one::Profile>(3).await.unwrap().unwrap();
    third.points += 1;
    let error = session.update(&mut third).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged, "{error}");
    assert!(error.to_string().contains("mail"), "{error}");
    eager.promote().await.unwrap_err();
    let error = one::profile(9, 9).save(&eager).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged, "{error}");
    eager.close().await.unwrap();
    lazy.close().await.unwrap();
}

/// What is to be deleted of a table went with its channels; what is to be deleted of others does not wait for it.
async fn a_dropped_table_holds_no_trimming_up(place: &Place) {
    let build = || {
        let db = place.builder().checkpoint_every(u64::MAX, u64::MAX);
        db.trim_after(Duration::from_millis(700), Duration::from_millis(50)).build()
    };
    let db = build();
    db.table::<one::Profile>().unwrap();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    one::profile(1, 1).save(&db).await.unwrap();
    User::new(1, "1", 1).save(&db).await.unwrap();
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    let db = build();
    db.table::<User>().unwrap();
    db.migrations([Step::new("2.0.0", "no profiles").drop_table("profiles")]).unwrap();
    place.connect(&db).await.unwrap();
    User::new(2, "2", 2).save(&db).await.unwrap();
    db.checkpoint().await.unwrap();
    let segments = || {
        place.local().with_state(|state, _| {
            let users =
                state.channels_of(place.local().guild_id()).filter(|one| one.name.starts_with("users"));
            users.map(|channel| state.messages_in(channel.id).count()).sum::<usize>()
        })
    };
    let before = segments();
    until("the older segments are deleted", async || segments() < before).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let trouble = db.checkpoints().unwrap().error;
    assert!(trouble.is_none(), "{trouble:?}");
    db.close().await.unwrap();
}

/// A renamed table keeps its channels, with the old name in their topics; whoever has that name later gets others.
async fn a_new_table_may_have_the_name_that_another_had(place: &Place) {
    version_one(place, 4).await.close().await.unwrap();
    let renaming = || Step::new("2.0.0", "members").rename_table("profiles", "members");
    let dropping = || Step::new("3.0.0", "no members").drop_table("members");
    let open = async |steps: Vec<Step>| {
        let db = place.database();
        db.table::<one::Profile>().unwrap();
        db.migrations(steps).unwrap();
        place.connect(&db).await.unwrap();
        db
    };
    let db = open(vec![renaming()]).await;
    assert_eq!(one::Profile::count(&db).await.unwrap(), 0, "it is another table");
    one::profile(7, 70).save(&db).await.unwrap();
    db.checkpoint().await.unwrap();
    let report = db.verify().await.unwrap();
    assert!(report.is_clean(), "{report}");
    // Nor does healing give it what the older one has.
    let named = place.local().with_state(|state, _| {
        let all = state.channels_of(place.local().guild_id()).filter(|channel| channel.name == "profiles");
        all.map(|channel| channel.id).collect::<Vec<_>>()
    });
    assert_eq!(named.len(), 2);
    place.local().delete_channel_as_owner(*named.iter().max().unwrap()).unwrap();
    let healed = db.heal().await.unwrap();
    assert!(healed.left.is_clean(), "{}", healed.left);
    db.close().await.unwrap();
    // What goes with the older table is not the newer one's.
    let db = open(vec![renaming(), dropping()]).await;
    one::profile(8, 80).save(&db).await.unwrap();
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    let db = open(vec![renaming(), dropping()]).await;
    assert_eq!(one::Profile::count(&db).await.unwrap(), 2);
    let report = db.verify().await.unwrap();
    assert!(report.is_clean(), "{report}");
    db.close().await.unwrap();
}

async fn a_step_gives_way_to_writers(place: &Place) {
    let db = version_one(place, 4).await;
    let raise = |row: &mut RowChange<'_>| {
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

async fn a_dropped_tables_channels_go(place: &Place) {
    version_one(place, 4).await.close().await.unwrap();
    let names = || {
        place.local().with_state(|state, _| {
            let guild = place.local().guild_id();
            state.channels_of(guild).map(|channel| channel.name.clone()).collect::<Vec<_>>()
        })
    };
    let of_the_table = |names: Vec<String>| names.iter().filter(|name| name.starts_with("profiles")).count();
    assert_eq!(of_the_table(names()), 3, "rows, keys, points: {:?}", names());
    let db = place.database();
    db.migrations([Step::new("2.0.0", "nothing").drop_table("profiles")]).unwrap();
    place.connect(&db).await.unwrap();
    assert_eq!(of_the_table(names()), 0, "{:?}", names());
    assert!(catalog(place, &db).is_empty());
    let report = db.verify().await.unwrap();
    assert!(report.is_clean(), "{report}");
    db.close().await.unwrap();
}

async fn a_follower_migrates_nothing(place: &Place) {
    let writer = version_one(place, 4).await;
    let frames = writer.frames().unwrap();
    let follower = place.follower();
    follower.table::<two::Profile>().unwrap();
    follower.migrations(steps()).unwrap();
    let error = place.connect(&follower).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaChanged, "{error}");
    let follower = place.builder().follower().migrate_on_connect(false).build();
    follower.table::<two::Profile>().unwrap();
    follower.migrations(steps()).unwrap();
    place.connect(&follower).await.unwrap();
    let error = follower.migrator().up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    assert_eq!(writer.frames().unwrap(), frames);
    assert_eq!(one::Profile::count(&writer).await.unwrap(), 4);
    follower.close().await.unwrap();
    writer.close().await.unwrap();
}

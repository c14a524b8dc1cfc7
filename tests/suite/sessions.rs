//! Sessions: many writes as one commit.

use std::time::Duration;

use discobase::{Database, ErrorKind, Outcome, Table, Watched, delete, update};
use discobase_guild::{Action, Rule};

use crate::support::Place;
use crate::tables::{Note, User};

crate::everywhere!(
    a_session_reads_its_own_writes_and_nobody_else_does,
    a_dropped_session_leaves_nothing,
    a_session_says_early_what_cannot_be,
    of_two_sessions_on_one_row_the_first_wins,
    going_back_to_a_savepoint_takes_back_what_came_after,
    statements_in_a_session_are_part_of_it,
    what_comes_to_nothing_sends_nothing,
    a_follower_reads_in_sessions_and_writes_nothing,
);

crate::in_process!(a_session_with_a_deadline_tells_how_it_ended);

pub(crate) async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<User>().unwrap().table::<Note>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

pub(crate) async fn users(source: &impl discobase::Source) -> Vec<(u64, i64)> {
    let users = User::find(source).all().await.unwrap();
    users.iter().map(|user| (user.id, user.points)).collect()
}

async fn a_session_reads_its_own_writes_and_nobody_else_does(place: &Place) {
    let db = open(place).await;
    let mut outside = User::new(1, "Peter", 3).save(&db).await.unwrap();
    User::new(2, "Ada", 5).save(&db).await.unwrap();
    let frames = db.frames().unwrap();

    let s = db.session().unwrap();
    let mut peter = s.get::<User>(1_u64).await.unwrap().unwrap();
    peter.points = 30;
    s.update(&mut peter).await.unwrap();
    let mut grace = s.add(User::new(3, "Grace", 7)).await.unwrap();
    grace.points += 1;
    s.update(&mut grace).await.unwrap();
    let ada = s.select::<User>().filter(|u| u.name.eq("Ada")).first().await.unwrap().unwrap();
    assert_eq!(s.delete(ada).await.unwrap(), User::new(2, "Ada", 5));
    s.add(Note { text: "with it".into() }).await.unwrap();
    assert_eq!(users(&s).await, [(1, 30), (3, 8)]);
    assert_eq!(s.get::<User>(3_u64).await.unwrap().unwrap(), grace);
    assert_eq!(s.select::<User>().filter(|u| u.points.gt(7)).count().await.unwrap(), 2);
    assert_eq!(s.select::<User>().scalars(|u| u.name).await.unwrap(), ["Peter", "Grace"]);
    assert_eq!(s.select::<User>().filter(|u| u.id.eq(3)).scalar(|u| u.points).await.unwrap(), Some(8));
    assert_eq!(s.select::<User>().filter(|u| u.id.eq(4)).scalar(|u| u.points).await.unwrap(), None);
    assert_eq!(User::find_unique(&s, |u| u.name.eq("Grace")).await.unwrap().points, 8);

    // Nobody else sees any of it, and the session sees nothing of others.
    assert_eq!((users(&db).await, Note::count(&db).await.unwrap()), (vec![(1, 3), (2, 5)], 0));
    User::new(4, "Mary", 1).save(&db).await.unwrap();
    assert_eq!(users(&s).await.len(), 2);
    assert_eq!(db.frames().unwrap(), frames + 1, "the session has sent nothing");

    let mut watch = User::watch(&db).unwrap();
    let seq = s.commit().await.unwrap();
    assert_eq!(db.frames().unwrap(), frames + 2, "all of it is one frame");
    let Watched::Commit { seq: seen, changes } = watch.next().await.unwrap().unwrap() else {
        panic!("lagged")
    };
    assert_eq!((seen, changes.len()), (seq, 3), "and one commit");
    assert_eq!((users(&db).await, Note::count(&db).await.unwrap()), (vec![(1, 30), (4, 1), (3, 8)], 1));

    // The records of the session are records like any other now.
    assert_eq!((peter.version(), grace.version()), (seq, seq));
    assert_eq!(User::get(&db, 3_u64).await.unwrap().unwrap(), grace);
    grace.points = 9;
    grace.update().await.unwrap();
    peter.delete().await.unwrap();
    outside.points = 0;
    assert_eq!(outside.update().await.unwrap_err().kind(), ErrorKind::Conflict);
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!((users(&db).await, Note::count(&db).await.unwrap()), (vec![(4, 1), (3, 9)], 1));
    db.close().await.unwrap();
}

async fn a_dropped_session_leaves_nothing(place: &Place) {
    let db = open(place).await;
    let (frames, s) = (db.frames().unwrap(), db.session().unwrap());
    let mut peter = s.add(User::new(1, "Peter", 3)).await.unwrap();
    let query = s.select::<User>();
    drop(s);
    let s = db.session().unwrap();
    let mut ada = s.add(User::new(2, "Ada", 3)).await.unwrap();
    s.rollback();
    let s = db.session().unwrap();
    s.add(User::new(3, "Grace", 3)).await.unwrap();
    drop(s.commit());
    assert_eq!((User::count(&db).await.unwrap(), db.frames().unwrap()), (0, frames));
    // What is left of it says so.
    for record in [&mut peter, &mut ada] {
        assert_eq!(record.update().await.unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(record.refresh().await.unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert_eq!(query.all().await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(peter.delete().await.unwrap_err().kind(), ErrorKind::Invalid);
    let empty = db.session().unwrap();
    assert_eq!(empty.commit().await.unwrap(), db.snapshot().unwrap().seq(), "nothing to be committed");
    assert_eq!(db.frames().unwrap(), frames);
    db.close().await.unwrap();
}

async fn a_session_says_early_what_cannot_be(place: &Place) {
    let db = open(place).await;
    User::new(1, "Peter", 3).save(&db).await.unwrap();
    let s = db.session().unwrap();
    let kind = |result: discobase::Result<()>| result.unwrap_err().kind();
    assert_eq!(kind(s.add(User::new(1, "Paul", 3)).await.map(|_| ())), ErrorKind::DuplicateKey);
    assert_eq!(kind(s.add(User::new(2, "Peter", 3)).await.map(|_| ())), ErrorKind::UniqueViolated);
    assert_eq!(kind(s.add(User::new(2, &"x".repeat(101), 3)).await.map(|_| ())), ErrorKind::TooLong);
    s.add(User::new(2, "Ada", 3)).await.unwrap();
    assert_eq!(
        kind(s.add(User::new(2, "Paul", 3)).await.map(|_| ())),
        ErrorKind::DuplicateKey,
        "its own, too"
    );
    let error =
        s.add_all([User::new(5, "a", 0), User::new(6, "b", 0), User::new(5, "c", 0)]).await.unwrap_err();
    assert_eq!((error.kind(), error.place().position), (ErrorKind::DuplicateKey, Some(2)), "{error}");
    let mut peter = s.get::<User>(1_u64).await.unwrap().unwrap();
    let mut copy = peter.clone();
    peter.id = 9;
    assert_eq!(kind(s.update(&mut peter).await), ErrorKind::KeyChanged);
    (peter.id, peter.points) = (1, 4);
    s.update(&mut peter).await.unwrap();
    copy.points = 5;
    assert_eq!(kind(s.update(&mut copy).await), ErrorKind::Conflict, "a copy of before");
    // A row that goes makes room for another one.
    s.delete(peter).await.unwrap();
    s.add(User::new(1, "Peter", 9)).await.unwrap();
    assert_eq!(users(&s).await, [(2, 3), (1, 9)]);
    s.commit().await.unwrap();
    assert_eq!(users(&db).await, [(2, 3), (1, 9)]);
    db.close().await.unwrap();
}

async fn of_two_sessions_on_one_row_the_first_wins(place: &Place) {
    let db = open(place).await;
    User::new(1, "Peter", 0).save(&db).await.unwrap();
    let (first, second) = (db.session().unwrap(), db.session().unwrap());
    for (s, points) in [(&first, 1), (&second, 2)] {
        let mut peter = s.get::<User>(1_u64).await.unwrap().unwrap();
        peter.points += points;
        s.update(&mut peter).await.unwrap();
        s.flush().await.unwrap();
    }
    let mut late = second.add(Note { text: "late".into() }).await.unwrap();
    first.commit().await.unwrap();
    // It is still the state of before that the second one reads, and flushing says that it is too late.
    assert_eq!(users(&second).await, [(1, 2)]);
    let error = second.flush().await.unwrap_err();
    assert_eq!((error.kind(), error.place().key.as_deref()), (ErrorKind::Conflict, Some("1")), "{error}");
    assert_eq!(second.commit().await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(users(&db).await, [(1, 1)], "no update is lost");
    assert_eq!(Note::count(&db).await.unwrap(), 0, "nothing of the second one");
    assert_eq!(late.update().await.unwrap_err().kind(), ErrorKind::Invalid);

    // A key that somebody else took meanwhile.
    let (first, second) = (db.session().unwrap(), db.session().unwrap());
    first.add(User::new(2, "Ada", 0)).await.unwrap();
    second.add(User::new(2, "Mary", 0)).await.unwrap();
    first.commit().await.unwrap();
    assert_eq!(second.flush().await.unwrap_err().kind(), ErrorKind::DuplicateKey);
    assert_eq!(second.commit().await.unwrap_err().kind(), ErrorKind::DuplicateKey);
    db.close().await.unwrap();
}

async fn going_back_to_a_savepoint_takes_back_what_came_after(place: &Place) {
    let db = open(place).await;
    User::new(1, "Peter", 0).save(&db).await.unwrap();
    let s = db.session().unwrap();
    let mut ada = s.add(User::new(2, "Ada", 0)).await.unwrap();
    let outer = s.savepoint().unwrap();
    update::<User>().set(|u| u.points, |u| u.points + 1).run(&s).await.unwrap();
    let mut grace = s.add(User::new(3, "Grace", 3)).await.unwrap();
    let inner = s.savepoint().unwrap();
    delete::<User>().run(&s).await.unwrap();
    assert_eq!(users(&s).await, []);
    s.rollback_to(&inner).unwrap();
    assert_eq!(users(&s).await, [(1, 1), (2, 1), (3, 3)]);
    s.rollback_to(&outer).unwrap();
    assert_eq!(users(&s).await, [(1, 0), (2, 0)]);
    assert_eq!(s.rollback_to(&inner).unwrap_err().kind(), ErrorKind::Invalid);
    // What was taken back is stale, even where another row has its place now.
    let mary = s.add(User::new(4, "Mary", 4)).await.unwrap();
    grace.points = 9;
    assert_eq!(s.update(&mut grace).await.unwrap_err().kind(), ErrorKind::Conflict);
    ada.points = 7;
    s.update(&mut ada).await.unwrap();
    s.rollback_to(&outer).unwrap();
    let mary_again = s.add(User::new(4, "Mary", 5)).await.unwrap();
    s.commit().await.unwrap();
    assert_eq!(users(&db).await, [(1, 0), (2, 0), (4, 5)]);
    for mut stale in [ada, grace, mary] {
        stale.points = 99;
        assert_eq!(stale.update().await.unwrap_err().kind(), ErrorKind::Conflict);
    }
    assert_eq!(User::get(&db, 4_u64).await.unwrap().unwrap(), mary_again);
    db.close().await.unwrap();
}

async fn statements_in_a_session_are_part_of_it(place: &Place) {
    let db = open(place).await;
    User::new(1, "Peter", 1).save(&db).await.unwrap();
    // As short as the Python library has it.
    let add_points = async |id: u64, points: i64| {
        let s = db.session()?;
        let rows =
            update::<User>().filter(|u| u.id.eq(id)).set(|u| u.points, |u| u.points + points).run(&s).await?;
        if rows == 0 {
            s.add(User::new(id, &format!("User_{id}"), points)).await?;
        }
        s.commit().await
    };
    add_points(1, 5).await.unwrap();
    add_points(2, 7).await.unwrap();
    assert_eq!(users(&db).await, [(1, 6), (2, 7)]);

    let s = db.session().unwrap();
    let peter = User::new(1, "Peter", 60).save_or_update(&s).await.unwrap();
    let ada = User::new(3, "Ada", 3).save_or_update(&s).await.unwrap();
    let same = User::new(2, "?", 0).get_or_create(&s).await.unwrap();
    let returned = update::<User>().filter(|u| u.points.gt(50)).set(|u| u.points, |_| 50).returning(&s).await;
    let gone = delete::<User>().filter(|u| u.points.lt(5)).run(&s).await.unwrap();
    assert_eq!((gone, users(&db).await), (1, vec![(1, 6), (2, 7)]));
    let seq = s.commit().await.unwrap();
    assert_eq!(users(&db).await, [(1, 50), (2, 7)]);
    let found = User::find(&db).all().await.unwrap();
    assert_eq!((&returned.unwrap()[0], &same), (&found[0], &found[1]));
    assert!(found[0].version() == seq && found[1].version() < seq, "what is as it was is not written");
    for mut stale in [peter, ada] {
        stale.points = -1;
        assert_eq!(stale.update().await.unwrap_err().kind(), ErrorKind::Conflict);
    }
    db.close().await.unwrap();
}

async fn what_comes_to_nothing_sends_nothing(place: &Place) {
    let db = open(place).await;
    let mut peter = User::new(1, "Peter", 1).save(&db).await.unwrap();
    let frames = db.frames().unwrap();
    let s = db.session().unwrap();
    s.update(&mut peter).await.unwrap();
    for points in [2, 1] {
        peter.points = points;
        s.update(&mut peter).await.unwrap();
    }
    let ada = s.add(User::new(2, "Ada", 1)).await.unwrap();
    s.delete(ada).await.unwrap();
    s.commit().await.unwrap();
    assert_eq!(db.frames().unwrap(), frames);
    peter.points = 5;
    peter.update().await.unwrap();
    assert_eq!(users(&db).await, [(1, 5)]);
    db.close().await.unwrap();
}

async fn a_follower_reads_in_sessions_and_writes_nothing(place: &Place) {
    let db = open(place).await;
    User::new(1, "a", 0).save(&db).await.unwrap();
    let follower = place.follower();
    follower.table::<User>().unwrap().table::<Note>().unwrap();
    place.connect(&follower).await.unwrap();
    let s = follower.session().unwrap();
    let mut row = s.get::<User>(1_u64).await.unwrap().unwrap();
    row.points = 5;
    s.update(&mut row).await.unwrap();
    assert_eq!(users(&s).await, [(1, 5)]);
    assert_eq!(s.flush().await.unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(s.commit().await.unwrap_err().kind(), ErrorKind::ReadOnly);
    let statement = update::<User>().set(|u| u.points, |u| u.points + 1).run(&follower);
    assert_eq!(statement.await.unwrap_err().kind(), ErrorKind::ReadOnly);
    follower.close().await.unwrap();
    db.close().await.unwrap();
}

/// The answer to a commit is held back: its outcome is unknown when the deadline passes, and is found out later.
async fn a_session_with_a_deadline_tells_how_it_ended(place: &Place) {
    let db = open(place).await;
    User::new(1, "a", 0).save(&db).await.unwrap();
    let held = Rule::new(Action::DelayReply { ms: 3_000 }).on("POST", "/channels/{channel}/messages");
    place.local().faults().push(held);
    let s = db.session().unwrap().deadline(Duration::from_millis(500));
    let mut added = s.add(User::new(2, "b", 0)).await.unwrap();
    let error = s.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownOutcome, "{error}");
    let commit = error.commit().unwrap();
    assert_eq!(added.update().await.unwrap_err().kind(), ErrorKind::Invalid, "nobody knows yet");
    while db.outcome(commit).unwrap() == Outcome::Pending {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(db.outcome(commit).unwrap(), Outcome::Durable);
    assert_eq!(users(&db).await, [(1, 0), (2, 0)]);
    db.close().await.unwrap();
}

//! Watching: every change exactly once, whole commits in their order, and no silent loss.

use std::collections::BTreeMap;
use std::time::Duration;

use discobase::{Change, Database, ErrorKind, Record, Seq, Table, Watch, Watched};
use discobase_guild::Limits;

use crate::following::{SOON, follower, owner, rows, same};
use crate::support::{Place, limits};
use crate::tables::{Note, User};

crate::everywhere!(a_watch_gives_each_kind_of_change, a_watch_ends_with_the_connection);

crate::in_process!(
    watches_see_every_change_exactly_once_and_in_order_under_load,
    a_slow_watcher_is_told_that_it_lags,
    a_filter_gives_what_enters_stays_and_leaves,
    a_watch_of_a_fenced_owner_says_why_it_ends,
    a_follower_that_loads_anew_gives_the_difference,
);

async fn event(watch: &mut Watch<User>) -> Watched<User> {
    tokio::time::timeout(SOON, watch.next()).await.expect("something happens").unwrap().unwrap()
}

async fn commit(watch: &mut Watch<User>) -> (Seq, Vec<Change<User>>) {
    match event(watch).await {
        Watched::Commit { seq, changes } => (seq, changes),
        other => panic!("{other:?}"),
    }
}

async fn nothing(watch: &mut Watch<User>) {
    let event = tokio::time::timeout(Duration::from_millis(100), watch.next()).await;
    assert!(event.is_err(), "{event:?}");
}

async fn a_watch_gives_each_kind_of_change(place: &Place) {
    let db = owner(place).await;
    db.table::<Note>().unwrap();
    db.build_tables().await.unwrap();
    let first = User::new(1, "a", 1).save(&db).await.unwrap();
    let far = follower(place).await;
    for db_watched in [&db, &far] {
        same(&db, &far).await;
        let mut watch = User::watch(db_watched).unwrap();
        assert_eq!(watch.records().unwrap().len(), 1);
        Note { text: "another table".into() }.save(&db).await.unwrap();
        let mut row = User::get(&db, 1_u64).await.unwrap().unwrap();
        let before = row.points;
        row.points += 1;
        row.update().await.unwrap();
        let two = User::save_all([User::new(2, "b", 2), User::new(3, "c", 3)], &db).await.unwrap();

        let (seq, changes) = commit(&mut watch).await;
        let [Change::Updated { old, new }] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!((old.points, new.points, new.version(), new.id()), (before, before + 1, seq, first.id()));
        assert_eq!(*new, row);
        let (seq, changes) = commit(&mut watch).await;
        let [Change::Inserted { new: b }, Change::Inserted { new: c }] = changes.as_slice() else {
            panic!("{changes:?}")
        };
        assert_eq!(((&b.name, &c.name), b.version()), ((&"b".to_owned(), &"c".to_owned()), seq));
        for record in two {
            let id = record.id();
            let gone = record.delete().await.unwrap();
            let (_, changes) = commit(&mut watch).await;
            let [change @ Change::Deleted { old }] = changes.as_slice() else { panic!("{changes:?}") };
            assert_eq!((&**old, change.id()), (&gone, id));
        }
        nothing(&mut watch).await;
    }
    far.close().await.unwrap();
    db.close().await.unwrap();
}

async fn a_watch_ends_with_the_connection(place: &Place) {
    let db = owner(place).await;
    let far = follower(place).await;
    let (mut near, mut other) = (User::watch(&db).unwrap(), User::watch(&far).unwrap());
    User::new(1, "a", 1).save(&db).await.unwrap();
    same(&db, &far).await;
    db.close().await.unwrap();
    far.close().await.unwrap();
    for watch in [&mut near, &mut other] {
        assert_eq!(commit(watch).await.1.len(), 1, "what was seen before is given");
        assert!(tokio::time::timeout(SOON, watch.next()).await.unwrap().is_none());
    }
    assert_eq!(User::watch(&db).unwrap_err().kind(), ErrorKind::NotConnected);
}

/// A small generator: the seed decides.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[expect(clippy::print_stdout, reason = "a failure is repeated with it")]
fn seed() -> u64 {
    let given = std::env::var("DISCOBASE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let hash = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0_u8);
        hash | 1
    });
    println!("DISCOBASE_SEED={seed}");
    seed
}

/// Saves, updates and deletes at random, in commits of one or several records.
async fn work(db: Database, mut random: Random, base: u64) {
    let mut mine: Vec<Record<User>> = Vec::new();
    for step in 0..60_u64 {
        let id = base + step * 10;
        match random.below(4) {
            0 if !mine.is_empty() => {
                let place = usize::try_from(random.below(mine.len() as u64)).unwrap();
                mine.swap_remove(place).delete().await.unwrap();
            }
            1 if !mine.is_empty() => {
                let place = usize::try_from(random.below(mine.len() as u64)).unwrap();
                mine[place].points += 1;
                mine[place].update().await.unwrap();
            }
            2 => {
                let many = (0..random.below(9)).map(|n| User::new(id + n, &format!("{}", id + n), 0));
                mine.extend(User::save_all(many, &db).await.unwrap());
            }
            _ => mine.push(User::new(id, &id.to_string(), 0).save(&db).await.unwrap()),
        }
    }
}

type Model = BTreeMap<u64, (u64, User)>;

/// Replays what the watch gives onto what it began with, until it has given commit `last`. Where the journal was
/// loaded `anew`, versions may go back.
async fn replay(mut watch: Watch<User>, begun: Vec<Record<User>>, last: Seq, anew: bool) -> Model {
    let entry = |record: &Record<User>| (record.id().get(), (record.version().get(), (**record).clone()));
    let mut model: Model = begun.iter().map(entry).collect();
    let mut seen = watch.seq();
    while seen < last {
        let (seq, changes) = commit(&mut watch).await;
        assert!(seq > seen || anew, "commit {seq} after {seen}");
        assert!(!changes.is_empty());
        seen = seq;
        for change in &changes {
            let id = change.id().get();
            let known = model.get(&id).cloned();
            assert_eq!(change.before().map(|old| entry(old).1), known, "what was there before commit {seq}");
            match change.after() {
                Some(new) => {
                    assert!(new.version() == seq || anew);
                    model.insert(id, entry(new).1);
                }
                None => drop(model.remove(&id)),
            }
        }
    }
    assert_eq!(seen, last);
    nothing(&mut watch).await;
    model
}

async fn watches_see_every_change_exactly_once_and_in_order_under_load(place: &Place) {
    let seed = seed();
    let db = place.builder().timing(0, 0, 2_000).build();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    let far = follower(place).await;
    for (skip, action) in [(3, "swallow"), (9, "repeat"), (15, "reorder"), (21, "drop")] {
        use discobase_guild::{Action, Rule};
        let action = match action {
            "swallow" => Action::SwallowEvent,
            "repeat" => Action::RepeatEvent,
            "reorder" => Action::ReorderEvent,
            _ => Action::DropSocket,
        };
        place.local().faults().push(Rule::new(action).on_event("MESSAGE_CREATE").skip(skip));
    }
    let workers: Vec<_> = (0..4_u64)
        .map(|n| tokio::spawn(work(db.clone(), Random(seed.wrapping_add(n) | 1), n * 1_000_000)))
        .collect();
    // Watches that begin in the middle, each with what was there then.
    let mut watches = Vec::new();
    for round in 0..6 {
        for one in [&db, &far] {
            let mut watch = User::watch(one).unwrap();
            let begun = if round % 2 == 0 {
                watch.records().unwrap()
            } else {
                // Without a snapshot of its own it is compared from the next one on.
                watch = User::watch(one).unwrap();
                watch.records().unwrap()
            };
            watches.push((watch, begun));
        }
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    for worker in workers {
        worker.await.unwrap();
    }
    same(&db, &far).await;
    let last = db.lag().unwrap().seq;
    let expected: Model =
        rows(&db).await.into_iter().map(|(id, version, user)| (id, (version, user))).collect();
    for (watch, begun) in watches {
        // The last commit may have been one of another kind than a change: there is only one table.
        assert_eq!(replay(watch, begun, last, false).await, expected);
    }
    far.close().await.unwrap();
    db.close().await.unwrap();
}

async fn a_slow_watcher_is_told_that_it_lags(place: &Place) {
    let db = owner(place).await;
    let mut slow = User::watch(&db).unwrap().buffer(3);
    let mut quick = User::watch(&db).unwrap();
    for id in 0..5 {
        User::new(id, &id.to_string(), 0).save(&db).await.unwrap();
    }
    assert_eq!(event(&mut slow).await, Watched::Lagged);
    let records = slow.records().unwrap();
    assert_eq!(records.len(), 5);
    assert_eq!(slow.seq(), db.lag().unwrap().seq);
    // From there on nothing is missing.
    let last = User::new(9, "last", 0).save(&db).await.unwrap();
    assert_eq!(commit(&mut slow).await, (last.version(), vec![Change::Inserted { new: last }]));
    for _ in 0..6 {
        assert_eq!(commit(&mut quick).await.1.len(), 1, "nobody else is disturbed");
    }
    // A commit is given whole, however large.
    User::save_all((100..200).map(|id| User::new(id, &id.to_string(), 0)), &db).await.unwrap();
    assert_eq!(commit(&mut slow).await.1.len(), 100);
    db.close().await.unwrap();
}

async fn a_filter_gives_what_enters_stays_and_leaves(place: &Place) {
    let db = owner(place).await;
    let rich = User::new(1, "rich", 10).save(&db).await.unwrap();
    User::new(2, "poor", 0).save(&db).await.unwrap();
    let mut watch = User::watch(&db).unwrap().filter(|u| u.points.ge(5)).filter(|u| u.name.ne("nobody"));
    assert_eq!(watch.records().unwrap(), std::slice::from_ref(&rich));
    User::new(3, "poor too", 1).save(&db).await.unwrap();
    let mut poor = User::get(&db, 2_u64).await.unwrap().unwrap();
    for points in [7, 8, 1, 2] {
        poor.points = points;
        poor.update().await.unwrap();
    }
    rich.delete().await.unwrap();
    let mut points = Vec::new();
    for _ in 0..4 {
        let (_, changes) = commit(&mut watch).await;
        let [change] = changes.as_slice() else { panic!("{changes:?}") };
        points.push((change.before().map(|old| old.points), change.after().map(|new| new.points)));
    }
    assert_eq!(points, [(Some(0), Some(7)), (Some(7), Some(8)), (Some(8), Some(1)), (Some(10), None)]);
    nothing(&mut watch).await;
    db.close().await.unwrap();
}

async fn a_watch_of_a_fenced_owner_says_why_it_ends(place: &Place) {
    let build = || Database::builder(&place.name).timing(50, 100, 60_000).gateway(false).build();
    let (first, second) = (build(), build());
    first.table::<User>().unwrap();
    second.table::<User>().unwrap();
    first.connect_guild(place.local()).await.unwrap();
    User::new(1, "a", 1).save(&first).await.unwrap();
    let mut watch = User::watch(&first).unwrap();
    second.connect_guild(place.local()).await.unwrap();
    User::new(2, "b", 1).save(&second).await.unwrap();
    assert_eq!(User::new(3, "c", 1).save(&first).await.unwrap_err().kind(), ErrorKind::Fenced);
    let error = tokio::time::timeout(SOON, watch.next()).await.unwrap().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(watch.next().await.is_none());
    first.close().await.unwrap();
    second.close().await.unwrap();
}

/// The newest frame is deleted and the journal goes on without it: those who watch are told what was taken back.
async fn a_follower_that_loads_anew_gives_the_difference(_: &Place) {
    let place = &Place::limited(Limits { nonce_window_ms: 2_000, ..limits() }).await;
    let db = owner(place).await;
    let far = follower(place).await;
    User::new(1, "stays", 1).save(&db).await.unwrap();
    User::new(2, "is lost", 1).save(&db).await.unwrap();
    same(&db, &far).await;
    let mut watch = User::watch(&far).unwrap();
    let begun = watch.records().unwrap();
    let journal = far.journal().unwrap().get();
    let last = place
        .local()
        .with_state(|state, _| state.messages_in(journal).map(|message| message.id).next_back().unwrap());
    drop(db);
    place.local().delete_as_moderator(journal, last).unwrap();
    // Nobody can open the database before the deleted frame's nonce is forgotten.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let next = owner(place).await;
    User::new(3, "comes", 1).save(&next).await.unwrap();
    User::new(4, "comes too", 1).save(&next).await.unwrap();
    same(&next, &far).await;
    let last = next.lag().unwrap().seq;
    let expected: Model =
        rows(&next).await.into_iter().map(|(id, version, user)| (id, (version, user))).collect();
    assert_eq!(replay(watch, begun, last, true).await, expected);
    next.close().await.unwrap();
    far.close().await.unwrap();
}

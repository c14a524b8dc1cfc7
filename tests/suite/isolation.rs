//! What sessions at once see of each other, and transactions that are repeated.

use discobase::{Database, Error, ErrorKind, Table, Transaction, delete, update};

use crate::sessions::{open, users};
use crate::support::Place;
use crate::tables::{Note, User};

crate::everywhere!(
    only_a_serializable_session_minds_write_skew,
    a_serializable_session_minds_what_it_read_and_nothing_else,
    transfers_at_once_keep_the_sum_in_every_state,
    a_transaction_gives_up_after_its_attempts_and_takes_errors_for_errors,
);

/// Two rows of which at least one must be on, and two sessions that each turn one off because the other is on.
async fn write_skew(db: &Database, serializable: bool) -> (discobase::Result<discobase::Seq>, Vec<i64>) {
    delete::<User>().run(db).await.unwrap();
    User::save_all([User::new(1, "a", 1), User::new(2, "b", 1), User::new(3, "c", 0)], db).await.unwrap();
    let begin = || {
        let s = db.session().unwrap();
        if serializable { s.serializable() } else { s }
    };
    let (first, second) = (begin(), begin());
    for (s, id) in [(&first, 1_u64), (&second, 2)] {
        assert_eq!(s.select::<User>().filter(|u| u.points.gt(0)).count().await.unwrap(), 2);
        let mut row = s.get::<User>(id).await.unwrap().unwrap();
        row.points = 0;
        s.update(&mut row).await.unwrap();
    }
    first.commit().await.unwrap();
    let second = second.commit().await;
    (second, User::find(db).scalars(|u| u.points).await.unwrap())
}

async fn only_a_serializable_session_minds_write_skew(place: &Place) {
    let db = open(place).await;
    let (second, points) = write_skew(&db, false).await;
    assert!(second.is_ok() && points == [0, 0, 0], "snapshot isolation allows it: {second:?} {points:?}");
    let (second, points) = write_skew(&db, true).await;
    assert_eq!(second.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(points, [0, 1, 0]);
    db.close().await.unwrap();
}

async fn a_serializable_session_minds_what_it_read_and_nothing_else(place: &Place) {
    let db = open(place).await;
    User::save_all([User::new(1, "a", 1), User::new(2, "b", 20), User::new(3, "c", 30)], &db).await.unwrap();
    let note = || Note { text: "written".into() };
    let read = async |read: fn(&discobase::Session) -> discobase::Find<User>, id: u64, points: i64| {
        let s = db.session().unwrap().serializable();
        read(&s).all().await.unwrap();
        s.add(note()).await.unwrap();
        update::<User>().filter(|u| u.id.eq(id)).set(|u| u.points, |_| points).run(&db).await.unwrap();
        s.commit().await.map_err(|error| error.kind())
    };
    let high = |s: &discobase::Session| s.select::<User>().filter(|u| u.points.ge(20));
    // A row that was read was changed; one that was not read was changed; one came into what was read, and one left.
    assert_eq!(read(high, 2, 21).await, Err(ErrorKind::Conflict));
    assert!(read(high, 1, 2).await.is_ok());
    assert_eq!(read(high, 1, 22).await, Err(ErrorKind::Conflict), "a phantom");
    assert_eq!(read(high, 1, 3).await, Err(ErrorKind::Conflict));
    assert_eq!(read(|s| s.select::<User>(), 1, 4).await, Err(ErrorKind::Conflict));

    // By key, also of a row that is not there.
    for (id, other, conflicts) in [(1_u64, 1_u64, true), (1, 2, false), (9, 9, true), (9, 8, false)] {
        let s = db.session().unwrap().serializable();
        s.get::<User>(id).await.unwrap();
        s.add(note()).await.unwrap();
        match User::get(&db, other).await.unwrap() {
            Some(_) => {
                let more = update::<User>().filter(|u| u.id.eq(other)).set(|u| u.points, |u| u.points + 1);
                more.run(&db).await.unwrap();
            }
            None => drop(User::new(other, &other.to_string(), 0).save(&db).await.unwrap()),
        }
        let committed = s.commit().await;
        assert_eq!(committed.is_err(), conflicts, "read {id}, {other} changed: {committed:?}");
    }
    // A session that wrote nothing saw one state, and that is all there is to it.
    let s = db.session().unwrap().serializable();
    s.select::<User>().all().await.unwrap();
    update::<User>().set(|u| u.points, |u| u.points + 1).run(&db).await.unwrap();
    s.commit().await.unwrap();
    // What a get-or-create found, and an update by a condition did not find, was read, too.
    let s = db.session().unwrap().serializable();
    User::new(1, "a", 0).get_or_create(&s).await.unwrap();
    s.add(note()).await.unwrap();
    update::<User>().filter(|u| u.id.eq(1)).set(|u| u.points, |u| u.points + 1).run(&db).await.unwrap();
    assert_eq!(s.commit().await.unwrap_err().kind(), ErrorKind::Conflict);
    let s = db.session().unwrap().serializable();
    assert_eq!(update::<User>().filter(|u| u.id.eq(77)).set(|u| u.points, |_| 1).run(&s).await.unwrap(), 0);
    s.add(note()).await.unwrap();
    User::new(77, "77", 0).save(&db).await.unwrap();
    assert_eq!(s.commit().await.unwrap_err().kind(), ErrorKind::Conflict);
    db.close().await.unwrap();
}

/// Moves coins, counts that in a record of the task, and leaves a note.
async fn transfer(db: &Database, task: u64, from: u64, to: u64, coins: i64) -> discobase::Result<bool> {
    db.transaction(|s| async move {
        let mut from = s.get::<User>(from).await?.expect("it exists");
        let mut to = s.get::<User>(to).await?.expect("it exists");
        if from.points < coins {
            return Ok(false);
        }
        from.points -= coins;
        to.points += coins;
        s.update(&mut from).await?;
        s.update(&mut to).await?;
        s.add(Note { text: format!("{coins}") }).await?;
        update::<User>().filter(|u| u.id.eq(100 + task)).set(|u| u.points, |u| u.points + 1).run(&s).await?;
        Ok(true)
    })
    .await
}

/// Every state that anybody sees has all the money, and as many notes in one table as transfers are counted in the other:
/// a commit is seen whole, across tables, or not at all.
async fn transfers_at_once_keep_the_sum_in_every_state(place: &Place) {
    let db = open(place).await;
    User::save_all((0..6).map(|id| User::new(id, &id.to_string(), 100)), &db).await.unwrap();
    User::save_all((100..106).map(|id| User::new(id, &id.to_string(), 0)), &db).await.unwrap();
    let tasks: Vec<_> = (0..6_u64)
        .map(|task| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut made = 0;
                for round in 0..8_u64 {
                    let (from, to) = ((task + round) % 6, (task + round * 2 + 1) % 6);
                    let coins = (task * 7 + round * 13) % 50;
                    if from != to && transfer(&db, task, from, to, coins as i64).await.unwrap() {
                        made += 1;
                    }
                }
                made
            })
        })
        .collect();
    let mut seen = 0;
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        let snapshot = db.snapshot().unwrap();
        let sum = async |counted: bool| -> i64 {
            let users = User::find(&snapshot).filter(|u| if counted { u.id.ge(100) } else { u.id.lt(100) });
            users.scalars(|u| u.points).await.unwrap().iter().sum()
        };
        assert_eq!(sum(false).await, 600, "at {}", snapshot.seq());
        let notes = Note::count(&snapshot).await.unwrap();
        assert_eq!(sum(true).await, notes as i64, "at {}", snapshot.seq());
        seen += 1;
        tokio::task::yield_now().await;
    }
    let mut made = 0;
    for task in tasks {
        made += task.await.unwrap();
    }
    assert!(seen > 0 && made > 10);
    assert_eq!(Note::count(&db).await.unwrap(), made);
    db.close().await.unwrap();
    let db = open(place).await;
    let points = User::find(&db).scalars(|u| u.points).await.unwrap();
    assert_eq!(points.iter().sum::<i64>(), 600 + made as i64);
    assert_eq!(Note::count(&db).await.unwrap(), made);
    db.close().await.unwrap();
}

async fn a_transaction_gives_up_after_its_attempts_and_takes_errors_for_errors(place: &Place) {
    let db = open(place).await;
    User::new(1, "a", 0).save(&db).await.unwrap();
    let begun = std::sync::atomic::AtomicU32::new(0);
    let spoil = async |s: discobase::Session| {
        begun.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut row = s.get::<User>(1_u64).await?.expect("it exists");
        update::<User>().set(|u| u.points, |u| u.points + 1).run(&db).await?;
        row.points = -1;
        s.update(&mut row).await
    };
    let error = Transaction::new().attempts(3).run(&db, spoil).await.unwrap_err();
    let begun = begun.into_inner();
    assert_eq!((error.kind(), begun), (ErrorKind::Conflict, 3), "{error}");
    assert_eq!(users(&db).await, [(1, 3)]);

    let failing = db.transaction(|s| async move {
        s.add(Note { text: "never".into() }).await?;
        Err::<(), _>(Error::new(ErrorKind::NotFound, "the caller's own"))
    });
    assert_eq!(failing.await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(Note::count(&db).await.unwrap(), 0);
    // A key that somebody takes between reading and committing is found the next time.
    let add = async |s: discobase::Session| {
        if let Some(found) = s.get::<User>(2_u64).await? {
            return Ok(found.name.clone());
        }
        User::new(2, "other", 0).get_or_create(&db).await?;
        s.add(User::new(2, "mine", 0)).await?;
        s.flush().await?;
        Ok("mine".to_owned())
    };
    assert_eq!(db.transaction(add).await.unwrap(), "other");
    db.close().await.unwrap();
}

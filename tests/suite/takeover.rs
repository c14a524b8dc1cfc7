//! Followers that become writers: told to, or because the owner is gone; and owners that object.

use std::future::IntoFuture as _;
use std::time::Duration;

use discobase::{Database, ErrorKind, Role, Table};

use crate::following::{SOON, follower, owner, same, until};
use crate::support::Place;
use crate::tables::{Note, User};

crate::everywhere!(a_follower_takes_over_after_a_close, a_follower_takes_over_after_a_crash);

crate::in_process!(
    a_live_owner_keeps_the_database_from_a_follower,
    standing_by_takes_over_after_a_close,
    standing_by_takes_over_after_a_crash,
    standing_by_leaves_a_live_owner_alone,
    who_asks_while_it_takes_over_by_itself_is_answered,
    an_owner_that_was_taken_over_by_a_follower_is_fenced,
    of_two_that_stand_by_one_takes_over,
    what_was_written_before_a_takeover_has_its_outcome,
);

async fn writes(db: &Database, id: u64) {
    assert_eq!(db.role().unwrap(), Role::Writer);
    User::new(id, &id.to_string(), 0).save(db).await.unwrap();
    let taken = User::new(id, "another", 0).save(db).into_future();
    let refused = tokio::time::timeout(SOON, taken).await.expect("it is refused at once").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::DuplicateKey);
}

async fn a_follower_takes_over_after_a_close(place: &Place) {
    let owner = owner(place).await;
    User::new(1, "a", 1).save(&owner).await.unwrap();
    let follower = follower(place).await;
    // Registered late and missing: made when this process may.
    follower.table::<Note>().unwrap();
    owner.close().await.unwrap();
    follower.promote().await.unwrap();
    let error = User::new(1, "taken", 1).save(&follower).deadline(SOON).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey, "what others wrote before is decided");
    writes(&follower, 2).await;
    Note { text: "made".into() }.save(&follower).await.unwrap();
    follower.promote().await.unwrap();
    assert_eq!(User::count(&follower).await.unwrap(), 2);
    follower.close().await.unwrap();
    let db = self::owner(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 2);
    db.close().await.unwrap();
}

async fn a_follower_takes_over_after_a_crash(place: &Place) {
    let owner = owner(place).await;
    User::new(1, "a", 1).save(&owner).await.unwrap();
    let follower = follower(place).await;
    drop(owner);
    follower.promote().await.unwrap();
    writes(&follower, 2).await;
    follower.close().await.unwrap();
}

/// Discord's waits, shortened so that tests need not take them. An owner on a busy machine must still object in time.
fn short(place: &Place) -> discobase::DatabaseBuilder {
    Database::builder(&place.name).timing(100, 3_000, 4_000)
}

async fn open(place: &Place, db: Database) -> Database {
    db.table::<User>().unwrap();
    db.connect_guild(place.local()).await.unwrap();
    db
}

async fn a_live_owner_keeps_the_database_from_a_follower(place: &Place) {
    let owner = open(place, short(place).build()).await;
    User::new(1, "a", 1).save(&owner).await.unwrap();
    let follower = open(place, short(place).follower().build()).await;
    assert_eq!(follower.promote().await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(follower.role().unwrap(), Role::Follower);
    // It follows on, and does not try again at once.
    User::new(2, "b", 1).save(&owner).await.unwrap();
    same(&owner, &follower).await;
    let error = follower.promote().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(error.to_string().contains("try again in"), "{error}");
    owner.close().await.unwrap();
    // After the wait it may.
    tokio::time::sleep(Duration::from_millis(4_200)).await;
    follower.promote().await.unwrap();
    writes(&follower, 3).await;
    follower.close().await.unwrap();
}

async fn standing_by_takes_over_after_a_close(place: &Place) {
    let owner = open(place, short(place).build()).await;
    let standby = open(place, short(place).stand_by(Duration::from_millis(700)).build()).await;
    User::new(1, "a", 1).save(&owner).await.unwrap();
    owner.close().await.unwrap();
    until("it takes over", || async { standby.role().unwrap() == Role::Writer }).await;
    assert_eq!(User::count(&standby).await.unwrap(), 1);
    writes(&standby, 2).await;
    standby.close().await.unwrap();
}

async fn standing_by_takes_over_after_a_crash(place: &Place) {
    let owner = open(place, short(place).build()).await;
    let standby = place.builder().timing(100, 3_000, 4_000);
    let standby = open(place, standby.stand_by(Duration::from_millis(700)).build()).await;
    standby.table::<Note>().unwrap();
    User::new(1, "a", 1).save(&owner).await.unwrap();
    drop(owner);
    until("it takes over", || async { standby.role().unwrap() == Role::Writer }).await;
    writes(&standby, 2).await;
    // What is missing is made without being asked for.
    until("the table is made", || async { Note { text: "x".into() }.save(&standby).await.is_ok() }).await;
    standby.close().await.unwrap();
}

async fn who_asks_while_it_takes_over_by_itself_is_answered(place: &Place) {
    let owner = open(place, short(place).build()).await;
    let standby = open(place, short(place).stand_by(Duration::from_millis(1_000)).build()).await;
    let journal = owner.journal().unwrap().get();
    owner.close().await.unwrap();
    let opened = || {
        place.local().with_state(|state, _| {
            let last = state.messages_in(journal).next_back();
            last.is_some_and(|last| last.content.contains("\"kind\":\"open\""))
        })
    };
    // It posts its open, perhaps before the owner's close has returned, and waits until nothing can object any more.
    until("it begins to take over", || async { opened() }).await;
    assert_eq!(standby.role().unwrap(), Role::Follower);
    tokio::time::timeout(SOON, standby.promote()).await.expect("it is answered").unwrap();
    writes(&standby, 1).await;
    tokio::time::timeout(SOON, standby.close()).await.expect("it can be closed").unwrap();
}

async fn standing_by_leaves_a_live_owner_alone(place: &Place) {
    let owner = open(place, short(place).build()).await;
    let standby = open(place, short(place).stand_by(Duration::from_millis(300)).build()).await;
    // The owner is silent, and objects when it is asked.
    tokio::time::sleep(Duration::from_millis(6_000)).await;
    assert_eq!(standby.role().unwrap(), Role::Follower);
    User::new(1, "a", 1).save(&owner).await.unwrap();
    same(&owner, &standby).await;
    standby.close().await.unwrap();
    owner.close().await.unwrap();
}

async fn an_owner_that_was_taken_over_by_a_follower_is_fenced(place: &Place) {
    // It hears nothing: no gateway, and idle for less than half a window.
    let quiet = || Database::builder(&place.name).timing(100, 300, 60_000).gateway(false);
    let owner = open(place, quiet().build()).await;
    User::new(1, "a", 1).save(&owner).await.unwrap();
    let follower = open(place, quiet().follower().build()).await;
    follower.promote().await.unwrap();
    writes(&follower, 2).await;
    assert_eq!(User::new(3, "lost", 1).save(&owner).await.unwrap_err().kind(), ErrorKind::Fenced);
    writes(&follower, 4).await;
    owner.close().await.unwrap();
    follower.close().await.unwrap();
}

async fn of_two_that_stand_by_one_takes_over(place: &Place) {
    let owner = open(place, short(place).build()).await;
    let stand_by = || short(place).stand_by(Duration::from_millis(500)).build();
    let (one, two) = (open(place, stand_by()).await, open(place, stand_by()).await);
    User::new(1, "a", 1).save(&owner).await.unwrap();
    drop(owner);
    let writer = |db: &Database| db.role().unwrap() == Role::Writer;
    until("one takes over", || async { writer(&one) || writer(&two) }).await;
    // The other does not, as long as this one is there.
    for id in 2..8 {
        assert!(!(writer(&one) && writer(&two)), "there is one writer");
        let db = if writer(&one) { &one } else { &two };
        writes(db, id).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (writer, other) = if writer(&one) { (one, two) } else { (two, one) };
    same(&writer, &other).await;
    assert_eq!(User::count(&other).await.unwrap(), 7);
    other.close().await.unwrap();
    writer.close().await.unwrap();
}

async fn what_was_written_before_a_takeover_has_its_outcome(place: &Place) {
    use discobase::{CommitId, Outcome};
    let owner = owner(place).await;
    let before = User::new(1, "a", 1).save(&owner).await.unwrap().version();
    let follower = follower(place).await;
    let heard = User::new(2, "b", 1).save(&owner).await.unwrap().version();
    let incarnation = owner.incarnation().unwrap();
    same(&owner, &follower).await;
    let outcome = |seq| follower.outcome(CommitId { incarnation, seq }).unwrap();
    assert_eq!([outcome(before), outcome(heard)], [Outcome::Durable; 2]);
    owner.close().await.unwrap();
    follower.promote().await.unwrap();
    let own = User::new(3, "c", 1).save(&follower).await.unwrap().version();
    assert_eq!([outcome(before), outcome(heard)], [Outcome::Durable; 2]);
    let incarnation = follower.incarnation().unwrap();
    let outcome = |seq| follower.outcome(CommitId { incarnation, seq }).unwrap();
    assert_eq!(
        [outcome(own), outcome(heard), outcome(own.next())],
        [Outcome::Durable, Outcome::NotDurable, Outcome::NotDurable]
    );
    follower.close().await.unwrap();
}

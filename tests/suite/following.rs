//! Processes that follow: they see what the owner writes, whatever the gateway does, and change nothing.

use std::future::Future;
use std::time::{Duration, Instant};

use discobase::{Database, DatabaseBuilder, ErrorKind, Role, Table};
use discobase_guild::state::permission;
use discobase_guild::{Action, Limits, Rule};

use crate::support::{Place, limits};
use crate::tables::{Note, User};

crate::everywhere!(a_follower_sees_what_the_owner_writes, a_follower_writes_nothing);

crate::in_process!(
    a_follower_creates_nothing,
    a_follower_needs_no_permission_to_write,
    a_struct_that_differs_is_named_to_a_follower,
    a_table_that_the_owner_adds_can_be_followed,
    whatever_the_gateway_does_a_follower_ends_up_with_the_same_tables,
    a_silent_gateway_is_made_up_for_by_reading,
    large_frames_are_followed,
    a_deleted_tail_is_reported_and_what_was_read_is_served,
    a_hole_is_reported_and_what_was_read_is_served,
    a_follower_sees_a_journal_that_was_hidden_again,
);

pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Waits until something holds.
#[expect(clippy::disallowed_methods, reason = "how long a test waits is no time of the database's")]
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < SOON, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn owner(place: &Place) -> Database {
    connected(place, place.builder()).await
}

pub(crate) async fn follower(place: &Place) -> Database {
    connected(place, place.builder().follower()).await
}

/// A follower to whom the gateway tells nothing: it reads.
pub(crate) async fn deaf(place: &Place) -> Database {
    connected(place, place.builder().follower().gateway(false)).await
}

pub(crate) async fn connected(place: &Place, builder: DatabaseBuilder) -> Database {
    let db = builder.build();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

/// Every row with its identity and version, in the order of their ids.
pub(crate) async fn rows(db: &Database) -> Vec<(u64, u64, User)> {
    let rows = User::find(db).all().await.unwrap();
    rows.into_iter().map(|row| (row.id().get(), row.version().get(), row.into_inner())).collect()
}

/// Waits until a follower holds exactly what the owner does.
pub(crate) async fn same(owner: &Database, follower: &Database) {
    until("the follower holds what the owner does", || async {
        follower.lag().unwrap().seq == owner.lag().unwrap().seq
    })
    .await;
    assert_eq!(rows(owner).await, rows(follower).await);
}

async fn a_follower_sees_what_the_owner_writes(place: &Place) {
    let owner = owner(place).await;
    User::new(1, "before", 1).save(&owner).await.unwrap();
    let follower = follower(place).await;
    assert_eq!(User::count(&follower).await.unwrap(), 1);
    assert_eq!((owner.role().unwrap(), follower.role().unwrap()), (Role::Writer, Role::Follower));
    let mut second = User::new(2, "second", 2).save(&owner).await.unwrap();
    User::save_all((3..6).map(|id| User::new(id, &id.to_string(), 0)), &owner).await.unwrap();
    second.points = 20;
    second.update().await.unwrap();
    User::get(&owner, 1_u64).await.unwrap().unwrap().delete().await.unwrap();
    same(&owner, &follower).await;
    assert_eq!(User::find_unique(&follower, |u| u.name.eq("second")).await.unwrap().points, 20);
    owner.close().await.unwrap();
    // The next owner is followed like the first.
    let next = self::owner(place).await;
    User::new(9, "next", 0).save(&next).await.unwrap();
    same(&next, &follower).await;
    follower.close().await.unwrap();
    assert!(!follower.is_open());
    next.close().await.unwrap();
}

async fn a_follower_writes_nothing(place: &Place) {
    let owner = owner(place).await;
    let mut row = User::new(1, "a", 1).save(&owner).await.unwrap();
    let follower = follower(place).await;
    let mut read = User::get(&follower, 1_u64).await.unwrap().unwrap();
    read.points = 2;
    let errors = [
        User::new(2, "b", 1).save(&follower).await.unwrap_err(),
        read.update().await.unwrap_err(),
        read.delete().await.unwrap_err(),
        follower.incarnation().unwrap_err(),
        follower.clean(discobase::Confirm::delete_all_data_of(&place.name)).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    }
    follower.close().await.unwrap();
    // The owner was not disturbed.
    row.points = 3;
    row.update().await.unwrap();
    owner.close().await.unwrap();
}

/// What others than readers do, by route.
fn posted(place: &Place) -> Vec<(String, u64)> {
    let changes = |(route, _): &(String, u64)| !route.starts_with("GET ");
    place.local().stats().by_route.into_iter().filter(changes).collect()
}

async fn a_follower_creates_nothing(place: &Place) {
    let before = posted(place);
    let none = place.follower();
    none.table::<User>().unwrap();
    let error = place.connect(&none).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotCreated);
    assert!(!none.is_open());
    assert_eq!(posted(place), before);
    owner(place).await.close().await.unwrap();
    let before = posted(place);
    let missing = place.follower();
    missing.table::<User>().unwrap();
    missing.table::<Note>().unwrap();
    let error = place.connect(&missing).await.unwrap_err();
    assert_eq!((error.kind(), error.place().table.as_deref()), (ErrorKind::NotCreated, Some("note")));
    let db = follower(place).await;
    db.close().await.unwrap();
    assert_eq!(posted(place), before, "opening, failing and closing change nothing in the guild");
}

async fn a_follower_needs_no_permission_to_write(place: &Place) {
    let owner = owner(place).await;
    User::new(1, "a", 1).save(&owner).await.unwrap();
    owner.close().await.unwrap();
    place.local().set_bot_permissions(permission::VIEW_CHANNEL | permission::READ_MESSAGE_HISTORY);
    let db = follower(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 1);
    db.close().await.unwrap();
    let writer = place.database();
    assert_eq!(place.connect(&writer).await.unwrap_err().kind(), ErrorKind::MissingPermissions);
}

async fn a_struct_that_differs_is_named_to_a_follower(place: &Place) {
    #[derive(Debug, Clone, Table)]
    #[table(name = "users")]
    struct Other {
        #[table(key)]
        id: u64,
    }
    owner(place).await.close().await.unwrap();
    let db = place.follower();
    db.table::<Other>().unwrap();
    assert_eq!(place.connect(&db).await.unwrap_err().kind(), ErrorKind::SchemaChanged);
}

async fn a_table_that_the_owner_adds_can_be_followed(place: &Place) {
    let owner = owner(place).await;
    let follower = follower(place).await;
    follower.table::<Note>().unwrap();
    assert_eq!(follower.build_tables().await.unwrap_err().kind(), ErrorKind::NotCreated);
    owner.table::<Note>().unwrap();
    owner.build_tables().await.unwrap();
    Note { text: "x".into() }.save(&owner).await.unwrap();
    same(&owner, &follower).await;
    follower.build_tables().await.unwrap();
    assert_eq!(Note::find(&follower).first().await.unwrap().unwrap().text, "x");
    follower.close().await.unwrap();
    owner.close().await.unwrap();
}

/// Events that are lost, doubled, or come again after the connection was cut: each frame is followed exactly once.
async fn whatever_the_gateway_does_a_follower_ends_up_with_the_same_tables(place: &Place) {
    // A short window, so that the tail is read every second.
    let owner = place.builder().timing(0, 0, 2_000).gateway(false).build();
    owner.table::<User>().unwrap();
    place.connect(&owner).await.unwrap();
    let follower = follower(place).await;
    let actions = [Action::SwallowEvent, Action::RepeatEvent, Action::ReorderEvent, Action::DropSocket];
    for round in 0..12_u64 {
        let action = actions[(round % 4) as usize].clone();
        place.local().faults().push(Rule::new(action).on_event("MESSAGE_CREATE").skip(round % 5));
        for id in round * 5..round * 5 + 5 {
            User::new(id, &id.to_string(), 0).save(&owner).await.unwrap();
        }
        let mut changed = User::get(&owner, round * 5).await.unwrap().unwrap();
        changed.points = 7;
        changed.update().await.unwrap();
        User::get(&owner, round * 5 + 1).await.unwrap().unwrap().delete().await.unwrap();
        if round % 3 == 2 {
            same(&owner, &follower).await;
        }
    }
    place.local().faults().clear();
    same(&owner, &follower).await;
    assert_eq!(User::count(&follower).await.unwrap(), 48);
    assert!(follower.lag().unwrap().trouble.is_none());
    owner.close().await.unwrap();
    follower.close().await.unwrap();
}

async fn a_silent_gateway_is_made_up_for_by_reading(place: &Place) {
    let owner = connected(place, place.builder().timing(0, 0, 1_000)).await;
    let follower = deaf(place).await;
    for id in 0..3 {
        User::new(id, &id.to_string(), 0).save(&owner).await.unwrap();
        same(&owner, &follower).await;
    }
    // While nothing happens the lag is small after each read: it would only grow if there were none.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let small = Duration::from_millis(1_200);
    until("the lag is small again", || async { follower.lag().unwrap().time < small }).await;
    follower.close().await.unwrap();
    owner.close().await.unwrap();
}

async fn large_frames_are_followed(place: &Place) {
    let owner = owner(place).await;
    let follower = follower(place).await;
    for batch in 0..3_u64 {
        let many = (0..3_000).map(|n| User::new(batch * 3_000 + n, &format!("{batch} {n}"), n as i64));
        User::save_all(many, &owner).await.unwrap();
    }
    let attached = place.local().stats().downloads;
    same(&owner, &follower).await;
    assert_eq!(User::count(&follower).await.unwrap(), 9_000);
    assert!(place.local().stats().downloads >= attached.max(1), "the frames were attachments");
    follower.close().await.unwrap();
    owner.close().await.unwrap();
}

/// The ids of the journal's messages.
fn messages(place: &Place, db: &Database) -> Vec<u64> {
    let journal = db.journal().unwrap().get();
    place.local().with_state(|state, _| state.messages_in(journal).map(|message| message.id).collect())
}

async fn a_deleted_tail_is_reported_and_what_was_read_is_served(_: &Place) {
    let place = &Place::limited(Limits { nonce_window_ms: 2_000, ..limits() }).await;
    let owner = owner(place).await;
    let follower = follower(place).await;
    User::new(1, "a", 1).save(&owner).await.unwrap();
    User::new(2, "b", 1).save(&owner).await.unwrap();
    same(&owner, &follower).await;
    let journal = follower.journal().unwrap();
    let last = messages(place, &follower).pop().unwrap();
    place.local().delete_as_moderator(journal.get(), last).unwrap();
    until("the damage is reported", || async { follower.lag().unwrap().trouble.is_some() }).await;
    let trouble = follower.lag().unwrap().trouble.unwrap();
    assert_eq!(trouble.kind(), ErrorKind::Damaged);
    assert_eq!(trouble.place().message.map(discobase::MessageId::get), Some(last));
    assert_eq!(User::count(&follower).await.unwrap(), 2, "what was read is served");
    // One that has not heard of it yet would write on.
    until("the owner knows", || async { owner.lag().unwrap().trouble.is_some() }).await;
    owner.close().await.unwrap();

    // When the journal goes on without it, which it can when the nonce is forgotten, it is taken back, and following
    // goes on.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let next = self::owner(place).await;
    User::new(3, "c", 1).save(&next).await.unwrap();
    User::new(4, "d", 1).save(&next).await.unwrap();
    same(&next, &follower).await;
    until("the trouble is over", || async { follower.lag().unwrap().trouble.is_none() }).await;
    next.close().await.unwrap();
    follower.close().await.unwrap();
}

async fn a_hole_is_reported_and_what_was_read_is_served(place: &Place) {
    let owner = owner(place).await;
    let follower = follower(place).await;
    for id in 1..5 {
        User::new(id, &id.to_string(), 1).save(&owner).await.unwrap();
    }
    same(&owner, &follower).await;
    let journal = follower.journal().unwrap();
    let victim = messages(place, &follower)[3];
    place.local().delete_as_moderator(journal.get(), victim).unwrap();
    until("the damage is reported", || async { follower.lag().unwrap().trouble.is_some() }).await;
    assert_eq!(follower.lag().unwrap().trouble.unwrap().kind(), ErrorKind::Damaged);
    assert_eq!(User::count(&follower).await.unwrap(), 4);
    follower.close().await.unwrap();
    owner.close().await.unwrap();
}

async fn a_follower_sees_a_journal_that_was_hidden_again(place: &Place) {
    let owner = connected(place, place.builder().timing(0, 0, 1_000)).await;
    let follower = deaf(place).await;
    let journal = follower.journal().unwrap();
    place.forbid(journal, permission::VIEW_CHANNEL);
    until("the trouble is told", || async { follower.lag().unwrap().trouble.is_some() }).await;
    assert_eq!(follower.lag().unwrap().trouble.unwrap().kind(), ErrorKind::MissingPermissions);
    place.forbid(journal, 0);
    User::new(1, "a", 1).save(&owner).await.unwrap();
    same(&owner, &follower).await;
    until("the trouble is over", || async { follower.lag().unwrap().trouble.is_none() }).await;
    owner.close().await.unwrap();
    follower.close().await.unwrap();
}

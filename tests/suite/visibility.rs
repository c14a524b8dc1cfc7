//! Histories that lag behind what was posted: nobody takes for missing what is only not visible yet.

use std::sync::Arc;
use std::time::Duration;

use discobase::transport::Wrapped;
use discobase::transport::twilight::{TwilightConfig, TwilightTransport};
use discobase::{Database, Table};

use discobase_guild::{Action, Rule};

use crate::following::until;
use crate::support::Place;
use crate::support::lagging::Lagging;
use crate::tables::User;

crate::in_process!(
    a_last_frame_that_is_not_visible_yet_keeps_nobody_out,
    a_frame_that_is_not_visible_yet_is_not_missed,
    a_file_that_is_not_there_yet_is_waited_for,
    a_file_that_was_trimmed_is_waited_for_no_longer,
    frames_that_come_out_of_order_are_no_damage,
);

/// A database whose history lags.
async fn open_lagging(place: &Place) -> Database {
    let guild = place.local();
    let mut config = TwilightConfig::new(guild.token());
    config.api = guild.api().parse().unwrap();
    config.gateway = Some(guild.gateway().to_owned());
    let lagging = Lagging { inner: TwilightTransport::new(config).unwrap(), lag: Duration::from_millis(900) };
    let db = Database::builder(&place.name).timing(1_000, 1_000, 60_000).build();
    db.table::<User>().unwrap();
    db.connect_over(Arc::new(Wrapped(lagging))).await.unwrap();
    db
}

async fn a_last_frame_that_is_not_visible_yet_keeps_nobody_out(place: &Place) {
    let db = open_lagging(place).await;
    User::new(0, "0", 0).save(&db).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    User::new(1, "1", 0).save(&db).await.unwrap();
    drop(db);
    let db = open_lagging(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 2);
    db.close().await.unwrap();
}

async fn a_frame_that_is_not_visible_yet_is_not_missed(place: &Place) {
    let guild = place.local();
    let db = open_lagging(place).await;
    let journal = db.journal().unwrap().get();
    for id in 0..3 {
        let posted = guild.post_as(guild.owner_id(), journal, "hello").unwrap();
        User::new(id, &id.to_string(), 0).save(&db).await.unwrap();
        guild.delete_as_moderator(journal, posted.message.id).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    User::new(3, "3", 0).save(&db).await.unwrap();
    db.close().await.unwrap();
}

/// A message may be there before its file can be downloaded: nobody takes that for damage.
async fn a_file_that_is_not_there_yet_is_waited_for(place: &Place) {
    let open = async |db: Database| {
        db.table::<User>().unwrap();
        place.connect(&db).await.unwrap();
        db
    };
    let owner = open(place.database()).await;
    let follower = open(place.follower()).await;
    let late = Rule::new(Action::LateFiles { ms: 1_200 }).on("POST", "/channels/{channel}/messages");
    place.local().faults().push(late);
    // More than a message has room for.
    let all = (0..200).map(|id| User::new(id, &format!("user number {id}"), 0));
    User::save_all(all, &owner).await.unwrap();
    let reader = open(place.follower()).await;
    assert_eq!(User::count(&reader).await.unwrap(), 200);
    until("the follower sees it", async || User::count(&follower).await.unwrap() == 200).await;
    assert!(follower.lag().is_ok());
    for db in [reader, follower, owner] {
        db.close().await.unwrap();
    }
}

/// What a follower has heard of and could not download is behind a checkpoint and gone when it is tried again.
async fn a_file_that_was_trimmed_is_waited_for_no_longer(place: &Place) {
    let trimming = place.builder().checkpoint_every(u64::MAX, u64::MAX);
    let owner = trimming.trim_after(Duration::ZERO, Duration::from_millis(50)).build();
    owner.table::<User>().unwrap();
    place.connect(&owner).await.unwrap();
    User::new(1_000, "first", 0).save(&owner).await.unwrap();
    let follower = place.follower();
    follower.table::<User>().unwrap();
    place.connect(&follower).await.unwrap();
    let late = Rule::new(Action::LateFiles { ms: 60_000 }).on("POST", "/channels/{channel}/messages");
    place.local().faults().push(late);
    // Nobody tells it that anything was deleted.
    for deleted in ["MESSAGE_DELETE", "MESSAGE_DELETE_BULK"] {
        place.local().faults().push(Rule::new(Action::SwallowEvent).on_event(deleted).times(1_000));
    }
    let all = (0..200).map(|id| User::new(id, &format!("user number {id}"), 0));
    User::save_all(all, &owner).await.unwrap();
    // By then it is trying.
    tokio::time::sleep(Duration::from_secs(1)).await;
    owner.checkpoint().await.unwrap();
    until("the follower goes on behind it", async || User::count(&follower).await.unwrap() == 201).await;
    follower.close().await.unwrap();
    owner.close().await.unwrap();
}

/// Every second frame of a busy writer becomes visible later than the one behind it, so that each read of the journal shows
/// a hole, another one each time.
async fn frames_that_come_out_of_order_are_no_damage(place: &Place) {
    let timed = || Database::builder(&place.name).timing(400, 400, 60_000);
    let owner = timed().build();
    owner.table::<User>().unwrap();
    place.connect(&owner).await.unwrap();
    let writing = async {
        for id in 0..60 {
            if id % 2 == 0 {
                let hidden = Rule::new(Action::HideMessage { ms: 350 });
                place.local().faults().push(hidden.on("POST", "/channels/{channel}/messages"));
            }
            User::new(id, &id.to_string(), 0).save(&owner).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let reading = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let follower = timed().follower().gateway(false).build();
        follower.table::<User>().unwrap();
        place.connect(&follower).await.map(|()| follower)
    };
    let ((), follower) = tokio::join!(writing, reading);
    follower.unwrap().close().await.unwrap();
    owner.close().await.unwrap();
}

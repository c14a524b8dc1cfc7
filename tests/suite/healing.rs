//! Mending a database: what memory has is in the guild again, whatever was deleted, and nothing is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use discobase::{ChannelId, Database, DeviationKind, EncryptionKey, ErrorKind, Healed, Role, Table};
use discobase_guild::Limits;
use discobase_guild::state::permission;
use twilight_model::http::attachment::Attachment;
use twilight_model::id::Id;

use crate::support::{Place, limits};
use crate::tables::User;

crate::everywhere!(where_nothing_is_wrong_nothing_is_written);

crate::in_process!(
    deleted_frames_are_written_anew,
    deleted_newest_frames_are_written_anew,
    an_edited_newest_frame_is_replaced,
    deleted_and_swapped_segments_are_written_anew,
    deleted_channels_are_made_again,
    deleted_frames_and_channels_at_once,
    what_belongs_to_nothing_is_deleted_and_what_people_wrote_is_not,
    a_follower_goes_on_with_what_was_healed,
    an_encrypted_database_is_healed,
    nobody_heals_what_another_process_has_opened,
    a_deleted_journal_and_hidden_channels_are_refused,
    what_is_left_of_a_journal_with_a_hole_is_salvaged,
    what_lies_behind_a_hole_holds,
    an_unreadable_newest_frame_is_salvaged,
    salvaging_what_is_whole_changes_nothing,
);

const NEVER: u64 = u64::MAX;

async fn connect(place: &Place) -> discobase::Result<Database> {
    let db = place
        .builder()
        .checkpoint_every(NEVER, NEVER)
        .trim_after(Duration::ZERO, Duration::from_millis(50))
        .build();
    db.table::<User>().unwrap();
    place.connect(&db).await.map(|()| db)
}

/// A database with rows in segments, and in frames behind them.
async fn filled(place: &Place) -> Database {
    let db = connect(place).await.unwrap();
    let rows = (0..50).map(|id| User::in_team(id, &id.to_string(), id as i64 % 7, "red"));
    User::save_all(rows, &db).await.unwrap();
    db.checkpoint().await.unwrap();
    for id in 50..55 {
        User::new(id, &id.to_string(), 1).save(&db).await.unwrap();
    }
    User::get(&db, 3_u64).await.unwrap().unwrap().delete().await.unwrap();
    db
}

async fn rows(db: &Database) -> BTreeMap<u64, (String, i64)> {
    let rows = User::find(db).all().await.unwrap();
    rows.iter().map(|row| (row.id, (row.name.clone(), row.points))).collect()
}

fn messages(place: &Place, channel: ChannelId) -> Vec<u64> {
    place.local().with_state(|state, _| state.messages_in(channel.get()).map(|message| message.id).collect())
}

fn channel(place: &Place, name: &str) -> ChannelId {
    let guild = place.local().guild_id();
    let found = place.local().with_state(|state, _| {
        state.channels_of(guild).find(|channel| channel.name == name).map(|one| one.id)
    });
    ChannelId::new(found.unwrap())
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} did not happen in time");
}

/// Heals, and expects that nothing is left and nothing lost: here, and for whoever opens the database next.
async fn heals(place: &Place, db: Database) -> Healed {
    let before = rows(&db).await;
    let healed = db.heal().await.unwrap();
    assert!(!healed.found.is_clean() && healed.left.is_clean(), "{healed}");
    assert_eq!(rows(&db).await, before);
    User::new(1_000, "after", 1).save(&db).await.unwrap();
    let report = db.verify().await.unwrap();
    assert!(report.is_clean(), "{report}");
    let after = rows(&db).await;
    assert_eq!(after.len(), before.len() + 1);
    drop(db);
    let db = connect(place).await.unwrap();
    assert_eq!(rows(&db).await, after, "{healed}");
    db.checkpoint().await.unwrap();
    User::new(1_001, "later", 1).save(&db).await.unwrap();
    let report = db.verify().await.unwrap();
    assert!(report.is_clean(), "{report}");
    db.close().await.unwrap();
    healed
}

async fn where_nothing_is_wrong_nothing_is_written(place: &Place) {
    let db = filled(place).await;
    let (frames, written) = (db.frames().unwrap(), db.checkpoints().unwrap().written);
    let healed = db.heal().await.unwrap();
    assert!(healed.found.is_clean() && healed.seq.is_none() && !healed.resumed, "{healed}");
    assert_eq!((db.frames().unwrap(), db.checkpoints().unwrap().written), (frames, written));
    db.close().await.unwrap();
}

async fn deleted_frames_are_written_anew(place: &Place) {
    let db = filled(place).await;
    let journal = db.journal().unwrap();
    let ids = messages(place, journal);
    place.local().delete_as_moderator(journal.get(), ids[ids.len() - 3]).unwrap();
    until("the writer stopped", || db.lag().unwrap().trouble.is_some()).await;
    let refused = User::new(900, "refused", 1).save(&db).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Damaged, "{refused}");
    assert!(refused.to_string().contains("db.heal()"), "{refused}");
    let error = connect(place).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    let healed = heals(place, db).await;
    assert!(healed.resumed && healed.seq.is_some(), "{healed}");
}

async fn deleted_newest_frames_are_written_anew(place: &Place) {
    for seen in [true, false] {
        let db = filled(place).await;
        let journal = db.journal().unwrap();
        let ids = messages(place, journal);
        for newest in &ids[ids.len() - 2..] {
            place.local().delete_as_moderator(journal.get(), *newest).unwrap();
        }
        if seen {
            until("the writer stopped", || db.lag().unwrap().trouble.is_some()).await;
        }
        let healed = heals(place, db).await;
        assert!(healed.resumed && healed.found.of(DeviationKind::LostCommits).count() == 1, "{healed}");
        let db = connect(place).await.unwrap();
        db.clean(discobase::Confirm::delete_all_data_of(&place.name)).await.unwrap();
    }
}

async fn an_edited_newest_frame_is_replaced(place: &Place) {
    let db = filled(place).await;
    let journal = db.journal().unwrap();
    let newest = *messages(place, journal).last().unwrap();
    let client = db.client().unwrap().unwrap();
    let edited = "```json\n{\"discobase\":1,\"db\":\"changed\"}\n```";
    client.update_message(Id::new(journal.get()), Id::new(newest)).content(Some(edited)).await.unwrap();
    let healed = heals(place, db).await;
    assert!(healed.resumed && healed.deleted > 0, "{healed}");
    assert!(!messages(place, journal).contains(&newest));
}

async fn deleted_and_swapped_segments_are_written_anew(place: &Place) {
    let db = filled(place).await;
    let client = db.client().unwrap().unwrap();
    let (users, points) = (channel(place, "users"), channel(place, "users_points"));
    let other = Attachment::from_bytes("other.seg".into(), b"discobase\x01another one".to_vec(), 0);
    client
        .update_message(Id::new(points.get()), Id::new(messages(place, points)[0]))
        .attachments(&[other])
        .keep_attachment_ids(&[])
        .await
        .unwrap();
    place.local().delete_as_moderator(users.get(), messages(place, users)[0]).unwrap();
    let healed = heals(place, db).await;
    assert!(healed.seq.is_some() && !healed.resumed, "{healed}");
}

async fn deleted_channels_are_made_again(place: &Place) {
    let db = filled(place).await;
    let gone = [channel(place, "users"), channel(place, "users_name"), db.catalog().unwrap()];
    for channel in gone {
        place.local().delete_channel_as_owner(channel.get()).unwrap();
    }
    let healed = heals(place, db).await;
    let mut replaced: Vec<ChannelId> = healed.channels.iter().map(|(old, _)| *old).collect();
    replaced.sort_unstable();
    let mut gone = gone.to_vec();
    gone.sort_unstable();
    assert_eq!(replaced, gone, "{healed}");
    let db = connect(place).await.unwrap();
    assert!(healed.channels.iter().any(|(_, new)| *new == db.catalog().unwrap()), "{healed}");
    assert!(!messages(place, db.catalog().unwrap()).is_empty(), "the catalog is told of anew");
    db.close().await.unwrap();
}

async fn deleted_frames_and_channels_at_once(place: &Place) {
    let db = filled(place).await;
    let journal = db.journal().unwrap();
    let ids = messages(place, journal);
    place.local().delete_as_moderator(journal.get(), ids[ids.len() - 3]).unwrap();
    place.local().delete_channel_as_owner(channel(place, "users").get()).unwrap();
    let healed = heals(place, db).await;
    assert!(healed.resumed && healed.channels.len() == 1, "{healed}");
}

async fn what_belongs_to_nothing_is_deleted_and_what_people_wrote_is_not(place: &Place) {
    let db = filled(place).await;
    let (users, catalog) = (channel(place, "users"), db.catalog().unwrap());
    let content = |channel: ChannelId| {
        let message = messages(place, channel)[0];
        place.local().with_state(|state, _| state.message(channel.get(), message).unwrap().content.clone())
    };
    let client = db.client().unwrap().unwrap();
    let left = content(users).replace("\"epoch\":1", "\"epoch\":0");
    let file = Attachment::from_bytes("0123456789abcdef.seg".into(), b"anything".to_vec(), 0);
    client.create_message(Id::new(users.get())).content(&left).attachments(&[file]).await.unwrap();
    let stray = content(catalog).replace("\"name\": \"users\"", "\"name\": \"nobody\"");
    client.create_message(Id::new(catalog.get())).content(&stray).await.unwrap();
    let owner = place.local().owner_id();
    let written = place.local().post_as(owner, users.get(), "hello").unwrap().message.id;
    let healed = db.heal().await.unwrap();
    assert_eq!(healed.deleted, 2, "{healed}");
    assert!(healed.seq.is_none(), "nothing had to be written anew: {healed}");
    assert_eq!(healed.left.deviations.len(), 1, "{healed}");
    assert_eq!(healed.left.of(DeviationKind::ForeignMessage).count(), 1, "{healed}");
    assert!(messages(place, users).contains(&written));
    db.close().await.unwrap();
}

async fn a_follower_goes_on_with_what_was_healed(place: &Place) {
    let db = filled(place).await;
    let journal = db.journal().unwrap();
    let ids = messages(place, journal);
    for newest in &ids[ids.len() - 2..] {
        place.local().delete_as_moderator(journal.get(), *newest).unwrap();
    }
    // It has never seen the frames that were deleted.
    let follower = place.follower();
    follower.table::<User>().unwrap();
    place.connect(&follower).await.unwrap();
    assert!(rows(&follower).await != rows(&db).await);
    assert_eq!(follower.heal().await.unwrap_err().kind(), ErrorKind::ReadOnly);
    let healed = db.heal().await.unwrap();
    assert!(healed.resumed && healed.left.is_clean(), "{healed}");
    User::new(1_000, "after", 1).save(&db).await.unwrap();
    let wanted = rows(&db).await;
    for _ in 0..500 {
        if rows(&follower).await == wanted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(rows(&follower).await, wanted);
    let report = follower.verify().await.unwrap();
    assert!(report.is_clean(), "{report}");
    follower.close().await.unwrap();
    db.close().await.unwrap();
}

async fn an_encrypted_database_is_healed(place: &Place) {
    place.use_key(EncryptionKey::from_bytes([7; 32]));
    let db = filled(place).await;
    let journal = db.journal().unwrap();
    let ids = messages(place, journal);
    place.local().delete_as_moderator(journal.get(), ids[ids.len() - 3]).unwrap();
    place.local().delete_channel_as_owner(channel(place, "users_name").get()).unwrap();
    let healed = heals(place, db).await;
    assert!(healed.resumed, "{healed}");
}

async fn nobody_heals_what_another_process_has_opened(_: &Place) {
    let place = &Place::limited(Limits { nonce_window_ms: 500, ..limits() }).await;
    let db = filled(place).await;
    let journal = db.journal().unwrap();
    let newest = *messages(place, journal).last().unwrap();
    place.local().delete_as_moderator(journal.get(), newest).unwrap();
    until("the writer stopped", || db.lag().unwrap().trouble.is_some()).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let other = connect(place).await.unwrap();
    assert_eq!(other.role().unwrap(), Role::Writer);
    let error = db.heal().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
    assert_eq!(rows(&db).await.len(), rows(&other).await.len() - 1, "the deletion of a row was lost");
    User::new(1_000, "other", 1).save(&other).await.unwrap();
    let report = other.verify().await.unwrap();
    assert!(report.is_clean(), "{report}");
    let error = User::new(1_001, "refused", 1).save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    other.close().await.unwrap();
    db.close().await.unwrap();
}

async fn a_deleted_journal_and_hidden_channels_are_refused(place: &Place) {
    let db = filled(place).await;
    let points = channel(place, "users_points");
    place.forbid(points, permission::VIEW_CHANNEL);
    let error = db.heal().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingChannel);
    assert_eq!(error.place().channel, Some(points));
    let journal = db.journal().unwrap();
    place.local().delete_channel_as_owner(journal.get()).unwrap();
    let error = db.heal().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingChannel);
    assert_eq!(error.place().channel, Some(journal));
    assert_eq!(rows(&db).await.len(), 54, "memory still has all of it");
    db.close().await.unwrap();
}

async fn salvage(place: &Place) -> discobase::Result<Database> {
    let db = place.builder().checkpoint_every(NEVER, NEVER).salvage().build();
    db.table::<User>().unwrap();
    place.connect(&db).await.map(|()| db)
}

/// What was salvaged is the database from now on, for whoever opens it.
async fn holds(place: &Place, db: Database, wanted: &BTreeMap<u64, (String, i64)>) {
    assert_eq!(rows(&db).await, *wanted);
    let report = db.verify().await.unwrap();
    assert!(report.is_clean(), "{report}");
    User::new(2_000, "after", 1).save(&db).await.unwrap();
    db.close().await.unwrap();
    let db = connect(place).await.unwrap();
    assert_eq!(rows(&db).await.len(), wanted.len() + 1);
    assert!(db.salvaged().unwrap().is_none());
    db.close().await.unwrap();
}

async fn what_is_left_of_a_journal_with_a_hole_is_salvaged(place: &Place) {
    for encrypted in [false, true] {
        if encrypted {
            place.use_key(EncryptionKey::from_bytes([7; 32]));
        }
        let db = filled(place).await;
        let (journal, mut wanted) = (db.journal().unwrap(), rows(&db).await);
        drop(db);
        // Behind it one row is saved and one deleted.
        let ids = messages(place, journal);
        place.local().delete_as_moderator(journal.get(), ids[ids.len() - 3]).unwrap();
        let error = connect(place).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().contains("salvage"), "{error}");
        let db = salvage(place).await.unwrap();
        let salvaged = db.salvaged().unwrap().unwrap();
        let behind: Vec<u64> = salvaged.behind.iter().map(|message| message.get()).collect();
        assert_eq!(behind, [ids[ids.len() - 2]], "{salvaged}");
        assert!(salvaged.lost.is_empty(), "{salvaged}");
        let [(first, last)] = salvaged.missing[..] else { panic!("{salvaged}") };
        assert_eq!(first, last, "{salvaged}");
        assert_eq!(wanted.remove(&53).unwrap().0, "53", "the one that is lost");
        holds(place, db, &wanted).await;
        let db = connect(place).await.unwrap();
        db.clean(discobase::Confirm::delete_all_data_of(&place.name)).await.unwrap();
    }
}

/// A frame behind a hole was acknowledged: what it says of a row is so, whatever was missing before it.
async fn what_lies_behind_a_hole_holds(place: &Place) {
    let db = connect(place).await.unwrap();
    let mut first = User::new(1, "a", 1).save(&db).await.unwrap();
    let mut old = User::new(5, "there before the hole", 5).save(&db).await.unwrap();
    let journal = db.journal().unwrap();
    let before = messages(place, journal).len();
    // In frames that go: a name is given up, and rows are made.
    first.name = "b".into();
    first.update().await.unwrap();
    let mut made = User::new(3, "c", 3).save(&db).await.unwrap();
    let mut gone = User::new(4, "made in the hole", 4).save(&db).await.unwrap();
    let after = messages(place, journal).len();
    // Behind them the name is taken, and rows are changed: one in so many fields that it is sent whole, two in one.
    User::new(2, "a", 2).save(&db).await.unwrap();
    *made = User::in_team(3, "d", 30, "e");
    made.update().await.unwrap();
    (old.points, gone.points) = (50, 40);
    old.update().await.unwrap();
    gone.update().await.unwrap();
    drop(db);
    for message in &messages(place, journal)[before..after] {
        place.local().delete_as_moderator(journal.get(), *message).unwrap();
    }
    let db = salvage(place).await.unwrap();
    let salvaged = db.salvaged().unwrap().unwrap();
    assert_eq!(salvaged.missing.len(), 1, "{salvaged}");
    assert_eq!(salvaged.lost.len(), 2, "{salvaged}");
    assert!(salvaged.lost[0].contains("row 1 of table users made way for row 5"), "{salvaged}");
    // What changed of it is no record.
    assert!(salvaged.lost[1].contains("changes row 4 of table 1, which does not exist"), "{salvaged}");
    let wanted = [(2, ("a", 2)), (3, ("d", 30)), (5, ("there before the hole", 50))];
    let wanted = wanted.map(|(id, (name, points))| (id, (name.to_owned(), points))).into();
    holds(place, db, &wanted).await;
}

async fn an_unreadable_newest_frame_is_salvaged(_: &Place) {
    let place = &Place::limited(Limits { nonce_window_ms: 300, ..limits() }).await;
    let db = filled(place).await;
    let (journal, mut wanted) = (db.journal().unwrap(), rows(&db).await);
    User::new(60, "60", 1).save(&db).await.unwrap();
    let newest = *messages(place, journal).last().unwrap();
    let client = db.client().unwrap().unwrap();
    let edited = "```json\n{\"discobase\":1,\"db\":\"changed\"}\n```";
    client.update_message(Id::new(journal.get()), Id::new(newest)).content(Some(edited)).await.unwrap();
    drop(db);
    assert_eq!(connect(place).await.unwrap_err().kind(), ErrorKind::Corrupt);
    tokio::time::sleep(Duration::from_millis(400)).await;
    let db = salvage(place).await.unwrap();
    let salvaged = db.salvaged().unwrap().unwrap();
    assert!(salvaged.behind.is_empty() && salvaged.lost[0].contains(&newest.to_string()), "{salvaged}");
    wanted.remove(&60);
    assert_eq!(rows(&db).await, wanted);
    let healed = db.heal().await.unwrap();
    assert!(healed.left.is_clean() && healed.deleted == 1, "{healed}");
    holds(place, db, &wanted).await;
}

async fn salvaging_what_is_whole_changes_nothing(place: &Place) {
    let db = filled(place).await;
    let wanted = rows(&db).await;
    db.close().await.unwrap();
    let db = salvage(place).await.unwrap();
    assert!(db.salvaged().unwrap().is_none());
    assert_eq!((rows(&db).await, db.checkpoints().unwrap().written), (wanted.clone(), 0));
    holds(place, db, &wanted).await;
}

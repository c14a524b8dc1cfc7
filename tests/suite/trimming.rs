//! Trimming: what a checkpoint covers goes, after its time and not before, and nobody takes it for damage.

use std::time::Duration;

use discobase::{Database, ErrorKind, Table};
use discobase_guild::{Action, Rule};

use crate::checkpoints::{NEVER, journal, manual, open, rows, until};
use crate::support::Place;
use crate::tables::User;

crate::in_process!(
    the_journal_is_trimmed_behind_a_checkpoint,
    a_database_that_is_busy_is_trimmed_all_the_same,
    a_follower_that_takes_over_trims_nothing_that_is_young,
    a_process_that_opens_slowly_finds_no_damage_in_a_trim,
    a_late_copy_of_a_trimmed_frame_is_no_hole,
    opening_costs_the_same_however_many_commits_were_made,
);

async fn the_journal_is_trimmed_behind_a_checkpoint(place: &Place) {
    let db = open(place).await;
    for id in 0..30 {
        User::new(id, &id.to_string(), 0).save(&db).await.unwrap();
    }
    assert!(journal(place, &db) >= 30);
    db.checkpoint().await.unwrap();
    until("trimming", || journal(place, &db) == 1).await;
    User::new(30, "30", 0).save(&db).await.unwrap();
    let before = rows(&db).await;
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(rows(&db).await, before);
    db.close().await.unwrap();
}

/// Checkpoints follow each other faster than any of them grows old enough.
async fn a_database_that_is_busy_is_trimmed_all_the_same(place: &Place) {
    let db = trimming_after(place, Duration::from_millis(600)).build();
    db.table::<User>().unwrap();
    db.connect_guild(place.local()).await.unwrap();
    let (mut written, mut most, mut segments) = (0, 0, 0);
    for _ in 0..25 {
        for _ in 0..10 {
            User::new(written, &written.to_string(), 0).save(&db).await.unwrap();
            written += 1;
        }
        db.checkpoint().await.unwrap();
        most = most.max(journal(place, &db));
        segments = segments.max(messages(place));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let checkpoints = db.checkpoints().unwrap();
    assert!(checkpoints.error.is_none(), "{:?}", checkpoints.error);
    let frames = written + checkpoints.written;
    assert!(most as u64 * 2 < frames, "the journal had up to {most} messages of {frames} frames");
    // Of each checkpoint the rows and three indexes, and for long enough those of the ones before.
    let uploads = checkpoints.written * 4;
    assert!(
        (segments - most) as u64 * 3 < uploads * 2,
        "{segments} messages, {most} of the journal; {uploads} uploads"
    );
    drop(db);
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap() as u64, written);
    db.close().await.unwrap();
}

/// Whoever follows does not know how old a checkpoint is that another process wrote: not older than it has seen.
async fn a_follower_that_takes_over_trims_nothing_that_is_young(place: &Place) {
    let trim_after = Duration::from_millis(3_000);
    let owner = trimming_after(place, Duration::from_secs(3_600)).build();
    owner.table::<User>().unwrap();
    owner.connect_guild(place.local()).await.unwrap();
    User::new(1, "1", 1).save(&owner).await.unwrap();
    owner.checkpoint().await.unwrap();
    let follower = trimming_after(place, trim_after).follower().build();
    follower.table::<User>().unwrap();
    follower.connect_guild(place.local()).await.unwrap();
    // By then the first checkpoint is old.
    tokio::time::sleep(trim_after + Duration::from_millis(200)).await;
    for id in 2..20 {
        User::new(id, &id.to_string(), 1).save(&owner).await.unwrap();
    }
    let began = tokio::time::Instant::now();
    let last = owner.checkpoint().await.unwrap();
    owner.close().await.unwrap();
    until("following", || follower.checkpoints().unwrap().complete_to == last).await;
    follower.promote().await.unwrap();
    let untouched = journal(place, &follower);
    tokio::time::sleep(Duration::from_millis(400)).await;
    let left = journal(place, &follower);
    // On a busy machine it may be old by now.
    if began.elapsed() < trim_after {
        assert!(untouched > 20 && left >= untouched, "the checkpoint is half a second old");
    }
    until("trimming", || journal(place, &follower) < 5).await;
    assert_eq!(User::count(&follower).await.unwrap(), 19);
    follower.close().await.unwrap();
}

/// A database that writes a checkpoint only when told to, and trims so long after it.
fn trimming_after(place: &Place, after: Duration) -> discobase::DatabaseBuilder {
    Database::builder(&place.name)
        .timing(0, 0, 60_000)
        .checkpoint_every(NEVER, NEVER)
        .trim_after(after, Duration::from_millis(50))
}

/// How many messages an opening may have to read: those of all channels.
fn messages(place: &Place) -> usize {
    let guild = place.local().guild_id();
    place.local().with_state(|state, _| {
        state.channels_of(guild).map(|channel| state.messages_in(channel.id).count()).sum()
    })
}

/// What an opening takes.
#[derive(Debug)]
struct Cost {
    /// The messages of all channels.
    messages: usize,
    requests: u64,
    /// Bytes received.
    bytes: u64,
}

/// Writes every row again so many times, a checkpoint after each, and waits until what they cover is gone; then what an
/// opening takes.
async fn cost_of_opening_after(place: &Place, rounds: i64, most: usize) -> Cost {
    let db = open(place).await;
    for points in 0..rounds {
        for mut row in User::find(&db).all().await.unwrap() {
            row.points += points + 1;
            row.update().await.unwrap();
        }
        db.checkpoint().await.unwrap();
    }
    until("trimming", || journal(place, &db) == 1 && messages(place) <= most).await;
    db.close().await.unwrap();
    let requests = || {
        let stats = place.local().stats();
        stats.requests + stats.downloads
    };
    let (messages, before) = (messages(place), requests());
    let db = open(place).await;
    let (requests, bytes) = (requests() - before, db.traffic().unwrap().bytes_received);
    assert_eq!(User::count(&db).await.unwrap(), 3);
    db.close().await.unwrap();
    Cost { messages, requests, bytes }
}

/// Opening never gets slower with the number of commits ever made, only with the data kept.
async fn opening_costs_the_same_however_many_commits_were_made(place: &Place) {
    let db = open(place).await;
    let all = (0..3).map(|id| User::new(id, &id.to_string(), 0));
    User::save_all(all, &db).await.unwrap();
    db.close().await.unwrap();
    let few = cost_of_opening_after(place, 2, usize::MAX).await;
    // The same rows, written six times as often.
    let many = cost_of_opening_after(place, 12, few.messages + 6).await;
    assert!(many.requests <= few.requests + 4, "{few:?}, then {many:?}");
    assert!(many.messages <= few.messages + 6, "{few:?}, then {many:?}");
    assert!(many.bytes <= few.bytes * 3 / 2 + 4_096, "{few:?}, then {many:?}");
}

async fn a_process_that_opens_slowly_finds_no_damage_in_a_trim(place: &Place) {
    let owner = open(place).await;
    User::new(1, "1", 0).save(&owner).await.unwrap();
    // Its `open` arrives when what followed the tip that it has read is trimmed.
    let late = Rule::new(Action::Delay { ms: 7_000 }).on("POST", "/channels/{channel}/messages");
    place.local().faults().push(late);
    let slow = manual(place);
    let writing = async {
        until("opening", || place.local().faults().pending().is_empty()).await;
        User::new(2, "2", 0).save(&owner).await.unwrap();
        owner.checkpoint().await.unwrap();
        until("trimming", || journal(place, &owner) == 1).await;
        User::new(3, "3", 0).save(&owner).await.unwrap();
    };
    let (opened, ()) = tokio::join!(slow.connect_guild(place.local()), writing);
    // Nobody objects in time to an opening on this guild, and nothing is damaged.
    opened.unwrap();
    assert_eq!(rows(&slow).await.len(), 3);
    assert_eq!(User::new(4, "4", 0).save(&owner).await.unwrap_err().kind(), ErrorKind::Fenced);
    slow.close().await.unwrap();
}

/// A try of a post that was given up can be executed long afterwards, when Discord has forgotten its nonce.
async fn a_late_copy_of_a_trimmed_frame_is_no_hole(place: &Place) {
    let db = open(place).await;
    let (guild, channel) = (place.local(), db.journal().unwrap().get());
    for id in 0..4 {
        User::new(id, &id.to_string(), 0).save(&db).await.unwrap();
    }
    let contents: Vec<String> = guild
        .with_state(|state, _| state.messages_in(channel).map(|message| message.content.clone()).collect());
    db.checkpoint().await.unwrap();
    until("the trim", || journal(place, &db) <= 2).await;
    let expected = rows(&db).await;
    // A frame before the one that is covered, and the frame that it follows was trimmed as well.
    let copy = &contents[contents.len() - 2];
    assert!(copy.contains("\"kind\":\"data\""), "{copy}");
    guild.post_as(guild.application_id(), channel, copy).unwrap();
    drop(db);
    let db = open(place).await;
    assert_eq!(rows(&db).await, expected);
    User::new(9, "9", 0).save(&db).await.unwrap();
    db.close().await.unwrap();
}

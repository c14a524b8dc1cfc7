//! Processes that end without a goodbye, and processes that meet.

use std::time::Duration;

use discobase::{Database, ErrorKind, Table};
use discobase_guild::{Action, LocalGuild, Rule};

use crate::support::Place;
use crate::tables::User;

crate::everywhere!(
    what_was_acknowledged_survives_a_process_that_just_ends,
    an_opening_that_wrote_nothing_is_no_obstacle,
    a_process_that_is_gone_is_taken_over,
);

crate::in_process!(
    everything_survives_a_restart_of_the_guild,
    the_data_file_keeps_the_database,
    a_live_owner_keeps_the_database_from_a_second_process,
    an_owner_that_was_taken_over_is_fenced,
    an_owner_whose_successor_trims_is_told_that_it_is_fenced,
    two_processes_that_create_at_once_share_one_database,
    creators_that_race_slowly_share_one_database,
);

/// Waits of about Discord's length: an owner on a busy machine must still object in time.
fn short(name: &str) -> Database {
    let db = Database::builder(name).timing(200, 4_000, 60_000).build();
    db.table::<User>().unwrap();
    db
}

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn what_was_acknowledged_survives_a_process_that_just_ends(place: &Place) {
    for round in 0..4_u64 {
        let db = open(place).await;
        assert_eq!(User::count(&db).await.unwrap(), (round * 5) as usize);
        for id in round * 5..round * 5 + 5 {
            User::new(id, &id.to_string(), id as i64).save(&db).await.unwrap();
        }
        // Dropped, not closed: its tasks end where they are.
        drop(db);
    }
    let db = open(place).await;
    let rows = User::find(&db).order_by(|u| u.id.asc()).all().await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
    db.close().await.unwrap();
}

async fn an_opening_that_wrote_nothing_is_no_obstacle(place: &Place) {
    drop(open(place).await);
    drop(open(place).await);
    let db = open(place).await;
    User::new(1, "a", 1).save(&db).await.unwrap();
    db.close().await.unwrap();
}

async fn a_process_that_is_gone_is_taken_over(place: &Place) {
    let db = open(place).await;
    User::new(1, "a", 1).save(&db).await.unwrap();
    drop(db);
    let db = open(place).await;
    let mut row = User::get(&db, 1_u64).await.unwrap().unwrap();
    row.points = 2;
    row.update().await.unwrap();
    db.close().await.unwrap();
}

async fn everything_survives_a_restart_of_the_guild(_: &Place) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guild.redb");
    for round in 0..3_u64 {
        let guild = LocalGuild::builder().data(&file).start().await.unwrap();
        let db = Database::new("restart");
        db.table::<User>().unwrap();
        db.connect_guild(&guild).await.unwrap();
        assert_eq!(User::count(&db).await.unwrap(), round as usize);
        User::new(round, &round.to_string(), 0).save(&db).await.unwrap();
        // Every second time the guild goes away under the database.
        if round % 2 == 0 {
            db.close().await.unwrap();
        }
        guild.stop().await;
    }
}

async fn the_data_file_keeps_the_database(_: &Place) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/er/data.redb");
    let db = Database::new("kept");
    db.table::<User>().unwrap();
    db.connect_local(&file).await.unwrap();
    User::new(1, "a", 1).save(&db).await.unwrap();
    let second = Database::new("kept");
    let error = second.connect_local(&file).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LocalGuild);
    db.close().await.unwrap();
    second.table::<User>().unwrap();
    second.connect_local(&file).await.unwrap();
    assert_eq!(User::get(&second, 1_u64).await.unwrap().unwrap().name, "a");
    second.close().await.unwrap();
    std::fs::write(&file, "this is no guild").unwrap();
    assert_eq!(db.connect_local(&file).await.unwrap_err().kind(), ErrorKind::LocalGuild);
}

async fn a_live_owner_keeps_the_database_from_a_second_process(place: &Place) {
    let owner = short(&place.name);
    owner.connect_guild(place.local()).await.unwrap();
    User::new(1, "owner", 1).save(&owner).await.unwrap();
    // The owner hears of the rival's opening and objects.
    let rival = short(&place.name);
    rival.connect_guild(place.local()).await.unwrap();
    assert_eq!(User::get(&rival, 1_u64).await.unwrap().unwrap().name, "owner", "reading is always possible");
    let error = User::new(2, "rival", 2).save(&rival).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert_eq!(User::new(3, "x", 2).save(&rival).await.unwrap_err().kind(), ErrorKind::Fenced);
    User::new(2, "owner still", 2).save(&owner).await.unwrap();
    rival.close().await.unwrap();
    owner.close().await.unwrap();

    let db = short(&place.name);
    db.connect_guild(place.local()).await.unwrap();
    assert_eq!(User::get(&db, 2_u64).await.unwrap().unwrap().name, "owner still");
    assert_eq!(User::count(&db).await.unwrap(), 2);
    db.close().await.unwrap();
}

async fn an_owner_that_was_taken_over_is_fenced(place: &Place) {
    // Without a gateway, and idle for less than half a window, the first hears nothing of the second.
    let first = Database::builder(&place.name).timing(100, 300, 60_000).gateway(false).build();
    first.table::<User>().unwrap();
    first.connect_guild(place.local()).await.unwrap();
    User::new(1, "first", 1).save(&first).await.unwrap();
    let second = short(&place.name);
    second.connect_guild(place.local()).await.unwrap();
    User::new(2, "second", 1).save(&second).await.unwrap();
    let error = User::new(2, "lost", 2).save(&first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert!(User::get(&first, 2_u64).await.unwrap().is_none(), "what was not acknowledged is not seen");
    User::new(3, "third", 1).save(&second).await.unwrap();
    first.close().await.unwrap();
    second.close().await.unwrap();

    let db = short(&place.name);
    db.connect_guild(place.local()).await.unwrap();
    let names: Vec<String> =
        User::find(&db).all().await.unwrap().iter().map(|user| user.name.clone()).collect();
    assert_eq!(names, ["first", "second", "third"]);
    db.close().await.unwrap();
}

/// It hears that a message was deleted, and not that another process took over: the journal that it then reads begins behind
/// its own frames, because the other one has written a checkpoint, and not because frames were deleted.
async fn an_owner_whose_successor_trims_is_told_that_it_is_fenced(place: &Place) {
    let first = short(&place.name);
    first.connect_guild(place.local()).await.unwrap();
    User::new(1, "first", 1).save(&first).await.unwrap();
    let journal = first.journal().unwrap().get();
    place.local().faults().push(Rule::new(Action::SwallowEvent).on_event("MESSAGE_CREATE").times(1_000));
    let hello = place.local().post_as(place.local().owner_id(), journal, "hello").unwrap();
    let second = short(&place.name);
    second.connect_guild(place.local()).await.unwrap();
    User::new(2, "second", 1).save(&second).await.unwrap();
    second.checkpoint().await.unwrap();
    place.local().delete_as_moderator(journal, hello.message.id).unwrap();
    let (mut id, mut error) = (10, None);
    while error.is_none() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // A key that is there is refused from memory, without a word to the guild, while the process may write.
        let saved = User::new(1, &id.to_string(), 1).save(&first).await.unwrap_err();
        error = Some(saved).filter(|error| error.kind() != ErrorKind::DuplicateKey);
        id += 1;
        assert!(id < 40, "the journal is not checked");
    }
    assert_eq!(error.unwrap().kind(), ErrorKind::Fenced);
    first.close().await.unwrap();
    second.close().await.unwrap();
}

async fn two_processes_that_create_at_once_share_one_database(place: &Place) {
    let (one, two) = (short(&place.name), short(&place.name));
    let (a, b) = tokio::join!(one.connect_guild(place.local()), two.connect_guild(place.local()));
    // Whoever lost the race may have been told so; whoever was not works on the same journal.
    let mut open = Vec::new();
    for (db, connected) in [(&one, a), (&two, b)] {
        match connected {
            Ok(()) => open.push(db),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Fenced, "{error}"),
        }
    }
    let mut saved = 0;
    for (id, db) in (0..).zip(&open) {
        tokio::time::sleep(Duration::from_millis(10)).await;
        match User::new(id, &id.to_string(), 0).save(db).await {
            Ok(_) => saved += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Fenced, "{error}"),
        }
    }
    assert_eq!(saved, 1, "exactly one process may write");
    for db in open {
        db.close().await.unwrap();
    }
    let guild = place.local().guild_id();
    let journals = place
        .local()
        .with_state(|state, _| state.channels_of(guild).filter(|one| one.name.ends_with("_journal")).count());
    assert_eq!(journals, 1, "the other journal was removed");
}

/// One process makes its journal first and its genesis last: the other, which never saw the journal with a genesis,
/// has long been writing by then.
async fn creators_that_race_slowly_share_one_database(place: &Place) {
    // Both list the channels before either makes one.
    let list = Rule::new(Action::DelayReply { ms: 1_000 }).on("GET", "/guilds/{guild}/channels").times(2);
    place.local().faults().push(list);
    let (slow, fast) = (place.database(), place.database());
    slow.table::<User>().unwrap();
    fast.table::<User>().unwrap();
    place
        .local()
        .faults()
        .push(Rule::new(Action::Delay { ms: 1_500 }).on("POST", "/channels/{channel}/messages"));
    let slow = {
        let guild = place;
        async move {
            let connected = guild.connect(&slow).await;
            (slow, connected)
        }
    };
    let fast = async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        place.connect(&fast).await.unwrap();
        User::new(1, "a", 0).save(&fast).await.unwrap();
        fast
    };
    let ((slow, connected), fast) = tokio::join!(slow, fast);
    let journal = fast.journal().unwrap();
    connected.unwrap();
    assert_eq!(slow.journal().unwrap(), journal);
    // The slow one may have opened before the save: then it serves what it read, and is about to be fenced. Who comes
    // later finds what was acknowledged.
    drop((slow, fast));
    let db = open(place).await;
    assert_eq!(db.journal().unwrap(), journal);
    assert_eq!(User::count(&db).await.unwrap(), 1, "what was acknowledged is there");
    db.close().await.unwrap();
}

//! Connecting, waiting, building, closing, cleaning.

use std::time::Duration;

use discobase::{Confirm, Database, EncryptionKey, ErrorKind, Table};

use crate::support::Place;
use crate::tables::{Note, User};

crate::everywhere!(
    calls_before_connecting_say_so,
    tables_registered_late_are_built_on_demand,
    an_unregistered_table_is_named,
    closing_twice_says_so,
    clean_removes_every_channel_after_the_right_confirmation,
    two_databases_share_a_guild,
    a_login_runs_in_a_task,
    a_login_runs_in_a_thread,
    a_failed_login_is_told_to_who_waits,
);

crate::in_process!(
    names_that_discord_cannot_keep_are_refused_before_any_request,
    a_login_that_fails_before_it_begins_is_reported,
    long_names_are_opened_again,
);

/// Escaped, these names and what an encrypted database says of its key leave no room for the first frame in a message. It
/// became a file, and was looked for in texts only: the database was created and could not be opened.
async fn long_names_are_opened_again(place: &Place) {
    let (name, owner) = ("\u{1f5c3}".repeat(62), "\u{1f916}".repeat(64));
    place.use_key(EncryptionKey::from_bytes([7; 32]));
    for rows in 1..4 {
        let db = place.builder_named(&name).owner(owner.clone()).build();
        db.table::<User>().unwrap();
        place.connect(&db).await.unwrap();
        User::new(rows, &format!("name {rows}"), rows as i64).save(&db).await.unwrap();
        assert_eq!(User::count(&db).await.unwrap(), rows as usize);
        let journal = db.journal().unwrap().get();
        db.close().await.unwrap();
        let files = place.local().with_state(|state, _| {
            state.messages_in(journal).next().map_or(0, |genesis| genesis.attachments.len())
        });
        assert_eq!(files, 1, "the first frame is a file");
    }
}

async fn calls_before_connecting_say_so(place: &Place) {
    let db = place.database();
    db.table::<User>().unwrap();
    assert!(!db.is_open());
    assert_eq!(db.tables(), ["users"]);
    assert_eq!(db.guild().unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(db.build_tables().await.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(db.close().await.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(User::new(1, "a", 1).save(&db).await.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(User::find(&db).all().await.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(User::get(&db, 1_u64).await.unwrap_err().kind(), ErrorKind::NotConnected);
    place.connect(&db).await.unwrap();
    assert!(db.is_open());
    db.wait_ready().await.unwrap();
    assert_eq!(place.connect(&db).await.unwrap_err().kind(), ErrorKind::AlreadyConnected);
    User::new(1, "a", 1).save(&db).await.unwrap();
    db.close().await.unwrap();
}

async fn tables_registered_late_are_built_on_demand(place: &Place) {
    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    db.table::<Note>().unwrap();
    let note = Note { text: "late".into() };
    assert_eq!(note.clone().save(&db).await.unwrap_err().kind(), ErrorKind::TableNotReady);
    db.build_tables().await.unwrap();
    note.clone().save(&db).await.unwrap();
    db.build_tables().await.unwrap();
    assert_eq!(Note::count(&db).await.unwrap(), 1);
    db.close().await.unwrap();

    // A table nobody registers keeps its records.
    let db = place.database();
    place.connect(&db).await.unwrap();
    db.close().await.unwrap();
    let db = place.database();
    db.table::<Note>().unwrap();
    place.connect(&db).await.unwrap();
    assert_eq!(*Note::find(&db).first().await.unwrap().unwrap(), note);
    db.close().await.unwrap();
}

async fn an_unregistered_table_is_named(place: &Place) {
    let db = place.database();
    place.connect(&db).await.unwrap();
    let error = Note { text: "x".into() }.save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownTable);
    assert_eq!(error.place().table.as_deref(), Some("note"));
    assert!(error.to_string().contains("Note"), "{error}");
    db.close().await.unwrap();
}

async fn closing_twice_says_so(place: &Place) {
    let db = place.database();
    place.connect(&db).await.unwrap();
    db.close().await.unwrap();
    assert_eq!(db.close().await.unwrap_err().kind(), ErrorKind::NotConnected);
    place.connect(&db).await.unwrap();
    db.close().await.unwrap();
}

async fn clean_removes_every_channel_after_the_right_confirmation(place: &Place) {
    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    User::new(1, "a", 1).save(&db).await.unwrap();
    let wrong = db.clean(Confirm::delete_all_data_of("another")).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Invalid);
    assert_eq!(User::count(&db).await.unwrap(), 1);
    db.clean(Confirm::delete_all_data_of(&place.name)).await.unwrap();
    assert!(!db.is_open());

    place.connect(&db).await.unwrap();
    assert_eq!(User::count(&db).await.unwrap(), 0, "a new database");
    User::new(1, "b", 1).save(&db).await.unwrap();
    db.close().await.unwrap();
}

async fn two_databases_share_a_guild(place: &Place) {
    let (one, two) = (place.database(), place.database_named(&format!("{} Zwei ü", place.name)));
    for db in [&one, &two] {
        db.table::<User>().unwrap();
        place.connect(db).await.unwrap();
    }
    User::new(1, "one", 1).save(&one).await.unwrap();
    User::new(1, "two", 1).save(&two).await.unwrap();
    for (db, name) in [(&one, "one"), (&two, "two")] {
        assert_eq!(User::get(db, 1_u64).await.unwrap().unwrap().name, name);
        db.close().await.unwrap();
    }
    place.connect(&two).await.unwrap();
    two.clean(Confirm::delete_all_data_of(two.name())).await.unwrap();
    place.connect(&one).await.unwrap();
    assert_eq!(User::get(&one, 1_u64).await.unwrap().unwrap().name, "one");
    one.close().await.unwrap();
}

async fn names_that_discord_cannot_keep_are_refused_before_any_request(place: &Place) {
    for name in ["", " ", "---", " x", "a\nb", "a\0b", &"n".repeat(95), &"🦀".repeat(70)] {
        let db = Database::new(name);
        let error = db.connect_guild(place.local()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name:?}");
    }
    assert_eq!(place.local().stats().requests, 0);
    for name in ["My Shop", "ÄÖ 🦀", "a - b", "@everyone `x`"] {
        let db = Database::new(name);
        db.table::<User>().unwrap();
        db.connect_guild(place.local()).await.unwrap();
        User::new(1, name, 1).save(&db).await.unwrap();
        db.close().await.unwrap();
        db.connect_guild(place.local()).await.unwrap();
        assert_eq!(User::get(&db, 1_u64).await.unwrap().unwrap().name, name);
        db.close().await.unwrap();
    }
}

async fn a_login_runs_in_a_task(place: &Place) {
    let db = place.database();
    db.table::<User>().unwrap();
    let login = db.login_task(place.token());
    db.wait_ready().await.unwrap();
    User::new(1, "a", 1).save(&db).await.unwrap();
    db.close().await.unwrap();
    login.await.unwrap();
    assert!(!db.is_open());
    place.connect(&db).await.unwrap();
    assert_eq!(User::count(&db).await.unwrap(), 1);
    db.close().await.unwrap();
}

async fn a_login_runs_in_a_thread(place: &Place) {
    let db = place.database();
    db.table::<User>().unwrap();
    let login = db.login_thread(place.token()).unwrap();
    db.wait_ready().await.unwrap();
    User::new(1, "a", 1).save(&db).await.unwrap();
    assert_eq!(User::count(&db).await.unwrap(), 1);
    db.close().await.unwrap();
    tokio::task::spawn_blocking(|| login.join()).await.unwrap().unwrap();
    place.connect(&db).await.unwrap();
    db.close().await.unwrap();
}

async fn a_failed_login_is_told_to_who_waits(place: &Place) {
    let db = place.database();
    let login = db.login_task("not.a.token");
    assert_eq!(db.wait_ready().await.unwrap_err().kind(), ErrorKind::Unauthorized);
    assert_eq!(login.await.unwrap_err().kind(), ErrorKind::Unauthorized);
    let thread = db.login_thread("not.a.token").unwrap();
    assert_eq!(db.wait_ready().await.unwrap_err().kind(), ErrorKind::Unauthorized);
    let joined = tokio::task::spawn_blocking(|| thread.join()).await.unwrap();
    assert_eq!(joined.unwrap_err().kind(), ErrorKind::Unauthorized);
    place.connect(&db).await.unwrap();
    db.close().await.unwrap();
}

async fn a_login_that_fails_before_it_begins_is_reported(place: &Place) {
    let db = place.database();
    let login = db.login_task("not\na token");
    let waited = soon(db.wait_ready()).await;
    assert!(waited.is_err());
    assert!(soon(login.into_future()).await.is_err());
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("it ends")
}

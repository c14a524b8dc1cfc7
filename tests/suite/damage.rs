//! What people and accidents do to a guild: found, named, and nothing lost in silence.

use discobase::transport::twilight::TwilightConfig;
use discobase::{ChannelId, Database, ErrorKind, Table};
use discobase_guild::state::NewChannel;
use discobase_guild::state::permission;
use discobase_guild::{Action, Rule};
use twilight_model::http::attachment::Attachment;
use twilight_model::id::Id;

use crate::support::Place;
use crate::tables::User;

crate::in_process!(
    what_others_write_is_ignored,
    a_hole_in_the_journal_is_named,
    a_hole_is_named_although_a_lost_open_leads_around_it,
    a_hole_is_named_although_it_grows_while_it_is_read,
    a_deleted_tail_leaves_a_shorter_chain,
    writing_stops_when_a_frame_is_deleted,
    a_missing_journal_is_not_a_new_database,
    a_journal_that_lost_is_not_taken_for_the_one_that_is_missing,
    a_message_that_is_not_found_yet_is_no_missing_journal,
    an_owner_whose_rival_was_deleted_acknowledges_nothing,
    a_journal_deleted_while_open_is_an_error,
    a_damaged_attachment_is_named,
    missing_permissions_are_listed_at_once,
    a_wrong_token_and_a_wrong_address_say_so,
    an_unknown_guild_is_answered_with_an_invitation,
    several_guilds_ask_for_a_choice,
    the_catalog_is_a_mirror,
);

async fn open(place: &Place) -> Database {
    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn error_of_opening(place: &Place) -> discobase::Error {
    let db = place.database();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap_err()
}

/// The ids of a channel's messages, the oldest first.
fn messages(place: &Place, channel: ChannelId) -> Vec<u64> {
    place.local().with_state(|state, _| state.messages_in(channel.get()).map(|message| message.id).collect())
}

async fn what_others_write_is_ignored(place: &Place) {
    let db = open(place).await;
    User::new(1, "a", 1).save(&db).await.unwrap();
    let guild = place.local();
    let journal = db.journal().unwrap().get();
    let frame = guild.with_state(|state, _| state.messages_in(journal).next_back().unwrap().content.clone());
    let channels: Vec<u64> = guild.with_state(|state, _| {
        state.channels_of(guild.guild_id()).filter(|channel| channel.topic.is_some()).map(|c| c.id).collect()
    });
    assert_eq!(channels.len(), 7, "journal, catalog, users, four indexes");
    for channel in channels {
        for text in ["hello", "```json\n{}\n```", "{\"discobase\":1}", &"x".repeat(2000), &frame] {
            guild.post_as(guild.owner_id(), channel, text).unwrap();
        }
    }
    User::new(2, "b", 1).save(&db).await.unwrap();
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 2);
    User::new(3, "c", 1).save(&db).await.unwrap();
    db.close().await.unwrap();
}

async fn a_hole_in_the_journal_is_named(place: &Place) {
    let db = open(place).await;
    let journal = db.journal().unwrap();
    for id in 0..3 {
        User::new(id, &id.to_string(), 1).save(&db).await.unwrap();
    }
    db.close().await.unwrap();
    // genesis, open, schema, three saves, close
    let ids = messages(place, journal);
    assert_eq!(ids.len(), 7);
    place.local().delete_as_moderator(journal.get(), ids[4]).unwrap();
    let error = error_of_opening(place).await;
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert_eq!(error.place().channel, Some(journal));
    assert_eq!(error.place().message.map(discobase::MessageId::get), Some(ids[5]), "{error}");
}

/// Where a frame won against another process's `open`, and is deleted, the chain goes on with that `open`. The frames
/// after the deleted one were taken for void ones of an earlier term, and nobody was told.
async fn a_hole_is_named_although_a_lost_open_leads_around_it(place: &Place) {
    let db = open(place).await;
    let (journal, guild) = (db.journal().unwrap(), place.local());
    for id in 0..4 {
        User::new(id, &id.to_string(), 1).save(&db).await.unwrap();
    }
    drop(db);
    // genesis, open, schema, four saves; a rival's open follows the second of these, too late
    let ids = messages(place, journal);
    let content = guild.with_state(|state, _| {
        state.messages_in(journal.get()).nth(4).map(|message| message.content.clone()).unwrap()
    });
    guild.post_as(guild.application_id(), journal.get(), &open_after(&content)).unwrap();
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 4, "the rival has lost");
    drop(db);
    guild.delete_as_moderator(journal.get(), ids[5]).unwrap();
    let error = error_of_opening(place).await;
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert_eq!(error.place().message.map(discobase::MessageId::get), Some(ids[6]), "{error}");
}

/// Each read finds the hole before another frame, because somebody goes on deleting: none of these frames is young.
async fn a_hole_is_named_although_it_grows_while_it_is_read(place: &Place) {
    let timed = || Database::builder(&place.name).timing(100, 300, 60_000);
    let (db, again, follower) = (timed().build(), timed().build(), timed().follower().build());
    for db in [&db, &again, &follower] {
        db.table::<User>().unwrap();
    }
    place.connect(&db).await.unwrap();
    let journal = db.journal().unwrap();
    for id in 0..40 {
        User::new(id, &id.to_string(), 1).save(&db).await.unwrap();
    }
    db.close().await.unwrap();
    let ids = messages(place, journal);
    place.local().delete_as_moderator(journal.get(), ids[5]).unwrap();
    let left = &ids[6..ids.len() - 5];
    let deleting = async {
        for id in left {
            place.local().delete_as_moderator(journal.get(), *id).unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        }
    };
    let (opened, followed, ()) = tokio::join!(place.connect(&again), place.connect(&follower), deleting);
    for opened in [opened, followed] {
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    }
}

/// The text of an `open` that follows a frame of epoch 1.
fn open_after(frame: &str) -> String {
    let inner = frame.strip_prefix("```json\n").unwrap().strip_suffix("\n```").unwrap();
    let frame: serde_json::Value = serde_json::from_str(inner).unwrap();
    let (db, prev) = (frame["db"].as_str().unwrap(), frame["sum"].as_str().unwrap());
    let digits = |at: usize| u8::from_str_radix(&prev[at..at + 2], 16).unwrap();
    let mut encoded = b"discobase\x01".to_vec();
    encoded.push(db.len() as u8);
    encoded.extend(db.as_bytes());
    encoded.extend([3, 2]);
    encoded.extend([9; 8]);
    encoded.extend(b"\x05rival");
    encoded.extend((0..64).step_by(2).map(digits));
    let sum = blake3::hash(&encoded).to_hex();
    let inc = "09".repeat(8);
    format!(
        "```json\n{{\"discobase\":1,\"db\":\"{db}\",\"kind\":\"open\",\"epoch\":2,\"inc\":\"{inc}\",\"owner\":\"rival\",\
         \"prev\":\"{prev}\",\"sum\":\"{sum}\"}}\n```"
    )
}

async fn a_deleted_tail_leaves_a_shorter_chain(place: &Place) {
    let db = open(place).await;
    let journal = db.journal().unwrap();
    for id in 0..3 {
        User::new(id, &id.to_string(), 1).save(&db).await.unwrap();
    }
    drop(db);
    let ids = messages(place, journal);
    place.local().delete_as_moderator(journal.get(), *ids.last().unwrap()).unwrap();
    // While its nonce is remembered, an owner that is alive would not learn of an `open` in its place.
    let error = error_of_opening(place).await;
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(error.to_string().contains("try again in a few minutes"), "{error}");
    place.local().with_state(|state, _| state.limits_mut().nonce_window_ms = 0);
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 2, "documented: nothing proves that there was more");
    db.close().await.unwrap();
}

async fn writing_stops_when_a_frame_is_deleted(place: &Place) {
    let db = open(place).await;
    let journal = db.journal().unwrap();
    for id in 0..3 {
        User::new(id, &id.to_string(), 1).save(&db).await.unwrap();
    }
    // What was never a frame may go.
    let posted = place.local().post_as(place.local().owner_id(), journal.get(), "hello").unwrap();
    place.local().delete_as_moderator(journal.get(), posted.message.id).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    User::new(3, "3", 1).save(&db).await.unwrap();

    let ids = messages(place, journal);
    place.local().delete_as_moderator(journal.get(), ids[4]).unwrap();
    let mut id = 4;
    let error = loop {
        // The gateway tells of it a moment later.
        match User::new(id, &id.to_string(), 1).save(&db).await {
            Ok(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            Err(error) => break error,
        }
        id += 1;
        assert!(id < 1_000, "writing goes on");
    };
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert_eq!(error.place().channel, Some(journal));
    assert_eq!(User::count(&db).await.unwrap(), id as usize, "memory still has all of it");
    db.close().await.unwrap();
}

async fn a_missing_journal_is_not_a_new_database(place: &Place) {
    let db = open(place).await;
    let journal = db.journal().unwrap();
    User::new(1, "a", 1).save(&db).await.unwrap();
    db.close().await.unwrap();
    // Hidden: the bot does not even learn that the channel exists.
    place.forbid(journal, permission::VIEW_CHANNEL);
    let hidden = error_of_opening(place).await;
    assert_eq!(hidden.kind(), ErrorKind::MissingChannel);
    assert!(hidden.to_string().contains("View Channel"), "{hidden}");
    place.local().delete_channel_as_owner(journal.get()).unwrap();
    assert_eq!(error_of_opening(place).await.kind(), ErrorKind::MissingChannel);
}

/// Two processes created the database at once, and the one that lost ended before it deleted its journal: that is all
/// that is left when somebody deletes the other.
/// Makes a journal of the same database, with a later genesis.
fn lose_a_race(place: &Place, journal: u64) {
    let guild = place.local();
    let bot = guild.application_id();
    guild.with_state(|state, now| {
        let genesis = state.messages_in(journal).next().unwrap().content.clone();
        let journal = state.channel(journal).unwrap().clone();
        let (name, topic, parent_id) = (journal.name, journal.topic, journal.parent_id);
        let lost = NewChannel { name, topic, parent_id, ..NewChannel::default() };
        let lost = state.create_channel(now, bot, journal.guild_id, lost).unwrap();
        state.post_as(now, bot, lost.id, &genesis).unwrap();
    });
}

async fn a_journal_that_lost_is_not_taken_for_the_one_that_is_missing(place: &Place) {
    let db = open(place).await;
    let (journal, guild) = (db.journal().unwrap().get(), place.local());
    User::new(1, "a", 1).save(&db).await.unwrap();
    db.close().await.unwrap();
    lose_a_race(place, journal);
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 1, "the oldest genesis wins");
    db.close().await.unwrap();
    guild.delete_channel_as_owner(journal).unwrap();
    let error = error_of_opening(place).await;
    assert_eq!(error.kind(), ErrorKind::MissingChannel, "{error}");
    assert!(error.to_string().contains("the catalog tells of tables"), "{error}");
}

/// A young message may be in a list and not be found alone yet, and its file not be where downloads are served from. The
/// journal is there all the same, and the one that had lost the race must not be taken for the database.
async fn a_message_that_is_not_found_yet_is_no_missing_journal(place: &Place) {
    let db = open(place).await;
    let (journal, guild) = (db.journal().unwrap().get(), place.local());
    User::new(1, "a", 1).save(&db).await.unwrap();
    db.checkpoint().await.unwrap();
    db.close().await.unwrap();
    lose_a_race(place, journal);
    // Found at the third try, and not before the journal is read anew.
    for times in [2, 4] {
        let refuse = |code, message: &str| {
            Rule::new(Action::Refuse { status: 404, code, message: message.to_owned() })
        };
        let message = refuse(10_008, "Unknown Message").on("GET", "/channels/{channel}/messages/{message}");
        let file = refuse(0, "404: Not Found").on("GET", "/attachments/{channel}/{attachment}/{filename}");
        guild.faults().push(message.times(times));
        guild.faults().push(file.times(1));
        let db = open(place).await;
        assert_eq!(db.journal().unwrap().get(), journal);
        assert_eq!(User::count(&db).await.unwrap(), 1);
        db.close().await.unwrap();
        guild.faults().clear();
    }
}

/// Another process took over, and somebody deleted its `open` before the first owner woke up.
async fn an_owner_whose_rival_was_deleted_acknowledges_nothing(place: &Place) {
    let quiet = |gateway: bool| {
        let db = Database::builder(&place.name).timing(100, 300, 60_000).gateway(gateway).build();
        db.table::<User>().unwrap();
        db
    };
    let (first, second) = (quiet(false), quiet(true));
    first.connect_guild(place.local()).await.unwrap();
    User::new(1, "first", 1).save(&first).await.unwrap();
    let journal = first.journal().unwrap();
    let before = messages(place, journal).len();
    second.connect_guild(place.local()).await.unwrap();
    User::new(2, "second", 1).save(&second).await.unwrap();
    User::new(3, "third", 1).save(&second).await.unwrap();
    place.local().delete_as_moderator(journal.get(), messages(place, journal)[before]).unwrap();
    let error = User::new(2, "lost", 2).save(&first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownOutcome, "{error}");
    let error = User::new(4, "lost too", 2).save(&first).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownOutcome, "it writes nothing more: {error}");
    first.close().await.unwrap();
    second.close().await.unwrap();
    assert_eq!(error_of_opening(place).await.kind(), ErrorKind::Damaged);
}

async fn a_journal_deleted_while_open_is_an_error(place: &Place) {
    let db = open(place).await;
    let journal = db.journal().unwrap();
    User::new(1, "a", 1).save(&db).await.unwrap();
    place.local().delete_channel_as_owner(journal.get()).unwrap();
    let error = User::new(2, "b", 1).save(&db).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MissingChannel);
    assert_eq!(error.place().channel, Some(journal));
    assert_eq!(User::get(&db, 1_u64).await.unwrap().unwrap().name, "a", "memory still has it");
    db.close().await.unwrap();
}

async fn a_damaged_attachment_is_named(place: &Place) {
    let db = open(place).await;
    let journal = db.journal().unwrap();
    let rows = (0..200).map(|id| User::new(id, &id.to_string(), 1));
    User::save_all(rows, &db).await.unwrap();
    // Discord's files can't be changed, but a frame can be replaced by a copy of its message with another file.
    let newest = *messages(place, journal).last().unwrap();
    let content =
        place.local().with_state(|state, _| state.message(journal.get(), newest).unwrap().content.clone());
    let file = Attachment::from_bytes("wrong.zst".into(), b"not what was compressed".to_vec(), 0);
    let client = db.client().unwrap().unwrap();
    let copy =
        client.create_message(Id::new(journal.get())).content(&content).attachments(&[file]).await.unwrap();
    let newest = copy.model().await.unwrap().id.get();
    drop(db);
    let original = messages(place, journal)[messages(place, journal).len() - 2];
    place.local().delete_as_moderator(journal.get(), original).unwrap();
    let error = error_of_opening(place).await;
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert_eq!(error.place().channel, Some(journal));
    assert_eq!(error.place().message.map(discobase::MessageId::get), Some(newest), "{error}");
}

async fn missing_permissions_are_listed_at_once(place: &Place) {
    let guild = place.local();
    guild.set_bot_permissions(permission::VIEW_CHANNEL);
    // The bot has what @everyone has, too.
    guild.with_state(|state, _| state.set_role_permissions(guild.guild_id(), guild.guild_id(), 0)).unwrap();
    let error = error_of_opening(place).await;
    assert_eq!(error.kind(), ErrorKind::MissingPermissions);
    let text = error.to_string();
    for name in
        ["Manage Channels", "Send Messages", "Manage Messages", "Attach Files", "Read Message History"]
    {
        assert!(text.contains(name), "{name:?} is not in {text:?}");
    }
    assert!(!text.contains("View Channels"), "{text}");
    assert!(text.contains("https://discord.com/oauth2/authorize?client_id="), "{text}");
    let posted = place.local().stats().by_route;
    assert!(!posted.keys().any(|route| route.starts_with("POST")), "nothing was created: {posted:?}");
}

async fn a_wrong_token_and_a_wrong_address_say_so(place: &Place) {
    let config = |token: &str, api: &str| {
        let mut config = TwilightConfig::new(token);
        config.api = api.parse().unwrap();
        config
    };
    let db = place.database();
    let secret = "very.secret.token";
    let error = db.connect_with(config(secret, place.local().api())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(!format!("{error} {error:?}").contains(secret));
    // Nobody listens at this port, and nobody else gets it as long as it is bound.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = db.connect_with(config(secret, &format!("http://127.0.0.1:{port}"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    assert!(!format!("{error} {error:?}").contains(secret));
    assert!(!db.is_open());
    drop(taken);
}

async fn an_unknown_guild_is_answered_with_an_invitation(place: &Place) {
    let db = Database::builder(&place.name).guild_id(42).build();
    let error = db.connect_guild(place.local()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::GuildNotFound);
    assert!(error.to_string().contains("https://discord.com/oauth2/authorize?client_id="), "{error}");
    assert!(error.to_string().contains("\"discobase\""), "it names the guilds there are: {error}");
}

async fn several_guilds_ask_for_a_choice(place: &Place) {
    let guild = place.local();
    let twin = guild.with_state(|state, now| {
        let twin = state.add_guild(now, "discobase", guild.owner_id());
        state.join(now, twin, guild.application_id(), permission::BOT_DEFAULT);
        twin
    });
    let by_name = Database::builder(&place.name).guild_name("discobase").build();
    let error = by_name.connect_guild(place.local()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AmbiguousGuild);
    assert!(error.to_string().contains(&twin.to_string()), "{error}");
    let by_id = Database::builder(&place.name).guild_id(twin).build();
    by_id.connect_guild(place.local()).await.unwrap();
    assert_eq!(by_id.guild().unwrap().id.get(), twin);
    by_id.close().await.unwrap();
}

async fn the_catalog_is_a_mirror(place: &Place) {
    let db = open(place).await;
    let catalog = db.catalog().unwrap();
    User::new(1, "a", 1).save(&db).await.unwrap();
    db.checkpoint().await.unwrap();
    User::new(2, "b", 2).save(&db).await.unwrap();
    db.close().await.unwrap();
    let all = messages(place, catalog);
    assert!(!all.is_empty());
    for message in all {
        place.local().delete_as_moderator(catalog.get(), message).unwrap();
    }
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 2);
    assert_eq!(User::find(&db).filter(|u| u.name.eq("b")).all().await.unwrap().len(), 1);
    User::new(3, "c", 3).save(&db).await.unwrap();
    db.close().await.unwrap();
    let told = |text: &str| {
        place.local().with_state(|state, _| {
            state.messages_in(catalog.get()).any(|message| message.content.contains(text))
        })
    };
    assert!(told("\"users\""), "a table that changed is told of again");
    place.local().delete_channel_as_owner(catalog.get()).unwrap();
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 3);
    User::new(4, "d", 4).save(&db).await.unwrap();
    db.close().await.unwrap();
    let db = open(place).await;
    assert_eq!(User::count(&db).await.unwrap(), 4);
    db.close().await.unwrap();
}

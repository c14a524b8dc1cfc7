//! Checking a database: every deviation is found and named, and nothing else is.

use discobase::{
    ChannelId, Database, Deviation, DeviationKind, EncryptionKey, ErrorKind, MessageId, Report, Table,
};
use std::time::Duration;

use discobase_guild::state::permission;
use twilight_model::http::attachment::Attachment;

use crate::support::Place;
use twilight_model::id::Id;

use crate::tables::{Note, User};

crate::everywhere!(a_healthy_database_has_no_deviations, an_encrypted_database_is_checked_too,);

crate::in_process!(
    nothing_is_reported_while_commits_checkpoints_and_trims_go_on,
    a_follower_can_check,
    a_deleted_frame_is_named,
    deleted_newest_frames_are_named,
    an_edited_frame_is_named,
    a_swapped_segment_is_named,
    a_deleted_segment_is_named,
    a_segment_that_nothing_names_is_found,
    foreign_messages_are_named,
    deleted_and_hidden_channels_are_told_apart,
    what_people_change_of_channels_is_named,
    a_stale_catalog_is_named,
);

pub(crate) const NEVER: u64 = u64::MAX;

/// A database that writes a checkpoint only when told to, and trims at once.
async fn open(place: &Place) -> Database {
    let db = place
        .builder()
        .checkpoint_every(NEVER, NEVER)
        .trim_after(Duration::ZERO, Duration::from_millis(50))
        .build();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

/// A database with rows in segments, and in frames behind them.
async fn filled(place: &Place) -> Database {
    let db = open(place).await;
    let rows = (0..50).map(|id| User::in_team(id, &id.to_string(), id as i64 % 7, "red"));
    User::save_all(rows, &db).await.unwrap();
    db.checkpoint().await.unwrap();
    change(&db, 50).await;
    db
}

/// A row more, one less, and one changed.
async fn change(db: &Database, id: u64) {
    User::new(id, &id.to_string(), 1).save(db).await.unwrap();
    let gone = User::find(db).order_by(|user| user.id.asc()).limit(2).all().await.unwrap();
    let mut gone = gone.into_iter();
    gone.next().unwrap().delete().await.unwrap();
    let mut changed = gone.next().unwrap();
    changed.points += 100;
    changed.update().await.unwrap();
}

/// The ids of a channel's messages, the oldest first.
pub(crate) fn messages(place: &Place, channel: ChannelId) -> Vec<u64> {
    place.local().with_state(|state, _| state.messages_in(channel.get()).map(|message| message.id).collect())
}

/// The channel that the guild calls so.
fn channel(place: &Place, name: &str) -> ChannelId {
    let guild = place.local().guild_id();
    let found = place.local().with_state(|state, _| {
        state.channels_of(guild).find(|channel| channel.name == name).map(|one| one.id)
    });
    ChannelId::new(found.unwrap())
}

pub(crate) async fn clean(db: &Database) -> Report {
    let report = db.verify().await.unwrap();
    assert!(report.is_clean(), "{report}");
    report
}

/// The only deviation of a kind.
#[track_caller]
fn only(report: &Report, kind: DeviationKind) -> &Deviation {
    let found: Vec<&Deviation> = report.of(kind).collect();
    let [one] = found[..] else { panic!("{} of {kind:?}: {report}", found.len()) };
    one
}

/// That there is exactly this to report.
#[track_caller]
fn is(report: &Report, kind: DeviationKind, channel: ChannelId, message: Option<u64>) {
    let one = only(report, kind);
    assert_eq!(one.channel, Some(channel), "{report}");
    assert_eq!(one.message.map(MessageId::get), message, "{report}");
    assert_eq!(report.deviations.len(), 1, "{report}");
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

async fn a_healthy_database_has_no_deviations(place: &Place) {
    let db = open(place).await;
    clean(&db).await;
    let rows = (0..50).map(|id| User::in_team(id, &id.to_string(), id as i64 % 7, "red"));
    User::save_all(rows, &db).await.unwrap();
    clean(&db).await;
    for round in 0..4 {
        for id in 0..3 {
            change(&db, 100 + 10 * round + id).await;
        }
        clean(&db).await;
        db.checkpoint().await.unwrap();
        change(&db, 105 + 10 * round).await;
        clean(&db).await;
    }
    db.table::<Note>().unwrap();
    db.build_tables().await.unwrap();
    Note { text: "a".into() }.save(&db).await.unwrap();
    let report = clean(&db).await;
    assert!(report.frames > 0 && report.messages > report.frames && report.requests > 5, "{report}");
    assert!(report.segments >= 5, "rows and four indexes: {report}");
    assert!(report.rows >= 50 && report.entries >= 200 && report.bytes > 500, "{report}");
    db.close().await.unwrap();
    let db = open(place).await;
    clean(&db).await;
    db.close().await.unwrap();
}

async fn an_encrypted_database_is_checked_too(place: &Place) {
    place.use_key(EncryptionKey::from_bytes([7; 32]));
    let db = open(place).await;
    for id in 0..20 {
        User::new(id, &id.to_string(), 1).save(&db).await.unwrap();
    }
    db.checkpoint().await.unwrap();
    change(&db, 20).await;
    clean(&db).await;
    let other = EncryptionKey::from_bytes([8; 32]);
    db.rotate_key(other.clone()).await.unwrap();
    place.use_key(other);
    change(&db, 21).await;
    clean(&db).await;
    db.close().await.unwrap();
    let db = open(place).await;
    clean(&db).await;
    db.close().await.unwrap();
}

async fn nothing_is_reported_while_commits_checkpoints_and_trims_go_on(place: &Place) {
    let db = place
        .builder()
        .checkpoint_every(5, NEVER)
        .trim_after(Duration::ZERO, Duration::from_millis(20))
        .build();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    let follower = place.follower();
    follower.table::<User>().unwrap();
    place.connect(&follower).await.unwrap();
    let writing = tokio::spawn({
        let db = db.clone();
        async move {
            for id in 0.. {
                User::new(id, &id.to_string(), 0).save(&db).await.unwrap();
                if id > 2 {
                    change(&db, 1_000_000 + id).await;
                }
            }
        }
    });
    let began = tokio::time::Instant::now();
    let mut walks = 0;
    let enough = |walks: u64| walks > 3 && db.checkpoints().unwrap().written > 3;
    // A busy machine needs longer for what is enough.
    while began.elapsed() < Duration::from_secs(6)
        || (!enough(walks) && began.elapsed() < Duration::from_secs(60))
    {
        for db in [&db, &follower] {
            let report = db.verify().await.unwrap();
            assert!(report.is_clean(), "walk {walks}: {report}");
            walks += 1;
        }
    }
    assert!(!writing.is_finished(), "the writer goes on");
    writing.abort();
    assert!(enough(walks), "{walks} walks");
    follower.close().await.unwrap();
    db.close().await.unwrap();
}

async fn a_follower_can_check(place: &Place) {
    let db = filled(place).await;
    let follower = place.follower();
    follower.table::<User>().unwrap();
    place.connect(&follower).await.unwrap();
    clean(&follower).await;
    let segments = channel(place, "users");
    let segment = messages(place, segments)[0];
    place.local().delete_as_moderator(segments.get(), segment).unwrap();
    is(&follower.verify().await.unwrap(), DeviationKind::MissingSegment, segments, Some(segment));
    follower.close().await.unwrap();
    db.close().await.unwrap();
}

async fn a_deleted_frame_is_named(place: &Place) {
    let db = filled(place).await;
    let journal = db.journal().unwrap();
    let ids = messages(place, journal);
    let middle = ids.len() - 2;
    place.local().delete_as_moderator(journal.get(), ids[middle]).unwrap();
    until("the writer stopped", || db.lag().unwrap().trouble.is_some()).await;
    let trouble = db.lag().unwrap().trouble.unwrap();
    assert_eq!(trouble.kind(), ErrorKind::Damaged);
    assert!(trouble.to_string().contains("db.verify()"), "{trouble}");
    let report = db.verify().await.unwrap();
    let hole = only(&report, DeviationKind::DeletedFrames);
    assert_eq!(
        (hole.channel, hole.message),
        (Some(journal), Some(MessageId::new(ids[middle + 1]))),
        "{report}"
    );
    let lost = only(&report, DeviationKind::LostCommits);
    assert_eq!(lost.channel, Some(journal));
    assert_eq!(report.deviations.len(), 2, "{report}");
    db.close().await.unwrap();
}

async fn deleted_newest_frames_are_named(place: &Place) {
    let db = filled(place).await;
    let journal = db.journal().unwrap();
    let newest = *messages(place, journal).last().unwrap();
    place.local().delete_as_moderator(journal.get(), newest).unwrap();
    is(&db.verify().await.unwrap(), DeviationKind::LostCommits, journal, None);
    db.close().await.unwrap();
}

async fn an_edited_frame_is_named(place: &Place) {
    let db = filled(place).await;
    let journal = db.journal().unwrap();
    let client = db.client().unwrap().unwrap();
    let ids = messages(place, journal);
    let edit = async |message: u64, text: &str| {
        client.update_message(Id::new(journal.get()), Id::new(message)).content(Some(text)).await.unwrap();
    };
    let content = |message: u64| {
        place.local().with_state(|state, _| state.message(journal.get(), message).unwrap().content.clone())
    };
    // An edit that changes nothing is none of ours either.
    let last = *ids.last().unwrap();
    edit(last, &content(last).replace("\"discobase\":1,", "\"discobase\": 1,")).await;
    is(&db.verify().await.unwrap(), DeviationKind::EditedFrame, journal, Some(last));
    let before = ids[ids.len() - 2];
    edit(before, &content(before).replace("\"commits\":[[[\"", "\"commits\":[[[\"X")).await;
    let report = db.verify().await.unwrap();
    let edited: Vec<_> =
        report.of(DeviationKind::EditedFrame).map(|one| one.message.unwrap().get()).collect();
    assert_eq!(edited, [before, last], "{report}");
    assert_eq!(
        only(&report, DeviationKind::DeletedFrames).message.map(MessageId::get),
        Some(last),
        "{report}"
    );
    db.close().await.unwrap();
}

async fn a_swapped_segment_is_named(place: &Place) {
    let db = filled(place).await;
    let client = db.client().unwrap().unwrap();
    for name in ["users", "users_points"] {
        let segments = channel(place, name);
        let segment = messages(place, segments)[0];
        let other = Attachment::from_bytes("other.seg".into(), b"discobase\x01another one".to_vec(), 0);
        client
            .update_message(Id::new(segments.get()), Id::new(segment))
            .attachments(&[other])
            .keep_attachment_ids(&[])
            .await
            .unwrap();
        let report = db.verify().await.unwrap();
        let found: Vec<_> = report
            .of(DeviationKind::SwappedSegment)
            .filter(|one| one.channel == Some(segments) && one.table.as_deref() == Some("users"))
            .collect();
        assert!(!found.is_empty(), "{report}");
        assert!(found.iter().all(|one| one.message.map(MessageId::get) == Some(segment)), "{report}");
        assert!(report.deviations.iter().all(|one| one.kind == DeviationKind::SwappedSegment), "{report}");
    }
    db.close().await.unwrap();
}

async fn a_deleted_segment_is_named(place: &Place) {
    let db = filled(place).await;
    let segments = channel(place, "users_name");
    let segment = messages(place, segments)[0];
    place.local().delete_as_moderator(segments.get(), segment).unwrap();
    is(&db.verify().await.unwrap(), DeviationKind::MissingSegment, segments, Some(segment));
    db.close().await.unwrap();
}

async fn a_segment_that_nothing_names_is_found(place: &Place) {
    let db = filled(place).await;
    let segments = channel(place, "users");
    let segment = messages(place, segments)[0];
    let content =
        place.local().with_state(|state, _| state.message(segments.get(), segment).unwrap().content.clone());
    let post = async |epoch: &str| {
        let file = Attachment::from_bytes("0123456789abcdef.seg".into(), b"anything".to_vec(), 0);
        let content = content.replace("\"epoch\":1", &format!("\"epoch\":{epoch}"));
        let client = db.client().unwrap().unwrap();
        let posted =
            client.create_message(Id::new(segments.get())).content(&content).attachments(&[file]).await;
        posted.unwrap().model().await.unwrap().id.get()
    };
    // What this term uploads may be part of the next checkpoint.
    post("1").await;
    clean(&db).await;
    let left = post("0").await;
    is(&db.verify().await.unwrap(), DeviationKind::OrphanSegment, segments, Some(left));
    db.close().await.unwrap();
}

async fn foreign_messages_are_named(place: &Place) {
    let db = filled(place).await;
    let guild = place.local();
    let mut posted = Vec::new();
    let channels = [
        db.journal().unwrap(),
        db.catalog().unwrap(),
        channel(place, "users"),
        channel(place, "users_points"),
    ];
    for channel in channels {
        let message = guild.post_as(guild.owner_id(), channel.get(), "hello").unwrap().message.id;
        posted.push((Some(channel), Some(MessageId::new(message))));
    }
    let report = db.verify().await.unwrap();
    let mut found: Vec<_> =
        report.of(DeviationKind::ForeignMessage).map(|one| (one.channel, one.message)).collect();
    found.sort_unstable();
    posted.sort_unstable();
    assert_eq!(found, posted, "{report}");
    assert_eq!(report.deviations.len(), posted.len(), "{report}");
    assert!(report.to_string().contains(&guild.owner_id().to_string()), "{report}");
    db.close().await.unwrap();
}

async fn deleted_and_hidden_channels_are_told_apart(place: &Place) {
    let db = filled(place).await;
    let (name, points) = (channel(place, "users_name"), channel(place, "users_points"));
    place.local().delete_channel_as_owner(name.get()).unwrap();
    place.forbid(points, permission::VIEW_CHANNEL);
    let report = db.verify().await.unwrap();
    let missing = only(&report, DeviationKind::MissingChannel);
    assert_eq!((missing.channel, missing.table.as_deref()), (Some(name), Some("users")), "{report}");
    let hidden = only(&report, DeviationKind::HiddenChannel);
    assert_eq!((hidden.channel, hidden.table.as_deref()), (Some(points), Some("users")), "{report}");
    assert!(hidden.text.contains("View Channel"), "{report}");
    assert_eq!(report.deviations.len(), 2, "{report}");
    db.close().await.unwrap();
}

async fn what_people_change_of_channels_is_named(place: &Place) {
    let db = filled(place).await;
    let client = db.client().unwrap().unwrap();
    let (users, name, points) =
        (channel(place, "users"), channel(place, "users_name"), channel(place, "users_points"));
    client.update_channel(Id::new(users.get())).topic("our users").await.unwrap();
    let guild = Id::new(place.local().guild_id());
    let elsewhere = client.create_guild_channel(guild, "archive");
    let elsewhere = elsewhere.kind(twilight_model::channel::ChannelType::GuildCategory).await.unwrap();
    let elsewhere = elsewhere.model().await.unwrap().id;
    client.create_guild_channel(guild, "notes").parent_id(elsewhere).await.unwrap();
    client.update_channel(Id::new(name.get())).parent_id(Some(elsewhere)).await.unwrap();
    place.forbid(points, permission::SEND_MESSAGES);
    let catalog = db.catalog().unwrap();
    let everyone = place.local().guild_id();
    place.local().with_state(|state, _| state.delete_overwrite_as_owner(catalog.get(), everyone)).unwrap();
    let report = db.verify().await.unwrap();
    assert_eq!(only(&report, DeviationKind::WrongTopic).channel, Some(users), "{report}");
    assert_eq!(only(&report, DeviationKind::MisplacedChannel).channel, Some(name), "{report}");
    let lacking = only(&report, DeviationKind::MissingPermissions);
    assert_eq!(lacking.channel, Some(points), "{report}");
    assert!(lacking.text.contains("Send Messages") && !lacking.text.contains("View"), "{report}");
    assert_eq!(only(&report, DeviationKind::ExposedChannel).channel, Some(catalog), "{report}");
    assert_eq!(report.deviations.len(), 4, "{report}");
    db.close().await.unwrap();
}

async fn a_stale_catalog_is_named(place: &Place) {
    let db = filled(place).await;
    let catalog = db.catalog().unwrap();
    let message = messages(place, catalog)[0];
    let content =
        place.local().with_state(|state, _| state.message(catalog.get(), message).unwrap().content.clone());
    let client = db.client().unwrap().unwrap();
    let edit = async |text: &str| {
        client.update_message(Id::new(catalog.get()), Id::new(message)).content(Some(text)).await.unwrap();
    };
    edit(&content.replace("\"max_len\": 100", "\"max_len\": 99")).await;
    let report = db.verify().await.unwrap();
    is(&report, DeviationKind::StaleMetadata, catalog, Some(message));
    assert!(report.deviations[0].text.contains("columns"), "{report}");
    edit(&content.replace("\"segments\": [", "\"segments\": [\"17\",")).await;
    is(&db.verify().await.unwrap(), DeviationKind::StaleMetadata, catalog, Some(message));
    edit(&content).await;
    clean(&db).await;
    place.local().delete_as_moderator(catalog.get(), message).unwrap();
    is(&db.verify().await.unwrap(), DeviationKind::MissingMetadata, catalog, None);
    db.close().await.unwrap();
}

//! Encryption at rest: what a reader of the guild finds, and what happens to wrong keys and changed messages.

use std::io::Read as _;

use discobase::transport::twilight::{TwilightConfig, TwilightTransport};
use discobase::transport::{HistoryPage, Transport as _};
use discobase::{ChannelId, Database, DatabaseBuilder, EncryptionKey, ErrorKind, MessageId, Table};
use discobase_guild::{Action, Rule};

use crate::support::Place;
use crate::tables::{Everything, Level, User};

crate::everywhere!(an_encrypted_database_is_opened_with_its_key);
crate::in_process!(
    nothing_of_a_record_is_readable_in_the_guild,
    each_mistake_with_the_key_is_named,
    a_key_may_come_from_a_function,
    a_small_frame_can_be_refused_as_text,
);

fn key(byte: u8) -> EncryptionKey {
    EncryptionKey::from_bytes([byte; 32])
}

/// A passphrase that costs next to nothing.
fn passphrase(text: &str) -> EncryptionKey {
    EncryptionKey::passphrase_with(text, 8, 1)
}

async fn open_with(place: &Place, choose: impl FnOnce(DatabaseBuilder) -> DatabaseBuilder) -> Database {
    let db = choose(place.builder()).build();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap();
    db
}

async fn error_of(
    place: &Place,
    choose: impl FnOnce(DatabaseBuilder) -> DatabaseBuilder,
) -> discobase::Error {
    let db = choose(place.builder()).build();
    db.table::<User>().unwrap();
    place.connect(&db).await.unwrap_err()
}

async fn an_encrypted_database_is_opened_with_its_key(place: &Place) {
    let db = open_with(place, |builder| builder.encryption(key(1))).await;
    let mut peter = User::in_team(1, "Peter", 5, "red").save(&db).await.unwrap();
    peter.points = 6;
    peter.update().await.unwrap();
    // Larger than a message.
    User::save_all((2..500).map(|id| User::new(id, &id.to_string(), 1)), &db).await.unwrap();
    User::get(&db, 3_u64).await.unwrap().unwrap().delete().await.unwrap();
    let all = User::find(&db).order_by(|u| u.id.asc()).all().await.unwrap();
    db.close().await.unwrap();

    let db = open_with(place, |builder| builder.encryption(key(1))).await;
    assert_eq!(User::find(&db).order_by(|u| u.id.asc()).all().await.unwrap(), all);
    let peter = User::find_unique(&db, |u| u.name.eq("Peter")).await.unwrap();
    assert_eq!(peter.points, 6);
    User::new(1_000, "late", 1).save(&db).await.unwrap();
    db.close().await.unwrap();
    assert_eq!(error_of(place, |builder| builder.encryption(key(2))).await.kind(), ErrorKind::WrongKey);
    // For whoever cleans up.
    place.use_key(key(1));
}

/// Every byte of the guild, in every form in which it could be read: names, topics, contents, files, and files
/// decompressed.
async fn everything_in(place: &Place) -> Vec<(String, Vec<u8>)> {
    let guild = place.local();
    let mut pieces = Vec::new();
    let channels: Vec<(u64, String)> = guild.with_state(|state, _| {
        for channel in state.channels_of(guild.guild_id()) {
            let topic = channel.topic.clone().unwrap_or_default();
            pieces.push((
                format!("channel {}", channel.name),
                format!("{} {topic}", channel.name).into_bytes(),
            ));
            for message in state.messages_in(channel.id) {
                let all = serde_json::to_vec(&**message).unwrap();
                pieces.push((format!("message {} in {}, whole", message.id, channel.name), all));
                let content = message.content.clone().into_bytes();
                pieces.push((format!("message {} in {}", message.id, channel.name), content));
            }
        }
        state.channels_of(guild.guild_id()).map(|channel| (channel.id, channel.name.clone())).collect()
    });
    let mut config = TwilightConfig::new(guild.token());
    config.api = guild.api().parse().unwrap();
    let transport = TwilightTransport::new(config).unwrap();
    for (channel, name) in channels {
        let mut cursor = MessageId::new(0);
        while let Ok(page) = transport.history(ChannelId::new(channel), HistoryPage::After(cursor)).await
            && let Some(last) = page.last()
        {
            cursor = last.id;
            for message in &page {
                for file in &message.attachments {
                    let at = format!("file {} of message {} in {name}", file.filename, message.id);
                    let bytes = transport.download(file).await.unwrap().to_vec();
                    if let Ok(mut decoder) = zstd::stream::read::Decoder::new(bytes.as_slice()) {
                        let mut unpacked = Vec::new();
                        let _partly = decoder.read_to_end(&mut unpacked);
                        pieces.push((format!("{at}, decompressed"), unpacked));
                    }
                    pieces.push((at, bytes));
                }
            }
        }
    }
    transport.shutdown().await;
    pieces
}

/// Where any of `secrets` can be read.
async fn found(place: &Place, secrets: &[&str]) -> Vec<String> {
    let pieces = everything_in(place).await;
    let mut found = Vec::new();
    for (at, bytes) in &pieces {
        for secret in secrets {
            if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
                found.push(format!("{secret:?} in {at}"));
            }
        }
    }
    found
}

/// A table whose every part has a word of its own.
#[derive(Debug, Clone, PartialEq, Table)]
#[table(name = "vault")]
struct Secret {
    #[table(key)]
    id: u64,
    zebrafield: String,
    #[table(default = "defaultzebra")]
    other: String,
}

const SECRETS: [&str; 8] =
    ["zebrafield", "defaultzebra", "valuezebra", "manyzebra", "keyzebra", "Ringzebra", "Middle", "High"];

async fn write_secrets(place: &Place, db: &Database) {
    db.table::<Secret>().unwrap();
    db.table::<Everything>().unwrap();
    place.connect(db).await.unwrap();
    let secret = |id: u64, text: &str| Secret { id, zebrafield: text.into(), other: "defaultzebra".into() };
    let mut first = secret(1, "valuezebra").save(db).await.unwrap();
    first.zebrafield = "valuezebra again".into();
    first.update().await.unwrap();
    Secret::save_all((2..400).map(|id| secret(id, &format!("manyzebra {id}"))), db).await.unwrap();
    let mut everything = Everything::ordinary("keyzebra");
    everything.level = Level::High;
    everything.address.street = "Ringzebra".into();
    everything.save(db).await.unwrap();
    Secret::get(db, 7_u64).await.unwrap().unwrap().delete().await.unwrap();
    db.close().await.unwrap();
}

async fn nothing_of_a_record_is_readable_in_the_guild(place: &Place) {
    write_secrets(place, &place.builder().encryption(key(1)).build()).await;
    assert_eq!(found(place, &SECRETS).await, [String::new(); 0]);

    // The search is worth something: in a clear database it finds every one of them.
    let clear = Place::new(crate::support::World::InProcess).await;
    write_secrets(&clear, &clear.database()).await;
    let found = found(&clear, &SECRETS).await;
    for secret in SECRETS {
        assert!(found.iter().any(|found| found.contains(secret)), "{secret} is not found in clear");
    }
}

async fn each_mistake_with_the_key_is_named(place: &Place) {
    let db = open_with(place, |builder| builder.encryption(passphrase("correct horse"))).await;
    User::new(1, "a", 1).save(&db).await.unwrap();
    let journal = db.journal().unwrap();
    db.close().await.unwrap();
    let missing = error_of(place, |builder| builder).await;
    assert_eq!(missing.kind(), ErrorKind::KeyMissing);
    assert_eq!(missing.place().channel, Some(journal));
    assert!(missing.to_string().contains("DISCOBASE_KEY"), "{missing}");
    for wrong in [passphrase("wrong horse"), key(1)] {
        let error = error_of(place, |builder| builder.encryption(wrong)).await;
        assert_eq!(error.kind(), ErrorKind::WrongKey, "{error}");
        assert!(!format!("{error} {error:?}").contains("horse"), "{error}");
    }
    let db = open_with(place, |builder| builder.encryption(passphrase("correct horse"))).await;
    assert_eq!(User::count(&db).await.unwrap(), 1);
    db.close().await.unwrap();

    let clear = Place::new(crate::support::World::InProcess).await;
    open_with(&clear, |builder| builder).await.close().await.unwrap();
    let error = error_of(&clear, |builder| builder.encryption(key(1))).await;
    assert_eq!(error.kind(), ErrorKind::NotEncrypted);
    open_with(&clear, DatabaseBuilder::unencrypted).await.close().await.unwrap();
    let empty = Place::new(crate::support::World::InProcess).await;
    let error = error_of(&empty, |builder| builder.encryption(passphrase(""))).await;
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

async fn a_key_may_come_from_a_function(place: &Place) {
    let db = open_with(place, |builder| builder.encryption_from(|| Ok(key(3)))).await;
    User::new(1, "a", 1).save(&db).await.unwrap();
    db.close().await.unwrap();
    // It is asked again at the next opening of the same database.
    place.connect(&db).await.unwrap();
    assert_eq!(User::count(&db).await.unwrap(), 1);
    db.close().await.unwrap();
    let refuse = || Err(discobase::Error::new(ErrorKind::KeyMissing, "the vault is closed"));
    let error = error_of(place, |builder| builder.encryption_from(refuse)).await;
    assert!(error.to_string().contains("the vault is closed"), "{error}");
}

async fn a_small_frame_can_be_refused_as_text(place: &Place) {
    let db = open_with(place, |builder| builder.encryption(key(1))).await;
    let messages = "/channels/{channel}/messages";
    place.local().faults().push(Rule::new(Action::AutoMod).on("POST", messages));
    User::new(1, "a", 1).save(&db).await.unwrap();
    place.local().faults().push(Rule::new(Action::LoseReply).on("POST", messages));
    User::new(2, "b", 1).save(&db).await.unwrap();
    drop(db);
    let db = open_with(place, |builder| builder.encryption(key(1))).await;
    assert_eq!(User::count(&db).await.unwrap(), 2);
    db.close().await.unwrap();
}

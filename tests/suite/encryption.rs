//! Encryption at rest: what a reader of the guild finds, and what happens to wrong keys and changed messages.

use std::io::Read as _;

use discobase::transport::twilight::{TwilightConfig, TwilightTransport};
use discobase::transport::{HistoryPage, Transport as _, TransportError};
use discobase::{ChannelId, Database, DatabaseBuilder, EncryptionKey, ErrorKind, MessageId, Table};
use discobase_guild::{Action, Rule};
use twilight_model::http::attachment::Attachment;

use crate::support::Place;
use crate::tables::{Everything, Level, User};

crate::everywhere!(an_encrypted_database_is_opened_with_its_key);
crate::in_process!(
    nothing_of_a_record_is_readable_in_the_guild,
    each_mistake_with_the_key_is_named,
    a_key_may_come_from_a_function,
    a_small_frame_can_be_refused_as_text,
    a_changed_body_is_named,
    a_body_of_another_frame_is_named,
    a_clear_frame_in_an_encrypted_database_is_named,
    a_change_under_the_old_sum_is_no_frame,
    a_changed_file_is_named,
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
                    let bytes = match transport.download(file).await {
                        Ok(bytes) => bytes.to_vec(),
                        // Trimming goes on.
                        Err(TransportError::Missing(_)) => continue,
                        Err(error) => panic!("{at}: {error}"),
                    };
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
pub(crate) async fn found(place: &Place, secrets: &[&str]) -> Vec<String> {
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

pub(crate) const SECRETS: [&str; 8] =
    ["zebrafield", "defaultzebra", "valuezebra", "manyzebra", "keyzebra", "Ringzebra", "Middle", "High"];

pub(crate) async fn write_secrets(place: &Place, db: &Database) {
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
    assert_eq!(found(place, &SECRETS).await, Vec::<String>::new());

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

/// The newest message of the journal.
fn newest(place: &Place, journal: ChannelId) -> (u64, String) {
    place.local().with_state(|state, _| {
        let message = state.messages_in(journal.get()).next_back().unwrap();
        (message.id, message.content.clone())
    })
}

fn json(content: &str) -> serde_json::Value {
    serde_json::from_str(content.strip_prefix("```json\n").unwrap().strip_suffix("\n```").unwrap()).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The canonical encoding of a data frame, as `docs/format.md` has it: the header of a text, then the body.
fn canonical(header: &serde_json::Value, sealed: bool, body: &[u8]) -> Vec<u8> {
    let mut out = b"discobase\x01".to_vec();
    let varint = |out: &mut Vec<u8>, mut number: usize| {
        while number >= 0x80 {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    };
    let text = |out: &mut Vec<u8>, text: &str| {
        varint(out, text.len());
        out.extend(text.as_bytes());
    };
    text(&mut out, header["db"].as_str().unwrap());
    out.push(if sealed { 0x82 } else { 2 });
    varint(&mut out, header["epoch"].as_u64().unwrap() as usize);
    out.extend(hex(header["inc"].as_str().unwrap()));
    text(&mut out, header["owner"].as_str().unwrap());
    out.extend(hex(header["prev"].as_str().unwrap()));
    if sealed {
        varint(&mut out, body.len());
    }
    out.extend(body);
    out
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn sealed_of(frame: &serde_json::Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(frame["sealed"].as_str().unwrap()).unwrap()
}

/// Two frames of one process, each with one insert: the one before the newest, and the newest.
async fn two_frames(place: &Place) -> (Database, ChannelId, serde_json::Value, serde_json::Value) {
    let db = open_with(place, |builder| builder.encryption(key(1))).await;
    let journal = db.journal().unwrap();
    User::new(1, "a", 1).save(&db).await.unwrap();
    let before = json(&newest(place, journal).1);
    User::new(2, "b", 2).save(&db).await.unwrap();
    let last = json(&newest(place, journal).1);
    assert_eq!(last["prev"], before["sum"]);
    // The encoding here is the one of the program.
    let encoded = canonical(&last, true, &sealed_of(&last));
    assert_eq!(blake3::hash(&encoded).to_hex().as_str(), last["sum"].as_str().unwrap());
    (db, journal, before, last)
}

/// Replaces the newest frame by another with the same header, as somebody could who holds the bot's token, and opens.
async fn replace(
    place: &Place,
    db: Database,
    journal: ChannelId,
    content: String,
    file: Option<(String, Vec<u8>)>,
) -> (u64, discobase::Error) {
    let (old, _) = newest(place, journal);
    let client = db.client().unwrap().unwrap();
    drop(db);
    place.local().delete_as_moderator(journal.get(), old).unwrap();
    let id = twilight_model::id::Id::new(journal.get());
    let files: Vec<_> =
        file.into_iter().map(|(name, bytes)| Attachment::from_bytes(name, bytes, 0)).collect();
    let posted = client.create_message(id).content(&content).attachments(&files).await.unwrap();
    let posted = posted.model().await.unwrap().id.get();
    (posted, error_of(place, |builder| builder.encryption(key(1))).await)
}

/// The text of a frame with the header of `frame` and another body, under the sum that it has.
fn forged(frame: &serde_json::Value, sealed: Option<&[u8]>) -> String {
    let field = |name: &str| frame[name].to_string();
    let body = match sealed {
        Some(sealed) => format!("\"sealed\":\"{}\"", base64(sealed)),
        None => "\"first\":0,\"commits\":[]".to_owned(),
    };
    let encoded = canonical(frame, sealed.is_some(), sealed.unwrap_or(&[0, 0]));
    let sum = blake3::hash(&encoded).to_hex();
    format!(
        "```json\n{{\"discobase\":1,\"db\":{},\"kind\":\"data\",\"epoch\":{},\"inc\":{},\"owner\":{},\"prev\":{},\
         {body},\"sum\":\"{sum}\"}}\n```",
        field("db"),
        field("epoch"),
        field("inc"),
        field("owner"),
        field("prev"),
    )
}

fn is_tampered(error: &discobase::Error, journal: ChannelId, message: u64) {
    assert_eq!(error.kind(), ErrorKind::Tampered, "{error}");
    assert_eq!(error.place().channel, Some(journal));
    assert_eq!(error.place().message.map(MessageId::get), Some(message), "{error}");
}

async fn a_changed_body_is_named(place: &Place) {
    let (db, journal, _, last) = two_frames(place).await;
    let mut sealed = sealed_of(&last);
    sealed[30] ^= 1;
    let (posted, error) = replace(place, db, journal, forged(&last, Some(&sealed)), None).await;
    is_tampered(&error, journal, posted);
}

async fn a_body_of_another_frame_is_named(place: &Place) {
    let (db, journal, before, last) = two_frames(place).await;
    let (posted, error) = replace(place, db, journal, forged(&last, Some(&sealed_of(&before))), None).await;
    is_tampered(&error, journal, posted);
}

async fn a_clear_frame_in_an_encrypted_database_is_named(place: &Place) {
    let (db, journal, _, last) = two_frames(place).await;
    let (posted, error) = replace(place, db, journal, forged(&last, None), None).await;
    is_tampered(&error, journal, posted);
    assert!(error.to_string().contains("not sealed"), "{error}");
}

async fn a_change_under_the_old_sum_is_no_frame(place: &Place) {
    let (db, journal, _, last) = two_frames(place).await;
    let mut sealed = sealed_of(&last);
    sealed[30] ^= 1;
    let content = newest(place, journal).1.replace(last["sealed"].as_str().unwrap(), &base64(&sealed));
    let (posted, error) = replace(place, db, journal, content, None).await;
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert_eq!(error.place().message.map(MessageId::get), Some(posted), "{error}");
}

async fn a_changed_file_is_named(place: &Place) {
    let db = open_with(place, |builder| builder.encryption(key(1))).await;
    let journal = db.journal().unwrap();
    User::save_all((1..400).map(|id| User::new(id, &format!("{id} of many"), 1)), &db).await.unwrap();
    let (id, content) = newest(place, journal);
    let header = json(&content);
    let mut config = TwilightConfig::new(place.token());
    config.api = place.local().api().parse().unwrap();
    let transport = TwilightTransport::new(config).unwrap();
    let message = transport.message(journal, MessageId::new(id)).await.unwrap();
    let packed = transport.download(&message.attachments[0]).await.unwrap();
    transport.shutdown().await;
    let mut encoded = zstd::stream::decode_all(&packed[..]).unwrap();
    *encoded.last_mut().unwrap() ^= 1;
    let sum = blake3::hash(&encoded).to_hex();
    let content = content.replace(header["sum"].as_str().unwrap(), &sum);
    let content = content.replace(&header["bytes"].to_string(), &packed.len().to_string());
    let file = (format!("{}.zst", &sum[..16]), zstd::stream::encode_all(&encoded[..], 3).unwrap());
    let (posted, error) = replace(place, db, journal, content, Some(file)).await;
    is_tampered(&error, journal, posted);
}

//! The data file: what survives, and what is said of a file that cannot be used.

use crate::support::{Client, Socket, general, id};
use discobase_guild::{GuildError, Limits, LocalGuild};
use serde_json::json;
use std::path::Path;

async fn open(path: &Path) -> LocalGuild {
    LocalGuild::builder().data(path).guild_name("shop").limits(Limits::unlimited()).start().await.unwrap()
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guild.redb");
    let guild = open(&path).await;
    let client = Client::of(&guild);
    let general = general(&guild);
    let channels = format!("/guilds/{}/channels", guild.guild_id());
    let kept = client.post(&channels, json!({"name": "kept", "topic": "t"})).await.ok();
    let dropped = id(&client.post(&channels, json!({"name": "dropped"})).await.ok()["id"]);
    let messages = format!("/channels/{}/messages", id(&kept["id"]));
    let data: Vec<u8> = (0..2_500_000_u32).map(|n| (n % 253) as u8).collect();
    let payload = json!({"content": "a", "nonce": "n", "enforce_nonce": true});
    let posted = client.upload("POST", &messages, &payload, &[(0, "a.bin", &data)]).await.ok();
    let gone = client.post(&messages, json!({"content": "gone"})).await.ok();
    client.patch(&format!("{messages}/{}", id(&posted["id"])), json!({"content": "b"})).await.ok();
    client.delete(&format!("{messages}/{}", id(&gone["id"]))).await;
    client.post(&format!("/channels/{dropped}/messages"), json!({"content": "x"})).await.ok();
    client.delete(&format!("/channels/{dropped}")).await.ok();
    let before = (guild.guild_id(), guild.application_id(), guild.owner_id(), guild.token().to_owned());
    guild.stop().await;

    let guild = open(&path).await;
    let client = Client::of(&guild);
    assert_eq!(
        (guild.guild_id(), guild.application_id(), guild.owner_id(), guild.token().to_owned()),
        before
    );
    assert_eq!(client.get(&format!("/guilds/{}", guild.guild_id())).await.ok()["name"], "shop");
    let listed = client.get(&channels).await.ok();
    // It points to the newest message there ever was, which may be deleted.
    assert_eq!(listed[1]["last_message_id"], gone["id"]);
    let listed: Vec<_> =
        listed.as_array().unwrap().iter().map(|one| (id(&one["id"]), one["topic"].clone())).collect();
    assert_eq!(listed, [(general, json!(null)), (id(&kept["id"]), json!("t"))]);
    let page = client.get(&messages).await.ok();
    assert_eq!((page.as_array().unwrap().len(), &page[0]["content"]), (1, &json!("b")));
    let file = client.download("GET", page[0]["attachments"][0]["url"].as_str().unwrap(), &[]).await;
    assert!(file.body[..] == data[..]);
    // Nonces are remembered, and ids go on where they stopped, deleted ones included.
    let again = client.post(&messages, payload).await.ok();
    assert_eq!(again["id"], posted["id"]);
    let next = client.post(&messages, json!({"content": "c"})).await.ok();
    assert!(id(&next["id"]) > id(&gone["id"]));
}

#[tokio::test]
async fn a_dropped_guild_lets_its_file_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guild.redb");
    let guild = open(&path).await;
    let (token, channel) = (guild.token().to_owned(), general(&guild));
    let socket = Socket::connect(guild.gateway()).await;
    guild.post_as(guild.owner_id(), channel, "x").unwrap();
    drop(guild);
    drop(socket);
    let guild = open(&path).await;
    assert_eq!(guild.token(), token);
    assert_eq!(guild.with_state(|state, _| state.messages_in(channel).count()), 1);
    // A token that is given replaces the one in the file.
    guild.stop().await;
    let guild = LocalGuild::builder().data(&path).token("new").start().await.unwrap();
    assert_eq!(Client::new(guild.api(), "new").get("/users/@me").await.status, 200);
    assert_eq!(Client::new(guild.api(), &token).get("/users/@me").await.status, 401);
    guild.stop().await;
    assert_eq!(open(&path).await.token(), "new");
}

#[tokio::test]
async fn a_file_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guild.redb");
    let _first = open(&path).await;
    let error = LocalGuild::builder().data(&path).start().await.unwrap_err();
    assert!(matches!(error, GuildError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains("in use"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guild.redb");
    for content in [&b"hello"[..], &[7; 100_000]] {
        std::fs::write(&path, content).unwrap();
        let error = LocalGuild::builder().data(&path).start().await.unwrap_err();
        assert!(matches!(error, GuildError::Damaged { .. }), "{error:?}");
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
    let error = LocalGuild::builder().data(folder.path().join("no/such/folder")).start().await.unwrap_err();
    assert!(matches!(error, GuildError::File { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_of_another_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guild.redb");
    open(&path).await.stop().await;
    {
        let database = redb::Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        let numbers = redb::TableDefinition::<&str, u64>::new("numbers");
        transaction.open_table(numbers).unwrap().insert("format", 99).unwrap();
        transaction.commit().unwrap();
    }
    let error = LocalGuild::builder().data(&path).start().await.unwrap_err();
    assert!(matches!(error, GuildError::Format { .. }), "{error:?}");
    assert!(error.to_string().contains("format 99"), "{error}");
}

#[tokio::test]
async fn a_torn_file_is_refused_or_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guild.redb");
    open(&path).await.stop().await;
    let whole = std::fs::read(&path).unwrap();
    for cut in [100, 4096, whole.len() / 2] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let error = LocalGuild::builder().data(&path).start().await.unwrap_err();
        assert!(matches!(error, GuildError::Damaged { .. } | GuildError::File { .. }), "{cut}: {error:?}");
    }
}

#[tokio::test]
async fn pins_and_invites_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guild.redb");
    let guild = open(&path).await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let posted = client.post(&format!("/channels/{channel}/messages"), json!({"content": "a"})).await.ok();
    let pins = format!("/channels/{channel}/messages/pins");
    client.send("PUT", &format!("{pins}/{}", id(&posted["id"])), json!(null)).await;
    let pinned = client.get(&pins).await.ok();
    assert_eq!(pinned["items"][0]["message"]["id"], posted["id"]);
    let invites = format!("/channels/{channel}/invites");
    let invite = client.post(&invites, json!({"max_uses": 3})).await.ok();
    let deleted = client.post(&invites, json!({"unique": true})).await.ok();
    client.delete(&format!("/invites/{}", deleted["code"].as_str().unwrap())).await.ok();
    guild.stop().await;

    let guild = open(&path).await;
    let client = Client::of(&guild);
    assert_eq!(client.get(&pins).await.ok(), pinned);
    let shown = client.get(&format!("/channels/{channel}")).await.ok();
    assert_eq!(shown["last_pin_timestamp"], pinned["items"][0]["pinned_at"]);
    assert_eq!(client.get(&invites).await.ok(), json!([invite]));
    guild.stop().await;

    // A file of before there were invites.
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let table: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("invites");
    assert!(transaction.delete_table(table).unwrap());
    transaction.commit().unwrap();
    drop(database);
    let guild = open(&path).await;
    let client = Client::of(&guild);
    assert_eq!(client.get(&invites).await.ok(), json!([]));
    client.post(&invites, json!({})).await.ok();
    guild.stop().await;
    assert_eq!(Client::of(&open(&path).await).get(&invites).await.ok().as_array().unwrap().len(), 1);
}

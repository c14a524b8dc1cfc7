//! Pins: both generations of routes, paging, the note in the channel, who may.

use crate::support::{Client, GUILD_MESSAGES, GUILDS, Socket, general, guild, id};
use discobase_guild::state::permission as bit;
use serde_json::{Value, json};

async fn post(client: &Client, channel: u64, content: &str) -> u64 {
    let path = format!("/channels/{channel}/messages");
    id(&client.post(&path, json!({"content": content})).await.ok()["id"])
}

async fn put(client: &Client, path: &str) -> crate::support::Reply {
    client.send("PUT", path, Value::Null).await
}

#[tokio::test]
async fn a_pin_is_announced_and_noted_in_the_channel() {
    let (guild, clock) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let message = post(&client, channel, "rules").await;
    let (mut socket, _) = Socket::identified(&guild, GUILDS | GUILD_MESSAGES).await;
    socket.event("GUILD_CREATE").await;
    clock.advance(1000);
    let pin = format!("/channels/{channel}/messages/pins/{message}");
    assert_eq!(put(&client, &pin).await.status, 204);
    let updated = socket.event("MESSAGE_UPDATE").await;
    assert_eq!((id(&updated["id"]), &updated["pinned"]), (message, &json!(true)));
    assert_eq!(updated["edited_timestamp"], Value::Null);
    let event = socket.event("CHANNEL_PINS_UPDATE").await;
    assert_eq!(id(&event["guild_id"]), guild.guild_id());
    assert_eq!(id(&event["channel_id"]), channel);
    assert_eq!(event["last_pin_timestamp"], "2026-09-21T14:13:21.000000+00:00");
    let note = socket.event("MESSAGE_CREATE").await;
    assert_eq!((&note["type"], &note["content"]), (&json!(6), &json!("")));
    assert_eq!(id(&note["author"]["id"]), guild.application_id());
    assert_eq!(
        note["message_reference"],
        json!({"type": 0, "message_id": message.to_string(), "channel_id": channel.to_string(),
            "guild_id": guild.guild_id().to_string()})
    );
    assert!(note.get("referenced_message").is_none());
    // Once more changes nothing.
    assert_eq!(put(&client, &pin).await.status, 204);
    socket.is_silent().await;
    let shown = client.get(&format!("/channels/{channel}")).await.ok();
    assert_eq!(shown["last_pin_timestamp"], event["last_pin_timestamp"]);

    assert_eq!(client.delete(&pin).await.status, 204);
    assert_eq!(socket.event("MESSAGE_UPDATE").await["pinned"], false);
    assert_eq!(socket.event("CHANNEL_PINS_UPDATE").await["last_pin_timestamp"], Value::Null);
    assert_eq!(client.delete(&pin).await.status, 204);
    socket.is_silent().await;
    // What Discord wrote itself cannot be pinned.
    let note = format!("/channels/{channel}/messages/pins/{}", id(&note["id"]));
    assert_eq!(put(&client, &note).await.error(), (403, 50021));
    assert_eq!(put(&client, &format!("/channels/{channel}/pins/1")).await.error(), (404, 10008));
    // A pinned message that is deleted leaves the pins without an event of theirs.
    put(&client, &pin).await;
    for name in ["MESSAGE_UPDATE", "CHANNEL_PINS_UPDATE", "MESSAGE_CREATE"] {
        socket.event(name).await;
    }
    client.delete(&format!("/channels/{channel}/messages/{message}")).await;
    socket.event("MESSAGE_DELETE").await;
    socket.is_silent().await;
    assert_eq!(client.get(&format!("/channels/{channel}/pins")).await.ok(), json!([]));
}

#[tokio::test]
async fn pins_are_paged_newest_first_even_when_the_clock_stands_still() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let mut messages = Vec::new();
    for n in 0..55 {
        let message = post(&client, channel, &n.to_string()).await;
        // The older routes do the same.
        let route = if n % 2 == 0 { "messages/pins" } else { "pins" };
        assert_eq!(put(&client, &format!("/channels/{channel}/{route}/{message}")).await.status, 204);
        messages.insert(0, message);
    }
    let path = format!("/channels/{channel}/messages/pins");
    let first = client.get(&path).await.ok();
    let ids = |list: &Value| -> Vec<u64> {
        list.as_array().unwrap().iter().map(|item| id(&item["message"]["id"])).collect()
    };
    assert_eq!((ids(&first["items"]), &first["has_more"]), (messages[..50].to_vec(), &json!(true)));
    let last = first["items"][49]["pinned_at"].as_str().unwrap();
    for last in [last.replace('+', "%2B"), last.replace("+00:00", "Z")] {
        let second = client.get(&format!("{path}?limit=50&before={last}")).await.ok();
        assert_eq!((ids(&second["items"]), &second["has_more"]), (messages[50..].to_vec(), &json!(false)));
    }
    let old = client.get(&format!("/channels/{channel}/pins")).await.ok();
    let old: Vec<u64> = old.as_array().unwrap().iter().map(|one| id(&one["id"])).collect();
    assert_eq!(old, messages[..50]);
    for query in ["limit=0", "limit=51", "before=yesterday"] {
        assert_eq!(client.get(&format!("{path}?{query}")).await.error(), (400, 50035), "{query}");
    }
}

#[tokio::test]
async fn a_channel_holds_so_many_pins() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    assert_eq!(guild.with_state(|state, _| state.limits().pins), 250);
    guild.with_state(|state, _| state.limits_mut().pins = 1);
    let (first, second) = (post(&client, channel, "a").await, post(&client, channel, "b").await);
    let path = format!("/channels/{channel}/messages/pins");
    assert_eq!(put(&client, &format!("{path}/{first}")).await.status, 204);
    assert_eq!(put(&client, &format!("{path}/{second}")).await.error(), (400, 30003));
    client.delete(&format!("{path}/{first}")).await;
    assert_eq!(put(&client, &format!("{path}/{second}")).await.status, 204);
}

#[tokio::test]
async fn pinning_needs_a_permission_of_its_own() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let message = post(&client, channel, "a").await;
    let path = format!("/channels/{channel}/messages/pins");
    let everything_else = bit::BOT_DEFAULT & !bit::PIN_MESSAGES;
    guild.set_bot_permissions(everything_else);
    assert_eq!(put(&client, &format!("{path}/{message}")).await.error(), (403, 50013));
    // A moderator pins it; the bot cannot take it back, but reads it.
    client
        .post("/_local/pins", json!({"channel_id": channel.to_string(), "message_id": message.to_string()}))
        .await
        .ok();
    assert_eq!(client.delete(&format!("{path}/{message}")).await.error(), (403, 50013));
    assert_eq!(client.get(&path).await.ok()["items"][0]["message"]["id"], message.to_string());
    guild.with_state(|state, _| {
        let home = state.home().guild_id;
        state.set_role_permissions(home, home, bit::EVERYONE_DEFAULT & !bit::READ_MESSAGE_HISTORY).unwrap();
    });
    guild.set_bot_permissions(everything_else & !bit::READ_MESSAGE_HISTORY);
    assert_eq!(client.get(&path).await.ok(), json!({"items": [], "has_more": false}));
    let remove =
        json!({"channel_id": channel.to_string(), "message_id": message.to_string(), "remove": true});
    client.post("/_local/pins", remove).await.ok();
    guild.set_bot_permissions(bit::BOT_DEFAULT);
    assert_eq!(client.get(&path).await.ok()["items"], json!([]));
}

//! Reactions: added, listed, taken back, cleared, and who may.

use crate::support::{Client, GUILDS, Reply, Socket, general, guild, id};
use discobase_guild::intents::GUILD_MESSAGE_REACTIONS;
use discobase_guild::state::permission as bit;
use serde_json::{Value, json};

const THUMB: &str = "%F0%9F%91%8D";

async fn put(client: &Client, path: &str) -> Reply {
    client.send("PUT", path, Value::Null).await
}

#[tokio::test]
async fn reactions_are_counted_announced_and_cleared() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let message = guild.post_as(guild.owner_id(), channel, "x").unwrap().message.id;
    let (mut socket, _) = Socket::identified(&guild, GUILDS | GUILD_MESSAGE_REACTIONS).await;
    socket.event("GUILD_CREATE").await;
    let path = format!("/channels/{channel}/messages/{message}/reactions");
    let own = format!("{path}/{THUMB}/@me");
    assert_eq!(put(&client, &own).await.status, 204);
    let event = socket.event("MESSAGE_REACTION_ADD").await;
    assert_eq!(event["emoji"], json!({"id": null, "name": "👍"}));
    assert_eq!((id(&event["user_id"]), id(&event["message_id"])), (guild.application_id(), message));
    assert_eq!(id(&event["message_author_id"]), guild.owner_id());
    assert_eq!(id(&event["member"]["user"]["id"]), guild.application_id());
    // Once more changes nothing.
    assert_eq!(put(&client, &own.replace("@me", "%40me")).await.status, 204);
    socket.is_silent().await;
    let react = json!({"channel_id": channel.to_string(), "message_id": message.to_string(), "emoji": "👍"});
    client.post("/_local/reactions", react.clone()).await.ok();
    socket.event("MESSAGE_REACTION_ADD").await;
    let read = client.get(&format!("/channels/{channel}/messages/{message}")).await.ok();
    assert_eq!(read["reactions"][0]["count"], 2);
    assert_eq!((&read["reactions"][0]["me"], &read["edited_timestamp"]), (&json!(true), &Value::Null));
    let users = client.get(&format!("{path}/{THUMB}")).await.ok();
    let users: Vec<u64> = users.as_array().unwrap().iter().map(|user| id(&user["id"])).collect();
    assert_eq!(users, [guild.owner_id(), guild.application_id()]);
    let after = client.get(&format!("{path}/{THUMB}?after={}&limit=1", guild.owner_id())).await.ok();
    assert_eq!(id(&after[0]["id"]), guild.application_id());

    assert_eq!(client.delete(&format!("{path}/{THUMB}/{}", guild.owner_id())).await.status, 204);
    assert_eq!(id(&socket.event("MESSAGE_REACTION_REMOVE").await["user_id"]), guild.owner_id());
    assert_eq!(client.delete(&own).await.status, 204);
    socket.event("MESSAGE_REACTION_REMOVE").await;
    assert_eq!(client.delete(&own).await.error(), (400, 10014));
    client.post("/_local/reactions", react.clone()).await.ok();
    socket.event("MESSAGE_REACTION_ADD").await;
    assert_eq!(client.delete(&format!("{path}/{THUMB}")).await.status, 204);
    assert_eq!(socket.event("MESSAGE_REACTION_REMOVE_EMOJI").await["emoji"]["name"], "👍");
    client.post("/_local/reactions", react).await.ok();
    socket.event("MESSAGE_REACTION_ADD").await;
    assert_eq!(client.delete(&path).await.status, 204);
    socket.event("MESSAGE_REACTION_REMOVE_ALL").await;
    assert!(
        client.get(&format!("/channels/{channel}/messages/{message}")).await.ok().get("reactions").is_none()
    );
}

#[tokio::test]
async fn reactions_have_rules() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let message = guild.post_as(guild.owner_id(), channel, "x").unwrap().message.id;
    let path = format!("/channels/{channel}/messages/{message}/reactions");
    for unknown in ["abc", "party%3A123", "1"] {
        assert_eq!(put(&client, &format!("{path}/{unknown}/@me")).await.error(), (400, 10014), "{unknown}");
    }
    let gone = format!("/channels/{channel}/messages/1/reactions/{THUMB}/@me");
    assert_eq!(put(&client, &gone).await.error(), (404, 10008));
    guild.with_state(|state, now_ms| {
        for n in 0..20 {
            let emoji = char::from_u32(0x1f600 + n).unwrap().to_string();
            state.react(now_ms, guild.owner_id(), channel, message, &emoji).unwrap();
        }
    });
    assert_eq!(put(&client, &format!("{path}/{THUMB}/@me")).await.error(), (400, 30010));
    // Without ADD_REACTIONS one may join others, and without MANAGE_MESSAGES take back only one's own.
    guild.with_state(|state, _| {
        let home = state.home().guild_id;
        state.set_role_permissions(home, home, bit::VIEW_CHANNEL | bit::READ_MESSAGE_HISTORY).unwrap();
    });
    guild.set_bot_permissions(0);
    assert_eq!(put(&client, &format!("{path}/%F0%9F%98%80/@me")).await.status, 204);
    assert_eq!(
        client.delete(&format!("{path}/%F0%9F%98%80/{}", guild.owner_id())).await.error(),
        (403, 50013)
    );
    assert_eq!(client.delete(&path).await.error(), (403, 50013));
    assert_eq!(client.delete(&format!("{path}/%F0%9F%98%80/@me")).await.status, 204);
    client.delete(&format!("{path}/%F0%9F%98%81")).await.error();
    guild.with_state(|state, now_ms| {
        let owner = guild.owner_id();
        state.clear_reactions(now_ms, owner, channel, message, None).unwrap();
    });
    assert_eq!(put(&client, &format!("{path}/{THUMB}/@me")).await.error(), (403, 50013));
}

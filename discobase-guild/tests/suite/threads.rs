//! Threads: started, filled, archived, listed, and who is in them.

use crate::support::{Client, GUILD_MESSAGES, GUILDS, Reply, Socket, general, guild, id};
use discobase_guild::state::permission as bit;
use serde_json::{Value, json};

async fn put(client: &Client, path: &str) -> Reply {
    client.send("PUT", path, Value::Null).await
}

#[tokio::test]
async fn a_thread_from_a_message_has_its_id() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let message = guild.post_as(guild.owner_id(), channel, "topic").unwrap().message.id;
    let (mut socket, _) = Socket::identified(&guild, GUILDS | GUILD_MESSAGES).await;
    socket.event("GUILD_CREATE").await;
    let path = format!("/channels/{channel}/messages/{message}/threads");
    let started = client.post(&path, json!({"name": "talk", "auto_archive_duration": 60})).await;
    assert_eq!(started.status, 201);
    let thread = started.ok();
    assert_eq!(
        (id(&thread["id"]), &thread["type"], id(&thread["parent_id"])),
        (message, &json!(11), channel)
    );
    assert_eq!((id(&thread["owner_id"]), &thread["message_count"]), (guild.application_id(), &json!(0)));
    assert_eq!(thread["thread_metadata"]["auto_archive_duration"], 60);
    let created = socket.event("THREAD_CREATE").await;
    assert_eq!(
        (&created["newly_created"], &created["member"]["user_id"]),
        (&json!(true), &thread["owner_id"])
    );
    let updated = socket.event("MESSAGE_UPDATE").await;
    assert_eq!((updated["flags"].as_u64().unwrap() & 32, &updated["thread"]["id"]), (32, &thread["id"]));
    let starter = socket.event("MESSAGE_CREATE").await;
    assert_eq!((&starter["type"], &starter["channel_id"]), (&json!(21), &thread["id"]));
    assert_eq!(starter["message_reference"]["channel_id"], channel.to_string());
    assert_eq!(starter["referenced_message"]["id"], message.to_string());
    assert_eq!(client.post(&path, json!({"name": "again"})).await.error(), (400, 160_004));
    assert_eq!(
        client.post(&path.replace(&message.to_string(), "1"), json!({"name": "x"})).await.error(),
        (404, 10008)
    );

    // Messages in it count, those who write them join it, and deleting takes back one of the two counts.
    let posts = format!("/channels/{message}/messages");
    let posted = client.post(&posts, json!({"content": "a"})).await.ok();
    guild.post_as(guild.owner_id(), message, "b").unwrap();
    client.delete(&format!("{posts}/{}", id(&posted["id"]))).await;
    let shown = client.get(&format!("/channels/{message}")).await.ok();
    assert_eq!(
        (&shown["message_count"], &shown["total_message_sent"], &shown["member_count"]),
        (&json!(1), &json!(2), &json!(2))
    );
    // It is no channel of the guild's list.
    let listed = client.get(&format!("/guilds/{}/channels", guild.guild_id())).await.ok();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    // The channel takes it along.
    client.delete(&format!("/channels/{channel}")).await.ok();
    assert_eq!(client.get(&format!("/channels/{message}")).await.error(), (404, 10003));
}

#[tokio::test]
async fn archived_threads_are_listed_apart_and_opened_by_posting() {
    let (guild, clock) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let mut threads = Vec::new();
    for n in 0..3 {
        let message = guild.post_as(guild.owner_id(), channel, "topic").unwrap().message.id;
        client
            .post(&format!("/channels/{channel}/messages/{message}/threads"), json!({"name": n.to_string()}))
            .await
            .ok();
        clock.advance(1000);
        let archived = client.patch(&format!("/channels/{message}"), json!({"archived": true})).await.ok();
        assert_eq!(archived["thread_metadata"]["archived"], true);
        threads.insert(0, message);
    }
    let ids = |list: &Value| -> Vec<u64> {
        list["threads"].as_array().unwrap().iter().map(|one| id(&one["id"])).collect()
    };
    let path = format!("/channels/{channel}/threads/archived/public");
    let page = client.get(&format!("{path}?limit=2")).await.ok();
    assert_eq!(
        (ids(&page), &page["has_more"], page["members"].as_array().unwrap().len()),
        (threads[..2].to_vec(), &json!(true), 2)
    );
    let before =
        page["threads"][1]["thread_metadata"]["archive_timestamp"].as_str().unwrap().replace('+', "%2B");
    let page = client.get(&format!("{path}?before={before}")).await.ok();
    assert_eq!((ids(&page), &page["has_more"]), (threads[2..].to_vec(), &json!(false)));
    let active = format!("/guilds/{}/threads/active", guild.guild_id());
    assert_eq!(client.get(&active).await.ok(), json!({"threads": [], "members": []}));

    let thread = threads[0];
    let said = client.get(&format!("/channels/{thread}/messages")).await.ok();
    let edit = format!("/channels/{thread}/messages/{}", id(&said[0]["id"]));
    assert_eq!(client.patch(&edit, json!({"content": "x"})).await.error(), (400, 50083));
    assert_eq!(put(&client, &format!("/channels/{thread}/thread-members/@me")).await.error(), (400, 50083));
    assert_eq!(
        client.patch(&format!("/channels/{thread}"), json!({"name": "x"})).await.error(),
        (400, 50083)
    );
    let (mut socket, ready) = Socket::identified(&guild, GUILDS | GUILD_MESSAGES).await;
    assert_eq!(ready["guilds"][0]["id"], guild.guild_id().to_string());
    assert_eq!(socket.event("GUILD_CREATE").await["threads"], json!([]));
    guild.post_as(guild.owner_id(), thread, "again").unwrap();
    socket.event("MESSAGE_CREATE").await;
    assert_eq!(socket.event("THREAD_UPDATE").await["thread_metadata"]["archived"], false);
    assert_eq!(ids(&client.get(&active).await.ok()), [thread]);
    let (mut socket, _) = Socket::identified(&guild, GUILDS).await;
    assert_eq!(socket.event("GUILD_CREATE").await["threads"][0]["id"], thread.to_string());

    // A locked one is for moderators.
    client
        .post(
            "/_local/permissions",
            json!({"permissions": (bit::BOT_DEFAULT | bit::MANAGE_THREADS).to_string()}),
        )
        .await
        .ok();
    client.patch(&format!("/channels/{thread}"), json!({"locked": true, "archived": true})).await.ok();
    client.post("/_local/permissions", json!({"permissions": bit::BOT_DEFAULT.to_string()})).await.ok();
    assert_eq!(
        client.post(&format!("/channels/{thread}/messages"), json!({"content": "x"})).await.error(),
        (403, 160_005)
    );
    assert_eq!(
        client.patch(&format!("/channels/{thread}"), json!({"archived": false})).await.error(),
        (403, 160_005)
    );
    assert_eq!(client.delete(&format!("/channels/{thread}")).await.error(), (403, 50013));
}

#[tokio::test]
async fn a_private_thread_is_for_its_members() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let start = json!({"channel_id": channel.to_string(), "name": "secret"});
    let (mut socket, _) = Socket::identified(&guild, GUILDS).await;
    socket.event("GUILD_CREATE").await;
    let thread = id(&client.post("/_local/threads", start).await.ok()["id"]);
    socket.is_silent().await;
    assert_eq!(client.get(&format!("/channels/{thread}")).await.error(), (403, 50001));
    guild.with_state(|state, now_ms| {
        state.add_to_thread(now_ms, guild.owner_id(), thread, guild.application_id()).unwrap();
    });
    assert_eq!(socket.event("THREAD_CREATE").await["member"]["user_id"], guild.application_id().to_string());
    let update = socket.event("THREAD_MEMBERS_UPDATE").await;
    assert_eq!(
        (&update["member_count"], &update["added_members"][0]["user_id"]),
        (&json!(2), &json!(guild.application_id().to_string()))
    );
    assert_eq!(client.get(&format!("/channels/{thread}")).await.ok()["type"], 12);
    let members = format!("/channels/{thread}/thread-members");
    assert_eq!(client.get(&members).await.error(), (403, 50001));
    client.post("/_local/intents", json!({"guild_members": true})).await.ok();
    let listed = client.get(&format!("{members}?with_member=true")).await.ok();
    assert_eq!(
        (listed.as_array().unwrap().len(), &listed[0]["member"]["user"]["username"]),
        (2, &json!("owner"))
    );
    assert_eq!(client.get(&format!("{members}/{}", guild.owner_id())).await.ok()["flags"], 0);
    assert_eq!(client.delete(&format!("{members}/{}", guild.owner_id())).await.error(), (403, 50013));
    assert_eq!(client.delete(&format!("{members}/@me")).await.status, 204);
    assert_eq!(
        socket.event("THREAD_MEMBERS_UPDATE").await["removed_member_ids"],
        json!([guild.application_id().to_string()])
    );
    assert_eq!(client.get(&format!("/channels/{thread}")).await.error(), (403, 50001));
    // One's own are listed once they are archived.
    let own = client.post(&format!("/channels/{channel}/threads"), json!({"name": "own"})).await.ok();
    assert_eq!((&own["type"], &own["thread_metadata"]["invitable"]), (&json!(12), &json!(true)));
    client.patch(&format!("/channels/{}", id(&own["id"])), json!({"archived": true})).await.ok();
    let joined = client.get(&format!("/channels/{channel}/users/@me/threads/archived/private")).await.ok();
    assert_eq!(joined["threads"][0]["id"], own["id"]);
    assert_eq!(
        client.get(&format!("/channels/{channel}/threads/archived/private")).await.error(),
        (403, 50001)
    );
}

#[tokio::test]
async fn threads_have_rules() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let path = format!("/channels/{channel}/threads");
    for bad in [
        json!({}),
        json!({"name": ""}),
        json!({"name": "x", "auto_archive_duration": 5}),
        json!({"name": "x", "type": 10}),
    ] {
        assert_eq!(client.post(&path, bad).await.error(), (400, 50035));
    }
    let thread = id(&client.post(&path, json!({"name": "x", "type": 11})).await.ok()["id"]);
    assert_eq!(
        client.post(&format!("/channels/{thread}/threads"), json!({"name": "x"})).await.error(),
        (400, 50024)
    );
    guild.with_state(|state, _| state.limits_mut().active_threads = 1);
    assert_eq!(client.post(&path, json!({"name": "x"})).await.error(), (400, 160_006));
    // SEND_MESSAGES has no effect in threads; SEND_MESSAGES_IN_THREADS none outside.
    guild.set_bot_permissions(bit::BOT_DEFAULT);
    guild.with_state(|state, _| {
        let home = state.home().guild_id;
        state
            .set_role_permissions(home, home, bit::EVERYONE_DEFAULT & !bit::SEND_MESSAGES_IN_THREADS)
            .unwrap();
    });
    assert_eq!(
        client.post(&format!("/channels/{thread}/messages"), json!({"content": "x"})).await.error(),
        (403, 50013)
    );
    client.post(&format!("/channels/{channel}/messages"), json!({"content": "x"})).await.ok();
    guild.set_bot_permissions((bit::BOT_DEFAULT & !bit::SEND_MESSAGES) | bit::SEND_MESSAGES_IN_THREADS);
    guild.with_state(|state, _| {
        let home = state.home().guild_id;
        state.set_role_permissions(home, home, bit::VIEW_CHANNEL).unwrap();
    });
    client.post(&format!("/channels/{thread}/messages"), json!({"content": "x"})).await.ok();
    assert_eq!(
        client.post(&format!("/channels/{channel}/messages"), json!({"content": "x"})).await.error(),
        (403, 50013)
    );
    assert_eq!(client.post(&path, json!({"name": "x"})).await.error(), (403, 50013));
}

//! The gateway: hello to close, events of all that REST does, intents, resume, limits.

use crate::support::{Client, GUILD_MESSAGES, GUILDS, Socket, general, guild, guild_with, id};
use discobase_guild::state::{NewChannel, Overwrite, permission};
use discobase_guild::{Limits, LocalGuild, Rate};
use serde_json::{Value, json};
use std::time::Duration;

const MESSAGE_CONTENT: u64 = 1 << 15;

#[tokio::test]
async fn the_first_events_are_complete_and_in_order() {
    let (guild, _) = guild().await;
    let mut socket = Socket::connect(guild.gateway()).await;
    let hello = socket.next().await;
    assert_eq!((&hello["op"], &hello["d"]["heartbeat_interval"]), (&json!(10), &json!(41_250)));
    socket.identify(guild.token(), GUILDS | GUILD_MESSAGES).await;
    let ready = socket.event("READY").await;
    // Clients scan for `t`, `s` and `op` before `d`, without a space before the colon.
    assert!(socket.text.starts_with(r#"{"t":"READY","s":1,"op":0,"d":{"#), "{}", socket.text);
    assert_eq!((&ready["v"], &ready["resume_gateway_url"]), (&json!(10), &json!(guild.gateway())));
    assert_eq!(id(&ready["user"]["id"]), guild.application_id());
    assert_eq!(id(&ready["application"]["id"]), guild.application_id());
    assert_eq!(ready["guilds"], json!([{"id": guild.guild_id().to_string(), "unavailable": true}]));
    let created = socket.event("GUILD_CREATE").await;
    assert_eq!((id(&created["id"]), &created["name"]), (guild.guild_id(), &json!("discobase")));
    assert_eq!((&created["channels"][0]["name"], &created["member_count"]), (&json!("general"), &json!(2)));
    for list in [
        "roles",
        "members",
        "emojis",
        "stickers",
        "threads",
        "voice_states",
        "presences",
        "stage_instances",
        "guild_scheduled_events",
        "soundboard_sounds",
        "features",
    ] {
        assert!(created[list].is_array(), "{list}");
    }
    socket.is_silent().await;
}

#[tokio::test]
async fn events_follow_what_rest_does() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let (mut socket, _) = Socket::identified(&guild, GUILDS | GUILD_MESSAGES | 1 << 11).await;
    socket.event("GUILD_CREATE").await;
    let channels = format!("/guilds/{}/channels", guild.guild_id());
    let channel = id(&client.post(&channels, json!({"name": "x"})).await.ok()["id"]);
    assert_eq!(id(&socket.event("CHANNEL_CREATE").await["id"]), channel);
    client.patch(&format!("/channels/{channel}"), json!({"topic": "t"})).await.ok();
    assert_eq!(socket.event("CHANNEL_UPDATE").await["topic"], "t");

    let messages = format!("/channels/{channel}/messages");
    let posted = client.post(&messages, json!({"content": "a", "nonce": "n"})).await.ok();
    let event = socket.event("MESSAGE_CREATE").await;
    assert_eq!((&event["id"], &event["nonce"]), (&posted["id"], &json!("n")));
    assert_eq!(id(&event["guild_id"]), guild.guild_id());
    assert!(event["member"]["roles"].is_array());
    let own = format!("{messages}/{}", id(&posted["id"]));
    client.patch(&own, json!({"content": "b"})).await.ok();
    assert_eq!(socket.event("MESSAGE_UPDATE").await["content"], "b");
    client.delete(&own).await;
    assert_eq!(socket.event("MESSAGE_DELETE").await["id"], posted["id"]);
    let ids: Vec<Value> = [
        client.post(&messages, json!({"content": "1"})).await,
        client.post(&messages, json!({"content": "2"})).await,
    ]
    .iter()
    .map(|reply| reply.ok()["id"].clone())
    .collect();
    socket.event("MESSAGE_CREATE").await;
    socket.event("MESSAGE_CREATE").await;
    client.post(&format!("{messages}/bulk-delete"), json!({"messages": ids})).await;
    assert_eq!(socket.event("MESSAGE_DELETE_BULK").await["ids"], json!(ids));
    client.post(&format!("/channels/{channel}/typing"), Value::Null).await;
    assert_eq!(id(&socket.event("TYPING_START").await["user_id"]), guild.application_id());
    client.delete(&format!("/channels/{channel}")).await.ok();
    assert_eq!(id(&socket.event("CHANNEL_DELETE").await["id"]), channel);
    guild.set_bot_permissions(permission::BOT_DEFAULT | permission::ADMINISTRATOR);
    assert_eq!(socket.event("GUILD_ROLE_UPDATE").await["role"]["managed"], true);
    let other = guild.with_state(|state, now_ms| {
        let other = state.add_guild(now_ms, "other", guild.owner_id());
        state.join(now_ms, other, guild.application_id(), 0);
        other
    });
    socket.event("GUILD_ROLE_CREATE").await;
    assert_eq!(id(&socket.event("GUILD_CREATE").await["id"]), other);
    guild.with_state(|state, _| state.kick(other, guild.application_id()));
    assert_eq!(id(&socket.event("GUILD_DELETE").await["id"]), other);
    socket.is_silent().await;
}

#[tokio::test]
async fn sessions_get_what_their_intents_say() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let (mut messages, _) = Socket::identified(&guild, GUILD_MESSAGES).await;
    let (mut guilds, _) = Socket::identified(&guild, GUILDS).await;
    guilds.event("GUILD_CREATE").await;
    client.post(&format!("/channels/{}/messages", general(&guild)), json!({"content": "a"})).await.ok();
    messages.event("MESSAGE_CREATE").await;
    guilds.is_silent().await;
    client.patch(&format!("/channels/{}", general(&guild)), json!({"topic": "t"})).await.ok();
    guilds.event("CHANNEL_UPDATE").await;
    messages.is_silent().await;
}

#[tokio::test]
async fn content_of_others_needs_a_privileged_intent() {
    let (guild, _) = guild().await;
    let (owner, channel, bot) = (guild.owner_id(), general(&guild), guild.application_id());
    guild.with_state(|state, _| state.set_privileged_intents(bot, true, false));
    let (mut without, _) = Socket::identified(&guild, GUILD_MESSAGES).await;
    let (mut with, _) = Socket::identified(&guild, GUILD_MESSAGES | MESSAGE_CONTENT).await;
    guild.post_as(owner, channel, "secret").unwrap();
    assert_eq!(without.event("MESSAGE_CREATE").await["content"], "");
    assert_eq!(with.event("MESSAGE_CREATE").await["content"], "secret");
    let mention = format!("<@{bot}>");
    guild.post_as(owner, channel, &mention).unwrap();
    assert_eq!(without.event("MESSAGE_CREATE").await["content"], mention);
    Client::of(&guild).post(&format!("/channels/{channel}/messages"), json!({"content": "own"})).await.ok();
    assert_eq!(without.event("MESSAGE_CREATE").await["content"], "own");
}

#[tokio::test]
async fn hidden_channels_are_obfuscated_and_silent() {
    let (guild, _) = guild().await;
    let (home, channel, owner) = (guild.guild_id(), general(&guild), guild.owner_id());
    let deny = Overwrite { id: home, member: false, allow: 0, deny: permission::VIEW_CHANNEL };
    let (mut socket, _) = Socket::identified(&guild, GUILDS | GUILD_MESSAGES).await;
    socket.event("GUILD_CREATE").await;
    guild.with_state(|state, _| state.put_overwrite_as_owner(channel, deny).unwrap());
    let update = socket.event("CHANNEL_UPDATE").await;
    assert_eq!((&update["name"], &update["flags"]), (&json!("___hidden___"), &json!(1 << 17)));
    assert_eq!((id(&update["id"]), &update["topic"]), (channel, &Value::Null));
    assert_eq!(
        update["permission_overwrites"],
        json!([{"id": home.to_string(), "type": 0, "allow": "0", "deny": "1024"}])
    );
    guild.post_as(owner, channel, "x").unwrap();
    socket.is_silent().await;
    let (mut other, _) = Socket::identified(&guild, GUILDS).await;
    assert_eq!(other.event("GUILD_CREATE").await["channels"][0]["name"], "___hidden___");
    // An administrator sees everything: the channel appears.
    guild.set_bot_permissions(permission::ADMINISTRATOR);
    socket.event("GUILD_ROLE_UPDATE").await;
    assert_eq!(socket.event("CHANNEL_UPDATE").await["name"], "general");
}

#[tokio::test]
async fn a_session_is_resumed_without_a_gap() {
    let (guild, _) = guild().await;
    let (mut socket, ready) = Socket::identified(&guild, GUILD_MESSAGES).await;
    let session = ready["session_id"].as_str().unwrap();
    let post = |content: &str| guild.post_as(guild.application_id(), general(&guild), content).unwrap();
    post("1");
    socket.event("MESSAGE_CREATE").await;
    guild.drop_sockets();
    assert_eq!(socket.closed().await, None);
    post("2");
    post("3");
    let mut again = Socket::connect(ready["resume_gateway_url"].as_str().unwrap()).await;
    again.next().await;
    again.resume(guild.token(), session, socket.sequence).await;
    for content in ["2", "3"] {
        assert_eq!(again.event("MESSAGE_CREATE").await["content"], content);
    }
    again.event("RESUMED").await;
    assert_eq!(again.sequence, 5);
    post("4");
    assert_eq!(again.event("MESSAGE_CREATE").await["content"], "4");
    // A newer connection takes the session over.
    let mut third = Socket::connect(guild.gateway()).await;
    third.next().await;
    third.resume(guild.token(), session, again.sequence).await;
    third.event("RESUMED").await;
    assert_eq!(again.closed().await, None);
}

async fn cannot_resume(guild: &LocalGuild, session: &str, sequence: u64) {
    let mut socket = Socket::connect(guild.gateway()).await;
    socket.next().await;
    socket.resume(guild.token(), session, sequence).await;
    let invalid = socket.next().await;
    assert_eq!((&invalid["op"], &invalid["d"]), (&json!(9), &json!(false)));
    // The client may identify anew on the same connection.
    socket.identify(guild.token(), GUILDS).await;
    socket.event("READY").await;
}

#[tokio::test]
async fn sessions_end() {
    let (guild, clock) = guild_with(Limits { replay_events: 3, ..Limits::unlimited() }).await;
    let post = || guild.post_as(guild.application_id(), general(&guild), "x").unwrap();
    cannot_resume(&guild, "nonsense", 0).await;
    // Closed by the client with 1000.
    let (socket, ready) = Socket::identified(&guild, GUILD_MESSAGES).await;
    socket.close(1000).await;
    cannot_resume(&guild, ready["session_id"].as_str().unwrap(), 1).await;
    // Too late.
    let (mut socket, ready) = Socket::identified(&guild, GUILD_MESSAGES).await;
    guild.drop_sockets();
    socket.closed().await;
    // Once the server, too, has noticed: from then on it counts.
    let noticed = async {
        while guild.sessions() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), noticed).await.unwrap();
    clock.advance(60_001);
    cannot_resume(&guild, ready["session_id"].as_str().unwrap(), 1).await;
    // More missed than the replay buffer holds.
    let (mut socket, ready) = Socket::identified(&guild, GUILD_MESSAGES).await;
    guild.drop_sockets();
    socket.closed().await;
    (0..4).for_each(|_| drop(post()));
    cannot_resume(&guild, ready["session_id"].as_str().unwrap(), 1).await;
    // Closed with a code that allows to resume.
    let (socket, ready) = Socket::identified(&guild, GUILD_MESSAGES).await;
    socket.close(4000).await;
    let mut again = Socket::connect(guild.gateway()).await;
    again.next().await;
    again.resume(guild.token(), ready["session_id"].as_str().unwrap(), 1).await;
    again.event("RESUMED").await;
}

#[tokio::test]
async fn close_codes_are_the_documented_ones() {
    let (guild, _) = guild().await;
    let token = guild.token();
    let properties = json!({});
    let identify = |more: Value| {
        let mut data = json!({"token": token, "intents": 1, "properties": properties});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"op": 2, "d": data}).to_string()
    };
    for (text, code) in [
        (r#"{"op": 99, "d": null}"#.to_owned(), 4001),
        ("{".to_owned(), 4002),
        ("[]".to_owned(), 4002),
        (format!("{{\"op\":1,\"d\":\"{}\"}}", "x".repeat(4097)), 4002),
        (r#"{"op": 3, "d": {}}"#.to_owned(), 4003),
        (identify(json!({"token": "wrong"})), 4004),
        (identify(json!({"shard": [2, 2]})), 4010),
        (identify(json!({"intents": 1_u64 << 40})), 4013),
        (identify(json!({"intents": null})), 4013),
        (identify(json!({"intents": MESSAGE_CONTENT})), 4014),
        (identify(json!({"intents": 2})), 4014),
        (json!({"op": 6, "d": {"token": "wrong", "session_id": "x", "seq": 0}}).to_string(), 4004),
    ] {
        let mut socket = Socket::connect(guild.gateway()).await;
        socket.next().await;
        socket.send_text(text.clone()).await;
        assert_eq!(socket.closed().await, Some(code), "{text}");
    }
    let (mut socket, ready) = Socket::identified(&guild, 0).await;
    socket.identify(token, 0).await;
    assert_eq!(socket.closed().await, Some(4005));
    let mut socket = Socket::connect(guild.gateway()).await;
    socket.next().await;
    socket.resume(token, ready["session_id"].as_str().unwrap(), 99).await;
    assert_eq!(socket.closed().await, Some(4007));
    let mut socket = Socket::connect(&format!("{}/?v=6", guild.gateway())).await;
    assert_eq!(socket.closed().await, Some(4012));
}

#[tokio::test]
async fn sends_are_limited() {
    let sends = Some(Rate { count: 5, window_ms: 60_000 });
    let (guild, _) = guild_with(Limits { gateway_sends: sends, ..Limits::unlimited() }).await;
    let (mut socket, _) = Socket::identified(&guild, 0).await;
    for _ in 0..4 {
        socket.is_silent().await;
    }
    socket.send(&json!({"op": 1, "d": null})).await;
    assert_eq!(socket.closed().await, Some(4008));
    assert_eq!(Limits::discord().gateway_sends, Some(Rate { count: 120, window_ms: 60_000 }));
}

#[tokio::test]
async fn identifies_are_limited() {
    let daily = Some(Rate { count: 3, window_ms: 86_400_000 });
    let (guild, clock) = guild_with(Limits { identify_daily: daily, ..Limits::discord() }).await;
    Socket::identified(&guild, 0).await;
    let mut socket = Socket::connect(guild.gateway()).await;
    socket.next().await;
    socket.identify(guild.token(), 0).await;
    assert_eq!(socket.next().await["op"], 9);
    clock.advance(5000);
    socket.identify(guild.token(), 0).await;
    socket.event("READY").await;
    clock.advance(5000);
    let limit = Client::of(&guild).get("/gateway/bot").await.ok()["session_start_limit"].clone();
    assert_eq!(
        (&limit["total"], &limit["remaining"], &limit["reset_after"]),
        (&json!(3), &json!(0), &json!(86_390_000))
    );
    let mut socket = Socket::connect(guild.gateway()).await;
    socket.next().await;
    socket.identify(guild.token(), 0).await;
    assert_eq!(socket.closed().await, Some(4004));
}

#[tokio::test]
async fn silence_closes_the_connection() {
    let (guild, _) = guild_with(Limits { heartbeat_interval_ms: 1_000, ..Limits::unlimited() }).await;
    let (mut socket, _) = Socket::identified(&guild, 0).await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        socket.is_silent().await;
    }
    assert_eq!(socket.closed().await, Some(4009));
}

#[tokio::test]
async fn the_server_asks_to_reconnect_or_to_identify_anew() {
    let (guild, _) = guild().await;
    let (mut socket, ready) = Socket::identified(&guild, GUILD_MESSAGES).await;
    guild.ask_to_reconnect();
    assert_eq!(socket.next().await["op"], 7);
    assert_eq!(socket.closed().await, Some(4000));
    let mut socket = Socket::connect(guild.gateway()).await;
    socket.next().await;
    socket.resume(guild.token(), ready["session_id"].as_str().unwrap(), 1).await;
    socket.event("RESUMED").await;
    guild.invalidate_sessions();
    let invalid = socket.next().await;
    assert_eq!((&invalid["op"], &invalid["d"]), (&json!(9), &json!(false)));
    socket.identify(guild.token(), 0).await;
    socket.event("READY").await;
    guild.close_sockets(4009);
    assert_eq!(socket.closed().await, Some(4009));
    let (mut socket, _) = Socket::identified(&guild, 0).await;
    guild.stop().await;
    assert_eq!(socket.closed().await, Some(4000));
}

#[tokio::test]
async fn members_are_requested() {
    let (guild, _) = guild().await;
    let home = guild.guild_id().to_string();
    let (mut socket, _) = Socket::identified(&guild, GUILDS).await;
    socket.event("GUILD_CREATE").await;
    let owner = guild.owner_id().to_string();
    let data = json!({"guild_id": home, "user_ids": [owner, "1"], "nonce": "n"});
    socket.send(&json!({"op": 8, "d": data})).await;
    let chunk = socket.event("GUILD_MEMBERS_CHUNK").await;
    assert_eq!(
        (&chunk["members"][0]["user"]["id"], &chunk["not_found"], &chunk["nonce"]),
        (&json!(owner), &json!(["1"]), &json!("n"))
    );
    socket.send(&json!({"op": 8, "d": {"guild_id": home, "query": "", "limit": 0}})).await;
    assert_eq!(socket.closed().await, Some(4014));
}

#[tokio::test]
async fn a_shard_gets_its_guilds() {
    let (guild, _) = guild().await;
    let mine = guild.guild_id() >> 22 & 1;
    for shard in [0, 1] {
        let mut socket = Socket::connect(guild.gateway()).await;
        socket.next().await;
        let data = json!({"token": guild.token(), "intents": GUILDS | GUILD_MESSAGES, "properties": {}, "shard": [shard, 2]});
        socket.send(&json!({"op": 2, "d": data})).await;
        let ready = socket.event("READY").await;
        assert_eq!(ready["guilds"].as_array().unwrap().len(), usize::from(shard == mine));
        if shard == mine {
            socket.event("GUILD_CREATE").await;
        }
        guild.post_as(guild.owner_id(), general(&guild), "x").unwrap();
        if shard == mine {
            socket.event("MESSAGE_CREATE").await;
        }
        socket.is_silent().await;
    }
}

#[tokio::test]
async fn a_burst_arrives_complete_and_in_order() {
    let (guild, _) = guild().await;
    let (mut socket, _) = Socket::identified(&guild, GUILD_MESSAGES).await;
    let (channel, bot) = (general(&guild), guild.application_id());
    for n in 0..2000 {
        guild.post_as(bot, channel, &n.to_string()).unwrap();
    }
    for n in 0..2000 {
        assert_eq!(socket.event("MESSAGE_CREATE").await["content"], n.to_string());
        assert_eq!(socket.sequence, n + 2);
    }
    let channel = guild.with_state(|state, now_ms| {
        let new = NewChannel { name: "x".into(), ..NewChannel::default() };
        state.create_channel(now_ms, bot, guild.guild_id(), new).unwrap().id
    });
    assert!(channel > 0);
    socket.is_silent().await;
}

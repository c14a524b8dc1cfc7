//! Invites: made, found, used up, expired, and who may see and delete them.

use crate::support::{Client, GUILDS, Socket, general, guild, id};
use discobase_guild::intents::{GUILD_INVITES, GUILD_MEMBERS};
use discobase_guild::state::permission as bit;
use serde_json::{Value, json};

#[tokio::test]
async fn an_invite_has_discords_shape_and_is_announced() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let (mut socket, _) = Socket::identified(&guild, GUILDS | GUILD_INVITES).await;
    socket.event("GUILD_CREATE").await;
    let path = format!("/channels/{channel}/invites");
    let made = client.post(&path, json!({})).await.ok();
    assert_eq!((id(&made["guild"]["id"]), id(&made["channel"]["id"])), (guild.guild_id(), channel));
    assert_eq!(id(&made["inviter"]["id"]), guild.application_id());
    for (name, value) in [("type", 0), ("uses", 0), ("max_uses", 0), ("max_age", 86_400)] {
        assert_eq!(made[name], value, "{name}");
    }
    assert_eq!(
        (&made["temporary"], made["created_at"].as_str()),
        (&json!(false), Some("2026-09-21T14:13:20.000000+00:00"))
    );
    assert_eq!(made["expires_at"], "2026-09-22T14:13:20.000000+00:00");
    let event = socket.event("INVITE_CREATE").await;
    assert_eq!((&event["code"], &event["channel_id"]), (&made["code"], &json!(channel.to_string())));
    assert_eq!((&event["max_age"], &event["uses"]), (&json!(86_400), &json!(0)));

    // One like it is used again, unless it shall be unique.
    assert_eq!(client.post(&path, json!({"max_age": 86_400})).await.ok()["code"], made["code"]);
    socket.is_silent().await;
    let unique = client.post(&path, json!({"unique": true, "max_age": 0})).await.ok();
    assert_ne!(unique["code"], made["code"]);
    assert_eq!(unique["expires_at"], Value::Null);
    socket.event("INVITE_CREATE").await;

    let code = made["code"].as_str().unwrap();
    let found = client.get(&format!("/invites/{code}?with_counts=true")).await.ok();
    assert_eq!((&found["code"], &found["approximate_member_count"]), (&made["code"], &json!(2)));
    assert!(found.get("uses").is_none());
    assert_eq!(client.get(&path).await.ok().as_array().unwrap().len(), 2);
    assert_eq!(client.delete(&format!("/invites/{code}")).await.ok()["code"], made["code"]);
    let event = socket.event("INVITE_DELETE").await;
    assert_eq!(
        event,
        json!({"channel_id": channel.to_string(), "guild_id": guild.guild_id().to_string(), "code": code})
    );
    assert_eq!(client.get(&format!("/invites/{code}")).await.error(), (404, 10006));
    assert_eq!(client.delete(&format!("/invites/{code}")).await.error(), (404, 10006));
    // The rest go with their channel.
    client.delete(&format!("/channels/{channel}")).await.ok();
    assert_eq!(socket.event("INVITE_DELETE").await["code"], unique["code"]);
}

#[tokio::test]
async fn people_join_with_it_until_it_is_used_up_or_expired() {
    let (guild, clock) = guild().await;
    let client = Client::of(&guild);
    guild.with_state(|state, _| state.set_privileged_intents(state.home().bot_id, false, true));
    let path = format!("/channels/{}/invites", general(&guild));
    let made = client.post(&path, json!({"max_uses": 2, "max_age": 60})).await.ok();
    let (mut socket, _) = Socket::identified(&guild, GUILDS | GUILD_INVITES | GUILD_MEMBERS).await;
    socket.event("GUILD_CREATE").await;
    let eve = client.post("/_local/join", json!({"code": made["code"], "name": "eve"})).await.ok();
    let joined = socket.event("GUILD_MEMBER_ADD").await;
    assert_eq!((&joined["user"]["username"], &joined["user"]["id"]), (&json!("eve"), &eve["id"]));
    // Who is in already uses nothing up.
    client.post("/_local/join", json!({"code": made["code"], "user_id": eve["id"]})).await.ok();
    assert_eq!(client.get(&path).await.ok()[0]["uses"], 1);
    client.post("/_local/join", json!({"code": made["code"], "name": "mallory"})).await.ok();
    socket.event("GUILD_MEMBER_ADD").await;
    assert_eq!(socket.event("INVITE_DELETE").await["code"], made["code"]);
    assert_eq!(client.post("/_local/join", json!({"code": made["code"]})).await.error(), (404, 10006));

    let made = client.post(&path, json!({"max_age": 60})).await.ok();
    let get = format!("/invites/{}", made["code"].as_str().unwrap());
    clock.advance(59_999);
    assert_eq!(client.get(&get).await.status, 200);
    clock.advance(1);
    assert_eq!(client.get(&get).await.error(), (404, 10006));
    assert_eq!(client.get(&path).await.ok(), json!([]));
    assert_ne!(client.post(&path, json!({"max_age": 60})).await.ok()["code"], made["code"]);
    // A bot is authorised; it cannot follow an invite.
    let made = client.post(&path, json!({})).await.ok();
    let bot = json!({"code": made["code"], "user_id": guild.application_id().to_string()});
    assert_eq!(client.post("/_local/join", bot).await.error(), (403, 20001));
}

#[tokio::test]
async fn each_call_needs_its_permission_and_a_sound_body() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let path = format!("/channels/{channel}/invites");
    let of_guild = format!("/guilds/{}/invites", guild.guild_id());
    assert_eq!(client.send("POST", &path, Value::Null).await.error(), (400, 50109));
    for bad in [json!({"max_age": 604_801}), json!({"max_uses": 101}), json!({"max_age": "long"})] {
        assert_eq!(client.post(&path, bad).await.error(), (400, 50035));
    }
    assert_eq!(client.get(&of_guild).await.error(), (403, 50013));
    guild.set_bot_permissions(bit::BOT_DEFAULT | bit::VIEW_AUDIT_LOG);
    let made =
        client.post("/_local/invites", json!({"channel_id": channel.to_string(), "max_uses": 7})).await.ok();
    assert_eq!(id(&made["inviter"]["id"]), guild.owner_id());
    assert!(client.get(&of_guild).await.ok()[0].get("max_uses").is_none());
    guild.set_bot_permissions(bit::VIEW_CHANNEL | bit::MANAGE_GUILD);
    assert_eq!(client.get(&of_guild).await.ok()[0]["max_uses"], 7);
    assert_eq!(client.get(&path).await.error(), (403, 50013));
    let delete = format!("/invites/{}", made["code"].as_str().unwrap());
    guild.set_bot_permissions(bit::VIEW_CHANNEL);
    assert_eq!(client.delete(&delete).await.error(), (403, 50013));
    guild.with_state(|state, _| {
        let home = state.home().guild_id;
        state.set_role_permissions(home, home, bit::EVERYONE_DEFAULT & !bit::CREATE_INSTANT_INVITE).unwrap();
    });
    assert_eq!(client.post(&path, json!({})).await.error(), (403, 50013));
    guild.set_bot_permissions(bit::VIEW_CHANNEL | bit::MANAGE_GUILD);
    assert_eq!(client.delete(&delete).await.status, 200);
    guild.set_bot_permissions(bit::BOT_DEFAULT | bit::CREATE_INSTANT_INVITE);
    guild.with_state(|state, _| state.limits_mut().invites = 1);
    client.post(&path, json!({})).await.ok();
    assert_eq!(client.post(&path, json!({"unique": true})).await.error(), (400, 30016));
}

//! Commands and interactions: registered, typed, answered once and in time, followed up.

use crate::support::{Client, GUILD_MESSAGES, GUILDS, Socket, general, guild, guild_with, id};
use discobase_guild::{Limits, LocalGuild, Rate};
use serde_json::{Value, json};

const ADD: &str = r#"{"name": "add", "description": "Adds", "options": [
    {"name": "first", "description": "one", "type": 4, "required": true},
    {"name": "who", "description": "two", "type": 6}]}"#;

fn commands(guild: &LocalGuild) -> String {
    format!("/applications/{}/guilds/{}/commands", guild.application_id(), guild.guild_id())
}

async fn typed(client: &Client, channel: u64, body: Value) -> crate::support::Reply {
    let mut all = json!({"channel_id": channel.to_string(), "wait_ms": 0});
    all.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    client.post("/_local/interactions", all).await
}

#[tokio::test]
async fn commands_are_created_overwritten_edited_and_deleted() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let (own, everywhere) = (commands(&guild), format!("/applications/{}/commands", guild.application_id()));
    let add: Value = serde_json::from_str(ADD).unwrap();
    let created = client.post(&own, add.clone()).await;
    assert_eq!(created.status, 201);
    let created = created.ok();
    assert_eq!((&created["type"], &created["options"]), (&json!(1), &add["options"]));
    assert_eq!(id(&created["guild_id"]), guild.guild_id());
    // The same name overwrites, under the same id and another version.
    let again = client.post(&own, json!({"name": "add", "description": "Sums"})).await;
    assert_eq!(again.status, 200);
    let again = again.ok();
    assert_eq!((&again["id"], &again["description"]), (&created["id"], &json!("Sums")));
    assert_ne!(again["version"], created["version"]);
    let path = format!("{own}/{}", id(&created["id"]));
    let edited = client.patch(&path, json!({"default_member_permissions": 16})).await.ok();
    assert_eq!(
        (&edited["description"], &edited["default_member_permissions"]),
        (&json!("Sums"), &json!("16"))
    );
    assert_eq!(client.get(&path).await.ok(), edited);
    // Other places have commands of their own.
    assert_eq!(client.get(&everywhere).await.ok(), json!([]));
    let list = json!([{"name": "a", "description": "x"}, {"name": "A", "type": 2}]);
    assert_eq!(client.send("PUT", &everywhere, list).await.ok().as_array().unwrap().len(), 2);
    let list = json!([{"name": "b", "description": "x"}, {"name": "bad one", "description": "x"}]);
    let refused = client.send("PUT", &everywhere, list).await;
    assert_eq!(refused.error(), (400, 50035));
    assert!(refused.json()["errors"]["1"]["name"].is_object());
    assert_eq!(client.get(&everywhere).await.ok().as_array().unwrap().len(), 2);
    assert_eq!(client.delete(&path).await.status, 204);
    assert_eq!(client.delete(&path).await.error(), (404, 10063));
    assert_eq!(client.get("/applications/1/commands").await.error(), (403, 20012));
    guild.with_state(|state, _| state.limits_mut().slash_commands = 1);
    assert_eq!(
        client.post(&everywhere, json!({"name": "c", "description": "x"})).await.error(),
        (400, 30032)
    );
}

#[tokio::test]
async fn only_so_many_commands_are_created_in_a_day() {
    let limits =
        Limits { command_creates: Some(Rate { count: 3, window_ms: 86_400_000 }), ..Limits::unlimited() };
    let (guild, _) = guild_with(limits).await;
    let client = Client::of(&guild);
    let command = |name: &str| json!({ "name": name, "description": "x" });
    let here = commands(&guild);
    client.post(&here, command("one")).await.ok();
    // What only replaces a command does not count, and other places count for themselves.
    client.post(&here, command("one")).await.ok();
    client.send("PUT", &here, json!([command("one"), command("two")])).await.ok();
    let everywhere = format!("/applications/{}/commands", guild.application_id());
    client.post(&everywhere, command("one")).await.ok();
    // A list is refused whole.
    let list = json!([command("three"), command("four")]);
    assert_eq!(client.send("PUT", &here, list).await.error(), (400, 30_034));
    assert_eq!(client.get(&here).await.ok().as_array().unwrap().len(), 2);
    let three = client.post(&here, command("three")).await.ok();
    // Deleting gives nothing back.
    let path = format!("{here}/{}", three["id"].as_str().unwrap());
    client.delete(&path).await.ok();
    assert_eq!(client.post(&here, command("three")).await.error(), (400, 30_034));
}

#[tokio::test]
async fn an_interaction_is_answered_once_and_in_time() {
    let (guild, clock) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    client.post(&commands(&guild), serde_json::from_str(ADD).unwrap()).await.ok();
    let (mut socket, _) = Socket::identified(&guild, GUILDS | GUILD_MESSAGES).await;
    socket.event("GUILD_CREATE").await;
    let options = json!({"first": 7, "who": guild.owner_id().to_string()});
    let sent = typed(&client, channel, json!({"command": "add", "options": options})).await.ok();
    assert_eq!(sent["outcome"], Value::Null);
    let event = socket.event("INTERACTION_CREATE").await;
    assert_eq!(
        (&event["id"], &event["type"], &event["data"]["name"]),
        (&sent["id"], &json!(2), &json!("add"))
    );
    assert_eq!(event["data"]["options"][0], json!({"name": "first", "type": 4, "value": 7}));
    let owner = guild.owner_id().to_string();
    assert_eq!(event["data"]["resolved"]["users"][&owner]["username"], "owner");
    assert_eq!(event["member"]["user"]["id"], owner);
    assert_eq!((&event["channel"]["id"], &event["context"]), (&json!(channel.to_string()), &json!(0)));

    // The token is all that an answer needs.
    let stranger = Client { token: "none".into(), ..client.clone() };
    let (interaction, token) = (id(&event["id"]), event["token"].as_str().unwrap().to_owned());
    let callback = format!("/interactions/{interaction}/{token}/callback");
    let answer = json!({"type": 4, "data": {"content": "8"}});
    assert_eq!(stranger.post(&callback.replace(&token, "x"), answer.clone()).await.error(), (404, 10062));
    assert_eq!(
        stranger.post(&callback, json!({"type": 7, "data": {"content": "8"}})).await.error(),
        (400, 50035)
    );
    let answered = stranger.post(&format!("{callback}?with_response=true"), answer.clone()).await.ok();
    let message = &answered["resource"]["message"];
    assert_eq!((&message["type"], &message["content"]), (&json!(20), &json!("8")));
    assert_eq!(answered["interaction"]["response_message_id"], message["id"]);
    assert_eq!(message["interaction_metadata"]["user"]["id"], owner);
    assert_eq!(message["application_id"], guild.application_id().to_string());
    assert_eq!(socket.event("MESSAGE_CREATE").await["id"], message["id"]);
    assert_eq!(stranger.post(&callback, answer.clone()).await.error(), (400, 40060));

    // Later messages go by the webhook.
    let webhook = format!("/webhooks/{}/{token}", guild.application_id());
    let later = stranger.post(&webhook, json!({"content": "more", "flags": 64})).await.ok();
    assert_eq!(later["flags"], 64);
    // Ephemeral ones come under another intent, and are in no channel.
    socket.is_silent().await;
    let read = format!("/channels/{channel}/messages/{}", id(&later["id"]));
    assert_eq!(client.get(&read).await.error(), (404, 10008));
    assert_eq!(
        stranger.get(&format!("{webhook}/messages/{}", id(&later["id"]))).await.ok()["content"],
        "more"
    );
    let edited = stranger.patch(&format!("{webhook}/messages/@original"), json!({"content": "9"})).await.ok();
    assert_eq!((&edited["id"], &edited["content"]), (&message["id"], &json!("9")));
    assert_eq!(socket.event("MESSAGE_UPDATE").await["content"], "9");
    assert_eq!(stranger.delete(&format!("{webhook}/messages/@original")).await.status, 204);
    assert_eq!(socket.event("MESSAGE_DELETE").await["id"], message["id"]);
    assert_eq!(stranger.get(&format!("{webhook}/messages/@original")).await.error(), (404, 10008));
    clock.advance(15 * 60_000);
    assert_eq!(stranger.post(&webhook, json!({"content": "x"})).await.error(), (401, 50027));

    typed(&client, channel, json!({"command": "add", "options": {"first": 1}})).await.ok();
    let event = socket.event("INTERACTION_CREATE").await;
    clock.advance(3001);
    let late = format!("/interactions/{}/{}/callback", id(&event["id"]), event["token"].as_str().unwrap());
    assert_eq!(stranger.post(&late, answer).await.error(), (404, 10062));
    let webhook = format!("/webhooks/{}/{}", guild.application_id(), event["token"].as_str().unwrap());
    assert_eq!(stranger.post(&webhook, json!({"content": "x"})).await.error(), (404, 10015));
}

#[tokio::test]
async fn a_promised_answer_comes_by_the_first_followup() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    client.post(&commands(&guild), json!({"name": "slow", "description": "x"})).await.ok();
    let (mut socket, _) = Socket::identified(&guild, GUILDS).await;
    socket.event("GUILD_CREATE").await;
    let asked = {
        let client = client.clone();
        let body = json!({"command": "slow", "channel_id": channel.to_string(), "wait_ms": 10_000});
        tokio::spawn(async move { client.post("/_local/interactions", body).await.ok() })
    };
    let event = socket.event("INTERACTION_CREATE").await;
    let token = event["token"].as_str().unwrap();
    let callback = format!("/interactions/{}/{token}/callback", id(&event["id"]));
    assert_eq!(client.post(&callback, json!({"type": 5, "data": {"flags": 64}})).await.status, 204);
    let webhook = format!("/webhooks/{}/{token}", guild.application_id());
    let original = client.get(&format!("{webhook}/messages/@original")).await.ok();
    assert_eq!(original["flags"], 64 | 128);
    let followed = client.post(&webhook, json!({"content": "done"})).await.ok();
    assert_eq!((&followed["id"], &followed["flags"]), (&original["id"], &json!(64)));
    assert_eq!(followed["edited_timestamp"], Value::Null);
    let seen = asked.await.unwrap();
    assert_eq!((&seen["outcome"], &seen["message"]["content"]), (&json!("message"), &json!("done")));
    let second = client.post(&webhook, json!({"content": "more"})).await.ok();
    assert_ne!(second["id"], original["id"]);
    let seen = client.get(&format!("/_local/interactions/{}", id(&event["id"]))).await.ok();
    assert_eq!(seen["followups"][0]["content"], "more");
}

#[tokio::test]
async fn components_modals_and_completions() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let find = json!({"name": "find", "description": "x", "options": [
        {"name": "deep", "description": "x", "type": 1, "options": [
            {"name": "what", "description": "x", "type": 3, "autocomplete": true, "required": true}]}]});
    client.post(&commands(&guild), find).await.ok();
    let (mut socket, _) = Socket::identified(&guild, GUILDS).await;
    socket.event("GUILD_CREATE").await;
    let complete = json!({"command": "find deep", "options": {"what": "x"}, "focused": "what"});
    typed(&client, channel, complete).await.ok();
    let event = socket.event("INTERACTION_CREATE").await;
    assert_eq!(event["type"], 4);
    let option = &event["data"]["options"][0]["options"][0];
    assert_eq!(option, &json!({"name": "what", "type": 3, "value": "x", "focused": true}));
    let callback = |event: &Value| {
        format!("/interactions/{}/{}/callback", id(&event["id"]), event["token"].as_str().unwrap())
    };
    assert_eq!(
        client.post(&callback(&event), json!({"type": 4, "data": {"content": "x"}})).await.status,
        400
    );
    let choices = json!({"type": 8, "data": {"choices": [{"name": "X", "value": "x"}]}});
    assert_eq!(client.post(&callback(&event), choices).await.status, 204);
    let seen = client.get(&format!("/_local/interactions/{}", id(&event["id"]))).await.ok();
    assert_eq!(seen["choices"][0]["value"], "x");

    let components = json!([{"type": 1, "components": [
        {"type": 2, "style": 1, "label": "x", "custom_id": "go"},
        {"type": 2, "style": 1, "label": "x", "custom_id": "off", "disabled": true}]},
        {"type": 1, "components": [{"type": 3, "custom_id": "pick", "options": [{"label": "A", "value": "a"}]}]}]);
    let body = json!({"content": "panel", "components": components});
    let panel = client.post(&format!("/channels/{channel}/messages"), body).await.ok()["id"].clone();
    for (custom_id, values) in
        [("off", json!([])), ("none", json!([])), ("pick", json!([])), ("pick", json!(["b"]))]
    {
        let body = json!({"message_id": panel, "custom_id": custom_id, "values": values});
        assert_eq!(typed(&client, channel, body).await.error(), (400, 50035), "{custom_id}");
    }
    typed(&client, channel, json!({"message_id": panel, "custom_id": "pick", "values": ["a"]})).await.ok();
    let event = socket.event("INTERACTION_CREATE").await;
    assert_eq!(event["data"], json!({"custom_id": "pick", "component_type": 3, "values": ["a"]}));
    assert_eq!(event["message"]["id"], panel);
    let update = json!({"type": 7, "data": {"content": "picked"}});
    assert_eq!(client.post(&callback(&event), update).await.status, 204);
    let read = format!("/channels/{channel}/messages/{}", id(&panel));
    assert_eq!(client.get(&read).await.ok()["content"], "picked");

    typed(&client, channel, json!({"message_id": panel, "custom_id": "go"})).await.ok();
    let event = socket.event("INTERACTION_CREATE").await;
    let input = json!({"type": 4, "custom_id": "text", "label": "x", "style": 1, "min_length": 2});
    let modal = |title: &str| {
        json!({"type": 9, "data": {"custom_id": "form", "title": title,
        "components": [{"type": 1, "components": [input]}]}})
    };
    assert_eq!(client.post(&callback(&event), modal(&"x".repeat(46))).await.error(), (400, 50035));
    assert_eq!(client.post(&callback(&event), modal("Form")).await.status, 204);
    let fill = |text: &str| json!({"interaction_id": event["id"], "fields": {"text": text}, "wait_ms": 0});
    assert_eq!(client.post("/_local/interactions", fill("x")).await.error(), (400, 50035));
    client.post("/_local/interactions", fill("xy")).await.ok();
    let sent = socket.event("INTERACTION_CREATE").await;
    assert_eq!(
        (&sent["type"], &sent["data"]["custom_id"], &sent["message"]["id"]),
        (&json!(5), &json!("form"), &panel)
    );
    assert_eq!(sent["data"]["components"][0]["components"][0]["value"], "xy");
    assert_eq!(client.post(&callback(&sent), modal("Again")).await.error(), (400, 50035));
    let answer = json!({"type": 4, "data": {"content": "thanks"}});
    let answered = client.post(&format!("{}?with_response=1", callback(&sent)), answer).await.ok();
    // An answer to a component refers to the message it is on.
    let message = &answered["resource"]["message"];
    assert_eq!(message["message_reference"]["message_id"], panel);
    assert!(message.get("interaction").is_none() || message["interaction"].is_null());
}

#[tokio::test]
async fn commands_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guild.redb");
    let open = || LocalGuild::builder().data(&path).start();
    let guild = open().await.unwrap();
    let own = commands(&guild);
    let add = Client::of(&guild).post(&own, serde_json::from_str(ADD).unwrap()).await.ok();
    let message = guild.post_as(guild.owner_id(), general(&guild), "x").unwrap().message.id;
    let channel = general(&guild);
    guild.with_state(|state, now_ms| state.react(now_ms, guild.owner_id(), channel, message, "👍").unwrap());
    let threads = format!("/channels/{channel}/messages/{message}/threads");
    let thread = Client::of(&guild).post(&threads, json!({"name": "x"})).await.ok();
    guild.stop().await;
    let guild = open().await.unwrap();
    let client = Client::of(&guild);
    assert_eq!(client.get(&own).await.ok(), json!([add]));
    let read = client.get(&format!("/channels/{channel}/messages/{message}")).await.ok();
    assert_eq!((&read["reactions"][0]["count"], &read["thread"]["id"]), (&json!(1), &thread["id"]));
    let shown = client.get(&format!("/channels/{message}")).await.ok();
    assert_eq!(shown["thread_metadata"], thread["thread_metadata"]);
}

//! Channels: names, counts, categories, positions, deletion.

use crate::support::{Client, general, guild, id};
use discobase_guild::LocalGuild;
use discobase_guild::state::{NewChannel, channel_kind};
use serde_json::{Value, json};

fn path(guild: &LocalGuild) -> String {
    format!("/guilds/{}/channels", guild.guild_id())
}

async fn create(client: &Client, guild: &LocalGuild, body: Value) -> u64 {
    id(&client.post(&path(guild), body).await.ok()["id"])
}

#[tokio::test]
async fn text_channel_names_are_normalised_and_others_are_not() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let reply = client.post(&path(&guild), json!({"name": "User  Profiles--1-", "topic": "t"})).await;
    assert_eq!(reply.status, 201);
    let text = reply.ok();
    assert_eq!(
        (&text["name"], &text["topic"], &text["type"]),
        (&json!("user-profiles-1"), &json!("t"), &json!(0))
    );
    let category = client.post(&path(&guild), json!({"name": "My Shop", "type": 4})).await.ok();
    assert_eq!(category["name"], "My Shop");
    let voice = client.post(&path(&guild), json!({"name": "Talk Here", "type": 2})).await.ok();
    assert_eq!(voice["name"], "Talk Here");
    let renamed =
        client.patch(&format!("/channels/{}", id(&text["id"])), json!({"name": "New Name"})).await.ok();
    assert_eq!((&renamed["name"], &renamed["topic"]), (&json!("new-name"), &json!("t")));
    // Names are not unique.
    assert_eq!(client.post(&path(&guild), json!({"name": "new-name"})).await.status, 201);
}

#[tokio::test]
async fn names_and_topics_have_lengths() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let long = json!({"name": "n".repeat(101), "topic": "ü".repeat(1025)});
    let errors = client.post(&path(&guild), long).await.json()["errors"].clone();
    assert_eq!(errors["name"]["_errors"][0]["code"], "BASE_TYPE_BAD_LENGTH");
    assert_eq!(errors["topic"]["_errors"][0]["code"], "BASE_TYPE_MAX_LENGTH");
    let most = json!({"name": "ü".repeat(100), "topic": "ü".repeat(1024)});
    let channel = create(&client, &guild, most).await;
    assert_eq!(client.post(&path(&guild), json!({"name": "--"})).await.error(), (400, 50035));
    let missing = client.post(&path(&guild), json!({})).await;
    assert_eq!(missing.json()["errors"]["name"]["_errors"][0]["code"], "BASE_TYPE_REQUIRED");
    assert_eq!(client.post(&path(&guild), json!({"name": "x", "type": 77})).await.error(), (400, 50035));
    let channel = format!("/channels/{channel}");
    assert_eq!(client.patch(&channel, json!({"topic": "t".repeat(1025)})).await.error(), (400, 50035));
    assert_eq!(client.patch(&channel, json!({"topic": null})).await.ok()["topic"], Value::Null);
}

#[tokio::test]
async fn categories_hold_channels() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let hide = json!([{"id": guild.guild_id().to_string(), "type": 0, "deny": "1024"},
        {"id": guild.application_id().to_string(), "type": 1, "allow": "1024"}]);
    let category =
        create(&client, &guild, json!({"name": "c", "type": 4, "permission_overwrites": hide})).await;
    let parent = category.to_string();
    let child = client.post(&path(&guild), json!({"name": "child", "parent_id": parent})).await.ok();
    assert_eq!(child["parent_id"], parent);
    // Without overwrites of its own a channel takes those of its category.
    assert_eq!(child["permission_overwrites"][0]["deny"], "1024");
    for (body, code) in [
        (json!({"name": "x", "parent_id": "1"}), "CHANNEL_PARENT_INVALID"),
        (json!({"name": "x", "parent_id": child["id"]}), "CHANNEL_PARENT_INVALID_TYPE"),
        (json!({"name": "x", "type": 4, "parent_id": parent}), "CHANNEL_PARENT_INVALID_TYPE"),
    ] {
        let reply = client.post(&path(&guild), body).await;
        assert_eq!(reply.json()["errors"]["parent_id"]["_errors"][0]["code"], code);
    }
    let child = format!("/channels/{}", id(&child["id"]));
    assert_eq!(client.patch(&child, json!({"parent_id": null})).await.ok()["parent_id"], Value::Null);
    assert_eq!(client.patch(&child, json!({"parent_id": parent})).await.ok()["parent_id"], parent);
    // A deleted category leaves its channels.
    assert_eq!(client.delete(&format!("/channels/{category}")).await.ok()["name"], "c");
    assert_eq!(client.get(&child).await.ok()["parent_id"], Value::Null);
    assert_eq!(client.get(&format!("/channels/{category}")).await.error(), (404, 10003));
}

#[tokio::test]
async fn guild_and_categories_are_full_at_discords_counts() {
    let (guild, _) = guild().await;
    let (home, bot) = (guild.guild_id(), guild.application_id());
    let new = |kind, parent_id| NewChannel { name: "x".into(), kind, parent_id, ..NewChannel::default() };
    guild.with_state(|state, now_ms| {
        let mut create = |kind, parent| state.create_channel(now_ms, bot, home, new(kind, parent));
        let category = create(channel_kind::CATEGORY, None).unwrap().id;
        for _ in 0..50 {
            create(channel_kind::TEXT, Some(category)).unwrap();
        }
        let full = create(channel_kind::TEXT, Some(category)).unwrap_err();
        assert_eq!(full.errors[0].code, "CHANNEL_PARENT_MAX_CHANNELS");
        for _ in 1..50 {
            create(channel_kind::CATEGORY, None).unwrap();
        }
        assert_eq!(create(channel_kind::CATEGORY, None).unwrap_err().code, 30030);
        // #general, 50 categories and 50 channels are there.
        for _ in 101..500 {
            create(channel_kind::TEXT, None).unwrap();
        }
        let full = create(channel_kind::TEXT, None).unwrap_err();
        assert_eq!(
            (full.code, full.message.as_ref()),
            (30013, "Maximum number of guild channels reached (500)")
        );
    });
}

#[tokio::test]
async fn channels_move_together_or_not_at_all() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let general = general(&guild);
    let category = create(&client, &guild, json!({"name": "c", "type": 4})).await.to_string();
    let places = json!([{"id": general.to_string(), "position": 7, "parent_id": category}]);
    assert_eq!(client.patch(&path(&guild), places).await.status, 204);
    let moved = client.get(&format!("/channels/{general}")).await.ok();
    assert_eq!((&moved["position"], &moved["parent_id"]), (&json!(7), &json!(category)));
    let places = json!([{"id": general.to_string(), "position": 1}, {"id": "1", "position": 2}]);
    assert_eq!(client.patch(&path(&guild), places).await.error(), (404, 10003));
    assert_eq!(client.get(&format!("/channels/{general}")).await.ok()["position"], 7);
}

#[tokio::test]
async fn deleting_a_channel_deletes_its_messages() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = create(&client, &guild, json!({"name": "x"})).await;
    let messages = format!("/channels/{channel}/messages");
    let posted = client.upload("POST", &messages, &json!({}), &[(0, "a.bin", b"abc")]).await.ok();
    let url = posted["attachments"][0]["url"].as_str().unwrap();
    assert_eq!(client.download("GET", url, &[]).await.status, 200);
    client.delete(&format!("/channels/{channel}")).await.ok();
    assert_eq!(client.get(&messages).await.error(), (404, 10003));
    assert_eq!(client.download("GET", url, &[]).await.status, 404);
    assert!(guild.delete_channel_as_owner(general(&guild)).is_ok());
    assert_eq!(client.get(&path(&guild)).await.ok(), json!([]));
}

#[tokio::test]
async fn typing_needs_a_channel() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    assert_eq!(client.post(&format!("/channels/{}/typing", general(&guild)), Value::Null).await.status, 204);
    assert_eq!(client.post("/channels/1/typing", Value::Null).await.error(), (404, 10003));
}

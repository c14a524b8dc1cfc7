//! What each call asks and what it makes of the answer.

use discobase_core::transport::{
    Channel, ChannelRole, HistoryPage, NewChannel, Permissions, Transport, TransportError,
};
use discobase_core::{ChannelId, GuildId, MessageId, UserId};
use serde_json::{Value, json};

use crate::mock::{Answer, Mock, message};

const CHANNEL: ChannelId = ChannelId::new(1);

#[tokio::test]
async fn the_bot_knows_itself() {
    let mock = Mock::start(|_, asked| match asked.path.as_str() {
        "users/@me" => Answer::json(200, &json!({ "id": "77", "username": "shopkeeper", "bot": true })),
        "applications/@me" => Answer::json(200, &json!({ "id": "78", "name": "Shop", "flags": 1 })),
        _ => Answer::json(404, &json!({ "code": 0, "message": "404: Not Found" })),
    })
    .await;
    let me = mock.transport().me().await.unwrap();
    assert_eq!((me.id, me.name.as_str(), me.application), (UserId::new(77), "shopkeeper", 78));
}

#[tokio::test]
async fn guilds_come_in_pages() {
    let mock = Mock::start(|number, _| {
        let first = number as u64 * 200 + 1;
        let count = if number < 2 { 200 } else { 3 };
        let guilds: Vec<Value> = (first..first + count)
            .map(|id| json!({ "id": id.to_string(), "name": format!("g{id}"), "permissions": "2251799813685247" }))
            .collect();
        Answer::json(200, &json!(guilds))
    })
    .await;
    let guilds = mock.transport().guilds().await.unwrap();
    assert_eq!(guilds.len(), 403);
    assert!(guilds.iter().enumerate().all(|(index, guild)| guild.id == GuildId::new(index as u64 + 1)));
    assert!(guilds[0].permissions.contains(Permissions::required()));
    let paths: Vec<String> = mock.asked().into_iter().map(|asked| asked.path).collect();
    assert!(!paths[0].contains("after") && paths.iter().all(|path| path.contains("limit=200")), "{paths:?}");
    assert!(paths[1].contains("after=200") && paths[2].contains("after=400"), "{paths:?}");
}

#[tokio::test]
async fn channels_are_listed_hidden_ones_as_hidden() {
    let mock = Mock::start(|_, _| {
        Answer::json(
            200,
            &json!([
                { "id": "10", "type": 4, "name": "Shop", "position": 0, "guild_id": "2" },
                { "id": "11", "type": 0, "name": "orders", "topic": "t", "parent_id": "10", "flags": 0 },
                { "id": "12", "type": 0, "name": "___hidden___", "topic": null, "parent_id": null },
                { "id": "13", "type": 0, "name": "secret", "flags": 131_072 },
                { "id": "14", "type": 2, "name": "Voice" },
                { "id": "15", "type": 4_000, "name": null }
            ]),
        )
    })
    .await;
    let channels = mock.transport().channels(GuildId::new(2)).await.unwrap();
    assert_eq!(
        channels[1],
        Channel {
            id: ChannelId::new(11),
            role: ChannelRole::Text,
            name: "orders".to_owned(),
            topic: "t".to_owned(),
            parent: Some(ChannelId::new(10)),
            visible: true,
            overwrites: Vec::new(),
        }
    );
    let roles: Vec<_> = channels.iter().map(|channel| (channel.role, channel.visible)).collect();
    let (category, text, other) = (ChannelRole::Category, ChannelRole::Text, ChannelRole::Other);
    assert_eq!(
        roles,
        [(category, true), (text, true), (text, false), (text, false), (other, true), (other, true)]
    );
}

#[tokio::test]
async fn a_channel_is_born_hidden_and_open_to_the_bot() {
    let held = Permissions::VIEW_CHANNEL | Permissions::SEND_MESSAGES | Permissions::MANAGE_CHANNELS;
    for (held, allowed) in [(held, held.0), (Permissions::ADMINISTRATOR, Permissions::required().0)] {
        let mock = Mock::start(move |_, asked| match asked.method.as_str() {
            "GET" => {
                let guild = json!({ "id": "2", "name": "g", "permissions": held.0.to_string() });
                Answer::json(200, &json!([guild]))
            }
            _ => Answer::json(201, &json!({ "id": "11", "type": 0, "name": "orders", "parent_id": "10" })),
        })
        .await;
        let transport = mock.transport();
        let new = NewChannel {
            role: ChannelRole::Text,
            name: "Orders".to_owned(),
            topic: "the topic".to_owned(),
            parent: Some(ChannelId::new(10)),
            visible_to: UserId::new(77),
        };
        let created = transport.create_channel(GuildId::new(2), new.clone()).await.unwrap();
        assert_eq!((created.id, created.name.as_str()), (ChannelId::new(11), "orders"));
        let category = NewChannel { role: ChannelRole::Category, parent: None, ..new };
        transport.create_channel(GuildId::new(2), category).await.unwrap();

        let asked = mock.asked();
        // The guilds are asked for once.
        assert_eq!(asked.len(), 3);
        let json: Value = serde_json::from_slice(&asked[1].body).unwrap();
        let overwrites = json!([
            { "id": "2", "type": 0, "allow": "0", "deny": "1024" },
            { "id": "77", "type": 1, "allow": allowed.to_string(), "deny": "0" }
        ]);
        assert_eq!(json["permission_overwrites"], overwrites);
        assert_eq!(
            (&json["name"], &json["topic"], &json["parent_id"], &json["type"]),
            (&json!("Orders"), &json!("the topic"), &json!("10"), &json!(0))
        );
        let json: Value = serde_json::from_slice(&asked[2].body).unwrap();
        assert_eq!(json["permission_overwrites"], overwrites);
        assert_eq!((&json["type"], json.get("topic"), json.get("parent_id")), (&json!(4), None, None));
    }
}

#[tokio::test]
async fn history_is_ascending_whatever_the_page() {
    let mock = Mock::start(|_, _| {
        Answer::json(200, &json!([message(30, 1, "c"), message(20, 1, "b"), message(10, 1, "a")]))
    })
    .await;
    let transport = mock.transport();
    for (page, query) in [
        (HistoryPage::Newest, vec!["limit=100"]),
        (HistoryPage::After(MessageId::new(0)), vec!["limit=100", "after=1"]),
        (HistoryPage::After(MessageId::new(5)), vec!["limit=100", "after=5"]),
        (HistoryPage::Before(MessageId::new(40)), vec!["limit=100", "before=40"]),
    ] {
        let history = transport.history(CHANNEL, page).await.unwrap();
        let ids: Vec<u64> = history.iter().map(|message| message.id.get()).collect();
        assert_eq!(ids, [10, 20, 30]);
        let path = mock.asked().pop().unwrap().path;
        let (route, asked) = path.split_once('?').unwrap();
        assert_eq!(route, "channels/1/messages");
        let mut asked: Vec<&str> = asked.split('&').collect();
        asked.sort_unstable_by_key(|part| !part.starts_with("limit"));
        assert_eq!(asked, query);
    }
    let asked = mock.asked().len();
    assert!(transport.history(CHANNEL, HistoryPage::Before(MessageId::new(0))).await.unwrap().is_empty());
    assert_eq!(mock.asked().len(), asked, "nothing can be before the first");
}

#[tokio::test]
async fn messages_of_every_kind_are_read() {
    let mut odd = message(30, 1, "");
    odd["type"] = json!(46);
    odd["components"] = json!([{ "type": 999, "unheard": ["of"] }]);
    odd["poll"] = json!({ "layout_type": 77 });
    odd["edited_timestamp"] = json!("2026-01-01T00:00:00+00:00");
    let mut file = message(20, 1, "text");
    file["attachments"] = json!([{
        "id": "5", "filename": "a.bin", "size": 12, "url": "https://cdn.discordapp.com/x", "proxy_url": "p",
        "content_type": "application/octet-stream", "brand_new_field": true
    }]);
    let answer = json!([odd, file]);
    let mock = Mock::start(move |_, _| Answer::json(200, &answer)).await;
    let history = mock.transport().history(CHANNEL, HistoryPage::Newest).await.unwrap();
    assert!(history[0].ordinary && !history[0].edited);
    assert_eq!((history[0].author, history[0].channel), (UserId::new(77), CHANNEL));
    assert_eq!((history[0].attachments[0].id, history[0].attachments[0].size), (5, 12));
    assert!(!history[1].ordinary && history[1].edited);
}

#[tokio::test]
async fn what_is_gone_is_deleted_and_what_is_hidden_is_not() {
    for (status, code, message_gone, channel_gone) in [
        (204, 0, true, true),
        (404, 10_008, true, false),
        (404, 10_003, false, true),
        (404, 0, false, false),
        (403, 50_001, false, false),
    ] {
        let mock = Mock::start(move |_, _| match status {
            204 => Answer::Reply(204, Vec::new(), Vec::new()),
            _ => Answer::json(status, &json!({ "code": code, "message": "m" })),
        })
        .await;
        let transport = mock.transport();
        let deleted = transport.delete_message(CHANNEL, MessageId::new(5)).await;
        assert_eq!(deleted.is_ok(), message_gone, "{code}: {deleted:?}");
        let deleted = transport.delete_channel(CHANNEL).await;
        assert_eq!(deleted.is_ok(), channel_gone, "{code}: {deleted:?}");
    }
}

#[tokio::test]
async fn the_error_names_what_discord_names() {
    let mock = Mock::start(|_, _| {
        let errors = json!({ "content": { "_errors": [{ "code": "BASE_TYPE_MAX_LENGTH" }] } });
        Answer::json(400, &json!({ "code": 50_035, "message": "Invalid Form Body", "errors": errors }))
    })
    .await;
    let error = mock.transport().message(CHANNEL, MessageId::new(5)).await.unwrap_err();
    assert!(matches!(error, TransportError::Refused(_)));
    assert_eq!(error.code(), Some(50_035));
    assert!(error.to_string().contains("BASE_TYPE_MAX_LENGTH"), "{error}");
}

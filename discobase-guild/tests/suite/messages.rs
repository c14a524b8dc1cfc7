//! Messages: content, nonces, history, edits, deletion, whose content is shown.

use crate::support::{Client, general, guild, guild_with, id};
use discobase_guild::Limits;
use discobase_guild::state::{AllowedMentions, ContentRules, Flaws, NewMessage, Nonce, Page};
use serde_json::{Value, json};

fn text(content: &str) -> NewMessage {
    NewMessage { content: content.to_owned(), ..NewMessage::default() }
}

#[tokio::test]
async fn content_is_counted_in_code_points_and_not_kept_byte_for_byte() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let path = format!("/channels/{}/messages", general(&guild));
    let most = client.post(&path, json!({"content": "𝄞".repeat(2000)})).await.ok();
    assert_eq!(most["content"].as_str().unwrap().chars().count(), 2000);
    let reply = client.post(&path, json!({"content": "x".repeat(2001)})).await;
    assert_eq!(
        reply.json()["errors"]["content"]["_errors"][0],
        json!({"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."})
    );
    let reply = client.post(&path, json!({"content": "\n a\u{0}\u{202e}b \u{ffff}\r\n"})).await.ok();
    assert_eq!(reply["content"], "ab");
    for empty in [json!({}), json!({"content": "  "}), json!({"content": null})] {
        assert_eq!(client.post(&path, empty).await.error(), (400, 50006));
    }
    guild.with_state(|state, _| {
        state.limits_mut().content_rules = ContentRules { trim: false, strip: false };
    });
    assert_eq!(client.post(&path, json!({"content": " a "})).await.ok()["content"], " a ");
}

#[tokio::test]
async fn a_message_has_discords_shape() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild);
    let body = json!({"content": "x", "nonce": 7, "flags": 4 | 4096 | 64, "embeds": [{"title": "t"}]});
    let posted = client.post(&format!("/channels/{channel}/messages"), body).await.ok();
    assert_eq!(posted["nonce"], 7);
    assert_eq!(posted["flags"], 4 | 4096);
    assert_eq!(posted["timestamp"], "2026-09-21T14:13:20.000000+00:00");
    assert_eq!(posted["edited_timestamp"], Value::Null);
    assert_eq!(posted["embeds"][0]["title"], "t");
    let read = client.get(&format!("/channels/{channel}/messages/{}", id(&posted["id"]))).await.ok();
    assert!(read.get("nonce").is_none());
    for key in [
        "id",
        "channel_id",
        "author",
        "content",
        "tts",
        "mention_everyone",
        "mentions",
        "mention_roles",
        "attachments",
        "embeds",
        "components",
        "pinned",
        "type",
        "flags",
    ] {
        assert_eq!(read[key], posted[key], "{key}");
    }
    let listed = client.get(&format!("/channels/{channel}")).await.ok();
    assert_eq!(listed["last_message_id"], posted["id"]);
}

#[tokio::test]
async fn an_enforced_nonce_makes_one_message() {
    let (guild, clock) = guild().await;
    let client = Client::of(&guild);
    let path = format!("/channels/{}/messages", general(&guild));
    let body = json!({"content": "x", "nonce": "abc", "enforce_nonce": true});
    let first = client.post(&path, body.clone()).await.ok();
    let again = client.post(&path, json!({"content": "y", "nonce": "abc", "enforce_nonce": true})).await;
    assert_eq!((again.status, again.ok()), (200, first.clone()));
    // Not enforced: another message.
    let other = client.post(&path, json!({"content": "x", "nonce": "abc"})).await.ok();
    assert_ne!(other["id"], first["id"]);
    // The newest message of that nonce counts; deleted, there is nothing to return.
    assert_eq!(client.post(&path, body.clone()).await.ok()["id"], other["id"]);
    assert_eq!(client.delete(&format!("{path}/{}", id(&other["id"]))).await.status, 204);
    assert_eq!(client.post(&path, body.clone()).await.error(), (404, 10008));
    clock.advance(5 * 60_000 - 1);
    assert_eq!(client.post(&path, body.clone()).await.error(), (404, 10008));
    clock.advance(1);
    assert_ne!(client.post(&path, body).await.ok()["id"], first["id"]);
    let long = json!({"content": "x", "nonce": "n".repeat(26)});
    assert_eq!(client.post(&path, long).await.error(), (400, 50035));
}

#[tokio::test]
async fn nonces_are_apart_by_author_and_channel() {
    let (guild, _) = guild().await;
    let (channel, bot, owner) = (general(&guild), guild.application_id(), guild.owner_id());
    let message = || NewMessage { nonce: Some(Nonce::Text("n".into())), enforce_nonce: true, ..text("x") };
    guild.with_state(|state, now_ms| {
        let first = state.create_message(now_ms, bot, channel, message()).unwrap();
        let other = state.create_message(now_ms, owner, channel, message()).unwrap();
        assert_ne!(first.message.id, other.message.id);
        assert!(state.create_message(now_ms, bot, channel, message()).unwrap().repeated);
        let number = NewMessage { nonce: Some(Nonce::Number(5)), enforce_nonce: true, ..text("x") };
        let string = NewMessage { nonce: Some(Nonce::Text("5".into())), ..number.clone() };
        state.create_message(now_ms, bot, channel, number).unwrap();
        assert!(state.create_message(now_ms, bot, channel, string).unwrap().repeated);
    });
}

#[tokio::test]
async fn history_is_paged_newest_first() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let (channel, bot) = (general(&guild), guild.application_id());
    let ids: Vec<u64> = guild.with_state(|state, now_ms| {
        (0..120)
            .map(|n| state.create_message(now_ms, bot, channel, text(&n.to_string())).unwrap().message.id)
            .collect()
    });
    let page = async |query: String| -> Vec<usize> {
        let page = client.get(&format!("/channels/{channel}/messages{query}")).await.ok();
        page.as_array().unwrap().iter().map(|one| one["content"].as_str().unwrap().parse().unwrap()).collect()
    };
    assert_eq!(page(String::new()).await, (70..120).rev().collect::<Vec<_>>());
    assert_eq!(page("?limit=100".into()).await.len(), 100);
    assert_eq!(page(format!("?before={}&limit=3", ids[10])).await, [9, 8, 7]);
    assert_eq!(page(format!("?after={}&limit=3", ids[10])).await, [13, 12, 11]);
    assert_eq!(page(format!("?around={}&limit=5", ids[10])).await, [12, 11, 10, 9, 8]);
    assert_eq!(page("?after=0&limit=2".into()).await, [1, 0]);
    for limit in ["0", "101", "-1", "x"] {
        let reply = client.get(&format!("/channels/{channel}/messages?limit={limit}")).await;
        assert_eq!(reply.error(), (400, 50035), "{limit}");
    }
    assert_eq!(client.get(&format!("/channels/{channel}/messages?before=x")).await.error(), (400, 50035));
    guild.with_state(|state, now_ms| {
        assert_eq!(
            state.page_messages(now_ms, bot, channel, Page::Newest, 1, Flaws::default()).unwrap()[0].id,
            ids[119]
        );
    });
}

#[tokio::test]
async fn only_the_author_edits() {
    let (guild, clock) = guild().await;
    let client = Client::of(&guild);
    let path = format!("/channels/{}/messages", general(&guild));
    let posted = client.post(&path, json!({"content": "a", "embeds": [{"title": "t"}]})).await.ok();
    let own = format!("{path}/{}", id(&posted["id"]));
    clock.advance(1000);
    let edited = client.patch(&own, json!({"content": " b "})).await.ok();
    assert_eq!((&edited["content"], &edited["embeds"][0]["title"]), (&json!("b"), &json!("t")));
    assert_eq!(edited["edited_timestamp"], "2026-09-21T14:13:21.000000+00:00");
    assert_eq!(edited["timestamp"], posted["timestamp"]);
    assert_eq!(client.patch(&own, json!({"flags": 4})).await.ok()["flags"], 4);
    assert_eq!(client.patch(&own, json!({"content": null, "embeds": []})).await.error(), (400, 50006));
    assert_eq!(client.patch(&own, json!({"content": "x".repeat(2001)})).await.error(), (400, 50035));
    let foreign = guild.post_as(guild.owner_id(), general(&guild), "mine").unwrap().message.id;
    let foreign = format!("{path}/{foreign}");
    assert_eq!(client.patch(&foreign, json!({"content": "b"})).await.error(), (403, 50005));
    assert_eq!(client.patch(&foreign, json!({"flags": 4})).await.ok()["flags"], 4);
    assert_eq!(client.patch(&format!("{path}/1"), json!({"content": "b"})).await.error(), (404, 10008));
}

#[tokio::test]
async fn bulk_delete_has_rules() {
    let (guild, clock) = guild().await;
    let client = Client::of(&guild);
    let (channel, owner) = (general(&guild), guild.owner_id());
    let post = || guild.post_as(owner, channel, "x").unwrap().message.id.to_string();
    let path = format!("/channels/{channel}/messages/bulk-delete");
    let send = async |ids: Value| client.post(&path, json!({"messages": ids})).await;
    let old = [post(), post()];
    assert_eq!(send(json!([old[0]])).await.error(), (400, 50016));
    assert_eq!(send(json!(vec!["1"; 101])).await.error(), (400, 50016));
    clock.advance(14 * 86_400_000 + 1);
    let new = [post(), post(), post()];
    assert_eq!(send(json!([new[0], old[0]])).await.error(), (400, 50034));
    assert_eq!(send(json!([new[0], new[0]])).await.error(), (400, 50035));
    let unknown = (new[2].parse::<u64>().unwrap() + 1).to_string();
    assert_eq!(send(json!([new[0], new[1], unknown])).await.status, 204);
    let left = client.get(&format!("/channels/{channel}/messages")).await.ok();
    let left: Vec<_> = left.as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(left, [json!(new[2]), json!(old[1]), json!(old[0])]);
}

#[tokio::test]
async fn other_peoples_content_is_blank_without_the_intent() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let (channel, bot, owner) = (general(&guild), guild.application_id(), guild.owner_id());
    let path = format!("/channels/{channel}/messages");
    guild.post_as(owner, channel, "secret").unwrap();
    guild.post_as(owner, channel, &format!("hey <@{bot}>")).unwrap();
    client.post(&path, json!({"content": "own"})).await.ok();
    let contents = async || -> Vec<String> {
        let page = client.get(&path).await.ok();
        page.as_array().unwrap().iter().map(|one| one["content"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(contents().await, ["own".to_owned(), format!("hey <@{bot}>"), String::new()]);
    // The switch in the portal decides for REST.
    guild.with_state(|state, _| state.set_privileged_intents(bot, true, false));
    assert_eq!(contents().await[2], "secret");
}

#[tokio::test]
async fn mentions_are_parsed_unless_forbidden() {
    let (guild, _) = guild().await;
    let (channel, bot, owner) = (general(&guild), guild.application_id(), guild.owner_id());
    guild.with_state(|state, now_ms| {
        let content = format!("<@{bot}> <@!{owner}> <@&{}> <@1> @everyone", guild.guild_id());
        let all = state.create_message(now_ms, owner, channel, text(&content)).unwrap().message;
        assert_eq!((&all.mentions, all.mention_everyone), (&vec![bot, owner], true));
        let none = NewMessage { allowed_mentions: Some(AllowedMentions::default()), ..text(&content) };
        let none = state.create_message(now_ms, owner, channel, none).unwrap().message;
        assert!(none.mentions.is_empty() && none.mention_roles.is_empty() && !none.mention_everyone);
        // A bot without MENTION_EVERYONE pings nobody by it.
        assert!(
            !state.create_message(now_ms, bot, channel, text("@everyone")).unwrap().message.mention_everyone
        );
        let reply = NewMessage { reply_to: Some(all.id), ..text("re") };
        let reply = state.create_message(now_ms, bot, channel, reply).unwrap().message;
        assert_eq!((reply.kind, &reply.mentions), (19, &vec![owner]));
        let lost = NewMessage { reply_to: Some(1), ..text("re") };
        assert_eq!(state.create_message(now_ms, bot, channel, lost).unwrap_err().code, 50035);
    });
}

#[tokio::test]
async fn snowflakes_are_strictly_increasing_however_many() {
    let (guild, _) = guild_with(Limits::unlimited()).await;
    let (channel, bot) = (general(&guild), guild.application_id());
    guild.with_state(|state, now_ms| {
        let mut last = 0;
        for _ in 0..5000 {
            let id = state.create_message(now_ms, bot, channel, text("x")).unwrap().message.id;
            assert!(id > last);
            last = id;
        }
        assert!(discobase_guild::state::time_of(last) >= now_ms);
    });
}

#[tokio::test]
async fn embeds_have_lengths_and_are_trimmed() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let path = format!("/channels/{}/messages", general(&guild));
    let embed = json!({"title": " t ", "fields": [{"name": "n ", "value": " v"}], "footer": {"text": "f "}});
    let kept = client.post(&path, json!({"embeds": [embed]})).await.ok()["embeds"][0].clone();
    assert_eq!(
        (&kept["title"], &kept["fields"][0]["name"], &kept["footer"]["text"]),
        (&json!("t"), &json!("n"), &json!("f"))
    );
    assert_eq!(kept["type"], "rich");
    let long = |length: usize| json!("x".repeat(length));
    for (embeds, path_of_error) in [
        (json!([{"title": long(257)}]), "/0/title"),
        (json!([{"description": long(4097)}]), "/0/description"),
        (json!([{"title": "t"}, {"fields": [{"name": "n", "value": long(1025)}]}]), "/1/fields/0/value"),
        (json!([{"fields": vec![json!({"name": "n", "value": "v"}); 26]}]), "/0/fields"),
        (json!([{"description": long(4000)}, {"description": long(2001)}]), ""),
        (json!(vec![json!({"title": "t"}); 11]), ""),
    ] {
        let errors = client.post(&path, json!({"embeds": embeds})).await.json()["errors"]["embeds"].clone();
        let found = errors.pointer(&format!("{path_of_error}/_errors"));
        assert!(found.is_some_and(Value::is_array), "{path_of_error}: {errors}");
    }
}

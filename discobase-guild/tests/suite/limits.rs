//! Rate limits: in virtual time on the pure counters, and their headers over the wire.

use crate::support::{Client, general, guild_with, id};
use discobase_guild::Limits;
use discobase_guild::limits::{Charge, Rates, Scope};
use discobase_guild::state::at;
use serde_json::json;

const NOW: u64 = 1_790_000_000_000;

#[test]
fn five_messages_in_five_seconds_a_channel() {
    let (limits, mut rates) = (Limits::discord(), Rates::default());
    for n in 0..5 {
        let headers = rates.charge(&limits, NOW + n * 100, 1, 7, Charge::MessageCreate).unwrap().unwrap();
        assert_eq!((headers.limit, headers.remaining), (5, 4 - n));
        assert_eq!((headers.reset_ms, headers.reset_after_ms), (NOW + 5000, 5000 - n * 100));
    }
    let (headers, too_many) = rates.charge(&limits, NOW + 1000, 1, 7, Charge::MessageCreate).unwrap_err();
    assert_eq!((too_many.retry_after_ms, too_many.scope), (4000, Scope::User));
    assert_eq!(headers.unwrap().remaining, 0);
    // Another channel, another route and another bot are not concerned.
    assert!(rates.charge(&limits, NOW + 1000, 1, 8, Charge::MessageCreate).is_ok());
    assert!(rates.charge(&limits, NOW + 1000, 2, 7, Charge::MessageCreate).is_ok());
    assert!(rates.charge(&limits, NOW + 5000, 1, 7, Charge::MessageCreate).is_ok());
}

#[test]
fn edits_count_apart_but_announce_the_same_bucket() {
    let (limits, mut rates) = (Limits::discord(), Rates::default());
    let create = rates.charge(&limits, NOW, 1, 7, Charge::MessageCreate).unwrap().unwrap();
    let edit = rates.charge(&limits, NOW, 1, 7, Charge::MessageEdit(at(NOW))).unwrap().unwrap();
    assert_eq!((edit.bucket, edit.remaining), (create.bucket, 4));
}

#[test]
fn edits_of_old_messages_have_a_limit_of_their_own() {
    let (limits, mut rates) = (Limits::discord(), Rates::default());
    let old = at(NOW - 3_600_001);
    for _ in 0..3 {
        rates.charge(&limits, NOW, 1, 7, Charge::MessageEdit(old)).unwrap();
    }
    let (_, too_many) = rates.charge(&limits, NOW, 1, 7, Charge::MessageEdit(old)).unwrap_err();
    assert_eq!((too_many.old_edit, too_many.retry_after_ms), (true, 6000));
    assert!(rates.charge(&limits, NOW, 1, 7, Charge::MessageEdit(at(NOW))).is_ok());
}

#[test]
fn deletes_are_limited_by_age() {
    let limits = Limits { global: None, ..Limits::discord() };
    for (age, count, wait) in [(0, 5, 1000), (60_000, 3, 333), (15 * 86_400_000, 30, 4000)] {
        let mut rates = Rates::default();
        let charge = Charge::MessageDelete(at(NOW - age));
        for _ in 0..count {
            rates.charge(&limits, NOW, 1, 7, charge).unwrap();
        }
        assert_eq!(rates.charge(&limits, NOW, 1, 7, charge).unwrap_err().1.retry_after_ms, wait);
    }
}

#[test]
fn history_says_a_thousand_and_means_five() {
    let (limits, mut rates) = (Limits::discord(), Rates::default());
    for n in 0..5 {
        let headers = rates.charge(&limits, NOW, 1, 7, Charge::MessagePage).unwrap().unwrap();
        assert_eq!((headers.limit, headers.remaining), (1000, 999 - n));
    }
    let (headers, _) = rates.charge(&limits, NOW, 1, 7, Charge::MessagePage).unwrap_err();
    let headers = headers.unwrap();
    assert_eq!((headers.limit, headers.remaining), (5, 0));
}

#[test]
fn renaming_a_channel_is_limited_where_no_header_says_so() {
    let (limits, mut rates) = (Limits::discord(), Rates::default());
    for _ in 0..2 {
        assert_eq!(rates.charge(&limits, NOW, 1, 7, Charge::ChannelRename).unwrap(), None);
    }
    let (_, too_many) = rates.charge(&limits, NOW, 1, 7, Charge::ChannelRename).unwrap_err();
    assert_eq!(too_many.retry_after_ms, 600_000);
}

#[test]
fn fifty_requests_a_second_in_all() {
    let (limits, mut rates) = (Limits::discord(), Rates::default());
    for channel in 0..50 {
        rates.charge(&limits, NOW, 1, channel, Charge::MessageCreate).unwrap();
    }
    let (headers, too_many) = rates.charge(&limits, NOW + 1, 1, 99, Charge::MessageCreate).unwrap_err();
    assert_eq!((headers, too_many.scope, too_many.retry_after_ms), (None, Scope::Global, 999));
    assert!(rates.charge(&limits, NOW + 1000, 1, 99, Charge::MessageCreate).is_ok());
}

#[test]
fn too_many_invalid_requests_are_a_ban() {
    let (limits, mut rates) = (Limits::discord(), Rates::default());
    for _ in 0..10_000 {
        assert_eq!(rates.banned_for(&limits, NOW), None);
        rates.count_invalid(&limits, NOW);
    }
    assert_eq!(rates.banned_for(&limits, NOW + 1000), Some(599_000));
    assert_eq!(rates.banned_for(&limits, NOW + 600_000), None);
}

#[tokio::test]
async fn headers_are_on_every_reply_and_a_scope_on_429s_alone() {
    let (guild, clock) = guild_with(Limits::discord()).await;
    let client = Client::of(&guild);
    let path = format!("/channels/{}/messages", general(&guild));
    for n in (0..5).rev() {
        let reply = client.post(&path, json!({"content": "x"})).await;
        assert_eq!(
            (reply.status, reply.header("x-ratelimit-remaining")),
            (200, Some(n.to_string().as_str()))
        );
        assert_eq!(reply.header("x-ratelimit-limit"), Some("5"));
        assert_eq!(reply.header("x-ratelimit-reset"), Some("1790000005.000"));
        assert_eq!(reply.header("x-ratelimit-reset-after"), Some("5.000"));
        assert!(reply.header("x-ratelimit-bucket").is_some());
        assert!(reply.header("x-ratelimit-scope").is_none() && reply.header("retry-after").is_none());
    }
    clock.advance(700);
    let reply = client.post(&path, json!({"content": "x"})).await;
    assert_eq!(reply.status, 429);
    assert_eq!(
        reply.json(),
        json!({"message": "You are being rate limited.", "retry_after": 4.3, "global": false})
    );
    assert_eq!((reply.header("retry-after"), reply.header("x-ratelimit-scope")), (Some("5"), Some("user")));
    assert_eq!(reply.header("x-ratelimit-global"), None);
    assert_eq!(reply.header("x-ratelimit-reset-after"), Some("4.300"));
    clock.advance(4300);
    // Refused requests have headers too.
    let reply = client.post(&path, json!({})).await;
    assert_eq!((reply.status, reply.header("x-ratelimit-remaining")), (400, Some("4")));
    assert_eq!(guild.stats().too_many_requests, 1);
    assert_eq!(guild.stats().by_route["POST /channels/{channel}/messages"], 7);
}

#[tokio::test]
async fn the_global_limit_says_so() {
    let (guild, _) = guild_with(Limits { other: None, ..Limits::discord() }).await;
    let client = Client::of(&guild);
    for _ in 0..50 {
        assert_eq!(client.get("/users/@me").await.status, 200);
    }
    let reply = client.get("/users/@me").await;
    assert_eq!((reply.status, &reply.json()["global"]), (429, &json!(true)));
    assert_eq!(reply.header("x-ratelimit-global"), Some("true"));
    assert_eq!(reply.header("x-ratelimit-scope"), Some("global"));
    assert_eq!(reply.header("x-ratelimit-limit"), None);
}

#[tokio::test]
async fn old_edits_have_their_own_error() {
    let (guild, clock) = guild_with(Limits::discord()).await;
    let client = Client::of(&guild);
    let path = format!("/channels/{}/messages", general(&guild));
    let posted = client.post(&path, json!({"content": "x"})).await.ok();
    let own = format!("{path}/{}", id(&posted["id"]));
    clock.advance(3_600_001);
    for n in 0..3 {
        assert_eq!(client.patch(&own, json!({"content": n.to_string()})).await.status, 200);
    }
    let reply = client.patch(&own, json!({"content": "x"})).await;
    assert_eq!(reply.error(), (429, 30046));
    assert_eq!(reply.json()["retry_after"], 6.0);
}

#[tokio::test]
async fn renames_are_limited_over_the_wire() {
    let (guild, _) = guild_with(Limits::discord()).await;
    let client = Client::of(&guild);
    let channel = format!("/channels/{}", general(&guild));
    for name in ["a", "b"] {
        assert_eq!(client.patch(&channel, json!({"name": name})).await.status, 200);
    }
    assert_eq!(client.patch(&channel, json!({"topic": "c"})).await.status, 429);
    assert_eq!(client.patch(&channel, json!({"nsfw": true})).await.status, 200);
    assert_eq!(client.get(&channel).await.ok()["name"], "b");
}

#[tokio::test]
async fn a_ban_answers_with_a_page() {
    let rate = discobase_guild::Rate { count: 3, window_ms: 1000 };
    let (guild, clock) = guild_with(Limits { invalid: Some(rate), ..Limits::unlimited() }).await;
    let client = Client::of(&guild);
    let wrong = Client { token: "wrong".into(), ..client.clone() };
    for _ in 0..3 {
        assert_eq!(wrong.get("/users/@me").await.status, 401);
    }
    let reply = client.get("/users/@me").await;
    assert_eq!((reply.status, reply.header("content-type")), (429, Some("text/html; charset=UTF-8")));
    assert_eq!(reply.header("x-ratelimit-limit"), None);
    clock.advance(1000);
    assert_eq!(client.get("/users/@me").await.status, 200);
}

#[tokio::test]
async fn large_uploads_see_their_refusals() {
    // A server that answers in the middle of an upload breaks the client's sending.
    let none = Some(discobase_guild::Rate { count: 0, window_ms: 1000 });
    let (guild, _) = guild_with(Limits { message_create: none, ..Limits::unlimited() }).await;
    let client = Client::of(&guild);
    let path = format!("/channels/{}/messages", general(&guild));
    let file = vec![7; 12 << 20];
    let upload = async |client: &Client, count: u64| {
        let files: Vec<_> = (0..count).map(|n| (n, "a", &file[..])).collect();
        client.upload("POST", &path, &json!({}), &files).await.status
    };
    assert_eq!(upload(&client, 1).await, 429);
    assert_eq!(upload(&client, 3).await, 429);
    assert_eq!(upload(&Client { token: "wrong".into(), ..client.clone() }, 1).await, 401);
    guild.faults().push(discobase_guild::Rule::new(discobase_guild::Action::AutoMod));
    assert_eq!(upload(&client, 1).await, 400);
    guild.with_state(|state, _| state.limits_mut().message_create = None);
    assert_eq!(upload(&client, 3).await, 413);
    assert_eq!(upload(&client, 1).await, 200);
}

#[tokio::test]
async fn a_guild_can_be_far_away() {
    let round_trip = std::time::Duration::from_millis(120);
    let guild = discobase_guild::LocalGuild::builder().round_trip(round_trip).start().await.unwrap();
    let client = Client::of(&guild);
    let started = tokio::time::Instant::now();
    client.get("/users/@me").await.ok();
    assert!(started.elapsed() >= round_trip, "{:?}", started.elapsed());
    // Requests travel side by side.
    let started = tokio::time::Instant::now();
    let others = (0..30).map(|_| Client::of(&guild)).collect::<Vec<_>>();
    futures_util::future::join_all(others.iter().map(|client| client.get("/users/@me"))).await;
    assert!(started.elapsed() < 20 * round_trip, "{:?}", started.elapsed());
    guild.stop().await;
}

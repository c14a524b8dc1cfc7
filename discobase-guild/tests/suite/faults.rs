//! Faults: what each does to the client, and whether the request was executed.

use crate::support::{Client, GUILD_MESSAGES, Socket, general, guild};
use discobase_guild::{Action, Limit, LocalGuild, Rule};
use serde_json::{Value, json};
use std::time::Duration;

const CREATE: (&str, &str) = ("POST", "/channels/{channel}/messages");

async fn with(guild: &LocalGuild, action: Action) -> Result<crate::support::Reply, String> {
    guild.faults().push(Rule::new(action).on(CREATE.0, CREATE.1));
    let path = format!("/channels/{}/messages", general(guild));
    Client::of(guild).try_send("POST", &path, &json!({"content": "x"})).await
}

fn count(guild: &LocalGuild) -> usize {
    let channel = general(guild);
    guild.with_state(|state, _| state.messages_in(channel).count())
}

#[tokio::test]
async fn requests_and_replies_are_lost() {
    let (guild, _) = guild().await;
    assert!(with(&guild, Action::LoseRequest).await.is_err());
    assert_eq!(count(&guild), 0);
    assert!(with(&guild, Action::LoseReply).await.is_err());
    assert_eq!(count(&guild), 1);
    assert_eq!(with(&guild, Action::Delay { ms: 5 }).await.unwrap().status, 200);
    assert_eq!(with(&guild, Action::DelayReply { ms: 5 }).await.unwrap().status, 200);
    assert_eq!(count(&guild), 3);
    assert_eq!(guild.stats().by_route["POST /channels/{channel}/messages"], 4);
}

#[tokio::test]
async fn servers_break_before_and_after() {
    let (guild, _) = guild().await;
    let before = Action::ServerError { status: 502, executed: false };
    assert_eq!((with(&guild, before).await.unwrap().status, count(&guild)), (502, 0));
    let after = Action::ServerError { status: 500, executed: true };
    assert_eq!((with(&guild, after).await.unwrap().status, count(&guild)), (500, 1));
}

#[tokio::test]
async fn every_kind_of_429() {
    let (guild, _) = guild().await;
    let limited = |limit, retry_after| with(&guild, Action::TooManyRequests { limit, retry_after });
    let user = limited(Limit::User, 1.0).await.unwrap();
    assert_eq!(
        (user.status, user.header("retry-after"), user.header("x-ratelimit-scope")),
        (429, Some("1"), Some("user"))
    );
    let shared = limited(Limit::Shared, 0.35).await.unwrap();
    assert_eq!(
        (shared.header("retry-after"), shared.header("x-ratelimit-scope")),
        (Some("0.35"), Some("shared"))
    );
    assert_eq!(shared.json()["retry_after"], 0.35);
    let global = limited(Limit::Global, 2.0).await.unwrap();
    assert_eq!((global.header("x-ratelimit-global"), &global.json()["global"]), (Some("true"), &json!(true)));
    let page = limited(Limit::Cloudflare, 30.0).await.unwrap();
    assert_eq!(
        (page.status, page.header("retry-after"), page.header("x-ratelimit-scope")),
        (429, Some("30"), None)
    );
    assert!(page.body.starts_with(b"<!DOCTYPE html>"));
    assert_eq!(count(&guild), 0);
    // Shared limits and the network's own pages are not the bot's invalid requests.
    assert_eq!((guild.stats().too_many_requests, guild.stats().invalid), (4, 2));
}

#[tokio::test]
async fn automod_refuses() {
    let (guild, _) = guild().await;
    assert_eq!(with(&guild, Action::AutoMod).await.unwrap().error(), (400, 200_000));
    assert_eq!(count(&guild), 0);
}

#[tokio::test]
async fn a_body_stalls() {
    let (guild, _) = guild().await;
    guild.faults().push(Rule::new(Action::StallBody));
    let client = Client::of(&guild);
    // Once the request has arrived: given up before, it would leave the fault to the next one.
    let stalled = async {
        while !guild.faults().pending().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    tokio::select! {
        reply = client.try_send("GET", "/users/@me", &Value::Null) => panic!("{reply:?}"),
        () = stalled => {}
    }
    assert_eq!(client.get("/users/@me").await.status, 200);
    guild.stop().await;
}

#[tokio::test]
async fn events_are_swallowed_repeated_and_cut() {
    let (guild, _) = guild().await;
    let (mut socket, ready) = Socket::identified(&guild, GUILD_MESSAGES).await;
    let client = Client::of(&guild);
    let path = format!("/channels/{}/messages", general(&guild));
    let post = async |content: &str| drop(client.post(&path, json!({"content": content})).await.ok());
    guild.faults().push(Rule::new(Action::SwallowEvent).on_event("MESSAGE_CREATE"));
    guild.faults().push(Rule::new(Action::RepeatEvent).on_event("MESSAGE_CREATE"));
    post("swallowed").await;
    post("repeated").await;
    for sequence in [2, 3] {
        assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "repeated");
        assert_eq!(socket.sequence, sequence);
    }
    guild.faults().push(Rule::new(Action::DropSocket));
    post("cut").await;
    assert_eq!(socket.closed().await, None);
    let mut socket = Socket::connect(guild.gateway()).await;
    socket.next().await;
    socket.resume(guild.token(), ready["session_id"].as_str().unwrap(), 3).await;
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "cut");
    socket.event("RESUMED").await;
}

#[tokio::test]
async fn downloads_fail_too() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let path = format!("/channels/{}/messages", general(&guild));
    let posted = client.upload("POST", &path, &json!({}), &[(0, "a", b"abc")]).await.ok();
    let url = posted["attachments"][0]["url"].as_str().unwrap();
    let route = "/attachments/{channel}/{attachment}/{filename}";
    guild.faults().push(Rule::new(Action::ServerError { status: 503, executed: false }).on("GET", route));
    assert_eq!(client.download("GET", url, &[]).await.status, 503);
    guild.faults().push(Rule::new(Action::LoseReply).on("GET", route));
    let path = url.strip_prefix(guild.api()).unwrap();
    assert!(client.raw("GET", path, &[], bytes::Bytes::new()).await.is_err());
    assert_eq!(client.download("GET", url, &[]).await.body, "abc");
    assert_eq!(guild.stats().downloads, 3);
}

//! What goes wrong inside Discord: parts of it that lag, clocks that are off, requests that come late.

use crate::support::{Client, GUILD_MESSAGES, Reply, Socket, general, guild, id};
use discobase_guild::state::{Flaws, NewMessage, Nonce, Page, time_of};
use discobase_guild::{Action, Limit, LocalGuild, Rule};
use serde_json::{Value, json};
use std::time::Duration;

const CREATE: (&str, &str) = ("POST", "/channels/{channel}/messages");

fn on_create(guild: &LocalGuild, action: Action) {
    guild.faults().push(Rule::new(action).on(CREATE.0, CREATE.1));
}

async fn post(guild: &LocalGuild, content: &str, nonce: &str) -> Reply {
    let body = json!({"content": content, "nonce": nonce, "enforce_nonce": true});
    Client::of(guild).post(&path(guild), body).await
}

fn path(guild: &LocalGuild) -> String {
    format!("/channels/{}/messages", general(guild))
}

async fn contents(guild: &LocalGuild, query: &str) -> Vec<String> {
    let page = Client::of(guild).get(&format!("{}{query}", path(guild))).await.ok();
    page.as_array().unwrap().iter().map(|one| one["content"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_message_appears_late() {
    let (guild, clock) = guild().await;
    let (mut socket, _) = Socket::identified(&guild, GUILD_MESSAGES).await;
    on_create(&guild, Action::HideMessage { ms: 1500 });
    let late = id(&post(&guild, "late", "1").await.ok()["id"]);
    // Event and reply are not late, and the nonce is known.
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "late");
    assert_eq!(id(&post(&guild, "again", "1").await.ok()["id"]), late);
    post(&guild, "prompt", "2").await.ok();
    clock.advance(1499);
    assert_eq!(contents(&guild, "").await, ["prompt"]);
    assert_eq!(contents(&guild, "?after=0").await, ["prompt"]);
    let one = format!("{}/{late}", path(&guild));
    assert_eq!(Client::of(&guild).get(&one).await.error(), (404, 10008));
    clock.advance(1);
    assert_eq!(contents(&guild, "").await, ["prompt", "late"]);
    assert_eq!(Client::of(&guild).get(&one).await.ok()["content"], "late");
}

#[tokio::test]
async fn a_read_is_stale() {
    let (guild, clock) = guild().await;
    let client = Client::of(&guild);
    let edited = id(&post(&guild, "before", "1").await.ok()["id"]);
    let deleted = id(&post(&guild, "gone", "2").await.ok()["id"]);
    clock.advance(1000);
    client.patch(&format!("{}/{edited}", path(&guild)), json!({"content": "after"})).await.ok();
    client.delete(&format!("{}/{deleted}", path(&guild))).await.ok();
    post(&guild, "new", "3").await.ok();
    clock.advance(500);
    assert_eq!(contents(&guild, "").await, ["new", "after"]);
    let stale = |ms| guild.faults().push(Rule::new(Action::StaleRead { ms }).on("GET", CREATE.1));
    stale(501);
    assert_eq!(contents(&guild, "").await, ["gone", "before"]);
    stale(501);
    assert_eq!(contents(&guild, &format!("?before={deleted}")).await, ["before"]);
    stale(500);
    assert_eq!(contents(&guild, "").await, ["new", "after"]);
    stale(1501);
    assert!(contents(&guild, "").await.is_empty());
    guild
        .faults()
        .push(Rule::new(Action::StaleRead { ms: 501 }).on("GET", "/channels/{channel}/messages/{message}"));
    assert_eq!(client.get(&format!("{}/{deleted}", path(&guild))).await.ok()["content"], "gone");
    // A minute back is as far as it goes, and nothing is kept for longer.
    clock.advance(60_000);
    stale(60_000);
    assert_eq!(contents(&guild, "").await, ["new", "after"]);
}

#[tokio::test]
async fn ids_are_out_of_order() {
    let (guild, clock) = guild().await;
    let ahead = {
        on_create(&guild, Action::SkewId { ms: 700 });
        id(&post(&guild, "ahead", "1").await.ok()["id"])
    };
    clock.advance(100);
    let right = id(&post(&guild, "right", "2").await.ok()["id"]);
    on_create(&guild, Action::SkewId { ms: -300 });
    let behind = id(&post(&guild, "behind", "3").await.ok()["id"]);
    assert!(behind < right && right < ahead);
    assert_eq!((time_of(ahead) - time_of(right), time_of(right) - time_of(behind)), (600, 300));
    // History goes by ids, not by time of arrival.
    assert_eq!(contents(&guild, "").await, ["ahead", "right", "behind"]);
    assert_eq!(contents(&guild, &format!("?after={right}")).await, ["ahead"]);
    on_create(&guild, Action::SkewId { ms: -300 });
    assert_ne!(id(&post(&guild, "behind too", "4").await.ok()["id"]), behind);
}

#[tokio::test]
async fn nonces_race() {
    let (guild, clock) = guild().await;
    let first = id(&post(&guild, "first", "1").await.ok()["id"]);
    clock.advance(1000);
    on_create(&guild, Action::RaceNonce { ms: 1001 });
    let second = id(&post(&guild, "second", "1").await.ok()["id"]);
    assert_ne!(first, second);
    assert_eq!(contents(&guild, "").await, ["second", "first"]);
    // Whoever comes later gets the first; so does who overlooks only the second.
    assert_eq!(id(&post(&guild, "third", "1").await.ok()["id"]), first);
    on_create(&guild, Action::RaceNonce { ms: 500 });
    assert_eq!(id(&post(&guild, "fourth", "1").await.ok()["id"]), first);
    clock.advance(4 * 60_000 + 59_000);
    assert_eq!(id(&post(&guild, "fifth", "1").await.ok()["id"]), second);
    clock.advance(1000);
    assert_eq!(post(&guild, "sixth", "1").await.ok()["content"], "sixth");
}

#[tokio::test]
async fn the_nonce_of_a_deleted_message_is_contention() {
    let (guild, _) = guild().await;
    let posted = id(&post(&guild, "deleted", "1").await.ok()["id"]);
    guild.delete_as_moderator(general(&guild), posted).unwrap();
    assert_eq!(post(&guild, "again", "1").await.error(), (404, 10008));
    // The same without a deletion.
    on_create(&guild, Action::Refuse { status: 404, code: 10008, message: "Unknown Message".into() });
    assert_eq!(post(&guild, "other", "2").await.error(), (404, 10008));
    assert!(contents(&guild, "").await.is_empty());
}

#[tokio::test]
async fn a_request_is_executed_after_its_client_gave_up() {
    let (guild, _) = guild().await;
    let (mut socket, _) = Socket::identified(&guild, GUILD_MESSAGES).await;
    on_create(&guild, Action::ExecuteLate { ms: 2_000 });
    let sent = Client::of(&guild).try_send("POST", &path(&guild), &json!({"content": "late"})).await;
    assert!(sent.is_err());
    assert!(contents(&guild, "").await.is_empty());
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "late");
    assert_eq!(contents(&guild, "").await, ["late"]);
    // What is still to be executed does not hold up the end.
    on_create(&guild, Action::ExecuteLate { ms: 3_600_000 });
    assert!(Client::of(&guild).try_send("POST", &path(&guild), &json!({"content": "never"})).await.is_err());
    tokio::time::timeout(Duration::from_secs(30), guild.stop()).await.unwrap();
}

#[tokio::test]
async fn files_arrive_late() {
    let (guild, clock) = guild().await;
    let client = Client::of(&guild);
    on_create(&guild, Action::LateFiles { ms: 800 });
    let posted = client.upload("POST", &path(&guild), &json!({}), &[(0, "a", b"abc")]).await.ok();
    let url = posted["attachments"][0]["url"].as_str().unwrap();
    clock.advance(799);
    assert_eq!(client.download("GET", url, &[]).await.status, 404);
    clock.advance(1);
    assert_eq!(client.download("GET", url, &[]).await.body, "abc");
}

#[tokio::test]
async fn limits_that_others_use_up() {
    let (guild, _) = guild().await;
    for (limit, code, scope) in [
        (Limit::ChannelWrite, 20_028, "shared"),
        (Limit::ServerWrite, 20_029, "shared"),
        (Limit::OldEdits, 30_046, "user"),
    ] {
        on_create(&guild, Action::TooManyRequests { limit, retry_after: 0.3 });
        let reply = post(&guild, "x", "1").await;
        assert_eq!((reply.error(), reply.header("x-ratelimit-scope")), ((429, code), Some(scope)));
        assert_eq!(reply.json()["retry_after"], 0.3);
    }
}

#[tokio::test]
async fn one_event_overtakes_another() {
    let (guild, _) = guild().await;
    let (mut socket, _) = Socket::identified(&guild, GUILD_MESSAGES).await;
    guild.faults().push(Rule::new(Action::ReorderEvent).on_event("MESSAGE_CREATE"));
    post(&guild, "first", "1").await.ok();
    socket.is_silent().await;
    post(&guild, "second", "2").await.ok();
    for (content, sequence) in [("second", 2), ("first", 3)] {
        assert_eq!(socket.event("MESSAGE_CREATE").await["content"], content);
        assert_eq!(socket.sequence, sequence);
    }
}

#[tokio::test]
async fn the_gateway_falls_silent() {
    let (guild, _) = guild().await;
    let (mut socket, _) = Socket::identified(&guild, GUILD_MESSAGES).await;
    let order = json!({"order": "silence", "ms": 4_000});
    assert_eq!(Client::of(&guild).post("/_local/gateway", order).await.ok()["sockets"], 1);
    // The order is obeyed when its socket wakes up; a heartbeat that crosses it may still be answered.
    tokio::time::sleep(Duration::from_millis(500)).await;
    socket.send(&json!({"op": 1, "d": null})).await;
    post(&guild, "unheard", "1").await.ok();
    assert!(tokio::time::timeout(Duration::from_millis(100), socket.next()).await.is_err());
    // What was said meanwhile comes when it speaks again: the event first, then the late answer to the heartbeat.
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "unheard");
    assert_eq!(socket.next().await["op"], 11);
    guild.silence_sockets(Duration::from_secs(3600));
    tokio::time::sleep(Duration::from_millis(50)).await;
    guild.drop_sockets();
    assert_eq!(socket.closed().await, None);
}

#[tokio::test]
async fn a_session_is_invalid_for_now() {
    let (guild, _) = guild().await;
    let (mut socket, ready) = Socket::identified(&guild, GUILD_MESSAGES).await;
    guild.suspend_sessions();
    let invalid = socket.next().await;
    assert_eq!((&invalid["op"], &invalid["d"]), (&json!(9), &json!(true)));
    post(&guild, "meanwhile", "1").await.ok();
    socket.resume(guild.token(), ready["session_id"].as_str().unwrap(), 1).await;
    assert_eq!(socket.event("MESSAGE_CREATE").await["content"], "meanwhile");
    socket.event("RESUMED").await;
}

#[tokio::test]
async fn all_of_it_can_be_asked_for_over_the_wire() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let kinds = json!([
        {"action": {"kind": "hide_message", "ms": 5}, "skip": 1},
        {"action": {"kind": "stale_read", "ms": 5}, "skip": 1},
        {"action": {"kind": "skew_id", "ms": -5}, "skip": 1},
        {"action": {"kind": "race_nonce", "ms": 5}, "skip": 1},
        {"action": {"kind": "late_files", "ms": 5}, "skip": 1},
        {"action": {"kind": "execute_late", "ms": 5}, "skip": 1},
        {"action": {"kind": "refuse", "status": 400, "code": 240000, "message": "no"}, "skip": 1},
        {"action": {"kind": "too_many_requests", "limit": "server_write", "retry_after": 0.1}, "skip": 1},
        {"action": {"kind": "reorder_event"}, "event": "MESSAGE_CREATE"},
    ]);
    client.post("/_local/faults", kinds).await.ok();
    assert_eq!(client.get("/_local/faults").await.ok().as_array().map(Vec::len), Some(9));
    client.delete("/_local/faults").await.ok();
    assert_eq!(client.get("/_local/faults").await.ok(), Value::Array(Vec::new()));
}

/// The direct door has the same flaws, and they combine.
#[tokio::test]
async fn flaws_of_the_pure_state() {
    let (guild, _) = guild().await;
    let (channel, bot) = (general(&guild), guild.application_id());
    guild.with_state(|state, now_ms| {
        let new = |content: &str| NewMessage {
            content: content.to_owned(),
            nonce: Some(Nonce::Text("n".to_owned())),
            enforce_nonce: true,
            ..NewMessage::default()
        };
        let flaws = Flaws { hidden_ms: 10, skew_ms: 5, ..Flaws::default() };
        let hidden = state.create_message_with(now_ms, bot, channel, new("a"), flaws).unwrap();
        let flaws = Flaws { blind_ms: 10, ..Flaws::default() };
        let raced = state.create_message_with(now_ms + 5, bot, channel, new("b"), flaws).unwrap();
        assert!(!raced.repeated && raced.message.id < hidden.message.id + (1 << 22));
        let page = |state: &discobase_guild::state::State, at| {
            let page = state.page_messages(at, bot, channel, Page::Newest, 5, Flaws::default()).unwrap();
            page.iter().map(|one| one.content.clone()).collect::<Vec<_>>()
        };
        assert_eq!(page(state, now_ms + 9), ["b"]);
        assert_eq!(page(state, now_ms + 10).len(), 2);
    });
}

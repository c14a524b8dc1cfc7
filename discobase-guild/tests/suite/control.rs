//! The control endpoints: everything a test in another process needs.

use crate::support::{Client, GUILDS, Socket, general, guild, id};
use serde_json::{Value, json};

#[tokio::test]
async fn they_need_the_token() {
    let (guild, _) = guild().await;
    let client = Client { token: "wrong".into(), ..Client::of(&guild) };
    assert_eq!(client.get("/_local/stats").await.status, 401);
    let client = Client::of(&guild);
    assert_eq!(client.post("/_local/nonsense", json!({})).await.status, 404);
}

#[tokio::test]
async fn faults_are_pushed_listed_and_cleared() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let rule = json!({"method": "GET", "route": "/users/@me", "skip": 1, "action": {"kind": "lose_reply"}});
    client
        .post(
            "/_local/faults",
            json!([rule, {"action": {"kind": "server_error", "status": 503, "executed": false}}]),
        )
        .await
        .ok();
    assert_eq!(client.get("/_local/faults").await.ok()[0]["skip"], 1);
    assert_eq!(client.get("/users/@me").await.status, 503);
    assert!(client.try_send("GET", "/users/@me", &Value::Null).await.is_err());
    assert_eq!(client.get("/_local/faults").await.ok(), json!([]));
    client.post("/_local/faults", json!({"action": {"kind": "lose_request"}})).await.ok();
    client.delete("/_local/faults").await.ok();
    assert_eq!(client.get("/users/@me").await.status, 200);
    assert_eq!(
        client.post("/_local/faults", json!({"action": {"kind": "nonsense"}})).await.error(),
        (400, 50035)
    );
    let stats = client.get("/_local/stats").await.ok();
    assert_eq!((&stats["requests"], &stats["by_route"]["GET /users/@me"]), (&json!(3), &json!(3)));
}

#[tokio::test]
async fn other_people_act() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild).to_string();
    let person = client.post("/_local/members", json!({"name": "eve"})).await.ok();
    let message = json!({"channel_id": channel, "user_id": person["id"], "content": "hi"});
    let posted = client.post("/_local/messages", message).await.ok();
    assert_eq!(posted["author"]["username"], "eve");
    let owner = client.post("/_local/messages", json!({"channel_id": channel, "content": "hi"})).await.ok();
    assert_eq!(id(&owner["author"]["id"]), guild.owner_id());
    let delete = json!({"channel_id": channel, "message_id": posted["id"]});
    client.post("/_local/delete-message", delete.clone()).await.ok();
    assert_eq!(client.post("/_local/delete-message", delete).await.error(), (404, 10008));

    let bot = client
        .post("/_local/members", json!({"name": "rival", "token": "rival", "permissions": "3072"}))
        .await
        .ok();
    let rival = Client { token: "rival".into(), ..client.clone() };
    assert_eq!(rival.get("/users/@me").await.ok()["id"], bot["id"]);
    let path = format!("/channels/{channel}/messages");
    let posted = rival.post(&path, json!({"content": "mine"})).await.ok();
    // Another application's messages are blank to ours without the intent.
    let read = client.get(&format!("{path}/{}", id(&posted["id"]))).await.ok();
    assert_eq!((&read["content"], &posted["content"]), (&json!(""), &json!("mine")));
    client.post("/_local/intents", json!({"message_content": true})).await.ok();
    let read = client.get(&format!("{path}/{}", id(&posted["id"]))).await.ok();
    assert_eq!(read["content"], "mine");
}

#[tokio::test]
async fn permissions_and_channels_are_taken_away() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let channel = general(&guild).to_string();
    let everyone = guild.guild_id().to_string();
    let overwrite = json!({"channel_id": channel, "id": everyone, "type": 0, "deny": "2048"});
    client.post("/_local/overwrites", overwrite).await.ok();
    let path = format!("/channels/{channel}/messages");
    assert_eq!(client.post(&path, json!({"content": "x"})).await.error(), (403, 50013));
    let remove = json!({"channel_id": channel, "id": everyone, "remove": true});
    client.post("/_local/overwrites", remove).await.ok();
    assert_eq!(client.post(&path, json!({"content": "x"})).await.status, 200);
    client.post("/_local/permissions", json!({"permissions": "0"})).await.ok();
    let channels = format!("/guilds/{}/channels", guild.guild_id());
    assert_eq!(client.post(&channels, json!({"name": "x"})).await.error(), (403, 50013));
    client.post("/_local/delete-channel", json!({"channel_id": channel})).await.ok();
    assert_eq!(client.get(&path).await.error(), (404, 10003));
}

#[tokio::test]
async fn sockets_are_ordered_about() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let (mut socket, _) = Socket::identified(&guild, GUILDS).await;
    assert_eq!(client.post("/_local/gateway", json!({"close": 4008})).await.ok()["sockets"], 1);
    assert_eq!(socket.closed().await, Some(4008));
    let (mut socket, _) = Socket::identified(&guild, GUILDS).await;
    client.post("/_local/gateway", json!({"order": "cut"})).await.ok();
    assert_eq!(socket.closed().await, None);
    assert_eq!(client.post("/_local/gateway", json!({"order": "forget"})).await.ok(), json!({}));
    assert_eq!(client.post("/_local/gateway", json!({})).await.status, 400);
}

//! The REST interface in general: versions, tokens, routes, bodies, and the routes about the bot itself.

use crate::support::{Client, general, guild, id};
use bytes::Bytes;
use serde_json::{Value, json};

#[tokio::test]
async fn versions_since_9_are_served() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let authorization = format!("Bot {}", client.token);
    let headers = [("authorization", authorization.as_str())];
    for (path, status) in [
        ("/api/v10/users/@me", 200),
        ("/api/v9/users/@me", 200),
        ("/api/v6/users/@me", 400),
        ("/api/users/@me", 400),
        ("/users/@me", 404),
    ] {
        let reply = client.raw("GET", path, &headers, Bytes::new()).await.unwrap();
        assert_eq!(reply.status, status, "{path}");
    }
}

#[tokio::test]
async fn the_token_must_be_right() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let wrong = Client { token: "wrong".to_owned(), ..client.clone() };
    let reply = wrong.get("/users/@me").await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.json(), json!({"message": "401: Unauthorized", "code": 0}));
    let bearer = format!("Bearer {}", client.token);
    let headers = [("authorization", bearer.as_str())];
    assert_eq!(client.raw("GET", "/api/v10/users/@me", &headers, Bytes::new()).await.unwrap().status, 401);
    assert_eq!(guild.stats().invalid, 2);
}

#[tokio::test]
async fn unknown_routes_and_methods() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let reply = client.get("/nonsense").await;
    assert_eq!((reply.status, reply.json()), (404, json!({"message": "404: Not Found", "code": 0})));
    let reply = client.send("PUT", "/users/@me/guilds", Value::Null).await;
    assert_eq!((reply.status, reply.json()), (405, json!({"message": "405: Method Not Allowed", "code": 0})));
    let reply = client.get("/channels/abc").await;
    assert_eq!(
        reply.json(),
        json!({"message": "Invalid Form Body", "code": 50035, "errors": {"channel_id": {"_errors": [
            {"code": "NUMBER_TYPE_COERCE", "message": "Value \"abc\" is not snowflake."}]}}})
    );
}

#[tokio::test]
async fn bodies_must_be_what_they_say() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let path = format!("/api/v10/channels/{}/messages", general(&guild));
    let authorization = format!("Bot {}", client.token);
    let send = async |kind: &str, body: &'static str| {
        let headers = [("authorization", authorization.as_str()), ("content-type", kind)];
        client.raw("POST", &path, &headers, Bytes::from_static(body.as_bytes())).await.unwrap()
    };
    assert_eq!(send("application/json", "{").await.error(), (400, 50109));
    assert_eq!(send("application/json", "[]").await.error(), (400, 50035));
    let reply = send("text/plain", "{}").await;
    assert_eq!(reply.json()["errors"]["_errors"][0]["code"], "CONTENT_TYPE_INVALID");
    let reply = send("application/json", r#"{"content": {}, "flags": "x"}"#).await;
    let errors = &reply.json()["errors"];
    assert_eq!(errors["content"]["_errors"][0]["code"], "STRING_TYPE_CONVERT");
    assert_eq!(errors["flags"]["_errors"][0]["code"], "NUMBER_TYPE_COERCE");
}

#[tokio::test]
async fn the_bot_learns_about_itself() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let me = client.get("/users/@me").await.ok();
    assert_eq!((id(&me["id"]), &me["bot"]), (guild.application_id(), &json!(true)));
    for path in ["/oauth2/applications/@me", "/applications/@me"] {
        let application = client.get(path).await.ok();
        assert_eq!(id(&application["id"]), guild.application_id());
        assert_eq!(id(&application["owner"]["id"]), guild.owner_id());
    }
    assert_eq!(client.get(&format!("/users/{}", guild.owner_id())).await.ok()["username"], "owner");
    assert_eq!(client.get("/users/1").await.error(), (404, 10013));
    assert_eq!(client.get("/gateway").await.ok()["url"], guild.gateway());
    let bot = client.get("/gateway/bot").await.ok();
    assert_eq!(bot["session_start_limit"]["max_concurrency"], 1);
    let unknown = Client { token: String::new(), ..client };
    assert_eq!(unknown.get("/gateway").await.status, 200);
}

#[tokio::test]
async fn guilds_are_listed_and_read() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let other = guild.with_state(|state, now_ms| {
        let other = state.add_guild(now_ms, "other", guild.owner_id());
        state.join(now_ms, other, guild.application_id(), 0);
        other
    });
    let guilds = client.get("/users/@me/guilds").await.ok();
    let names: Vec<_> = guilds.as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["discobase", "other"]);
    let after = client.get(&format!("/users/@me/guilds?after={}", guild.guild_id())).await.ok();
    assert_eq!((after.as_array().unwrap().len(), id(&after[0]["id"])), (1, other));

    let path = format!("/guilds/{}", guild.guild_id());
    let read = client.get(&format!("{path}?with_counts=true")).await.ok();
    assert_eq!((&read["approximate_member_count"], id(&read["owner_id"])), (&json!(2), guild.owner_id()));
    let roles = client.get(&format!("{path}/roles")).await.ok();
    assert_eq!((&roles[0]["name"], id(&roles[0]["id"])), (&json!("@everyone"), guild.guild_id()));
    assert_eq!(id(&roles[1]["tags"]["bot_id"]), guild.application_id());
    let member = client.get(&format!("{path}/members/{}", guild.application_id())).await.ok();
    assert_eq!(member["roles"], json!([roles[1]["id"]]));
    assert_eq!(client.get(&format!("/users/@me/guilds/{other}/member")).await.status, 200);
    assert_eq!(client.get(&format!("{path}/members/1")).await.error(), (404, 10013));
    assert_eq!(client.get(&format!("{path}/members?limit=10")).await.error(), (403, 50001));
    guild.with_state(|state, _| state.set_privileged_intents(guild.application_id(), false, true));
    assert_eq!(client.get(&format!("{path}/members?limit=10")).await.ok().as_array().unwrap().len(), 2);

    assert_eq!(client.get("/guilds/1").await.error(), (404, 10004));
    assert_eq!(client.post("/guilds", json!({"name": "mine"})).await.error(), (403, 20001));
    assert_eq!(client.delete(&format!("/users/@me/guilds/{other}")).await.status, 204);
    assert_eq!(client.get(&format!("/guilds/{other}")).await.error(), (403, 50001));
}

#[tokio::test]
async fn a_stopped_guild_frees_its_port_and_leaves_no_tasks() {
    // Below the ports that systems hand out: while it is free, nobody else gets it.
    let mut port = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let guild = loop {
        match discobase_guild::LocalGuild::builder().port(port).start().await {
            Ok(guild) => break guild,
            Err(_) => port += 1,
        }
    };
    let client = Client::of(&guild);
    guild.stop().await;
    assert!(client.try_send("GET", "/users/@me", &Value::Null).await.is_err());
    let again = discobase_guild::LocalGuild::builder().port(port).start().await.unwrap();
    drop(again);
    let third = discobase_guild::LocalGuild::builder().port(port).start().await.unwrap();
    assert_eq!(Client::of(&third).get("/users/@me").await.status, 200);
    let taken = discobase_guild::LocalGuild::builder().port(port).start().await.unwrap_err();
    assert!(taken.to_string().contains("cannot listen on 127.0.0.1"), "{taken}");
}

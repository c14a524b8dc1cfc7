//! Attachments: upload, names, limits, edits, and the CDN with its signed URLs and ranges.

use crate::support::{Client, general, guild, guild_with, id};
use discobase_guild::Limits;
use serde_json::{Value, json};

fn names(message: &Value) -> Vec<&str> {
    message["attachments"].as_array().unwrap().iter().map(|one| one["filename"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn files_are_uploaded_described_and_downloaded() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let path = format!("/channels/{}/messages", general(&guild));
    let payload = json!({"content": "x", "nonce": "n", "attachments": [
        {"id": 1, "description": "the second"}, {"id": "0", "filename": "first.bin"}]});
    let data: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    let files = [(0, "ignored", &data[..]), (1, "zwei é (2).txt", b"\r\n--edge-\r\n")];
    let posted = client.upload("POST", &path, &payload, &files).await.ok();
    assert_eq!(posted["nonce"], "n");
    assert_eq!(names(&posted), ["first.bin", "zwei__2.txt"]);
    let second = &posted["attachments"][1];
    assert_eq!((&second["title"], &second["description"]), (&json!("zwei é (2)"), &json!("the second")));
    assert_eq!((&second["size"], &second["content_type"]), (&json!(11), &json!("text/plain; charset=utf-8")));

    let url = posted["attachments"][0]["url"].as_str().unwrap();
    let whole = client.download("GET", url, &[]).await;
    assert_eq!(
        (whole.status, whole.body.len(), whole.header("accept-ranges")),
        (200, 3_000_000, Some("bytes"))
    );
    assert!(whole.body[..] == data[..]);
    let head = client.download("HEAD", url, &[]).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("3000000"), 0));
    let part = client.download("GET", url, &[("range", "bytes=1040000-1060000")]).await;
    assert_eq!((part.status, part.header("content-range")), (206, Some("bytes 1040000-1060000/3000000")));
    assert!(part.body[..] == data[1_040_000..=1_060_000]);
    let tail = client.download("GET", url, &[("range", "bytes=-5")]).await;
    assert_eq!(tail.body[..], data[2_999_995..]);
    let beyond = client.download("GET", url, &[("range", "bytes=3000000-")]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */3000000")));
    assert_eq!(client.download("POST", url, &[]).await.status, 405);
}

#[tokio::test]
async fn urls_expire_and_are_refreshed() {
    let (guild, clock) = guild().await;
    let client = Client::of(&guild);
    let path = format!("/channels/{}/messages", general(&guild));
    let posted = client.upload("POST", &path, &json!({}), &[(0, "a.bin", b"abc")]).await.ok();
    let url = posted["attachments"][0]["url"].as_str().unwrap().to_owned();
    let bare = url.split('?').next().unwrap();
    for wrong in [
        bare.to_owned(),
        url.replace("hm=", "hm=0"),
        url.replace("ex=", "ex=f"),
        url.replace("a.bin", "b.bin"),
    ] {
        assert_eq!(client.download("GET", &wrong, &[]).await.status, 404, "{wrong}");
    }
    clock.advance(23 * 3_600_000);
    assert_eq!(client.download("GET", &url, &[]).await.status, 200);
    clock.advance(3_600_000);
    assert_eq!(client.download("GET", &url, &[]).await.status, 404);

    let body = json!({"attachment_urls": [url, bare, "http://elsewhere/attachments/1/2/x"]});
    let refreshed = client.post("/attachments/refresh-urls", body).await.ok()["refreshed_urls"].clone();
    assert_eq!(refreshed[0]["original"], url);
    let fresh = refreshed[1]["refreshed"].as_str().unwrap();
    assert_eq!(client.download("GET", fresh, &[]).await.body, "abc");
    assert_eq!(refreshed[2]["refreshed"], Value::Null);
    assert_eq!(
        client.post("/attachments/refresh-urls", json!({"attachment_urls": []})).await.error(),
        (400, 50035)
    );
    // Reading the message again gives a fresh URL too.
    let read = client.get(&format!("{path}/{}", id(&posted["id"]))).await.ok();
    assert_eq!(
        client.download("GET", read["attachments"][0]["url"].as_str().unwrap(), &[]).await.status,
        200
    );
    // Deleting the message kills the link.
    assert_eq!(client.delete(&format!("{path}/{}", id(&posted["id"]))).await.status, 204);
    assert_eq!(client.download("GET", fresh, &[]).await.status, 404);
}

#[tokio::test]
async fn number_and_sizes_are_limited() {
    let limits = Limits { file_bytes: 1000, request_bytes: 5000, ..Limits::unlimited() };
    let (guild, _) = guild_with(limits).await;
    let client = Client::of(&guild);
    let path = format!("/channels/{}/messages", general(&guild));
    let send = async |files: &[(u64, &str, &[u8])]| client.upload("POST", &path, &json!({}), files).await;
    let file = |n| (n, "a.bin", &b"abc"[..]);
    assert_eq!(send(&(0..11).map(file).collect::<Vec<_>>()).await.error(), (400, 30015));
    assert_eq!(names(&send(&(0..10).map(file).collect::<Vec<_>>()).await.ok()).len(), 10);
    assert_eq!(send(&[(0, "a", &[1; 1001])]).await.error(), (400, 50045));
    assert_eq!(send(&[(0, "a", &[1; 1000])]).await.status, 200);
    assert_eq!(send(&[(0, "a", &[1; 5000])]).await.error(), (413, 40005));
    let long = json!({"attachments": [{"id": 0, "description": "d".repeat(1025)}]});
    let reply = client.upload("POST", &path, &long, &[file(0)]).await;
    assert_eq!(
        reply.json()["errors"]["attachments"]["0"]["description"]["_errors"][0]["code"],
        "BASE_TYPE_MAX_LENGTH"
    );
    assert_eq!(Limits::discord().file_bytes, 20 << 20);
    assert_eq!(Limits::discord().request_bytes, 25 << 20);
}

#[tokio::test]
async fn an_edit_keeps_the_attachments_it_lists() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let path = format!("/channels/{}/messages", general(&guild));
    let posted = client.upload("POST", &path, &json!({}), &[(0, "a", b"a"), (1, "b", b"b")]).await.ok();
    let (a, b) = (&posted["attachments"][0], &posted["attachments"][1]);
    let own = format!("{path}/{}", id(&posted["id"]));
    // Without the field all stay, and new files are appended.
    assert_eq!(names(&client.patch(&own, json!({"content": "x"})).await.ok()), ["a", "b"]);
    assert_eq!(
        names(&client.upload("PATCH", &own, &json!({}), &[(0, "c", b"c")]).await.ok()),
        ["a", "b", "c"]
    );
    // With it, only what is listed remains.
    let payload =
        json!({"attachments": [{"id": b["id"], "description": "kept"}, {"id": 0, "filename": "d"}]});
    let edited = client.upload("PATCH", &own, &payload, &[(0, "x", b"d")]).await.ok();
    assert_eq!(names(&edited), ["b", "d"]);
    assert_eq!(edited["attachments"][0]["description"], "kept");
    assert_eq!(client.download("GET", a["url"].as_str().unwrap(), &[]).await.status, 404);
    assert_eq!(client.download("GET", b["url"].as_str().unwrap(), &[]).await.status, 200);
    let unknown = json!({"attachments": [{"id": "12345"}]});
    assert_eq!(client.patch(&own, unknown).await.error(), (400, 50035));
    assert_eq!(names(&client.patch(&own, json!({"attachments": []})).await.ok()).len(), 0);
}

#[tokio::test]
async fn an_upload_repeated_with_its_nonce_is_kept_once() {
    let (guild, _) = guild().await;
    let client = Client::of(&guild);
    let path = format!("/channels/{}/messages", general(&guild));
    let payload = json!({"nonce": "n", "enforce_nonce": true});
    let first = client.upload("POST", &path, &payload, &[(0, "a", b"a")]).await.ok();
    let again = client.upload("POST", &path, &payload, &[(0, "a", b"a")]).await.ok();
    assert_eq!(first, again);
}

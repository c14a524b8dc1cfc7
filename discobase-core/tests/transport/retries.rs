//! Lost answers, broken answers, answers of no use.

use std::sync::Arc;

use discobase_core::transport::twilight::TwilightTransport;
use discobase_core::transport::{ChannelRole, NewChannel, Transport, TransportError};
use discobase_core::{ChannelId, GuildId, MessageId, UserId};
use serde_json::json;
use tokio::net::TcpSocket;
use tokio::time::Instant;

use crate::mock::{Answer, Mock, message, ms, new, posted};

const CHANNEL: ChannelId = ChannelId::new(1);

fn category() -> NewChannel {
    NewChannel {
        role: ChannelRole::Category,
        name: "shop".to_owned(),
        topic: String::new(),
        parent: None,
        visible_to: UserId::new(77),
    }
}

fn html(status: u16) -> Answer {
    Answer::Reply(
        status,
        vec![("content-type", "text/html".to_owned())],
        b"<html>bad gateway</html>".to_vec(),
    )
}

/// A name, and an answer.
type Mishap = (&'static str, fn() -> Answer);

/// What can happen to a request that may have had its effect.
fn mishaps() -> [Mishap; 7] {
    [
        ("the connection ends", || Answer::Drop),
        ("nothing is answered", || Answer::Silence),
        ("the body stands still", || Answer::Stall(200, b"{\"id\":".to_vec())),
        ("the body breaks off", || Answer::Tear(200, b"{\"id\":".to_vec())),
        ("an HTML error", || html(502)),
        ("a JSON error", || Answer::json(500, &json!({ "code": 0, "message": "oops" }))),
        ("an overload", || Answer::json(400, &json!({ "code": 130_000, "message": "later" }))),
    ]
}

/// Only what stands still is given up early: what is answered may take its time on a busy machine.
fn transport(mock: &Mock, name: &str) -> Arc<TwilightTransport> {
    match name {
        "nothing is answered" | "the body stands still" => mock.hasty(),
        _ => mock.transport(),
    }
}

#[tokio::test]
async fn a_post_is_repeated_with_the_same_bytes() {
    for (name, mishap) in mishaps() {
        let mock = Mock::start(move |number, asked| match number {
            0 | 1 => mishap(),
            _ => posted(number, asked),
        })
        .await;
        let transport = transport(&mock, name);
        let mut new = new("the text", "the-nonce");
        new.attachments.push(discobase_core::transport::NewAttachment {
            filename: "a.bin".to_owned(),
            bytes: vec![7; 100_000].into(),
        });
        let posted = transport.post(CHANNEL, new, None).await.unwrap();
        assert_eq!(posted.id, MessageId::new(1_002), "{name}");
        let asked = mock.asked();
        assert_eq!(asked.len(), 3, "{name}");
        assert!(asked.iter().all(|one| one.body == asked[0].body), "{name}");
        assert!(asked.iter().all(|one| one.headers["content-type"] == asked[0].headers["content-type"]));
        let body = String::from_utf8_lossy(&asked[0].body).into_owned();
        assert!(body.contains(r#""nonce":"the-nonce","enforce_nonce":true"#), "{name}");
        assert_eq!(transport.traffic().retries, 2, "{name}");
    }
}

#[tokio::test]
async fn what_creates_without_a_nonce_is_not_repeated() {
    for (name, mishap) in mishaps() {
        let mock = Mock::start(move |_, asked| match asked.method.as_str() {
            "GET" => Answer::json(200, &json!([{ "id": "2", "name": "g", "permissions": "8" }])),
            _ => mishap(),
        })
        .await;
        let transport = transport(&mock, name);
        let created = transport.create_channel(GuildId::new(2), category()).await;
        assert!(matches!(created, Err(TransportError::Unknown(_))), "{name}: {created:?}");
        let mut anonymous = new("text", "");
        anonymous.nonce = None;
        let posted = transport.post(CHANNEL, anonymous, None).await;
        assert!(matches!(posted, Err(TransportError::Unknown(_))), "{name}: {posted:?}");
        assert_eq!(mock.asked().iter().filter(|asked| asked.method == "POST").count(), 2, "{name}");
    }
}

#[tokio::test]
async fn reads_edits_and_deletes_are_repeated() {
    for (name, mishap) in mishaps() {
        let mock = Mock::start(move |number, asked| match (number % 2, asked.method.as_str()) {
            (0, _) => mishap(),
            (_, "DELETE") => Answer::Reply(204, Vec::new(), Vec::new()),
            _ => Answer::json(200, &message(5, 1, "text")),
        })
        .await;
        let transport = transport(&mock, name);
        let id = MessageId::new(5);
        transport.message(CHANNEL, id).await.unwrap();
        transport.edit(CHANNEL, id, new("text", "")).await.unwrap();
        transport.delete_message(CHANNEL, id).await.unwrap();
        assert_eq!(mock.asked().len(), 6, "{name}");
    }
}

#[tokio::test]
async fn a_refusal_after_a_lost_answer_says_so() {
    for (status, code) in [(403, 50_013), (404, 10_008), (400, 200_000)] {
        let mock = Mock::start(move |number, _| match number % 2 {
            0 => Answer::Drop,
            _ => Answer::json(status, &json!({ "code": code, "message": "no" })),
        })
        .await;
        let error = mock.transport().post(CHANNEL, new("text", "n"), None).await.unwrap_err();
        assert!(error.failure().ambiguous);
        assert_eq!((error.failure().status, error.code()), (Some(status), Some(code)));
        match status {
            403 => assert!(matches!(error, TransportError::Forbidden(_))),
            404 => assert!(matches!(error, TransportError::Missing(_))),
            _ => assert!(matches!(error, TransportError::Refused(_))),
        }
    }
}

#[tokio::test]
async fn a_refusal_at_once_had_no_effect() {
    let mock =
        Mock::start(|_, _| Answer::json(403, &json!({ "code": 50_001, "message": "Missing Access" }))).await;
    let error = mock.transport().post(CHANNEL, new("text", "n"), None).await.unwrap_err();
    assert!(matches!(&error, TransportError::Forbidden(failure) if !failure.ambiguous));
    assert_eq!(error.to_string(), "POST channels/{channel}/messages: status 403, code 50001, Missing Access");
    assert_eq!(mock.asked().len(), 1);
}

#[tokio::test]
async fn a_success_that_cannot_be_read_is_unknown() {
    for body in ["<html>hello</html>", "{}", "[]", ""] {
        let mock = Mock::start(move |_, _| Answer::Reply(200, Vec::new(), body.as_bytes().to_vec())).await;
        let error = mock.transport().post(CHANNEL, new("text", "n"), None).await.unwrap_err();
        assert!(
            matches!(&error, TransportError::Unknown(failure) if failure.status == Some(200)),
            "{error:?}"
        );
        assert_eq!(mock.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_401_stops_everything() {
    let mock =
        Mock::start(|_, _| Answer::json(401, &json!({ "code": 0, "message": "401: Unauthorized" }))).await;
    let transport = mock.transport();
    let posts = (0..10).map(|number| transport.post(CHANNEL, new("text", &format!("{number}")), None));
    for post in futures_util::future::join_all(posts).await {
        assert!(matches!(post, Err(TransportError::Unauthorized(_))), "{post:?}");
    }
    assert!(matches!(transport.me().await, Err(TransportError::Unauthorized(_))));
    assert!(matches!(transport.events().await, Err(TransportError::Unauthorized(_))));
    assert_eq!(mock.asked().len(), 1);
}

#[tokio::test]
async fn a_server_that_comes_back_is_found() {
    let mock = Mock::start(posted).await;
    let transport = mock.transport();
    transport.post(CHANNEL, new("text", "a"), None).await.unwrap();
    let address = mock.address;
    drop(mock);
    // It is gone when its port is free, and nobody else gets the port.
    let bound = async {
        loop {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            match socket.bind(address) {
                Ok(()) => break socket,
                Err(_) => tokio::time::sleep(ms(1)).await,
            }
        }
    };
    let bound = tokio::time::timeout(ms(20_000), bound).await.expect("a free port");
    let began = Instant::now();
    let again = async {
        tokio::time::sleep(ms(600)).await;
        Mock::start_on(bound.listen(64).unwrap(), posted)
    };
    let (post, _mock) = tokio::join!(transport.post(CHANNEL, new("text", "b"), None), again);
    post.unwrap();
    assert!(began.elapsed() >= ms(600));
}

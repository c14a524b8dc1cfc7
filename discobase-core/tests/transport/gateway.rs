//! The gateway: what its events become, and what happens when it goes away.

use std::sync::Arc;

use discobase_core::transport::twilight::TwilightTransport;
use discobase_core::transport::{Event, Events, Transport, TransportError};
use discobase_core::{ChannelId, MessageId};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::mock::{Mock, message, ms, quick};

/// One end of a gateway connection, the test's.
struct Peer {
    socket: WebSocketStream<TcpStream>,
    address: String,
}

/// Where connections come in.
struct Door(TcpListener);

impl Door {
    async fn open() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn address(&self) -> String {
        format!("ws://{}", self.0.local_addr().unwrap())
    }

    fn transport(&self) -> Arc<TwilightTransport> {
        let mut config = discobase_core::transport::twilight::TwilightConfig::new("mock.token.secret");
        config.api = "http://127.0.0.1:9".parse().unwrap();
        config.gateway = Some(self.address());
        config.deadlines = quick();
        TwilightTransport::new(config).unwrap()
    }

    /// The next connection, greeted.
    async fn next(&self) -> Peer {
        let (stream, _) = self.0.accept().await.unwrap();
        let socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let mut peer = Peer { socket, address: self.address() };
        peer.send(r#"{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":41250}}"#.to_owned()).await;
        peer
    }

    /// The next connection, identified and ready.
    async fn session(&self, sequence: u64, guilds: &[u64]) -> Peer {
        let mut peer = self.next().await;
        assert_eq!(peer.heard(2).await["token"], "Bot mock.token.secret");
        peer.ready(sequence, guilds).await;
        peer
    }
}

impl Peer {
    async fn send(&mut self, text: String) {
        self.socket.send(Frame::text(text)).await.unwrap();
    }

    /// Dispatches an event, its keys in the order Discord has them.
    async fn dispatch(&mut self, sequence: u64, name: &str, data: &Value) {
        self.send(format!(r#"{{"t":"{name}","s":{sequence},"op":0,"d":{data}}}"#)).await;
    }

    async fn ready(&mut self, sequence: u64, guilds: &[u64]) {
        let guilds: Vec<Value> =
            guilds.iter().map(|id| json!({ "id": id.to_string(), "unavailable": true })).collect();
        let ready = json!({
            "v": 10, "session_id": "s", "resume_gateway_url": self.address, "guilds": guilds,
            "application": { "id": "3", "flags": 0 }, "user": { "id": "77", "username": "b" }
        });
        self.dispatch(sequence, "READY", &ready).await;
    }

    /// Waits for a payload of the kind, heartbeats aside, and gives its data.
    async fn heard(&mut self, op: u64) -> Value {
        loop {
            let frame = self.socket.next().await.unwrap().unwrap();
            let Frame::Text(text) = frame else { panic!("{frame:?}") };
            let payload: Value = serde_json::from_str(&text).unwrap();
            match payload["op"].as_u64() {
                Some(1) => self.send(r#"{"t":null,"s":null,"op":11,"d":null}"#.to_owned()).await,
                other => {
                    assert_eq!(other, Some(op));
                    return payload["d"].clone();
                }
            }
        }
    }

    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.socket.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = self.socket.next().await {}
    }

    /// Waits for the other side's close and answers it.
    async fn closed(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some(Ok(frame)) = self.socket.next().await {
            if let Frame::Close(Some(frame)) = frame {
                code = Some(frame.code.into());
            }
        }
        code
    }
}

async fn next(events: &mut Events) -> Event {
    tokio::time::timeout(ms(15_000), events.recv()).await.expect("in time").expect("an event")
}

/// The events so far as text, without waiting for more than a moment.
async fn drain(events: &mut Events) -> Vec<String> {
    let mut seen = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(ms(150), events.recv()).await {
        seen.push(format!("{event:?}"));
    }
    seen
}

#[tokio::test]
async fn events_become_what_they_tell() {
    let door = Door::open().await;
    let transport = door.transport();
    let (events, peer) = tokio::join!(transport.events(), door.session(1, &[]));
    let (mut events, mut peer) = (events.unwrap(), peer);
    let mut others = transport.events().await.unwrap();

    let mut post = message(30, 1, "hello");
    post["guild_id"] = json!("2");
    post["components"] = json!([{ "type": 999 }]);
    peer.dispatch(2, "MESSAGE_CREATE", &post).await;
    // An embed was resolved: no author, no content.
    peer.dispatch(3, "MESSAGE_UPDATE", &json!({ "id": "30", "channel_id": "1", "embeds": [] })).await;
    peer.dispatch(4, "MESSAGE_DELETE", &json!({ "id": "30", "channel_id": "1" })).await;
    peer.dispatch(5, "MESSAGE_DELETE_BULK", &json!({ "ids": ["31", "32"], "channel_id": "1" })).await;
    peer.dispatch(6, "CHANNEL_CREATE", &json!({ "id": "9", "type": 0, "name": "x", "guild_id": "2" })).await;
    let hidden = json!({ "id": "9", "type": 0, "name": "___hidden___", "flags": 131_072 });
    peer.dispatch(7, "CHANNEL_UPDATE", &hidden).await;
    peer.dispatch(8, "CHANNEL_DELETE", &json!({ "id": "9", "type": 0 })).await;
    peer.dispatch(9, "TYPING_START", &json!({ "t": "MESSAGE_CREATE" })).await;
    peer.dispatch(10, "MESSAGE_CREATE", &json!({ "id": "no id" })).await;
    // Whatever the order of the keys.
    peer.send(r#"{"d":{"id":"40","channel_id":"1"},"op":0,"s":11,"t":"MESSAGE_DELETE"}"#.to_owned()).await;

    let Event::Posted(posted) = next(&mut events).await else { panic!() };
    assert_eq!((posted.id, posted.content.as_str()), (MessageId::new(30), "hello"));
    let channel = ChannelId::new(1);
    assert!(
        matches!(next(&mut events).await, Event::Edited { channel: c, message } if (c, message.get()) == (channel, 30))
    );
    for id in [30, 31, 32] {
        assert!(
            matches!(next(&mut events).await, Event::Deleted { channel: c, message } if (c, message.get()) == (channel, id))
        );
    }
    assert!(matches!(next(&mut events).await, Event::Channel(c) if c.visible && c.name == "x"));
    assert!(matches!(next(&mut events).await, Event::Channel(c) if !c.visible));
    assert!(matches!(next(&mut events).await, Event::ChannelDeleted(c) if c.get() == 9));
    assert!(matches!(next(&mut events).await, Event::Gap), "what cannot be read may matter");
    assert!(matches!(next(&mut events).await, Event::Deleted { message, .. } if message.get() == 40));
    assert_eq!(drain(&mut others).await.len(), 10);
}

#[tokio::test]
async fn events_begin_when_every_guild_is_there() {
    let door = Door::open().await;
    let transport = door.transport();
    let peer = async {
        let mut peer = door.session(1, &[2, 3]).await;
        tokio::time::sleep(ms(100)).await;
        peer.dispatch(2, "GUILD_CREATE", &json!({ "id": "2", "name": "g" })).await;
        tokio::time::sleep(ms(100)).await;
        peer.dispatch(3, "GUILD_CREATE", &json!({ "id": "3", "name": "h" })).await;
        peer
    };
    let began = tokio::time::Instant::now();
    let events = async { (transport.events().await.unwrap(), began.elapsed()) };
    let ((mut events, took), mut peer) = tokio::join!(events, peer);
    assert!(took >= ms(200) && took < ms(15_000), "{took:?}");
    // An outage, and its end: both are gaps. A guild joined is none.
    peer.dispatch(4, "GUILD_DELETE", &json!({ "id": "2", "unavailable": true })).await;
    peer.dispatch(5, "GUILD_CREATE", &json!({ "id": "2", "name": "g" })).await;
    peer.dispatch(6, "GUILD_CREATE", &json!({ "id": "9", "name": "new" })).await;
    for _ in 0..2 {
        assert!(matches!(next(&mut events).await, Event::Gap));
    }
    assert_eq!(drain(&mut events).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_resumed_session_has_no_gap() {
    let door = Door::open().await;
    let transport = door.transport();
    let (events, mut peer) = tokio::join!(transport.events(), door.session(1, &[]));
    let mut events = events.unwrap();
    for how in 0..3 {
        match how {
            0 => {
                peer.send(r#"{"t":null,"s":null,"op":7,"d":null}"#.to_owned()).await;
                peer.closed().await;
            }
            1 => peer.close(4_009, "session timed out").await,
            _ => drop(peer),
        }
        peer = door.next().await;
        let resume = peer.heard(6).await;
        assert_eq!((&resume["session_id"], &resume["seq"]), (&json!("s"), &json!(1 + how)));
        let deleted = json!({ "id": "30", "channel_id": "1" });
        peer.dispatch(2 + how, "MESSAGE_DELETE", &deleted).await;
        peer.dispatch(2 + how, "RESUMED", &json!({})).await;
        assert!(matches!(next(&mut events).await, Event::Deleted { .. }), "{how}");
        assert_eq!(drain(&mut events).await, Vec::<String>::new(), "{how}");
    }
}

#[tokio::test]
async fn a_new_session_is_a_gap() {
    let door = Door::open().await;
    let transport = door.transport();
    let (events, mut peer) = tokio::join!(transport.events(), door.session(1, &[]));
    let mut events = events.unwrap();
    peer.send(r#"{"t":null,"s":null,"op":9,"d":false}"#.to_owned()).await;
    peer.closed().await;
    let mut peer = door.session(1, &[]).await;
    assert!(matches!(next(&mut events).await, Event::Gap));
    peer.dispatch(2, "MESSAGE_DELETE", &json!({ "id": "30", "channel_id": "1" })).await;
    assert!(matches!(next(&mut events).await, Event::Deleted { .. }));
}

#[tokio::test]
async fn a_refused_token_is_an_error_at_once() {
    let door = Door::open().await;
    let transport = door.transport();
    let peer = async {
        let mut peer = door.next().await;
        peer.heard(2).await;
        peer.close(4_004, "Authentication failed.").await;
    };
    let (events, ()) = tokio::join!(transport.events(), peer);
    let error = events.unwrap_err();
    assert!(matches!(error, TransportError::Unauthorized(_)), "{error:?}");
    assert!(!error.to_string().contains("secret"));
    assert!(matches!(transport.events().await, Err(TransportError::Unauthorized(_))));
}

#[tokio::test]
async fn a_fatal_close_is_told_and_ends_the_events() {
    let door = Door::open().await;
    let transport = door.transport();
    let (events, mut peer) = tokio::join!(transport.events(), door.session(1, &[]));
    let mut events = events.unwrap();
    peer.close(4_014, "Disallowed intent(s).").await;
    let Event::Closed(why) = next(&mut events).await else { panic!() };
    assert!(why.contains("4014") && why.contains("Disallowed"), "{why}");
    assert!(events.recv().await.is_none());
}

#[tokio::test]
async fn a_shutdown_or_a_drop_closes_the_session() {
    for shutdown in [true, false] {
        let door = Door::open().await;
        let transport = door.transport();
        let (events, mut peer) = tokio::join!(transport.events(), door.session(1, &[]));
        let mut events = events.unwrap();
        let stop = async {
            if shutdown {
                transport.shutdown().await;
            }
            drop(transport);
        };
        let ((), code) = tokio::join!(stop, tokio::time::timeout(ms(15_000), peer.closed()));
        assert_eq!(code.unwrap(), Some(1_000));
        assert!(matches!(next(&mut events).await, Event::Closed(_)));
        assert!(events.recv().await.is_none());
        assert!(tokio::time::timeout(ms(300), door.0.accept()).await.is_err(), "it stays away");
    }
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_an_error_in_time() {
    // Nobody listens there, and nobody else gets the port as long as it is bound.
    let bound = tokio::net::TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut config = discobase_core::transport::twilight::TwilightConfig::new("mock.token.secret");
    config.api = "http://127.0.0.1:9".parse().unwrap();
    config.gateway = Some(format!("ws://{}", bound.local_addr().unwrap()));
    config.deadlines = quick();
    config.deadlines.gateway = ms(2_000);
    let transport = TwilightTransport::new(config).unwrap();
    let error = transport.events().await.unwrap_err();
    assert!(matches!(&error, TransportError::NotSent(_)), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn the_api_says_where_the_gateway_is() {
    let door = Door::open().await;
    let address = format!("{}/", door.address());
    let mock = Mock::start(move |_, asked| {
        assert_eq!(asked.path, "gateway/bot");
        let limit = json!({ "total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1 });
        let answer = json!({ "url": address, "shards": 1, "session_start_limit": limit });
        crate::mock::Answer::json(200, &answer)
    })
    .await;
    let transport = mock.transport();
    let (events, _peer) = tokio::join!(transport.events(), door.session(1, &[]));
    events.unwrap();

    let spent = Mock::start(|_, _| {
        let limit = json!({ "total": 1000, "remaining": 0, "reset_after": 3_600_000, "max_concurrency": 1 });
        crate::mock::Answer::json(
            200,
            &json!({ "url": "ws://127.0.0.1:1", "shards": 1, "session_start_limit": limit }),
        )
    })
    .await;
    let error = spent.transport().events().await.unwrap_err();
    assert!(error.to_string().contains("3600s"), "{error}");
}

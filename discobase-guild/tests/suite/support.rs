//! A bare client: it shares no code with the server, and knows nothing that is not on the wire.

use bytes::Bytes;
use discobase_guild::{Limits, LocalGuild, ManualClock};
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

pub(crate) const GUILDS: u64 = 1;
pub(crate) const GUILD_MESSAGES: u64 = 1 << 9;
pub(crate) const START_MS: u64 = 1_790_000_000_000;

/// A guild without rates, on a clock that stands still.
pub(crate) async fn guild() -> (LocalGuild, Arc<ManualClock>) {
    guild_with(Limits::unlimited()).await
}

pub(crate) async fn guild_with(limits: Limits) -> (LocalGuild, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(START_MS));
    let guild = LocalGuild::builder().limits(limits).clock(Arc::clone(&clock)).start().await.expect("start");
    (guild, clock)
}

/// The id of the channel #general.
pub(crate) fn general(guild: &LocalGuild) -> u64 {
    guild.with_state(|state, _| state.channels_of(guild.guild_id()).next().expect("a channel").id)
}

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// The body of a successful reply.
    pub(crate) fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Status and error code of a refused request.
    pub(crate) fn error(&self) -> (u16, u64) {
        (self.status, self.json()["code"].as_u64().unwrap_or_else(|| panic!("no code: {self:?}")))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Client {
    pub(crate) fn of(guild: &LocalGuild) -> Self {
        Self::new(guild.api(), guild.token())
    }

    pub(crate) fn new(api: &str, token: &str) -> Self {
        Self { address: api.trim_start_matches("http://").to_owned(), token: token.to_owned() }
    }

    /// Sends a request as it is. An error is a connection that was cut.
    pub(crate) async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Reply, String> {
        let exchange = async {
            let stream = TcpStream::connect(&self.address).await.map_err(|error| error.to_string())?;
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|error| error.to_string())?;
            tokio::spawn(connection);
            let mut request = Request::builder().method(method).uri(path).header("host", &self.address);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(Full::new(body)).expect("request");
            let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
        };
        tokio::time::timeout(Duration::from_secs(30), exchange).await.map_err(|_| "timeout".to_owned())?
    }

    pub(crate) async fn try_send(&self, method: &str, path: &str, body: &Value) -> Result<Reply, String> {
        let authorization = format!("Bot {}", self.token);
        let mut headers = vec![("authorization", authorization.as_str())];
        let body = if body.is_null() {
            Bytes::new()
        } else {
            headers.push(("content-type", "application/json"));
            Bytes::from(body.to_string())
        };
        let path = if path.starts_with("/_local") { path.to_owned() } else { format!("/api/v10{path}") };
        self.raw(method, &path, &headers, body).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Value) -> Reply {
        self.try_send(method, path, &body).await.expect("a reply")
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send("PATCH", path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, Value::Null).await
    }

    /// Sends a multipart body: `payload_json` and files by their number, name and content.
    pub(crate) async fn upload(
        &self,
        method: &str,
        path: &str,
        payload: &Value,
        files: &[(u64, &str, &[u8])],
    ) -> Reply {
        let mut body = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n\
             Content-Type: application/json\r\n\r\n{payload}\r\n"
        )
        .into_bytes();
        for (number, name, content) in files {
            body.extend_from_slice(
                format!(
                    "--edge\r\nContent-Disposition: form-data; name=\"files[{number}]\"; filename=\"{name}\"\r\n\
                     Content-Type: application/octet-stream\r\n\r\n"
                )
                .as_bytes(),
            );
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--edge--\r\n");
        let authorization = format!("Bot {}", self.token);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "multipart/form-data; boundary=edge"),
        ];
        self.raw(method, &format!("/api/v10{path}"), &headers, body.into()).await.expect("a reply")
    }

    /// Downloads a URL of the CDN.
    pub(crate) async fn download(&self, method: &str, url: &str, headers: &[(&str, &str)]) -> Reply {
        let path = url.strip_prefix(&format!("http://{}", self.address)).expect("one of ours");
        self.raw(method, path, headers, Bytes::new()).await.expect("a reply")
    }
}

/// A gateway connection.
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// The newest sequence number.
    pub(crate) sequence: u64,
    /// The raw text of the newest payload.
    pub(crate) text: String,
}

impl Socket {
    pub(crate) async fn connect(url: &str) -> Self {
        let address = url.trim_start_matches("ws://").split('/').next().expect("an address");
        let stream = TcpStream::connect(address).await.expect("connect");
        let url = if url.contains('?') { url.to_owned() } else { format!("{url}/?v=10&encoding=json") };
        let (stream, _) = tokio_tungstenite::client_async(url, stream).await.expect("handshake");
        Self { stream, sequence: 0, text: String::new() }
    }

    /// Connects, identifies, and returns READY.
    pub(crate) async fn identified(guild: &LocalGuild, intents: u64) -> (Self, Value) {
        let mut socket = Self::connect(guild.gateway()).await;
        assert_eq!(socket.next().await["op"], 10);
        socket.identify(guild.token(), intents).await;
        let ready = socket.event("READY").await;
        (socket, ready)
    }

    pub(crate) async fn send(&mut self, value: &Value) {
        self.send_text(value.to_string()).await;
    }

    pub(crate) async fn send_text(&mut self, text: String) {
        self.stream.send(Message::text(text)).await.expect("send");
    }

    pub(crate) async fn identify(&mut self, token: &str, intents: u64) {
        let properties = json!({"os": "linux", "browser": "test", "device": "test"});
        let data = json!({"token": token, "intents": intents, "properties": properties});
        self.send(&json!({"op": 2, "d": data})).await;
    }

    pub(crate) async fn resume(&mut self, token: &str, session_id: &str, sequence: u64) {
        let data = json!({"token": token, "session_id": session_id, "seq": sequence});
        self.send(&json!({"op": 6, "d": data})).await;
    }

    async fn message(&mut self) -> Option<Message> {
        let next = tokio::time::timeout(Duration::from_secs(30), self.stream.next());
        next.await.expect("something from the gateway")?.ok()
    }

    /// The next payload.
    pub(crate) async fn next(&mut self) -> Value {
        match self.message().await {
            Some(Message::Text(text)) => {
                let value: Value = serde_json::from_str(&text).expect("JSON");
                self.sequence = value["s"].as_u64().unwrap_or(self.sequence);
                self.text = text.to_string();
                value
            }
            other => panic!("no payload: {other:?}"),
        }
    }

    /// The data of the next event, which must have this name.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        let payload = self.next().await;
        assert_eq!(payload["t"], name, "{payload}");
        payload["d"].clone()
    }

    /// The close code, after whatever comes before it; `None` if the connection was cut.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            match self.message().await {
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Some(_) => {}
                None => return None,
            }
        }
    }

    /// Checks that nothing comes: the reply to a heartbeat is the next payload.
    pub(crate) async fn is_silent(&mut self) {
        self.send(&json!({"op": 1, "d": self.sequence})).await;
        let payload = self.next().await;
        assert_eq!(payload["op"], 11, "{payload}");
    }

    /// Closes from the client's side.
    pub(crate) async fn close(mut self, code: u16) {
        let frame =
            tokio_tungstenite::tungstenite::protocol::CloseFrame { code: code.into(), reason: "".into() };
        let _gone = self.stream.close(Some(frame)).await;
        while let Some(Ok(_)) = self.stream.next().await {}
    }
}

/// An id in JSON as a number.
pub(crate) fn id(value: &Value) -> u64 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no id: {value}"))
}

//! An HTTP server on loopback that answers as it is told and remembers what it was asked, byte for byte.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use discobase_core::transport::twilight::{Deadlines, TwilightConfig, TwilightTransport};
use discobase_core::transport::{NewMessage, Transport};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) at: Instant,
    pub(crate) method: String,
    /// Path and query, below `/api/v10/`.
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// What to answer.
pub(crate) enum Answer {
    /// A status, headers and a body.
    Reply(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The head of an answer, part of the body, and then nothing.
    Stall(u16, Vec<u8>),
    /// The head of an answer, part of the body, and then the end of the connection.
    Tear(u16, Vec<u8>),
    /// Nothing, and the end of the connection.
    Drop,
    /// Nothing, for ever.
    Silence,
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Reply(status, Vec::new(), body.to_string().into_bytes())
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Reply(_, headers, _) = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

type Handler = dyn Fn(usize, &Asked) -> Answer + Send + Sync;

pub(crate) struct Mock {
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Mock {
    /// Starts; the handler gets the number of the request, from 0 on, and the request.
    pub(crate) async fn start(handler: impl Fn(usize, &Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), handler)
    }

    pub(crate) fn start_on(
        listener: TcpListener,
        handler: impl Fn(usize, &Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let handler: Arc<Handler> = Arc::new(handler);
        let task = tokio::spawn({
            let log = Arc::clone(&log);
            async move {
                let mut connections = tokio::task::JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    connections.spawn(serve(stream, Arc::clone(&log), Arc::clone(&handler)));
                }
            }
        });
        Self { address, log, task }
    }

    /// Everything asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    /// A configuration with short pauses that leads here.
    pub(crate) fn config(&self) -> TwilightConfig {
        let mut config = TwilightConfig::new("mock.token.secret");
        config.api = format!("http://{}", self.address).parse().unwrap();
        config.deadlines = quick();
        config
    }

    pub(crate) fn transport(&self) -> Arc<TwilightTransport> {
        TwilightTransport::new(self.config()).unwrap()
    }

    /// One that soon gives up what stands still.
    pub(crate) fn hasty(&self) -> Arc<TwilightTransport> {
        let mut config = self.config();
        config.deadlines = hasty();
        TwilightTransport::new(config).unwrap()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Deadlines for tests: none that a busy machine would miss, and no pauses worth mentioning.
pub(crate) fn quick() -> Deadlines {
    let mut deadlines = Deadlines::default();
    deadlines.call = Duration::from_secs(60);
    deadlines.first_contact = Duration::from_secs(5);
    deadlines.answer = Duration::from_secs(10);
    deadlines.piece = Duration::from_secs(10);
    deadlines.gateway = Duration::from_secs(20);
    deadlines.shortest_pause = Duration::from_millis(20);
    deadlines.longest_pause = Duration::from_millis(100);
    deadlines
}

/// Deadlines for what will not be answered.
pub(crate) fn hasty() -> Deadlines {
    let mut deadlines = quick();
    deadlines.first_contact = Duration::from_millis(500);
    deadlines.answer = Duration::from_millis(1_500);
    deadlines.piece = Duration::from_millis(1_000);
    deadlines
}

async fn serve(mut stream: TcpStream, log: Arc<Mutex<Vec<Asked>>>, handler: Arc<Handler>) {
    let mut buffer = Vec::new();
    while let Some(asked) = read(&mut stream, &mut buffer).await {
        let number = {
            let mut log = log.lock().unwrap();
            log.push(asked.clone());
            log.len() - 1
        };
        let (status, headers, body, missing) = match handler(number, &asked) {
            Answer::Reply(status, headers, body) => (status, headers, body, 0),
            Answer::Stall(status, body) | Answer::Tear(status, body) if body.is_empty() => {
                (status, vec![], body, 9)
            }
            Answer::Stall(status, body) => {
                answer(&mut stream, status, &[], &body, 1_000).await;
                std::future::pending().await
            }
            Answer::Tear(status, body) => (status, vec![], body, 1_000),
            Answer::Drop => return,
            Answer::Silence => std::future::pending().await,
        };
        answer(&mut stream, status, &headers, &body, missing).await;
        if missing > 0 {
            return;
        }
    }
}

async fn answer(
    stream: &mut TcpStream,
    status: u16,
    headers: &[(&str, String)],
    body: &[u8],
    missing: usize,
) {
    let mut head = format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n", body.len() + missing);
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    // In one piece: a body sent apart may wait until the head is acknowledged.
    stream.write_all(&[head.as_bytes(), body].concat()).await.ok();
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Asked> {
    let head = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = buffer.split_off(end + 4);
            break String::from_utf8(std::mem::replace(buffer, rest)).unwrap();
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let rest = buffer.split_off(length);
    let body = std::mem::replace(buffer, rest);
    let path = path.strip_prefix("/api/v10/").unwrap_or(&path).to_owned();
    Some(Asked { at: Instant::now(), method, path, headers, body })
}

/// A message as Discord would send it.
pub(crate) fn message(id: u64, channel: u64, content: &str) -> Value {
    json!({
        "id": id.to_string(), "channel_id": channel.to_string(), "content": content, "type": 0,
        "author": { "id": "77", "username": "bot", "discriminator": "0000", "bot": true, "avatar": null },
        "timestamp": "2026-01-01T00:00:00.000000+00:00", "edited_timestamp": null, "tts": false,
        "mention_everyone": false, "mentions": [], "mention_roles": [], "attachments": [], "embeds": [],
        "pinned": false, "nonce": "n", "flags": 4100, "components": []
    })
}

/// A success that repeats the request's content.
pub(crate) fn posted(number: usize, asked: &Asked) -> Answer {
    let sent: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let content = sent.get("content").and_then(Value::as_str).unwrap_or_default();
    Answer::json(200, &message(1_000 + number as u64, 1, content))
}

/// Waits until the first refusal is there and is obeyed.
pub(crate) async fn first_refusal(transport: &TwilightTransport) {
    let counted = async {
        while transport.traffic().too_many_requests == 0 {
            tokio::time::sleep(ms(10)).await;
        }
    };
    tokio::time::timeout(ms(30_000), counted).await.expect("a refusal");
    // It counts once its head is read; it is obeyed once its body is, which comes right after.
    tokio::time::sleep(ms(50)).await;
}

/// A message to post.
pub(crate) fn new(content: &str, nonce: &str) -> NewMessage {
    NewMessage { content: content.to_owned(), nonce: Some(nonce.to_owned()), attachments: Vec::new() }
}

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

//! One try of a request: connect, send, read the answer, each within its time.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RANGE, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::body::Payload;
use super::config::{Deadlines, Endpoint, Token, TwilightConfig};
use super::requests::chain;
use crate::count::Count;
use crate::env::{self, SharedEnv};
use crate::transport::Traffic;
use crate::transport::limits::Verb;

/// One second more is allowed for each so many bytes.
const BYTES_A_SECOND: u64 = 256 * 1024;
/// The longest answer that is read, downloads aside.
const LONGEST_ANSWER: u64 = 64 * 1024 * 1024;
/// No more is reserved before the bytes are there.
const RESERVE: u64 = 32 * 1024 * 1024;
/// A connection that was idle for longer is not used again: the other side may just be closing it.
const IDLE: Duration = Duration::from_secs(45);
const CONNECT: Duration = Duration::from_secs(5);
/// How often a connection that carries several requests is tried, and how long it may take to react. Retries use it
/// again, so a dead one has to be found out before they are used up.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A request for one try.
#[derive(Debug, Clone)]
pub(super) struct Try {
    pub(super) verb: Verb,
    pub(super) uri: Uri,
    pub(super) payload: Payload,
    /// Whether the token goes along: to the API only.
    pub(super) authorized: bool,
    /// How long the answer is, if that is known: a longer one is not read.
    pub(super) expected: Option<u64>,
    /// Which bytes are wanted, if not all: the first and the last.
    pub(super) range: Option<(u64, u64)>,
    /// By when the try must have ended, from now on.
    pub(super) within: Option<Duration>,
}

/// What one try brought.
#[derive(Debug)]
pub(super) enum Tried {
    /// An answer, read to its end.
    Answer { status: StatusCode, headers: HeaderMap, body: Bytes },
    /// A status, but not all of the body.
    Torn { status: StatusCode, headers: HeaderMap, why: String },
    /// An answer that is longer than any that makes sense.
    Overlong { status: StatusCode },
    /// Nothing; it may have arrived.
    Silence(String),
    /// No connection, so it never left.
    Unreached(String),
}

/// The HTTP client.
pub(super) struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Payload>,
    authorization: HeaderValue,
    user_agent: HeaderValue,
    deadlines: Deadlines,
    env: SharedEnv,
    counts: Counts,
}

#[derive(Debug)]
struct Counts {
    requests: Count,
    too_many: Count,
    retries: Count,
    sent: Count,
    received: Count,
}

impl Counts {
    const fn new() -> Self {
        Self {
            requests: Count::new("discobase_requests_total"),
            too_many: Count::new("discobase_too_many_requests_total"),
            retries: Count::new("discobase_retries_total"),
            sent: Count::new("discobase_sent_bytes_total"),
            received: Count::new("discobase_received_bytes_total"),
        }
    }
}

impl HttpClient {
    /// Fails with what is wrong with the configuration.
    pub(super) fn new(config: &TwilightConfig) -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_nodelay(true);
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .map_err(|error| chain(&error))?;
        // With Discord behind it, no request leaves in plain text, whatever a URL says.
        let tls = if config.api.is_tls() { tls.https_only() } else { tls.https_or_http() };
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_keep_alive_timeout(KEEP_ALIVE)
            .build(tls.enable_all_versions().wrap_connector(tcp));
        Ok(Self {
            client,
            authorization: authorization(&config.token)?,
            user_agent: HeaderValue::from_str(&config.user_agent)
                .map_err(|_| "the user agent cannot be a header")?,
            deadlines: config.deadlines,
            env: Arc::clone(&config.env),
            counts: Counts::new(),
        })
    }

    /// Sends once.
    pub(super) async fn send(&self, one: Try) -> Tried {
        let length = one.payload.len();
        let expected = one.expected;
        let seconds = (length + expected.unwrap_or(0)) / BYTES_A_SECOND;
        let patience = self.deadlines.answer + Duration::from_secs(seconds);
        let patience = one.within.map_or(patience, |within| within.min(patience));
        let Some(request) = self.request(one) else {
            return Tried::Unreached("the request has no valid form".to_owned());
        };
        self.counts.requests.add(1);
        self.counts.sent.add(length);

        let end = self.env.monotonic().saturating_add(patience);
        let response = match env::until(&*self.env, end, self.client.request(request)).await {
            Some(Ok(response)) => response,
            Some(Err(error)) if error.is_connect() => return Tried::Unreached(chain(&error)),
            Some(Err(error)) => return Tried::Silence(chain(&error)),
            None => return Tried::Silence(format!("no answer within {patience:.1?}")),
        };
        let (head, body) = response.into_parts();
        if head.status == StatusCode::TOO_MANY_REQUESTS {
            self.counts.too_many.add(1);
        }
        // An answer that has begun may take as long again, as long as it makes progress.
        let read = env::until(&*self.env, end.saturating_add(patience), self.read(body, expected)).await;
        match read.unwrap_or_else(|| Err(Broken::Off("the answer did not end in time".to_owned()))) {
            Ok(body) => Tried::Answer { status: head.status, headers: head.headers, body },
            Err(Broken::Off(why)) => Tried::Torn { status: head.status, headers: head.headers, why },
            Err(Broken::Overlong) => Tried::Overlong { status: head.status },
        }
    }

    fn request(&self, one: Try) -> Option<Request<Payload>> {
        let method = match one.verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Patch => Method::PATCH,
            Verb::Delete => Method::DELETE,
        };
        let mut request =
            Request::builder().method(method).uri(one.uri).header(USER_AGENT, self.user_agent.clone());
        if one.authorized {
            request = request.header(AUTHORIZATION, self.authorization.clone());
        }
        if let Some(content_type) = &one.payload.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if let Some((first, last)) = one.range {
            request = request.header(RANGE, format!("bytes={first}-{last}"));
        }
        request.body(one.payload).ok()
    }

    async fn read(&self, mut body: Incoming, expected: Option<u64>) -> Result<Bytes, Broken> {
        let longest = expected.unwrap_or(LONGEST_ANSWER);
        let mut whole = BytesMut::new();
        while let Some(piece) = within(self.deadlines.piece, body.frame()).await? {
            let piece =
                piece.map_err(|error| Broken::Off(format!("the answer broke off: {}", chain(&error))))?;
            let Ok(piece) = piece.into_data() else { continue };
            self.counts.received.add(piece.len() as u64);
            if (whole.len() + piece.len()) as u64 > longest {
                return Err(Broken::Overlong);
            }
            if whole.is_empty() {
                let reserve = expected.unwrap_or(0).min(RESERVE);
                whole.reserve(usize::try_from(reserve).unwrap_or_default());
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// Counts a retry.
    pub(super) fn count_retry(&self) {
        self.counts.retries.add(1);
    }

    /// The counts.
    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.counts.requests.get(),
            too_many_requests: self.counts.too_many.get(),
            retries: self.counts.retries.get(),
            bytes_sent: self.counts.sent.get(),
            bytes_received: self.counts.received.get(),
        }
    }
}

/// Why a body was not read to its end.
enum Broken {
    Off(String),
    Overlong,
}

async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Result<T, Broken> {
    let late = |_| Broken::Off(format!("the answer stood still for {time:.1?}"));
    tokio::time::timeout(time, future).await.map_err(late)
}

fn authorization(token: &Token) -> Result<HeaderValue, String> {
    let mut header = HeaderValue::from_str(&format!("Bot {}", token.expose()))
        .map_err(|_| "the token holds characters that no token has")?;
    header.set_sensitive(true);
    Ok(header)
}

/// Where a path of the API is. The version is part of it: without one Discord assumes an obsolete one
/// (Discord docs, "API Reference": API Versioning).
pub(super) fn api_uri(endpoint: &Endpoint, path: &str) -> Option<Uri> {
    format!("{endpoint}/api/v10/{path}").parse().ok()
}

//! The flow of a REST request.
//!
//! Callers: `http`. Invariants: a fault without effect is decided before anything is done; a reply is sent
//! only when all that it can have seen is safe.

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;
use hyper::{Request, Response};
use std::sync::Arc;
use std::time::Duration;

use super::body::{self, Unread};
use super::call::Call;
use super::fault::{self, Fate};
use super::multipart::percent;
use super::reply::{self, Cut, ReplyBody};
use super::routes::{self, Filled, Found, Route};
use crate::limits::{Charge, Headers, Limits, TooMany};
use crate::server::Shared;
use crate::state::{Flaws, Refusal, Snowflake};

/// Answers a request whose path began with `/api/`.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    path: &str,
) -> Result<Response<ReplyBody>, Cut> {
    let (version, path) = path.split_once('/').map_or((path, ""), |(version, path)| (version, path));
    // Discord docs, "API Reference": API Versioning. Omitting the version means v6, which is gone.
    let version = version.strip_prefix('v').and_then(|number| number.parse::<u64>().ok()).unwrap_or(6);
    let path = format!("/{path}");
    let (head, incoming) = request.into_parts();
    let found = match routes::find(head.method.as_str(), &path) {
        _ if version < 9 => Err(Refusal::BAD_VERSION),
        Found::Route(route, filled) => Ok((route, Ok(filled))),
        Found::BadId(route, refusal) => Ok((route, Err(refusal))),
        Found::OtherMethod => Err(Refusal::METHOD_NOT_ALLOWED),
        Found::Nothing => Err(Refusal::NOT_FOUND),
    };
    let (route, filled) = match found {
        Ok(found) => found,
        Err(refusal) => {
            body::drain(incoming).await;
            return Ok(reply::refusal(&refusal));
        }
    };
    shared.stats.lock().count_request(route.method, route.template);

    match fault::before(&shared.faults, route.method, route.template).await? {
        Fate::Answered(response) => {
            body::drain(incoming).await;
            Ok(count(shared, response))
        }
        Fate::Executed(after) => {
            let most = shared.core.lock().state.limits().request_bytes;
            // Read before anything is refused: a client that is still sending would not see the refusal.
            let body = match body::read(incoming, most).await {
                Ok(bytes) => Ok(bytes),
                Err(Unread::Refused(refusal)) => Err(refusal),
                Err(Unread::Gone) => return Err(Cut),
            };
            let request = Received { route, filled, head, body, flaws: after.flaws };
            if let Some(ms) = after.late_ms {
                execute_late(shared, request, ms);
                return Err(Cut);
            }
            let response = execute(shared, request).await;
            after.finish(response).await.map(|response| count(shared, response))
        }
    }
}

/// A request that has arrived whole.
struct Received {
    route: &'static Route,
    filled: Result<Filled, Refusal>,
    head: Parts,
    body: Result<Bytes, Refusal>,
    flaws: Flaws,
}

/// Executes a request after its connection is gone, unless the server stops before.
fn execute_late(shared: &Arc<Shared>, request: Received, ms: u64) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(ms)) => {
                count(&shared, execute(&shared, request).await);
            }
            () = shared.stopped() => {}
        }
    });
}

async fn execute(shared: &Arc<Shared>, request: Received) -> Response<ReplyBody> {
    let Received { route, filled, head, body, flaws } = request;
    let limits = shared.core.lock().state.limits().clone();
    let now_ms = shared.now_ms();
    if let Some(ms) = shared.core.lock().rates.banned_for(&limits, now_ms) {
        return reply::cloudflare(ms.div_ceil(1000));
    }
    let token = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bot ")).unwrap_or_default().trim();
    let user = shared.core.lock().state.bot_by_token(token).map(|bot| bot.id);
    let open = route.is_open();
    if user.is_none() && !open {
        return reply::refusal(&Refusal::UNAUTHORIZED);
    }
    let user = user.unwrap_or(0);
    let mut bucket = None;
    if !open {
        let ids = filled.as_ref().map_or(&[][..], |filled| &filled.ids);
        match charge(shared, &limits, now_ms, user, route, ids) {
            Ok(headers) => bucket = headers,
            Err((bucket, too_many)) => return reply::too_many(bucket.as_ref(), too_many),
        }
    }
    let called = match (filled, body) {
        (Ok(filled), Ok(body)) => call(shared, &limits, (user, flaws), route, filled, &head, &body).await,
        (Err(refusal), _) | (_, Err(refusal)) => Err(refusal),
    };
    let mut response = called.unwrap_or_else(|refusal| reply::refusal(&refusal));
    if let (Some(bucket), false) = (&bucket, response.headers().contains_key("x-ratelimit-limit")) {
        reply::describe(response.headers_mut(), bucket);
    }
    response
}

fn charge(
    shared: &Shared,
    limits: &Limits,
    now_ms: u64,
    user: Snowflake,
    route: &Route,
    ids: &[Snowflake],
) -> Result<Option<Headers>, (Option<Headers>, TooMany)> {
    let mut core = shared.core.lock();
    let (charge, major) = route.charge(&core.state, ids);
    core.rates.charge(limits, now_ms, user, major, charge)
}

/// Takes the body apart, calls the handler, waits until what it did is safe.
async fn call(
    shared: &Arc<Shared>,
    limits: &Limits,
    (user, flaws): (Snowflake, Flaws),
    route: &'static Route,
    filled: Filled,
    head: &Parts,
    body: &Bytes,
) -> Result<Response<ReplyBody>, Refusal> {
    let parsed = body::parse(&head.headers, body)?;
    let now_ms = shared.now_ms();
    let mut call = Call {
        now_ms,
        user,
        ids: filled.ids,
        texts: filled.texts,
        query: head.uri.query().map(query).unwrap_or_default(),
        json: parsed.json,
        files: parsed.files,
        identifies: shared.hub.identifies_left(limits, now_ms, user),
        gateway_url: shared.gateway_url(),
        flaws,
    };
    let renames = call.json.get("name").is_some() || call.json.get("topic").is_some();
    let (answer, ticket) = {
        let mut core = shared.core.lock();
        if renames && route.method == "PATCH" && route.template == "/channels/{channel}" {
            let charged = core.rates.charge(limits, now_ms, user, call.id(0), Charge::ChannelRename);
            if let Err((bucket, too_many)) = charged {
                return Ok(reply::too_many(bucket.as_ref(), too_many));
            }
        }
        let answer = (route.handler)(&mut core.state, &mut call);
        (answer, shared.settle(&mut core))
    };
    if route.answers_interactions() {
        shared.answered.notify_waiters();
    }
    if shared.store.safe(ticket).await.is_err() {
        return Err(Refusal::INTERNAL);
    }
    let answer = answer?;
    if answer.body.is_empty() {
        return Ok(reply::empty(answer.status));
    }
    Ok(reply::bytes(answer.status, "application/json", answer.body))
}

/// Counts what has to be counted about a reply.
// Discord docs, "Rate Limits": Invalid Request Limit. 401, 403 and 429 count, except for shared 429s.
fn count(shared: &Shared, mut response: Response<ReplyBody>) -> Response<ReplyBody> {
    let from_outside = response.headers().get("content-type").is_some_and(|kind| kind != "application/json");
    if !from_outside {
        // Not documented, but on every reply; discord.py takes a 429 without it for a ban by the network in front.
        reply::set(response.headers_mut(), "via", "1.1 google");
    }
    let status = response.status().as_u16();
    let headers = response.headers();
    let is_shared = headers.get("x-ratelimit-scope").is_some_and(|scope| scope == "shared");
    // The ban's own replies do not prolong it.
    let is_ours = headers.get("content-type").is_some_and(|kind| kind == "application/json");
    if status == 429 {
        shared.stats.lock().too_many_requests += 1;
    }
    if matches!(status, 401 | 403 | 429) && !is_shared && is_ours {
        shared.stats.lock().invalid += 1;
        let now_ms = shared.now_ms();
        let mut core = shared.core.lock();
        let limits = core.state.limits().clone();
        core.rates.count_invalid(&limits, now_ms);
    }
    response
}

fn query(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (percent(name), percent(&value.replace('+', " ")))).collect()
}

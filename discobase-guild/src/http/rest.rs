//! The flow of a REST request.
//!
//! Callers: `http`. Invariants: a fault without effect is decided before anything is done; a reply is sent
//! only when all that it can have seen is safe.

use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::{Request, Response};
use std::sync::Arc;

use super::body::{self, Unread};
use super::call::Call;
use super::fault::{self, Fate};
use super::multipart::percent;
use super::reply::{self, Cut, ReplyBody};
use super::routes::{self, Found, Route};
use crate::limits::{Charge, Headers, Limits, TooMany};
use crate::server::Shared;
use crate::state::{Refusal, Snowflake};

/// Answers a request whose path began with `/api/`.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    path: &str,
) -> Result<Response<ReplyBody>, Cut> {
    let (version, path) = path.split_once('/').map_or((path, ""), |(version, path)| (version, path));
    // Discord docs, "API Reference": API Versioning. Omitting the version means v6, which is gone.
    let version = version.strip_prefix('v').and_then(|number| number.parse::<u64>().ok()).unwrap_or(6);
    if version < 9 {
        return Ok(reply::refusal(&Refusal::BAD_VERSION));
    }
    let path = format!("/{path}");
    let (route, ids) = match routes::find(request.method().as_str(), &path) {
        Found::Route(route, ids) => (route, Ok(ids)),
        Found::BadId(route, refusal) => (route, Err(refusal)),
        Found::OtherMethod => return Ok(reply::refusal(&Refusal::METHOD_NOT_ALLOWED)),
        Found::Nothing => return Ok(reply::refusal(&Refusal::NOT_FOUND)),
    };
    shared.stats.lock().count_request(route.method, route.template);

    match fault::before(&shared.faults, route.method, route.template).await? {
        Fate::Answered(response) => Ok(count(shared, response)),
        Fate::Executed(after) => {
            let response = execute(shared, route, ids, request).await?;
            after.finish(response).await.map(|response| count(shared, response))
        }
    }
}

async fn execute(
    shared: &Arc<Shared>,
    route: &'static Route,
    ids: Result<Vec<Snowflake>, Refusal>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Cut> {
    let now_ms = shared.now_ms();
    let limits = {
        let mut core = shared.core.lock();
        let limits = core.state.limits().clone();
        if let Some(ms) = core.rates.banned_for(&limits, now_ms) {
            return Ok(reply::cloudflare(ms.div_ceil(1000)));
        }
        limits
    };
    let token = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bot ")).unwrap_or_default().trim().to_owned();
    let user = shared.core.lock().state.bot_by_token(&token).map(|bot| bot.id);
    // Discord docs, "Gateway": Get Gateway needs no authentication.
    let open = route.template == "/gateway";
    if user.is_none() && !open {
        return Ok(reply::refusal(&Refusal::UNAUTHORIZED));
    }
    let user = user.unwrap_or(0);
    let mut bucket = None;
    if !open {
        match charge(shared, &limits, now_ms, user, route, ids.as_deref().unwrap_or_default()) {
            Ok(headers) => bucket = headers,
            Err((bucket, too_many)) => return Ok(reply::too_many(bucket.as_ref(), too_many)),
        }
    }
    let mut response = match call(shared, &limits, user, route, ids, request).await {
        Ok(response) => response,
        Err(Unread::Gone) => return Err(Cut),
        Err(Unread::Refused(refusal)) => reply::refusal(&refusal),
    };
    if let (Some(bucket), false) = (&bucket, response.headers().contains_key("x-ratelimit-limit")) {
        reply::describe(response.headers_mut(), bucket);
    }
    Ok(response)
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

/// Reads the body, calls the handler, waits until what it did is safe.
async fn call(
    shared: &Arc<Shared>,
    limits: &Limits,
    user: Snowflake,
    route: &'static Route,
    ids: Result<Vec<Snowflake>, Refusal>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Unread> {
    let (head, incoming) = request.into_parts();
    let bytes = body::read(incoming, limits.request_bytes).await?;
    let parsed = body::parse(&head.headers, &bytes).map_err(Unread::Refused)?;
    let now_ms = shared.now_ms();
    let mut call = Call {
        now_ms,
        user,
        ids: ids.map_err(Unread::Refused)?,
        query: head.uri.query().map(query).unwrap_or_default(),
        json: parsed.json,
        files: parsed.files,
        identifies: shared.hub.identifies_left(limits, now_ms, user),
        gateway_url: shared.gateway_url(),
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
    if shared.store.safe(ticket).await.is_err() {
        return Err(Unread::Refused(Refusal::INTERNAL));
    }
    let answer = answer.map_err(Unread::Refused)?;
    if answer.body.is_empty() {
        return Ok(reply::empty(answer.status));
    }
    Ok(reply::bytes(answer.status, "application/json", answer.body))
}

/// Counts what has to be counted about a reply.
// Discord docs, "Rate Limits": Invalid Request Limit. 401, 403 and 429 count, except for shared 429s.
fn count(shared: &Shared, response: Response<ReplyBody>) -> Response<ReplyBody> {
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

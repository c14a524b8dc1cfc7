//! The control endpoints under `/_local/`: faults, statistics, other people.
//!
//! Callers: tests of other processes, with the bot's token. They are no part of Discord.

use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::{Request, Response};
use serde_json::{Value, json};
use std::sync::Arc;

use super::body::{self, Unread};
use super::reply::{self, ReplyBody};
use super::{doings, people};
use crate::faults::Rule;
use crate::gateway::{Close, Order};
use crate::server::Shared;
use crate::state::Refusal;

/// Answers a request whose path began with `/_local/`.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    path: &str,
) -> Response<ReplyBody> {
    let token =
        request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = token.strip_prefix("Bot ").unwrap_or(token);
    if shared.core.lock().state.bot_by_token(token).is_none() {
        return reply::refusal(&Refusal::UNAUTHORIZED);
    }
    let method = request.method().as_str().to_owned();
    let (head, incoming) = request.into_parts();
    let body = match body::read(incoming, 1 << 20).await {
        Ok(body) => body::parse(&head.headers, &body),
        Err(Unread::Gone) => Err(Refusal::BAD_JSON),
        Err(Unread::Refused(refusal)) => Err(refusal),
    };
    match body {
        Ok(body) => match act(shared, &method, path, &body.json).await {
            Ok(value) => reply::json(200, &value),
            Err(refusal) => reply::refusal(&refusal),
        },
        Err(refusal) => reply::refusal(&refusal),
    }
}

async fn act(shared: &Arc<Shared>, method: &str, path: &str, body: &Value) -> Result<Value, Refusal> {
    match (method, path) {
        ("GET", "stats") => Ok(json!(*shared.stats.lock())),
        ("GET", "faults") => Ok(json!(shared.faults.pending())),
        ("DELETE", "faults") => {
            shared.faults.clear();
            Ok(json!({}))
        }
        ("POST", "faults") => {
            let rules = if body.is_array() { body.clone() } else { json!([body]) };
            let rules: Vec<Rule> = serde_json::from_value(rules)
                .map_err(|error| Refusal::field("", "FAULT_RULE_INVALID", error.to_string()))?;
            rules.into_iter().for_each(|rule| shared.faults.push(rule));
            Ok(json!({}))
        }
        ("GET", "gateway") => Ok(json!({"sessions": shared.hub.sessions()})),
        ("POST", "gateway") => gateway(shared, body),
        ("POST", "interactions") => doings::act(shared, body).await,
        ("GET", path) if path.starts_with("interactions/") => {
            let id = path.strip_prefix("interactions/").and_then(|id| id.parse().ok());
            doings::look(shared, id.ok_or(Refusal::UNKNOWN_INTERACTION)?)
        }
        ("POST", path) => {
            let now_ms = shared.now_ms();
            let (result, ticket) = {
                let mut core = shared.core.lock();
                let result = people::act(&mut core.state, now_ms, path, body);
                (result, shared.settle(&mut core))
            };
            shared.store.safe(ticket).await.map_err(|_| Refusal::INTERNAL)?;
            result
        }
        _ => Err(Refusal::NOT_FOUND),
    }
}

/// `{"order": "cut" | "reconnect" | "invalidate" | "suspend" | "forget"}`, `{"order": "silence", "ms": 5000}` or
/// `{"close": 4000}`.
fn gateway(shared: &Shared, body: &Value) -> Result<Value, Refusal> {
    let close = body.get("close").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let order = match (body.get("order").and_then(Value::as_str), close) {
        (_, Some(code)) => Order::Close(Close::Asked(code)),
        (Some("cut"), _) => Order::Cut,
        (Some("reconnect"), _) => Order::Reconnect,
        (Some("invalidate"), _) => Order::Invalidate,
        (Some("suspend"), _) => Order::Suspend,
        (Some("silence"), _) => Order::Silence(body.get("ms").and_then(Value::as_u64).unwrap_or(0)),
        (Some("forget"), _) => {
            shared.hub.forget_sessions();
            return Ok(json!({}));
        }
        _ => return Err(Refusal::field("order", "BASE_TYPE_REQUIRED", "This field is required")),
    };
    Ok(json!({"sockets": shared.hub.order_all(order)}))
}

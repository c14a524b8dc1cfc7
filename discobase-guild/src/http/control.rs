//! The control endpoints under `/_local/`: faults, statistics, other people.
//!
//! Callers: tests of other processes, with the bot's token. They are no part of Discord.

use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::{Request, Response};
use serde_json::{Value, json};
use std::sync::Arc;

use super::body::{self, Unread};
use super::form::Form;
use super::reply::{self, ReplyBody};
use crate::faults::Rule;
use crate::gateway::{Close, Order};
use crate::server::Shared;
use crate::state::{Overwrite, Refusal, State};
use crate::wire;

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
        ("POST", "gateway") => gateway(shared, body),
        ("POST", path) => {
            let now_ms = shared.now_ms();
            let (result, ticket) = {
                let mut core = shared.core.lock();
                let result = other_people(&mut core.state, now_ms, path, body);
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

/// What people other than the bot do.
fn other_people(state: &mut State, now_ms: u64, path: &str, body: &Value) -> Result<Value, Refusal> {
    let empty = serde_json::Map::new();
    let mut form = Form::new(body.as_object().unwrap_or(&empty));
    let home = state.home();
    let guild = form.id("guild_id").unwrap_or(home.guild_id);
    let channel = form.id("channel_id").unwrap_or_default();
    match path {
        // {"name", "bot"?, "token"?, "permissions"?}: a new member.
        "members" => {
            let name = form.required_string("name");
            let permissions = form.number("permissions").unwrap_or(crate::state::permission::BOT_DEFAULT);
            let token = form.string("token");
            let bot = form.flag("bot").unwrap_or(token.is_some());
            form.finish(())?;
            let id = if bot {
                let token = token.unwrap_or_else(|| format!("{name}-{}", state.next_id(now_ms)));
                state.add_bot(now_ms, &name, &token)
            } else {
                state.add_person(now_ms, &name)
            };
            state.join(now_ms, guild, id, permissions);
            let application = state.user(id).and_then(|user| user.application.as_ref());
            Ok(json!({"id": wire::id(id), "token": application.map(|one| &one.token)}))
        }
        // {"channel_id", "content", "user_id"?}: by default the guild's owner posts.
        "messages" => {
            let author = form.id("user_id").unwrap_or(home.owner_id);
            let content = form.required_string("content");
            form.finish(())?;
            let posted = state.post_as(now_ms, author, channel, &content)?;
            Ok(wire::message(state, now_ms, &posted.message, true))
        }
        // {"channel_id", "message_id"}: a moderator deletes a message.
        "delete-message" => {
            let message = form.id("message_id").unwrap_or_default();
            form.finish(())?;
            state.delete_as_moderator(now_ms, channel, message)?;
            Ok(json!({}))
        }
        // {"channel_id"}: the owner deletes a channel.
        "delete-channel" => {
            form.finish(())?;
            state.delete_channel_as_owner(channel)?;
            Ok(json!({}))
        }
        // {"permissions", "user_id"?, "guild_id"?}: what the bot's own role allows.
        "permissions" => {
            let permissions = form.number("permissions").unwrap_or(0);
            let bot = form.id("user_id").unwrap_or(home.bot_id);
            form.finish(())?;
            state.set_bot_permissions(guild, bot, permissions)?;
            Ok(json!({}))
        }
        // {"channel_id", "id", "type", "allow", "deny"}, or with "remove": true.
        "overwrites" => {
            let overwrite = Overwrite {
                id: form.id("id").unwrap_or_default(),
                member: form.number("type").unwrap_or(0) == 1,
                allow: form.number("allow").unwrap_or(0),
                deny: form.number("deny").unwrap_or(0),
            };
            let remove = form.flag("remove").unwrap_or(false);
            form.finish(())?;
            if remove {
                state.delete_overwrite_as_owner(channel, overwrite.id)?;
            } else {
                state.put_overwrite_as_owner(channel, overwrite)?;
            }
            Ok(json!({}))
        }
        // {"message_content", "guild_members", "user_id"?}: switches in the developer portal.
        "intents" => {
            let bot = form.id("user_id").unwrap_or(home.bot_id);
            let content = form.flag("message_content").unwrap_or(false);
            let members = form.flag("guild_members").unwrap_or(false);
            form.finish(())?;
            state.set_privileged_intents(bot, content, members);
            Ok(json!({}))
        }
        _ => Err(Refusal::NOT_FOUND),
    }
}

//! What a reply says about limits (Discord docs, "Rate Limits": Header Format, Exceeding A Rate Limit).

use std::time::Duration;

use http::HeaderMap;
use serde::Deserialize;

use super::route::{Reach, Route};

/// No wait is longer: what a header says beyond it is a mistake of somebody's.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The wait after a 429 that names none.
const UNNAMED: Duration = Duration::from_secs(5);

/// Too many messages written to the channel, by whomever (Discord docs, "Opcodes and Status Codes": JSON).
const CHANNEL_WRITE_LIMIT: u64 = 20_028;
/// Too many messages written to the server.
const SERVER_WRITE_LIMIT: u64 = 20_029;
/// Too many edits of messages older than an hour.
const OLD_EDIT_LIMIT: u64 = 30_046;

/// A bucket as the headers of a reply show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How many requests a window holds.
    pub(crate) limit: u32,
    /// How many are left of it.
    pub(crate) remaining: u32,
    /// When it ends, counted from the moment of the reply.
    pub(crate) reset_after: Duration,
}

/// A 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// What it forbids.
    pub(crate) reach: Reach,
    /// Whether others caused it; then it does not count as an invalid request.
    pub(crate) shared: bool,
    /// How long to wait.
    pub(crate) wait: Duration,
}

/// The body of a 429.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    retry_after: Option<f64>,
    global: bool,
    code: Option<u64>,
}

/// Reads the bucket. Every reply carries these headers; the scope header comes with a 429 only and is not asked for.
pub(crate) fn seen(headers: &HeaderMap) -> Option<Seen> {
    Some(Seen {
        limit: text(headers, "x-ratelimit-limit")?.parse().ok()?,
        remaining: text(headers, "x-ratelimit-remaining")?.parse().ok()?,
        reset_after: seconds(text(headers, "x-ratelimit-reset-after")?.parse().ok()?)?,
    })
}

/// Reads a 429.
pub(crate) fn too_many(route: Route, headers: &HeaderMap, body: &[u8]) -> TooMany {
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let scope = text(headers, "x-ratelimit-scope");
    let limited = headers.keys().any(|name| name.as_str().starts_with("x-ratelimit-"));
    let global = body.global || scope == Some("global") || text(headers, "x-ratelimit-global").is_some();

    let (reach, shared) = match body.code {
        _ if route.is_download() => (Reach::Bucket(route), true),
        _ if global => (Reach::Everything, false),
        Some(CHANNEL_WRITE_LIMIT) => (Reach::ChannelWrites(route.major), true),
        Some(SERVER_WRITE_LIMIT) => (Reach::Writes, true),
        Some(OLD_EDIT_LIMIT) => (Reach::Bucket(route), true),
        _ if scope == Some("shared") => (Reach::Bucket(route), true),
        _ if limited => (Reach::Bucket(route), false),
        // Without any of Discord's headers it is Cloudflare that refuses, and it refuses the address.
        _ => (Reach::Everything, false),
    };
    // The header is whole seconds, the body is exact; some routes give one, some the other.
    let named = [body.retry_after, text(headers, "retry-after").and_then(|value| value.parse().ok())];
    let wait = named.into_iter().flatten().filter_map(seconds).max();
    let wait = wait.or_else(|| seen(headers).map(|seen| seen.reset_after)).unwrap_or(UNNAMED);
    TooMany { reach, shared, wait }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Seconds as Discord writes them, fractions included; nothing if they are no time at all.
fn seconds(number: f64) -> Option<Duration> {
    if number.is_nan() || number < 0.0 {
        return None;
    }
    Some(Duration::try_from_secs_f64(number).unwrap_or(LONGEST).min(LONGEST))
}

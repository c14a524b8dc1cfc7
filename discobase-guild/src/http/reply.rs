//! Replies: from refusals and JSON to HTTP.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::Value;
use std::convert::Infallible;
use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::limits::{Headers, Scope, TooMany};
use crate::state::Refusal;

/// The connection is to be cut instead of replied on.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
pub(crate) struct Cut;

/// The body of a reply: whole, or stopping in the middle.
#[derive(Debug, Default)]
pub(crate) struct ReplyBody {
    data: Bytes,
    announced: u64,
    stalls: bool,
}

impl ReplyBody {
    pub(super) fn whole(data: Bytes) -> Self {
        Self { announced: data.len() as u64, data, stalls: false }
    }

    /// The same body, cut in half and never finished.
    pub(super) fn stalled(mut self) -> Self {
        self.data.truncate(self.data.len() / 2);
        self.stalls = true;
        self
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.data)))));
        }
        // Nobody wakes a stalled body: it ends with its connection.
        if self.stalls { Poll::Pending } else { Poll::Ready(None) }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && !self.stalls
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(if self.stalls { self.announced } else { self.data.len() as u64 })
    }
}

pub(super) fn empty(status: u16) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::default());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

pub(super) fn bytes(status: u16, content_type: &'static str, data: Bytes) -> Response<ReplyBody> {
    let mut response = empty(status);
    *response.body_mut() = ReplyBody::whole(data);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(super) fn json(status: u16, value: &Value) -> Response<ReplyBody> {
    bytes(status, "application/json", Bytes::from(value.to_string()))
}

pub(super) fn refusal(refusal: &Refusal) -> Response<ReplyBody> {
    json(refusal.status, &refusal.body())
}

/// Discord docs, "Rate Limits": Header Format. The scope belongs to 429s alone.
pub(super) fn describe(headers: &mut HeaderMap, bucket: &Headers) {
    set(headers, "x-ratelimit-limit", bucket.limit);
    set(headers, "x-ratelimit-remaining", bucket.remaining);
    set(headers, "x-ratelimit-reset", seconds(bucket.reset_ms));
    set(headers, "x-ratelimit-reset-after", seconds(bucket.reset_after_ms));
    set(headers, "x-ratelimit-bucket", &bucket.bucket);
}

/// Discord docs, "Rate Limits": Exceeding A Rate Limit.
pub(super) fn too_many(bucket: Option<&Headers>, too_many: TooMany) -> Response<ReplyBody> {
    too_many_of(bucket, too_many, None)
}

/// The same with an error code and its words.
pub(super) fn too_many_of(
    bucket: Option<&Headers>,
    too_many: TooMany,
    code: Option<(u32, &str)>,
) -> Response<ReplyBody> {
    let seconds = too_many.retry_after_ms as f64 / 1000.0;
    let mut response = if too_many.old_edit {
        refusal(&Refusal { retry_after: Some(seconds), ..Refusal::OLD_EDITS })
    } else {
        let mut body = too_many_body(seconds, too_many.scope == Scope::Global);
        if let (Some((code, message)), Some(map)) = (code, body.as_object_mut()) {
            map.insert("code".to_owned(), code.into());
            map.insert("message".to_owned(), message.into());
        }
        json(429, &body)
    };
    let headers = response.headers_mut();
    if let Some(bucket) = bucket {
        describe(headers, bucket);
    }
    set(headers, "retry-after", too_many.retry_after_ms.div_ceil(1000));
    set(headers, "x-ratelimit-scope", too_many.scope.as_str());
    if too_many.scope == Scope::Global {
        set(headers, "x-ratelimit-global", "true");
    }
    response
}

pub(super) fn too_many_body(retry_after: f64, global: bool) -> Value {
    serde_json::json!({"message": "You are being rate limited.", "retry_after": retry_after, "global": global})
}

/// The page of the network in front of Discord: HTML and none of Discord's headers.
pub(super) fn cloudflare(retry_after: u64) -> Response<ReplyBody> {
    let page = "<!DOCTYPE html><html><head><title>Access denied | discord.com used Cloudflare to restrict access\
                </title></head><body><h1>Error 1015</h1><p>You are being rate limited</p></body></html>";
    let mut response = bytes(429, "text/html; charset=UTF-8", Bytes::from_static(page.as_bytes()));
    set(response.headers_mut(), "retry-after", retry_after);
    response
}

pub(super) fn set(headers: &mut HeaderMap, name: &'static str, value: impl Display) {
    if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

//! The CDN: downloads of attachments by signed URLs, whole or in part.
//!
//! Callers: `http`. Discord docs, "API Reference": Signed Attachment CDN URLs; ranges by RFC 9110.

use bytes::Bytes;
use hyper::header::{self, HeaderMap};
use hyper::{Method, Request, Response};
use std::sync::Arc;

use super::fault::{self, Fate};
use super::reply::{self, Cut, ReplyBody};
use crate::cdn::Signed;
use crate::server::Shared;
use crate::state::Snowflake;

/// The route template under which faults know downloads.
pub(super) const TEMPLATE: &str = "/attachments/{channel}/{attachment}/{filename}";

/// Where an attachment's URL points to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) channel: Snowflake,
    pub(super) attachment: Snowflake,
    pub(super) name: &'a str,
}

impl<'a> Place<'a> {
    fn of_path(path: &'a str) -> Option<Self> {
        let mut parts = path.splitn(3, '/');
        Some(Self {
            channel: parts.next()?.parse().ok()?,
            attachment: parts.next()?.parse().ok()?,
            name: parts.next()?,
        })
    }

    /// Of a whole URL, with or without a query.
    pub(super) fn of_url(url: &'a str) -> Option<Self> {
        let (_, path) = url.split_once("/attachments/")?;
        Self::of_path(path.split('?').next().unwrap_or(path))
    }
}

pub(super) async fn download<B>(
    shared: &Arc<Shared>,
    request: &Request<B>,
    path: &str,
) -> Result<Response<ReplyBody>, Cut> {
    shared.stats.lock().downloads += 1;
    match fault::before(&shared.faults, request.method().as_str(), TEMPLATE).await? {
        Fate::Answered(response) => Ok(response),
        Fate::Executed(after) => after.finish(find_and_read(shared, request, path).await).await,
    }
}

async fn find_and_read<B>(shared: &Arc<Shared>, request: &Request<B>, path: &str) -> Response<ReplyBody> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(405, "Method Not Allowed");
    }
    let query = request.uri().query().unwrap_or_default();
    let param = |name: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(one, _)| *one == name)
            .map(|(_, value)| value)
    };
    let signed = Signed {
        expires: param("ex").unwrap_or_default(),
        issued: param("is").unwrap_or_default(),
        signature: param("hm").unwrap_or_default(),
    };
    let gone = || text(404, "This content is no longer available.");
    let Some(place) = Place::of_path(path) else { return gone() };
    let now_ms = shared.now_ms();
    let (size, content_type, ticket) = {
        let mut core = shared.core.lock();
        let Some((message, attachment)) = core.state.attachment(place.attachment) else { return gone() };
        let signer = core.state.signer();
        if message.channel_id != place.channel
            || attachment.filename != place.name
            || !core.state.has_arrived(now_ms, place.attachment)
            || !signer.is_valid(now_ms, place.channel, place.attachment, place.name, signed)
        {
            return gone();
        }
        let (size, content_type) = (attachment.size, attachment.content_type.clone());
        (size, content_type, shared.settle(&mut core))
    };
    if shared.store.safe(ticket).await.is_err() {
        return text(500, "Internal Server Error");
    }
    let range = request.headers().get(header::RANGE).and_then(|value| value.to_str().ok());
    let (status, start, len) = match range.map_or(Wanted::Whole, |range| wanted(range, size)) {
        Wanted::Whole => (200, 0, size),
        Wanted::Part(start, len) => (206, start, len),
        Wanted::Nothing => {
            let mut response = text(416, "");
            reply::set(response.headers_mut(), "content-range", format!("bytes */{size}"));
            return response;
        }
    };
    let bytes = if request.method() == Method::HEAD {
        Ok(Bytes::new())
    } else {
        let shared = Arc::clone(shared);
        let id = place.attachment;
        let read = tokio::task::spawn_blocking(move || shared.store.read_blob(id, start, len));
        read.await.unwrap_or_else(|error| Err(error.to_string()))
    };
    // Deleted between the look-up and the reading.
    let Ok(bytes) = bytes else { return gone() };
    let mut response = reply::empty(status);
    *response.body_mut() = ReplyBody::whole(bytes);
    let headers: &mut HeaderMap = response.headers_mut();
    let content_type = content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
    reply::set(headers, "content-type", content_type);
    reply::set(headers, "accept-ranges", "bytes");
    reply::set(headers, "content-length", len);
    reply::set(headers, "cache-control", "private, max-age=86400");
    reply::set(headers, "etag", format!("\"{}\"", place.attachment));
    if status == 206 {
        reply::set(headers, "content-range", format!("bytes {start}-{}/{size}", start + len - 1));
    }
    response
}

/// What a Range header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(u64, u64),
    Nothing,
}

/// One range of bytes; several at once, or nonsense, give the whole (RFC 9110, section 14.2).
fn wanted(range: &str, size: u64) -> Wanted {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Wanted::Whole;
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Wanted::Whole,
        (Some(first), _) if first >= size => Wanted::Nothing,
        (Some(first), Some(last)) => Wanted::Part(first, last.min(size - 1) + 1 - first),
        (Some(first), None) if last.trim().is_empty() => Wanted::Part(first, size - first),
        (None, Some(0)) if first.is_empty() => Wanted::Nothing,
        (None, Some(_)) if first.is_empty() && size == 0 => Wanted::Nothing,
        (None, Some(count)) if first.is_empty() => Wanted::Part(size - count.min(size), count.min(size)),
        _ => Wanted::Whole,
    }
}

fn text(status: u16, text: &'static str) -> Response<ReplyBody> {
    reply::bytes(status, "text/plain;charset=UTF-8", Bytes::from_static(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(wanted("bytes=0-3", 10), Wanted::Part(0, 4));
        assert_eq!(wanted("bytes=8-99", 10), Wanted::Part(8, 2));
        assert_eq!(wanted("bytes=4-", 10), Wanted::Part(4, 6));
        assert_eq!(wanted("bytes=-3", 10), Wanted::Part(7, 3));
        assert_eq!(wanted("bytes=10-", 10), Wanted::Nothing);
        assert_eq!(wanted("bytes=0-1,3-4", 10), Wanted::Whole);
        assert_eq!(wanted("bytes=5-2", 10), Wanted::Whole);
        assert_eq!(wanted("lines=1-2", 10), Wanted::Whole);
    }

    #[test]
    fn places() {
        let place = Place { channel: 1, attachment: 2, name: "a.bin" };
        assert_eq!(Place::of_url("http://x/attachments/1/2/a.bin?ex=1"), Some(place));
        assert_eq!(Place::of_url("http://x/attachments/1/a.bin"), None);
    }
}

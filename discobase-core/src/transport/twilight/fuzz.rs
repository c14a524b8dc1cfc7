//! What a fuzzer feeds of this transport: what Discord, or whoever answers in its place, may send.

use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::StatusCode;

use super::reply::{Meaning, meaning};
use super::{convert, dispatch, reply};
use crate::transport::limits::{Route, seen, too_many};

/// A gateway message is read or it is not; an event of ours that can't be read says its name.
pub(crate) fn gateway(text: &str) {
    if let dispatch::Dispatch::Unreadable(name) = dispatch::read(text) {
        assert!(!name.is_empty(), "an event without a name was held for one of ours");
    }
}

/// A reply: a status, header lines, a body. No wait is longer than a day, and no failure looks like a success.
pub(crate) fn reply(bytes: &[u8]) {
    let Some((status, rest)) = bytes.split_first_chunk::<2>() else { return };
    let Ok(status) = StatusCode::from_u16(100 + u16::from_le_bytes(*status) % 500) else { return };
    let (head, body) = split(rest);
    let headers = headers(head);
    let route = Route::post(1);
    let day = Duration::from_secs(24 * 60 * 60);
    assert!(too_many(route, &headers, body).wait <= day, "a wait of more than a day");
    assert!(seen(&headers).is_none_or(|seen| seen.reset_after <= day), "a window of more than a day");
    let done = matches!(meaning(route, status, body), Meaning::Done);
    assert_eq!(done, status.is_success(), "a failure is taken for a success, or the other way round");
    // Of the models only those that hold what anybody may write.
    let _ = reply::decode::<Vec<convert::WireMessage>>(route, body);
    let _ = reply::decode::<Vec<convert::WireChannel>>(route, body);
}

/// What stands before and behind the first empty line.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.windows(2).position(|two| two == b"\n\n").unwrap_or(bytes.len());
    (bytes.get(..end).unwrap_or_default(), bytes.get(end + 2..).unwrap_or_default())
}

fn headers(head: &[u8]) -> HeaderMap {
    let line = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(line.get(..colon)?).ok()?;
        Some((name, HeaderValue::from_bytes(line.get(colon + 1..)?).ok()?))
    };
    head.split(|byte| *byte == b'\n').take(64).filter_map(line).collect()
}

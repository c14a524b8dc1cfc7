//! Request bodies: read whole, within the limit, and taken apart.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Map, Value};

use super::multipart;
use crate::state::{FieldError, Refusal, Upload};

/// A body taken apart.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Its JSON; null if there was no body.
    pub(super) json: Value,
    /// Its files.
    pub(super) files: Vec<Upload>,
}

/// Why a body was not read.
pub(super) enum Unread {
    /// The client went away in the middle of it.
    Gone,
    /// It is too large.
    Refused(Refusal),
}

pub(super) async fn read(mut body: Incoming, limit: u64) -> Result<Bytes, Unread> {
    let announced = body.size_hint().exact().unwrap_or(0);
    if announced > limit {
        drain(body).await;
        return Err(Unread::Refused(Refusal::TOO_LARGE));
    }
    let mut all = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unread::Gone)?;
        let Ok(data) = frame.into_data() else { continue };
        if (all.len() + data.len()) as u64 > limit {
            drain(body).await;
            return Err(Unread::Refused(Refusal::TOO_LARGE));
        }
        // Small bodies come in one piece and need no copy.
        if all.is_empty() && data.len() as u64 == announced {
            return Ok(data);
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

/// Reads a body to its end for the client's sake, which would not see a reply while it is still sending.
pub(super) async fn drain(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// Takes a body apart by its content type.
pub(super) fn parse(headers: &HeaderMap, body: &Bytes) -> Result<Parsed, Refusal> {
    if body.is_empty() {
        return Ok(Parsed::default());
    }
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => Ok(Parsed { json: json(body)?, files: Vec::new() }),
        "multipart/form-data" => form(content_type, body),
        // Discord docs, "API Reference": HTTP API, Content-Type.
        _ => Err(Refusal::form(vec![FieldError {
            path: String::new(),
            code: "CONTENT_TYPE_INVALID",
            message:
                "Expected \"Content-Type\" header to be one of {'application/json', 'multipart/form-data'}."
                    .to_owned(),
        }])),
    }
}

fn json(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|_| Refusal::BAD_JSON)
}

// Discord docs, "API Reference": Uploading Files. Files are `files[n]`, the rest is `payload_json`, or, for
// simple fields, form fields of their own.
fn form(content_type: &str, body: &Bytes) -> Result<Parsed, Refusal> {
    let mut parsed = Parsed::default();
    let mut fields = Map::new();
    for part in multipart::parse(content_type, body).ok_or(Refusal::BAD_JSON)? {
        if part.name == "payload_json" {
            parsed.json = json(&part.data)?;
        } else if let Some(filename) = part.filename {
            parsed.files.push(Upload {
                field: field_number(&part.name, parsed.files.len()),
                filename,
                description: None,
                content_type: part.content_type.filter(|kind| kind != "application/octet-stream"),
                bytes: part.data,
            });
        } else {
            fields.insert(part.name, Value::String(String::from_utf8_lossy(&part.data).into_owned()));
        }
    }
    if parsed.json.is_null() {
        parsed.json = Value::Object(fields);
    }
    Ok(parsed)
}

/// The `n` of `files[n]`; other names are counted.
fn field_number(name: &str, position: usize) -> u64 {
    name.strip_prefix("files[")
        .and_then(|rest| rest.strip_suffix(']'))
        .and_then(|number| number.parse().ok())
        .unwrap_or(position as u64)
}

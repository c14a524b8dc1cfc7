//! Replies as results (Discord docs, "Opcodes and Status Codes": HTTP, JSON).

use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::transport::limits::Route;
use crate::transport::{Failure, TransportError};

/// The service is overloaded, whatever the status says: try again later.
const OVERLOADED: [u64; 2] = [40_062, 130_000];
/// So much of Discord's list of wrong fields goes into an error.
const ERRORS_SHOWN: usize = 500;

/// What a reply means for the call.
#[derive(Debug)]
pub(super) enum Meaning {
    /// It succeeded.
    Done,
    /// It failed for good, without effect.
    Failed(TransportError),
    /// Nobody knows.
    Unclear(Failure),
}

/// Discord's description of an error.
#[derive(Debug, Default, Deserialize)]
struct ErrorJson {
    #[serde(default)]
    code: u64,
    #[serde(default)]
    message: String,
    errors: Option<serde_json::Value>,
}

/// Reads a reply other than a 429.
pub(super) fn meaning(route: Route, status: StatusCode, body: &[u8]) -> Meaning {
    if status.is_success() {
        return Meaning::Done;
    }
    let failure = describe(route, status, body);
    let overloaded = failure.code.is_some_and(|code| OVERLOADED.contains(&code));
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT || overloaded {
        return Meaning::Unclear(failure);
    }
    Meaning::Failed(match status {
        StatusCode::UNAUTHORIZED => TransportError::Unauthorized(failure),
        StatusCode::FORBIDDEN => TransportError::Forbidden(failure),
        StatusCode::NOT_FOUND => TransportError::Missing(failure),
        _ => TransportError::Refused(failure),
    })
}

/// Discord's error, or the status alone if the body is none of Discord's.
fn describe(route: Route, status: StatusCode, body: &[u8]) -> Failure {
    let mut failure = Failure { status: Some(status.as_u16()), ..failure(route, "") };
    match serde_json::from_slice::<ErrorJson>(body) {
        Ok(json) => {
            failure.code = Some(json.code).filter(|code| *code != 0);
            failure.message = json.message;
            if let Some(errors) = json.errors {
                failure.message.push(' ');
                failure.message.extend(errors.to_string().chars().take(ERRORS_SHOWN));
            }
        }
        Err(_) => failure.message = status.canonical_reason().unwrap_or("an unknown status").to_owned(),
    }
    failure
}

/// A failure with nothing but a message.
pub(super) fn failure(route: Route, message: impl Into<String>) -> Failure {
    Failure { route: route.to_string(), message: message.into(), ..Failure::default() }
}

/// Reads the body of a success.
pub(super) fn decode<T: DeserializeOwned>(route: Route, body: &[u8]) -> Result<T, TransportError> {
    serde_json::from_slice(body).map_err(|error| {
        TransportError::Unknown(Failure {
            status: Some(StatusCode::OK.as_u16()),
            // Serde's own message may quote what people wrote.
            ..failure(
                route,
                format!("the answer has another form than expected, at column {}", error.column()),
            )
        })
    })
}

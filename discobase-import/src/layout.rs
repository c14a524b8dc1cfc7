//! What the messages of the Python library hold: `tests/clients/python_discobase/layout.md` tells.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// The channel that holds a message for each table.
pub(crate) const METADATA: &str = "_dbmetadata";

/// What is needed of such a message; the rest is about the indexes.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    /// The class's name, in lower case.
    pub(crate) name: String,
    /// The names of its fields.
    pub(crate) keys: Vec<String>,
    /// The channel of its records.
    pub(crate) table_channel: u64,
}

/// A message of a table's channel.
#[derive(Deserialize)]
struct Envelope {
    content: String,
}

/// Reads a message of the metadata channel.
pub(crate) fn metadata(content: &str) -> Result<Metadata, String> {
    if content.is_empty() {
        return Err(WITHHELD.to_owned());
    }
    serde_json::from_str(content).map_err(|error| format!("it does not describe a table: {error}"))
}

/// Reads a record.
pub(crate) fn record(content: &str) -> Result<Map<String, Json>, String> {
    if content.is_empty() {
        return Err(WITHHELD.to_owned());
    }
    let envelope: Envelope =
        serde_json::from_str(content).map_err(|error| format!("it is no record: {error}"))?;
    let bytes =
        URL_SAFE.decode(envelope.content).map_err(|error| format!("its Base64 is damaged: {error}"))?;
    match serde_json::from_slice(&bytes) {
        Ok(Json::Object(fields)) => Ok(fields),
        Ok(_) => Err("its JSON is no object".to_owned()),
        Err(error) => Err(format!("its JSON is damaged: {error}")),
    }
}

// Discord docs, "Gateway": Message Content Intent.
const WITHHELD: &str =
    "it has no text: if another bot wrote it, this bot's application needs the message content intent";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_json_in_base64_in_json() {
        let found = record(r#"{"content":"eyJ0aXRsZSI6Ik1vbW8iLCJwYWdlcyI6MzA1fQ=="}"#).unwrap();
        assert_eq!(Json::Object(found), serde_json::json!({ "title": "Momo", "pages": 305 }));
    }

    #[test]
    fn what_is_wrong_with_a_message_is_said() {
        for (content, says) in [
            ("", "message content intent"),
            ("hello", "no record"),
            ("null", "no record"),
            (r#"{"content": 3}"#, "no record"),
            (r#"{"content":"eyJ0aXRsZSI6"}"#, "JSON is damaged"),
            (r#"{"content":"eyJ0a"}"#, "Base64 is damaged"),
            (r#"{"content":"WzFd"}"#, "no object"),
        ] {
            let reason = record(content).unwrap_err();
            assert!(reason.contains(says), "{content:?}: {reason}");
        }
    }
}

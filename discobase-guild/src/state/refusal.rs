//! Refusals: every error that Discord's REST interface answers with, as data.
//!
//! Callers: `state` and `http` return them, `http` writes them. The codes and texts are Discord's.
//! Discord docs, "Opcodes and Status Codes": JSON Error Codes.

use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// An error reply of the REST interface.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{status}, code {code}: {message}")]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Discord's error code; 0 for general errors.
    pub code: u32,
    /// The text beside the code.
    pub message: Cow<'static, str>,
    /// What is wrong with which field; for code 50035 only.
    pub errors: Vec<FieldError>,
    /// Seconds to wait; for refusals with status 429 only.
    pub retry_after: Option<f64>,
}

/// One complaint about one field of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Names and indexes from the top of the body down, joined by dots.
    pub path: String,
    /// Discord's name of the complaint.
    pub code: &'static str,
    /// The complaint in words.
    pub message: String,
}

impl Refusal {
    const fn plain(status: u16, code: u32, message: &'static str) -> Self {
        Self { status, code, message: Cow::Borrowed(message), errors: Vec::new(), retry_after: None }
    }

    /// An unknown route.
    pub const NOT_FOUND: Self = Self::plain(404, 0, "404: Not Found");
    /// A known route with another method.
    pub const METHOD_NOT_ALLOWED: Self = Self::plain(405, 0, "405: Method Not Allowed");
    /// No token, or a wrong one.
    pub const UNAUTHORIZED: Self = Self::plain(401, 0, "401: Unauthorized");
    /// Something broke on the server's side.
    pub const INTERNAL: Self = Self::plain(500, 0, "500: Internal Server Error");
    /// Unknown channel.
    pub const UNKNOWN_CHANNEL: Self = Self::plain(404, 10_003, "Unknown Channel");
    /// Unknown guild.
    pub const UNKNOWN_GUILD: Self = Self::plain(404, 10_004, "Unknown Guild");
    /// Unknown invite.
    pub const UNKNOWN_INVITE: Self = Self::plain(404, 10_006, "Unknown Invite");
    /// Unknown member.
    pub const UNKNOWN_MEMBER: Self = Self::plain(404, 10_007, "Unknown Member");
    /// Unknown message.
    pub const UNKNOWN_MESSAGE: Self = Self::plain(404, 10_008, "Unknown Message");
    /// Unknown overwrite.
    pub const UNKNOWN_OVERWRITE: Self = Self::plain(404, 10_009, "Unknown Overwrite");
    /// Unknown emoji.
    pub const UNKNOWN_EMOJI: Self = Self::plain(400, 10_014, "Unknown Emoji");
    /// Unknown webhook.
    pub const UNKNOWN_WEBHOOK: Self = Self::plain(404, 10_015, "Unknown Webhook");
    /// An interaction that is none, or was not answered in time.
    pub const UNKNOWN_INTERACTION: Self = Self::plain(404, 10_062, "Unknown interaction");
    /// Unknown command.
    pub const UNKNOWN_COMMAND: Self = Self::plain(404, 10_063, "Unknown application command");
    /// An application that is not the caller's.
    pub const NOT_THE_APPLICATION: Self =
        Self::plain(403, 20_012, "You are not authorized to perform this action on this application");
    /// An interaction that was answered before.
    pub const ACKNOWLEDGED: Self = Self::plain(400, 40_060, "Interaction has already been acknowledged.");
    /// The token of an interaction that is too old.
    pub const WEBHOOK_TOKEN: Self = Self::plain(401, 50_027, "Invalid Webhook Token");
    /// Something that an archived thread does not allow.
    pub const ARCHIVED: Self = Self::plain(400, 50_083, "Thread is archived");
    /// A second thread from one message.
    pub const HAS_THREAD: Self =
        Self::plain(400, 160_004, "A thread has already been created for this message");
    /// A locked thread.
    pub const LOCKED: Self = Self::plain(403, 160_005, "This thread is locked");
    /// Unknown user.
    pub const UNKNOWN_USER: Self = Self::plain(404, 10_013, "Unknown User");
    /// A bot tried to do what only people may.
    pub const BOTS_CANNOT: Self = Self::plain(403, 20_001, "Bots cannot use this endpoint");
    /// Too many attachments in one message.
    pub const TOO_MANY_ATTACHMENTS: Self =
        Self::plain(400, 30_015, "Maximum number of attachments in a message reached (10)");
    /// Too many edits of messages older than an hour.
    pub const OLD_EDITS: Self = Self::plain(
        429,
        30_046,
        "Maximum number of edits to messages older than 1 hour reached. Try again later",
    );
    /// A request body of more than the limit.
    pub const TOO_LARGE: Self =
        Self::plain(413, 40_005, "Request entity too large. Try sending something smaller in size");
    /// The caller does not see the thing.
    pub const MISSING_ACCESS: Self = Self::plain(403, 50_001, "Missing Access");
    /// The caller may not do this.
    pub const MISSING_PERMISSIONS: Self = Self::plain(403, 50_013, "Missing Permissions");
    /// An edit of somebody else's message.
    pub const NOT_THE_AUTHOR: Self =
        Self::plain(403, 50_005, "Cannot edit a message authored by another user");
    /// A message without anything in it.
    pub const EMPTY_MESSAGE: Self = Self::plain(400, 50_006, "Cannot send an empty message");
    /// Messages in a category.
    pub const NOT_A_TEXT_CHANNEL: Self =
        Self::plain(400, 50_008, "Cannot send messages in a non-text channel");
    /// An action on a message that Discord itself wrote.
    pub const SYSTEM_MESSAGE: Self = Self::plain(403, 50_021, "Cannot execute action on a system message");
    /// An action that this type of channel does not know.
    pub const CHANNEL_TYPE: Self = Self::plain(400, 50_024, "Cannot execute action on this channel type");
    /// Bulk delete of fewer than 2 or more than 100 messages.
    pub const BULK_DELETE_COUNT: Self = Self::plain(
        400,
        50_016,
        "Provided too few or too many messages to delete. Must provide at least 2 and fewer than 100 messages to delete",
    );
    /// Bulk delete of a message of more than 14 days.
    pub const BULK_DELETE_AGE: Self =
        Self::plain(400, 50_034, "You can only bulk delete messages that are under 14 days old.");
    /// A missing or old API version.
    pub const BAD_VERSION: Self = Self::plain(400, 50_041, "Invalid API version");
    /// A file of more than the limit.
    pub const FILE_TOO_LARGE: Self = Self::plain(400, 50_045, "File uploaded exceeds the maximum size");
    /// A body that is not JSON.
    pub const BAD_JSON: Self = Self::plain(400, 50_109, "The request body contains invalid JSON.");
    /// A message that an AutoMod rule stopped.
    pub const AUTOMOD: Self = Self::plain(400, 200_000, "Message was blocked by automatic moderation");

    /// The guild holds as many channels as it can.
    pub fn guild_channels(limit: u64) -> Self {
        Self::worded(400, 30_013, format!("Maximum number of guild channels reached ({limit})"))
    }

    /// The application has created as many commands there as it can in a day.
    pub fn command_creates(limit: u64) -> Self {
        let message = format!("Max number of daily application command creates has been reached ({limit})");
        Self::worded(400, 30_034, message)
    }

    /// The guild holds as many categories as it can.
    pub fn categories(limit: u64) -> Self {
        Self::worded(400, 30_030, format!("Maximum number of server categories has been reached ({limit})"))
    }

    /// The channel holds as many overwrites as it can.
    pub fn overwrites(limit: u64) -> Self {
        Self::worded(
            400,
            30_060,
            format!("Maximum number of channel permission overwrites reached ({limit})"),
        )
    }

    /// The channel holds as many pins as it can.
    pub fn pins(limit: u64) -> Self {
        Self::worded(400, 30_003, format!("Maximum number of pins reached for the channel ({limit})"))
    }

    /// The message has as many emoji as it can.
    pub fn reactions(limit: usize) -> Self {
        Self::worded(400, 30_010, format!("Maximum number of reactions reached ({limit})"))
    }

    /// The application has as many commands as it can.
    pub fn commands(limit: usize) -> Self {
        Self::worded(400, 30_032, format!("Maximum number of application commands reached ({limit})"))
    }

    /// The guild holds as many active threads as it can.
    pub fn threads(limit: u64) -> Self {
        Self::worded(400, 160_006, format!("Maximum number of active threads reached ({limit})"))
    }

    /// The guild holds as many invites as it can.
    pub fn invites(limit: u64) -> Self {
        Self::worded(400, 30_016, format!("Maximum number of invites reached ({limit})"))
    }

    fn worded(status: u16, code: u32, message: String) -> Self {
        Self { message: Cow::Owned(message), ..Self::plain(status, code, "") }
    }

    /// A body, query or path with something wrong in it.
    // Discord docs, "API Reference": Error Messages.
    pub fn form(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::plain(400, 50_035, "Invalid Form Body") }
    }

    /// A form error of one field.
    pub fn field(path: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::form(vec![FieldError { path: path.into(), code, message: message.into() }])
    }

    /// Discord's complaint about an id that is none.
    pub fn not_snowflake(path: &str, value: &str) -> Self {
        Self::field(path, "NUMBER_TYPE_COERCE", format!("Value \"{value}\" is not snowflake."))
    }

    /// The JSON body of the reply.
    pub fn body(&self) -> Value {
        let mut body = json!({"message": self.message, "code": self.code});
        if !self.errors.is_empty() {
            let mut tree = Value::Object(Map::new());
            for error in &self.errors {
                graft(&mut tree, error);
            }
            insert(&mut body, "errors", tree);
        }
        if let Some(seconds) = self.retry_after {
            insert(&mut body, "retry_after", json!(seconds));
            insert(&mut body, "global", json!(false));
        }
        body
    }
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

fn graft(tree: &mut Value, error: &FieldError) {
    let mut node = tree;
    for step in error.path.split('.').filter(|step| !step.is_empty()) {
        let Some(map) = node.as_object_mut() else { return };
        node = map.entry(step).or_insert_with(|| json!({}));
    }
    let Some(map) = node.as_object_mut() else { return };
    if let Some(list) = map.entry("_errors").or_insert_with(|| json!([])).as_array_mut() {
        list.push(json!({"code": error.code, "message": error.message}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_form_a_tree() {
        let refusal = Refusal::field("attachments.0.id", "BASE_TYPE_REQUIRED", "This field is required");
        assert_eq!(
            refusal.body(),
            json!({"message": "Invalid Form Body", "code": 50035, "errors": {"attachments": {"0": {"id":
                {"_errors": [{"code": "BASE_TYPE_REQUIRED", "message": "This field is required"}]}}}}})
        );
    }
}

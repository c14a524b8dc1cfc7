//! Embeds: their lengths, and the white space they lose.
//!
//! Callers: `state::messages` on create and on edit. Discord docs, "Message": Embed Limits.

use serde_json::{Value, json};

use super::FieldError;

/// Where texts are in an embed, and how long each may be. They count together as well.
const TEXTS: [(&str, usize); 4] =
    [("/title", 256), ("/description", 4096), ("/footer/text", 2048), ("/author/name", 256)];
const FIELD_TEXTS: [(&str, usize); 2] = [("/name", 256), ("/value", 1024)];
const FIELDS: usize = 25;
const ALL_TEXTS: usize = 6000;

/// Complains about embeds that are too many or too long.
pub(super) fn check(embeds: &[Value], most: usize, errors: &mut Vec<FieldError>) {
    let mut complain = |path: String, code, message: String| {
        errors.push(FieldError { path: path.replace('/', "."), code, message });
    };
    let too_long = |limit: usize| format!("Must be {limit} or fewer in length.");
    if embeds.len() > most {
        complain("embeds".to_owned(), "BASE_TYPE_MAX_LENGTH", too_long(most));
    }
    let mut all = 0;
    for (position, embed) in embeds.iter().enumerate() {
        let mut count = |value: &Value, prefix: &str, texts: &[(&str, usize)]| {
            for (pointer, limit) in texts {
                let text = value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().trim();
                let length = text.chars().count();
                all += length;
                if length > *limit {
                    complain(format!("{prefix}{pointer}"), "BASE_TYPE_MAX_LENGTH", too_long(*limit));
                }
            }
        };
        count(embed, &format!("embeds.{position}"), &TEXTS);
        let fields = embed.get("fields").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (number, field) in fields.iter().enumerate() {
            count(field, &format!("embeds.{position}.fields.{number}"), &FIELD_TEXTS);
        }
        if fields.len() > FIELDS {
            complain(format!("embeds.{position}.fields"), "BASE_TYPE_MAX_LENGTH", too_long(FIELDS));
        }
    }
    if all > ALL_TEXTS {
        let message = format!("Embed size exceeds maximum size of {ALL_TEXTS}");
        complain("embeds".to_owned(), "MAX_EMBED_SIZE_EXCEEDED", message);
    }
}

/// Embeds as they are kept: their texts lose white space at both ends, and they have a type.
pub(super) fn trim(mut embeds: Vec<Value>) -> Vec<Value> {
    let trim_all = |value: &mut Value, texts: &[(&str, usize)]| {
        for (pointer, _) in texts {
            if let Some(Value::String(text)) = value.pointer_mut(pointer) {
                *text = text.trim().to_owned();
            }
        }
    };
    for embed in &mut embeds {
        trim_all(embed, &TEXTS);
        for field in embed.get_mut("fields").and_then(Value::as_array_mut).into_iter().flatten() {
            trim_all(field, &FIELD_TEXTS);
        }
        if let Some(map) = embed.as_object_mut() {
            map.entry("type").or_insert_with(|| json!("rich"));
        }
    }
    embeds
}

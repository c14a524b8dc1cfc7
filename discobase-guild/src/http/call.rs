//! A call: a request with its route found, its caller known and its body taken apart. Pure.
//!
//! Callers: `http::rest` makes it, the handlers read it.

use bytes::Bytes;
use serde_json::{Map, Value};
use std::sync::LazyLock;

use crate::state::{Flaws, Refusal, Snowflake, Upload};

/// A request as its handler gets it.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) now_ms: u64,
    /// The bot that calls.
    pub(super) user: Snowflake,
    /// The ids in the path, in order.
    pub(super) ids: Vec<Snowflake>,
    /// What else is in the path and is no id, in order.
    pub(super) texts: Vec<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) json: Value,
    pub(super) files: Vec<Upload>,
    /// The day's identifies: how many in all, how many left, milliseconds to the end.
    pub(super) identifies: (u64, u64, u64),
    pub(super) gateway_url: String,
    /// What goes wrong inside it.
    pub(super) flaws: Flaws,
}

/// What a handler answers.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(value: &Value) -> Self {
        Self { status: 200, body: Bytes::from(value.to_string()) }
    }

    pub(super) fn created(value: &Value) -> Self {
        Self { status: 201, ..Self::json(value) }
    }

    pub(super) fn nothing() -> Self {
        Self { status: 204, body: Bytes::new() }
    }
}

impl Call {
    /// The n-th id of the path. The route's template guarantees that it is there.
    pub(super) fn id(&self, n: usize) -> Snowflake {
        self.ids.get(n).copied().unwrap_or_default()
    }

    /// The n-th text of the path. The route's template guarantees that it is there.
    pub(super) fn text(&self, n: usize) -> &str {
        self.texts.get(n).map_or("", String::as_str)
    }

    // Discord docs, "API Reference": Boolean Query Strings.
    pub(super) fn flag_param(&self, name: &str) -> bool {
        self.param(name).is_some_and(|text| text == "1" || text.eq_ignore_ascii_case("true"))
    }

    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// An id in the query.
    pub(super) fn id_param(&self, name: &str) -> Result<Option<Snowflake>, Refusal> {
        self.param(name).map(|text| text.parse().map_err(|_| Refusal::not_snowflake(name, text))).transpose()
    }

    /// The query's `limit`.
    pub(super) fn limit(&self, default: usize, most: usize) -> Result<usize, Refusal> {
        let Some(text) = self.param("limit") else { return Ok(default) };
        let limit: i64 = text.parse().map_err(|_| {
            Refusal::field("limit", "NUMBER_TYPE_COERCE", format!("Value \"{text}\" is not int."))
        })?;
        if limit < 1 {
            let message = "int value should be greater than or equal to 1.";
            return Err(Refusal::field("limit", "NUMBER_TYPE_MIN", message));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if limit > most {
            let message = format!("int value should be less than or equal to {most}.");
            return Err(Refusal::field("limit", "NUMBER_TYPE_MAX", message));
        }
        Ok(limit)
    }

    /// The body as an object; an absent body is an empty one.
    pub(super) fn object(&self) -> Result<&Map<String, Value>, Refusal> {
        static EMPTY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        match &self.json {
            Value::Object(object) => Ok(object),
            Value::Null => Ok(&EMPTY),
            _ => {
                Err(Refusal::field("", "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType"))
            }
        }
    }
}

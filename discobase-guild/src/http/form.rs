//! Reading fields of a JSON body, collecting every complaint on the way. Pure.
//!
//! Callers: `http::parse`. Discord docs, "API Reference": Error Messages, and its own codes.

use serde_json::{Map, Value};

use crate::state::{FieldError, Refusal, Snowflake};

/// An object whose fields are being read.
pub(super) struct Form<'a> {
    object: &'a Map<String, Value>,
    prefix: String,
    errors: Vec<FieldError>,
}

impl<'a> Form<'a> {
    pub(super) fn new(object: &'a Map<String, Value>) -> Self {
        Self { object, prefix: String::new(), errors: Vec::new() }
    }

    /// Ends the reading: the value if there were no complaints.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Refusal> {
        if self.errors.is_empty() { Ok(value) } else { Err(Refusal::form(self.errors)) }
    }

    pub(super) fn complain(&mut self, name: &str, code: &'static str, message: impl Into<String>) {
        let path = format!("{}{name}", self.prefix);
        self.errors.push(FieldError { path, code, message: message.into() });
    }

    /// A field, if it is there and not null.
    fn value(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Whether a field is there, be it null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    pub(super) fn string(&mut self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            other => {
                self.complain(
                    name,
                    "STRING_TYPE_CONVERT",
                    format!("Could not interpret \"{other}\" as string."),
                );
                None
            }
        }
    }

    pub(super) fn required_string(&mut self, name: &str) -> String {
        if self.value(name).is_none() {
            self.complain(name, "BASE_TYPE_REQUIRED", "This field is required");
        }
        self.string(name).unwrap_or_default()
    }

    /// A field that may be absent, null or a value.
    pub(super) fn nullable<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self, &str) -> Option<T>,
    ) -> Option<Option<T>> {
        self.has(name).then(|| read(self, name))
    }

    pub(super) fn id(&mut self, name: &str) -> Option<Snowflake> {
        let value = self.value(name)?;
        let found = match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        if found.is_none() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.complain(name, "NUMBER_TYPE_COERCE", format!("Value \"{text}\" is not snowflake."));
        }
        found
    }

    pub(super) fn ids(&mut self, name: &str) -> Vec<Snowflake> {
        let Some(list) = self.list(name) else { return Vec::new() };
        let mut ids = Vec::with_capacity(list.len());
        for (position, value) in list.iter().enumerate() {
            match value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_u64()) {
                Some(id) => ids.push(id),
                None => self.complain(
                    &format!("{name}.{position}"),
                    "NUMBER_TYPE_COERCE",
                    format!("Value \"{value}\" is not snowflake."),
                ),
            }
        }
        ids
    }

    /// An unsigned number; permission bits come as strings.
    pub(super) fn number(&mut self, name: &str) -> Option<u64> {
        let value = self.value(name)?;
        let found = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        if found.is_none() {
            self.complain(name, "NUMBER_TYPE_COERCE", format!("Value \"{value}\" is not int."));
        }
        found
    }

    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        let value = self.value(name)?;
        let found = match value {
            Value::String(text) => text.to_ascii_lowercase().parse().ok(),
            other => other.as_bool(),
        };
        if found.is_none() {
            let message = format!("Value \"{value}\" could not be interpreted as boolean.");
            self.complain(name, "BOOLEAN_TYPE_CONVERT", message);
        }
        found
    }

    pub(super) fn list(&mut self, name: &str) -> Option<&'a Vec<Value>> {
        let value = self.value(name)?;
        if !value.is_array() {
            self.complain(name, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
        }
        value.as_array()
    }

    /// Reads each object of a list with a form of its own.
    pub(super) fn objects<T>(
        &mut self,
        name: &str,
        mut read: impl FnMut(&mut Form<'a>, usize) -> T,
    ) -> Option<Vec<T>> {
        let list = self.list(name)?;
        let mut all = Vec::with_capacity(list.len());
        for (position, value) in list.iter().enumerate() {
            let Some(object) = value.as_object() else {
                let path = format!("{name}.{position}");
                self.complain(&path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType");
                continue;
            };
            let prefix = format!("{}{name}.{position}.", self.prefix);
            let mut form = Form { object, prefix, errors: Vec::new() };
            all.push(read(&mut form, position));
            self.errors.append(&mut form.errors);
        }
        Some(all)
    }

    /// Reads an object with a form of its own.
    pub(super) fn object<T>(&mut self, name: &str, read: impl FnOnce(&mut Form<'a>) -> T) -> Option<T> {
        let Some(object) = self.value(name)?.as_object() else {
            self.complain(name, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType");
            return None;
        };
        let mut form = Form { object, prefix: format!("{}{name}.", self.prefix), errors: Vec::new() };
        let value = read(&mut form);
        self.errors.append(&mut form.errors);
        Some(value)
    }
}

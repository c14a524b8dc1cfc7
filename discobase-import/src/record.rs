//! One record as it was read.

use discobase_core::MessageId;
use serde_json::{Map, Value as Json};
use twilight_model::util::Timestamp;

/// A record that the Python library wrote: its fields as JSON, and the message that is its id there.
#[derive(Debug, Clone)]
pub struct PythonRecord {
    pub(crate) message: MessageId,
    pub(crate) fields: Map<String, Json>,
}

impl PythonRecord {
    /// The message that holds the record. No two records have the same.
    #[must_use]
    pub fn message(&self) -> MessageId {
        self.message
    }

    /// When the record was first saved: its message's time, in whole milliseconds.
    #[must_use]
    pub fn saved_at(&self) -> Timestamp {
        let micros = i64::try_from(self.message.time_ms()).unwrap_or(i64::MAX / 1000).saturating_mul(1000);
        Timestamp::from_micros(micros)
            .unwrap_or_else(|_| unreachable!("a snowflake's time is before the year 2200"))
    }

    /// A field, by its name in Python.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Json> {
        self.fields.get(name)
    }
}

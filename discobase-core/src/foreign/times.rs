//! The points in time of other crates as column types: microseconds since the Unix epoch, like every time in a table. What
//! is finer is cut off, towards the past, so that the order of times stays.

use crate::field::{ColumnType, ColumnValue, FieldError, Indexable, KeyValue, NotOption, wrong};
use crate::value::ValueRef;

macro_rules! times {
    ($type:ty, $feature:literal, $nanos:expr, $from:expr) => {
        #[doc = concat!("With the feature `", $feature, "`.")]
        impl ColumnValue for $type {
            const TYPE: ColumnType = ColumnType::Timestamp;

            fn as_value(&self) -> ValueRef<'_> {
                let nanos: fn(&Self) -> i128 = $nanos;
                ValueRef::Int(nanos(self).div_euclid(1_000))
            }

            fn decode(value: ValueRef<'_>) -> Result<Self, FieldError> {
                let from: fn(i64) -> Option<Self> = $from;
                let ValueRef::Int(micros) = value else { return wrong("timestamp", value) };
                match i64::try_from(micros).ok().and_then(from) {
                    Some(time) => Ok(time),
                    None => wrong(concat!("timestamp that `", $feature, "` can hold"), value),
                }
            }
        }

        impl Indexable for $type {}
        impl KeyValue for $type {}
        impl NotOption for $type {}
    };
}

#[cfg(feature = "chrono")]
times!(
    chrono::DateTime<chrono::Utc>,
    "chrono",
    |time| i128::from(time.timestamp()) * 1_000_000_000 + i128::from(time.timestamp_subsec_nanos()),
    chrono::DateTime::from_timestamp_micros
);

#[cfg(feature = "time")]
times!(time::OffsetDateTime, "time", |time| time.unix_timestamp_nanos(), |micros| {
    time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()
});

#[cfg(feature = "time")]
times!(time::UtcDateTime, "time", |time| time.unix_timestamp_nanos(), |micros| {
    time::UtcDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()
});

#[cfg(feature = "jiff")]
times!(jiff::Timestamp, "jiff", |time| time.as_nanosecond(), |micros| {
    jiff::Timestamp::from_microsecond(micros).ok()
});

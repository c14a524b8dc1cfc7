//! What generated code uses. Not part of the public API: it may change with every release.

pub use crate::field::{
    Bounded, ColumnType, ColumnValue, FieldError, Fields, Indexable, KeyValue, decode_enum, decode_field,
    decode_json, encode_json,
};
pub use crate::row::RowWriter;
pub use crate::schema::{ColumnSchema, Entity, IndexKind, IndexSchema, TableSchema};
pub use crate::value::{Value, ValueRef};

/// A value as a column's default: what rows older than the column have.
pub fn default_value<V: ColumnValue>(value: &V) -> Option<Value> {
    Some(value.as_value().to_value())
}

/// A JSON field's default as the value rows older than the column have.
pub fn default_json<V: serde::Serialize>(value: &V) -> Option<Value> {
    serde_json::to_string(value).ok().map(Value::Text)
}

/// Fails to compile, at the field's type, where a type can't be indexed.
pub const fn assert_indexable<V: Indexable>() {}

/// Fails to compile, at the field's type, where a type can't be a key.
pub const fn assert_key<V: KeyValue>() {}

/// Fails to compile, at the field's type, where `max_len` has nothing to bound.
pub const fn assert_bounded<V: Bounded>() {}

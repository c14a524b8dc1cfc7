//! What generated code uses. Not part of the public API: it may change with every release.

pub use serde::Serialize;
pub use serde::de::DeserializeOwned;

pub use crate::field::{
    Bounded, ColumnEnum, ColumnType, ColumnValue, FieldError, Fields, Indexable, KeyValue, Stored, decode_enum,
    encode_json,
};
pub use crate::query::column::{Column, Json};
pub use crate::row::RowWriter;
pub use crate::schema::{ColumnSchema, Entity, IndexKind, IndexSchema, TableSchema};
pub use crate::value::{Value, ValueRef};

/// What a struct has as its schema while its derive reports a mistake.
pub const NO_TABLE: &TableSchema = &TableSchema { name: "", columns: &[], indexes: &[] };

/// A column; a `max_len` of 0 is none.
#[must_use]
pub const fn column(
    name: &'static str,
    ty: ColumnType,
    nullable: bool,
    max_len: u32,
    has_default: bool,
) -> ColumnSchema {
    let max_len = if max_len == 0 { None } else { Some(max_len) };
    ColumnSchema { name, ty, nullable, max_len, has_default }
}

/// An index.
#[must_use]
pub const fn index(kind: IndexKind, columns: &'static [usize], channel: &'static str) -> IndexSchema {
    IndexSchema { kind, columns, channel }
}

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

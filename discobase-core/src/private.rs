//! What generated code uses. Not part of the public API: it may change with every release.

pub use std::any::Any;

pub use serde::Serialize;
pub use serde::de::DeserializeOwned;

pub use crate::db::Database;
pub use crate::decode::Stored;
pub use crate::error::Result;
pub use crate::field::{
    Bounded, ColumnEnum, ColumnType, ColumnValue, FieldError, Indexable, KeyValue, NotOption, decode_enum,
    encode, encode_json,
};
pub use crate::foreign::rules::{garde, validator};
pub use crate::orm::model::builder::{Assign, Given, Missing, NoBuilder, given, unfilled};
pub use crate::orm::model::{HookTable, Hooks, SoftDelete};
pub use crate::orm::relation::{
    BelongsTo, HasMany, HasOne, Keyed, ManyToMany, RefersTo, back, children, link, linked, only_child,
    parent, set_links, unlink,
};
pub use crate::orm::{Find, FindLenient};
pub use crate::orm::{Save, Source, Table, Writable};
use crate::query::column::Operand;
pub use crate::query::column::{Column, Json};
pub use crate::query::projection::{Parts, Projected, Projection, projected};
pub use crate::query::with::{Converts, With, converted, decode_with, default_with, encode_with};
pub use crate::row::RowWriter;
pub use crate::schema::column;
pub use crate::schema::embedded::{
    Embedded, Part, all_columns, all_indexes, are_distinct, are_short, column_count, index_count, name_bytes,
    names, positions,
};
pub use crate::schema::{
    ColumnSchema, Entity, IndexKind, IndexSchema, Model, OnDelete, ReferenceSchema, TableSchema,
};
pub use crate::validate::{Pattern, Violations, at_least, at_most, length};
pub use crate::value::{Value, ValueRef};
pub use crate::wire::Reader;

/// What a struct has as its schema while its derive reports a mistake.
pub const NO_TABLE: &TableSchema = &TableSchema { name: "", columns: &[], indexes: &[], renamed_from: None };

/// An index.
#[must_use]
pub const fn index(kind: IndexKind, columns: &'static [usize], channel: &'static str) -> IndexSchema {
    IndexSchema { kind, columns, channel, references: None }
}

/// The same column, which had another name before.
#[must_use]
pub const fn renamed(column: ColumnSchema, from: &'static str) -> ColumnSchema {
    ColumnSchema { renamed_from: Some(from), ..column }
}

/// The same index, of columns that refer to a table's key.
#[must_use]
pub const fn referring(index: IndexSchema, table: &'static str, on_delete: OnDelete) -> IndexSchema {
    IndexSchema { references: Some(ReferenceSchema { table, on_delete }), ..index }
}

/// A value as a field's default.
pub fn default_value<V: ColumnValue>(value: &V) -> Option<Value> {
    Some(value.as_value().to_value())
}

/// A JSON field's default, as its text.
pub fn default_json<V: Serialize>(value: &V) -> Option<Value> {
    serde_json::to_string(value).ok().map(Value::Text)
}

/// A column type that can have a text literal as its `default`.
#[diagnostic::on_unimplemented(
    message = "a text can't be the default of `{Self}`",
    label = "needs a `{Self}`",
    note = "a text literal is the default of a String or an Option<String>; other types take an expression of their own"
)]
pub trait TextDefault {
    /// The value.
    fn text_default(text: &str) -> Self;
}

impl TextDefault for String {
    fn text_default(text: &str) -> Self {
        text.to_owned()
    }
}

impl TextDefault for Option<String> {
    fn text_default(text: &str) -> Self {
        Some(text.to_owned())
    }
}

/// Whether the type has an order.
#[must_use]
pub const fn is_indexable(ty: ColumnType) -> bool {
    !matches!(ty, ColumnType::Json)
}

/// Whether the type has a length.
#[must_use]
pub const fn is_bounded(ty: ColumnType) -> bool {
    matches!(ty, ColumnType::Text | ColumnType::Bytes)
}

/// Whether the type is one that `auto` can number.
#[must_use]
pub const fn is_integer(ty: ColumnType) -> bool {
    matches!(ty, ColumnType::Signed { .. } | ColumnType::Unsigned { .. })
}

/// Whether the type is a point in time.
#[must_use]
pub const fn is_timestamp(ty: ColumnType) -> bool {
    matches!(ty, ColumnType::Timestamp)
}

/// Whether the type's values are more or less, and not only before or after each other.
#[must_use]
pub const fn is_ranged(ty: ColumnType) -> bool {
    is_integer(ty) || matches!(ty, ColumnType::Float { .. } | ColumnType::Timestamp)
}

/// Whether the type is text.
#[must_use]
pub const fn is_text(ty: ColumnType) -> bool {
    matches!(ty, ColumnType::Text)
}

/// A bound of `range` for a field of type `V`.
pub fn bound<V>(bound: impl Operand<V>) -> Value {
    bound.into_value()
}

/// The struct whose fields have these values, a value for each column in the order of the fields.
///
/// # Errors
/// The position of the first field that can't have its value, and why.
pub fn from_values<'a, T: Entity>(
    values: impl ExactSizeIterator<Item = ValueRef<'a>>,
) -> Result<T, (usize, FieldError)> {
    let columns: Vec<usize> = (0..values.len()).collect();
    let mut row = RowWriter::new(columns.len());
    values.for_each(|value| row.put(value));
    T::decode(&Stored::of(&row.finish(), &columns, T::default_value))
}

/// The column at a position of all columns of its table.
#[must_use]
pub fn column_at<T, V>(all: &'static [ColumnSchema], position: usize) -> Column<T, V> {
    Column::new(position, all.get(position).map_or("", |column| column.name))
}

//! From a row to a struct: what generated code reads the fields through.

use std::cell::Cell;

use serde::de::DeserializeOwned;

use crate::field::{ColumnValue, FieldError};
use crate::row::{Row, RowRef, Values};
use crate::value::{Value, ValueRef};

/// One row that is made into a struct: its values by the position of the struct's field, and the defaults of the
/// columns it is older than.
///
/// Fields that are read in the order of their columns, as most structs are, are read on the way, without looking at any
/// value twice.
pub struct Stored<'a> {
    row: RowRef<'a>,
    next: Cell<Values<'a>>,
    /// Column ids by the position of the field.
    columns: &'a [usize],
    default: fn(usize) -> Option<Value>,
}

/// The position of a field, and what is wrong with its value.
type Wrong = (usize, FieldError);

impl<'a> Stored<'a> {
    #[inline]
    pub(crate) fn new(row: RowRef<'a>, columns: &'a [usize], default: fn(usize) -> Option<Value>) -> Self {
        Self { row, next: Cell::new(row.read()), columns, default }
    }

    /// A row, the column of each field, and the struct's `default_value`.
    #[must_use]
    pub fn of(row: &'a Row, columns: &'a [usize], default: fn(usize) -> Option<Value>) -> Self {
        Self::new(row.borrow(), columns, default)
    }

    /// The field at `position`.
    ///
    /// # Errors
    /// The position, and what is wrong with the value.
    #[inline]
    pub fn read<V: ColumnValue>(&self, position: usize) -> Result<V, Wrong> {
        let mut next = self.next.get();
        match next.open(self.column(position)).and_then(V::read) {
            Some(value) => {
                self.next.set(next);
                Ok(value)
            }
            None => self.field(position, V::decode),
        }
    }

    /// The field at `position`, as `decode` makes it of the value: the way that works for all columns, those in another
    /// order than the fields, those that the row is older than, and those with values that the type does not have.
    ///
    /// # Errors
    /// The position, and what is wrong with the value.
    pub fn field<V>(
        &self,
        position: usize,
        decode: fn(ValueRef<'_>) -> Result<V, FieldError>,
    ) -> Result<V, Wrong> {
        let mut next = self.row.read();
        let decoded = match next.at(self.column(position)) {
            Some(value) => {
                self.next.set(next);
                decode(value)
            }
            None => decode((self.default)(position).as_ref().map_or(ValueRef::Null, Value::as_ref)),
        };
        decoded.map_err(|error| (position, error))
    }

    /// The field at `position`, from JSON text.
    ///
    /// # Errors
    /// The position, and what is wrong with the value.
    pub fn json<V: DeserializeOwned>(&self, position: usize) -> Result<V, Wrong> {
        self.field(position, from_json)
    }

    #[inline]
    fn column(&self, position: usize) -> usize {
        self.columns.get(position).copied().unwrap_or(usize::MAX)
    }
}

/// What JSON text says.
///
/// # Errors
/// When it is no JSON text, or none of the type.
pub(crate) fn from_json<V: DeserializeOwned>(value: ValueRef<'_>) -> Result<V, FieldError> {
    let ValueRef::Text(text) = value else {
        return Err(FieldError(format!("expected JSON, found {value}")));
    };
    serde_json::from_str(text)
        .map_err(|error| FieldError(format!("the JSON does not fit the field's type: {error}")))
}

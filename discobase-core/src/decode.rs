//! From a row to a struct: what generated code reads the fields through.

use std::cell::Cell;

use serde::de::DeserializeOwned;

use crate::field::{ColumnValue, FieldError};
use crate::row::{Row, RowRef};
use crate::value::{Value, ValueRef};
use crate::wire::{Reader, number, skip_many};

/// One row that is made into a struct: its values by the position of the struct's field, and the defaults of the
/// columns it is older than.
///
/// Fields that are read in the order of their columns, as most structs are, are read on the way, without looking at any
/// value twice.
pub struct Stored<'a> {
    row: RowRef<'a>,
    /// What was not read yet, from the value of column `at` on. Cells of their own: the processor would wait for what is
    /// written to memory in parts and read as one.
    rest: Cell<&'a [u8]>,
    at: Cell<usize>,
    /// How many values the row has.
    count: usize,
    /// Column ids by the position of the field.
    columns: &'a [usize],
    older: Older<'a>,
}

/// What a row has in columns that it is older than, by the position of the field.
#[derive(Clone, Copy)]
enum Older<'a> {
    /// What the table says of it, as queries find it.
    Table(&'a [Option<Value>]),
    /// The row is of no table: what the struct says.
    Struct(fn(usize) -> Option<Value>),
}

/// The position of a field, and what is wrong with its value.
type Wrong = (usize, FieldError);

impl<'a> Stored<'a> {
    /// A row of a table, and of each field the column and what the table says that older rows have in it.
    #[inline]
    pub(crate) fn new(row: RowRef<'a>, columns: &'a [usize], older: &'a [Option<Value>]) -> Self {
        Self::with(row, columns, Older::Table(older))
    }

    /// A row that is in no table, the column of each field, and the struct's `default_value`.
    #[must_use]
    pub fn of(row: &'a Row, columns: &'a [usize], default: fn(usize) -> Option<Value>) -> Self {
        Self::with(row.borrow(), columns, Older::Struct(default))
    }

    #[inline]
    fn with(row: RowRef<'a>, columns: &'a [usize], older: Older<'a>) -> Self {
        let (count, rest) = number(row.as_bytes()).unwrap_or_default();
        Self { row, rest: Cell::new(rest), at: Cell::new(0), count: count as usize, columns, older }
    }

    /// The field at `position`.
    ///
    /// # Errors
    /// The position, and what is wrong with the value.
    #[inline(always)]
    pub fn read<V: ColumnValue>(&self, position: usize) -> Result<V, Wrong> {
        match self.read_next(self.column(position)) {
            Some(value) => Ok(value),
            None => self.field(position, V::decode),
        }
    }

    /// The value of a column that was not passed yet, if it can be read by the short way.
    #[inline(always)]
    fn read_next<V: ColumnValue>(&self, column: usize) -> Option<V> {
        let (at, mut rest) = (self.at.get(), self.rest.get());
        if column >= self.count || column < at {
            return None;
        }
        if column > at {
            rest = skip_many(rest, column - at)?;
        }
        let mut reader = Reader::new(rest);
        let value = V::read(&mut reader)?;
        self.rest.set(reader.rest());
        self.at.set(column + 1);
        Some(value)
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
        let (mut next, column) = (self.row.read(), self.column(position));
        let decoded = match next.at(column) {
            Some(value) => {
                self.rest.set(next.rest());
                self.at.set(column + 1);
                decode(value)
            }
            None => match self.older {
                Older::Table(older) => decode(or_null(older.get(position).and_then(Option::as_ref))),
                Older::Struct(default) => decode(or_null(default(position).as_ref())),
            },
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

fn or_null(value: Option<&Value>) -> ValueRef<'_> {
    value.map_or(ValueRef::Null, Value::as_ref)
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

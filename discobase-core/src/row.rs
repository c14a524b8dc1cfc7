//! Rows as they are kept in memory and written to the guild: values in the order of their column ids.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::value::ValueRef;
use crate::wire::{Reader, WireError, put_value, put_varint};

/// One encoded row, shared and immutable: the number of its values, then the values by column id.
///
/// A row written before a column was added is shorter than the table; the missing values are the columns'
/// defaults.
#[derive(Clone, PartialEq, Eq)]
pub struct Row(Arc<[u8]>);

impl Row {
    /// Checks `bytes` and keeps them as a row.
    ///
    /// # Errors
    /// When the bytes are not the canonical encoding of a row.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        skip_row(&mut reader)?;
        if reader.is_empty() { Ok(Self(bytes.into())) } else { Err(WireError::Trailing) }
    }

    /// The encoding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The row, borrowed.
    pub(crate) fn borrow(&self) -> RowRef<'_> {
        RowRef(&self.0)
    }

    /// The value of column `id`, or `None` when the row is older than the column.
    #[must_use]
    pub fn value(&self, id: usize) -> Option<ValueRef<'_>> {
        self.borrow().value(id)
    }

    /// All values by column id.
    #[must_use]
    pub fn values(&self) -> SmallVec<[ValueRef<'_>; 16]> {
        self.borrow().values()
    }
}

/// A row whose bytes lie elsewhere, for example in a page of a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowRef<'a>(&'a [u8]);

impl<'a> RowRef<'a> {
    /// The row that `bytes` are; they were checked before.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The encoding.
    #[inline]
    pub(crate) fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// A copy of its own.
    pub(crate) fn to_row(self) -> Row {
        Row(self.0.into())
    }

    /// The value of column `id`, or `None` when the row is older than the column.
    #[inline]
    pub(crate) fn value(self, id: usize) -> Option<ValueRef<'a>> {
        self.read().at(id)
    }

    /// The values from the first one on, to be read in their order.
    #[inline]
    pub(crate) fn read(self) -> Values<'a> {
        let mut reader = Reader::new(self.0);
        let count = reader.varint().unwrap_or(0);
        Values { reader, column: 0, count: count as usize }
    }

    /// The encodings of all values by column id.
    pub(crate) fn encoded(self) -> SmallVec<[&'a [u8]; 16]> {
        let mut reader = Reader::new(self.0);
        let count = reader.varint().unwrap_or(0);
        let mut next = || {
            let before = reader.rest();
            reader.skip_value()?;
            before.get(..before.len() - reader.rest().len())
        };
        (0..count).map_while(|_| next()).collect()
    }

    /// All values by column id.
    pub(crate) fn values(self) -> SmallVec<[ValueRef<'a>; 16]> {
        let mut reader = Reader::new(self.0);
        let count = reader.varint().unwrap_or(0);
        (0..count).map_while(|_| reader.value().ok()).collect()
    }
}

/// A row that is being read: the values from some column on.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    reader: Reader<'a>,
    column: usize,
    count: usize,
}

impl<'a> Values<'a> {
    /// The encodings of the values that were not passed yet.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }

    /// Reads the value of a column that was not passed yet, or `None` when the row is older than the column.
    #[inline]
    pub(crate) fn at(&mut self, column: usize) -> Option<ValueRef<'a>> {
        if column >= self.count {
            return None;
        }
        for _ in self.column..column {
            self.reader.skip_value()?;
        }
        self.column = column + 1;
        self.reader.checked_value()
    }
}

impl fmt::Debug for RowRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values().iter().map(|value| format!("{value}"))).finish()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrow().fmt(f)
    }
}

/// Checks one row at the front of `reader`, passes over it and returns its bytes.
pub(crate) fn skip_row<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], WireError> {
    let start = reader.rest();
    let count = reader.varint()?;
    for _ in 0..count {
        reader.value()?;
    }
    let length = start.len() - reader.rest().len();
    start.get(..length).ok_or(WireError::Truncated)
}

/// Takes one checked row from the front of `reader`.
pub(crate) fn read_row(reader: &mut Reader<'_>) -> Result<Row, WireError> {
    skip_row(reader).map(|bytes| Row(bytes.into()))
}

/// Builds a row value by value, in the order of the column ids.
#[derive(Debug)]
pub struct RowWriter {
    bytes: Vec<u8>,
}

impl RowWriter {
    /// Begins a row of `columns` values; exactly so many must be put.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        let mut bytes = Vec::with_capacity(16 + columns * 8);
        put_varint(&mut bytes, columns as u64);
        Self { bytes }
    }

    /// Puts the next value.
    #[inline]
    pub fn put(&mut self, value: ValueRef<'_>) {
        put_value(&mut self.bytes, value);
    }

    /// Puts the next value, which is encoded already.
    pub(crate) fn put_encoded(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }

    /// The finished row.
    #[must_use]
    pub fn finish(self) -> Row {
        Row(self.bytes.into())
    }
}

//! Blocks of rows: their ids, versions and lengths in columns, then the rows themselves.

use crate::codec::segment::SegmentError;
use crate::codec::segment::writer::Filling;
use crate::ids::{RowId, Seq};
use crate::row::skip_row;
use crate::wire::{Reader, WireError, put_bytes, put_signed, put_varint};

/// A row's place in the order of a run.
pub(crate) fn row_position(row: RowId) -> [u8; 8] {
    row.get().to_be_bytes()
}

/// A row of a block, or that it was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowEntry<'a> {
    pub(crate) row: RowId,
    /// The commit that wrote or deleted it.
    pub(crate) version: Seq,
    /// The row's encoding; `None` if it was deleted.
    pub(crate) values: Option<&'a [u8]>,
}

/// A block in the making.
#[derive(Debug, Default)]
pub(crate) struct RowBlockBuilder {
    count: u64,
    rows: Vec<u8>,
    versions: Vec<u8>,
    lengths: Vec<u8>,
    values: Vec<u8>,
    last_row: u64,
    last_version: u64,
}

impl RowBlockBuilder {
    pub(super) fn put(&mut self, entry: RowEntry<'_>) {
        let (row, version) = (entry.row.get(), entry.version.get());
        put_varint(&mut self.rows, row.wrapping_sub(self.last_row));
        put_signed(&mut self.versions, version.wrapping_sub(self.last_version) as i64);
        let values = entry.values.unwrap_or_default();
        // No row is empty, so a length of 0 is a deleted one.
        put_varint(&mut self.lengths, values.len() as u64);
        self.values.extend_from_slice(values);
        (self.last_row, self.last_version) = (row, version);
        self.count += 1;
    }
}

impl Filling for RowBlockBuilder {
    fn size(&self) -> usize {
        self.rows.len() + self.versions.len() + self.lengths.len() + self.values.len()
    }

    fn take(&mut self) -> Vec<u8> {
        let Self { count, rows, versions, lengths, values, .. } = std::mem::take(self);
        let mut out = Vec::with_capacity(rows.len() + versions.len() + lengths.len() + values.len() + 24);
        put_varint(&mut out, count);
        for column in [&rows, &versions, &lengths] {
            put_bytes(&mut out, column);
        }
        out.extend_from_slice(&values);
        out
    }
}

/// An unpacked block of rows, read from its front to its end.
#[derive(Debug, Clone)]
pub(crate) struct RowBlock<'a> {
    left: u64,
    rows: Reader<'a>,
    versions: Reader<'a>,
    lengths: Reader<'a>,
    values: Reader<'a>,
    last: RowEntry<'a>,
    first: bool,
}

impl<'a> RowBlock<'a> {
    /// The block in `plain`.
    ///
    /// # Errors
    /// When it is no block.
    pub(crate) fn new(plain: &'a [u8]) -> Result<Self, SegmentError> {
        let mut reader = Reader::new(plain);
        let left = reader.varint()?;
        let mut column = || reader.bytes().map(Reader::new);
        let (rows, versions, lengths) = (column()?, column()?, column()?);
        let last = RowEntry { row: RowId::new(0), version: Seq::new(0), values: None };
        Ok(Self { left, rows, versions, lengths, values: reader, last, first: true })
    }

    fn entry(&mut self) -> Result<RowEntry<'a>, SegmentError> {
        let step = self.rows.varint()?;
        if step == 0 && !self.first {
            return Err(SegmentError::Order);
        }
        self.first = false;
        let row = self.last.row.get().checked_add(step).ok_or(SegmentError::Order)?;
        let version = self.last.version.get().wrapping_add(self.versions.signed()? as u64);
        let length = usize::try_from(self.lengths.varint()?).map_err(|_| WireError::Truncated)?;
        let values = match length {
            0 => None,
            length => {
                let bytes = self.values.take(length)?;
                let mut row = Reader::new(bytes);
                skip_row(&mut row)?;
                if !row.is_empty() {
                    return Err(WireError::Trailing.into());
                }
                Some(bytes)
            }
        };
        self.last = RowEntry { row: RowId::new(row), version: Seq::new(version), values };
        Ok(self.last)
    }

    /// The entry of one row, if the block has it.
    ///
    /// # Errors
    /// When the block is damaged before the row.
    pub(crate) fn find(self, row: RowId) -> Result<Option<RowEntry<'a>>, SegmentError> {
        for entry in self {
            let entry = entry?;
            if entry.row >= row {
                return Ok((entry.row == row).then_some(entry));
            }
        }
        Ok(None)
    }
}

impl<'a> Iterator for RowBlock<'a> {
    type Item = Result<RowEntry<'a>, SegmentError>;

    /// The next entry; an error is the last item.
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(left) = self.left.checked_sub(1) {
            let entry = self.entry();
            self.left = if entry.is_ok() { left } else { 0 };
            if entry.is_err() {
                self.end();
            }
            return Some(entry);
        }
        let columns = [self.rows, self.versions, self.lengths, self.values];
        let trailing = columns.iter().any(|column| !column.is_empty());
        self.end();
        trailing.then_some(Err(WireError::Trailing.into()))
    }
}

impl RowBlock<'_> {
    /// Nothing follows.
    fn end(&mut self) {
        let nothing = Reader::new(&[]);
        (self.rows, self.versions, self.lengths, self.values) = (nothing, nothing, nothing, nothing);
    }
}

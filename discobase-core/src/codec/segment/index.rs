//! Blocks of index entries: keys without what they share with the one before, and the rows that have them.

use crate::codec::segment::writer::Filling;
use crate::codec::segment::{SegmentError, common_prefix};
use crate::ids::RowId;
use crate::wire::{Reader, WireError, put_bytes, put_signed, put_varint};

/// An entry's place in the order of a run: no key is the front of another, so the row id behind it only orders the
/// entries of one key.
pub(crate) fn index_position(key: &[u8], row: RowId) -> Vec<u8> {
    [key, &row.get().to_be_bytes()].concat()
}

/// A block in the making.
#[derive(Debug, Default)]
pub(crate) struct IndexBlockBuilder {
    count: u64,
    shared: Vec<u8>,
    lengths: Vec<u8>,
    rows: Vec<u8>,
    keys: Vec<u8>,
    last_key: Vec<u8>,
    last_row: u64,
}

impl IndexBlockBuilder {
    pub(super) fn put(&mut self, key: &[u8], row: RowId) {
        let shared = common_prefix(&self.last_key, key);
        let rest = key.get(shared..).unwrap_or_default();
        put_varint(&mut self.shared, shared as u64);
        put_varint(&mut self.lengths, rest.len() as u64);
        put_signed(&mut self.rows, row.get().wrapping_sub(self.last_row) as i64);
        self.keys.extend_from_slice(rest);
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(rest);
        self.last_row = row.get();
        self.count += 1;
    }
}

impl Filling for IndexBlockBuilder {
    fn size(&self) -> usize {
        self.shared.len() + self.lengths.len() + self.rows.len() + self.keys.len()
    }

    fn take(&mut self) -> Vec<u8> {
        let Self { count, shared, lengths, rows, keys, .. } = std::mem::take(self);
        let mut out = Vec::with_capacity(shared.len() + lengths.len() + rows.len() + keys.len() + 24);
        put_varint(&mut out, count);
        for column in [&shared, &lengths, &rows] {
            put_bytes(&mut out, column);
        }
        out.extend_from_slice(&keys);
        out
    }
}

/// An unpacked block of index entries, read from its front to its end.
#[derive(Debug, Clone)]
pub(crate) struct IndexBlock<'a> {
    left: u64,
    shared: Reader<'a>,
    lengths: Reader<'a>,
    rows: Reader<'a>,
    keys: Reader<'a>,
    key: Vec<u8>,
    row: u64,
    first: bool,
}

impl<'a> IndexBlock<'a> {
    /// The block in `plain`.
    ///
    /// # Errors
    /// When it is no block.
    pub(crate) fn new(plain: &'a [u8]) -> Result<Self, SegmentError> {
        let mut reader = Reader::new(plain);
        let left = reader.varint()?;
        let mut column = || reader.bytes().map(Reader::new);
        let (shared, lengths, rows) = (column()?, column()?, column()?);
        Ok(Self { left, shared, lengths, rows, keys: reader, key: Vec::new(), row: 0, first: true })
    }

    /// The next entry: its key and its row.
    ///
    /// # Errors
    /// When the block is damaged; nothing can be read of it behind that.
    pub(crate) fn next(&mut self) -> Result<Option<(&[u8], RowId)>, SegmentError> {
        let Some(left) = self.left.checked_sub(1) else {
            let columns = [self.shared, self.lengths, self.rows, self.keys];
            let whole = columns.iter().all(|column| column.is_empty());
            return if whole { Ok(None) } else { Err(WireError::Trailing.into()) };
        };
        self.left = left;
        let shared = usize::try_from(self.shared.varint()?).map_err(|_| SegmentError::Order)?;
        let length = usize::try_from(self.lengths.varint()?).map_err(|_| WireError::Truncated)?;
        let rest = self.keys.take(length)?;
        let row = self.row.wrapping_add(self.rows.signed()? as u64);
        let old = self.key.get(shared..).ok_or(SegmentError::Order)?;
        // What two keys share is cut off in full, and a key's end is before whatever goes on.
        let rises = match (old.first(), rest.first()) {
            (Some(old), Some(new)) => old < new,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => row > self.row || self.first,
        };
        if !rises {
            return Err(SegmentError::Order);
        }
        self.key.truncate(shared);
        self.key.extend_from_slice(rest);
        (self.row, self.first) = (row, false);
        Ok(Some((&self.key, RowId::new(row))))
    }

    /// The rows that have exactly this key.
    ///
    /// # Errors
    /// When the block is damaged before the key's end.
    pub(crate) fn find(mut self, wanted: &[u8]) -> Result<Vec<RowId>, SegmentError> {
        let mut found = Vec::new();
        while let Some((key, row)) = self.next()? {
            match key.cmp(wanted) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => found.push(row),
                std::cmp::Ordering::Greater => break,
            }
        }
        Ok(found)
    }
}

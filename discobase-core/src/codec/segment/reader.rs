//! Reading whole segments: verified against what the checkpoint says of them.

use crate::codec::checkpoint::{Block, SEGMENT_MAGIC, Segment};
use crate::codec::segment::block::open_block;
use crate::codec::segment::index::{IndexBlock, index_position};
use crate::codec::segment::rows::{RowBlock, RowEntry, row_position};
use crate::codec::segment::{Sealing, SegmentError, SegmentOf};
use crate::ids::RowId;

/// Whether `file` is the segment, as a whole.
///
/// # Errors
/// When its size or its hash is another.
fn verify(segment: &Segment, file: &[u8]) -> Result<(), SegmentError> {
    if file.len() as u64 != segment.bytes() {
        return Err(SegmentError::Length { expected: segment.bytes(), found: file.len() as u64 });
    }
    if *blake3::hash(file).as_bytes() != segment.hash {
        return Err(SegmentError::Hash);
    }
    if file.starts_with(SEGMENT_MAGIC) { Ok(()) } else { Err(SegmentError::Magic) }
}

/// Reads a whole segment of rows, in the order of their ids.
///
/// # Errors
/// When the file is not what the checkpoint says, in any respect. What `each` was given before is void then.
pub(crate) fn read_rows(
    of: &SegmentOf,
    sealing: &Sealing,
    segment: &Segment,
    file: &[u8],
    mut each: impl FnMut(RowEntry<'_>),
) -> Result<(), SegmentError> {
    let mut counts = (0, 0);
    read_blocks(of, sealing, segment, file, |bounds, plain| {
        for entry in RowBlock::new(plain)? {
            let entry = entry?;
            bounds.check(&row_position(entry.row))?;
            *(if entry.values.is_some() { &mut counts.0 } else { &mut counts.1 }) += 1;
            each(entry);
        }
        Ok(())
    })?;
    counted(segment, counts)
}

/// Reads a whole segment of index entries, in their order.
///
/// # Errors
/// When the file is not what the checkpoint says, in any respect. What `each` was given before is void then.
pub(crate) fn read_entries(
    of: &SegmentOf,
    sealing: &Sealing,
    segment: &Segment,
    file: &[u8],
    mut each: impl FnMut(&[u8], RowId),
) -> Result<(), SegmentError> {
    let mut count = 0;
    read_blocks(of, sealing, segment, file, |bounds, plain| {
        let mut block = IndexBlock::new(plain)?;
        while let Some((key, row)) = block.next()? {
            bounds.check(&index_position(key, row))?;
            count += 1;
            each(key, row);
        }
        Ok(())
    })?;
    counted(segment, (count, 0))
}

/// Between which positions a block's entries lie.
struct Bounds<'a> {
    from: &'a [u8],
    /// Where the next block begins, if the segment has one.
    to: Option<&'a [u8]>,
}

impl Bounds<'_> {
    fn check(&self, position: &[u8]) -> Result<(), SegmentError> {
        let within = self.from <= position && self.to.is_none_or(|to| position < to);
        if within { Ok(()) } else { Err(SegmentError::Order) }
    }
}

fn read_blocks(
    of: &SegmentOf,
    sealing: &Sealing,
    segment: &Segment,
    file: &[u8],
    mut read: impl FnMut(&Bounds<'_>, &[u8]) -> Result<(), SegmentError>,
) -> Result<(), SegmentError> {
    verify(segment, file)?;
    let blocks = segment.blocks.as_slice();
    let next = blocks.iter().skip(1).map(|block: &Block| Some(&*block.from)).chain([None]);
    for (block, to) in blocks.iter().zip(next) {
        let bytes = file.get(block.range()).ok_or(SegmentError::Hash)?;
        let plain = open_block(of, sealing, block, bytes)?;
        read(&Bounds { from: &block.from, to }, &plain)?;
    }
    Ok(())
}

fn counted(segment: &Segment, (rows, tombstones): (u64, u64)) -> Result<(), SegmentError> {
    if (rows, tombstones) == (segment.rows, segment.tombstones) {
        return Ok(());
    }
    let expected = segment.rows.saturating_add(segment.tombstones);
    Err(SegmentError::Count { expected, found: rows + tombstones })
}

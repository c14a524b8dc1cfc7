//! Segments: files of rows and of index entries, whole and by single blocks.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;

use crate::codec::checkpoint::{Directory, Location, Run, SEGMENT_MAGIC, Segment};
use crate::codec::segment::segment_message as message_of;
use crate::codec::segment::{
    Built, IndexBlock, IndexWriter, Part, RowBlock, RowEntry, RowsWriter, Sealing, SegmentError,
    SegmentHeader, SegmentOf, index_position, open_block, read_entries, read_rows, row_position,
};
use crate::fuzzing::codec::posted;
use crate::fuzzing::source::Source;
use crate::ids::{ChannelId, MessageId, RowId, Seq, TableId};
use crate::transport::Attachment;

/// A segment of rows: see [`segment`].
pub fn row_segment(bytes: &[u8]) {
    segment::<Rows>(&mut Source::new(bytes), Part::Rows);
}

/// A segment of index entries: see [`segment`].
pub fn index_segment(bytes: &[u8]) {
    segment::<Entries>(&mut Source::new(bytes), Part::Index(1));
}

/// What the message of a segment says is read back from a message that says it.
pub fn segment_message(bytes: &[u8]) {
    let Ok(content) = std::str::from_utf8(bytes) else { return };
    let Some(header) = SegmentHeader::read(&posted(content.to_owned(), vec![file()])) else { return };
    let SegmentHeader { of, epoch, incarnation, hash, bytes, rows } = &header;
    // A file is not made as large as anybody says.
    let Some(size) = usize::try_from(*bytes).ok().filter(|size| *size <= 1 << 16) else { return };
    let built = Built {
        file: Bytes::from(vec![0; size]),
        hash: *hash,
        rows: *rows,
        tombstones: 0,
        blocks: Directory::default(),
        filter: None,
    };
    let written = message_of(of, *epoch, *incarnation, &built, String::new());
    let again = SegmentHeader::read(&posted(written.content, vec![file()]));
    assert_eq!(again, Some(header), "a segment's message is not read back");
}

fn file() -> Attachment {
    Attachment { id: 1, filename: "a.seg".to_owned(), size: 1, url: String::new() }
}

/// What rows and index entries have in common.
pub(super) trait Kind {
    /// Owned.
    type Entry: Debug + Clone + PartialEq;

    /// What is in an unpacked block.
    fn block(plain: &[u8]) -> Result<Vec<Self::Entry>, SegmentError>;
    /// What is in a file.
    fn read(
        of: &SegmentOf,
        sealing: &Sealing,
        segment: &Segment,
        file: &[u8],
    ) -> Result<Vec<Self::Entry>, SegmentError>;
    /// Writes entries.
    fn write(of: &SegmentOf, entries: &[Self::Entry]) -> Result<Vec<Built>, SegmentError>;
    fn position(entry: &Self::Entry) -> Vec<u8>;
    /// Whether a search in an unpacked block finds the entry.
    fn is_found(plain: &[u8], entry: &Self::Entry) -> Result<bool, SegmentError>;
    fn is_tombstone(entry: &Self::Entry) -> bool;
}

pub(super) struct Rows;

impl Kind for Rows {
    type Entry = (RowId, Seq, Option<Vec<u8>>);

    fn block(plain: &[u8]) -> Result<Vec<Self::Entry>, SegmentError> {
        RowBlock::new(plain)?.map(|entry| entry.map(owned)).collect()
    }

    fn read(
        of: &SegmentOf,
        sealing: &Sealing,
        segment: &Segment,
        file: &[u8],
    ) -> Result<Vec<Self::Entry>, SegmentError> {
        let mut entries = Vec::new();
        read_rows(of, sealing, segment, file, |entry| entries.push(owned(entry)))?;
        Ok(entries)
    }

    fn write(of: &SegmentOf, entries: &[Self::Entry]) -> Result<Vec<Built>, SegmentError> {
        let mut writer = RowsWriter::new(of.clone(), Sealing::Clear)?;
        for (row, version, values) in entries {
            writer.put(RowEntry { row: *row, version: *version, values: values.as_deref() })?;
        }
        writer.finish()
    }

    fn position((row, ..): &Self::Entry) -> Vec<u8> {
        row_position(*row).to_vec()
    }

    fn is_found(plain: &[u8], entry: &Self::Entry) -> Result<bool, SegmentError> {
        Ok(RowBlock::new(plain)?.find(entry.0)?.map(owned).as_ref() == Some(entry))
    }

    fn is_tombstone((.., values): &Self::Entry) -> bool {
        values.is_none()
    }
}

fn owned(entry: RowEntry<'_>) -> (RowId, Seq, Option<Vec<u8>>) {
    (entry.row, entry.version, entry.values.map(<[u8]>::to_vec))
}

pub(super) struct Entries;

impl Kind for Entries {
    type Entry = (Vec<u8>, RowId);

    fn block(plain: &[u8]) -> Result<Vec<Self::Entry>, SegmentError> {
        let (mut block, mut entries) = (IndexBlock::new(plain)?, Vec::new());
        while let Some((key, row)) = block.next()? {
            entries.push((key.to_vec(), row));
        }
        Ok(entries)
    }

    fn read(
        of: &SegmentOf,
        sealing: &Sealing,
        segment: &Segment,
        file: &[u8],
    ) -> Result<Vec<Self::Entry>, SegmentError> {
        let mut entries = Vec::new();
        read_entries(of, sealing, segment, file, |key, row| entries.push((key.to_vec(), row)))?;
        Ok(entries)
    }

    fn write(of: &SegmentOf, entries: &[Self::Entry]) -> Result<Vec<Built>, SegmentError> {
        let mut writer = IndexWriter::new(of.clone(), Sealing::Clear)?;
        for (key, row) in entries {
            writer.put(key, *row)?;
        }
        writer.finish()
    }

    fn position((key, row): &Self::Entry) -> Vec<u8> {
        index_position(key, *row)
    }

    fn is_found(plain: &[u8], (key, row): &Self::Entry) -> Result<bool, SegmentError> {
        Ok(IndexBlock::new(plain)?.find(key)?.contains(row))
    }

    fn is_tombstone(_: &Self::Entry) -> bool {
        false
    }
}

pub(super) fn segment_of(part: Part) -> SegmentOf {
    SegmentOf { db: Arc::from("shop"), table: TableId::new(3), part, run: (Seq::new(2), Seq::new(9)) }
}

/// Any blocks in a file, and any directory of them: what is read is in order, as much as the directory says, and the same
/// whether it is read whole or block by block; a block has one encoding; no block is taken for another.
fn segment<K: Kind>(source: &mut Source<'_>, part: Part) {
    let of = segment_of(part);
    let parts = parts::<K>(source);
    for (_, plain) in &parts {
        if let Ok(entries) = K::block(plain) {
            one_encoding::<K>(&of, plain, &entries);
        }
    }
    let (segment, file) = assemble::<K>(source, &parts);
    let read = K::read(&of, &Sealing::Clear, &segment, &file);
    by_blocks::<K>(&of, &segment, &file, read.as_deref().ok());
    let Ok(entries) = read else { return };
    let tombstones = entries.iter().filter(|entry| K::is_tombstone(entry)).count() as u64;
    assert_eq!((segment.rows, segment.tombstones), (entries.len() as u64 - tombstones, tombstones));
    changed::<K>(source, &of, &segment, &file);
}

/// A block's position, and the block itself, before it is packed.
type Block = (Vec<u8>, Vec<u8>);

fn parts<K: Kind>(source: &mut Source<'_>) -> Vec<Block> {
    source.list(4, |source| {
        let given = source.flag();
        let from = if given { source.bytes().to_vec() } else { Vec::new() };
        let plain = source.chunk().to_vec();
        // Where it says, or where it really begins.
        let first = K::block(&plain).ok().and_then(|entries| entries.first().map(K::position));
        (if given { from } else { first.unwrap_or_default() }, plain)
    })
}

/// The file, and a segment that its checks fit: no fuzzer would guess them.
fn assemble<K: Kind>(source: &mut Source<'_>, parts: &[Block]) -> (Segment, Vec<u8>) {
    let mut file = SEGMENT_MAGIC.to_vec();
    let mut blocks = Directory::default();
    let mut counts = (0, 0);
    for (from, plain) in parts {
        // What a block holds may be no Zstandard frame at all.
        let packed = if source.rarely(8) {
            source.bytes().to_vec()
        } else {
            zstd::bulk::compress(plain, 1).unwrap_or_default()
        };
        let mut check = [0; 8];
        check.iter_mut().zip(blake3::hash(&packed).as_bytes()).for_each(|(to, from)| *to = *from);
        let unpacked = if source.rarely(8) { source.number() as u32 } else { plain.len() as u32 };
        let _listed = blocks.push(from.as_slice().into(), packed.len() as u32, unpacked, check);
        file.extend(packed);
        let entries = K::block(plain).unwrap_or_default();
        let tombstones = entries.iter().filter(|entry| K::is_tombstone(entry)).count();
        counts = (counts.0 + entries.len() - tombstones, counts.1 + tombstones);
    }
    if source.rarely(8) {
        counts.0 += 1;
    }
    let location = Location { channel: ChannelId::new(7), message: MessageId::new(5) };
    let hash = *blake3::hash(&file).as_bytes();
    let segment =
        Segment { location, hash, rows: counts.0 as u64, tombstones: counts.1 as u64, blocks, filter: None };
    (segment, file)
}

/// What is read of a block is written as the same block.
fn one_encoding<K: Kind>(of: &SegmentOf, plain: &[u8], entries: &[K::Entry]) {
    let positions: Vec<_> = entries.iter().map(K::position).collect();
    // A run has no empty block, and no key that is the front of another one.
    if entries.is_empty() || !positions.is_sorted_by(|one, next| one < next) {
        return;
    }
    let built = K::write(of, entries).unwrap_or_else(|error| panic!("what was read is not written: {error}"));
    let [built] = &built[..] else { panic!("a small block became {} files", built.len()) };
    let [block] = built.blocks.as_slice() else { return };
    let bytes = built.file.get(block.range()).unwrap_or_default();
    let again = open_block(of, &Sealing::Clear, block, bytes);
    assert_eq!(again.as_deref(), Ok(plain), "a block has two encodings");
}

/// Blocks that are downloaded one by one say the same as the whole file: what is in it is found, in the block that the
/// directory names.
fn by_blocks<K: Kind>(of: &SegmentOf, segment: &Segment, file: &[u8], whole: Option<&[K::Entry]>) {
    let mut all = Vec::new();
    for block in segment.blocks.as_slice() {
        let Some(bytes) = file.get(block.range()) else { return };
        let Ok(plain) = open_block(of, &Sealing::Clear, block, bytes) else {
            return assert!(whole.is_none());
        };
        let Ok(entries) = K::block(&plain) else { return assert!(whole.is_none()) };
        all.extend(entries);
    }
    let Some(whole) = whole else { return };
    assert_eq!(all, whole, "block by block a segment is another one");
    let positions: Vec<_> = whole.iter().map(K::position).collect();
    if !positions.is_sorted_by(|one, next| one < next) {
        return;
    }
    let run = Run { from: of.run.0, to: of.run.1, segments: vec![segment.clone()] };
    for (entry, position) in whole.iter().zip(&positions) {
        let found = run.between(position, position).any(|(_, block)| {
            let bytes = file.get(block.range()).unwrap_or_default();
            open_block(of, &Sealing::Clear, block, bytes)
                .is_ok_and(|plain| K::is_found(&plain, entry) == Ok(true))
        });
        assert!(found, "{entry:?} is in a segment and not found in it");
    }
}

/// A file with another bit is not the segment, and its block not that block.
fn changed<K: Kind>(source: &mut Source<'_>, of: &SegmentOf, segment: &Segment, file: &[u8]) {
    let (at, bit) = (source.number() as usize % file.len(), source.below(8));
    let mut other = file.to_vec();
    if let Some(byte) = other.get_mut(at) {
        *byte ^= 1 << bit;
    }
    assert_eq!(K::read(of, &Sealing::Clear, segment, &other), Err(SegmentError::Hash));
    for block in segment.blocks.as_slice().iter().filter(|block| block.range().contains(&at)) {
        let bytes = other.get(block.range()).unwrap_or_default();
        assert_eq!(open_block(of, &Sealing::Clear, block, bytes), Err(SegmentError::Hash));
    }
}

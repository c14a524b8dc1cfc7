//! Writing segments: what is sorted goes in, files come out.

use bytes::Bytes;

use crate::codec::checkpoint::{Directory, FilterPart, Location, SEGMENT_MAGIC, Segment};
use crate::codec::segment::block::{Packed, Packer, check};
use crate::codec::segment::filter::{self, Filter, Mark};
use crate::codec::segment::index::{IndexBlockBuilder, index_position};
use crate::codec::segment::rows::{RowBlockBuilder, RowEntry, row_position};
use crate::codec::segment::{
    BLOCK_TARGET, FILE_TARGET, MAX_FILE, Sealing, SegmentError, SegmentOf, common_prefix,
};
use crate::ids::{RowId, Seq};

/// A file that is ready to be uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Built {
    pub(crate) file: Bytes,
    pub(crate) hash: [u8; 32],
    pub(crate) rows: u64,
    pub(crate) tombstones: u64,
    pub(crate) blocks: Directory,
    pub(crate) filter: Option<FilterPart>,
}

impl Built {
    /// The segment, now that it is known in which message it lies.
    pub(crate) fn at(self, location: Location) -> Segment {
        let Self { hash, rows, tombstones, blocks, filter, .. } = self;
        Segment { location, hash, rows, tombstones, blocks, filter }
    }
}

/// Writes the rows of a run, in the order of their ids.
pub(crate) type RowsWriter = Writer<RowBlockBuilder>;

/// Writes the entries of an index's run, in their order.
pub(crate) type IndexWriter = Writer<IndexBlockBuilder>;

/// Writes a run: fills one block after the other, and hands each to the file.
pub(crate) struct Writer<B> {
    block: B,
    cutter: Cutter,
}

/// A block in the making.
pub(crate) trait Filling: Default {
    /// Its size unpacked, but for a few bytes; 0 while nothing is in it.
    fn size(&self) -> usize;

    /// The block, unpacked; nothing is in it then.
    fn take(&mut self) -> Vec<u8>;
}

impl<B: Filling> Writer<B> {
    /// Begins a run.
    ///
    /// # Errors
    /// When the compressor can't be set up.
    pub(crate) fn new(of: SegmentOf, sealing: Sealing) -> Result<Self, SegmentError> {
        Ok(Self { block: B::default(), cutter: Cutter::new(of, sealing)? })
    }

    /// Takes the files that are full by now: they can be uploaded while the others are made.
    pub(crate) fn full(&mut self) -> Vec<Built> {
        std::mem::take(&mut self.cutter.full)
    }

    /// Ends the run; gives the files that were not taken yet.
    ///
    /// # Errors
    /// When a block can't be compressed.
    pub(crate) fn finish(mut self) -> Result<Vec<Built>, SegmentError> {
        self.cut()?;
        self.cutter.finish()
    }

    fn cut(&mut self) -> Result<(), SegmentError> {
        if self.block.size() == 0 { Ok(()) } else { self.cutter.block(&self.block.take()) }
    }

    fn cut_if_full(&mut self) -> Result<(), SegmentError> {
        if self.block.size() >= BLOCK_TARGET { self.cut() } else { Ok(()) }
    }
}

impl RowsWriter {
    /// Adds a row or a tombstone.
    ///
    /// # Errors
    /// [`SegmentError::Order`] unless its id is above that of the one before.
    pub(crate) fn put(&mut self, entry: RowEntry<'_>) -> Result<(), SegmentError> {
        // A large row gets a block of its own, so that it fits a file whenever it fitted a frame.
        if entry.values.is_some_and(|values| values.len() >= BLOCK_TARGET) {
            self.cut()?;
        }
        let position = row_position(entry.row);
        self.cutter.enter(&position, &position, entry.values.is_none())?;
        self.block.put(entry);
        self.cut_if_full()
    }
}

impl IndexWriter {
    /// Adds an entry. No key may be the front of another.
    ///
    /// # Errors
    /// [`SegmentError::Order`] unless its key, or with the same key its row, is above that of the one before.
    pub(crate) fn put(&mut self, key: &[u8], row: RowId) -> Result<(), SegmentError> {
        self.cutter.enter(&index_position(key, row), key, false)?;
        self.block.put(key, row);
        self.cut_if_full()
    }
}

/// Packs blocks and puts them into files, whatever they hold.
struct Cutter {
    of: SegmentOf,
    packer: Packer,
    /// The position of the last entry of the run.
    last: Option<Vec<u8>>,
    /// Where the block begins that is being filled.
    from: Option<Box<[u8]>>,
    /// The rows and tombstones of that block.
    counts: (u64, u64),
    /// What it has; nothing in a run that gets no filters.
    marks: Vec<Mark>,
    file: File,
    full: Vec<Built>,
}

#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    blocks: Directory,
    rows: u64,
    tombstones: u64,
    marks: Vec<Mark>,
}

impl Cutter {
    fn new(of: SegmentOf, sealing: Sealing) -> Result<Self, SegmentError> {
        let packer = Packer::new(sealing)?;
        Ok(Self {
            of,
            packer,
            last: None,
            from: None,
            counts: (0, 0),
            marks: Vec::new(),
            file: File::default(),
            full: Vec::new(),
        })
    }

    /// Notes what is about to be put into the block: where it stands, and what it is looked up by.
    fn enter(&mut self, position: &[u8], what: &[u8], tombstone: bool) -> Result<(), SegmentError> {
        let last = self.last.get_or_insert_default();
        if last.as_slice() >= position {
            return Err(SegmentError::Order);
        }
        if self.from.is_none() {
            // The run's first block says exactly where the run begins. Of the others it is enough to know what tells
            // them from the block before: long keys would make long directories.
            let apart = if last.is_empty() { position.len() } else { common_prefix(last, position) + 1 };
            self.from = Some(position.get(..apart).unwrap_or(position).into());
        }
        position.clone_into(last);
        let (rows, tombstones) = &mut self.counts;
        *(if tombstone { tombstones } else { rows }) += 1;
        // Whatever the first run does not have is nowhere, so it is asked last, and a filter would spare little.
        if self.of.run.0 != Seq::default() {
            let mark = Mark::of(what);
            if self.marks.last() != Some(&mark) {
                self.marks.push(mark);
            }
        }
        Ok(())
    }

    /// Packs the block that was filled and puts it into the file, or into the next one if that would be too large.
    fn block(&mut self, plain: &[u8]) -> Result<(), SegmentError> {
        let from = self.from.take().unwrap_or_default();
        let packed = self.packer.pack(&self.of, from, plain)?;
        let marks = filter::size(self.file.marks.len() + self.marks.len());
        let size = self.file.bytes.len() + packed.bytes.len() + marks;
        if size > FILE_TARGET && !self.file.bytes.is_empty() {
            self.end_file()?;
        }
        self.file.marks.append(&mut self.marks);
        let (rows, tombstones) = std::mem::take(&mut self.counts);
        self.file.rows += rows;
        self.file.tombstones += tombstones;
        self.file.push(packed)
    }

    fn end_file(&mut self) -> Result<(), SegmentError> {
        let File { mut bytes, blocks, rows, tombstones, marks } = std::mem::take(&mut self.file);
        if bytes.is_empty() {
            return Ok(());
        }
        let mut filter = None;
        if !marks.is_empty() {
            let packed = self.packer.filter(&self.of, blocks.first(), Filter::new(&marks));
            bytes.extend_from_slice(&packed);
            let length = u32::try_from(packed.len()).ok().filter(|_| bytes.len() <= MAX_FILE);
            let length = length.ok_or(SegmentError::Oversize(packed.len()))?;
            filter = Some(FilterPart { length, check: check(&packed) });
        }
        let hash = *blake3::hash(&bytes).as_bytes();
        self.full.push(Built { file: Bytes::from(bytes), hash, rows, tombstones, blocks, filter });
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Built>, SegmentError> {
        self.end_file()?;
        Ok(self.full)
    }
}

impl File {
    fn push(&mut self, packed: Packed) -> Result<(), SegmentError> {
        if self.bytes.is_empty() {
            self.bytes.extend_from_slice(SEGMENT_MAGIC);
        }
        let Packed { from, unpacked, bytes, check } = packed;
        self.bytes.extend_from_slice(&bytes);
        let length = u32::try_from(bytes.len()).ok().filter(|_| self.bytes.len() <= MAX_FILE);
        let listed = length.is_some_and(|length| self.blocks.push(from, length, unpacked, check));
        if listed { Ok(()) } else { Err(SegmentError::Oversize(bytes.len())) }
    }
}

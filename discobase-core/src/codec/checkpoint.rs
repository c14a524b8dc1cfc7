//! What a checkpoint says: where the tables' rows lie in the guild, as of one place in the chain.
//!
//! `docs/format.md`, "Checkpoints", is the contract. A checkpoint is written while commits go on, so it describes
//! the tables as of a frame before itself: the one it [covers](Covers). Who starts from a checkpoint loads its
//! segments and goes on from there, frame by frame.

use std::ops::Range;

use crate::batch::{AppliedStep, TableDef};
use crate::codec::frame::{Genesis, Sum};
use crate::ids::{ChannelId, Epoch, Incarnation, MessageId, RowId, Seq, TableId};

/// The body of a checkpoint frame.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checkpoint {
    /// What the journal began with: the genesis itself may be deleted once a checkpoint says it.
    pub(crate) root: Root,
    /// The frame whose state this is.
    pub(crate) covers: Covers,
    /// The last commit that is in the segments.
    pub(crate) seq: Seq,
    /// The id the next table gets.
    pub(crate) next_table: TableId,
    /// In ascending order of their ids.
    pub(crate) tables: Vec<TableCheckpoint>,
    /// Which openings wrote which commits, the latest ones only, in the order of the commits.
    pub(crate) past: Vec<Wrote>,
    /// The migration steps that were applied, in their order.
    pub(crate) steps: Vec<AppliedStep>,
    /// Messages that were part of an earlier checkpoint and are not part of this one.
    pub(crate) drop: Vec<Location>,
}

/// How many entries [`Checkpoint::past`] has at most.
pub(crate) const MAX_PAST: usize = 64;

/// What a checkpoint says clear, encrypted or not: all that finding and walking the chain takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) root: Root,
    pub(crate) covers: Covers,
    pub(crate) seq: Seq,
}

/// The genesis, as a checkpoint remembers it; but how bodies are sealed is what holds from the checkpoint on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) genesis: Genesis,
    pub(crate) sum: Sum,
    /// Its message: of several journals the one with the oldest genesis is the database.
    pub(crate) message: MessageId,
}

/// A frame of the chain, and the term it is in. The term is never closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Covers {
    pub(crate) sum: Sum,
    pub(crate) message: MessageId,
    pub(crate) epoch: Epoch,
    pub(crate) incarnation: Incarnation,
    pub(crate) owner: String,
}

/// Commits that one opening wrote: all numbers from `first` to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wrote {
    pub(crate) incarnation: Incarnation,
    pub(crate) first: Seq,
    pub(crate) last: Seq,
}

/// A message, by its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Location {
    pub(crate) channel: ChannelId,
    pub(crate) message: MessageId,
}

/// One table, and where its rows lie.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TableCheckpoint {
    pub(crate) def: TableDef,
    /// The id the next row gets.
    pub(crate) next_row: RowId,
    /// How many rows the table has.
    pub(crate) rows: u64,
    /// The runs of its rows; a later one wins.
    pub(crate) runs: Vec<Run>,
    /// The runs of each of its indexes, by the index's position in the definition.
    pub(crate) indexes: Vec<Vec<Run>>,
}

/// All that the commits in an interval left behind in a table, or in one of its indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// The last commit before the interval; 0 if it begins with the first one.
    pub(crate) from: Seq,
    /// The last commit of the interval.
    pub(crate) to: Seq,
    /// In the order of what they hold. Without segments, if the interval left nothing.
    pub(crate) segments: Vec<Segment>,
}

/// One immutable file of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) location: Location,
    /// blake3 over the whole file.
    pub(crate) hash: [u8; 32],
    /// How many live rows, or index entries, it holds.
    pub(crate) rows: u64,
    /// How many deleted rows it remembers; 0 in an index.
    pub(crate) tombstones: u64,
    pub(crate) blocks: Directory,
    /// What tells that it does not have something; it lies behind the blocks.
    pub(crate) filter: Option<FilterPart>,
}

/// A segment's filter, as its directory knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilterPart {
    /// How many bytes of the file it takes, at least 1.
    pub(crate) length: u32,
    /// The first bytes of the blake3 over its bytes in the file.
    pub(crate) check: [u8; 8],
}

/// The blocks of a segment, one directly behind the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Directory {
    blocks: Vec<Block>,
}

/// One block of a segment, as its directory knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// A position above all that is in the blocks of the run before it, and at or below its own first: a row id in
    /// 8 bytes, the highest first, or a key in index order with a row id behind it; cut off behind what tells them
    /// apart.
    pub(crate) from: Box<[u8]>,
    /// Where it begins in the file.
    pub(crate) offset: u32,
    /// How many bytes of the file it takes.
    pub(crate) length: u32,
    /// How many bytes it has when it is unpacked.
    pub(crate) unpacked: u32,
    /// The first bytes of the blake3 over its bytes in the file.
    pub(crate) check: [u8; 8],
}

/// What every segment's file begins with; its first block lies behind.
pub(crate) const SEGMENT_MAGIC: &[u8; 10] = b"discobase\x01";

impl Directory {
    /// Adds the block that lies behind the last one; `false` if the file would be longer than a file can be.
    #[must_use]
    pub(crate) fn push(&mut self, from: Box<[u8]>, length: u32, unpacked: u32, check: [u8; 8]) -> bool {
        let offset = self.end();
        if offset.checked_add(length).is_none() {
            return false;
        }
        self.blocks.push(Block { from, offset, length, unpacked, check });
        true
    }

    /// Where the last block ends in the file.
    pub(crate) fn end(&self) -> u32 {
        self.blocks.last().map_or(SEGMENT_MAGIC.len() as u32, |last| last.offset.saturating_add(last.length))
    }

    /// Where the first block begins, as a position; nothing without blocks.
    pub(crate) fn first(&self) -> &[u8] {
        self.blocks.first().map_or(&[], |block| &block.from)
    }

    /// In the order in which they lie in the file.
    pub(crate) fn as_slice(&self) -> &[Block] {
        &self.blocks
    }
}

impl Block {
    /// Its bytes in the file.
    pub(crate) fn range(&self) -> Range<usize> {
        let start = self.offset as usize;
        start..start.saturating_add(self.length as usize)
    }
}

impl Segment {
    /// The size of its file, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let filter = self.filter.as_ref().map_or(0, |filter| u64::from(filter.length));
        u64::from(self.blocks.end()) + filter
    }
}

impl Run {
    /// The blocks that can hold positions from `low` to `high`, both included, in their order.
    pub(crate) fn between<'a>(
        &'a self,
        low: &[u8],
        high: &'a [u8],
    ) -> impl Iterator<Item = (&'a Segment, &'a Block)> {
        // It begins in the last segment, and there in the last block, that begins at or before `low`.
        let begins_by =
            |segment: &Segment| segment.blocks.blocks.first().is_some_and(|block| *block.from <= *low);
        let first = self.segments.partition_point(begins_by).saturating_sub(1);
        let segments = self.segments.get(first..).unwrap_or_default();
        let skipped = segments.first().map_or(0, |segment| {
            segment.blocks.blocks.partition_point(|block| *block.from <= *low).saturating_sub(1)
        });
        let blocks = segments
            .iter()
            .flat_map(|segment| segment.blocks.as_slice().iter().map(move |block| (segment, block)));
        blocks.skip(skipped).take_while(move |(_, block)| *block.from <= *high)
    }

    /// The size of its files, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(Segment::bytes).sum()
    }

    /// How many live rows, or index entries, it holds.
    pub(crate) fn rows(&self) -> u64 {
        self.segments.iter().map(|segment| segment.rows).sum()
    }

    /// How many deleted rows it remembers.
    pub(crate) fn tombstones(&self) -> u64 {
        self.segments.iter().map(|segment| segment.tombstones).sum()
    }
}

impl Checkpoint {
    /// What of it stays clear.
    pub(crate) fn summary(&self) -> Summary {
        Summary { root: self.root, covers: self.covers.clone(), seq: self.seq }
    }

    /// Every segment it names.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.tables
            .iter()
            .flat_map(|table| table.runs.iter().chain(table.indexes.iter().flatten()))
            .flat_map(|run| &run.segments)
    }
}

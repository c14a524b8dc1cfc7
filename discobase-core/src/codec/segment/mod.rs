//! Segments: immutable files of rows or of index entries, cut into blocks that are read one by one.
//!
//! `docs/format.md`, "Segments", is the contract. A [writer] takes what is sorted and gives files; a [reader] takes
//! a whole file, or a single block of it, and gives what is in it. Where the blocks lie is not in the file but in the
//! checkpoint that names it: the [`Directory`](crate::codec::checkpoint::Directory).
//!
//! ```text
//! rows     -> block -> compressed -> sealed -> file      rows.rs, index.rs -> block.rs -> seal.rs -> writer.rs
//! a file   -> block -> opened -> unpacked -> rows        reader.rs -> block.rs -> seal.rs -> rows.rs, index.rs
//! ```
//!
//! Behind the blocks a [filter] may lie, which tells what the file does not have.

mod block;
mod filter;
mod index;
mod message;
mod reader;
mod rows;
mod seal;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use block::open_block;
pub(crate) use filter::{Filter, Mark};
pub(crate) use index::{IndexBlock, index_position};
pub(crate) use message::{SegmentHeader, segment_message};
pub(crate) use reader::{read_entries, read_rows};
pub(crate) use rows::{RowBlock, RowEntry, row_position};
#[cfg(any(test, fuzzing))]
pub(crate) use seal::Place;
pub(crate) use seal::Sealing;
pub(crate) use writer::{Built, IndexWriter, RowsWriter};

use crate::ids::{Seq, TableId};
use crate::wire::WireError;

/// A block is closed from this size on, unpacked, in bytes: one ranged download gives it, and it still compresses
/// almost as well as a whole file does.
pub(crate) const BLOCK_TARGET: usize = 64 << 10;
/// A file with more than one block is at most this large, in bytes.
pub(crate) const FILE_TARGET: usize = 8 << 20;
/// A file is at most this large, in bytes: a row that just fits a frame must fit a file, too.
pub(crate) const MAX_FILE: usize = 9 << 20;
/// The most bytes a block has unpacked: a row that just fits a frame, and what is beside it.
pub(crate) const MAX_BLOCK: usize = 65 << 20;

/// What a segment is part of. All its blocks are bound to it when they are sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentOf {
    /// The database's name.
    pub(crate) db: Arc<str>,
    pub(crate) table: TableId,
    pub(crate) part: Part,
    /// The run's interval: the last commit before it, and its last commit.
    pub(crate) run: (Seq, Seq),
}

/// What a segment holds of its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Part {
    Rows,
    /// The entries of an index, by its position in the table's definition.
    Index(usize),
}

/// Why a segment can't be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SegmentError {
    #[error("it does not match its checksum")]
    Hash,
    #[error("it has {found} bytes where {expected} are due")]
    Length { expected: u64, found: u64 },
    #[error("a block does not open with the database's key: it was changed, or belongs elsewhere")]
    Sealed,
    #[error("it is not a segment of discobase")]
    Magic,
    #[error("a block can't be unpacked")]
    Packing,
    #[error("a block has {0} bytes, more than it may have")]
    Oversize(usize),
    #[error("what it holds is out of order")]
    Order,
    #[error("it holds {found} rows and tombstones where {expected} are due")]
    Count { expected: u64, found: u64 },
    #[error("a block is damaged: {0}")]
    Wire(#[from] WireError),
}

/// How many bytes two texts have in common at their front.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

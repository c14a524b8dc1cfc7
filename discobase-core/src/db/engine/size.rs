//! Commits that fit no frame are refused before anything is sent.

use crate::batch::Op;
use crate::codec::binary::MAX_ITEMS;
use crate::codec::message::{MAX_COMPRESSED, MAX_UNPACKED, Oversize};
use crate::db::engine::queue::FRAME_TARGET;
use crate::env::{SharedEnv, heavy};
use crate::error::{Error, ErrorKind, Result};
use crate::row::Row;
use crate::session::Write;

/// Room for a frame's fields beside its commits.
const FRAME_MARGIN: usize = 4 << 10;

/// What each operation counts beside its row, and beside the number that the commit may write into it.
const OPERATION: usize = 24;

// A frame gets a last commit while it is still below its target, and a reader allows a frame so many items. A commit
// counts as an item, its operations count as one each, and the smallest of the two together take 26 bytes.
const _: () = assert!(FRAME_TARGET / 13 + MAX_UNPACKED / OPERATION < MAX_ITEMS, "a frame may be refused");

/// Refuses a commit that fits no frame, before anything is sent.
pub(super) async fn check_size(env: &SharedEnv, writes: &[Write]) -> Result<()> {
    let rows = writes.iter().filter_map(|write| match write {
        Write::Insert { values, .. } | Write::InsertAuto { values, .. } | Write::Update { values, .. } => {
            Some(values)
        }
        Write::Upsert(upsert) => Some(&upsert.values),
        // What a statement writes is known when it is worked out.
        _ => None,
    });
    match Weighed::new(rows, writes.len())? {
        Weighed::Fits => Ok(()),
        // On a thread of its own, because it takes a while.
        Weighed::Perhaps(large) => {
            heavy(env, move || large.check()).await.unwrap_or_else(|| Err(incompressible()))
        }
    }
}

/// Refuses operations that fit no frame, when a commit is being made.
pub(super) fn check_ops(ops: &[Op]) -> Result<()> {
    let rows = ops.iter().filter_map(|op| match op {
        // Rows are weighed whole: which values need not be written is known when the frame is made.
        Op::Insert { values, .. } | Op::Update { values, .. } => Some(values),
        _ => None,
    });
    match Weighed::new(rows, ops.len())? {
        Weighed::Fits => Ok(()),
        Weighed::Perhaps(large) => large.check(),
    }
}

/// What the rows' lengths say.
enum Weighed {
    Fits,
    Perhaps(Large),
}

/// Between the two limits only compressing tells. The operations' own bytes hardly count beside the rows'.
struct Large {
    rows: Vec<Row>,
    operations: usize,
    unpacked: usize,
}

impl Weighed {
    fn new<'a>(rows: impl Iterator<Item = &'a Row> + Clone, operations: usize) -> Result<Self> {
        let unpacked = rows.clone().map(|row| row.as_bytes().len()).sum::<usize>() + operations * OPERATION;
        if unpacked + FRAME_MARGIN <= MAX_COMPRESSED {
            return Ok(Self::Fits);
        }
        if unpacked + FRAME_MARGIN > MAX_UNPACKED {
            return Err(too_large(Oversize { unpacked, compressed: None }));
        }
        Ok(Self::Perhaps(Large { rows: rows.cloned().collect(), operations, unpacked }))
    }
}

impl Large {
    fn check(&self) -> Result<()> {
        let Self { rows, operations, unpacked } = self;
        let joined: Vec<u8> = rows.iter().flat_map(|row| row.as_bytes()).copied().collect();
        let compressed = zstd::bulk::compress(&joined, 3).map_err(|_| incompressible())?.len();
        if compressed + operations * 8 + FRAME_MARGIN <= MAX_COMPRESSED {
            return Ok(());
        }
        Err(too_large(Oversize { unpacked: *unpacked, compressed: Some(compressed) }))
    }
}

fn incompressible() -> Error {
    Error::new(ErrorKind::TooLarge, "the commit could not be compressed: save fewer records at once")
}

pub(super) fn too_large(oversize: Oversize) -> Error {
    let mib = |bytes: usize| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let compressed =
        oversize.compressed.map_or(String::new(), |bytes| format!(", {} compressed", mib(bytes)));
    let text = format!(
        "the commit is too large ({}{compressed}); a commit may have {} and {} compressed: save fewer records at \
         once, or keep large values outside the database",
        mib(oversize.unpacked),
        mib(MAX_UNPACKED),
        mib(MAX_COMPRESSED),
    );
    Error::new(ErrorKind::TooLarge, text)
}

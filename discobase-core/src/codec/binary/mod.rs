//! The canonical encoding of a frame: what its checksum is taken over, and what a compressed attachment holds.
//!
//! `docs/format.md`, "Frames", is the contract; this file obeys it.

mod checkpoint;
mod commit;
mod definition;
mod input;

pub(crate) use commit::commit_size;

use checkpoint::{checkpoint, put_checkpoint};
use commit::{commits, put_commits};
use input::Input;

use crate::codec::frame::{Body, Frame, Genesis, Header, Kind, Sum, Timing};
use crate::ids::{ChannelId, Epoch, Incarnation};
use crate::wire::{WireError, put_bytes, put_varint};

const MAGIC: &[u8; 9] = b"discobase";
/// The version of this encoding.
pub(crate) const VERSION: u8 = 1;

/// The most items a frame has, all its lists together: commits, operations, columns, segments, blocks and so on. A
/// byte can stand for an item that takes a hundred in memory, so the size of a frame alone does not bound what reading
/// it takes.
pub(crate) const MAX_ITEMS: usize = 5 << 20;

/// The checksum of an encoded frame.
pub(crate) fn sum(canonical: &[u8]) -> Sum {
    Sum(*blake3::hash(canonical).as_bytes())
}

/// Encodes a frame.
pub(crate) fn encode(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    put_header(&mut out, &frame.header, frame.body.kind());
    match &frame.body {
        Body::Genesis(genesis) => put_genesis(&mut out, genesis),
        Body::Open | Body::Close => {}
        Body::Data(commits) => put_commits(&mut out, commits),
        Body::Checkpoint(checkpoint) => put_checkpoint(&mut out, checkpoint),
    }
    out
}

fn put_header(out: &mut Vec<u8>, header: &Header, kind: Kind) {
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    put_bytes(out, header.db.as_bytes());
    out.push(kind.code());
    put_varint(out, header.epoch.get());
    out.extend_from_slice(&header.incarnation.0);
    put_bytes(out, header.owner.as_bytes());
    out.extend_from_slice(&header.prev.0);
}

fn put_genesis(out: &mut Vec<u8>, genesis: &Genesis) {
    let Genesis { timing, category, catalog, journal } = genesis;
    for number in [timing.visibility, timing.grace, timing.window] {
        put_varint(out, number);
    }
    for channel in [category, catalog, journal] {
        put_varint(out, channel.get());
    }
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("it is not a frame of discobase")]
    Magic,
    #[error("its format version is {0}, and this program reads version {VERSION}: use a newer program")]
    Version(u8),
    #[error("unknown {what} code {code}")]
    Code { what: &'static str, code: u8 },
    #[error("a number is out of range")]
    Range,
    #[error("it lists more than a frame may have")]
    Items,
    #[error("what it lists is out of order")]
    Order,
}

/// Decodes a frame; the bytes must be exactly one.
pub(crate) fn decode(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let mut input = Input::new(bytes, MAX_ITEMS);
    if input.take(MAGIC.len())? != MAGIC {
        return Err(DecodeError::Magic);
    }
    let version = input.byte()?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let db = input.text()?.to_owned();
    let code = input.byte()?;
    let kind = Kind::from_code(code).ok_or(DecodeError::Code { what: "kind", code })?;
    let epoch = Epoch::new(input.varint()?);
    let incarnation = Incarnation(input.array()?);
    let owner = input.text()?.to_owned();
    let prev = Sum(input.array()?);
    let body = match kind {
        Kind::Genesis => Body::Genesis(genesis(&mut input)?),
        Kind::Open => Body::Open,
        Kind::Close => Body::Close,
        Kind::Data => Body::Data(commits(&mut input)?),
        Kind::Checkpoint => Body::Checkpoint(Box::new(checkpoint(&mut input)?)),
    };
    if !input.is_empty() {
        return Err(WireError::Trailing.into());
    }
    Ok(Frame { header: Header { db, epoch, incarnation, owner, prev }, body })
}

fn genesis(input: &mut Input<'_>) -> Result<Genesis, DecodeError> {
    let timing = Timing { visibility: input.varint()?, grace: input.varint()?, window: input.varint()? };
    // A time beyond a day is no time anybody waits for; without the bound, sums of times could overflow.
    if timing.visibility.max(timing.grace).max(timing.window) > 86_400_000 {
        return Err(DecodeError::Range);
    }
    Ok(Genesis {
        timing,
        category: ChannelId::new(input.varint()?),
        catalog: ChannelId::new(input.varint()?),
        journal: ChannelId::new(input.varint()?),
    })
}

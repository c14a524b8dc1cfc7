//! The canonical encoding of a frame: what its checksum is taken over, and what a compressed attachment holds.
//!
//! `docs/format.md`, "Frames", is the contract; this file obeys it.

mod checkpoint;
mod commit;
mod definition;
mod input;

pub(crate) use commit::commit_size;

use checkpoint::{contents, put_contents, put_summary, summary};
use commit::{commits, put_commits};
use input::Input;

use crate::codec::checkpoint::Summary;
use crate::codec::frame::{Body, Frame, Genesis, Header, Kind, Sum, Timing};
use crate::codec::sealed::Sealed;
use crate::ids::{ChannelId, Epoch, Incarnation};
use crate::seal::{Kdf, Keying};
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

/// The bit of a frame's kind that says that the database is encrypted: that the body of a data frame or a checkpoint is
/// sealed, and that a genesis or a checkpoint says how.
const SEALED: u8 = 0x80;

/// Encodes a frame.
pub(crate) fn encode(frame: &Frame) -> Vec<u8> {
    if let Body::Sealed(sealed) = &frame.body {
        let mut out = encode_clear(&frame.header, sealed.summary.as_deref());
        put_bytes(&mut out, &sealed.bytes);
        return out;
    }
    let mut out = Vec::with_capacity(256);
    let encrypted = matches!(&frame.body, Body::Genesis(genesis) if genesis.keying.is_some());
    let bit = if encrypted { SEALED } else { 0 };
    put_header(&mut out, &frame.header, frame.body.kind().code() | bit);
    put_body(&mut out, &frame.body);
    out
}

/// What of a sealed frame stays clear: its header, and a checkpoint's summary.
pub(crate) fn encode_clear(header: &Header, summary: Option<&Summary>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let kind = if summary.is_some() { Kind::Checkpoint } else { Kind::Data };
    put_header(&mut out, header, kind.code() | SEALED);
    summary.iter().for_each(|summary| put_summary(&mut out, summary));
    out
}

/// What of a frame's body is sealed.
pub(crate) fn encode_body(body: &Body) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    match body {
        Body::Checkpoint(checkpoint) => put_contents(&mut out, checkpoint),
        body => put_body(&mut out, body),
    }
    out
}

fn put_body(out: &mut Vec<u8>, body: &Body) {
    match body {
        Body::Genesis(genesis) => put_genesis(out, genesis),
        Body::Open | Body::Close | Body::Sealed(_) => {}
        Body::Data(commits) => put_commits(out, commits),
        Body::Checkpoint(checkpoint) => {
            put_summary(out, &checkpoint.summary());
            put_contents(out, checkpoint);
        }
    }
}

fn put_header(out: &mut Vec<u8>, header: &Header, kind: u8) {
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    put_bytes(out, header.db.as_bytes());
    out.push(kind);
    put_varint(out, header.epoch.get());
    out.extend_from_slice(&header.incarnation.0);
    put_bytes(out, header.owner.as_bytes());
    out.extend_from_slice(&header.prev.0);
}

fn put_genesis(out: &mut Vec<u8>, genesis: &Genesis) {
    let Genesis { timing, category, catalog, journal, keying } = genesis;
    for number in [timing.visibility, timing.grace, timing.window] {
        put_varint(out, number);
    }
    for channel in [category, catalog, journal] {
        put_varint(out, channel.get());
    }
    keying.iter().for_each(|keying| put_keying(out, keying));
}

fn put_keying(out: &mut Vec<u8>, keying: &Keying) {
    let Keying { kdf, salt, check } = keying;
    match *kdf {
        Kdf::Raw => out.push(RAW),
        Kdf::Argon2id { memory_kib, passes, lanes } => {
            out.push(ARGON2ID);
            for number in [memory_kib, passes, lanes] {
                put_varint(out, u64::from(number));
            }
        }
    }
    out.extend_from_slice(salt);
    out.extend_from_slice(check);
}

const RAW: u8 = 1;
const ARGON2ID: u8 = 2;

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
    let kind = Kind::from_code(code & !SEALED).ok_or(DecodeError::Code { what: "kind", code })?;
    let encrypted = code & SEALED != 0;
    let epoch = Epoch::new(input.varint()?);
    let incarnation = Incarnation(input.array()?);
    let owner = input.text()?.to_owned();
    let prev = Sum(input.array()?);
    let body = match kind {
        Kind::Genesis if encrypted => Body::Genesis(genesis(&mut input, true)?),
        Kind::Data if encrypted => Body::Sealed(sealed(None, &mut input)?),
        Kind::Checkpoint if encrypted => {
            let summary = summary(&mut input, true)?;
            Body::Sealed(sealed(Some(Box::new(summary)), &mut input)?)
        }
        Kind::Open | Kind::Close if encrypted => return Err(DecodeError::Code { what: "kind", code }),
        Kind::Genesis => Body::Genesis(genesis(&mut input, false)?),
        Kind::Open => Body::Open,
        Kind::Close => Body::Close,
        Kind::Data => Body::Data(commits(&mut input)?),
        Kind::Checkpoint => {
            let summary = summary(&mut input, false)?;
            Body::Checkpoint(Box::new(contents(summary, &mut input)?))
        }
    };
    if !input.is_empty() {
        return Err(WireError::Trailing.into());
    }
    Ok(Frame { header: Header { db, epoch, incarnation, owner, prev }, body })
}

/// Decodes what was sealed of a body; the bytes must be exactly that.
pub(crate) fn decode_body(summary: Option<&Summary>, bytes: &[u8]) -> Result<Body, DecodeError> {
    let mut input = Input::new(bytes, MAX_ITEMS);
    let body = match summary {
        None => Body::Data(commits(&mut input)?),
        Some(summary) => Body::Checkpoint(Box::new(contents(summary.clone(), &mut input)?)),
    };
    if input.is_empty() { Ok(body) } else { Err(WireError::Trailing.into()) }
}

fn sealed(summary: Option<Box<Summary>>, input: &mut Input<'_>) -> Result<Sealed, DecodeError> {
    Ok(Sealed { summary, bytes: input.bytes()?.to_vec() })
}

fn genesis(input: &mut Input<'_>, encrypted: bool) -> Result<Genesis, DecodeError> {
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
        keying: if encrypted { Some(keying(input)?) } else { None },
    })
}

fn keying(input: &mut Input<'_>) -> Result<Keying, DecodeError> {
    let number = |input: &mut Input<'_>| u32::try_from(input.varint()?).map_err(|_| DecodeError::Range);
    let kdf = match input.byte()? {
        RAW => Kdf::Raw,
        ARGON2ID => {
            Kdf::Argon2id { memory_kib: number(input)?, passes: number(input)?, lanes: number(input)? }
        }
        code => return Err(DecodeError::Code { what: "key", code }),
    };
    if !kdf.is_sane() {
        return Err(DecodeError::Range);
    }
    Ok(Keying { kdf, salt: input.array()?, check: input.array()? })
}

//! Frames of an encrypted database: their bodies sealed once, before anything is encoded or posted.
//!
//! The chain needs no key: header, sum, and what a checkpoint is walked from stay clear. `docs/format.md`,
//! "Encryption", is the contract.

use std::borrow::Cow;

use crate::codec::binary::{self, DecodeError};
use crate::codec::checkpoint::Summary;
use crate::codec::frame::{Body, Frame, Kind};
use crate::codec::message::{MAX_COMPRESSED, MAX_UNPACKED, Oversize};
use crate::ids::ChannelId;
use crate::seal::{OVERHEAD, Sealing};
use crate::wire::{Reader, WireError, put_varint};

/// The body of a data frame or of a checkpoint, sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// What a checkpoint says clear, the keying it is sealed under among it; a data frame says nothing.
    pub(crate) summary: Option<Box<Summary>>,
    /// Nonce, ciphertext and tag.
    pub(crate) bytes: Vec<u8>,
}

impl Sealed {
    pub(crate) const fn kind(&self) -> Kind {
        match self.summary {
            Some(_) => Kind::Checkpoint,
            None => Kind::Data,
        }
    }
}

/// The level frames are compressed with; see the one of attachments.
const LEVEL: i32 = 3;
/// Bodies below it are hardly ever shorter compressed.
const SHORT: usize = 64;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

/// Seals the body of a frame, if it is of a kind that is sealed. What comes back is posted as often as it takes: sealing
/// again would make another frame.
pub(crate) fn seal(frame: Frame, sealing: &Sealing, journal: ChannelId) -> Result<Frame, Oversize> {
    let summary = match &frame.body {
        Body::Data(_) => None,
        Body::Checkpoint(checkpoint) => {
            let mut summary = Box::new(checkpoint.summary());
            summary.root.genesis.keying = Some(sealing.keying());
            Some(summary)
        }
        Body::Genesis(_) | Body::Open | Body::Close | Body::Sealed(_) => return Ok(frame),
    };
    let body = pack(binary::encode_body(&frame.body))?;
    let clear = binary::encode_clear(&frame.header, summary.as_deref());
    let bytes = sealing.seal_body(journal, &clear, &body);
    Ok(Frame { header: frame.header, body: Body::Sealed(Sealed { summary, bytes }) })
}

/// Compresses a body, if that makes it shorter.
fn pack(body: Vec<u8>) -> Result<Vec<u8>, Oversize> {
    let oversize = Oversize { unpacked: body.len(), compressed: None };
    if body.len() > MAX_UNPACKED {
        return Err(oversize);
    }
    let mut packed = vec![ZSTD];
    put_varint(&mut packed, body.len() as u64);
    let compressed = if body.len() < SHORT { None } else { zstd::bulk::compress(&body, LEVEL).ok() };
    match compressed {
        Some(compressed) if packed.len() + compressed.len() < 1 + body.len() => packed.extend(compressed),
        _ => {
            packed = vec![PLAIN];
            packed.extend(body);
        }
    }
    if packed.len() + OVERHEAD > MAX_COMPRESSED {
        return Err(Oversize { compressed: Some(packed.len()), ..oversize });
    }
    Ok(packed)
}

fn unpack(packed: &[u8]) -> Result<Cow<'_, [u8]>, OpenError> {
    let mut reader = Reader::new(packed);
    match reader.byte().map_err(DecodeError::from)? {
        PLAIN => Ok(Cow::Borrowed(reader.rest())),
        ZSTD => {
            let unpacked = reader.varint().map_err(DecodeError::from)?;
            let unpacked = usize::try_from(unpacked).ok().filter(|&size| size <= MAX_UNPACKED);
            let unpacked = unpacked.ok_or(DecodeError::Range)?;
            match zstd::bulk::decompress(reader.rest(), unpacked) {
                Ok(body) if body.len() == unpacked => Ok(Cow::Owned(body)),
                _ => Err(OpenError::Decode(WireError::Truncated.into())),
            }
        }
        code => Err(OpenError::Decode(DecodeError::Code { what: "packing", code })),
    }
}

/// Why a frame says nothing that is believed, although its sum is right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("its body does not open with the database's key: it was changed, or belongs elsewhere")]
    Tampered,
    #[error("its body is not sealed, although the database is encrypted")]
    Clear,
    #[error("its body is sealed, although the database is not encrypted")]
    Sealed,
    #[error("what was sealed in it can't be decoded: {0}")]
    Decode(#[from] DecodeError),
}

/// What a frame says. In an encrypted database every data frame and every checkpoint must be sealed, and in a clear one
/// none.
pub(crate) fn open<'a>(
    frame: &'a Frame,
    sealing: Option<&Sealing>,
    journal: ChannelId,
) -> Result<Cow<'a, Body>, OpenError> {
    match (&frame.body, sealing) {
        (Body::Sealed(sealed), Some(sealing)) => {
            let clear = binary::encode_clear(&frame.header, sealed.summary.as_deref());
            let packed = sealing.open_body(journal, &clear, &sealed.bytes).ok_or(OpenError::Tampered)?;
            let body = unpack(&packed)?;
            Ok(Cow::Owned(binary::decode_body(sealed.summary.as_deref(), &body)?))
        }
        (Body::Sealed(_), None) => Err(OpenError::Sealed),
        (Body::Data(_) | Body::Checkpoint(_), Some(_)) => Err(OpenError::Clear),
        (body, _) => Ok(Cow::Borrowed(body)),
    }
}

#[cfg(test)]
mod example;
#[cfg(test)]
mod tests;

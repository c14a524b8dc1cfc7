//! The one place where a block's bytes can be sealed after compression, and opened before it is undone.

use std::borrow::Cow;
use std::sync::Arc;

use crate::codec::segment::{Part, SegmentError, SegmentOf};
use crate::wire::{put_bytes, put_varint};

/// How blocks are protected from those who can read the guild.
#[derive(Debug, Clone, Default)]
pub(crate) enum Sealing {
    /// Not at all: whoever sees the channel can read the blocks.
    #[default]
    Clear,
    /// With the keys of an encrypted database.
    Sealed(Arc<crate::seal::Sealing>),
}

impl From<Option<Arc<crate::seal::Sealing>>> for Sealing {
    fn from(sealing: Option<Arc<crate::seal::Sealing>>) -> Self {
        sealing.map_or(Self::Clear, Self::Sealed)
    }
}

/// The place of a block, or of a filter: what its sealed bytes are bound to, so that they open nowhere else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) of: &'a SegmentOf,
    /// [`Block::from`](crate::codec::checkpoint::Block::from) of the block, which no other one of the run has, or of the
    /// file's first one.
    pub(crate) from: &'a [u8],
    filter: bool,
}

impl<'a> Place<'a> {
    pub(crate) fn of_block(of: &'a SegmentOf, from: &'a [u8]) -> Self {
        Self { of, from, filter: false }
    }

    /// The place of the filter of the file whose first block begins at `from`.
    pub(crate) fn of_filter(of: &'a SegmentOf, from: &'a [u8]) -> Self {
        Self { of, from, filter: true }
    }

    /// The place as bytes: the associated data of an authenticated encryption.
    pub(crate) fn associated_data(&self) -> Vec<u8> {
        let SegmentOf { db, table, part, run } = self.of;
        let mut out = Vec::with_capacity(64);
        put_bytes(&mut out, db.as_bytes());
        put_varint(&mut out, table.get());
        put_varint(
            &mut out,
            match part {
                Part::Rows => 0,
                Part::Index(position) => *position as u64 + 1,
            },
        );
        put_varint(&mut out, run.0.get());
        put_varint(&mut out, run.1.get());
        put_bytes(&mut out, self.from);
        if self.filter {
            out.extend_from_slice(b"filter");
        }
        out
    }
}

impl Sealing {
    /// Seals the compressed bytes of a block: what it returns goes into the file.
    pub(crate) fn seal(&self, place: Place<'_>, packed: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Clear => packed,
            Self::Sealed(sealing) => sealing.seal_block(&place.associated_data(), &packed),
        }
    }

    /// Opens what [`Sealing::seal`] gave for the same place.
    ///
    /// # Errors
    /// When the bytes were not sealed for this place, or were changed.
    pub(crate) fn open<'a>(&self, place: Place<'_>, sealed: &'a [u8]) -> Result<Cow<'a, [u8]>, SegmentError> {
        match self {
            Self::Clear => Ok(Cow::Borrowed(sealed)),
            Self::Sealed(sealing) => {
                let opened = sealing.open_block(&place.associated_data(), sealed);
                opened.map(Cow::Owned).ok_or(SegmentError::Sealed)
            }
        }
    }
}

#[cfg(test)]
mod tests;

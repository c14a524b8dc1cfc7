//! A block's way into a file and back: compressed, sealed, with a checksum.

use crate::codec::checkpoint::Block;
use crate::codec::segment::filter::Filter;
use crate::codec::segment::seal::{Place, Sealing};
use crate::codec::segment::{MAX_BLOCK, SegmentError, SegmentOf};

/// What frames are compressed with, too: higher levels gain a tenth and take three times as long.
const LEVEL: i32 = 3;

/// Compresses and seals blocks, one after the other.
pub(super) struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    sealing: Sealing,
}

/// A block as it goes into a file.
pub(super) struct Packed {
    pub(super) from: Box<[u8]>,
    pub(super) unpacked: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) check: [u8; 8],
}

impl Packer {
    pub(super) fn new(sealing: Sealing) -> Result<Self, SegmentError> {
        let compressor = zstd::bulk::Compressor::new(LEVEL).map_err(|_| SegmentError::Packing)?;
        Ok(Self { compressor, sealing })
    }

    pub(super) fn pack(
        &mut self,
        of: &SegmentOf,
        from: Box<[u8]>,
        plain: &[u8],
    ) -> Result<Packed, SegmentError> {
        let unpacked = u32::try_from(plain.len()).map_err(|_| SegmentError::Oversize(plain.len()))?;
        if plain.len() > MAX_BLOCK {
            return Err(SegmentError::Oversize(plain.len()));
        }
        let packed = self.compressor.compress(plain).map_err(|_| SegmentError::Packing)?;
        let bytes = self.sealing.seal(Place::of_block(of, &from), packed);
        Ok(Packed { from, unpacked, check: check(&bytes), bytes })
    }

    /// A filter as it goes into the file whose first block begins at `first`. There is nothing to compress.
    pub(super) fn filter(&self, of: &SegmentOf, first: &[u8], filter: Filter) -> Vec<u8> {
        self.sealing.seal(Place::of_filter(of, first), filter.into_bytes())
    }
}

/// The checksum of a block's bytes in the file, so that a block that is read alone is verified, too.
pub(super) fn check(bytes: &[u8]) -> [u8; 8] {
    let mut check = [0; 8];
    check.iter_mut().zip(blake3::hash(bytes).as_bytes()).for_each(|(to, from)| *to = *from);
    check
}

/// What is in a block, from its bytes in the file.
///
/// # Errors
/// When they are not what the directory's entry says.
pub(crate) fn open_block(
    of: &SegmentOf,
    sealing: &Sealing,
    block: &Block,
    bytes: &[u8],
) -> Result<Vec<u8>, SegmentError> {
    if bytes.len() != block.length as usize {
        return Err(SegmentError::Length { expected: block.length.into(), found: bytes.len() as u64 });
    }
    if check(bytes) != block.check {
        return Err(SegmentError::Hash);
    }
    let unpacked = block.unpacked as usize;
    if unpacked > MAX_BLOCK {
        return Err(SegmentError::Oversize(unpacked));
    }
    let packed = sealing.open(Place::of_block(of, &block.from), bytes)?;
    let plain = zstd::bulk::decompress(&packed, unpacked).map_err(|_| SegmentError::Packing)?;
    if plain.len() == unpacked { Ok(plain) } else { Err(SegmentError::Packing) }
}

//! Filters: what tells, without a request, that a segment does not have a row or a key.
//!
//! A filter is a Bloom filter (Bloom, 1970) with double hashing (Kirsch and Mitzenmacher, 2006). It never denies what the
//! segment has. Of what it has not, it lets about one in a hundred pass.

use crate::codec::checkpoint::Segment;
use crate::codec::segment::block::check;
use crate::codec::segment::seal::Place;
use crate::codec::segment::{Sealing, SegmentError, SegmentOf};

/// So many bits each thing gets, and so many of all are set for it.
const BITS: usize = 10;
const PROBES: u64 = 7;

/// What a filter is asked about: a row's position, or a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark(u64);

impl Mark {
    pub(crate) fn of(what: &[u8]) -> Self {
        let hash = blake3::hash(what);
        let mut first = [0; 8];
        first.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
        Self(u64::from_le_bytes(first))
    }

    /// The bits that stand for it, of so many bytes.
    fn bits(self, bytes: usize) -> impl Iterator<Item = (usize, u8)> {
        let (start, step) = (self.0 & 0xffff_ffff, self.0 >> 32 | 1);
        let all = (bytes as u64 * 8).max(1);
        (0..PROBES).map(move |probe| {
            let bit = (start + probe * step) % all;
            ((bit / 8) as usize, 1 << (bit % 8))
        })
    }
}

/// What a segment has, roughly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter(Box<[u8]>);

/// How many bytes the filter of so many marks has.
pub(super) fn size(marks: usize) -> usize {
    (marks * BITS).div_ceil(8).max(8)
}

impl Filter {
    pub(super) fn new(marks: &[Mark]) -> Self {
        let mut bytes = vec![0; size(marks.len())];
        for mark in marks {
            for (at, bit) in mark.bits(bytes.len()) {
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte |= bit);
            }
        }
        Self(bytes.into())
    }

    /// The filter of a segment, from its bytes in the file.
    ///
    /// # Errors
    /// When they are not what the checkpoint says.
    pub(crate) fn open(
        of: &SegmentOf,
        sealing: &Sealing,
        segment: &Segment,
        bytes: &[u8],
    ) -> Result<Self, SegmentError> {
        let part = segment.filter.as_ref().filter(|part| bytes.len() == part.length as usize);
        let part = part.ok_or_else(|| SegmentError::Length {
            expected: segment.filter.as_ref().map_or(0, |part| part.length.into()),
            found: bytes.len() as u64,
        })?;
        if check(bytes) != part.check {
            return Err(SegmentError::Hash);
        }
        let plain = sealing.open(Place::of_filter(of, segment.blocks.first()), bytes)?;
        if plain.is_empty() { Err(SegmentError::Packing) } else { Ok(Self(plain.into())) }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into()
    }

    /// Whether the segment may have it.
    pub(crate) fn may_have(&self, mark: Mark) -> bool {
        mark.bits(self.0.len()).all(|(at, bit)| self.0.get(at).is_some_and(|byte| byte & bit != 0))
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_denied_and_little_passes() {
        let mark = |number: u64| Mark::of(&number.to_be_bytes());
        for count in [0_u64, 1, 7, 1_000, 100_000] {
            let marks: Vec<_> = (0..count).map(mark).collect();
            let filter = Filter::new(&marks);
            assert!(marks.iter().all(|mark| filter.may_have(*mark)));
            let passed = (count..count + 10_000).filter(|number| filter.may_have(mark(*number))).count();
            assert!(passed < 300, "{passed} of 10,000 pass a filter of {count}");
        }
    }
}

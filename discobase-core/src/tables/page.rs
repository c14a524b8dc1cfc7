//! A page: the rows of 64 neighbouring ids, in one piece of memory.
//!
//! It begins with the ends of the 64 slots. Then come the rows, each as the number of the commit that wrote it last
//! and its encoding: whoever reads a row has all of it in one place, for a far place in memory is what a read costs.

use std::sync::Arc;

use crate::ids::Seq;
use crate::wire::{number, skip_number, varint};

/// How many ids share a page.
pub(crate) const PAGE_ROWS: usize = 64;

/// The longest encoding a page takes. 64 of them and their versions lie below 64 KiB, which the ends can count.
pub(crate) const LONGEST: usize = 1_000;

/// Where the rows begin: behind the ends, two bytes each, lowest first.
const HEAD: usize = PAGE_ROWS * 2;

/// A new page has room for so many bytes of rows.
const ROOM: usize = 256;

#[derive(Clone)]
pub(crate) struct Page(Arc<[u8]>);

impl Default for Page {
    fn default() -> Self {
        Self(Arc::from([0; HEAD + ROOM]))
    }
}

impl Page {
    #[inline]
    fn end(&self, slot: usize) -> Option<usize> {
        let [low, high] = self.0.get(slot * 2..)?.first_chunk::<2>()?;
        Some(HEAD + usize::from(u16::from_le_bytes([*low, *high])))
    }

    #[inline]
    fn span(&self, slot: usize) -> Option<(usize, usize)> {
        let start = if slot == 0 { HEAD } else { self.end(slot - 1)? };
        Some((start, self.end(slot)?))
    }

    /// What is in a slot: nothing, or a version and a row, which is empty if it is kept elsewhere.
    #[inline]
    pub(crate) fn slot(&self, slot: usize) -> Option<&[u8]> {
        let (start, end) = self.span(slot)?;
        self.0.get(start..end).filter(|bytes| !bytes.is_empty())
    }

    /// A byte of the line that most likely holds a slot's bytes. Where they are stands in the head, which may be far away
    /// too: both are waited for at once if the place is guessed.
    #[inline(always)]
    pub(crate) fn guess(&self, slot: usize) -> u8 {
        let room = self.0.len().saturating_sub(HEAD);
        self.0.get(HEAD + room * slot / PAGE_ROWS).copied().unwrap_or_default()
    }

    /// A byte of the line that says where a slot's bytes are.
    #[inline(always)]
    pub(crate) fn head(&self, slot: usize) -> u8 {
        self.0.get(slot * 2).copied().unwrap_or_default()
    }

    /// All slots that are not empty.
    #[inline]
    pub(crate) fn slots(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let (head, mut rest) = self.0.split_at_checked(HEAD).unwrap_or_default();
        let mut start = 0;
        let (ends, _) = head.as_chunks::<2>();
        ends.iter().enumerate().filter_map(move |(slot, end)| {
            let end = usize::from(u16::from_le_bytes(*end));
            let (bytes, after) = rest.split_at_checked(end - start)?;
            (rest, start) = (after, end);
            (!bytes.is_empty()).then_some((slot, bytes))
        })
    }

    /// Puts a version and a row into a slot, over what is there.
    pub(crate) fn put(&mut self, slot: usize, version: Seq, row: &[u8]) {
        self.splice(slot, varint(version.get(), &mut [0; 10]), row);
    }

    /// Empties a slot.
    pub(crate) fn clear(&mut self, slot: usize) {
        self.splice(slot, &[], &[]);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.end(PAGE_ROWS - 1) == Some(HEAD)
    }

    /// Gives back what was reserved for rows that did not come.
    pub(crate) fn shrink(&mut self) {
        if let Some(used) = self.end(PAGE_ROWS - 1).and_then(|end| self.0.get(..end))
            && used.len() < self.0.len()
        {
            self.0 = used.into();
        }
    }

    fn splice(&mut self, slot: usize, head: &[u8], tail: &[u8]) {
        let (Some((start, end)), Some(used)) = (self.span(slot), self.end(PAGE_ROWS - 1)) else { return };
        let middle = start + head.len();
        let (new, after) = (middle + tail.len(), used - end);
        if Arc::get_mut(&mut self.0).is_none_or(|bytes| bytes.len() < new + after) {
            // A page that others share is copied as it is to be read; one that still fills gets room for more.
            let room = if after == 0 { (new - HEAD) / 2 } else { 0 };
            let mut bytes = Vec::with_capacity(new + after + room);
            bytes.extend_from_slice(self.0.get(..used).unwrap_or_default());
            bytes.resize((new + after + room).max(used), 0);
            self.0 = bytes.into();
        }
        let Some(bytes) = Arc::get_mut(&mut self.0) else { return };
        bytes.copy_within(end..used, new);
        let places = [(start..middle, head), (middle..new, tail)];
        for (place, from) in places {
            if let Some(to) = bytes.get_mut(place) {
                to.copy_from_slice(from);
            }
        }
        let (ends, _) = bytes.split_at_mut(HEAD);
        for place in ends.as_chunks_mut::<2>().0.iter_mut().skip(slot) {
            // All ends from here on are at or behind the old end.
            *place = ((usize::from(u16::from_le_bytes(*place)) + new - end) as u16).to_le_bytes();
        }
    }
}

/// The version in front of a slot's bytes, and the row behind it.
#[inline(always)]
pub(crate) fn version_and_row(slot: &[u8]) -> Option<(Seq, &[u8])> {
    number(slot).map(|(version, row)| (Seq::new(version), row))
}

/// The row in a slot's bytes, which is empty if it is kept elsewhere.
#[inline(always)]
pub(crate) fn row_in(slot: &[u8]) -> Option<&[u8]> {
    skip_number(slot)
}

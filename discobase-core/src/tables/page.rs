//! A page: the rows of 64 neighbouring ids, their bytes one after the other.
//!
//! A row lies there as the number of the commit that wrote it last and then its encoding, so that whoever reads the
//! row has both in one place. A large row is a piece of its own, so that a change of its neighbours need not copy it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::Seq;
use crate::row::RowRef;
use crate::tables::table::Stored;
use crate::wire::{Reader, varint};

/// How many ids share a page.
pub(crate) const PAGE_ROWS: usize = 64;

/// A longer encoding is kept apart. 64 rows of this length and their versions lie below 64 KiB, which the ends of the
/// rows can count.
const INLINE: usize = 1_000;

#[derive(Clone, Default)]
pub(crate) struct Page {
    bytes: Vec<u8>,
    ends: Ends,
    large: BTreeMap<usize, Arc<[u8]>>,
}

/// Where each slot ends in the page's bytes. A slot without a row is empty.
#[derive(Clone)]
struct Ends([u16; PAGE_ROWS]);

impl Default for Ends {
    fn default() -> Self {
        Self([0; PAGE_ROWS])
    }
}

impl Page {
    #[inline]
    fn span(&self, slot: usize) -> Option<(usize, usize)> {
        let end = *self.ends.0.get(slot)?;
        let start = if slot == 0 { 0 } else { *self.ends.0.get(slot - 1)? };
        Some((usize::from(start), usize::from(end)))
    }

    /// The row in a slot.
    #[inline]
    pub(crate) fn get(&self, slot: usize) -> Option<Stored<'_>> {
        let (start, end) = self.span(slot)?;
        self.decode(slot, self.bytes.get(start..end)?)
    }

    #[inline]
    fn decode<'a>(&'a self, slot: usize, bytes: &'a [u8]) -> Option<Stored<'a>> {
        let mut reader = Reader::new(bytes);
        let version = Seq::new(reader.varint().ok()?);
        let row = match reader.rest() {
            [] => self.large.get(&slot)?,
            row => row,
        };
        Some(Stored { version, row: RowRef::new(row) })
    }

    /// All rows, by their slots.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (usize, Stored<'_>)> {
        let mut rest = self.bytes.as_slice();
        let mut start = 0;
        self.ends.0.iter().enumerate().filter_map(move |(slot, &end)| {
            let (bytes, after) = rest.split_at_checked(usize::from(end - start))?;
            (rest, start) = (after, end);
            if bytes.is_empty() { None } else { Some((slot, self.decode(slot, bytes)?)) }
        })
    }

    /// Puts a row into a slot, over the one that is there.
    pub(crate) fn put(&mut self, slot: usize, version: Seq, row: &[u8]) {
        let apart = row.len() > INLINE;
        self.splice(slot, varint(version.get(), &mut [0; 10]), if apart { &[] } else { row });
        if apart {
            self.large.insert(slot, row.into());
        } else {
            self.large.remove(&slot);
        }
    }

    /// Empties a slot.
    pub(crate) fn clear(&mut self, slot: usize) {
        self.splice(slot, &[], &[]);
        self.large.remove(&slot);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Gives back what was reserved for rows that did not come.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// How many bytes of memory it takes.
    pub(crate) fn footprint(&self) -> usize {
        size_of::<Self>()
            + self.bytes.capacity()
            + self.large.values().map(|row| row.len() + 48).sum::<usize>()
    }

    fn splice(&mut self, slot: usize, head: &[u8], tail: &[u8]) {
        let Some((start, end)) = self.span(slot) else { return };
        let new = start + head.len() + tail.len();
        if end == self.bytes.len() {
            self.bytes.truncate(start);
            self.bytes.extend_from_slice(head);
            self.bytes.extend_from_slice(tail);
        } else {
            self.bytes.splice(start..end, head.iter().chain(tail).copied());
        }
        for place in self.ends.0.iter_mut().skip(slot) {
            // All ends from here on are at or behind the old end.
            *place = (usize::from(*place) - end + new) as u16;
        }
    }
}

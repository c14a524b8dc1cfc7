//! The hash index of a key: which row may have it, in one look at memory in most cases.
//!
//! An entry is eight bytes: 24 bits of the key's hash, and the row's id in the 40 others. The key itself stays in the
//! row, and whoever asks compares it there. Entries lie in shards of some hundreds behind a persistent array, so that
//! a commit copies the shards it touches and nothing else; one shard after the other is split as the index grows
//! (linear hashing), so that no single insertion pays for all rows.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;

use crate::ids::RowId;
use crate::tables::trie::Trie;
use crate::value::ValueRef;

const ID_BITS: u32 = 40;
const TAG_BITS: u32 = 64 - ID_BITS;

/// How many entries the shards have on average before one of them is split.
const SHARD_ROWS: usize = 192;

#[derive(Clone)]
pub(crate) struct HashIndex {
    /// `count` of them. The lowest bits of the tag choose.
    shards: Trie<Shard>,
    count: u64,
    len: usize,
    hasher: foldhash::fast::RandomState,
}

/// The part of a key's hash that the index keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag(u64);

/// An open table of entries, sorted among themselves: an entry is never before its home, which its tag tells, and no
/// place between the two is free. A free place is 0, which is no entry, for there is no row 0.
type Shard = Arc<[u64]>;

/// So many places at the end of a shard are nobody's home: for those whose homes are taken.
const TAIL: usize = 8;

fn tag_of(entry: u64) -> u64 {
    entry >> ID_BITS
}

fn row_of(entry: u64) -> RowId {
    RowId::new(entry & ((1 << ID_BITS) - 1))
}

#[inline]
fn home(tag: u64, places: usize) -> usize {
    (tag as usize * places.saturating_sub(TAIL)) >> TAG_BITS
}

impl HashIndex {
    pub(crate) fn new() -> Self {
        Self { shards: Trie::default(), count: 0, len: 0, hasher: foldhash::fast::RandomState::default() }
    }

    /// An index of that many rows, built at once.
    pub(crate) fn of(len: usize, tags: impl FnOnce(&Self) -> Vec<(Tag, RowId)>) -> Self {
        let mut index = Self::new();
        index.count = (len / SHARD_ROWS) as u64 + 1;
        let mut shards = vec![Vec::new(); index.count as usize];
        for (tag, row) in tags(&index) {
            index.len += 1;
            if let Some(shard) = shards.get_mut(index.shard(tag) as usize) {
                shard.push(tag.0 << ID_BITS | row.get());
            }
        }
        for (number, mut entries) in (0..).zip(shards) {
            entries.sort_unstable();
            if let Some(place) = index.shards.entry(number) {
                *place = Some(table(&entries));
            }
        }
        index
    }

    /// The tag of a key.
    #[inline]
    pub(crate) fn tag(&self, values: &[ValueRef<'_>]) -> Tag {
        let mut hasher = self.hasher.build_hasher();
        for value in values {
            match value {
                ValueRef::Null => hasher.write_u8(0),
                ValueRef::Bool(value) => hasher.write_u8(1 + u8::from(*value)),
                ValueRef::Int(number) => hasher.write_u64(*number as u64),
                ValueRef::Float(number) => hasher.write_u64(number.to_bits()),
                // The length parts one column from the next.
                ValueRef::Text(text) => {
                    hasher.write_usize(text.len());
                    hasher.write(text.as_bytes());
                }
                ValueRef::Bytes(bytes) => {
                    hasher.write_usize(bytes.len());
                    hasher.write(bytes);
                }
            }
        }
        Tag(hasher.finish() >> ID_BITS)
    }

    /// The shard of a tag: by its lowest bits, one bit more in those that were split since their number last doubled.
    #[inline]
    fn shard(&self, tag: Tag) -> u64 {
        let half = 1 << self.count.max(1).ilog2();
        let number = tag.0 & (2 * half - 1);
        if number < self.count { number } else { number & (half - 1) }
    }

    /// The first row with the tag that `is_it` accepts.
    #[inline]
    pub(crate) fn find<R>(&self, tag: Tag, mut is_it: impl FnMut(RowId) -> Option<R>) -> Option<R> {
        let shard = self.shards.get(self.shard(tag))?;
        let from = shard.get(home(tag.0, shard.len())..)?;
        // The entries are sorted: behind the first one with a higher tag there is none with this one.
        let near = from.iter().take_while(|&&entry| entry != 0 && tag_of(entry) <= tag.0);
        near.filter(|&&entry| tag_of(entry) == tag.0).find_map(|&entry| is_it(row_of(entry)))
    }

    pub(crate) fn insert(&mut self, tag: Tag, row: RowId) {
        if self.len >= self.count as usize * SHARD_ROWS {
            self.split();
        }
        let number = self.shard(tag);
        let Some(place) = self.shards.entry(number) else { return };
        let shard = place.get_or_insert_with(|| table(&[]));
        let entry = tag.0 << ID_BITS | row.get();
        if !put(unique(shard), entry) {
            let mut entries: Vec<u64> = shard.iter().copied().filter(|entry| *entry != 0).collect();
            entries.insert(entries.partition_point(|other| *other < entry), entry);
            *shard = table(&entries);
        }
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, tag: Tag, row: RowId) {
        let number = self.shard(tag);
        let Some(shard) = self.shards.get_mut(number) else { return };
        if take(unique(shard), tag.0 << ID_BITS | row.get()) {
            self.len -= 1;
            let entries = || shard.iter().copied().filter(|entry| *entry != 0);
            if entries().count() * 2 + SHARD_ROWS / 4 < shard.len() {
                *shard = table(&entries().collect::<Vec<_>>());
            }
        }
    }

    /// One shard more: the entries of the next shard in turn whose next bit is set go there.
    fn split(&mut self) {
        if self.count == 0 {
            self.count = 1;
            return;
        }
        // As many shards as tags can't be split further; it takes billions of rows.
        if self.count >> TAG_BITS != 0 {
            return;
        }
        let half = 1 << self.count.ilog2();
        let (old, new) = (self.count - half, self.count);
        self.count += 1;
        let entries = self.shards.get(old).map(|shard| shard.iter().copied().filter(|entry| *entry != 0));
        let (moved, kept): (Vec<u64>, Vec<u64>) =
            entries.into_iter().flatten().partition(|entry| tag_of(*entry) & half != 0);
        for (number, entries) in [(old, kept), (new, moved)] {
            if let Some(place) = self.shards.entry(number) {
                *place = Some(table(&entries));
            }
        }
    }

    /// All entries, in no particular order.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> Vec<(Tag, RowId)> {
        let entries = self.shards.iter().flat_map(|(_, shard)| shard.iter().filter(|entry| **entry != 0));
        entries.map(|entry| (Tag(tag_of(*entry)), row_of(*entry))).collect()
    }

    /// Whether the shards are what a look relies on.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.entries().len(), self.len);
        for (number, shard) in self.shards.iter() {
            let mut last = 0;
            for (at, entry) in shard.iter().enumerate().filter(|(_, entry)| **entry != 0) {
                assert!(*entry > last, "entries out of order");
                last = *entry;
                assert_eq!(self.shard(Tag(tag_of(*entry))), number, "an entry in the wrong shard");
                let from = home(tag_of(*entry), shard.len());
                assert!(
                    from <= at && shard[from..at].iter().all(|other| *other != 0),
                    "a gap before an entry"
                );
            }
        }
    }

    /// How many bytes of memory the index takes, about.
    #[cfg(test)]
    pub(crate) fn footprint(&self) -> usize {
        self.shards.iter().map(|(_, shard)| size_of_val::<[u64]>(shard) + 16 + 16).sum()
    }
}

/// The shard, copied if others share it.
fn unique(shard: &mut Shard) -> &mut [u64] {
    if Arc::get_mut(shard).is_none() {
        *shard = shard.iter().copied().collect();
    }
    Arc::get_mut(shard).unwrap_or_default()
}

/// A table of sorted entries, of which nine in ten places are taken at most.
fn table(entries: &[u64]) -> Shard {
    let mut places = entries.len() + entries.len() / 10 + TAIL;
    loop {
        let mut table = vec![0; places];
        // Many of the last ones may share a home, and the places behind it not be enough.
        let placed = entries.iter().try_fold(0, |next, entry| {
            let at = home(tag_of(*entry), places).max(next);
            *table.get_mut(at)? = *entry;
            Some(at + 1)
        });
        if placed.is_some() {
            return table.into();
        }
        places += TAIL;
    }
}

/// How long a run may be before it is asked whether the table is too full.
const LONG_RUN: usize = 24;

/// Puts an entry where it belongs; false if there is no place, or so few that all looks take long.
fn put(places: &mut [u64], entry: u64) -> bool {
    let length = places.len();
    let start = home(tag_of(entry), length);
    let Some(free) = places.iter().skip(start).position(|other| *other == 0) else { return false };
    if free > LONG_RUN && places.iter().filter(|other| **other == 0).count() * 12 < length {
        return false;
    }
    let Some(from) = places.get_mut(start..) else { return false };
    let Some(run) = from.get_mut(..=free) else { return false };
    let at = run.partition_point(|other| *other != 0 && *other < entry);
    if let Some(behind) = run.get_mut(at..) {
        behind.rotate_right(1);
        if let Some(first) = behind.first_mut() {
            *first = entry;
        }
    }
    true
}

/// Takes an entry out; false if it is not there.
fn take(places: &mut [u64], entry: u64) -> bool {
    let length = places.len();
    let home_of = |entry: u64| home(tag_of(entry), length);
    let start = home_of(entry);
    let Some(from) = places.get_mut(start..) else { return false };
    let Some(at) = from.iter().take_while(|other| **other != 0).position(|other| *other == entry) else {
        return false;
    };
    // Those behind it that are not at home move up by one place.
    let behind = from.iter().enumerate().skip(at + 1);
    let moved = behind.take_while(|(place, other)| **other != 0 && home_of(**other) < start + place).count();
    if let Some(run) = from.get_mut(at..=at + moved) {
        run.rotate_left(1);
        if let Some(last) = run.last_mut() {
            *last = 0;
        }
    }
    true
}

#[cfg(test)]
mod tests;

//! The hash index of a key: which row has it, in one probe.
//!
//! The entries lie in small shards behind shared pointers. A clone shares all shards; the first change to a shard
//! that is shared copies that shard alone. So a snapshot costs a walk over the shards' pointers, a lookup no more
//! than a plain hash table, and a commit copies only what it touches.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::ids::RowId;
use crate::tables::table::Stored;

/// A row and the hash of its key.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    hash: u64,
    pub(crate) row: RowId,
    pub(crate) stored: Stored,
}

/// How many entries a shard has on average before the shards are doubled.
const SHARD_ROWS: usize = 128;

#[derive(Clone)]
pub(crate) struct HashIndex {
    /// A power of two of them; the highest bits of the hash choose.
    shards: Vec<Arc<HashTable<Entry>>>,
    len: usize,
    hasher: foldhash::fast::RandomState,
}

impl HashIndex {
    pub(crate) fn new() -> Self {
        Self {
            shards: vec![Arc::new(HashTable::new())],
            len: 0,
            hasher: foldhash::fast::RandomState::default(),
        }
    }

    /// The hash of a key: of the encodings of its values, one after the other.
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    fn shard(&self, hash: u64) -> usize {
        // A shift by 64 would overflow; with one shard every hash is in it.
        match self.shards.len().trailing_zeros() {
            0 => 0,
            bits => (hash >> (64 - bits)) as usize,
        }
    }

    /// The row whose hash is `hash` and that `is_it` accepts.
    pub(crate) fn get(&self, hash: u64, is_it: impl Fn(&Stored) -> bool) -> Option<&Entry> {
        let shard = self.shards.get(self.shard(hash))?;
        shard.find(hash, |entry| entry.hash == hash && is_it(&entry.stored))
    }

    pub(crate) fn insert(&mut self, hash: u64, row: RowId, stored: Stored) {
        if self.len >= self.shards.len() * SHARD_ROWS {
            self.split();
        }
        let shard = self.shard(hash);
        if let Some(shard) = self.shards.get_mut(shard) {
            let entry = Entry { hash, row, stored };
            Arc::make_mut(shard).insert_unique(hash, entry, |entry| entry.hash);
            self.len += 1;
        }
    }

    pub(crate) fn remove(&mut self, hash: u64, row: RowId) {
        let shard = self.shard(hash);
        let Some(shard) = self.shards.get_mut(shard) else { return };
        if let Ok(entry) = Arc::make_mut(shard).find_entry(hash, |entry| entry.row == row) {
            entry.remove();
            self.len -= 1;
        }
    }

    /// Doubles the shards: each becomes the two that its entries' next bit chooses.
    fn split(&mut self) {
        let bits = self.shards.len().trailing_zeros() + 1;
        let halves = self.shards.iter().flat_map(|shard| {
            let mut halves = [HashTable::new(), HashTable::new()];
            let [low, high] = &mut halves;
            for entry in shard.iter() {
                let half = if entry.hash >> (64 - bits) & 1 == 0 { &mut *low } else { &mut *high };
                half.insert_unique(entry.hash, entry.clone(), |entry| entry.hash);
            }
            halves.map(Arc::new)
        });
        self.shards = halves.collect();
    }
}

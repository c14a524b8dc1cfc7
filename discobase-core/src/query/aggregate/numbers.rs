//! The numbers of groups, by what the rows of each have in common.

use std::hash::BuildHasher as _;

use hashbrown::HashTable;

/// Groups by the encoded values that they have in common: each value has one encoding.
///
/// With many groups each look is a wait for memory. So the table has the beginning of a key beside the number of its group,
/// and the keys, of which only long ones are needed to compare, lie elsewhere.
#[derive(Default)]
pub(super) struct Numbers {
    table: HashTable<Entry>,
    /// All keys, one behind the other, by the numbers of their groups.
    keys: Vec<u8>,
    ends: Vec<usize>,
    hasher: foldhash::fast::RandomState,
}

/// A key that is no longer than this is compared where it is found.
const SHORT: usize = 15;

struct Entry {
    /// The key's first bytes, and zeros behind it.
    front: [u8; SHORT],
    /// How long it is, or the highest number if it is longer than it can say.
    length: u8,
    group: usize,
}

fn front(key: &[u8]) -> ([u8; SHORT], u8) {
    let mut front = [0; SHORT];
    front.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    (front, u8::try_from(key.len()).unwrap_or(u8::MAX))
}

impl Numbers {
    /// The number of the group with this key: that of the next one if there was none.
    #[inline]
    pub(super) fn of(&mut self, key: &[u8]) -> usize {
        let (front, length) = front(key);
        let hash = self.hasher.hash_one(key);
        let same = |entry: &Entry| {
            entry.front == front
                && entry.length == length
                && (key.len() <= SHORT || at(&self.keys, &self.ends, entry.group) == key)
        };
        if let Some(entry) = self.table.find(hash, same) {
            return entry.group;
        }
        let group = self.ends.len();
        let (keys, ends, hasher) = (&self.keys, &self.ends, &self.hasher);
        let entry = Entry { front, length, group };
        self.table.insert_unique(hash, entry, |entry| hasher.hash_one(at(keys, ends, entry.group)));
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len());
        group
    }

    /// All keys, with the numbers of their groups.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], usize)> {
        (0..self.ends.len()).map(|group| (at(&self.keys, &self.ends, group), group))
    }
}

/// The key of a group.
fn at<'a>(keys: &'a [u8], ends: &[usize], group: usize) -> &'a [u8] {
    let start = group.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or_default();
    ends.get(group).and_then(|end| keys.get(start..*end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys of all lengths near those at which they are kept in another way, and such that begin alike.
    #[test]
    fn keys_have_numbers_in_the_order_they_came() {
        let lengths = [0, 1, SHORT - 1, SHORT, SHORT + 1, 254, 255, 256, 300];
        let keys: Vec<Vec<u8>> = lengths
            .iter()
            .flat_map(|length| {
                [0, 1].map(|last| (0..*length).map(|at| if at + 1 == *length { last } else { 0 }).collect())
            })
            .collect();
        let mut known: Vec<&Vec<u8>> = Vec::new();
        let mut numbers = Numbers::default();
        for key in keys.iter().chain(&keys) {
            let wanted = known.iter().position(|other| *other == key).unwrap_or_else(|| {
                known.push(key);
                known.len() - 1
            });
            assert_eq!(numbers.of(key), wanted, "{key:?}");
        }
        let found: Vec<_> = numbers.iter().collect();
        let wanted: Vec<_> = known.iter().enumerate().map(|(group, key)| (key.as_slice(), group)).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_table_that_grows_keeps_its_numbers() {
        let mut numbers = Numbers::default();
        for _ in 0..2 {
            for number in 0..20_000_u32 {
                let key = number.to_le_bytes().repeat(1 + number as usize % 4);
                assert_eq!(numbers.of(&key), number as usize);
            }
        }
    }
}

//! An ordered index: a persistent tree whose leaves are sorted lists of packed strings.
//!
//! A string is the sort key of a row and then the row's id in five bytes, highest first. No sort key is the beginning
//! of another, so the strings are in the order of the keys and, where those are equal, of the rows.

mod node;

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use smallvec::SmallVec;

use self::node::{INNER, LEAF, LEAF_BYTES, Node};
use crate::ids::RowId;
use crate::tables::packed::{Packed, between};
use crate::tables::sort_key::SortKey;

const ID_BYTES: usize = 5;

#[derive(Clone, Default)]
pub(crate) struct Ordered {
    root: Node,
}

/// A sort key and a row, as one string.
pub(crate) type Entry = SmallVec<[u8; 24]>;

pub(crate) fn entry(key: &SortKey, id: RowId) -> Entry {
    let mut entry = Entry::from_slice(key.as_bytes());
    let [_, _, _, id @ ..] = id.get().to_be_bytes();
    entry.extend_from_slice(&id);
    entry
}

fn row_of(strings: &Packed, at: usize) -> RowId {
    let [a, b, c, d, e] = strings.tail::<ID_BYTES>(at).unwrap_or_default();
    RowId::new(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]))
}

/// Which strings a walk visits: from `low` on, up to but without `high`.
struct Span {
    low: SmallVec<[u8; 24]>,
    high: Option<SmallVec<[u8; 24]>>,
    reverse: bool,
}

/// The least string above all strings of the key and of keys that begin with it; no string has 255 behind a key.
fn after(key: &SortKey) -> Entry {
    let mut after = Entry::from_slice(key.as_bytes());
    after.extend_from_slice(&[255; ID_BYTES + 1]);
    after
}

impl Span {
    fn new(low: &Bound<SortKey>, high: &Bound<SortKey>, reverse: bool) -> Self {
        let low = match low {
            Bound::Included(key) => Entry::from_slice(key.as_bytes()),
            Bound::Excluded(key) => after(key),
            Bound::Unbounded => Entry::new(),
        };
        let high = match high {
            Bound::Included(key) => Some(after(key)),
            Bound::Excluded(key) => Some(Entry::from_slice(key.as_bytes())),
            Bound::Unbounded => None,
        };
        Self { low, high, reverse }
    }
}

impl Ordered {
    /// Of sorted entries: full leaves.
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut nodes: Vec<(Entry, Arc<Node>)> = Vec::with_capacity(entries.len() / LEAF + 1);
        let (mut rest, mut before): (_, &[u8]) = (entries, &[]);
        while let Some(first) = rest.first() {
            let mut size = 0;
            let fits = rest.iter().take(LEAF).take_while(|entry| {
                size += entry.len();
                size <= LEAF_BYTES
            });
            let (leaf, more) = rest.split_at(fits.count().max(1));
            nodes.push((Entry::from_slice(between(before, first)), Arc::new(Node::Leaf(Packed::of(leaf)))));
            before = leaf.last().map_or(&[], |last| last.as_slice());
            rest = more;
        }
        while nodes.len() > 1 {
            let inner = nodes.chunks(INNER).filter_map(|below| {
                let ((first, _), others) = below.split_first()?;
                let separators: Vec<&[u8]> = others.iter().map(|(low, _)| low.as_slice()).collect();
                let nodes = below.iter().map(|(_, node)| Arc::clone(node)).collect();
                Some((first.clone(), Arc::new(Node::Inner(Packed::of(&separators), nodes))))
            });
            nodes = inner.collect();
        }
        let root = nodes.pop().map(|(_, node)| Arc::unwrap_or_clone(node));
        Self { root: root.unwrap_or_default() }
    }

    /// Adds a string; false if it is there.
    pub(crate) fn insert(&mut self, string: &[u8]) -> bool {
        let (added, split) = self.root.insert(string);
        if let Some((separator, right)) = split {
            let left = Arc::new(std::mem::take(&mut self.root));
            self.root = Node::Inner(Packed::of(&[separator]), vec![left, Arc::new(right)]);
        }
        added
    }

    /// Removes a string; false if it is not there.
    pub(crate) fn remove(&mut self, string: &[u8]) -> bool {
        let removed = self.root.contains(string);
        if removed {
            self.root.remove(string);
            // A root with one node below it is one level too many.
            while let Node::Inner(_, nodes) = &mut self.root
                && nodes.len() == 1
                && let Some(only) = nodes.pop()
            {
                self.root = Arc::unwrap_or_clone(only);
            }
        }
        removed
    }

    /// Visits the rows whose keys lie between two bounds until `visit` breaks: in the order of keys and rows, or in
    /// exactly the opposite order.
    pub(crate) fn walk<B>(
        &self,
        low: &Bound<SortKey>,
        high: &Bound<SortKey>,
        reverse: bool,
        mut visit: impl FnMut(RowId) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.root.walk(&Span::new(low, high, reverse), &mut |strings, at| visit(row_of(strings, at)))
    }

    /// All strings in their order.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> Vec<Vec<u8>> {
        let span = Span { low: Entry::new(), high: None, reverse: false };
        let mut all = Vec::new();
        let _ = self.root.walk(&span, &mut |strings, at| {
            all.push(strings.get(at));
            ControlFlow::<()>::Continue(())
        });
        all
    }

    /// How many bytes of memory the index takes, about.
    #[cfg(test)]
    pub(crate) fn footprint(&self) -> usize {
        self.root.footprint()
    }

    /// Whether the tree is one: all leaves equally deep, no node with too many strings or none, every string where the
    /// separators say.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        if !matches!(&self.root, Node::Leaf(strings) if strings.len() == 0) {
            self.root.check_invariants(&[], None);
        }
    }
}

#[cfg(test)]
mod tests;

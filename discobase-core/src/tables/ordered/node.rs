//! A node of an ordered index's tree: a leaf of packed strings, or nodes with the strings that separate them.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Entry, Span};
use crate::tables::packed::{Packed, between};

/// A leaf is split when it has more strings, or more bytes of more than one string. It is split once for each string
/// that comes, so a leaf of long strings may be larger for a while.
pub(super) const LEAF: usize = 128;
pub(super) const LEAF_BYTES: usize = 4 << 10;
/// An inner node is split when it has more nodes below it.
pub(super) const INNER: usize = 64;

#[derive(Clone)]
pub(super) enum Node {
    Leaf(Packed),
    /// The strings separate the nodes: all strings of the node behind one are not below it.
    Inner(Packed, Vec<Arc<Node>>),
}

impl Default for Node {
    fn default() -> Self {
        Self::Leaf(Packed::default())
    }
}

impl Node {
    pub(super) fn contains(&self, string: &[u8]) -> bool {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(strings) => return strings.below(string) < strings.up_to(string),
                Self::Inner(separators, nodes) => match nodes.get(separators.up_to(string)) {
                    Some(below) => node = below,
                    None => return false,
                },
            }
        }
    }

    /// Whether the string was added, and what was split off to the right, behind its separator.
    pub(super) fn insert(&mut self, string: &[u8]) -> (bool, Option<(Entry, Self)>) {
        match self {
            Self::Leaf(strings) => {
                let at = strings.below(string);
                if at < strings.up_to(string) {
                    return (false, None);
                }
                strings.insert(at, string);
                let full = strings.len() > LEAF || (strings.size() > LEAF_BYTES && strings.len() > 1);
                (true, full.then(|| split_leaf(strings, at)))
            }
            Self::Inner(separators, nodes) => {
                let at = separators.up_to(string);
                let Some(below) = nodes.get_mut(at) else { return (false, None) };
                let (added, split) = Arc::make_mut(below).insert(string);
                let Some((separator, right)) = split else { return (added, None) };
                separators.insert(at, &separator);
                nodes.insert(at + 1, Arc::new(right));
                (added, (nodes.len() > INNER).then(|| split_inner(separators, nodes, at + 1)))
            }
        }
    }

    pub(super) fn remove(&mut self, string: &[u8]) {
        match self {
            Self::Leaf(strings) => {
                let at = strings.below(string);
                if at < strings.up_to(string) {
                    strings.remove(at);
                }
            }
            Self::Inner(separators, nodes) => {
                let at = separators.up_to(string);
                let Some(below) = nodes.get_mut(at) else { return };
                let below = Arc::make_mut(below);
                below.remove(string);
                if below.is_empty() {
                    nodes.remove(at);
                    separators.remove(at.saturating_sub(1));
                } else if below.is_small() {
                    join(separators, nodes, at);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Leaf(strings) => strings.len() == 0,
            Self::Inner(_, nodes) => nodes.is_empty(),
        }
    }

    /// Whether it and its neighbour might as well be one.
    fn is_small(&self) -> bool {
        match self {
            Self::Leaf(strings) => strings.len() < LEAF / 4 && strings.size() < LEAF_BYTES / 4,
            Self::Inner(_, nodes) => nodes.len() < INNER / 4,
        }
    }

    /// Takes in its right neighbour if both fit into one node; false if they don't.
    fn take_in(&mut self, separator: &[u8], right: &Self) -> bool {
        match (self, right) {
            (Self::Leaf(left), Self::Leaf(right))
                if left.len() + right.len() <= LEAF / 2 && left.size() + right.size() <= LEAF_BYTES / 2 =>
            {
                let strings: Vec<_> = left.iter().chain(right.iter()).collect();
                *left = Packed::of(&strings);
                true
            }
            (Self::Inner(left, nodes), Self::Inner(right, others))
                if nodes.len() + others.len() <= INNER / 2 =>
            {
                let strings: Vec<_> = left.iter().chain([separator.to_vec()]).chain(right.iter()).collect();
                *left = Packed::of(&strings);
                nodes.extend(others.iter().cloned());
                true
            }
            _ => false,
        }
    }

    pub(super) fn walk<B>(
        &self,
        span: &Span,
        visit: &mut impl FnMut(&Packed, usize) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match self {
            Self::Leaf(strings) => {
                let first = strings.below(&span.low);
                let last = span.high.as_ref().map_or(strings.len(), |high| strings.below(high));
                if span.reverse {
                    (first..last).rev().try_for_each(|at| visit(strings, at))
                } else {
                    (first..last).try_for_each(|at| visit(strings, at))
                }
            }
            Self::Inner(separators, nodes) => {
                let first = separators.up_to(&span.low);
                // A node whose separator is `high` has nothing below it.
                let last = span.high.as_ref().map_or(nodes.len(), |high| separators.below(high) + 1);
                let nodes = nodes.get(first..last).unwrap_or_default();
                if span.reverse {
                    nodes.iter().rev().try_for_each(|node| node.walk(span, visit))
                } else {
                    nodes.iter().try_for_each(|node| node.walk(span, visit))
                }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn footprint(&self) -> usize {
        match self {
            Self::Leaf(strings) => 24 + strings.footprint(),
            Self::Inner(separators, nodes) => {
                let below = nodes.iter().map(|node| node.footprint() + 8).sum::<usize>();
                24 + separators.footprint() + below
            }
        }
    }
}

#[cfg(test)]
impl Node {
    /// The depth of the leaves.
    pub(super) fn check_invariants(&self, low: &[u8], high: Option<&[u8]>) -> usize {
        let strings = match self {
            Self::Leaf(strings) | Self::Inner(strings, _) => strings,
        };
        let all: Vec<_> = strings.iter().collect();
        assert!(all.is_sorted_by(|a, b| a < b), "strings out of order");
        assert!(
            all.iter()
                .all(|string| string.as_slice() >= low && high.is_none_or(|high| string.as_slice() < high))
        );
        match self {
            Self::Leaf(_) => {
                assert!((1..=LEAF).contains(&all.len()), "a leaf of {} strings", all.len());
                0
            }
            Self::Inner(_, nodes) => {
                assert!((1..=INNER).contains(&nodes.len()) && nodes.len() == all.len() + 1);
                let lows = std::iter::once(low).chain(all.iter().map(Vec::as_slice));
                let highs = all.iter().map(|string| Some(string.as_slice())).chain([high]);
                let depths: Vec<_> = nodes
                    .iter()
                    .zip(lows.zip(highs))
                    .map(|(node, (low, high))| node.check_invariants(low, high))
                    .collect();
                assert!(depths.windows(2).all(|pair| pair[0] == pair[1]), "leaves at different depths");
                depths[0] + 1
            }
        }
    }
}

/// Where to split what was last changed at `at`: keys that come in their order leave full nodes behind them.
fn middle(length: usize, at: usize) -> usize {
    if at + 1 == length { at } else { length / 2 }
}

fn split_leaf(strings: &mut Packed, at: usize) -> (Entry, Node) {
    let right = strings.split_off(middle(strings.len(), at));
    let last = strings.get(strings.len().saturating_sub(1));
    let separator = Entry::from_slice(between(&last, &right.get(0)));
    (separator, Node::Leaf(right))
}

fn split_inner(separators: &mut Packed, nodes: &mut Vec<Arc<Node>>, at: usize) -> (Entry, Node) {
    let middle = middle(nodes.len(), at);
    let others = nodes.split_off(middle);
    let right = separators.split_off(middle);
    let separator = Entry::from_vec(separators.get(middle - 1));
    separators.remove(middle - 1);
    (separator, Node::Inner(right, others))
}

/// Joins a node that became small with a neighbour, if the two fit into one.
fn join(separators: &mut Packed, nodes: &mut Vec<Arc<Node>>, at: usize) {
    let left = if at + 1 < nodes.len() { at } else { at.saturating_sub(1) };
    let separator = separators.get(left);
    let Some([into, from]) =
        nodes.get_mut(left..left + 2).and_then(|pair| <&mut [_; 2]>::try_from(pair).ok())
    else {
        return;
    };
    if Arc::make_mut(into).take_in(&separator, from) {
        nodes.remove(left + 1);
        separators.remove(left);
    }
}

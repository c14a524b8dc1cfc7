//! A persistent array: values by a number, in a tree so wide that it is never deep.
//!
//! A clone shares everything. The first change of a value in a shared tree copies the value and the few nodes above it.

use std::ops::ControlFlow;
use std::sync::Arc;

/// Each level is chosen by so many bits of the number.
const BITS: u32 = 6;
const WIDTH: usize = 1 << BITS;

/// Values of type `T` by a number; most numbers near the lowest have one.
pub(crate) struct Trie<T> {
    root: Option<Arc<Node<T>>>,
    /// How many levels there are. All numbers below `1 << (BITS * height)` have a place.
    height: u32,
}

#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "nodes only ever lie behind an Arc, and both are arrays")]
enum Node<T> {
    Inner([Option<Arc<Node<T>>>; WIDTH]),
    Leaf([Option<T>; WIDTH]),
}

impl<T> Clone for Trie<T> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), height: self.height }
    }
}

impl<T> Default for Trie<T> {
    fn default() -> Self {
        Self { root: None, height: 0 }
    }
}

/// Which entry of a node at `level` (0 are the leaves) the number is in.
#[inline]
fn place(number: u64, level: u32) -> usize {
    (number >> (BITS * level)) as usize & (WIDTH - 1)
}

impl<T> Node<T> {
    fn new(level: u32) -> Self {
        if level == 0 { Self::Leaf([const { None }; WIDTH]) } else { Self::Inner([const { None }; WIDTH]) }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Inner(below) => below.iter().all(Option::is_none),
            Self::Leaf(values) => values.iter().all(Option::is_none),
        }
    }

    fn walk<'a, B>(
        &'a self,
        first: u64,
        visit: &mut impl FnMut(u64, &'a T) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match self {
            Self::Inner(below) => {
                for (at, node) in (0..).zip(below) {
                    if let Some(node) = node {
                        node.walk((first | at) << BITS, visit)?;
                    }
                }
            }
            Self::Leaf(values) => {
                for (at, value) in (0..).zip(values) {
                    if let Some(value) = value {
                        visit(first | at, value)?;
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }
}

impl<T: Clone> Trie<T> {
    #[inline]
    fn has_place(&self, number: u64) -> bool {
        self.height * BITS >= u64::BITS || number >> (self.height * BITS) == 0
    }

    /// The value of the number.
    #[inline]
    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        if !self.has_place(number) {
            return None;
        }
        let mut node = self.root.as_deref()?;
        let mut level = self.height;
        loop {
            level = level.saturating_sub(1);
            match node {
                Node::Inner(below) => node = below.get(place(number, level))?.as_deref()?,
                Node::Leaf(values) => return values.get(place(number, level))?.as_ref(),
            }
        }
    }

    /// The place of the number, to be filled, changed or emptied.
    pub(crate) fn entry(&mut self, number: u64) -> Option<&mut Option<T>> {
        while self.height == 0 || !self.has_place(number) {
            self.grow();
        }
        let mut level = self.height - 1;
        let mut node = Arc::make_mut(self.root.get_or_insert_with(|| Arc::new(Node::new(level))));
        loop {
            match node {
                Node::Inner(below) => {
                    let below = below.get_mut(place(number, level))?;
                    level = level.saturating_sub(1);
                    node = Arc::make_mut(below.get_or_insert_with(|| Arc::new(Node::new(level))));
                }
                Node::Leaf(values) => return values.get_mut(place(number, level)),
            }
        }
    }

    /// The value of the number, to be changed; nothing is copied if there is none.
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.get(number)?;
        self.entry(number)?.as_mut()
    }

    /// Takes the value of the number out, and the nodes that are empty without it.
    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        self.get(number)?;
        let removed = self.entry(number)?.take();
        if let Some(root) = &mut self.root
            && prune(Arc::make_mut(root), number, self.height.saturating_sub(1))
        {
            *self = Self::default();
        }
        removed
    }

    /// One more level, of which the present root is the first entry.
    fn grow(&mut self) {
        self.root = self.root.take().map(|old| {
            let mut root = Node::new(self.height);
            if let Node::Inner(below) = &mut root
                && let Some(first) = below.first_mut()
            {
                *first = Some(old);
            }
            Arc::new(root)
        });
        self.height += 1;
    }

    /// All values, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let mut stack = Vec::with_capacity(self.height as usize);
        if let Some(root) = self.root.as_deref() {
            stack.push((root, 0_u64, 0_usize));
        }
        std::iter::from_fn(move || {
            loop {
                let (node, first, at) = stack.last_mut()?;
                let (number, here) = (*first | *at as u64, *at);
                *at += 1;
                match node {
                    _ if here == WIDTH => {
                        stack.pop();
                    }
                    Node::Inner(below) => {
                        if let Some(Some(below)) = below.get(here) {
                            stack.push((below, number << BITS, 0));
                        }
                    }
                    Node::Leaf(values) => {
                        if let Some(Some(value)) = values.get(here) {
                            return Some((number, value));
                        }
                    }
                }
            }
        })
    }

    /// Visits the values in the order of their numbers until `visit` breaks: what [`Trie::iter`] gives, faster.
    pub(crate) fn walk<'a, B>(
        &'a self,
        mut visit: impl FnMut(u64, &'a T) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match &self.root {
            Some(root) => root.walk(0, &mut visit),
            None => ControlFlow::Continue(()),
        }
    }
}

/// Removes empty nodes on the way to the number; whether the node itself is empty.
fn prune<T: Clone>(node: &mut Node<T>, number: u64, level: u32) -> bool {
    if let Node::Inner(below) = node
        && let Some(slot) = below.get_mut(place(number, level))
        && let Some(child) = slot
        && prune(Arc::make_mut(child), number, level.saturating_sub(1))
    {
        *slot = None;
    }
    node.is_empty()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_trie_is_a_map_and_its_clones_stay_what_they_were(
            steps in proptest::collection::vec(
                (prop_oneof![0..200_u64, 4_000..4_200_u64, (0..40_u32).prop_map(|bits| 1 << bits)], any::<Option<u8>>()),
                1..200,
            ),
        ) {
            let (mut trie, mut model, mut kept) = (Trie::default(), BTreeMap::new(), Vec::new());
            for (step, (number, value)) in steps.into_iter().enumerate() {
                match value {
                    Some(value) => {
                        *trie.entry(number).unwrap() = Some(value);
                        model.insert(number, value);
                    }
                    None => prop_assert_eq!(trie.remove(number), model.remove(&number)),
                }
                if step % 16 == 0 {
                    kept.push((trie.clone(), model.clone()));
                }
                prop_assert_eq!(trie.get(number), model.get(&number));
                prop_assert_eq!(trie.root.is_none(), model.is_empty());
            }
            kept.push((trie, model));
            for (trie, model) in kept {
                let found: Vec<_> = trie.iter().map(|(number, value)| (number, *value)).collect();
                prop_assert_eq!(&found, &model.into_iter().collect::<Vec<_>>());
                let mut walked = Vec::new();
                let _ = trie.walk(|number, value| {
                    walked.push((number, *value));
                    ControlFlow::<()>::Continue(())
                });
                prop_assert_eq!(found, walked);
            }
        }
    }
}

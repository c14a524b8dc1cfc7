//! Walking through every state a system can reach.
//!
//! An explorer of its own, instead of a crate's: successors come with their outcome (one request has many), a state is
//! remembered by 128 bits instead of 64, so that millions of states don't collide, and nothing else is needed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::quality::FixedState;

/// Takes a state that may come next, and what to call the way there.
pub(super) type Next<'a, S> = &'a mut dyn FnMut(S, Name<'_>);
/// What to call a way, when somebody asks.
pub(super) type Name<'a> = &'a dyn Fn() -> String;

/// A system of which every state is to be seen.
pub(super) trait System {
    /// One state.
    type State: Clone + Hash;

    /// Where it begins.
    fn initial(&self) -> Self::State;

    /// What may happen next: the state after it, and what to call it.
    fn successors(&self, state: &Self::State, next: Next<'_, Self::State>);

    /// What is wrong with a state.
    fn broken(&self, state: &Self::State) -> Option<String>;

    /// Whether something may be wrong with a state that follows one with which nothing is.
    fn may_break(&self, _before: &Self::State, _after: &Self::State) -> bool {
        true
    }
}

/// What an exploration found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// All states were seen, and each of them is right.
    Holds,
    /// So many states were seen, and each of them is right.
    Unfinished,
    /// A state that is wrong, and how it comes about.
    Broken {
        /// What is wrong.
        wrong: String,
        /// What happened, in order.
        trace: Vec<String>,
    },
}

/// Sees states, depth first, until all are seen, one is wrong, or `limit` is reached; how many were seen.
pub(super) fn explore<S: System>(system: &S, limit: usize) -> (Found, usize) {
    let first = system.initial();
    let mut prints = Prints::default();
    let start = prints.of(&first);
    let mut before = HashMap::<u128, u128, FixedState>::default();
    before.insert(start, 0);
    if let Some(wrong) = system.broken(&first) {
        return (Found::Broken { wrong, trace: Vec::new() }, 1);
    }
    let mut open = vec![(start, first)];
    let mut wrong = None;
    while let Some((from, state)) = open.pop() {
        system.successors(&state, &mut |next, _| {
            if wrong.is_some() {
                return;
            }
            let to = prints.of(&next);
            if let Entry::Vacant(entry) = before.entry(to) {
                entry.insert(from);
                if system.may_break(&state, &next) {
                    wrong = system.broken(&next).map(|wrong| (wrong, to));
                }
                open.push((to, next));
            }
        });
        if let Some((wrong, at)) = wrong {
            return (Found::Broken { wrong, trace: trace(system, &before, at) }, before.len());
        }
        if before.len() >= limit {
            return (Found::Unfinished, before.len());
        }
    }
    (Found::Holds, before.len())
}

/// How a state came about: the way back is known by fingerprints, and is walked forth again for its names.
fn trace<S: System>(system: &S, before: &HashMap<u128, u128, FixedState>, end: u128) -> Vec<String> {
    let mut way = vec![end];
    while let Some(earlier) = way.last().and_then(|at| before.get(at)).filter(|at| **at != 0) {
        way.push(*earlier);
    }
    way.reverse();
    let (mut state, mut prints) = (system.initial(), Prints::default());
    let mut names = Vec::new();
    for wanted in way.into_iter().skip(1) {
        let mut taken = None;
        system.successors(&state, &mut |next, name| {
            if taken.is_none() && prints.of(&next) == wanted {
                names.push(name());
                taken = Some(next);
            }
        });
        let Some(next) = taken else { break };
        state = next;
    }
    names
}

/// Makes fingerprints: a state is walked through once, and what it fed is hashed twice.
#[derive(Default)]
struct Prints(Vec<u8>);

impl Prints {
    fn of(&mut self, state: &impl Hash) -> u128 {
        self.0.clear();
        state.hash(self);
        let half = |seed| {
            let mut hasher = FixedState::with_seed(seed).build_hasher();
            hasher.write(&self.0);
            u128::from(hasher.finish())
        };
        half(1) << 64 | half(2)
    }
}

impl Hasher for Prints {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// What was fed is hashed by [`Prints::of`].
    fn finish(&self) -> u64 {
        0
    }
}

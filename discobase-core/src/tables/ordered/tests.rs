//! The tree against a sorted set of strings: the same strings in the same order, in every span, whatever was inserted
//! and removed, and in clones what there was when they were made.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::value::ValueRef;

/// Numbers near each other, numbers far apart, and texts that begin alike, some of them long.
fn key() -> impl Strategy<Value = SortKey> {
    prop_oneof![
        3 => (0_i128..400).prop_map(|number| SortKey::of(ValueRef::Int(number))),
        2 => any::<i64>().prop_map(|number| SortKey::of(ValueRef::Int(number.into()))),
        2 => "[ab]{0,6}".prop_map(|text| SortKey::of(ValueRef::Text(&text))),
        1 => (0_usize..6, "[ab\0]{0,3}").prop_map(|(times, text)| {
            SortKey::of(ValueRef::Text(&("long".repeat(times * 200) + &text)))
        }),
        1 => Just(SortKey::of(ValueRef::Null)),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Insert(SortKey, u64),
    Remove(prop::sample::Index),
    /// All that is there, from the front or from the back, up to so many.
    Clear(bool, usize),
    /// A run of keys in their order, as a counter gives them.
    Append(u64, u64),
    /// Keys in no order, many times as many as a leaf holds.
    Scatter(u64, u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        40 => (key(), 1..(1_u64 << 40)).prop_map(|(key, id)| Step::Insert(key, id)),
        20 => any::<prop::sample::Index>().prop_map(Step::Remove),
        1 => (any::<bool>(), 0_usize..600).prop_map(|(front, count)| Step::Clear(front, count)),
        2 => (0_u64..1 << 39, 0_u64..600).prop_map(|(first, count)| Step::Append(first, count)),
        2 => (any::<u64>(), 0_u64..600).prop_map(|(seed, count)| Step::Scatter(seed, count)),
    ];
    proptest::collection::vec(step, 0..80)
}

type Model = BTreeSet<(SortKey, RowId)>;

fn insert(tree: &mut Ordered, model: &mut Model, key: SortKey, id: u64) {
    let id = RowId::new(id);
    let added = tree.insert(&entry(&key, id));
    assert_eq!(added, model.insert((key, id)));
}

fn remove(tree: &mut Ordered, model: &mut Model, one: &(SortKey, RowId)) {
    assert!(tree.remove(&entry(&one.0, one.1)));
    assert!(!tree.remove(&entry(&one.0, one.1)));
    model.remove(one);
}

fn run(step: &Step, tree: &mut Ordered, model: &mut Model) {
    match step {
        Step::Insert(key, id) => insert(tree, model, key.clone(), *id),
        Step::Remove(_) if model.is_empty() => {}
        Step::Remove(at) => {
            let one = model.iter().nth(at.index(model.len())).unwrap().clone();
            remove(tree, model, &one);
        }
        Step::Clear(front, count) => {
            let all: Vec<_> = model.iter().cloned().collect();
            let from = if *front { 0 } else { all.len().saturating_sub(*count) };
            all.iter().skip(from).take(*count).for_each(|one| remove(tree, model, one));
        }
        Step::Append(first, count) => (0..*count).for_each(|at| {
            insert(tree, model, SortKey::of(ValueRef::Int((first + at).into())), first + at + 1);
        }),
        Step::Scatter(seed, count) => (0..*count).for_each(|at| {
            let number = (seed ^ at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            insert(tree, model, SortKey::of(ValueRef::Int(number.into())), (number >> 24) + 1);
        }),
    }
}

fn strings(model: &Model) -> Vec<Vec<u8>> {
    model.iter().map(|(key, id)| entry(key, *id).to_vec()).collect()
}

fn bound() -> impl Strategy<Value = Bound<SortKey>> {
    prop_oneof![
        2 => key().prop_map(Bound::Included),
        2 => key().prop_map(Bound::Excluded),
        1 => Just(Bound::Unbounded),
    ]
}

proptest! {
    // Each case is hundreds of steps, with a look at everything after each.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_tree_is_a_sorted_set(
        steps in steps(),
        spans in proptest::collection::vec((bound(), bound(), any::<bool>()), 1..8),
    ) {
        let (mut tree, mut model, mut kept) = (Ordered::default(), Model::new(), Vec::new());
        for (number, step) in steps.iter().enumerate() {
            run(step, &mut tree, &mut model);
            tree.check_invariants();
            if number % 8 == 0 {
                kept.push((tree.clone(), strings(&model)));
            }
        }
        let all = strings(&model);
        prop_assert_eq!(&tree.entries(), &all);
        let entries: Vec<Entry> = all.iter().map(|string| Entry::from_slice(string)).collect();
        let built = Ordered::of(&entries);
        built.check_invariants();
        prop_assert_eq!(&built.entries(), &all);
        kept.iter().for_each(|(tree, strings)| assert_eq!(&tree.entries(), strings));

        for (low, high, reverse) in spans {
            let within = |key: &SortKey| {
                let low = match &low {
                    Bound::Included(low) => key >= low,
                    Bound::Excluded(low) => key > low,
                    Bound::Unbounded => true,
                };
                low && match &high {
                    Bound::Included(high) => key <= high,
                    Bound::Excluded(high) => key < high,
                    Bound::Unbounded => true,
                }
            };
            let mut wanted: Vec<RowId> = model.iter().filter(|(key, _)| within(key)).map(|(_, id)| *id).collect();
            if reverse {
                wanted.reverse();
            }
            for tree in [&tree, &built] {
                let mut found = Vec::new();
                let _ = tree.walk(&low, &high, reverse, |id| {
                    found.push(id);
                    ControlFlow::<()>::Continue(())
                });
                prop_assert_eq!(&found, &wanted);
                let first = tree.walk(&low, &high, reverse, ControlFlow::Break).break_value();
                prop_assert_eq!(first, wanted.first().copied());
            }
        }
    }
}

#[test]
fn keys_that_come_in_their_order_fill_their_leaves() {
    let mut tree = Ordered::default();
    for number in 0..100_000_u64 {
        tree.insert(&entry(&SortKey::of(ValueRef::Int(number.into())), RowId::new(number + 1)));
    }
    tree.check_invariants();
    let bytes = tree.footprint() as f64 / 100_000.0;
    assert!(bytes < 9.0, "{bytes} bytes a row");
}

#[test]
fn equal_keys_cost_little_but_their_rows() {
    let mut tree = Ordered::default();
    for number in 0..100_000_u64 {
        tree.insert(&entry(&SortKey::of(ValueRef::Text("the same long text")), RowId::new(number + 1)));
    }
    let bytes = tree.footprint() as f64 / 100_000.0;
    assert!(bytes < 4.0, "{bytes} bytes a row");
}

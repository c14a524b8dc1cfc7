//! The hash index against a map, with tags as the hash gives them and with tags that collide.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn found(index: &HashIndex, tag: Tag) -> BTreeSet<u64> {
    let mut rows = BTreeSet::new();
    let none = index.find(tag, |row| {
        rows.insert(row.get());
        None::<()>
    });
    assert_eq!(none, None);
    rows
}

proptest! {
    // Each case is hundreds of steps, with a look at everything after each.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_index_is_a_set_of_tags_and_rows(
        // Few tags collide all the time, tags of few high or low bits crowd into few shards and few places.
        mask in prop::sample::select(vec![0xff_ffff_u64, 0xff_0000, 0xff, 0x3]),
        steps in proptest::collection::vec((any::<u64>(), 1_usize..400, any::<bool>()), 1..12),
    ) {
        let (mut index, mut model, mut kept) = (HashIndex::new(), BTreeSet::new(), Vec::new());
        let mut next = 0;
        for (seed, count, insert) in steps {
            kept.push((index.clone(), model.clone()));
            if insert {
                for at in 0..count as u64 {
                    next += 1;
                    let tag = (seed ^ at).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40 & mask;
                    index.insert(Tag(tag), RowId::new(next));
                    model.insert((tag, next));
                }
            } else {
                let some: Vec<_> = model.iter().copied().skip((seed % 7) as usize).take(count).collect();
                for (tag, row) in some {
                    index.remove(Tag(tag), RowId::new(row));
                    index.remove(Tag(tag), RowId::new(row));
                    model.remove(&(tag, row));
                }
            }
            index.check_invariants();
        }
        let entries = model.iter().map(|(tag, row)| (Tag(*tag), RowId::new(*row))).collect::<Vec<_>>();
        let built = HashIndex::of(entries.len(), |_| entries);
        built.check_invariants();
        kept.push((built, model.clone()));
        kept.push((index, model));
        for (index, model) in kept {
            let all: BTreeSet<_> = index.entries().into_iter().map(|(tag, row)| (tag.0, row.get())).collect();
            prop_assert_eq!(&all, &model);
            for (tag, _) in &model {
                let wanted = model.range((*tag, 0)..=(*tag, u64::MAX)).map(|(_, row)| *row).collect();
                prop_assert_eq!(found(&index, Tag(*tag)), wanted);
            }
        }
    }
}

#[test]
fn the_index_grows_evenly_and_gives_back_what_it_does_not_need() {
    let mut index = HashIndex::new();
    let tag = |row: u64| index.tag(&[ValueRef::Int(row.into())]);
    let tags: Vec<Tag> = (0..200_000).map(tag).collect();
    for (row, tag) in (1..).zip(&tags) {
        index.insert(*tag, RowId::new(row));
    }
    index.check_invariants();
    let full = index.footprint() as f64 / 200_000.0;
    assert!(full < 11.0, "{full} bytes a row");
    for (row, tag) in (1..).zip(&tags) {
        index.remove(*tag, RowId::new(row));
    }
    let empty = index.footprint() as f64 / 200_000.0;
    assert!(empty < 4.0, "{empty} bytes for each row that was there");
}

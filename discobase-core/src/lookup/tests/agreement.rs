//! Whatever was committed and however it lies in runs, a lookup says what a loaded table would.

use std::sync::Arc;

use proptest::prelude::*;

use super::people::{ID, NAME, Truth, add_runs, def, empty, expected, id_key, name_key, person};
use super::shelf::Shelf;
use super::{Opened, SEALING, run};
use crate::batch::{Commit, Op};
use crate::codec::checkpoint::TableCheckpoint;
use crate::ids::{RowId, Seq};
use crate::patch::Patch;
use crate::row::{Row, RowWriter};
use crate::tables::{Base, Found, Slot, TableLoad, TableState, Tables};
use crate::value::ValueRef;

/// What happens.
#[derive(Debug, Clone)]
enum Step {
    Insert {
        name: Option<u8>,
    },
    Update {
        pick: usize,
        name: Option<u8>,
    },
    Delete {
        pick: usize,
    },
    Checkpoint {
        merge: bool,
    },
    /// From here on the table is looked up, and goes by the checkpoints that follow.
    Open,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = || proptest::option::weighted(0.8, 0..4_u8);
    let step = prop_oneof![
        4 => name().prop_map(|name| Step::Insert { name }),
        4 => (any::<usize>(), name()).prop_map(|(pick, name)| Step::Update { pick, name }),
        2 => any::<usize>().prop_map(|pick| Step::Delete { pick }),
        2 => any::<bool>().prop_map(|merge| Step::Checkpoint { merge }),
        1 => Just(Step::Open),
    ];
    proptest::collection::vec(step, 0..80)
}

/// What gives a person another name, if both rows have one.
fn renaming(before: &Row, after: &Row) -> Option<Patch> {
    let mut pairs = RowWriter::new(2);
    pairs.put(ValueRef::Int(NAME as i128));
    pairs.put(before.value(NAME).and(after.value(NAME))?);
    Patch::of_pairs(pairs.finish())
}

/// A table's life: what is true of it, and what the last checkpoint says.
struct Life {
    shelf: Arc<Shelf>,
    truth: Truth,
    seq: u64,
    table: TableCheckpoint,
    covered: u64,
    /// The commits since the last checkpoint.
    tail: Vec<Commit>,
}

impl Life {
    fn commit(&mut self, row: u64, name: Option<Option<u8>>) {
        self.seq += 1;
        let known = self.truth.contains_key(&row);
        let values = name.map(|name| person(row * 10, name.map(|name| format!("name {name}")).as_deref()));
        let (table, id) = (def().id, RowId::new(row));
        // Rows that are in the tail already are patched, as an owner does it.
        let before = self.truth.get(&row).filter(|(seq, _)| *seq > self.covered);
        let patch = before.and_then(|(_, before)| renaming(before.as_ref()?, values.as_ref()?));
        let op = match values.clone() {
            Some(_) if patch.is_some() => Op::Patch { table, row: id, patch: patch.unwrap() },
            Some(values) if known => Op::Update { table, row: id, values },
            Some(values) => Op::Insert { table, row: id, values },
            None => Op::Delete { table, row: id },
        };
        self.truth.insert(row, (self.seq, values));
        self.tail.push(Commit { seq: Seq::new(self.seq), ops: vec![op] });
    }

    fn picked(&self, pick: usize) -> Option<u64> {
        let live: Vec<u64> =
            self.truth.iter().filter(|(_, (_, values))| values.is_some()).map(|(row, _)| *row).collect();
        live.get(pick % live.len().max(1)).copied()
    }

    /// Adds a run of what is new, or puts it together with the one before; of rows and of indexes, or not of both.
    fn checkpoint(&mut self, merge: bool) {
        if self.covered == self.seq {
            return;
        }
        let (runs, indexes) = (self.table.runs.clone(), self.table.indexes.clone());
        match runs.last() {
            Some(last) if merge => {
                self.table.runs.pop();
                let from = last.from.get();
                add_runs(&self.shelf, &mut self.table, &self.truth, from, self.seq);
                let mut delta = empty();
                add_runs(&self.shelf, &mut delta, &self.truth, self.covered, self.seq);
                self.table.indexes = indexes;
                for ((all, new), merged) in
                    self.table.indexes.iter_mut().zip(delta.indexes).zip([true, false])
                {
                    // An index may be merged when the rows are not, and the other way.
                    if merged && self.seq.is_multiple_of(2) {
                        all.pop();
                        let mut whole = empty();
                        add_runs(&self.shelf, &mut whole, &self.truth, from, self.seq);
                        all.extend(whole.indexes.swap_remove(0));
                    } else {
                        all.extend(new);
                    }
                }
            }
            _ => add_runs(&self.shelf, &mut self.table, &self.truth, self.covered, self.seq),
        }
        self.covered = self.seq;
        self.tail.clear();
    }

    /// The table as its last checkpoint has it, loaded.
    fn loaded(&self) -> TableState {
        let mut loading = TableLoad::new(def());
        for (row, (version, values)) in &self.truth {
            assert!(*version <= self.covered, "only right after a checkpoint");
            match values {
                Some(values) => loading.put(RowId::new(*row), Seq::new(*version), values.as_bytes()).unwrap(),
                None => loading.remove(RowId::new(*row), Seq::new(*version)),
            }
        }
        loading.finish(self.table.next_row).unwrap()
    }
}

async fn agrees(opened: &Opened, life: &Life) {
    for row in 0..30 {
        let key = id_key(row * 10);
        assert_eq!(opened.find(ID, &key).await, expected(&life.truth, ID, &key));
        let found = opened.row(RowId::new(row)).await.map(|found| found.values);
        assert_eq!(found, life.truth.get(&row).and_then(|(_, values)| values.clone()));
    }
    for name in ["name 0", "name 1", "name 2", "name 3", "nobody", "stranger"] {
        let key = name_key(name);
        assert_eq!(opened.find(NAME, &key).await, expected(&life.truth, NAME, &key), "{name}");
    }
    let live = life.truth.values().filter(|(_, values)| values.is_some()).count();
    assert_eq!(opened.table().len(), live);
}

/// Loads the base as of the last checkpoint, and compares the table with the truth.
async fn loads(opened: &Opened, base: TableState, life: &Life) {
    let loaded = opened.table().base().load(async { Ok::<_, ()>(base) }).await;
    assert_eq!(loaded, Ok(()));
    let table = opened.tables.loaded(def().id).expect("it is loaded");
    table.check_invariants();
    let rows: Vec<Found> = table
        .rows()
        .map(|(row, stored)| Found { row, version: stored.version, values: stored.row.to_row() })
        .collect();
    let live = life.truth.iter().filter_map(|(row, (version, values))| {
        Some(Found { row: RowId::new(*row), version: Seq::new(*version), values: values.clone()? })
    });
    assert_eq!(rows, live.collect::<Vec<_>>());
    assert_eq!(table.next_row().get(), life.truth.keys().last().map_or(1, |last| last + 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_lookup_says_what_a_loaded_table_would(steps in steps(), limit in prop_oneof![0..600_u64, Just(1 << 20)]) {
        let shelf = Arc::new(Shelf::default());
        let (truth, tail) = (Truth::new(), Vec::new());
        let mut life = Life { shelf, truth, seq: 0, table: empty(), covered: 0, tail };
        let mut opened: Option<Opened> = None;
        let mut base = life.loaded();
        for step in steps {
            let before = life.tail.len();
            match step {
                Step::Insert { name } => life.commit(life.truth.keys().last().map_or(1, |last| last + 1), Some(name)),
                Step::Update { pick, name } => {
                    if let Some(row) = life.picked(pick) {
                        life.commit(row, Some(name));
                    }
                }
                Step::Delete { pick } => {
                    if let Some(row) = life.picked(pick) {
                        life.commit(row, None);
                    }
                }
                Step::Checkpoint { merge } => {
                    life.checkpoint(merge);
                    base = life.loaded();
                    if let Some(opened) = &mut opened {
                        opened.goes_by(&life.table, life.covered);
                    }
                    continue;
                }
                Step::Open => {
                    let mut fresh = run(Opened::new(&life.shelf, &life.table, limit));
                    life.tail.iter().for_each(|commit| fresh.tables.apply(commit).unwrap());
                    opened = Some(fresh);
                    continue;
                }
            }
            if let Some(opened) = &mut opened {
                life.tail[before..].iter().for_each(|commit| opened.tables.apply(commit).unwrap());
            }
        }
        let opened = opened.unwrap_or_else(|| {
            let mut fresh = run(Opened::new(&life.shelf, &life.table, limit));
            life.tail.iter().for_each(|commit| fresh.tables.apply(commit).unwrap());
            fresh
        });
        run(async {
            agrees(&opened, &life).await;
            loads(&opened, base, &life).await;
        });
    }
}

/// A clone is a state: what is written later is not in it, and neither is it lost when it is loaded.
#[test]
fn a_state_stays_what_it_was() {
    let shelf = Arc::new(Shelf::default());
    let mut life = Life { shelf, truth: Truth::new(), seq: 0, table: empty(), covered: 0, tail: Vec::new() };
    (1..=5).for_each(|row| life.commit(row, Some(Some(1))));
    life.checkpoint(false);
    let base = life.loaded();
    run(async {
        let mut opened = Opened::new(&life.shelf, &life.table, 0).await;
        let before: Tables = opened.tables.clone();
        life.commit(2, None);
        life.commit(6, Some(Some(1)));
        life.tail.iter().for_each(|commit| opened.tables.apply(commit).unwrap());
        let earlier = Opened { tables: before, lookups: super::lookups(&life.shelf, 0) };
        assert_eq!(opened.find(NAME, &name_key("name 1")).await.len(), 5);
        assert_eq!(earlier.find(NAME, &name_key("name 1")).await.len(), 5);
        assert_eq!(earlier.find(ID, &id_key(20)).await.len(), 1);
        assert!(opened.find(ID, &id_key(20)).await.is_empty());
        loads(&opened, base, &life).await;
        let earlier = earlier.tables.loaded(def().id).expect("they share what was loaded");
        assert_eq!(earlier.len(), 5);
        assert!(earlier.row(RowId::new(2)).is_some() && earlier.row(RowId::new(6)).is_none());
    });
}

/// A table that is just being loaded keeps its base: it is about to be an ordinary one.
#[test]
fn what_is_being_loaded_gets_no_other_base() {
    let shelf = Arc::new(Shelf::default());
    let mut life = Life { shelf, truth: Truth::new(), seq: 0, table: empty(), covered: 0, tail: Vec::new() };
    life.commit(1, Some(Some(1)));
    life.checkpoint(false);
    let base = life.loaded();
    run(async {
        let opened = Opened::new(&life.shelf, &life.table, 0).await;
        let old: Arc<Base> = opened.table().base();
        let newer = || Base::new(life.table.clone(), Seq::new(9), SEALING);
        let loading = old.load(async {
            opened.table().rebase(newer());
            assert!(opened.table().has_base(&old));
            Err(())
        });
        assert_eq!(loading.await, Err(()));
        opened.table().rebase(newer());
        assert!(!opened.table().has_base(&old), "loading failed");
        opened.table().base().load(async { Ok::<_, ()>(base) }).await.unwrap();
        assert!(opened.tables.get(def().id).is_some_and(|slot| matches!(slot, Slot::Unloaded(_))));
        assert_eq!(opened.tables.loaded(def().id).map(|table| table.len()), Some(1));
    });
}

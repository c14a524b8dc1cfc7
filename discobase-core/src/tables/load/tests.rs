//! Runs and tables: what is written of a table in runs and loaded again is the table.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::batch::{Commit, Op};
use crate::session::commit_of as prepare;
use crate::tables::tests::{Model, Step, TABLE, agree, def, row, steps, writes};
use crate::tables::{Slot, Tables};

/// Rows with their versions, and tombstones.
type Contents = (Vec<(RowId, Seq, Vec<u8>)>, Vec<(RowId, Seq)>);

/// The runs of a table between cuts: what was written and what was deleted in each.
#[derive(Default)]
struct Runs {
    upto: Seq,
    runs: Vec<Contents>,
}

impl Runs {
    fn cut(&mut self, tables: &Tables) {
        self.runs.push(contents(tables.loaded(TABLE).unwrap(), self.upto));
        self.upto = tables.seq();
    }

    fn load(&self, next_row: RowId) -> TableState {
        let mut load = TableLoad::new(def());
        for (rows, deleted) in &self.runs {
            rows.iter().for_each(|(row, version, bytes)| load.put(*row, *version, bytes).unwrap());
            deleted.iter().for_each(|(row, seq)| load.remove(*row, *seq));
        }
        load.finish(next_row).unwrap()
    }
}

fn contents(table: &TableState, after: Seq) -> Contents {
    let rows = table.rows_since(after).map(|row| (row.id, row.version, row.bytes.to_vec()));
    (rows.collect(), table.deleted_since(after).collect())
}

proptest! {
    #[test]
    fn runs_are_loaded_as_the_table_they_were_written_of(
        steps in proptest::collection::vec((steps(), any::<bool>()), 1..5),
    ) {
        let (mut tables, mut model, mut runs) = (Tables::default(), Model::default(), Runs::default());
        tables.apply(&Commit { seq: Seq::new(1), ops: vec![Op::Schema(Box::new(def()))] }).unwrap();
        let mut seq = Seq::new(1);
        for (steps, forget) in &steps {
            for step in steps {
                seq = seq.next();
                let ids: Vec<u64> = model.rows.keys().copied().collect();
                let chosen = match step {
                    Step::Update(at, _) | Step::Delete(at) if !ids.is_empty() => Some(*at.get(&ids)),
                    _ => None,
                };
                let wanted = writes(step, &model, chosen);
                if !wanted.is_empty() && prepare(&mut tables, seq, &wanted).is_ok() {
                    prop_assert!(model.step(seq, step, chosen));
                }
            }
            runs.cut(&tables);
            if *forget {
                // A full rewrite: one run from the start, which needs no tombstone.
                tables.forget_deleted(TABLE, tables.seq());
                runs = Runs::default();
                runs.cut(&tables);
            }
        }
        let table = tables.loaded(TABLE).unwrap();
        let loaded = runs.load(table.next_row());
        prop_assert_eq!(contents(&loaded, Seq::default()), contents(table, Seq::default()));
        prop_assert_eq!(loaded.next_row(), table.next_row());
        for index in 0..3 {
            prop_assert_eq!(loaded.keys_since(index, Seq::default()), table.keys_since(index, Seq::default()));
        }
        let slot = Slot::Loaded(Arc::new(loaded));
        let restored = Tables::restore([slot], tables.seq(), tables.next_table(), Vec::new());
        agree(&restored, &model);
        prop_assert_eq!(restored.seq(), tables.seq());
        prop_assert_eq!(restored.next_table(), tables.next_table());
    }
}

#[test]
fn a_tombstone_is_forgotten_up_to_a_commit_and_in_no_snapshot_before() {
    let mut tables = Tables::default();
    tables.apply(&Commit { seq: Seq::new(1), ops: vec![Op::Schema(Box::new(def()))] }).unwrap();
    for number in 1..=3_u32 {
        let id = RowId::new(number.into());
        let values = row([Some(number.into()), None, None, None]);
        let insert = Op::Insert { table: TABLE, row: id, values };
        tables.apply(&Commit { seq: Seq::new(u64::from(number) * 2), ops: vec![insert] }).unwrap();
        let delete = Op::Delete { table: TABLE, row: id };
        tables.apply(&Commit { seq: Seq::new(u64::from(number) * 2 + 1), ops: vec![delete] }).unwrap();
    }
    let left = |tables: &Tables, after| -> Vec<(u64, u64)> {
        let deleted = tables.loaded(TABLE).unwrap().deleted_since(Seq::new(after));
        deleted.map(|(row, seq)| (row.get(), seq.get())).collect()
    };
    let before = tables.clone();
    assert_eq!(left(&tables, 3), [(2, 5), (3, 7)]);
    tables.forget_deleted(TABLE, Seq::new(5));
    assert_eq!(left(&tables, 0), [(3, 7)]);
    assert_eq!(left(&before, 0), [(1, 3), (2, 5), (3, 7)]);
}

#[test]
fn what_is_no_table_is_refused() {
    let bytes = |values| row(values).as_bytes().to_vec();
    let (one, two) = (RowId::new(1), RowId::new(2));
    let mut load = TableLoad::new(def());
    assert!(matches!(load.put(one, Seq::new(2), &[9, 9]), Err(LoadError::Row { row, .. }) if row == one));

    load.put(two, Seq::new(2), &bytes([Some(1), None, None, None])).unwrap();
    assert_eq!(load.finish(two).err(), Some(LoadError::Beyond { row: two, next: two }));

    let mut load = TableLoad::new(def());
    load.remove(two, Seq::new(3));
    assert_eq!(load.finish(two).err(), Some(LoadError::Beyond { row: two, next: two }));

    let mut load = TableLoad::new(def());
    load.put(one, Seq::new(2), &bytes([Some(1), Some(7), None, None])).unwrap();
    load.put(two, Seq::new(2), &bytes([Some(2), Some(7), None, None])).unwrap();
    let taken = load.finish(RowId::new(3)).err();
    assert!(matches!(taken, Some(LoadError::Taken { index: 1, .. })), "{taken:?}");
}

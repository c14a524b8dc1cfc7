//! The tables against a plain model: whatever is applied, key probes, ordered ranges, queries and snapshots agree
//! with a map that is searched from end to end.

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;

use super::*;
use crate::batch::{ColumnDef, IndexDef};
use crate::ids::ChannelId;
use crate::patch::Patch;
use crate::row::{Row, RowRef, RowWriter};
use crate::schema::IndexKind;
use crate::session::{Write, commit_of as prepare};
use crate::value::{Value, ValueRef};

pub(super) const TABLE: TableId = TableId::new(1);

/// A table with a key, a unique column that may be null, and an index.
pub(super) fn def() -> TableDef {
    let column = |name: &str| ColumnDef {
        name: name.to_owned(),
        ty: "i64".to_owned(),
        variants: Vec::new(),
        nullable: name != "key",
        max_len: None,
        default: None,
    };
    let index =
        |kind, column| IndexDef { kind, columns: vec![column], channel: ChannelId::new(9), references: None };
    TableDef {
        id: TABLE,
        name: "t".to_owned(),
        fingerprint: 0,
        channel: ChannelId::new(1),
        columns: ["key", "unique", "index", "plain"].map(column).to_vec(),
        indexes: vec![index(IndexKind::Key, 0), index(IndexKind::Unique, 1), index(IndexKind::Index, 2)],
    }
}

pub(super) type Plain = [Option<i64>; 4];

pub(super) fn row(values: Plain) -> Row {
    let mut row = RowWriter::new(4);
    values
        .iter()
        .for_each(|value| row.put(value.map_or(ValueRef::Null, |value| ValueRef::Int(value.into()))));
    row.finish()
}

fn plain(row: RowRef<'_>) -> Plain {
    let mut plain = [None; 4];
    for (to, from) in plain.iter_mut().zip(row.values()) {
        *to = if let ValueRef::Int(value) = from { Some(i64::try_from(value).unwrap()) } else { None };
    }
    plain
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Insert(Plain),
    Update(prop::sample::Index, Plain),
    Delete(prop::sample::Index),
    InsertMany(Vec<Plain>),
}

fn values() -> impl Strategy<Value = Plain> {
    let cell = || proptest::option::weighted(0.8, -4_i64..12);
    (0_i64..12, cell(), cell(), cell())
        .prop_map(|(key, unique, index, plain)| [Some(key), unique, index, plain])
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => values().prop_map(Step::Insert),
        3 => (any::<prop::sample::Index>(), values()).prop_map(|(at, values)| Step::Update(at, values)),
        2 => any::<prop::sample::Index>().prop_map(Step::Delete),
        1 => proptest::collection::vec(values(), 1..4).prop_map(Step::InsertMany),
    ];
    proptest::collection::vec(step, 1..60)
}

/// What the model says of a write: a map of rows, and no index at all.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) rows: BTreeMap<u64, (Seq, Plain)>,
    next: u64,
}

impl Model {
    fn is_free(&self, id: u64, values: Plain) -> bool {
        self.rows
            .iter()
            .filter(|(other, _)| **other != id)
            .all(|(_, (_, other))| other[0] != values[0] && (values[1].is_none() || other[1] != values[1]))
    }

    fn insert(&mut self, seq: Seq, values: Plain) -> bool {
        let free = self.is_free(0, values);
        if free {
            self.next += 1;
            self.rows.insert(self.next, (seq, values));
        }
        free
    }

    pub(super) fn step(&mut self, seq: Seq, step: &Step, chosen: Option<u64>) -> bool {
        match (step, chosen) {
            (Step::Insert(values), _) => self.insert(seq, *values),
            (Step::InsertMany(many), _) => {
                let mut scratch = self.clone();
                let all = many.iter().all(|values| scratch.insert(seq, *values));
                if all {
                    *self = scratch;
                }
                all
            }
            (Step::Update(_, values), Some(id)) => {
                let same_key = self.rows[&id].1[0] == values[0];
                let allowed = same_key && self.is_free(id, *values);
                if allowed {
                    self.rows.insert(id, (seq, *values));
                }
                allowed
            }
            (Step::Delete(_), Some(id)) => self.rows.remove(&id).is_some(),
            _ => false,
        }
    }
}

pub(super) fn writes(step: &Step, model: &Model, chosen: Option<u64>) -> Vec<Write> {
    let insert = |values: &Plain| Write::Insert { table: TABLE, values: row(*values) };
    let known = chosen.map(|id| (RowId::new(id), model.rows[&id].0));
    match (step, known) {
        (Step::Insert(values), _) => vec![insert(values)],
        (Step::InsertMany(many), _) => many.iter().map(insert).collect(),
        (Step::Update(_, values), Some((row_id, version))) => {
            vec![Write::Update { table: TABLE, row: row_id, version, values: row(*values) }]
        }
        (Step::Delete(_), Some((row_id, version))) => {
            vec![Write::Delete { table: TABLE, row: row_id, version }]
        }
        _ => Vec::new(),
    }
}

pub(super) fn agree(tables: &Tables, model: &Model) {
    let table = tables.loaded(TABLE).unwrap();
    table.check_invariants();
    let rows: Vec<_> =
        table.rows().map(|(id, stored)| (id.get(), (stored.version, plain(stored.row)))).collect();
    assert_eq!(rows, model.rows.clone().into_iter().collect::<Vec<_>>());
    for key in 0..12_i64 {
        let found = table.by_key(&[ValueRef::Int(key.into())]).map(|(id, _)| id.get());
        let wanted = model.rows.iter().find(|(_, (_, values))| values[0] == Some(key)).map(|(id, _)| *id);
        assert_eq!(found, wanted, "key {key}");
    }
    for column in 0..3 {
        let index = table.index(column).unwrap();
        let mut wanted: Vec<_> = model.rows.iter().map(|(id, (_, values))| (values[column], *id)).collect();
        wanted.sort_unstable();
        let all: Vec<_> =
            index.range(&Bound::Unbounded, &Bound::Unbounded).into_iter().map(RowId::get).collect();
        assert_eq!(all, wanted.iter().map(|(_, id)| *id).collect::<Vec<_>>(), "column {column}");
    }
}

proptest! {
    #[test]
    fn tables_agree_with_a_plain_model(steps in steps()) {
        let (mut tables, mut model) = (Tables::default(), Model::default());
        tables.apply(&Commit { seq: Seq::new(1), ops: vec![Op::Schema(Box::new(def()))] }).unwrap();
        let mut replayed = tables.clone();
        let mut snapshots = Vec::new();
        for (step, seq) in steps.iter().zip(2..) {
            let seq = Seq::new(seq);
            let ids: Vec<u64> = model.rows.keys().copied().collect();
            let chosen = match step {
                Step::Update(at, _) | Step::Delete(at) if !ids.is_empty() => Some(*at.get(&ids)),
                _ => None,
            };
            let wanted = writes(step, &model, chosen);
            if wanted.is_empty() {
                continue;
            }
            snapshots.push((tables.clone(), model.clone()));
            let made = prepare(&mut tables, seq, &wanted);
            prop_assert_eq!(made.is_ok(), model.step(seq, step, chosen), "{:?}: {:?}", step, made);
            agree(&tables, &model);
            if let Ok(commit) = made {
                replayed.apply(&commit).unwrap();
            }
        }
        agree(&replayed, &model);
        // A snapshot is what it was, whatever happened since.
        snapshots.iter().for_each(|(tables, model)| agree(tables, model));
    }
}

/// A key can be given a further column later; the rows that are older have its default in it, and are found by it.
#[test]
fn a_row_older_than_a_column_of_its_key_is_found_by_the_default() {
    let mut def = def();
    def.columns[3].default = Some(Value::Int(7));
    def.indexes[0].columns = vec![0, 3];
    let mut tables = Tables::default();
    tables.apply(&Commit { seq: Seq::new(1), ops: vec![Op::Schema(Box::new(def))] }).unwrap();
    let mut short = RowWriter::new(3);
    [1, 2, 3].into_iter().for_each(|number| short.put(ValueRef::Int(number)));
    let insert = Op::Insert { table: TABLE, row: RowId::new(1), values: short.finish() };
    tables.apply(&Commit { seq: Seq::new(2), ops: vec![insert] }).unwrap();
    let probe = |plain: i128| {
        let key = [ValueRef::Int(1), ValueRef::Int(plain)];
        tables.loaded(TABLE).unwrap().by_key(&key).map(|(id, _)| id.get())
    };
    assert_eq!((probe(7), probe(8)), (Some(1), None));
    tables.loaded(TABLE).unwrap().check_invariants();
    let same = Write::Insert { table: TABLE, values: row([Some(1), None, None, Some(7)]) };
    let refused = prepare(&mut tables.clone(), Seq::new(3), &[same]).unwrap_err();
    assert_eq!(refused.kind(), crate::error::ErrorKind::DuplicateKey);
}

/// Rows of all lengths share a page; those too long for it are kept apart, and come back when they shrink.
#[test]
fn rows_of_any_length_change_into_each_other() {
    let mut rows = rows::Rows::default();
    let mut model = BTreeMap::new();
    let mut kept = Vec::new();
    for step in 0..2_000_u64 {
        let id = RowId::new(1 + step * 7 % 150);
        let length = [0, 1, 40, 998, 999, 1_000, 1_001, 5_000][(step * 5 % 8) as usize];
        if step % 11 == 0 {
            assert_eq!(rows.remove(id), model.remove(&id).is_some());
        } else {
            let mut row = RowWriter::new(1);
            row.put(ValueRef::Bytes(&vec![step as u8; length]));
            let (version, row) = (Seq::new(step << (step % 50)), row.finish());
            rows.put(id, version, row.as_bytes());
            model.insert(id, (version, row));
        }
        if step % 100 == 0 {
            kept.push((rows.clone(), model.clone()));
        }
    }
    kept.push((rows, model));
    for (rows, model) in kept {
        assert_eq!(rows.len(), model.len());
        let found: Vec<_> =
            rows.iter().map(|(id, stored)| (id, (stored.version, stored.row.to_row()))).collect();
        assert_eq!(found, model.clone().into_iter().collect::<Vec<_>>());
        for (id, (version, row)) in model {
            let stored = rows.get(id).unwrap();
            assert_eq!((stored.version, stored.row), (version, row.borrow()));
        }
    }
}

#[test]
fn a_key_index_grows_and_shrinks_with_its_rows() {
    let mut tables = Tables::default();
    tables.apply(&Commit { seq: Seq::new(1), ops: vec![Op::Schema(Box::new(def()))] }).unwrap();
    let inserts = (0..5_000_i64)
        .map(|key| Write::Insert { table: TABLE, values: row([Some(key), None, Some(key % 7), None]) });
    prepare(&mut tables, Seq::new(2), &inserts.collect::<Vec<_>>()).unwrap();
    let before = tables.clone();
    let probe = |tables: &Tables, key: i64| {
        tables.loaded(TABLE).unwrap().by_key(&[ValueRef::Int(key.into())]).map(|(id, _)| id.get())
    };
    let deletes = (0..5_000_u64).filter(|key| key % 2 == 0).map(|key| Write::Delete {
        table: TABLE,
        row: RowId::new(key + 1),
        version: Seq::new(2),
    });
    prepare(&mut tables, Seq::new(3), &deletes.collect::<Vec<_>>()).unwrap();
    for key in 0..5_000_i64 {
        assert_eq!(probe(&before, key), Some(key as u64 + 1));
        assert_eq!(probe(&tables, key), (key % 2 == 1).then_some(key as u64 + 1));
    }
}

#[test]
fn a_commit_that_does_not_fit_is_refused() {
    let mut tables = Tables::default();
    let schema = Op::Schema(Box::new(def()));
    tables.apply(&Commit { seq: Seq::new(3), ops: vec![schema.clone()] }).unwrap();
    let refused = |seq, op| tables.clone().apply(&Commit { seq: Seq::new(seq), ops: vec![op] }).unwrap_err();
    let values = row([Some(1), None, None, None]);
    let insert = |table| Op::Insert { table, row: RowId::new(1), values: values.clone() };
    assert!(matches!(refused(3, insert(TABLE)), ApplyError::Order { .. }));
    assert!(matches!(refused(4, insert(TableId::new(8))), ApplyError::UnknownTable { .. }));
    assert!(matches!(refused(4, schema), ApplyError::DuplicateTable { .. }));
    assert!(matches!(
        refused(4, Op::Delete { table: TABLE, row: RowId::new(1) }),
        ApplyError::UnknownRow { .. }
    ));
    tables.apply(&Commit { seq: Seq::new(4), ops: vec![insert(TABLE)] }).unwrap();
    let again = tables.clone().apply(&Commit { seq: Seq::new(5), ops: vec![insert(TABLE)] }).unwrap_err();
    assert!(matches!(again, ApplyError::DuplicateRow { .. }));
    let patch = |row, column| {
        let mut pairs = RowWriter::new(2);
        [column, 5].into_iter().for_each(|number| pairs.put(ValueRef::Int(number)));
        Op::Patch { table: TABLE, row: RowId::new(row), patch: Patch::of_pairs(pairs.finish()).unwrap() }
    };
    let refused = |op| tables.clone().apply(&Commit { seq: Seq::new(5), ops: vec![op] }).unwrap_err();
    assert!(matches!(refused(patch(2, 1)), ApplyError::UnknownRow { .. }));
    assert!(matches!(refused(patch(1, 4)), ApplyError::UnfitPatch { .. }));
    let insert = Op::Insert { table: TABLE, row: RowId::new(u64::MAX), values };
    let beyond = tables.clone().apply(&Commit { seq: Seq::new(5), ops: vec![insert] }).unwrap_err();
    assert!(matches!(beyond, ApplyError::RowBeyond { .. }));
}

mod queries;
mod refused;

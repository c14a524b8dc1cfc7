//! Definitions that change under rows that are there.

use std::sync::Arc;

use super::*;
use crate::batch::{Commit, IndexDef, Op};
use crate::ids::{ChannelId, TableId};
use crate::row::{Row, RowWriter};
use crate::schema::IndexKind;
use crate::session::{Write, commit_of as prepare};
use crate::tables::tests::{TABLE, def, row};
use crate::tables::{ApplyError, SortKey, Tables};
use crate::value::Value;

fn filled() -> Tables {
    let mut tables = Tables::default();
    tables.apply(&Commit { seq: Seq::new(1), ops: vec![Op::Schema(Box::new(def()))] }).unwrap();
    let rows = [[Some(1), Some(10), Some(5), None], [Some(2), None, Some(5), Some(7)]];
    let insert = |values| Write::Insert { table: TABLE, values: row(values) };
    prepare(&mut tables, Seq::new(2), &rows.map(insert)).unwrap();
    tables
}

fn alter(def: TableDef) -> Write {
    Write::Alter(Box::new(def))
}

fn column(name: &str, default: Option<Value>) -> ColumnDef {
    let nullable = default.is_none();
    ColumnDef { name: name.into(), ty: "i64".into(), variants: Vec::new(), nullable, max_len: None, default }
}

fn index(kind: IndexKind, column: usize) -> IndexDef {
    IndexDef { kind, columns: vec![column], channel: ChannelId::new(20), references: None }
}

fn key_of(value: i64) -> SortKey {
    SortKey::of(ValueRef::Int(value.into()))
}

/// Refuses a definition, and leaves everything as it was.
#[track_caller]
fn refused(tables: &mut Tables, def: TableDef, why: &str) {
    let before = Arc::clone(tables.loaded(def.id).unwrap());
    let first = Write::Insert { table: TABLE, values: row([Some(50), Some(60), Some(61), Some(62)]) };
    for writes in [vec![alter(def.clone())], vec![first, alter(def)]] {
        let error = prepare(tables, Seq::new(9), &writes).unwrap_err().to_string();
        if writes.len() == 1 {
            assert!(error.contains(why), "{error}");
        }
        let after = tables.loaded(TABLE).unwrap();
        after.check_invariants();
        assert_eq!(after.def(), before.def());
        assert_eq!(after.rows().collect::<Vec<_>>(), before.rows().collect::<Vec<_>>());
        assert_eq!(after.last_change(), before.last_change());
    }
}

#[test]
fn a_new_column_has_its_default_in_old_rows_and_can_be_searched() {
    let mut tables = filled();
    let mut wider = def();
    wider.columns.push(column("level", Some(Value::Int(3))));
    wider.indexes.push(index(IndexKind::Index, 4));
    prepare(&mut tables, Seq::new(3), &[alter(wider)]).unwrap();
    let table = tables.loaded(TABLE).unwrap();
    table.check_invariants();
    assert_eq!(table.index(3).unwrap().equal(&key_of(3)), [RowId::new(1), RowId::new(2)]);
    assert_eq!(table.last_change(), Seq::new(3), "the next checkpoint has to say so");
}

#[test]
fn a_dropped_column_stays_dropped() {
    let mut tables = filled();
    let mut without = def();
    without.columns[3] = column("", None);
    prepare(&mut tables, Seq::new(3), &[alter(without.clone())]).unwrap();
    tables.loaded(TABLE).unwrap().check_invariants();
    without.columns[3] = column("plain", None);
    refused(&mut tables, without, "dropped before");
}

#[test]
fn rows_decide_what_may_be_demanded_of_them() {
    let mut tables = filled();
    let mut definition = def();
    definition.columns[3].nullable = false;
    refused(&mut tables, definition, "it is null, and the column allows none");
    let mut definition = def();
    definition.columns[3].ty = "text".into();
    refused(&mut tables, definition, "the column's type is another");
    let mut definition = def();
    definition.indexes[2].kind = IndexKind::Unique;
    refused(&mut tables, definition, "have the same values in index 2");
    let mut definition = def();
    definition.indexes[0].columns = vec![3];
    refused(&mut tables, definition, "another key");
    let mut definition = def();
    definition.columns.pop();
    refused(&mut tables, definition, "fewer columns");
    let mut narrow = def();
    narrow.columns[2].ty = "u8".into();
    prepare(&mut tables, Seq::new(3), &[alter(narrow)]).unwrap();
}

#[test]
fn a_unique_index_of_values_that_differ_is_made_and_kept() {
    let mut tables = filled();
    let mut definition = def();
    definition.indexes[2] = index(IndexKind::Unique, 3);
    prepare(&mut tables, Seq::new(3), &[alter(definition)]).unwrap();
    let twin: Row = row([Some(3), Some(30), Some(30), Some(7)]);
    let error =
        prepare(&mut tables, Seq::new(4), &[Write::Insert { table: TABLE, values: twin }]).unwrap_err();
    assert_eq!(error.kind(), crate::error::ErrorKind::UniqueViolated);
}

#[test]
fn an_enum_whose_variants_move_is_ordered_anew() {
    let mut tables = Tables::default();
    let variants = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let mut definition = def();
    let mut rank = column("rank", None);
    (rank.ty, rank.variants) = ("enum".into(), variants(&["low", "high"]));
    definition.columns[2] = rank;
    tables.apply(&Commit { seq: Seq::new(1), ops: vec![Op::Schema(Box::new(definition.clone()))] }).unwrap();
    let insert = |key: i128, name| {
        let mut row = RowWriter::new(4);
        for value in [ValueRef::Int(key), ValueRef::Null, ValueRef::Text(name), ValueRef::Null] {
            row.put(value);
        }
        Write::Insert { table: TABLE, values: row.finish() }
    };
    prepare(&mut tables, Seq::new(2), &[insert(1, "low"), insert(2, "high")]).unwrap();
    let ordered = |tables: &Tables| {
        let all = std::ops::Bound::Unbounded;
        tables.loaded(TABLE).unwrap().index(2).unwrap().range(&all, &all)
    };
    assert_eq!(ordered(&tables), [RowId::new(1), RowId::new(2)]);
    let before = definition.clone();
    definition.columns[2].variants = variants(&["high", "middle", "low"]);
    assert!(!definition.shares_segments(&before));
    prepare(&mut tables, Seq::new(3), &[alter(definition.clone())]).unwrap();
    assert_eq!(ordered(&tables), [RowId::new(2), RowId::new(1)]);
    definition.columns[2].variants = variants(&["low"]);
    let error = prepare(&mut tables, Seq::new(4), &[alter(definition)]).unwrap_err();
    assert!(error.to_string().contains("no such variant"), "{error}");
}

#[test]
fn a_dropped_table_is_gone_and_its_id_too() {
    let mut tables = filled();
    let failing = [Write::Drop { table: TABLE }, Write::Drop { table: TABLE }];
    prepare(&mut tables, Seq::new(3), &failing).unwrap_err();
    assert_eq!(tables.loaded(TABLE).unwrap().len(), 2, "all of a commit or nothing");
    prepare(&mut tables, Seq::new(3), &[Write::Drop { table: TABLE }]).unwrap();
    assert!(tables.loaded(TABLE).is_none());
    let again = Commit { seq: Seq::new(4), ops: vec![Op::Schema(Box::new(def()))] };
    assert!(matches!(tables.clone().apply(&again), Err(ApplyError::DuplicateTable { .. })));
    prepare(&mut tables, Seq::new(4), &[Write::Schema(Box::new(def()))]).unwrap();
    assert!(tables.get(TableId::new(TABLE.get() + 1)).is_some());
}

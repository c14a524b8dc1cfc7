//! What the check makes of commits.

use super::*;
use crate::patch::Patch;
use crate::row::RowWriter;
use crate::value::ValueRef;

const TABLE: TableId = TableId::new(1);

fn row(values: &[i128]) -> Row {
    let mut row = RowWriter::new(values.len());
    values.iter().for_each(|value| row.put(ValueRef::Int(*value)));
    row.finish()
}

fn insert(id: u64) -> Op {
    Op::Insert { table: TABLE, row: RowId::new(id), values: row(&[1, 2]) }
}

fn patch(id: u64) -> Op {
    Op::Patch { table: TABLE, row: RowId::new(id), patch: Patch::of_pairs(row(&[1, 7])).unwrap() }
}

#[test]
fn a_patch_of_a_row_that_no_frame_has_is_named() {
    let mut commits = Commits::default();
    let mut apply = |seq, ops: &[Op]| commits.apply(Seq::new(seq), ops, MessageId::new(seq));
    assert_eq!(apply(5, &[insert(1), insert(3)]), Ok(()));
    assert_eq!(apply(6, &[patch(1)]), Ok(()));
    let named = apply(7, &[patch(2), patch(3)]).unwrap_err();
    assert!(named.contains("row 2 of table 1") && named.contains("commit 7"), "{named}");
    assert!(apply(8, &[Op::Delete { table: TABLE, row: RowId::new(1) }, patch(1)]).is_err());
    let of = |id| commits.rows.get(&(TABLE, RowId::new(id)));
    assert_eq!(of(1).unwrap().row, None);
    assert!(of(2).is_none());
    // All else is taken.
    assert_eq!((of(3).unwrap().seq, of(3).unwrap().row.clone()), (Seq::new(7), Some(row(&[1, 7]))));
}

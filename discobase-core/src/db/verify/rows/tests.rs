//! Segments that say what memory does, and every way in which they may not.

use super::*;
use crate::batch::{ColumnDef, Commit, IndexDef, Op};
use crate::ids::{MessageId, TableId};
use crate::row::{Row, RowWriter};
use crate::schema::IndexKind;
use crate::tables::Tables;
use crate::value::ValueRef;

const TABLE: TableId = TableId::new(1);
const AT: Location = Location { channel: ChannelId::new(7), message: MessageId::new(70) };
const JOURNAL: ChannelId = ChannelId::new(8);

fn seq(number: u64) -> Seq {
    Seq::new(number)
}

fn row(value: i128) -> Row {
    let mut row = RowWriter::new(1);
    row.put(ValueRef::Int(value));
    row.finish()
}

/// Rows 1 to 5, each of the commit after its number, with ten times the number; row 4 was deleted by commit 7, and
/// row 5 changed by commit 8.
fn memory() -> Arc<TableState> {
    let column = ColumnDef {
        name: "a".into(),
        ty: "i64".into(),
        variants: Vec::new(),
        nullable: false,
        max_len: None,
        default: None,
    };
    let index =
        IndexDef { kind: IndexKind::Unique, columns: vec![0], channel: ChannelId::new(9), references: None };
    let def = TableDef {
        id: TABLE,
        name: "t".into(),
        fingerprint: 0,
        channel: AT.channel,
        columns: vec![column],
        indexes: vec![index],
    };
    let mut tables = Tables::default();
    let mut apply = |number, op| tables.apply(&Commit { seq: seq(number), ops: vec![op] }).unwrap();
    apply(1, Op::Schema(Box::new(def)));
    for id in 1..=5 {
        apply(id + 1, Op::Insert { table: TABLE, row: RowId::new(id), values: row(i128::from(id) * 10) });
    }
    apply(7, Op::Delete { table: TABLE, row: RowId::new(4) });
    apply(8, Op::Update { table: TABLE, row: RowId::new(5), values: row(55) });
    Arc::clone(tables.loaded(TABLE).unwrap())
}

/// What a run of the first six commits has: the rows' ids, their commits and their values.
const FIRST: [(u64, u64, i128); 5] = [(1, 2, 10), (2, 3, 20), (3, 4, 30), (4, 5, 40), (5, 6, 50)];

fn check() -> RowsCheck {
    let state = memory();
    let def = Arc::clone(state.def());
    RowsCheck::new(state, def, HashMap::new(), (seq(8), seq(8), seq(8)))
}

fn put(check: &mut RowsCheck, run: (u64, u64), entry: (u64, u64, Option<i128>)) -> Result<(), String> {
    let (id, version, value) = entry;
    let bytes = value.map(row);
    let values = bytes.as_ref().map(Row::as_bytes);
    let entry = RowEntry { row: RowId::new(id), version: seq(version), values };
    check.put((seq(run.0), seq(run.1)), &entry, RowId::new(6), AT)
}

/// What is wrong when a table's runs hold `first` and then `second`.
fn wrong(first: &[(u64, u64, i128)], second: &[(u64, u64, Option<i128>)]) -> Vec<String> {
    let mut check = check();
    for &(id, version, value) in first {
        put(&mut check, (0, 6), (id, version, Some(value))).unwrap();
    }
    for &entry in second {
        put(&mut check, (6, 8), entry).unwrap();
    }
    check.finish(true, JOURNAL).into_iter().map(|wrong| wrong.text).collect()
}

const SECOND: [(u64, u64, Option<i128>); 2] = [(4, 7, None), (5, 8, Some(55))];

#[test]
fn runs_that_say_what_memory_does_are_right() {
    assert_eq!(wrong(&FIRST, &SECOND), Vec::<String>::new());
}

#[test]
fn every_row_that_differs_is_named() {
    let changed = FIRST.map(|(id, version, value)| (id, version, if id == 2 { 21 } else { value }));
    assert_eq!(wrong(&changed, &SECOND), ["row 2 is not as commit 3 wrote it"]);
    assert_eq!(wrong(&FIRST[1..], &SECOND), ["row 1 is in memory and in no segment"]);
    assert_eq!(wrong(&FIRST, &SECOND[1..]), ["row 4 is in a segment and not in memory"]);
    assert_eq!(wrong(&FIRST, &SECOND[..1]), ["row 5 is not as commit 8 wrote it"]);
    let later = [SECOND[0], SECOND[1], (3, 8, Some(30))];
    assert_eq!(wrong(&FIRST, &later), ["row 3 is not as commit 4 wrote it"], "a later run wins");
}

#[test]
fn what_is_no_row_of_the_table_is_refused() {
    for entry in [(6, 6, Some(1)), (0, 6, Some(1)), (1, 7, Some(10)), (1, 0, None)] {
        assert!(put(&mut check(), (0, 6), entry).is_err(), "{entry:?}");
    }
}

#[test]
fn what_frames_did_is_compared_with_memory() {
    let of = |changes: &[(u64, u64, Option<i128>)], last: u64| {
        let change = |&(id, at, value): &(u64, u64, Option<i128>)| {
            let change = Change { seq: seq(at), row: value.map(row), message: AT.message };
            (RowId::new(id), change)
        };
        let (state, changed) = (memory(), changes.iter().map(change).collect());
        let def = Arc::clone(state.def());
        let mut check = RowsCheck::new(state, def, changed, (seq(6), seq(last), seq(8)));
        for (id, version, value) in FIRST {
            put(&mut check, (0, 6), (id, version, Some(value))).unwrap();
        }
        check.finish(true, JOURNAL).into_iter().map(|wrong| wrong.text).collect::<Vec<_>>()
    };
    assert_eq!(of(&SECOND, 8), Vec::<String>::new());
    assert_eq!(of(&[SECOND[0], (5, 8, Some(56))], 8), ["row 5 is not as commit 8 left it"]);
    assert_eq!(of(&[SECOND[0], (5, 8, None)], 8), ["row 5 is not as commit 8 left it"]);
    let unwritten = of(&SECOND[..1], 8);
    assert!(unwritten[0].starts_with("row 5 is not as commit 8 wrote it"), "{unwritten:?}");
    // The chain ends before what memory has: that is reported as such, and not row by row.
    assert_eq!(of(&[], 6), Vec::<String>::new());
    assert_eq!(of(&SECOND[..1], 7), Vec::<String>::new());
}

#[test]
fn an_index_has_an_entry_for_each_row_of_its_run_and_no_other() {
    let key = |value: i128| crate::tables::SortKey::of(ValueRef::Int(value));
    let digest = |entries: &[(i128, u64)]| {
        let mut check = check();
        for (id, version, value) in FIRST {
            put(&mut check, (0, 6), (id, version, Some(value))).unwrap();
        }
        let run = (seq(0), seq(6));
        let mut found = Digest::default();
        let fits = entries
            .iter()
            .all(|&(value, id)| check.put_entry(run, 0, &mut found, (key(value).as_bytes(), RowId::new(id))));
        (fits, found == check.expected(run, 0))
    };
    assert_eq!(digest(&[(10, 1), (20, 2), (30, 3), (40, 4), (50, 5)]), (true, true));
    assert_eq!(digest(&[(10, 1), (20, 2), (30, 3), (40, 4)]), (true, false), "one is missing");
    assert_eq!(digest(&[(10, 1), (20, 2), (30, 3), (40, 4), (50, 5), (50, 5)]), (true, false), "twice");
    assert_eq!(
        digest(&[(11, 1), (20, 2), (30, 3), (40, 4), (50, 5)]),
        (false, false),
        "row 1 has another key"
    );
    assert_eq!(digest(&[(10, 1), (20, 2), (30, 3), (41, 4), (50, 5)]), (true, false), "row 4 is gone since");
}

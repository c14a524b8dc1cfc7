//! What watchers are told of commits, and of states whose commits are not known.

use super::*;
use crate::batch::ColumnDef;
use crate::ids::ChannelId;
use crate::patch::Patch;
use crate::row::RowWriter;

fn row(value: i64) -> Row {
    let mut row = RowWriter::new(1);
    row.put(crate::value::ValueRef::Int(value.into()));
    row.finish()
}

fn number(stored: Option<&Kept>) -> Option<i64> {
    match stored?.row.values().first() {
        Some(crate::value::ValueRef::Int(number)) => i64::try_from(*number).ok(),
        _ => None,
    }
}

const TABLE: TableId = TableId::new(1);

fn insert(id: u64, value: i64) -> Op {
    Op::Insert { table: TABLE, row: RowId::new(id), values: row(value) }
}

fn update(id: u64, value: i64) -> Op {
    Op::Update { table: TABLE, row: RowId::new(id), values: row(value) }
}

fn patch(id: u64, value: i64) -> Op {
    let mut pairs = RowWriter::new(2);
    [0, value].into_iter().for_each(|number| pairs.put(crate::value::ValueRef::Int(number.into())));
    Op::Patch { table: TABLE, row: RowId::new(id), patch: Patch::of_pairs(pairs.finish()).unwrap() }
}

fn delete(id: u64) -> Op {
    Op::Delete { table: TABLE, row: RowId::new(id) }
}

fn commit(seq: u64, ops: Vec<Op>) -> Commit {
    Commit { seq: Seq::new(seq), ops }
}

fn tables(commits: &[Commit]) -> Tables {
    let def = TableDef {
        id: TABLE,
        name: "t".to_owned(),
        fingerprint: 0,
        channel: ChannelId::new(1),
        columns: Vec::new(),
        indexes: Vec::new(),
    };
    let mut tables = Tables::default();
    tables.apply(&commit(1, vec![Op::Schema(Box::new(def))])).unwrap();
    commits.iter().for_each(|commit| tables.apply(commit).unwrap());
    tables
}

type Told = Vec<(u64, Vec<(u64, Option<i64>, Option<i64>)>)>;

fn told(news: &[News]) -> Told {
    let row = |row: &RowNews| (row.row.get(), number(row.old.as_ref()), number(row.new.as_ref()));
    news.iter().map(|news| (news.seq.get(), news.rows.iter().map(row).collect())).collect()
}

#[test]
fn each_commit_is_told_with_what_was_before_it() {
    let before = tables(&[commit(2, vec![insert(1, 10), insert(2, 20)])]);
    let commits = [
        commit(3, vec![patch(1, 11), update(2, 21)]),
        commit(4, vec![patch(1, 12), insert(3, 30), patch(3, 31)]),
        commit(5, vec![delete(1), delete(3)]),
    ];
    let expected: Told = vec![
        (3, vec![(1, Some(10), Some(11)), (2, Some(20), Some(21))]),
        (4, vec![(1, Some(11), Some(12)), (3, None, Some(31))]),
        (5, vec![(1, Some(12), None), (3, Some(31), None)]),
    ];
    assert_eq!(told(&news_of(&before, &commits, TABLE)), expected);
    assert_eq!(told(&news_of(&before, &commits, TableId::new(2))), vec![], "another table");
}

#[test]
fn a_row_is_told_once_in_a_commit() {
    let before = tables(&[commit(2, vec![insert(1, 10)])]);
    let commits = [
        commit(3, vec![update(1, 11), insert(2, 20), update(1, 12), delete(2)]),
        commit(4, vec![insert(3, 1), delete(3)]),
    ];
    let news = news_of(&before, &commits, TABLE);
    assert_eq!(told(&news), vec![(3, vec![(1, Some(10), Some(12))])]);
    assert_eq!(news[0].rows[0].new.as_ref().unwrap().version, Seq::new(3));
}

#[test]
fn a_difference_is_told_as_one_commit() {
    let before = tables(&[commit(2, vec![insert(1, 1), insert(2, 2), insert(3, 3)])]);
    let after = tables(&[
        commit(2, vec![insert(1, 1), insert(2, 2), insert(3, 3)]),
        commit(3, vec![delete(1), update(3, 33)]),
        commit(4, vec![insert(4, 4)]),
    ]);
    let news = difference(before.loaded(TABLE), after.loaded(TABLE), after.seq());
    let expected: Told = vec![(4, vec![(1, Some(1), None), (3, Some(3), Some(33)), (4, None, Some(4))])];
    assert_eq!(told(news.as_slice()), expected);
    assert!(difference(after.loaded(TABLE), after.loaded(TABLE), after.seq()).is_none());
}

/// The table with a column more for each name.
fn alter(names: &[&str]) -> Op {
    let column = |name: &&str| ColumnDef {
        name: (*name).to_owned(),
        ty: "i64".to_owned(),
        variants: Vec::new(),
        nullable: true,
        max_len: None,
        default: None,
    };
    let def = tables(&[]).get(TABLE).unwrap().def().as_ref().clone();
    Op::Alter(Box::new(TableDef { columns: names.iter().map(column).collect(), ..def }))
}

#[test]
fn who_watches_is_told_nothing_of_other_fields() {
    let before = tables(&[commit(2, vec![insert(1, 10), alter(&["a"])])]);
    let commits = [
        commit(3, vec![alter(&["a", "b"]), update(1, 11)]),
        commit(4, vec![update(1, 12), alter(&["c", "b"])]),
        commit(5, vec![alter(&["a", "b"]), update(1, 13)]),
    ];
    let told = told_of(&before, &commits[..1], TABLE);
    assert!(told.news.len() == 1 && told.ends.is_none(), "another column harms nobody");
    let told = told_of(&before, &commits, TABLE);
    assert_eq!(told.news.iter().map(|news| news.seq.get()).collect::<Vec<_>>(), [3]);
    assert_eq!(told.ends.map(|error| error.kind()), Some(ErrorKind::SchemaChanged));
    let other = told_of(&before, &commits, TableId::new(2));
    assert!(other.news.is_empty() && other.ends.is_none(), "another table");

    let after = |last: usize| {
        let mut after = before.clone();
        commits.iter().take(last).for_each(|commit| after.apply(commit).unwrap());
        after
    };
    let told = told_of_difference(&before, &after(1), TABLE);
    assert!(told.news.len() == 1 && told.ends.is_none());
    let told = told_of_difference(&before, &after(2), TABLE);
    assert_eq!(told.news.len(), 0);
    assert_eq!(told.ends.map(|error| error.kind()), Some(ErrorKind::SchemaChanged));
}

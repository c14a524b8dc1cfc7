//! Commits that are refused half-way.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// Everything a table says of itself.
type Contents = (Vec<(u64, u64, Plain)>, Vec<(RowId, Seq)>, RowId, Seq);

fn contents(tables: &Tables) -> Vec<Contents> {
    let one = |table: &Arc<TableState>| {
        table.check_invariants();
        let rows = table.rows().map(|(id, stored)| (id.get(), stored.version.get(), plain(stored.row)));
        let deleted = table.deleted_since(Seq::default()).collect();
        (rows.collect(), deleted, table.next_row(), table.last_change())
    };
    tables.iter().filter_map(Slot::loaded).map(one).collect()
}

#[derive(Debug, Clone)]
enum Wish {
    Insert(Plain),
    /// Of the row with this id, read by a commit before this one or by none there ever was.
    Update(u64, bool, Plain),
    Delete(u64, bool),
    Table(bool),
}

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let wish = prop_oneof![
        6 => values().prop_map(Wish::Insert),
        6 => (1_u64..14, any::<bool>(), values()).prop_map(|(row, known, values)| Wish::Update(row, known, values)),
        4 => (1_u64..14, prop::bool::weighted(0.8)).prop_map(|(row, known)| Wish::Delete(row, known)),
        1 => any::<bool>().prop_map(Wish::Table),
    ];
    proptest::collection::vec(wish, 1..8)
}

fn write(wish: &Wish, tables: &Tables, seq: Seq) -> Write {
    let state = tables.loaded(TABLE).unwrap();
    let read = |row: u64, known: bool| {
        let stored = state.row(RowId::new(row));
        // A row that an earlier write of the same commit changed has that commit's number.
        if known { stored.map_or(seq, |stored| stored.version) } else { Seq::new(u64::MAX) }
    };
    match *wish {
        Wish::Insert(values) => Write::Insert { table: TABLE, values: row(values) },
        Wish::Update(id, known, values) => {
            let key = state.row(RowId::new(id)).map_or(values[0], |stored| plain(stored.row)[0]);
            let values = row([key, values[1], values[2], values[3]]);
            Write::Update { table: TABLE, row: RowId::new(id), version: read(id, known), values }
        }
        Wish::Delete(id, known) => {
            Write::Delete { table: TABLE, row: RowId::new(id), version: read(id, known) }
        }
        Wish::Table(known) => {
            let name = if known { "t".to_owned() } else { format!("t{seq}") };
            Write::Schema(Box::new(TableDef { name, ..def() }))
        }
    }
}

proptest! {
    /// A commit of several writes works on the tables themselves: if a later write is refused, what the earlier ones
    /// did is taken back, and nothing tells that they were ever there.
    #[test]
    fn a_refused_commit_leaves_nothing_behind(commits in proptest::collection::vec(wishes(), 1..30)) {
        let mut tables = Tables::default();
        tables.apply(&Commit { seq: Seq::new(1), ops: vec![Op::Schema(Box::new(def()))] }).unwrap();
        let mut applied = tables.clone();
        for (wishes, seq) in commits.iter().zip(2..) {
            let seq = Seq::new(seq);
            let writes: Vec<_> = wishes.iter().map(|wish| write(wish, &tables, seq)).collect();
            let (before, next_table) = (tables.clone(), tables.next_table());
            match prepare(&mut tables, seq, &writes) {
                Ok(commit) => applied.apply(&commit).unwrap(),
                Err(_) => {
                    prop_assert_eq!(contents(&tables), contents(&before));
                    prop_assert_eq!(tables.next_table(), next_table);
                    prop_assert_eq!(tables.seq(), before.seq());
                }
            }
            prop_assert_eq!(contents(&tables), contents(&applied));
        }
    }
}

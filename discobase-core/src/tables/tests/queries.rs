//! Plans against a search of all rows.

use proptest::prelude::*;

use super::*;
use crate::query::exec::Query;
use crate::query::expr::{Columns, Compare, Expr};

fn filters() -> impl Strategy<Value = Expr> {
    let operand = || {
        proptest::option::weighted(0.9, -5_i64..13).prop_map(|value| match value {
            Some(value) => Value::Int(value.into()),
            None => Value::Null,
        })
    };
    let compare = prop_oneof![
        Just(Compare::Eq),
        Just(Compare::Ne),
        Just(Compare::Lt),
        Just(Compare::Le),
        Just(Compare::Gt),
        Just(Compare::Ge)
    ];
    let leaf = prop_oneof![
        3 => (0_usize..4, compare, operand()).prop_map(|(column, op, value)| Expr::Compare(column, op, value)),
        1 => (0_usize..4, proptest::collection::vec(operand(), 0..4)).prop_map(|(column, mut values)| {
            values.sort();
            values.dedup();
            Expr::In(column, values)
        }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            3 => proptest::collection::vec(inner.clone(), 1..4).prop_map(Expr::And),
            1 => proptest::collection::vec(inner.clone(), 1..4).prop_map(Expr::Or),
            1 => inner.prop_map(|expr| Expr::Not(Box::new(expr))),
        ]
    })
}

struct Bare(Plain);

impl Columns for Bare {
    fn value(&self, column: usize) -> ValueRef<'_> {
        self.0[column].map_or(ValueRef::Null, |value| ValueRef::Int(value.into()))
    }
}

proptest! {
    /// Whatever index a plan goes through, it finds what a search of all rows finds.
    #[test]
    fn a_plan_changes_the_way_and_not_the_result(
        rows in proptest::collection::vec(values(), 0..30),
        filter in proptest::option::weighted(0.8, filters()),
        order in proptest::collection::vec((0_usize..4, any::<bool>()), 0..3),
        limit in proptest::option::of(0_usize..8),
        offset in 0_usize..4,
    ) {
        let (mut tables, mut model) = (Tables::default(), Model::default());
        tables.apply(&Commit { seq: Seq::new(1), ops: vec![Op::Schema(Box::new(def()))] }).unwrap();
        for (values, seq) in rows.into_iter().zip(2..) {
            let write = Write::Insert { table: TABLE, values: row(values) };
            if prepare(&mut tables, Seq::new(seq), &[write]).is_ok() {
                model.insert(Seq::new(seq), values);
            }
        }
        let mut wanted: Vec<(u64, Plain)> = model.rows.iter().map(|(id, (_, values))| (*id, *values)).collect();
        wanted.retain(|(_, values)| filter.as_ref().is_none_or(|filter| filter.holds(&Bare(*values))));
        // A stable sort by the last column first gives the order of all of them.
        for (column, reversed) in order.iter().rev() {
            wanted.sort_by(|(_, a), (_, b)| if *reversed { b[*column].cmp(&a[*column]) } else { a[*column].cmp(&b[*column]) });
        }
        let wanted: Vec<u64> =
            wanted.iter().map(|(id, _)| *id).skip(offset).take(limit.unwrap_or(usize::MAX)).collect();
        let query = Query { filter, order, limit, offset, ..Query::default() };
        let table = tables.loaded(TABLE).unwrap();
        let found: Vec<u64> = query.ids(table).into_iter().map(RowId::get).collect();
        prop_assert_eq!(&found, &wanted, "{}", query.explain(table));
        prop_assert_eq!(query.count(table), wanted.len());
    }
}

//! Plans against scans: a query finds the same rows in the same order whether its table has indexes or none.

use proptest::prelude::*;

use crate::batch::{ColumnDef, IndexDef, TableDef};
use crate::ids::{ChannelId, RowId, Seq, TableId};
use crate::query::exec::Query;
use crate::query::expr::{Compare, Expr};
use crate::row::{Row, RowWriter};
use crate::schema::IndexKind;
use crate::tables::{TableState, comparable};
use crate::value::Value;

const VARIANTS: [&str; 3] = ["Zero", "Mid", "Able"];

/// Columns 0 to 2 are a float, a text and an enum, all nullable; 3 and 4 are a key of a text and a number.
fn table(indexed: bool) -> TableState {
    let column = |(name, ty): (&str, &str)| ColumnDef {
        name: name.to_owned(),
        ty: ty.to_owned(),
        variants: if ty == "enum" { VARIANTS.map(str::to_owned).to_vec() } else { Vec::new() },
        nullable: true,
        max_len: None,
        default: Some(Value::Text("Mid".into())).filter(|_| ty == "enum"),
    };
    let index =
        |kind, columns: &[usize]| IndexDef { kind, columns: columns.to_vec(), channel: ChannelId::new(9) };
    let indexes = vec![
        index(IndexKind::Key, &[3, 4]),
        index(IndexKind::Index, &[0]),
        index(IndexKind::Index, &[1]),
        index(IndexKind::Index, &[2]),
    ];
    TableState::new(TableDef {
        id: TableId::new(1),
        name: "t".to_owned(),
        fingerprint: 0,
        channel: ChannelId::new(1),
        columns: [("f", "f64"), ("t", "text"), ("e", "enum"), ("k", "text"), ("n", "i64")]
            .map(column)
            .to_vec(),
        indexes: if indexed { indexes } else { Vec::new() },
    })
}

fn value(column: usize) -> BoxedStrategy<Value> {
    let floats = [0.0, -0.0, 1.5, -1.5, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let texts = ["", "\0", "\0a", "a", "a\0", "a\0b", "ab", "a\u{10ffff}", "b", "ä"];
    let texts = || proptest::sample::select(texts.to_vec()).prop_map(|text| Value::Text(text.to_owned()));
    match column {
        0 => prop_oneof![
            1 => Just(Value::Null),
            4 => proptest::sample::select(floats.to_vec()).prop_map(Value::Float),
        ]
        .boxed(),
        1 => prop_oneof![1 => Just(Value::Null), 4 => texts()].boxed(),
        2 => prop_oneof![
            1 => Just(Value::Null),
            4 => proptest::sample::select(VARIANTS.to_vec()).prop_map(|name| Value::Text(name.to_owned())),
        ]
        .boxed(),
        3 => texts().boxed(),
        _ => (-2_i128..3).prop_map(Value::Int).boxed(),
    }
}

fn row() -> impl Strategy<Value = Row> {
    (value(0), value(1), value(2), value(3), value(4)).prop_map(|(a, b, c, d, e)| {
        let mut row = RowWriter::new(5);
        [a, b, c, d, e].iter().for_each(|value| row.put(value.as_ref()));
        row.finish()
    })
}

fn expr() -> impl Strategy<Value = Expr> {
    let ops = [Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le, Compare::Gt, Compare::Ge];
    let compare = (0..5_usize).prop_flat_map(move |column| {
        (proptest::sample::select(ops.to_vec()), value(column))
            .prop_map(move |(op, value)| Expr::Compare(column, op, value))
    });
    let within = (0..5_usize).prop_flat_map(|column| {
        proptest::collection::vec(value(column), 0..4).prop_map(move |mut values| {
            values.sort();
            values.dedup();
            Expr::In(column, values)
        })
    });
    let text =
        |column| value(column).prop_map(|text| if let Value::Text(text) = text { text } else { "a".into() });
    let starts = text(1).prop_map(|text| Expr::StartsWith(1, text));
    let contains = text(3).prop_map(|text| Expr::Contains(3, text));
    prop_oneof![6 => compare, 2 => within, 1 => starts, 1 => contains].prop_recursive(3, 12, 3, |part| {
        let two = (part.clone(), part.clone());
        prop_oneof![
            3 => two.clone().prop_map(|(a, b)| a.and(b)),
            1 => two.prop_map(|(a, b)| a.or(b)),
            1 => part.prop_map(Expr::not),
        ]
    })
}

fn ids(query: &Query, table: &TableState) -> Vec<RowId> {
    query.run(table).into_iter().map(|(id, _)| id).collect()
}

proptest! {
    #[test]
    fn an_index_changes_no_answer(
        rows in proptest::collection::vec(row(), 0..40),
        mut filter in expr(),
        order in proptest::collection::vec((0..5_usize, any::<bool>()), 0..3),
        limit in proptest::option::of(0..10_usize),
        offset in 0..4_usize,
    ) {
        let (mut with, mut without) = (table(true), table(false));
        for (id, row) in (1..).zip(rows) {
            let (id, version) = (RowId::new(id), Seq::new(id));
            if with.collision(id, &row).is_none() {
                with.insert(id, version, &row);
                without.insert(id, version, &row);
            }
        }
        let def = with.def().clone();
        filter.map_operands(&|column, operand| {
            *operand = comparable(&def, column, operand.as_ref()).to_value();
        });
        let query = Query { filter: Some(filter), order, limit, offset };
        prop_assert_eq!(ids(&query, &with), ids(&query, &without));
        prop_assert_eq!(query.count(&with), query.count(&without));
        prop_assert_eq!(query.count(&with), ids(&query, &with).len());
    }
}

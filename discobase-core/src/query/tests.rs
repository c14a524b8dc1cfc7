//! Plans against scans: a query finds the same rows in the same order whether its table has indexes or none.

use proptest::prelude::*;

use crate::batch::{ColumnDef, IndexDef, TableDef};
use crate::ids::{ChannelId, RowId, Seq, TableId};
use crate::query::exec::Query;
use crate::query::expr::{Compare, Expr};
use crate::row::{Row, RowWriter};
use crate::schema::IndexKind;
use crate::tables::{TableState, comparable};
use crate::value::{Value, ValueRef};

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
    let index = |kind, columns: &[usize]| IndexDef {
        kind,
        columns: columns.to_vec(),
        channel: ChannelId::new(9),
        references: None,
    };
    let indexes = vec![
        index(IndexKind::Key, &[3, 4]),
        index(IndexKind::Index, &[0]),
        index(IndexKind::Index, &[1]),
        index(IndexKind::Index, &[2]),
        index(IndexKind::Index, &[2, 1, 4]),
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
        let query = Query { filter: Some(filter), order, limit, offset, ..Query::default() };
        prop_assert_eq!(query.ids(&with), query.ids(&without));
        prop_assert_eq!(query.count(&with), query.count(&without));
        prop_assert_eq!(query.count(&with), query.ids(&with).len());
    }
}

/// What a plan through an index looks at, of rows with all combinations of three texts and five numbers as their keys.
fn looked_at(filter: Expr, order: Vec<(usize, bool)>) -> (String, usize) {
    let mut table = table(true);
    for (id, (text, number)) in
        (1..).zip(["a", "ab", "b"].into_iter().flat_map(|t| (0..5).map(move |n| (t, n))))
    {
        let mut row = RowWriter::new(5);
        let values = [ValueRef::Null, ValueRef::Text(text), ValueRef::Text("Mid"), ValueRef::Text(text)];
        values.into_iter().chain([ValueRef::Int(number)]).for_each(|value| row.put(value));
        table.insert(RowId::new(id), Seq::new(id), &row.finish());
    }
    let query = Query { filter: Some(filter), order, ..Query::default() };
    let explain = query.explain(&table);
    assert_eq!(query.count(&table), query.ids(&table).len());
    (format!("{} {}", explain.access, explain.index.unwrap_or_default()), explain.rows)
}

#[test]
fn the_first_columns_of_a_composite_index_lead_to_their_rows() {
    let text = |op, text: &str| Expr::Compare(3, op, Value::Text(text.into()));
    let number = |op, number| Expr::Compare(4, op, Value::Int(number));
    let looked_at = |filter| looked_at(filter, Vec::new());
    assert_eq!(looked_at(text(Compare::Eq, "a")), ("range k, n".into(), 5));
    assert_eq!(looked_at(text(Compare::Eq, "a").and(number(Compare::Gt, 2))), ("range k, n".into(), 2));
    assert_eq!(looked_at(text(Compare::Eq, "a").and(number(Compare::Eq, 2))), ("key k, n".into(), 1));
    assert_eq!(
        looked_at(text(Compare::Eq, "a").and(Expr::In(4, vec![Value::Int(1), Value::Int(9)]))),
        ("keys k, n".into(), 1)
    );
    assert_eq!(looked_at(Expr::StartsWith(3, "a".into())), ("range k, n".into(), 10));
    assert_eq!(looked_at(text(Compare::Gt, "a")), ("range k, n".into(), 10));
    assert_eq!(looked_at(Expr::In(3, vec![Value::Text("b".into())])), ("key k, n".into(), 5));
    assert_eq!(looked_at(number(Compare::Eq, 2)), ("scan ".into(), 15));
    // What can't be is not looked for.
    let never = text(Compare::Gt, "b").and(text(Compare::Lt, "a"));
    assert_eq!(looked_at(never), ("keys k, n".into(), 0));
}

#[test]
fn only_whole_keys_are_looked_up_in_a_table_that_is_not_loaded() {
    let def = table(true).def().clone();
    let wanted = |filter| {
        Query { filter: Some(filter), ..Query::default() }.wanted(&def).map(|wanted| wanted.keys.len())
    };
    let text = || Expr::Compare(3, Compare::Eq, Value::Text("a".into()));
    let numbers = |numbers: &[i128]| Expr::In(4, numbers.iter().copied().map(Value::Int).collect());
    assert_eq!(wanted(text().and(numbers(&[1, 2]))), Some(2));
    assert_eq!(wanted(text()), None);
    // These are keys of the index's first column, of which a lookup would find none.
    assert_eq!(wanted(Expr::In(3, vec![Value::Text("a".into()), Value::Text("b".into())])), None);
}

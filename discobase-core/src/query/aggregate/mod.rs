//! What a query makes of many rows: counts, sums, averages, the least and the greatest, for all rows or for groups of
//! them.

mod gather;
mod numbers;
mod tally;

use std::cmp::Ordering;
use std::ops::ControlFlow;

use crate::batch::TableDef;
use crate::query::exec::Query;
use crate::query::expr::{Columns, Compare, Expr};
use crate::tables::{TableState, comparable, value_in};
use crate::value::{Value, ValueRef};

/// What is asked of a group of rows. Columns are positions in the struct's schema, or column ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// How many rows there are.
    Rows,
    /// How many have a value in the column.
    Present(usize),
    /// The sum of the column's numbers.
    Sum(usize),
    /// Their average.
    Average(usize),
    /// The least value.
    Least(usize),
    /// The greatest value.
    Greatest(usize),
}

/// How rows are grouped, what is asked of the groups, and which of them in which order. Columns are column ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grouping {
    pub(crate) by: Vec<usize>,
    pub(crate) asks: Vec<Ask>,
    /// A condition on the answers: its columns are places in `asks`.
    pub(crate) having: Option<Expr>,
    pub(crate) order: Vec<(GroupKey, bool)>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
}

/// What groups are sorted by: a place in `by`, or one in `asks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupKey {
    By(usize),
    Ask(usize),
}

/// One group: what its rows have in common, and what was asked of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) key: Vec<Value>,
    pub(crate) answers: Vec<Value>,
}

impl Ask {
    pub(crate) fn column(self) -> Option<usize> {
        match self {
            Self::Rows => None,
            Self::Present(column)
            | Self::Sum(column)
            | Self::Average(column)
            | Self::Least(column)
            | Self::Greatest(column) => Some(column),
        }
    }

    /// The same of another column.
    pub(crate) fn map_column(self, change: &impl Fn(usize) -> usize) -> Self {
        match self {
            Self::Rows => Self::Rows,
            Self::Present(column) => Self::Present(change(column)),
            Self::Sum(column) => Self::Sum(change(column)),
            Self::Average(column) => Self::Average(change(column)),
            Self::Least(column) => Self::Least(change(column)),
            Self::Greatest(column) => Self::Greatest(change(column)),
        }
    }

    /// The answer as it compares: an enum's variant by its place.
    fn comparable<'a>(self, table: &TableDef, answer: ValueRef<'a>) -> ValueRef<'a> {
        match self {
            Self::Least(column) | Self::Greatest(column) => comparable(table, column, answer),
            _ => answer,
        }
    }
}

impl Query {
    /// What is asked of the rows that the query finds, by groups of rows that have the same values in some columns.
    /// Without an order they are in that of these values. Without columns all rows are one group, which is there even if
    /// no row is.
    pub(crate) fn groups(&self, table: &TableState, grouping: &Grouping) -> Vec<Group> {
        let mut groups = match self.answers_by_index(table, grouping) {
            Some(answers) => vec![Group { key: Vec::new(), answers }],
            None => self.gathered(table, grouping),
        };
        let def = table.def();
        if let Some(having) = &grouping.having {
            let mut having = having.clone();
            having.map_operands(&|place, operand| {
                if let Some(ask) = grouping.asks.get(place) {
                    *operand = ask.comparable(def, operand.as_ref()).to_value();
                }
            });
            groups.retain(|group| having.holds(&Answers { def, grouping, group }));
        }
        if !grouping.by.is_empty() {
            groups.sort_by(|a, b| grouping.compare(def, a, b));
        }
        groups.into_iter().skip(grouping.offset).take(grouping.limit.unwrap_or(usize::MAX)).collect()
    }

    fn gathered(&self, table: &TableState, grouping: &Grouping) -> Vec<Group> {
        let mut gathered = gather::Gathered::new(table.def(), &grouping.by, &grouping.asks);
        let _ = self.each(table, |(_, stored)| {
            gathered.add(stored.row);
            ControlFlow::Continue(())
        });
        gathered.finish()
    }

    /// The answers about all rows, if indexes know all of them without a look at more than a row each.
    fn answers_by_index(&self, table: &TableState, grouping: &Grouping) -> Option<Vec<Value>> {
        if !grouping.by.is_empty() || grouping.asks.is_empty() {
            return None;
        }
        let answer = |ask: &Ask| match *ask {
            Ask::Rows if self.is_counted_by_index(table.def()) => Some(Value::Int(self.count(table) as i128)),
            Ask::Least(column) => self.extreme(table, column, false),
            Ask::Greatest(column) => self.extreme(table, column, true),
            _ => None,
        };
        grouping.asks.iter().map(answer).collect()
    }

    /// The query for the one row with the least or the greatest value of a column, if an index leads right to it.
    pub(crate) fn to_extreme(&self, table: &TableDef, column: usize, greatest: bool) -> Option<Self> {
        if self.limit.is_some() || self.offset > 0 || self.after.is_some() {
            return None;
        }
        let present = Expr::Compare(column, Compare::Gt, Value::Null);
        let filter = match self.filter.clone() {
            Some(filter) => filter.and(present),
            None => present,
        };
        let order = vec![(column, greatest)];
        let first =
            Self { filter: Some(filter), order, limit: Some(1), any_of_equal: true, ..Self::default() };
        first.is_led_to(table).then_some(first)
    }

    fn extreme(&self, table: &TableState, column: usize, greatest: bool) -> Option<Value> {
        let first = self.to_extreme(table.def(), column, greatest)?;
        let found = first.run(table);
        let value = found.first().map(|(_, stored)| value_in(table.def(), stored.row, column).to_value());
        Some(value.unwrap_or(Value::Null))
    }
}

impl Grouping {
    fn compare<'a>(&self, def: &'a TableDef, a: &'a Group, b: &'a Group) -> Ordering {
        let by = |place: usize| {
            let column = self.by.get(place).copied().unwrap_or(usize::MAX);
            let value = |group: &'a Group| {
                comparable(def, column, group.key.get(place).map_or(ValueRef::Null, Value::as_ref))
            };
            value(a).cmp(&value(b))
        };
        let answer = |place: usize| {
            let of = |group| Answers { def, grouping: self, group };
            of(a).value(place).cmp(&of(b).value(place))
        };
        let asked = self.order.iter().map(|(key, reversed)| {
            let order = match *key {
                GroupKey::By(place) => by(place),
                GroupKey::Ask(place) => answer(place),
            };
            if *reversed { order.reverse() } else { order }
        });
        let rest = (0..self.by.len()).map(by);
        asked.chain(rest).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// The answers of a group, as a condition reads them.
struct Answers<'a> {
    def: &'a TableDef,
    grouping: &'a Grouping,
    group: &'a Group,
}

impl Columns for Answers<'_> {
    fn value(&self, place: usize) -> ValueRef<'_> {
        match (self.grouping.asks.get(place), self.group.answers.get(place)) {
            (Some(ask), Some(answer)) => ask.comparable(self.def, answer.as_ref()),
            _ => ValueRef::Null,
        }
    }
}

//! A filter made ready for many rows: what must hold of each column, in the order of the columns, so that a row is
//! read once from the front and left at the first thing that does not hold.

use crate::batch::TableDef;
use crate::query::expr::{Columns, Compare, Expr};
use crate::row::RowRef;
use crate::tables::{comparable, value_in};
use crate::value::{Value, ValueRef};

/// A filter on the rows of one table.
pub(crate) struct Matcher<'a> {
    table: &'a TableDef,
    columns: Vec<Column<'a>>,
    /// What is about several columns, or about one in several ways.
    rest: Vec<&'a Expr>,
}

/// What must hold of a column.
struct Column<'a> {
    id: usize,
    tests: Vec<&'a Expr>,
    /// Between which integers the value must be for all tests to hold, if that is all that they ask of an integer.
    within: Option<(i128, i128)>,
    /// Whether what is compared is not the value itself.
    is_enum: bool,
}

impl<'a> Matcher<'a> {
    /// Columns in the filter are column ids, and operands are as they compare.
    pub(crate) fn new(table: &'a TableDef, filter: Option<&'a Expr>) -> Self {
        let mut matcher = Self { table, columns: Vec::new(), rest: Vec::new() };
        filter.into_iter().for_each(|filter| matcher.add(filter));
        matcher.columns.sort_by_key(|column| column.id);
        matcher
    }

    fn add(&mut self, expr: &'a Expr) {
        match expr {
            Expr::And(parts) => parts.iter().for_each(|part| self.add(part)),
            Expr::Or(_) | Expr::Not(_) => self.rest.push(expr),
            Expr::Compare(id, ..) | Expr::In(id, _) | Expr::Contains(id, _) | Expr::StartsWith(id, _) => {
                let within = integers(expr);
                match self.columns.iter_mut().find(|column| column.id == *id) {
                    Some(column) => {
                        column.tests.push(expr);
                        column.within = column.within.zip(within).map(|(a, b)| (a.0.max(b.0), a.1.min(b.1)));
                    }
                    None => {
                        let def = self.table.columns.get(*id);
                        let is_enum = def.is_some_and(|def| !def.variants.is_empty());
                        self.columns.push(Column { id: *id, tests: vec![expr], within, is_enum });
                    }
                }
            }
        }
    }

    /// Whether the row satisfies the filter.
    #[inline]
    pub(crate) fn holds(&self, row: RowRef<'_>) -> bool {
        let mut values = row.read();
        for column in &self.columns {
            let value = match values.at(column.id) {
                Some(value) if !column.is_enum => value,
                Some(value) => comparable(self.table, column.id, value),
                // The row is older than the column.
                None => comparable(self.table, column.id, value_in(self.table, row, column.id)),
            };
            let holds = match (column.within, value) {
                (Some((low, high)), ValueRef::Int(number)) => low <= number && number <= high,
                _ => column.tests.iter().all(|test| test.test(value)),
            };
            if !holds {
                return false;
            }
        }
        self.rest.iter().all(|expr| expr.holds(&RowColumns { table: self.table, row }))
    }
}

/// The first and the last integer of which a test holds.
fn integers(test: &Expr) -> Option<(i128, i128)> {
    let Expr::Compare(_, op, Value::Int(number)) = test else { return None };
    match op {
        Compare::Eq => Some((*number, *number)),
        Compare::Lt => Some((i128::MIN, number.checked_sub(1)?)),
        Compare::Le => Some((i128::MIN, *number)),
        Compare::Gt => Some((number.checked_add(1)?, i128::MAX)),
        Compare::Ge => Some((*number, i128::MAX)),
        Compare::Ne => None,
    }
}

/// A row as an expression reads it.
pub(crate) struct RowColumns<'a> {
    pub(crate) table: &'a TableDef,
    pub(crate) row: RowRef<'a>,
}

impl Columns for RowColumns<'_> {
    fn value(&self, column: usize) -> ValueRef<'_> {
        comparable(self.table, column, value_in(self.table, self.row, column))
    }
}

//! The expression tree of a filter, and its evaluation on one row.

use std::cmp::Ordering;

use crate::query::subquery::Within;
use crate::value::{Value, ValueRef};

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Compare {
    /// Whether the order of a value against the operand satisfies the comparison.
    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
        }
    }
}

/// A condition on a row. Columns are positions in the struct's schema.
#[derive(Debug, Clone)]
pub(crate) enum Expr {
    Compare(usize, Compare, Value),
    /// The values are sorted and distinct.
    In(usize, Vec<Value>),
    /// The values are those that a query finds: [`resolve`](crate::query::subquery::resolve) makes an `In` of it.
    Within(usize, Within),
    Contains(usize, String),
    StartsWith(usize, String),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
}

/// What an expression reads a row through.
pub(crate) trait Columns {
    /// The value in the column at a position, as it compares (see [`comparable`](crate::tables::comparable)).
    fn value(&self, position: usize) -> ValueRef<'_>;
}

/// What is combined stays flat: a filter that a loop makes of thousands of parts must not become a tree so deep that
/// walking it overflows the stack.
impl Expr {
    /// Both hold.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::And(a), Self::And(b)) => Self::And(joined(a, b)),
            (Self::And(parts), one) | (one, Self::And(parts)) => Self::And(joined(parts, vec![one])),
            (a, b) => Self::And(vec![a, b]),
        }
    }

    /// At least one holds.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Or(a), Self::Or(b)) => Self::Or(joined(a, b)),
            (Self::Or(parts), one) | (one, Self::Or(parts)) => Self::Or(joined(parts, vec![one])),
            (a, b) => Self::Or(vec![a, b]),
        }
    }

    /// It does not hold.
    pub(crate) fn not(self) -> Self {
        match self {
            Self::Not(part) => *part,
            part => Self::Not(Box::new(part)),
        }
    }

    /// Whether the row satisfies the condition.
    pub(crate) fn holds(&self, row: &impl Columns) -> bool {
        match self {
            Self::Compare(column, ..)
            | Self::In(column, _)
            | Self::Within(column, _)
            | Self::Contains(column, _)
            | Self::StartsWith(column, _) => self.test(row.value(*column)),
            Self::And(parts) => parts.iter().all(|part| part.holds(row)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(row)),
            Self::Not(part) => !part.holds(row),
        }
    }

    /// Whether a value satisfies a condition that is about one column; no other condition is satisfied by a value.
    pub(crate) fn test(&self, value: ValueRef<'_>) -> bool {
        match self {
            Self::Compare(_, op, operand) => op.holds(value.cmp(&operand.as_ref())),
            Self::In(_, operands) => {
                operands.binary_search_by(|operand| operand.as_ref().cmp(&value)).is_ok()
            }
            Self::Contains(_, text) => {
                matches!(value, ValueRef::Text(value) if value.contains(text.as_str()))
            }
            Self::StartsWith(_, text) => {
                matches!(value, ValueRef::Text(value) if value.starts_with(text.as_str()))
            }
            Self::Within(..) | Self::And(_) | Self::Or(_) | Self::Not(_) => false,
        }
    }

    /// Changes every column.
    pub(crate) fn map_columns(&mut self, change: &impl Fn(usize) -> usize) {
        match self {
            Self::Compare(column, ..)
            | Self::In(column, _)
            | Self::Within(column, _)
            | Self::Contains(column, _)
            | Self::StartsWith(column, _) => {
                *column = change(*column);
            }
            Self::And(parts) | Self::Or(parts) => parts.iter_mut().for_each(|part| part.map_columns(change)),
            Self::Not(part) => part.map_columns(change),
        }
    }

    /// Changes every operand, with the column it is compared to.
    pub(crate) fn map_operands(&mut self, change: &impl Fn(usize, &mut Value)) {
        match self {
            Self::Compare(column, _, operand) => change(*column, operand),
            Self::In(column, operands) => {
                operands.iter_mut().for_each(|operand| change(*column, operand));
                operands.sort();
            }
            Self::Within(..) | Self::Contains(..) | Self::StartsWith(..) => {}
            Self::And(parts) | Self::Or(parts) => {
                parts.iter_mut().for_each(|part| part.map_operands(change));
            }
            Self::Not(part) => part.map_operands(change),
        }
    }
}

fn joined(mut parts: Vec<Expr>, mut more: Vec<Expr>) -> Vec<Expr> {
    parts.append(&mut more);
    parts
}

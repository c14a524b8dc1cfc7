//! A filter made ready for many rows: what must hold of each column, in the order of the columns, so that a row is
//! read once from the front and left at the first thing that does not hold.

use crate::batch::TableDef;
use crate::query::expr::{Columns, Compare, Expr};
use crate::row::RowRef;
use crate::tables::{comparable, value_in};
use crate::value::{Value, ValueRef};
use crate::wire::{Reader, integer, number, skip_many, text};

/// Integers from one to another, as they are encoded: natural ones as they are, negative ones by how far they are below
/// -1. Where the first is above the last there is none.
#[derive(Clone, Copy)]
struct Between {
    natural: (u64, u64),
    negative: (u64, u64),
}

impl Between {
    fn new(low: i128, high: i128) -> Self {
        const NONE: (u64, u64) = (1, 0);
        let within = |number: i128| u64::try_from(number.min(u64::MAX.into())).unwrap_or_default();
        let natural =
            if high >= 0 && low <= u64::MAX.into() { (within(low.max(0)), within(high)) } else { NONE };
        let below = |number: i128| within(-1 - number.min(-1));
        let lowest = -1 - i128::from(u64::MAX);
        let negative = if low < 0 && high >= lowest { (below(high), below(low.max(lowest))) } else { NONE };
        Self { natural, negative }
    }

    fn and(self, other: Self) -> Self {
        let both = |a: (u64, u64), b: (u64, u64)| (a.0.max(b.0), a.1.min(b.1));
        Self { natural: both(self.natural, other.natural), negative: both(self.negative, other.negative) }
    }

    #[inline(always)]
    fn has(self, is_negative: bool, number: u64) -> bool {
        let (low, high) = if is_negative { self.negative } else { self.natural };
        low <= number && number <= high
    }
}

/// A filter on the rows of one table.
pub(crate) struct Matcher<'a> {
    table: &'a TableDef,
    columns: Vec<Column<'a>>,
    /// What is said of the first of them, if it is an integer.
    first: Option<First>,
    /// What is about several columns, or about one in several ways.
    rest: Vec<&'a Expr>,
}

/// The integers that the value of a column must be between.
#[derive(Clone, Copy)]
struct First {
    column: usize,
    between: Between,
}

/// What must hold of a column.
struct Column<'a> {
    id: usize,
    tests: Vec<&'a Expr>,
    quick: Quick<'a>,
    /// Whether what is compared is not the value itself.
    is_enum: bool,
}

/// What all tests of a column come to for values of one kind, told from their bytes.
enum Quick<'a> {
    /// An integer must be one of these or between them.
    Integers(Between),
    /// A text must be this one.
    Text(&'a [u8]),
    /// It takes the tests to tell.
    No,
}

impl<'a> Matcher<'a> {
    /// All terms must hold. Columns in them are column ids, and operands are as they compare.
    pub(crate) fn new(table: &'a TableDef, terms: &[&'a Expr]) -> Self {
        let mut matcher = Self { table, columns: Vec::new(), first: None, rest: Vec::new() };
        terms.iter().for_each(|term| matcher.add(term));
        matcher.columns.sort_by_key(|column| column.id);
        matcher.first = matcher.columns.first().and_then(|column| match column.quick {
            Quick::Integers(between) => Some(First { column: column.id, between }),
            _ => None,
        });
        matcher
    }

    fn add(&mut self, expr: &'a Expr) {
        match expr {
            Expr::And(parts) => parts.iter().for_each(|part| self.add(part)),
            Expr::Or(_) | Expr::Not(_) | Expr::Within(..) => self.rest.push(expr),
            Expr::Compare(id, ..) | Expr::In(id, _) | Expr::Contains(id, _) | Expr::StartsWith(id, _) => {
                let is_enum = self.table.columns.get(*id).is_some_and(|def| !def.variants.is_empty());
                let quick = if is_enum { Quick::No } else { Quick::of(expr) };
                match self.columns.iter_mut().find(|column| column.id == *id) {
                    Some(column) => {
                        column.tests.push(expr);
                        column.quick = column.quick.and(&quick);
                    }
                    None => self.columns.push(Column { id: *id, tests: vec![expr], quick, is_enum }),
                }
            }
        }
    }

    /// Whether the row may satisfy the filter: what can be told of most rows that do not, and so little that a scan has it
    /// inside of its loop.
    #[inline(always)]
    pub(crate) fn may_hold(&self, row: RowRef<'_>) -> bool {
        let Some(First { column, between }) = &self.first else { return true };
        integer_at(row, *column).is_none_or(|(negative, number)| between.has(negative, number))
    }

    /// Whether the row satisfies the filter.
    #[inline]
    pub(crate) fn holds(&self, row: RowRef<'_>) -> bool {
        if self.columns.is_empty() && self.rest.is_empty() {
            return true;
        }
        (self.columns.is_empty() || self.columns_hold(row).unwrap_or(false))
            && self.rest.iter().all(|expr| expr.holds(&RowColumns { table: self.table, row }))
    }

    /// Whether what is said of each column holds. There is an answer for every row that is one.
    #[inline]
    fn columns_hold(&self, row: RowRef<'_>) -> Option<bool> {
        let (count, mut bytes) = match row.as_bytes().split_first()? {
            (&count, behind) if count < 0x80 => (count.into(), behind),
            _ => count_of_many(row)?,
        };
        let mut at = 0;
        for column in &self.columns {
            if column.id as u64 >= count {
                // The row is older than the column.
                if !column.holds(self.table, value_in(self.table, row, column.id)) {
                    return Some(false);
                }
                continue;
            }
            if at < column.id {
                bytes = skip_many(bytes, column.id - at)?;
                at = column.id;
            }
            let holds = match column.quick.holds(bytes) {
                Some(holds) => holds,
                None => column.holds_encoded(self.table, bytes)?,
            };
            if !holds {
                return Some(false);
            }
        }
        Some(true)
    }
}

/// The integer in a column. `None` if something else is there, and in a row that is older than the column or has so many
/// that it takes longer to tell.
#[inline(always)]
fn integer_at(row: RowRef<'_>, column: usize) -> Option<(bool, u64)> {
    let (&count, bytes) = row.as_bytes().split_first()?;
    if count >= 0x80 || usize::from(count) <= column {
        return None;
    }
    let (negative, number, _) = integer(skip_many(bytes, column)?)?;
    Some((negative, number))
}

/// How many values a row of more than a byte can count has, and what is behind that number.
#[cold]
fn count_of_many(row: RowRef<'_>) -> Option<(u64, &[u8])> {
    number(row.as_bytes())
}

impl Column<'_> {
    fn holds(&self, table: &TableDef, value: ValueRef<'_>) -> bool {
        let value = if self.is_enum { comparable(table, self.id, value) } else { value };
        self.tests.iter().all(|test| test.test(value))
    }

    /// As [`Column::holds`], of the value at the front.
    #[inline(never)]
    fn holds_encoded(&self, table: &TableDef, bytes: &[u8]) -> Option<bool> {
        Some(self.holds(table, Reader::new(bytes).checked_value()?))
    }
}

impl<'a> Quick<'a> {
    /// Of one test.
    fn of(test: &'a Expr) -> Self {
        match test {
            Expr::Compare(_, Compare::Eq, Value::Text(text)) => Self::Text(text.as_bytes()),
            Expr::Compare(_, op, Value::Int(number)) => match op {
                Compare::Eq => Self::Integers(Between::new(*number, *number)),
                // Bounds beyond all numbers are bounds still: no number has this one above or below it.
                Compare::Lt => Self::Integers(Between::new(i128::MIN, number.saturating_sub(1))),
                Compare::Le => Self::Integers(Between::new(i128::MIN, *number)),
                Compare::Gt => Self::Integers(Between::new(number.saturating_add(1), i128::MAX)),
                Compare::Ge => Self::Integers(Between::new(*number, i128::MAX)),
                Compare::Ne => Self::No,
            },
            _ => Self::No,
        }
    }

    /// Of both.
    fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Integers(a), Self::Integers(b)) => Self::Integers(a.and(*b)),
            _ => Self::No,
        }
    }

    /// Whether the value at the front holds, if that can be told from its bytes.
    #[inline(always)]
    fn holds(&self, bytes: &[u8]) -> Option<bool> {
        match self {
            Self::Integers(between) => {
                let (is_negative, found, _) = integer(bytes)?;
                Some(between.has(is_negative, found))
            }
            Self::Text(wanted) => text(bytes).map(|(found, _)| found == *wanted),
            Self::No => None,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Bounds at and beyond all ends of what an integer can be.
    #[test]
    fn integers_are_told_from_their_encoding() {
        let ends = [i128::MIN, i64::MIN.into(), -1, 0, i64::MAX.into(), u64::MAX.into(), i128::MAX];
        let near = |end: i128| [end.saturating_sub(1), end, end.saturating_add(1)];
        let bounds: Vec<i128> = ends.into_iter().flat_map(near).collect();
        let values = bounds.iter().filter(|number| (i64::MIN.into()..=u64::MAX.into()).contains(*number));
        for &number in values {
            let encoded = if number < 0 { (true, (-1 - number) as u64) } else { (false, number as u64) };
            for (&low, &high) in bounds.iter().flat_map(|low| bounds.iter().map(move |high| (low, high))) {
                let wanted = low <= number && number <= high;
                let between = Between::new(low, high);
                assert_eq!(between.has(encoded.0, encoded.1), wanted, "{low} to {high}: {number}");
                let both = Between::new(low, i128::MAX).and(Between::new(i128::MIN, high));
                assert_eq!(both.has(encoded.0, encoded.1), wanted, "{low} and {high}: {number}");
            }
        }
    }
}

//! What one question needs to know of the rows so far.

use std::cmp::Ordering;

use super::Ask;
use crate::batch::TableDef;
use crate::tables::comparable;
use crate::value::{Value, ValueRef};
use crate::wire::{Reader, integer};

#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    count: u64,
    /// The sum of integers: rows are fewer than 2^40, and each is less than 2^64, so it never overflows.
    integers: i128,
    floats: f64,
    /// What adding floats lost: Neumaier's compensation.
    lost: f64,
    /// The least or the greatest value.
    best: Option<Value>,
}

impl Tally {
    #[inline]
    pub(super) fn add(&mut self, table: &TableDef, ask: Ask, cell: &[u8]) {
        match ask {
            Ask::Rows => self.count += 1,
            Ask::Present(_) => self.count += u64::from(!is_null(cell)),
            Ask::Sum(_) | Ask::Average(_) => self.add_number(cell),
            Ask::Least(column) => self.offer(table, column, cell, Ordering::Less),
            Ask::Greatest(column) => self.offer(table, column, cell, Ordering::Greater),
        }
    }

    #[inline]
    fn add_number(&mut self, cell: &[u8]) {
        if let Some((negative, number, _)) = integer(cell) {
            self.count += 1;
            self.integers += signed(negative, number);
        } else if let Ok(ValueRef::Float(number)) = Reader::new(cell).value() {
            self.count += 1;
            let sum = self.floats + number;
            let (larger, smaller) =
                if self.floats.abs() >= number.abs() { (self.floats, number) } else { (number, self.floats) };
            self.lost += (larger - sum) + smaller;
            self.floats = sum;
        }
    }

    #[inline]
    fn offer(&mut self, table: &TableDef, column: usize, cell: &[u8], wanted: Ordering) {
        // Most are integers, and most are not better.
        if let (Some((negative, number, _)), Some(Value::Int(best))) = (integer(cell), &mut self.best) {
            let number = signed(negative, number);
            if number.cmp(best) == wanted {
                *best = number;
            }
            return;
        }
        let Ok(value) = Reader::new(cell).value() else { return };
        let better = || {
            let best = self.best.as_ref()?;
            Some(comparable(table, column, value).cmp(&comparable(table, column, best.as_ref())) == wanted)
        };
        if !value.is_null() && better().unwrap_or(true) {
            self.best = Some(value.to_value());
        }
    }

    pub(super) fn answer(&self, table: &TableDef, ask: Ask) -> Value {
        // Infinities and NaN lose nothing, they take over; the compensation of such a sum means nothing.
        let floats = if self.lost.is_finite() { self.floats + self.lost } else { self.floats };
        let is_float = |column: usize| {
            table.columns.get(column).is_some_and(|def| matches!(def.ty.as_str(), "f32" | "f64"))
        };
        match ask {
            Ask::Rows | Ask::Present(_) => Value::Int(self.count.into()),
            Ask::Sum(column) if is_float(column) => Value::Float(floats),
            Ask::Sum(_) => Value::Int(self.integers),
            Ask::Average(_) if self.count == 0 => Value::Null,
            Ask::Average(column) if is_float(column) => Value::Float(floats / self.count as f64),
            Ask::Average(_) => Value::Float(self.integers as f64 / self.count as f64),
            Ask::Least(_) | Ask::Greatest(_) => self.best.clone().unwrap_or(Value::Null),
        }
    }
}

fn signed(negative: bool, number: u64) -> i128 {
    if negative { -1 - i128::from(number) } else { i128::from(number) }
}

fn is_null(cell: &[u8]) -> bool {
    Reader::new(cell).null().is_some()
}

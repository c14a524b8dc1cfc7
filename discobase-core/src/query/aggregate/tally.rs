//! What questions need to know of the rows so far.

use std::cmp::Ordering;

use super::Ask;
use crate::batch::TableDef;
use crate::tables::comparable;
use crate::value::{Value, ValueRef};
use crate::wire::{Reader, integer};

/// An encoded value: all its bytes, and what they say if it is an integer, which most questions are about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cell<'a> {
    pub(super) bytes: &'a [u8],
    /// Whether it is negative, and what is encoded of it.
    pub(super) number: Option<(bool, u64)>,
}

impl<'a> Cell<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, number: integer(bytes).map(|(negative, number, _)| (negative, number)) }
    }
}

/// What is known of each group for each question. Kinds of questions lie apart, so that a group takes no more room than
/// its questions need: with many groups what is not near is what takes the time.
pub(super) struct Tallies {
    asks: Vec<Asked>,
    groups: usize,
    counts: Tally<u64>,
    sums: Tally<Sum>,
    bests: Tally<Option<Value>>,
}

/// A question, and its place among those of its kind.
struct Asked {
    ask: Ask,
    place: usize,
}

/// Of each group, the entries of the questions of one kind.
struct Tally<V> {
    questions: usize,
    entries: Vec<V>,
}

#[derive(Debug, Clone, Default)]
struct Sum {
    count: u64,
    /// The sum of integers: rows are fewer than 2^40, and each is less than 2^64, so it never overflows.
    integers: i128,
    floats: f64,
    /// What adding floats lost: Neumaier's compensation.
    lost: f64,
}

impl<V: Clone + Default> Tally<V> {
    const fn new() -> Self {
        Self { questions: 0, entries: Vec::new() }
    }

    /// The place of one question more.
    fn question(&mut self) -> usize {
        self.questions += 1;
        self.questions - 1
    }

    fn grow(&mut self) {
        self.entries.resize(self.entries.len() + self.questions, V::default());
    }

    #[inline]
    fn get(&self, group: usize, place: usize) -> Option<&V> {
        self.entries.get(group * self.questions + place)
    }

    #[inline]
    fn get_mut(&mut self, group: usize, place: usize) -> Option<&mut V> {
        self.entries.get_mut(group * self.questions + place)
    }
}

impl Tallies {
    pub(super) fn new(asks: &[Ask]) -> Self {
        let (mut counts, mut sums, mut bests) = (Tally::new(), Tally::new(), Tally::new());
        let place = |ask: &Ask| match ask {
            Ask::Rows | Ask::Present(_) => counts.question(),
            Ask::Sum(_) | Ask::Average(_) => sums.question(),
            Ask::Least(_) | Ask::Greatest(_) => bests.question(),
        };
        let places: Vec<usize> = asks.iter().map(place).collect();
        let asks = asks.iter().zip(places).map(|(ask, place)| Asked { ask: *ask, place }).collect();
        Self { asks, groups: 0, counts, sums, bests }
    }

    /// How many groups there are.
    #[inline]
    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    /// One group more, of no rows.
    pub(super) fn grow(&mut self) {
        self.groups += 1;
        self.counts.grow();
        self.sums.grow();
        self.bests.grow();
    }

    /// Adds to a group what a row has in the column of a question.
    #[inline]
    pub(super) fn add(&mut self, table: &TableDef, group: usize, ask: usize, cell: Cell<'_>) {
        let Some(Asked { ask, place }) = self.asks.get(ask) else { return };
        match *ask {
            Ask::Rows | Ask::Present(_) => {
                if let Some(count) = self.counts.get_mut(group, *place) {
                    *count += u64::from(*ask == Ask::Rows || !is_null(cell.bytes));
                }
            }
            Ask::Sum(_) | Ask::Average(_) => {
                if let Some(sum) = self.sums.get_mut(group, *place) {
                    sum.add(cell);
                }
            }
            Ask::Least(column) | Ask::Greatest(column) => {
                let wanted = if *ask == Ask::Least(column) { Ordering::Less } else { Ordering::Greater };
                if let Some(best) = self.bests.get_mut(group, *place) {
                    offer(best, table, column, cell, wanted);
                }
            }
        }
    }

    /// What is known of a group for a question.
    pub(super) fn answer(&self, table: &TableDef, group: usize, ask: usize) -> Value {
        let Some(Asked { ask, place }) = self.asks.get(ask) else { return Value::Null };
        let is_float = |column: usize| {
            table.columns.get(column).is_some_and(|def| matches!(def.ty.as_str(), "f32" | "f64"))
        };
        let sum = || self.sums.get(group, *place).cloned().unwrap_or_default();
        match *ask {
            Ask::Rows | Ask::Present(_) => {
                Value::Int(self.counts.get(group, *place).copied().unwrap_or_default().into())
            }
            Ask::Sum(column) if is_float(column) => Value::Float(sum().floats()),
            Ask::Sum(_) => Value::Int(sum().integers),
            Ask::Average(_) if sum().count == 0 => Value::Null,
            Ask::Average(column) if is_float(column) => Value::Float(sum().floats() / sum().count as f64),
            Ask::Average(_) => Value::Float(sum().integers as f64 / sum().count as f64),
            Ask::Least(_) | Ask::Greatest(_) => {
                self.bests.get(group, *place).cloned().flatten().unwrap_or(Value::Null)
            }
        }
    }
}

impl Sum {
    #[inline]
    fn add(&mut self, cell: Cell<'_>) {
        if let Some((negative, number)) = cell.number {
            self.count += 1;
            self.integers += signed(negative, number);
        } else if let Ok(ValueRef::Float(number)) = Reader::new(cell.bytes).value() {
            self.count += 1;
            let sum = self.floats + number;
            let (larger, smaller) =
                if self.floats.abs() >= number.abs() { (self.floats, number) } else { (number, self.floats) };
            self.lost += (larger - sum) + smaller;
            self.floats = sum;
        }
    }

    fn floats(&self) -> f64 {
        // Infinities and NaN lose nothing, they take over; the compensation of such a sum means nothing.
        if self.lost.is_finite() { self.floats + self.lost } else { self.floats }
    }
}

/// Takes the value if it is the least or the greatest so far.
#[inline]
fn offer(best: &mut Option<Value>, table: &TableDef, column: usize, cell: Cell<'_>, wanted: Ordering) {
    // Most are integers, and most are not better.
    if let (Some((negative, number)), Some(Value::Int(best))) = (cell.number, &mut *best) {
        let number = signed(negative, number);
        if number.cmp(best) == wanted {
            *best = number;
        }
        return;
    }
    let Ok(value) = Reader::new(cell.bytes).value() else { return };
    let better = || {
        let best = best.as_ref()?;
        Some(comparable(table, column, value).cmp(&comparable(table, column, best.as_ref())) == wanted)
    };
    if !value.is_null() && better().unwrap_or(true) {
        *best = Some(value.to_value());
    }
}

fn signed(negative: bool, number: u64) -> i128 {
    if negative { -1 - i128::from(number) } else { i128::from(number) }
}

fn is_null(cell: &[u8]) -> bool {
    Reader::new(cell).null().is_some()
}

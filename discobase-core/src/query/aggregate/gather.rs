//! Groups in the making: rows are added one after the other.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::tally::Tally;
use super::{Ask, Group};
use crate::batch::TableDef;
use crate::query::cells::{Cells, cells};
use crate::row::RowRef;
use crate::tables::value_in;
use crate::value::{Value, ValueRef};
use crate::wire::{Reader, put_value};

/// What is known of the groups so far.
pub(super) struct Gathered<'a> {
    table: &'a TableDef,
    by: &'a [usize],
    asks: &'a [Ask],
    /// The columns that are read of each row, in their order.
    columns: Vec<usize>,
    /// Of each column of `by` and of each question, its place among the columns.
    key_places: Vec<usize>,
    ask_places: Vec<Option<usize>>,
    /// Groups by the encoded values that they have in common: each value has one encoding.
    numbers: HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>,
    /// For each group an entry for each question.
    tallies: Vec<Tally>,
}

impl<'a> Gathered<'a> {
    pub(super) fn new(table: &'a TableDef, by: &'a [usize], asks: &'a [Ask]) -> Self {
        let asked = asks.iter().filter_map(|ask| ask.column());
        let mut columns: Vec<usize> = by.iter().copied().chain(asked).collect();
        columns.sort_unstable();
        columns.dedup();
        let place = |column: usize| columns.binary_search(&column).ok();
        let mut gathered = Self {
            key_places: by.iter().filter_map(|column| place(*column)).collect(),
            ask_places: asks.iter().map(|ask| ask.column().and_then(place)).collect(),
            numbers: HashMap::default(),
            tallies: Vec::new(),
            columns,
            table,
            by,
            asks,
        };
        if by.is_empty() {
            gathered.group(&[]);
        }
        gathered
    }

    #[inline]
    pub(super) fn add(&mut self, row: RowRef<'_>) {
        match cells(row, &self.columns) {
            Some(cells) => self.add_cells(&cells),
            // The row is older than one of the columns.
            None => {
                let value = |&column| {
                    let mut bytes = Vec::new();
                    put_value(&mut bytes, value_in(self.table, row, column));
                    bytes
                };
                let owned: Vec<Vec<u8>> = self.columns.iter().map(value).collect();
                self.add_cells(&owned.iter().map(Vec::as_slice).collect());
            }
        }
    }

    #[inline]
    fn add_cells(&mut self, cells: &Cells<'_>) {
        let cell = |place: &usize| cells.get(*place).copied().unwrap_or_default();
        let number = match self.key_places.as_slice() {
            [] => 0,
            [place] => self.group(cell(place)),
            places => {
                let mut key: SmallVec<[u8; 64]> = SmallVec::new();
                places.iter().for_each(|place| key.extend_from_slice(cell(place)));
                self.group(&key)
            }
        };
        let first = number * self.asks.len();
        let tallies = self.tallies.get_mut(first..first + self.asks.len()).unwrap_or_default();
        for ((ask, place), tally) in self.asks.iter().zip(&self.ask_places).zip(tallies) {
            tally.add(self.table, *ask, place.as_ref().map_or(&[], cell));
        }
    }

    /// The number of the group with this key.
    #[inline]
    fn group(&mut self, key: &[u8]) -> usize {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let number = self.numbers.len();
        self.numbers.insert(key.into(), number);
        self.tallies.extend(self.asks.iter().map(|_| Tally::default()));
        number
    }

    /// The groups, in no order.
    pub(super) fn finish(self) -> Vec<Group> {
        let Self { table, by, asks, numbers, tallies, .. } = self;
        let group = |(key, number): (Box<[u8]>, usize)| {
            let own = tallies.iter().skip(number * asks.len());
            let answers = asks.iter().zip(own).map(|(ask, tally)| tally.answer(table, *ask)).collect();
            let mut reader = Reader::new(&key);
            let value = |_: &usize| reader.value().map_or(Value::Null, ValueRef::to_value);
            Group { key: by.iter().map(value).collect(), answers }
        };
        numbers.into_iter().map(group).collect()
    }
}

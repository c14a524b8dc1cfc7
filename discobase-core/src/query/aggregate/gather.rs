//! Groups in the making: rows are added one after the other.

use smallvec::SmallVec;

use super::numbers::Numbers;
use super::tally::{Cell, Tallies};
use super::{Ask, Group};
use crate::batch::TableDef;
use crate::row::RowRef;
use crate::tables::value_in;
use crate::value::{Value, ValueRef};
use crate::wire::{Reader, integer, number, put_value, skip, skip_many};

/// The values of a row in the columns that are read.
type Cells<'a> = SmallVec<[Cell<'a>; 8]>;

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
    numbers: Numbers,
    tallies: Tallies,
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
            numbers: Numbers::default(),
            tallies: Tallies::new(asks),
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
        match self.cells(row) {
            Some(cells) => self.add_cells(&cells),
            None => self.add_old(row),
        }
    }

    /// The row's values in the columns, in one pass over it; `None` if it is older than one of them.
    #[inline]
    fn cells<'r>(&self, row: RowRef<'r>) -> Option<Cells<'r>> {
        let (count, mut bytes) = number(row.as_bytes())?;
        if self.columns.last().is_some_and(|last| *last as u64 >= count) {
            return None;
        }
        let (mut cells, mut at) = (Cells::new(), 0);
        for &column in &self.columns {
            if at < column {
                bytes = skip_many(bytes, column - at)?;
            }
            let (number, behind) = match integer(bytes) {
                Some((negative, number, behind)) => (Some((negative, number)), behind),
                None => (None, skip(bytes)?),
            };
            cells.push(Cell { bytes: bytes.get(..bytes.len() - behind.len())?, number });
            (bytes, at) = (behind, column + 1);
        }
        Some(cells)
    }

    /// Adds a row that is older than one of the columns.
    #[cold]
    fn add_old(&mut self, row: RowRef<'_>) {
        let value = |&column: &usize| {
            let mut bytes = Vec::new();
            put_value(&mut bytes, value_in(self.table, row, column));
            bytes
        };
        let owned: Vec<Vec<u8>> = self.columns.iter().map(value).collect();
        self.add_cells(&owned.iter().map(|bytes| Cell::of(bytes)).collect());
    }

    #[inline]
    fn add_cells(&mut self, cells: &Cells<'_>) {
        let bytes = |place: &usize| cells.get(*place).map_or(&[][..], |cell| cell.bytes);
        let group = match self.key_places.as_slice() {
            [] => 0,
            [place] => self.group(bytes(place)),
            places => {
                let mut key: SmallVec<[u8; 64]> = SmallVec::new();
                places.iter().for_each(|place| key.extend_from_slice(bytes(place)));
                self.group(&key)
            }
        };
        for (ask, place) in self.ask_places.iter().enumerate() {
            let cell = place.and_then(|place| cells.get(place)).copied().unwrap_or_default();
            self.tallies.add(self.table, group, ask, cell);
        }
    }

    /// The number of the group with this key.
    #[inline]
    fn group(&mut self, key: &[u8]) -> usize {
        let group = self.numbers.of(key);
        if group == self.tallies.groups() {
            self.tallies.grow();
        }
        group
    }

    /// The groups, in no order.
    pub(super) fn finish(self) -> Vec<Group> {
        let Self { table, by, asks, numbers, tallies, .. } = self;
        let group = |(key, number): (&[u8], usize)| {
            let answers = (0..asks.len()).map(|ask| tallies.answer(table, number, ask)).collect();
            let mut reader = Reader::new(key);
            let value = |_: &usize| reader.value().map_or(Value::Null, ValueRef::to_value);
            Group { key: by.iter().map(value).collect(), answers }
        };
        numbers.iter().map(group).collect()
    }
}

//! Some columns of the rows that a query finds.

use std::collections::HashSet;
use std::ops::ControlFlow;

use smallvec::SmallVec;

use crate::batch::TableDef;
use crate::query::cells::cells;
use crate::query::exec::Query;
use crate::row::RowRef;
use crate::tables::{TableState, value_in};
use crate::value::ValueRef;
use crate::wire::{Reader, put_value};

/// Columns, by their ids, and whether each combination of their values counts once.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    columns: Vec<usize>,
    /// The columns in their order, and of each selected one its place among them.
    sorted: Vec<usize>,
    places: Vec<usize>,
    distinct: bool,
}

/// The values of one row.
pub(crate) type Picked<'a> = SmallVec<[ValueRef<'a>; 8]>;

impl Selection {
    pub(crate) fn new(columns: Vec<usize>, distinct: bool) -> Self {
        let mut sorted = columns.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let places = columns.iter().filter_map(|column| sorted.binary_search(column).ok()).collect();
        Self { columns, sorted, places, distinct }
    }

    /// Visits the values of the rows in the rows' order until `visit` breaks. Of combinations that are to be distinct the
    /// query's page is one of combinations.
    pub(crate) fn each<'a>(
        &self,
        query: &Query,
        table: &'a TableState,
        mut visit: impl FnMut(&[ValueRef<'a>]) -> ControlFlow<()>,
    ) {
        let def = table.def();
        if !self.distinct {
            let _ = query.each(table, |(_, stored)| visit(&self.pick(def, stored.row)));
            return;
        }
        let (mut skip, mut left) = (query.offset, query.limit.unwrap_or(usize::MAX));
        if left == 0 {
            return;
        }
        let all = Query { offset: 0, limit: None, ..query.clone() };
        let (mut seen, mut key): (HashSet<Box<[u8]>>, _) = (HashSet::new(), Vec::new());
        let _ = all.each(table, |(_, stored)| {
            let picked = self.pick(def, stored.row);
            key.clear();
            picked.iter().for_each(|value| put_value(&mut key, *value));
            if seen.contains(key.as_slice()) {
                return ControlFlow::Continue(());
            }
            seen.insert(key.as_slice().into());
            if skip > 0 {
                skip -= 1;
                return ControlFlow::Continue(());
            }
            visit(&picked)?;
            left -= 1;
            if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    }

    /// The values of a row, which is read once and no further than the last column.
    fn pick<'a>(&self, def: &'a TableDef, row: RowRef<'a>) -> Picked<'a> {
        let Some(cells) = cells(row, &self.sorted) else {
            // The row is older than one of the columns.
            return self.columns.iter().map(|&column| value_in(def, row, column)).collect();
        };
        let value = |&place: &usize| {
            let cell = cells.get(place).copied().unwrap_or_default();
            Reader::new(cell).value().unwrap_or(ValueRef::Null)
        };
        self.places.iter().map(value).collect()
    }
}

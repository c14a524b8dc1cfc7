//! Queries that begin behind a row.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use crate::batch::TableDef;
use crate::ids::RowId;
use crate::query::exec::Query;
use crate::query::expr::{Compare, Expr};
use crate::row::RowRef;
use crate::tables::{Stored, TableState, comparable, value_in};
use crate::value::Value;

/// A place in the order of a query: the values of a row in the order's columns, and the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct After {
    pub(crate) values: Vec<Value>,
    pub(crate) id: RowId,
}

/// Rows that are fetched together.
const TOGETHER: u64 = 128;

impl Query {
    /// The same query, but for the rows up to this place and at it, whether it is the place of a row that is still there
    /// or not.
    pub(crate) fn begin_behind(mut self, def: &TableDef, mut after: After) -> Self {
        for ((column, _), value) in self.order.iter().zip(&mut after.values) {
            *value = comparable(def, *column, value.as_ref()).to_value();
        }
        // An index that has the order begins there, too.
        if let (Some((column, reversed)), Some(value)) = (self.order.first(), after.values.first()) {
            let op = if *reversed { Compare::Le } else { Compare::Ge };
            let bound = Expr::Compare(*column, op, value.clone());
            self.filter = Some(match self.filter {
                Some(filter) => filter.and(bound),
                None => bound,
            });
        }
        self.after = Some(after);
        self
    }

    /// Whether a row is behind the place where the query begins.
    #[inline]
    pub(super) fn is_behind(&self, def: &TableDef, id: RowId, row: RowRef<'_>) -> bool {
        let Some(After { values, id: last }) = &self.after else { return true };
        for ((column, reversed), last) in self.order.iter().zip(values) {
            let order = comparable(def, *column, value_in(def, row, *column)).cmp(&last.as_ref());
            match if *reversed { order.reverse() } else { order } {
                Ordering::Less => return false,
                Ordering::Greater => return true,
                Ordering::Equal => {}
            }
        }
        id > *last
    }

    /// Visits the rows behind the beginning that are wanted in the order of their ids until `visit` breaks.
    #[inline]
    pub(super) fn walk_behind<'a>(
        &self,
        table: &'a TableState,
        wanted: impl Fn(RowRef<'a>) -> bool,
        mut visit: impl FnMut(RowId, Stored<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        // Of an order only its columns say where it begins.
        let Some(After { id, .. }) = self.after.as_ref().filter(|_| self.order.is_empty()) else {
            return table.walk(wanted, visit);
        };
        let (mut next, end) = (id.get().saturating_add(1), table.next_row().get());
        while next < end {
            let upto = end.min(next.saturating_add(TOGETHER));
            let ids: Vec<RowId> = (next..upto).map(RowId::new).collect();
            table.visit(&ids, |id, stored| {
                if wanted(stored.row) { visit(id, stored) } else { ControlFlow::Continue(()) }
            })?;
            next = upto;
        }
        ControlFlow::Continue(())
    }
}

//! How a query finds its rows, for people: what is said is what a run of the query does.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::batch::{IndexDef, TableDef};
use crate::query::aggregate::Ask;
use crate::query::exec::Query;
use crate::query::plan::{Access, plan};
use crate::tables::{TableState, Unloaded};

/// How a query finds its rows, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explain {
    /// The table.
    pub table: String,
    /// The index that is used, as its columns joined by `, `; `None` for a scan of all rows.
    pub index: Option<String>,
    /// How: `key`, `keys`, `range` or `scan`; `order` for all rows in the order of an index; `end` for the least or the
    /// greatest value, at the end of an index; `count` where the number of all rows is the answer. Of a [lazy
    /// table](crate::Database::table_lazy) that is not in memory `lookup`, or `load`.
    pub access: &'static str,
    /// The rows that are looked at; for a `lookup` the keys.
    pub rows: usize,
    /// The rows of the table.
    pub of: usize,
    /// Whether the rows that match have to be sorted, because no index has them in the order that is asked for.
    pub sorts: bool,
}

impl Explain {
    fn new(table: &TableDef, index: Option<usize>, access: &'static str, rows: usize, of: usize) -> Self {
        let index = index.and_then(|position| table.indexes.get(position)).map(|index| names(table, index));
        Self { table: table.name.clone(), index, access, rows, of, sorts: false }
    }
}

fn names(table: &TableDef, index: &IndexDef) -> String {
    table.names(&index.columns).join(", ")
}

/// The index that a way goes through, and what the way is called.
fn way(access: &Access) -> (Option<usize>, &'static str) {
    match access {
        Access::Keys { index, keys, .. } if keys.len() == 1 => (Some(*index), "key"),
        Access::Keys { index, .. } => (Some(*index), "keys"),
        Access::Range { index, .. } => (Some(*index), "range"),
        Access::Scan => (None, "scan"),
    }
}

impl Query {
    /// How the rows would be found. It looks at the rows as the query does, and makes nothing of them.
    pub(crate) fn explain(&self, table: &TableState) -> Explain {
        let (def, plan) = (table.def(), self.plan(table.def()));
        let ordered = if self.order.is_empty() { None } else { self.in_order(def, &plan.access) };
        let (index, access) = match &ordered {
            Some(ordered) if plan.access == Access::Scan => (Some(ordered.index), "order"),
            _ => way(&plan.access),
        };
        let (rows, sorts) = (self.looked_at(table), !self.order.is_empty() && ordered.is_none());
        Explain { sorts, ..Explain::new(def, index, access, rows, table.len()) }
    }

    /// How the number of rows that match would be found.
    pub(crate) fn explain_count(&self, table: &TableState) -> Explain {
        let def = table.def();
        if self.filter.is_none() {
            return Explain::new(def, None, "count", 0, table.len());
        }
        let (index, access) = way(&plan(def, self.filter.as_ref()).access);
        let rows = if self.is_counted_by_index(def) { 0 } else { self.without_order().looked_at(table) };
        Explain::new(def, index, access, rows, table.len())
    }

    /// How questions about all rows would be answered.
    pub(crate) fn explain_asks(&self, table: &TableState, asks: &[Ask]) -> Explain {
        let def = table.def();
        let by_index = |ask: &Ask| match *ask {
            Ask::Rows if self.is_counted_by_index(def) => Some(self.explain_count(table)),
            Ask::Least(column) | Ask::Greatest(column) => {
                let end = self.to_extreme(def, column, matches!(ask, Ask::Greatest(_)))?;
                let (index, _) = way(&end.plan(def).access);
                Some(Explain::new(def, index, "end", end.looked_at(table), table.len()))
            }
            _ => None,
        };
        let found: Option<Vec<Explain>> = asks.iter().map(by_index).collect();
        match found.as_deref() {
            Some([first, rest @ ..]) => {
                let rows = rest.iter().fold(first.rows, |rows, one| rows + one.rows);
                Explain { rows, ..first.clone() }
            }
            _ => self.explain(table),
        }
    }

    /// How the rows of a table would be found that is not loaded: keys are looked up in an index, or the table is loaded.
    pub(crate) fn explain_unloaded(&self, table: &Unloaded) -> Explain {
        let (def, of) = (table.def(), table.len());
        match self.wanted(def) {
            Some(wanted) => {
                let index = wanted.keys.first().map(|(index, _)| *index);
                Explain::new(def, index, "lookup", wanted.keys.len(), of)
            }
            None => Explain::new(def, None, "load", of, of),
        }
    }

    fn without_order(&self) -> Self {
        Self { order: Vec::new(), ..self.clone() }
    }

    /// How many rows the query looks at.
    fn looked_at(&self, table: &TableState) -> usize {
        let counter = Arc::new(AtomicUsize::new(0));
        let counted = Self { counter: Some(Arc::clone(&counter)), ..self.clone() };
        let _ = counted.each(table, |_| ControlFlow::Continue(()));
        counter.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, index, access, rows, of, sorts } = self;
        match (index, *access) {
            (Some(index), "order") => write!(f, "order of {table} ({index})")?,
            (Some(index), _) => write!(f, "{access} on {table} ({index})")?,
            (None, _) => write!(f, "{access} of {table}")?,
        }
        write!(f, ": looks at {rows} of {of} rows")?;
        if *sorts { f.write_str(", and sorts them") } else { Ok(()) }
    }
}

//! Which way to the rows: an index where the filter fixes or bounds its columns, all rows otherwise.

use std::fmt;
use std::ops::Bound;

use crate::batch::{IndexDef, TableDef};
use crate::query::expr::{Compare, Expr};
use crate::schema::IndexKind;
use crate::tables::SortKey;
use crate::value::Value;

/// How the candidates of a query are found. Every candidate is still checked against the whole filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// The rows with one of these keys in an index.
    Keys { index: usize, keys: Vec<SortKey> },
    /// The rows between two keys of an index.
    Range { index: usize, low: Bound<SortKey>, high: Bound<SortKey> },
    /// All rows.
    Scan,
}

/// Chooses a plan. Columns in `filter` are column ids, and operands are as they compare.
pub(crate) fn plan(table: &TableDef, filter: Option<&Expr>) -> Plan {
    let mut terms = Vec::new();
    if let Some(filter) = filter {
        conjuncts(filter, &mut terms);
    }
    let candidates = table.indexes.iter().enumerate().filter_map(|(position, index)| {
        let plan = through(position, index, &terms)?;
        Some((cost(&plan, index.kind), plan))
    });
    candidates.min_by_key(|(cost, _)| *cost).map_or(Plan::Scan, |(_, plan)| plan)
}

/// The conditions that must all hold.
fn conjuncts<'a>(expr: &'a Expr, terms: &mut Vec<&'a Expr>) {
    match expr {
        Expr::And(parts) => parts.iter().for_each(|part| conjuncts(part, terms)),
        other => terms.push(other),
    }
}

/// The lower, the fewer rows it is likely to touch.
fn cost(plan: &Plan, kind: IndexKind) -> usize {
    let unique = kind != IndexKind::Index;
    match plan {
        Plan::Keys { keys, .. } if unique => keys.len(),
        Plan::Keys { keys, .. } => 1_000 + keys.len(),
        Plan::Range { low: Bound::Unbounded, .. } | Plan::Range { high: Bound::Unbounded, .. } => 2_000_000,
        Plan::Range { .. } => 1_000_000,
        Plan::Scan => usize::MAX,
    }
}

/// The way through one index, if the terms say enough about its columns.
fn through(position: usize, index: &IndexDef, terms: &[&Expr]) -> Option<Plan> {
    let equal = |column: usize| {
        terms.iter().find_map(|term| match term {
            Expr::Compare(of, Compare::Eq, value) if *of == column => Some(value),
            _ => None,
        })
    };
    if let Some(values) = index.columns.iter().map(|&column| equal(column)).collect::<Option<Vec<&Value>>>() {
        let mut key = SortKey::default();
        values.iter().for_each(|value| key.push(value.as_ref()));
        return Some(Plan::Keys { index: position, keys: vec![key] });
    }
    let [column] = index.columns.as_slice() else { return None };
    let within = terms.iter().find_map(|term| match term {
        Expr::In(of, values) if of == column => Some(values),
        _ => None,
    });
    if let Some(values) = within {
        let keys = values.iter().map(|value| SortKey::of(value.as_ref())).collect();
        return Some(Plan::Keys { index: position, keys });
    }
    range(position, *column, terms)
}

fn range(index: usize, column: usize, terms: &[&Expr]) -> Option<Plan> {
    let (mut low, mut high) = (Bound::Unbounded, Bound::Unbounded);
    for term in terms {
        match term {
            Expr::Compare(of, op, value) if *of == column => {
                let key = SortKey::of(value.as_ref());
                match op {
                    Compare::Gt => low = tighter_low(low, Bound::Excluded(key)),
                    Compare::Ge => low = tighter_low(low, Bound::Included(key)),
                    Compare::Lt => high = tighter_high(high, Bound::Excluded(key)),
                    Compare::Le => high = tighter_high(high, Bound::Included(key)),
                    Compare::Eq | Compare::Ne => {}
                }
            }
            Expr::StartsWith(of, prefix) if *of == column => {
                let start = SortKey::text_prefix(prefix);
                high = tighter_high(high, Bound::Excluded(start.clone().after_prefix()));
                low = tighter_low(low, Bound::Included(start));
            }
            _ => {}
        }
    }
    match (&low, &high) {
        (Bound::Unbounded, Bound::Unbounded) => None,
        _ if is_empty(&low, &high) => Some(Plan::Keys { index, keys: Vec::new() }),
        _ => Some(Plan::Range { index, low, high }),
    }
}

fn tighter_low(a: Bound<SortKey>, b: Bound<SortKey>) -> Bound<SortKey> {
    match (key(&a), key(&b)) {
        (Some(x), Some(y)) if x > y || (x == y && matches!(a, Bound::Excluded(_))) => a,
        (_, None) => a,
        _ => b,
    }
}

fn tighter_high(a: Bound<SortKey>, b: Bound<SortKey>) -> Bound<SortKey> {
    match (key(&a), key(&b)) {
        (Some(x), Some(y)) if x < y || (x == y && matches!(a, Bound::Excluded(_))) => a,
        (_, None) => a,
        _ => b,
    }
}

/// Whether nothing lies between the bounds; a map refuses to be asked for such a range.
fn is_empty(low: &Bound<SortKey>, high: &Bound<SortKey>) -> bool {
    match (key(low), key(high)) {
        (Some(x), Some(y)) if x == y => !matches!((low, high), (Bound::Included(_), Bound::Included(_))),
        (Some(x), Some(y)) => x > y,
        _ => false,
    }
}

fn key(bound: &Bound<SortKey>) -> Option<&SortKey> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    }
}

/// How a query finds its rows, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explain {
    /// The table.
    pub table: String,
    /// The index that is used, as its columns joined by `, `; `None` for a scan of all rows.
    pub index: Option<String>,
    /// How: `key`, `keys`, `range` or `scan`; of a [lazy table](crate::Database::table_lazy) that is not in memory
    /// `lookup`, or `load`.
    pub access: &'static str,
    /// The rows that are looked at; for a `lookup` the keys.
    pub rows: usize,
    /// The rows of the table.
    pub of: usize,
}

impl Explain {
    /// Of a table that is not loaded: the keys are looked up in an index, or the table is loaded.
    pub(crate) fn unloaded(table: &TableDef, wanted: Option<(usize, usize)>, of: usize) -> Self {
        let (access, rows) = wanted.map_or(("load", of), |(_, keys)| ("lookup", keys));
        let index = wanted.and_then(|(index, _)| table.indexes.get(index));
        Self { table: table.name.clone(), index: index.map(|index| names(table, index)), access, rows, of }
    }

    pub(crate) fn new(table: &TableDef, plan: &Plan, rows: usize, of: usize) -> Self {
        let (index, access) = match plan {
            Plan::Keys { index, keys } if keys.len() == 1 => (Some(*index), "key"),
            Plan::Keys { index, .. } => (Some(*index), "keys"),
            Plan::Range { index, .. } => (Some(*index), "range"),
            Plan::Scan => (None, "scan"),
        };
        let index = index.and_then(|position| table.indexes.get(position)).map(|index| names(table, index));
        Self { table: table.name.clone(), index, access, rows, of }
    }
}

fn names(table: &TableDef, index: &IndexDef) -> String {
    let columns = index.columns.iter().filter_map(|&one| table.columns.get(one));
    columns.map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, index, access, rows, of } = self;
        match index {
            Some(index) => write!(f, "{access} on {table} ({index}): looks at {rows} of {of} rows"),
            None => write!(f, "{access} of {table}: looks at {rows} of {of} rows"),
        }
    }
}

//! Running a query on a snapshot: candidates by the plan, the filter, the order, the page.

use crate::ids::RowId;
use crate::query::expr::{Columns, Expr};
use crate::query::plan::{Explain, Plan, plan};
use crate::tables::{SortKey, Stored, TableState, comparable, value_in};
use crate::value::ValueRef;

/// A query over one table. Columns are column ids, operands are as they compare.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) filter: Option<Expr>,
    /// Column ids, and whether the order is reversed.
    pub(crate) order: Vec<(usize, bool)>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
}

type Found<'a> = (RowId, &'a Stored);

struct RowColumns<'a> {
    table: &'a TableState,
    stored: &'a Stored,
}

impl Columns for RowColumns<'_> {
    fn value(&self, column: usize) -> ValueRef<'_> {
        let def = self.table.def();
        comparable(def, column, value_in(def, &self.stored.row, column))
    }
}

impl Query {
    /// The rows, in their order: of the `order`, then of their first save.
    pub(crate) fn run<'a>(&self, table: &'a TableState) -> Vec<Found<'a>> {
        if self.order.is_empty() {
            let found = self.matches(table).skip(self.offset);
            return match self.limit {
                Some(limit) => found.take(limit).collect(),
                None => found.collect(),
            };
        }
        let mut found: Vec<_> =
            self.matches(table).map(|found| (self.sort_keys(table, found), found)).collect();
        let compare = |a: &(Vec<SortKey>, Found<'_>), b: &(Vec<SortKey>, Found<'_>)| {
            let keys = self.order.iter().zip(a.0.iter().zip(&b.0));
            let by_key = keys.map(|((_, reversed), (x, y))| if *reversed { y.cmp(x) } else { x.cmp(y) });
            by_key.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then).then(a.1.0.cmp(&b.1.0))
        };
        // With a limit only the first rows need to be in order.
        let wanted = self.limit.map_or(found.len(), |limit| limit.saturating_add(self.offset));
        if wanted < found.len() {
            found.select_nth_unstable_by(wanted, compare);
            found.truncate(wanted);
        }
        found.sort_unstable_by(compare);
        found.into_iter().map(|(_, found)| found).skip(self.offset).collect()
    }

    /// How many rows match, the page counted in.
    pub(crate) fn count(&self, table: &TableState) -> usize {
        let all = match &self.filter {
            None => table.len(),
            Some(_) => self.matches(table).count(),
        };
        let left = all.saturating_sub(self.offset);
        self.limit.map_or(left, |limit| left.min(limit))
    }

    /// How the rows would be found.
    pub(crate) fn explain(&self, table: &TableState) -> Explain {
        let plan = plan(table.def(), self.filter.as_ref());
        let rows = candidates(table, &plan).count();
        Explain::new(table.def(), &plan, rows, table.len())
    }

    fn matches<'a>(&self, table: &'a TableState) -> impl Iterator<Item = Found<'a>> {
        let plan = plan(table.def(), self.filter.as_ref());
        let holds = |(_, stored): &Found<'a>| match &self.filter {
            Some(filter) => filter.holds(&RowColumns { table, stored }),
            None => true,
        };
        candidates(table, &plan).filter(holds)
    }

    fn sort_keys(&self, table: &TableState, (_, stored): Found<'_>) -> Vec<SortKey> {
        let row = RowColumns { table, stored };
        self.order.iter().map(|(column, _)| SortKey::of(row.value(*column))).collect()
    }
}

/// The rows that the plan looks at, in the order of their ids.
fn candidates<'a>(table: &'a TableState, plan: &Plan) -> Box<dyn Iterator<Item = Found<'a>> + 'a> {
    let mut ids: Vec<RowId> = match plan {
        Plan::Scan => return Box::new(table.rows()),
        Plan::Keys { index, keys } => {
            let index = table.index(*index);
            keys.iter().flat_map(|key| index.into_iter().flat_map(move |index| index.equal(key))).collect()
        }
        Plan::Range { index, low, high } => {
            let index = table.index(*index);
            index.into_iter().flat_map(|index| index.range(low.clone(), high.clone())).collect()
        }
    };
    ids.sort_unstable();
    Box::new(ids.into_iter().filter_map(|id| table.row(id).map(|stored| (id, stored))))
}

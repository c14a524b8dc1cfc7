//! Running a query on a snapshot: candidates by the plan, the filter, the order, the page.

use std::cmp::Ordering;
use std::ops::{Bound, ControlFlow};

use crate::batch::TableDef;
use crate::ids::RowId;
use crate::lookup::Wanted;
use crate::query::expr::{Columns as _, Expr};
use crate::query::matcher::{Matcher, RowColumns};
use crate::query::plan::{Explain, Plan, plan};
use crate::schema::IndexKind;
use crate::tables::{IndexState, SortKey, Stored, TableState, Unloaded};

/// A query over one table. Columns are column ids, operands are as they compare.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) filter: Option<Expr>,
    /// Column ids, and whether the order is reversed.
    pub(crate) order: Vec<(usize, bool)>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
}

/// More keys than this are not looked up one by one.
const FEW_KEYS: usize = 16;

type Found<'a> = (RowId, Stored<'a>);

/// The rows of a page: what comes before it is left out, and when it is full nothing more is looked for.
struct Page<'a> {
    skip: usize,
    left: usize,
    found: Vec<Found<'a>>,
}

impl<'a> Page<'a> {
    fn push(&mut self, found: Found<'a>) -> ControlFlow<()> {
        if self.skip > 0 {
            self.skip -= 1;
            return ControlFlow::Continue(());
        }
        if self.left > 0 {
            self.found.push(found);
            self.left -= 1;
        }
        if self.left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// Ids that an index gives one after the other, gathered so that their rows can be fetched together: few at first, for
/// a page may want no more.
struct Group {
    ids: Vec<RowId>,
    size: usize,
}

impl Default for Group {
    fn default() -> Self {
        Self { ids: Vec::new(), size: 8 }
    }
}

impl Group {
    /// Adds an id; all of them when they are enough.
    fn add(&mut self, id: RowId) -> Option<Vec<RowId>> {
        self.ids.push(id);
        if self.ids.len() < self.size {
            return None;
        }
        self.size = (self.size * 2).min(256);
        Some(std::mem::take(&mut self.ids))
    }
}

/// The way through an index that has the rows in the order that is asked for.
struct Ordered<'a> {
    index: &'a IndexState,
    low: Bound<SortKey>,
    high: Bound<SortKey>,
    column: usize,
    reverse: bool,
    /// Whether several rows may have the same key.
    ties: bool,
}

impl Query {
    /// The rows, in their order: of the `order`, then of their first save.
    pub(crate) fn run<'a>(&self, table: &'a TableState) -> Vec<Found<'a>> {
        let mut page = Page { skip: self.offset, left: self.limit.unwrap_or(usize::MAX), found: Vec::new() };
        if page.left == 0 {
            return page.found;
        }
        let plan = plan(table.def(), self.filter.as_ref());
        if self.order.is_empty() {
            let _ = self.matches(table, &plan, |found| page.push(found));
            return page.found;
        }
        match self.in_order(table, &plan) {
            Some(ordered) => {
                let _ = self.walk(table, &ordered, &mut page);
                page.found
            }
            None => self.sort(table, &plan),
        }
    }

    /// How many rows match, the page counted in.
    pub(crate) fn count(&self, table: &TableState) -> usize {
        let all = match &self.filter {
            None => table.len(),
            Some(_) => {
                let mut count = 0;
                let _ = self.matches(table, &plan(table.def(), self.filter.as_ref()), |_| {
                    count += 1;
                    ControlFlow::Continue(())
                });
                count
            }
        };
        self.page_of(all)
    }

    /// How many of so many rows are on the page.
    pub(crate) fn page_of(&self, all: usize) -> usize {
        let left = all.saturating_sub(self.offset);
        self.limit.map_or(left, |limit| left.min(limit))
    }

    /// The keys of an index that have all rows which can match, if the filter says them and they are few.
    pub(crate) fn wanted(&self, table: &TableDef) -> Option<Wanted> {
        match plan(table, self.filter.as_ref()) {
            Plan::Keys { index, keys } if keys.len() <= FEW_KEYS => Some(Wanted { index, keys }),
            _ => None,
        }
    }

    /// How the rows would be found.
    pub(crate) fn explain(&self, table: &TableState) -> Explain {
        let plan = plan(table.def(), self.filter.as_ref());
        let rows = match &plan {
            Plan::Scan => table.len(),
            plan => candidates(table, plan).len(),
        };
        Explain::new(table.def(), &plan, rows, table.len())
    }

    /// How the rows of a table would be found that is not loaded.
    pub(crate) fn explain_unloaded(&self, table: &Unloaded) -> Explain {
        let wanted = self.wanted(table.def()).map(|wanted| (wanted.index, wanted.keys.len()));
        Explain::unloaded(table.def(), wanted, table.len())
    }

    /// Visits the rows that match in the order of their ids until `visit` breaks.
    fn matches<'a>(
        &self,
        table: &'a TableState,
        plan: &Plan,
        mut visit: impl FnMut(Found<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let matcher = Matcher::new(table.def(), self.filter.as_ref());
        let visit = |id, stored: Stored<'a>| {
            if matcher.holds(stored.row) { visit((id, stored)) } else { ControlFlow::Continue(()) }
        };
        if *plan == Plan::Scan {
            return table.walk(visit);
        }
        let mut ids = candidates(table, plan);
        ids.sort_unstable();
        table.visit(&ids, visit)
    }

    /// The index that has the rows in their order already, if the plan goes through it or needs no other.
    fn in_order<'a>(&self, table: &'a TableState, plan: &Plan) -> Option<Ordered<'a>> {
        let [(column, reverse)] = self.order.as_slice() else { return None };
        let orders =
            |position: usize| table.def().indexes.get(position).filter(|def| def.columns == [*column]);
        let (position, low, high) = match plan {
            Plan::Range { index, low, high } => (*index, low.clone(), high.clone()),
            // With a filter that no index helps with, looking at the rows one after the other and sorting the few that
            // match beats looking at all of them here and there.
            Plan::Scan if self.filter.is_none() => {
                let position = (0..table.def().indexes.len()).find(|position| orders(*position).is_some())?;
                (position, Bound::Unbounded, Bound::Unbounded)
            }
            _ => return None,
        };
        let ties = orders(position)?.kind != IndexKind::Key;
        let index = table.index(position)?;
        Some(Ordered { index, low, high, column: *column, reverse: *reverse, ties })
    }

    /// Fills the page with the rows that match, in the order of an index. Rows with the same key are in the order of
    /// their first save, whichever way the keys go.
    fn walk<'a>(&self, table: &'a TableState, ordered: &Ordered<'_>, page: &mut Page<'a>) -> ControlFlow<()> {
        let Ordered { index, low, high, column, reverse, ties } = ordered;
        let matcher = Matcher::new(table.def(), self.filter.as_ref());
        let mut ids = Group::default();
        let (mut equal, mut key): (Vec<Found<'a>>, _) = (Vec::new(), None);
        let mut visit = |id, stored: Stored<'a>| {
            if !matcher.holds(stored.row) {
                return ControlFlow::Continue(());
            }
            if !(*reverse && *ties) {
                return page.push((id, stored));
            }
            let next = SortKey::of(RowColumns { table: table.def(), row: stored.row }.value(*column));
            if key.as_ref() != Some(&next) {
                equal.drain(..).rev().try_for_each(|found| page.push(found))?;
                key = Some(next);
            }
            equal.push((id, stored));
            ControlFlow::Continue(())
        };
        index.walk(low, high, *reverse, |id| match ids.add(id) {
            Some(ids) => table.visit(&ids, &mut visit),
            None => ControlFlow::Continue(()),
        })?;
        table.visit(&ids.ids, &mut visit)?;
        equal.drain(..).rev().try_for_each(|found| page.push(found))
    }

    /// The rows that match, sorted.
    fn sort<'a>(&self, table: &'a TableState, plan: &Plan) -> Vec<Found<'a>> {
        let mut found: Vec<(Vec<SortKey>, Found<'a>)> = Vec::new();
        let _ = self.matches(table, plan, |one| {
            found.push((self.sort_keys(table, one), one));
            ControlFlow::Continue(())
        });
        let compare = |a: &(Vec<SortKey>, Found<'_>), b: &(Vec<SortKey>, Found<'_>)| {
            let keys = self.order.iter().zip(a.0.iter().zip(&b.0));
            let by_key = keys.map(|((_, reversed), (x, y))| if *reversed { y.cmp(x) } else { x.cmp(y) });
            by_key.fold(Ordering::Equal, Ordering::then).then(a.1.0.cmp(&b.1.0))
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

    fn sort_keys(&self, table: &TableState, (_, stored): Found<'_>) -> Vec<SortKey> {
        let row = RowColumns { table: table.def(), row: stored.row };
        self.order.iter().map(|(column, _)| SortKey::of(row.value(*column))).collect()
    }
}

/// The rows that a plan through an index looks at.
fn candidates(table: &TableState, plan: &Plan) -> Vec<RowId> {
    match plan {
        Plan::Scan => Vec::new(),
        Plan::Keys { index, keys } => {
            let index = table.index(*index);
            keys.iter().flat_map(|key| index.into_iter().flat_map(|index| index.equal(key))).collect()
        }
        Plan::Range { index, low, high } => {
            table.index(*index).map(|index| index.range(low, high)).unwrap_or_default()
        }
    }
}

//! Running a query on a snapshot: candidates by the plan, what is left of the filter, the order, the page.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use smallvec::SmallVec;

use crate::batch::{IndexDef, TableDef};
use crate::ids::RowId;
use crate::lookup::Wanted;
use crate::query::expr::{Columns as _, Compare, Expr};
use crate::query::matcher::{Matcher, RowColumns};
use crate::query::paging::After;
use crate::query::plan::{Access, Plan, conjuncts, plan, plan_by_keys, plan_for};
use crate::row::RowRef;
use crate::schema::IndexKind;
use crate::tables::{SortKey, Stored, TableState};

/// A query over one table. Columns are column ids, operands are as they compare.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub(crate) filter: Option<Expr>,
    /// Column ids, and whether the order is reversed.
    pub(crate) order: Vec<(usize, bool)>,
    pub(crate) limit: Option<usize>,
    pub(crate) offset: usize,
    /// The rows begin behind this place in their order.
    pub(crate) after: Option<After>,
    /// Of rows that are equal in the order any may come first.
    pub(crate) any_of_equal: bool,
    /// Counts the rows that are looked at.
    pub(crate) counter: Option<Arc<AtomicUsize>>,
}

/// More keys than this are not looked up one by one.
const FEW_KEYS: usize = 16;

pub(crate) type Found<'a> = (RowId, Stored<'a>);

/// The rows of a page: what comes before it is left out, and when it is full nothing more is looked for.
struct Page<V> {
    skip: usize,
    left: usize,
    visit: V,
}

impl<'a, V: FnMut(Found<'a>) -> ControlFlow<()>> Page<V> {
    #[inline]
    fn push(&mut self, found: Found<'a>) -> ControlFlow<()> {
        if self.skip > 0 {
            self.skip -= 1;
            return ControlFlow::Continue(());
        }
        if self.left > 0 {
            (self.visit)(found)?;
            self.left -= 1;
        }
        if self.left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// Ids that an index gives one after the other, gathered so that their rows can be fetched together.
struct Group {
    ids: SmallVec<[RowId; Group::SIZE]>,
    size: usize,
}

impl Group {
    /// As many as one group may have; fewer if not so many are wanted.
    const SIZE: usize = 128;

    fn new(wanted: usize) -> Self {
        let size = wanted.clamp(1, Self::SIZE);
        Self { ids: SmallVec::new(), size }
    }
}

/// The way through an index that has the rows in the order that is asked for.
pub(super) struct Ordered {
    /// The index's position.
    pub(super) index: usize,
    low: Bound<SortKey>,
    high: Bound<SortKey>,
    /// The columns that the rows are in the order of.
    columns: Vec<usize>,
    reverse: bool,
    /// Whether rows that are equal in these columns come in another order than that of their first save.
    ties: bool,
}

impl Query {
    /// The rows in their order.
    pub(crate) fn run<'a>(&self, table: &'a TableState) -> Vec<Found<'a>> {
        let mut found = Vec::new();
        let _ = self.each(table, |one| {
            found.push(one);
            ControlFlow::Continue(())
        });
        found
    }

    /// Visits the rows in their order, that of the `order` and then of their first save, until `visit` breaks.
    pub(crate) fn each<'a>(
        &self,
        table: &'a TableState,
        visit: impl FnMut(Found<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut page = Page { skip: self.offset, left: self.limit.unwrap_or(usize::MAX), visit };
        if page.left == 0 {
            return ControlFlow::Continue(());
        }
        let plan = self.plan(table.def());
        if self.order.is_empty() {
            return self.matches(table, &plan, |found| page.push(found));
        }
        match self.in_order(table.def(), &plan.access) {
            Some(ordered) => self.walk(table, &plan, &ordered, |found| page.push(found)),
            None => self.sorted(table, &plan).into_iter().try_for_each(|found| page.push(found)),
        }
    }

    /// [`Query::each`] for whoever is compiled once for each struct, in groups: what goes through the rows is one piece of
    /// code that way, in which nothing is called for the rows that don't match, and who makes something of them knows
    /// beforehand of how many.
    pub(crate) fn in_groups<'a>(
        &self,
        table: &'a TableState,
        visit: &mut dyn FnMut(&[Found<'a>]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut group: SmallVec<[Found<'a>; Group::SIZE]> = SmallVec::new();
        let ended = self.each(table, |found| {
            group.push(found);
            if group.len() < Group::SIZE {
                return ControlFlow::Continue(());
            }
            let more = visit(&group);
            group.clear();
            more
        });
        // It ends at a full page, too.
        if group.is_empty() { ended } else { visit(&group) }
    }

    /// Counts a row that is looked at, if anybody wants to know.
    #[inline]
    fn look(&self) {
        if let Some(counter) = &self.counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The rows' ids, in their order.
    #[cfg(test)]
    pub(crate) fn ids(&self, table: &TableState) -> Vec<RowId> {
        self.run(table).into_iter().map(|(id, _)| id).collect()
    }

    /// How many rows match, the page counted in.
    pub(crate) fn count(&self, table: &TableState) -> usize {
        let all = match &self.filter {
            None if self.after.is_none() => table.len(),
            _ => {
                let plan = plan(table.def(), self.filter.as_ref());
                // What is behind the page's end changes nothing.
                let enough = self.limit.map_or(usize::MAX, |limit| limit.saturating_add(self.offset));
                let mut count = 0;
                let mut one = || {
                    count += 1;
                    if count < enough { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                };
                let _ = if is_whole(&plan) && self.after.is_none() {
                    each_candidate(table, &plan.access, |_| one())
                } else {
                    self.matches(table, &plan, |_| one())
                };
                count
            }
        };
        self.page_of(all)
    }

    /// Whether an index alone knows how many rows match.
    pub(crate) fn is_counted_by_index(&self, table: &TableDef) -> bool {
        self.after.is_none() && (self.filter.is_none() || is_whole(&plan(table, self.filter.as_ref())))
    }

    /// Whether an index leads right to the rows that match, in their order.
    pub(crate) fn is_led_to(&self, table: &TableDef) -> bool {
        let plan = self.plan(table);
        is_whole(&plan) && self.in_order(table, &plan.access).is_some()
    }

    /// The way to the rows: one that has them in their order, if there is one that is as good.
    pub(super) fn plan(&self, table: &TableDef) -> Plan<'_> {
        if self.order.is_empty() {
            return plan(table, self.filter.as_ref());
        }
        plan_for(table, self.filter.as_ref(), |access| self.in_order(table, access).is_some())
    }

    /// How many of so many rows are on the page.
    pub(crate) fn page_of(&self, all: usize) -> usize {
        let left = all.saturating_sub(self.offset);
        self.limit.map_or(left, |limit| left.min(limit))
    }

    /// The keys of an index that have all rows which can match, if the filter says them and they are few.
    pub(crate) fn wanted(&self, table: &TableDef) -> Option<Wanted> {
        let Access::Keys { index, columns, keys } = plan_by_keys(table, self.filter.as_ref()).access else {
            return None;
        };
        // A lookup finds whole keys only.
        let whole = table.indexes.get(index).is_some_and(|index| index.columns.len() == columns);
        (whole && keys.len() <= FEW_KEYS)
            .then(|| Wanted { keys: keys.into_iter().map(|key| (index, key)).collect(), rows: Vec::new() })
    }

    /// Visits the rows that match in the order of their ids until `visit` breaks.
    fn matches<'a>(
        &self,
        table: &'a TableState,
        plan: &Plan<'_>,
        mut visit: impl FnMut(Found<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let matcher = Matcher::new(table.def(), &plan.rest);
        let mut visit = |id, stored: Stored<'a>| {
            if matcher.holds(stored.row) && self.is_behind(table.def(), id, stored.row) {
                visit((id, stored))
            } else {
                ControlFlow::Continue(())
            }
        };
        if plan.access == Access::Scan {
            let wanted = |row| {
                self.look();
                matcher.may_hold(row)
            };
            return self.walk_behind(table, wanted, visit);
        }
        let mut ids = candidates(table, &plan.access);
        ids.sort_unstable();
        table.visit(&ids, |id, stored| {
            self.look();
            visit(id, stored)
        })
    }

    /// The index that has the rows in their order already, if the plan goes through it or needs no other.
    pub(super) fn in_order(&self, table: &TableDef, access: &Access) -> Option<Ordered> {
        let mut fixed = Vec::new();
        self.filter.iter().for_each(|filter| conjuncts(filter, &mut fixed));
        let is_fixed = |column: usize| {
            fixed.iter().any(|term| matches!(term, Expr::Compare(of, Compare::Eq, _) if *of == column))
        };
        // Where all rows are equal there is nothing to be in order.
        let asked: Vec<_> = self.order.iter().copied().filter(|(column, _)| !is_fixed(*column)).collect();
        let reverse = asked.first()?.1;
        if asked.iter().any(|(_, reversed)| *reversed != reverse) {
            return None;
        }
        let columns: Vec<usize> = asked.into_iter().map(|(column, _)| column).collect();
        let orders = |index: &IndexDef, fixed: usize| {
            index.columns.get(fixed..).is_some_and(|behind| behind.starts_with(&columns))
        };
        let defs = &table.indexes;
        let (index, fixed, low, high) = match access {
            Access::Range { index, fixed, low, high } => (*index, *fixed, low.clone(), high.clone()),
            // With a filter that no index helps with, looking at the rows one after the other and sorting the few that
            // match beats looking at all of them here and there.
            Access::Scan if self.filter.is_none() => {
                (defs.iter().position(|index| orders(index, 0))?, 0, Bound::Unbounded, Bound::Unbounded)
            }
            _ => return None,
        };
        let def = defs.get(index).filter(|index| orders(index, fixed))?;
        let partly = fixed + columns.len() < def.columns.len();
        // Among equal keys an index has the rows in the order of their ids.
        let ties = !self.any_of_equal && (partly || (reverse && def.kind != IndexKind::Key));
        Some(Ordered { index, low, high, columns, reverse, ties })
    }

    /// Visits the rows that match, in the order of an index. Rows with the same key are in the order of their first
    /// save, whichever way the keys go.
    fn walk<'a>(
        &self,
        table: &'a TableState,
        plan: &Plan<'_>,
        ordered: &Ordered,
        mut visit: impl FnMut(Found<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Ordered { index, low, high, columns, reverse, ties } = ordered;
        let Some(index) = table.index(*index) else { return ControlFlow::Continue(()) };
        let matcher = Matcher::new(table.def(), &plan.rest);
        let wanted = self.limit.map_or(Group::SIZE, |limit| limit.saturating_add(self.offset));
        let mut group = Group::new(if plan.rest.is_empty() { wanted } else { Group::SIZE });
        let (mut equal, mut key): (Vec<Found<'a>>, _) = (Vec::new(), None);
        let mut flush = |equal: &mut Vec<Found<'a>>, next: Option<Found<'a>>| {
            if !ties {
                return next.map_or(ControlFlow::Continue(()), &mut visit);
            }
            let next_key = next.map(|(_, stored)| sort_key(table, stored.row, columns));
            if next_key.is_none() || key != next_key {
                equal.sort_unstable_by_key(|(id, _)| *id);
                equal.drain(..).try_for_each(&mut visit)?;
                key = next_key;
            }
            equal.extend(next);
            ControlFlow::Continue(())
        };
        let mut one = |id, stored: Stored<'a>| {
            self.look();
            if matcher.holds(stored.row) && self.is_behind(table.def(), id, stored.row) {
                flush(&mut equal, Some((id, stored)))
            } else {
                ControlFlow::Continue(())
            }
        };
        index.walk(low, high, *reverse, |id| {
            group.ids.push(id);
            if group.ids.len() < group.size {
                return ControlFlow::Continue(());
            }
            table.visit(&group.ids, &mut one)?;
            group.ids.clear();
            ControlFlow::Continue(())
        })?;
        table.visit(&group.ids, &mut one)?;
        flush(&mut equal, None)
    }

    /// The rows that match, sorted; with a limit at least those of its page.
    fn sorted<'a>(&self, table: &'a TableState, plan: &Plan<'_>) -> Vec<Found<'a>> {
        let wanted = self.limit.map_or(usize::MAX, |limit| limit.saturating_add(self.offset));
        let mut found: Vec<(SortKey, Found<'a>)> = Vec::new();
        let compare =
            |a: &(SortKey, Found<'_>), b: &(SortKey, Found<'_>)| a.0.cmp(&b.0).then(a.1.0.cmp(&b.1.0));
        let _ = self.matches(table, plan, |one| {
            let row = RowColumns { table: table.def(), row: one.1.row };
            let mut key = SortKey::default();
            for (column, reversed) in &self.order {
                if *reversed { key.push_reversed(row.value(*column)) } else { key.push(row.value(*column)) }
            }
            found.push((key, one));
            // With a limit only the first rows are kept, and need to be in order.
            if found.len() / 2 > wanted.max(256) {
                found.select_nth_unstable_by(wanted, compare);
                found.truncate(wanted);
            }
            ControlFlow::Continue(())
        });
        found.sort_unstable_by(compare);
        found.into_iter().map(|(_, found)| found).collect()
    }
}

fn sort_key(table: &TableState, row: RowRef<'_>, columns: &[usize]) -> SortKey {
    let row = RowColumns { table: table.def(), row };
    let mut key = SortKey::default();
    columns.iter().for_each(|column| key.push(row.value(*column)));
    key
}

/// Whether a way through an index leads to the rows that match, and to no others.
fn is_whole(plan: &Plan<'_>) -> bool {
    plan.rest.is_empty() && plan.access != Access::Scan
}

/// The rows that a way through an index leads to.
fn candidates(table: &TableState, access: &Access) -> Vec<RowId> {
    let mut found = Vec::new();
    let _ = each_candidate(table, access, |id| {
        found.push(id);
        ControlFlow::Continue(())
    });
    found
}

/// Visits the rows that a way through an index leads to until `visit` breaks.
fn each_candidate(
    table: &TableState,
    access: &Access,
    mut visit: impl FnMut(RowId) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let index = |index: &usize| table.index(*index);
    match access {
        Access::Scan => ControlFlow::Continue(()),
        Access::Keys { index: position, keys, .. } => keys.iter().try_for_each(|key| {
            let key = Bound::Included(key.clone());
            index(position)
                .map_or(ControlFlow::Continue(()), |index| index.walk(&key, &key, false, &mut visit))
        }),
        Access::Range { index: position, low, high, .. } => {
            index(position).map_or(ControlFlow::Continue(()), |index| index.walk(low, high, false, visit))
        }
    }
}

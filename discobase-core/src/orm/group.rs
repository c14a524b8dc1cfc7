//! The records of a query, in groups.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use futures_util::TryFutureExt as _;
use smallvec::SmallVec;

use crate::db::registry::Handle;
use crate::error::{Error, ErrorKind, Result};
use crate::orm::aggregate::{in_column, unanswered};
use crate::orm::find::Find;
use crate::orm::select::Select;
use crate::query::aggregate::{Ask, Group, GroupKey, Grouping};
use crate::query::expr::Expr;
use crate::query::measure::{Aggregates, Columns, Condition, GroupOrder, GroupedBy};
use crate::schema::Entity;
use crate::value::{Value, ValueRef};

/// The records of a query, in groups: see [`Find::group_by`].
#[must_use = "a query does nothing until aggregate is called"]
pub struct Grouped<T, K> {
    find: Find<T>,
    shape: Shape,
    key: PhantomData<fn() -> K>,
}

/// What can be selected of groups: nothing.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "groups have no columns that can be selected",
    label = "columns are of single records",
    note = "ask about each group instead: `.group_by(|s| s.shop).aggregate(|s| (count(), sum(s.euros)))`",
    note = "each answer comes with the values that the group was made by; `select` without `group_by` gives columns of \
            single records"
)]
pub trait OfOneRecord {
    /// Never called.
    fn never<R>(self) -> R;
}

/// A grouping whose columns are positions in the struct's schema.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    by: Vec<usize>,
    /// First those that are answered; others are asked for conditions and orders.
    asks: Vec<Ask>,
    having: Vec<Expr>,
    order: Vec<(GroupedBy, bool)>,
    limit: Option<usize>,
    offset: usize,
}

impl Shape {
    pub(super) fn new(by: Vec<usize>, asks: Vec<Ask>) -> Self {
        Self { by, asks, ..Self::default() }
    }

    pub(super) fn asks(&self) -> &[Ask] {
        &self.asks
    }

    /// The place of a question, which is asked once.
    fn place(asks: &mut Vec<Ask>, ask: Ask) -> usize {
        asks.iter().position(|known| *known == ask).unwrap_or_else(|| {
            asks.push(ask);
            asks.len() - 1
        })
    }

    /// The grouping in the table's own terms.
    fn local<T: Entity>(self, handle: &Handle) -> Result<Grouping> {
        let Self { by, mut asks, having, order, limit, offset } = self;
        let having = (!having.is_empty()).then_some(Expr::And(having));
        let order = order.into_iter().map(|(by_what, reversed)| match by_what {
            GroupedBy::Ask(ask) => Ok((GroupKey::Ask(Self::place(&mut asks, ask)), reversed)),
            GroupedBy::Column(position) => {
                let place = by.iter().position(|known| *known == position);
                place
                    .map(|place| (GroupKey::By(place), reversed))
                    .ok_or_else(|| not_grouped::<T>(position, &by))
            }
        });
        let order = order.collect::<Result<_>>()?;
        let column = |position| handle.column(position);
        Ok(Grouping {
            by: by.into_iter().map(column).collect(),
            asks: asks.into_iter().map(|ask| ask.map_column(&column)).collect(),
            having,
            order,
            limit,
            offset,
        })
    }
}

fn not_grouped<T: Entity>(position: usize, by: &[usize]) -> Error {
    let name = |position: &usize| T::SCHEMA.columns.get(*position).map_or("?", |column| column.name);
    let known = by.iter().map(name).collect::<Vec<_>>().join(", ");
    let text = format!(
        "groups can't be sorted by a column that differs inside of them: they are grouped by {known}; sort by one of \
         these, or by an aggregate such as `min`"
    );
    in_column::<T>(Error::new(ErrorKind::Invalid, text), position)
}

impl<T: Entity, K: Columns<T>> Grouped<T, K> {
    pub(super) fn new(find: Find<T>, by: Vec<usize>) -> Self {
        Self { find, shape: Shape::new(by, Vec::new()), key: PhantomData }
    }

    /// Only groups of which this is true. Several conditions must all be.
    pub fn having(mut self, condition: impl FnOnce(T::Columns) -> Condition<T>) -> Self {
        let Condition { asks, mut expr, .. } = condition(T::columns());
        let shape = &mut self.shape;
        let places: Vec<usize> = asks.into_iter().map(|ask| Shape::place(&mut shape.asks, ask)).collect();
        expr.map_columns(&|place| places.get(place).copied().unwrap_or(usize::MAX));
        shape.having.push(expr);
        self
    }

    /// Sorts the groups by an aggregate, or by a column that they are grouped by; by further ones where the earlier ones
    /// are equal. Without it, and where all are equal, groups come in the order of the values that they are grouped by.
    pub fn order_by<O: Into<GroupOrder<T>>>(mut self, order: impl FnOnce(T::Columns) -> O) -> Self {
        let order: GroupOrder<T> = order(T::columns()).into();
        self.shape.order.push((order.by, order.descending));
        self
    }

    /// At most so many groups.
    pub fn limit(mut self, limit: usize) -> Self {
        self.shape.limit = Some(limit);
        self
    }

    /// Leaves out the first so many groups.
    pub fn offset(mut self, offset: usize) -> Self {
        self.shape.offset = offset;
        self
    }

    /// Each group's values and the answers to questions about it.
    ///
    /// # Errors
    /// `Arithmetic` when a sum does not fit; `Invalid` when groups are to be sorted by a column that they are not grouped
    /// by; otherwise as [`Find::all`].
    pub fn aggregate<A: Aggregates<T>>(
        self,
        ask: impl FnOnce(T::Columns) -> A,
    ) -> impl Future<Output = Result<Vec<(K::Values, A::Answers)>>> + Send {
        let asks = ask(T::columns()).asks();
        let Self { find, shape, .. } = self;
        let (shape, by) = (shape.answering(&asks), shape.by);
        find.grouped(shape, move |group| {
            let key: SmallVec<[ValueRef<'_>; 8]> = group.key.iter().map(Value::as_ref).collect();
            let key = K::values(&key).map_err(|(place, error)| {
                let error = Error::new(ErrorKind::Invalid, error.to_string());
                in_column::<T>(error, by.get(place).copied().unwrap_or(usize::MAX))
            })?;
            let answers =
                A::answers(&group.answers).map_err(|(place, error)| unanswered::<T>(&asks, place, &error))?;
            Ok((key, answers))
        })
    }

    /// Groups have answers and no columns of their own: what `select` is called for is [`Grouped::aggregate`]. It is here
    /// so that the compiler can say so.
    #[doc(hidden)]
    pub fn select<C: OfOneRecord>(self, columns: impl FnOnce(T::Columns) -> C) -> Select<T, C> {
        columns(T::columns()).never()
    }

    /// How many groups there are, limit and offset counted in.
    ///
    /// # Errors
    /// As [`Grouped::aggregate`].
    pub fn count(self) -> impl Future<Output = Result<usize>> + Send {
        self.find.grouped(self.shape, |_| Ok(())).map_ok(|groups| groups.len())
    }
}

impl Shape {
    /// The same with these questions before those that it asks already.
    fn answering(&self, asks: &[Ask]) -> Self {
        let mut shape = self.clone();
        let mut all = asks.to_vec();
        let places: Vec<usize> = shape.asks.iter().map(|ask| Self::place(&mut all, *ask)).collect();
        for expr in &mut shape.having {
            expr.map_columns(&|place| places.get(place).copied().unwrap_or(usize::MAX));
        }
        shape.asks = all;
        shape
    }
}

impl<T: Entity> Find<T> {
    /// What `make` makes of the groups of the records that match. There are none if the state is older than the table.
    pub(super) fn grouped<R: Send>(
        self,
        shape: Shape,
        make: impl Fn(Group) -> Result<R> + Send,
    ) -> impl Future<Output = Result<Vec<R>>> + Send {
        let found = self.on_table(move |reading, query, table| {
            let grouping = shape.local::<T>(reading.handle)?;
            query.groups(table, &grouping).into_iter().map(make).collect()
        });
        found.map_ok(Option::unwrap_or_default)
    }
}

impl<T, K> Clone for Grouped<T, K> {
    fn clone(&self) -> Self {
        Self { find: self.find.clone(), shape: self.shape.clone(), key: PhantomData }
    }
}

impl<T, K> fmt::Debug for Grouped<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grouped").field("find", &self.find).field("shape", &self.shape).finish()
    }
}

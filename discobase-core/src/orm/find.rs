//! Queries as users write them.

use std::fmt;
use std::future::{Future, IntoFuture, ready};
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::TryFutureExt as _;
use futures_util::future::Either;

use crate::db::registry::Handle;
use crate::error::{Error, ErrorKind, Result};
use crate::field::{ColumnValue, FieldError};
use crate::orm::model::SoftDelete;
use crate::orm::model::deleted::Scope;
use crate::orm::record::{Record, local_filter};
use crate::orm::source::sealed::Source as _;
use crate::orm::source::{Later, Origin, Reading, Source};
use crate::query::column::{Column, Filter, Order};
use crate::query::exec::Query;
use crate::query::explain::Explain;
use crate::query::expr::Expr;
use crate::query::measure::Aggregates;
use crate::query::paging::After;
use crate::schema::Entity;
use crate::session::Read;
use crate::tables::{Slot, Stored, TableState, value_in};
use crate::value::Value;
use crate::wire::put_bytes;

/// A query over the records of `T`. It reads from memory: no request, and a consistent state of all tables; but what of a
/// [lazy table](crate::Database::table_lazy) is not in memory is looked up, or loaded.
#[must_use = "a query does nothing until all, first or count is called"]
pub struct Find<T> {
    origin: Origin,
    filters: Vec<Expr>,
    order: Vec<(usize, bool)>,
    limit: Option<usize>,
    offset: usize,
    after: Option<After>,
    scope: Scope,
    table: PhantomData<fn() -> T>,
}

/// A query without its source. Columns are positions in the struct's schema.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    filters: Vec<Expr>,
    order: Vec<(usize, bool)>,
    limit: Option<usize>,
    offset: usize,
    after: Option<After>,
}

impl Parts {
    /// All that satisfy these.
    pub(super) fn of(filters: Vec<Expr>) -> Self {
        Self { filters, order: Vec::new(), limit: None, offset: 0, after: None }
    }

    /// The query in the table's own terms.
    pub(super) fn query(self, handle: &Handle) -> Query {
        let Self { filters, order, limit, offset, after } = self;
        let filter = local_filter(handle, filters);
        let order =
            order.into_iter().map(|(position, reversed)| (handle.column(position), reversed)).collect();
        let query = Query { filter, order, limit, offset, ..Query::default() };
        match after {
            Some(after) => query.begin_behind(&handle.def, after),
            None => query,
        }
    }
}

impl<T: Entity> Find<T> {
    pub(crate) fn new(source: &impl Source) -> Self {
        let (origin, scope) = (source.origin(), Scope::default());
        Self {
            origin,
            filters: Vec::new(),
            order: Vec::new(),
            limit: None,
            offset: 0,
            after: None,
            scope,
            table: PhantomData,
        }
    }

    /// Only records that satisfy the filter. Several filters must all be satisfied.
    pub fn filter(mut self, filter: impl FnOnce(T::Columns) -> Filter<T>) -> Self {
        self.filters.push(filter(T::columns()).expr);
        self
    }

    /// Only records that satisfy the condition.
    pub(crate) fn filtered(mut self, filter: Expr) -> Self {
        self.filters.push(filter);
        self
    }

    /// Sorts by columns at these positions, where earlier orders are equal.
    pub(crate) fn sorted(mut self, order: Vec<(usize, bool)>) -> Self {
        self.order.extend(order);
        self
    }

    /// With these of the records that are marked as deleted.
    pub(crate) fn in_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// The same query of one state, to which others can be put as well.
    pub(crate) fn fixed(mut self) -> Result<Self> {
        self.origin = self.origin.fixed()?;
        Ok(self)
    }

    /// The values of the records that match in the fields at these positions, in their order.
    pub(crate) fn rows(self, positions: Vec<usize>) -> impl Future<Output = Result<Vec<Vec<Value>>>> + Send {
        let found = self.on_table(move |reading, query, table| {
            let columns: Vec<usize> =
                positions.iter().map(|&position| reading.handle.column(position)).collect();
            let row = |(_, stored): (_, Stored<'_>)| {
                columns.iter().map(|&column| value_in(table.def(), stored.row, column).to_value()).collect()
            };
            Ok(query.run(table).into_iter().map(row).collect())
        });
        found.map_ok(Option::unwrap_or_default)
    }

    /// Sorts by a column; by further columns where the earlier ones are equal. Without it, and where all are equal,
    /// records come in the order they were first saved.
    pub fn order_by(mut self, order: impl FnOnce(T::Columns) -> Order<T>) -> Self {
        let order = order(T::columns());
        self.order.push((order.position, order.descending));
        self
    }

    /// At most so many records.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Leaves out the first so many records.
    pub fn offset(mut self, offset: usize) -> Self {
        self.offset = offset;
        self
    }

    /// All records that match; an empty list if none does.
    ///
    /// # Errors
    /// `UnknownTable`, `TableNotReady`, `NotConnected`; `Invalid` when a stored value is none of its field's type; of a
    /// [lazy table](crate::Database::table_lazy) what downloading can fail with.
    pub fn all(self) -> impl Future<Output = Result<Vec<Record<T>>>> + Send {
        self.run()
    }

    /// The first record that matches, or `None`.
    ///
    /// # Errors
    /// As [`Find::all`].
    pub fn first(self) -> impl Future<Output = Result<Option<Record<T>>>> + Send {
        self.limit(1).run().map_ok(|mut records| records.pop())
    }

    /// How many records match, limit and offset counted in.
    ///
    /// # Errors
    /// As [`Find::all`].
    pub fn count(self) -> impl Future<Output = Result<usize>> + Send {
        if self.filters.is_empty() && self.scope.filter::<T>().is_none() {
            // This needs no rows, wherever they are.
            let query = Query { limit: self.limit, offset: self.offset, ..Query::default() };
            let counted = self.origin.read::<T, _>(|reading| {
                reading.note(|| Read::Rows { table: reading.handle.id, filter: None });
                Ok(reading.slot().map_or(0, |table| query.page_of(table.len())))
            });
            return Either::Left(ready(counted));
        }
        let counted = self.on_table(|_, query, table| Ok(query.count(table)));
        Either::Right(counted.map_ok(Option::unwrap_or_default))
    }

    /// The values of one column of the records that match, in their order.
    ///
    /// # Errors
    /// As [`Find::all`].
    pub fn scalars<V: ColumnValue + Send>(
        self,
        column: impl FnOnce(T::Columns) -> Column<T, V>,
    ) -> impl Future<Output = Result<Vec<V>>> + Send {
        self.values_of(column(T::columns()).position())
    }

    /// The value of one column of the first record that matches, or `None` if none does.
    ///
    /// # Errors
    /// As [`Find::all`].
    pub fn scalar<V: ColumnValue + Send>(
        self,
        column: impl FnOnce(T::Columns) -> Column<T, V>,
    ) -> impl Future<Output = Result<Option<V>>> + Send {
        let values = self.limit(1).values_of(column(T::columns()).position());
        values.map_ok(|mut values| values.pop())
    }

    fn values_of<V: ColumnValue + Send>(
        self,
        position: usize,
    ) -> impl Future<Output = Result<Vec<V>>> + Send {
        let found = self.on_table(move |reading, query, table| {
            let (def, column) = (table.def(), reading.handle.column(position));
            let value = |stored: Stored<'_>| V::decode(value_in(def, stored.row, column));
            let wrong = |error: FieldError| {
                let error = Error::new(ErrorKind::Invalid, error.to_string()).in_table(T::SCHEMA.name);
                error.in_field(T::SCHEMA.columns.get(position).map_or("?", |column| column.name))
            };
            query.run(table).into_iter().map(|(_, stored)| value(stored).map_err(wrong)).collect()
        });
        found.map_ok(Option::unwrap_or_default)
    }

    /// How the records would be found: through which index, looking at how many rows. It looks at the rows as the query
    /// would, so it costs what that one costs, but for making records.
    ///
    /// # Errors
    /// `UnknownTable`, `TableNotReady`, `NotConnected`.
    pub fn explain(self) -> Result<Explain> {
        self.explained(Query::explain)
    }

    /// How [`Find::count`] and [`Find::exists`] would find their answer.
    ///
    /// # Errors
    /// As [`Find::explain`].
    pub fn explain_count(self) -> Result<Explain> {
        self.explained(Query::explain_count)
    }

    /// How [`Find::aggregate`] would find the answers to these questions.
    ///
    /// # Errors
    /// As [`Find::explain`].
    pub fn explain_aggregate<A: Aggregates<T>>(self, ask: impl FnOnce(T::Columns) -> A) -> Result<Explain> {
        let (asks, origin) = (ask(T::columns()).asks(), self.origin.clone());
        let asks = origin.read::<T, _>(|reading| {
            let local = |position| reading.handle.column(position);
            Ok(asks.into_iter().map(|ask| ask.map_column(&local)).collect::<Vec<_>>())
        });
        let asks = asks?;
        self.explained(|query, table| query.explain_asks(table, &asks))
    }

    fn explained(self, explain: impl FnOnce(&Query, &TableState) -> Explain) -> Result<Explain> {
        let origin = self.origin.clone();
        origin.read::<T, _>(|reading| {
            let mut query = self.into_parts().1.query(reading.handle);
            if !reading.resolve(&mut query)? {
                let text = "the query has one inside of its condition, of a lazy table that is not in memory: how it would be \
                            run depends on what that one finds; await db.load of that table before";
                return Err(Error::new(ErrorKind::TableNotReady, text).in_table(T::SCHEMA.name));
            }
            let gone = || Error::new(ErrorKind::TableNotReady, "the table is gone").in_table(T::SCHEMA.name);
            let slot = reading.slot().ok_or_else(gone)?;
            match (slot.loaded(), slot.unloaded()) {
                (Some(table), _) => Ok(explain(&query, table)),
                (None, Some(table)) => Ok(query.explain_unloaded(table)),
                (None, None) => Err(gone()),
            }
        })
    }

    fn run(self) -> impl Future<Output = Result<Vec<Record<T>>>> + Send {
        let found = self.on_table(|reading, query, table| {
            let (mut records, mut failed) = (Vec::new(), None);
            let _ = query.in_groups(table, &mut |group| {
                records.reserve(group.len());
                for &(id, stored) in group {
                    match reading.record(id, stored) {
                        Ok(record) => records.push(record),
                        Err(error) => {
                            failed = Some(error);
                            return ControlFlow::Break(());
                        }
                    }
                }
                ControlFlow::Continue(())
            });
            failed.map_or(Ok(records), Err)
        });
        found.map_ok(Option::unwrap_or_default)
    }

    /// Runs `work` on the table as the source shows it now, with the query in the table's own terms: at once, if the
    /// table is in memory. Of one that is not, as much is downloaded as the query needs.
    pub(super) fn on_table<R, W>(self, work: W) -> impl Future<Output = Result<Option<R>>> + Send
    where
        R: Send,
        W: FnOnce(&Reading<'_>, &Query, &Arc<TableState>) -> Result<R> + Send,
    {
        let (origin, parts) = (self.origin.clone(), self.into_parts().1);
        let now = origin.read::<T, _>(|reading| {
            let mut query = parts.query(reading.handle);
            if !reading.resolve(&mut query)? {
                return Ok(Now::Later(reading.later().fixed(), query, work));
            }
            reading.note(|| Read::Rows { table: reading.handle.id, filter: query.filter.clone() });
            match reading.slot().map(Slot::loaded) {
                None => Ok(Now::Done(None)),
                Some(Some(table)) => work(reading, &query, table).map(|done| Now::Done(Some(done))),
                Some(None) => Ok(Now::Later(reading.later(), query, work)),
            }
        });
        match now {
            Ok(Now::Done(done)) => Either::Left(ready(Ok(done))),
            Err(error) => Either::Left(ready(Err(error))),
            // Boxed, because it is large: every query would copy so much.
            Ok(Now::Later(later, mut query, work)) => Either::Right(Box::pin(async move {
                later.resolve(&mut query).await?;
                let wanted = query.wanted(&later.handle().def);
                let table = later.table(wanted.as_ref()).await?;
                table.map(|table| work(&later.reading(), &query, &table)).transpose()
            })),
        }
    }

    /// Where it looks.
    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Positions in the struct's schema, and whether the order is reversed.
    pub(super) fn order(&self) -> &[(usize, bool)] {
        &self.order
    }

    /// Whether it is about some of the records that match only.
    pub(super) fn has_limit(&self) -> bool {
        self.limit.is_some() || self.offset > 0
    }

    /// The same query from a place in its order on.
    pub(super) fn begin_behind(self, after: After) -> Self {
        Self { after: Some(after), ..self }
    }

    /// A number that other queries do not have: of the table, the conditions and the order.
    pub(super) fn print(&self) -> [u8; 8] {
        let name = |position: usize| T::SCHEMA.columns.get(position).map_or("", |column| column.name);
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, T::SCHEMA.name.as_bytes());
        let filters = self.filters.iter().cloned().chain(self.scope.filter::<T>());
        Expr::And(filters.collect()).put(&mut bytes, &name);
        for (position, reversed) in &self.order {
            bytes.push(u8::from(*reversed));
            put_bytes(&mut bytes, name(*position).as_bytes());
        }
        blake3::hash(&bytes).as_bytes().first_chunk().copied().unwrap_or_default()
    }

    /// Which database it is of, and the query.
    pub(super) fn into_parts(self) -> (usize, Parts) {
        let Self { origin, mut filters, order, limit, offset, after, scope, .. } = self;
        filters.extend(scope.filter::<T>());
        (origin.db().identity(), Parts { filters, order, limit, offset, after })
    }
}

/// What a query comes to at once.
enum Now<R, W> {
    Done(Option<R>),
    /// The table is not in memory.
    Later(Later, Query, W),
}

impl<T> Find<T> {
    /// Records that are deleted, too: without it, a query is as if they were not there.
    pub fn with_deleted(mut self) -> Self
    where
        T: SoftDelete,
    {
        self.scope = Scope::All;
        self
    }

    /// Only records that are deleted.
    pub fn only_deleted(mut self) -> Self
    where
        T: SoftDelete,
    {
        self.scope = Scope::Deleted;
        self
    }
}

impl<T> Clone for Find<T> {
    fn clone(&self) -> Self {
        Self {
            origin: self.origin.clone(),
            filters: self.filters.clone(),
            order: self.order.clone(),
            limit: self.limit,
            offset: self.offset,
            after: self.after.clone(),
            scope: self.scope,
            table: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Find<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Find")
            .field("filters", &self.filters)
            .field("order", &self.order)
            .field("limit", &self.limit)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

/// A query for exactly one record: await it.
#[must_use = "a query does nothing until it is awaited"]
#[derive(Debug)]
pub struct FindUnique<T> {
    find: Find<T>,
}

impl<T: Entity> FindUnique<T> {
    pub(crate) fn new(find: Find<T>) -> Self {
        Self { find }
    }

    /// Makes it give the first record that matches, or `None`, instead of the errors.
    pub fn lenient(self) -> FindLenient<T> {
        FindLenient { find: self.find }
    }

    async fn run(self) -> Result<Record<T>> {
        let mut found = self.find.limit(2).run().await?;
        let error = match (found.pop(), found.is_empty()) {
            (Some(record), true) => return Ok(record),
            (None, _) => Error::new(ErrorKind::NotFound, "no record matches"),
            (Some(_), false) => Error::new(ErrorKind::NotUnique, "more than one record matches"),
        };
        Err(error.in_table(T::SCHEMA.name))
    }
}

impl<T: Entity> IntoFuture for FindUnique<T> {
    type Output = Result<Record<T>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// A query for the first record that matches, if any does: await it.
#[must_use = "a query does nothing until it is awaited"]
#[derive(Debug)]
pub struct FindLenient<T> {
    find: Find<T>,
}

impl<T: Entity> IntoFuture for FindLenient<T> {
    type Output = Result<Option<Record<T>>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.find.first())
    }
}

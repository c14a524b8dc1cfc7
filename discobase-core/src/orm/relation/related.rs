//! What is loaded with records: one query for each relation, whatever the number of records.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use crate::error::{Error, ErrorKind, Result};
use crate::orm::find::Find;
use crate::orm::record::Record;
use crate::orm::relation::kinds::{BelongsTo, HasMany, HasOne, ManyToMany, Relation};
use crate::orm::relation::parent::{RefersTo, value_at};
use crate::orm::source::Origin;
use crate::query::column::{Filter, Order};
use crate::query::explain::Explain;
use crate::query::expr::Expr;
use crate::schema::Entity;
use crate::value::Value;

/// What can be loaded with records of `T`: relations, and tuples of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be loaded with records of `{T}`",
    note = "give a relation of the table, `|u| u.orders`, or a tuple of relations; what several records share must be \
            `Clone`"
)]
pub trait Load<T: Entity>: Send {
    /// What a record has of it.
    type Loaded: Send;

    /// Loads it for these records, in their order.
    #[doc(hidden)]
    fn load<'a>(
        self,
        loading: &'a mut Loading,
        records: &'a [Record<T>],
    ) -> impl Future<Output = Result<Vec<Self::Loaded>>> + Send + 'a
    where
        Self: 'a;
}

/// Where all is loaded from, and by which queries.
pub struct Loading {
    pub(crate) origin: Origin,
    /// What `explain` shows of each, if that is asked for.
    pub(crate) queries: Option<Vec<Explain>>,
}

/// What is made of records that were loaded.
pub trait Nest<T: Entity>: Send {
    /// What a record becomes.
    type Item: Send;

    /// Makes it of these records, in their order.
    #[doc(hidden)]
    fn join<'a>(
        self,
        loading: &'a mut Loading,
        records: Vec<Record<T>>,
    ) -> impl Future<Output = Result<Vec<Self::Item>>> + Send + 'a
    where
        Self: 'a;
}

/// Records alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bare;

/// Records, each with what is related to it.
#[derive(Debug, Clone, Copy)]
pub struct Nested<L>(pub(crate) L);

impl<T: Entity> Nest<T> for Bare {
    type Item = Record<T>;

    fn join<'a>(
        self,
        _: &'a mut Loading,
        records: Vec<Record<T>>,
    ) -> impl Future<Output = Result<Vec<Record<T>>>> + Send + 'a
    where
        Self: 'a,
    {
        std::future::ready(Ok(records))
    }
}

impl<T: Entity, L: Load<T>> Nest<T> for Nested<L> {
    type Item = (Record<T>, L::Loaded);

    async fn join<'a>(self, loading: &'a mut Loading, records: Vec<Record<T>>) -> Result<Vec<Self::Item>>
    where
        Self: 'a,
    {
        let loaded = self.0.load(loading, &records).await?;
        Ok(records.into_iter().zip(loaded).collect())
    }
}

/// A relation with what is said of the records that it loads.
#[must_use = "nothing is loaded until a query is given this"]
pub struct Related<T, R, N = Bare> {
    relation: R,
    filters: Vec<Expr>,
    order: Vec<(usize, bool)>,
    limit: Option<usize>,
    nest: N,
    of: PhantomData<fn() -> T>,
}

impl<T: Entity, R: Relation<T>> Related<T, R> {
    pub(crate) fn new(relation: R) -> Self {
        Self { relation, filters: Vec::new(), order: Vec::new(), limit: None, nest: Bare, of: PhantomData }
    }
}

impl<T: Entity, R: Relation<T>, N> Related<T, R, N> {
    /// Only those that satisfy the filter. Several filters must all be satisfied.
    pub fn filter(mut self, filter: impl FnOnce(<R::To as Entity>::Columns) -> Filter<R::To>) -> Self {
        self.filters.push(filter(R::To::columns()).expr);
        self
    }

    /// Sorts them; by further columns where the earlier ones are equal.
    pub fn order_by(mut self, order: impl FnOnce(<R::To as Entity>::Columns) -> Order<R::To>) -> Self {
        let order = order(R::To::columns());
        self.order.push((order.position, order.descending));
        self
    }

    /// At most so many for each record.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Loads what is related to them, too.
    pub fn with<M>(self, load: impl FnOnce(<R::To as Entity>::Columns) -> M) -> Related<T, R, Nested<M>> {
        let Self { relation, filters, order, limit, of, .. } = self;
        Related { relation, filters, order, limit, nest: Nested(load(R::To::columns())), of }
    }
}

/// What was loaded, and which of it each record has.
struct Gathered<X> {
    items: Vec<X>,
    of_each: Vec<Vec<usize>>,
}

impl<T: Entity, R: Relation<T>, N: Nest<R::To>> Related<T, R, N> {
    async fn gather(self, loading: &mut Loading, records: &[Record<T>]) -> Result<Gathered<N::Item>> {
        let Self { relation, filters, order, limit, nest, .. } = self;
        let (own, theirs) = relation.ends();
        let keys = records.iter().map(|record| value_at::<T>(record, own)).collect();
        let leads = relation.leads(&loading.origin, keys).await?;
        let mut wanted: Vec<Value> = leads.iter().flatten().cloned().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let find = Find::<R::To>::new(&loading.origin).in_scope(relation.scope());
        let find = filters.into_iter().fold(find.filtered(Expr::In(theirs, wanted)), Find::filtered);
        let find = find.sorted(order);
        if let Some(queries) = &mut loading.queries {
            queries.push(find.clone().explain()?);
        }
        let found = find.all().await?;
        let mut by_key = BTreeMap::<Value, Vec<usize>>::new();
        for (place, record) in found.iter().enumerate() {
            by_key.entry(value_at::<R::To>(record, theirs)).or_default().push(place);
        }
        let items = nest.join(loading, found).await?;
        let of_each = leads.iter().map(|keys| {
            let mut places: Vec<usize> =
                keys.iter().filter_map(|key| by_key.get(key)).flatten().copied().collect();
            places.sort_unstable();
            places.dedup();
            places.truncate(limit.unwrap_or(usize::MAX));
            places
        });
        Ok(Gathered { of_each: of_each.collect(), items })
    }
}

impl<X> Gathered<X> {
    /// What each record has, where no two have the same.
    fn given(self) -> impl Iterator<Item = Vec<X>> {
        let mut items: Vec<Option<X>> = self.items.into_iter().map(Some).collect();
        self.of_each.into_iter().map(move |places| {
            places.into_iter().filter_map(|place| items.get_mut(place).and_then(Option::take)).collect()
        })
    }

    /// What each record has, where several may have the same.
    fn shared(self) -> impl Iterator<Item = Vec<X>>
    where
        X: Clone,
    {
        let items = self.items;
        self.of_each
            .into_iter()
            .map(move |places| places.into_iter().filter_map(|place| items.get(place).cloned()).collect())
    }
}

macro_rules! load {
    ($([$($params:tt)*] $kind:ty, $of:ty, $to:ty, [$($bound:tt)*] -> $loaded:ty, $finish:expr;)*) => {$(
        impl<$($params)*, N: Nest<$to>> Load<$of> for Related<$of, $kind, N>
        where
            N::Item: $($bound)*,
        {
            type Loaded = $loaded;

            fn load<'a>(
                self,
                loading: &'a mut Loading,
                records: &'a [Record<$of>],
            ) -> impl Future<Output = Result<Vec<Self::Loaded>>> + Send + 'a
            where
                Self: 'a,
            {
                async move {
                    let gathered = self.gather(loading, records).await?;
                    $finish(gathered)
                }
            }
        }

        impl<$($params)*> Load<$of> for $kind
        where
            Record<$to>: $($bound)*,
        {
            type Loaded = <Related<$of, $kind> as Load<$of>>::Loaded;

            fn load<'a>(
                self,
                loading: &'a mut Loading,
                records: &'a [Record<$of>],
            ) -> impl Future<Output = Result<Vec<Self::Loaded>>> + Send + 'a
            where
                Self: 'a,
            {
                Related::new(self).load(loading, records)
            }
        }
    )*};
}

load! {
    [P: Entity, C: Entity] HasMany<P, C>, P, C, [Send] -> Vec<N::Item>,
        |gathered: Gathered<N::Item>| Ok(gathered.given().collect());
    [P: Entity, C: Entity] HasOne<P, C>, P, C, [Send] -> Option<N::Item>,
        |gathered: Gathered<N::Item>| Ok(gathered.given().map(|mut found| found.pop()).collect());
    [P: Entity, L: Entity, T: Entity] ManyToMany<P, L, T>, P, T, [Clone] -> Vec<N::Item>,
        |gathered: Gathered<N::Item>| Ok(gathered.shared().collect());
    [C: Entity, P: Entity, F: RefersTo<P::Key> + 'static] BelongsTo<C, P, F>, C, P, [Clone] -> F::Loaded<N::Item>,
        |gathered: Gathered<N::Item>| {
            let missing = || {
                let text = "a record refers to one that is not there, or that the filter leaves out";
                Error::new(ErrorKind::NotFound, text).in_table(P::NAME)
            };
            gathered.shared().map(|mut found| F::loaded(found.pop()).ok_or_else(missing)).collect()
        };
}

macro_rules! tuples {
    ($(($($load:ident $loaded:ident $field:tt),*);)*) => {$(
        impl<T: Entity, $($load: Load<T>),*> Load<T> for ($($load,)*) {
            type Loaded = ($($load::Loaded,)*);

            fn load<'a>(
                self,
                loading: &'a mut Loading,
                records: &'a [Record<T>],
            ) -> impl Future<Output = Result<Vec<Self::Loaded>>> + Send + 'a
            where
                Self: 'a,
            {
                async move {
                    $(let mut $loaded = self.$field.load(loading, records).await?.into_iter();)*
                    let each = records.iter().map_while(|_| Some(($($loaded.next()?,)*)));
                    Ok(each.collect())
                }
            }
        }
    )*};
}

tuples! {
    (A a 0, B b 1);
    (A a 0, B b 1, C c 2);
    (A a 0, B b 1, C c 2, D d 3);
}

impl<T, R: fmt::Debug, N> fmt::Debug for Related<T, R, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Related")
            .field("relation", &self.relation)
            .field("filters", &self.filters)
            .field("order", &self.order)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Loading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").field("queries", &self.queries).finish_non_exhaustive()
    }
}

//! The kinds of relations. The struct of a table's columns has a field for each relation of the table.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use crate::error::Result;
use crate::orm::find::Find;
use crate::orm::model::deleted::Scope;
use crate::orm::relation::key_column;
use crate::orm::relation::parent::RefersTo;
use crate::orm::relation::related::Related;
use crate::orm::select::within;
use crate::orm::source::Origin;
use crate::query::column::{Column, Filter, Order};
use crate::query::expr::Expr;
use crate::schema::Entity;
use crate::value::Value;

/// Types that are only named.
type Types<A, B, C> = PhantomData<fn() -> (A, B, C)>;

/// The position of a field that can refer to records of `P`.
#[must_use]
pub fn back<P: Entity, C: Entity, F: RefersTo<P::Key>>(column: Column<C, F>) -> usize {
    column.position()
}

/// The record of `P` that a field of type `F` of `C` refers to.
pub struct BelongsTo<C, P, F> {
    position: usize,
    types: Types<C, P, F>,
}

/// The records of `C` that refer to a record of `P`.
pub struct HasMany<P, C> {
    by: fn() -> usize,
    types: PhantomData<fn() -> (P, C)>,
}

/// The record of `C`, of which there is one at most, that refers to a record of `P`.
pub struct HasOne<P, C> {
    by: fn() -> usize,
    types: PhantomData<fn() -> (P, C)>,
}

/// The records of `T` that records of `L` link to a record of `P`.
pub struct ManyToMany<P, L, T> {
    from: fn() -> usize,
    to: fn() -> usize,
    types: Types<P, L, T>,
}

/// What leads from records of `T` to others. The derive makes the only ones there are.
#[expect(private_interfaces, reason = "what is hidden is called by this crate alone")]
pub trait Relation<T: Entity>: Copy + Send + Sync + 'static {
    /// The struct of the records that it leads to.
    type To: Entity;

    /// Which columns have the same values, as positions: that of `T`, and that of what it leads to.
    #[doc(hidden)]
    fn ends(self) -> (usize, usize);

    /// Which records count that are marked as deleted.
    #[doc(hidden)]
    fn scope(self) -> Scope {
        Scope::Live
    }

    /// The condition that there is a record which satisfies the filters.
    #[doc(hidden)]
    fn has_one_that(self, filters: Vec<Expr>) -> Filter<T> {
        let (own, theirs) = self.ends();
        let filters = filters.into_iter().chain(self.scope().filter::<Self::To>()).collect();
        Filter::new(within::<Self::To>(own, theirs, filters))
    }

    /// What each of these values of its own columns leads to: values of the others' columns.
    #[doc(hidden)]
    fn leads(
        self,
        origin: &Origin,
        keys: Vec<Value>,
    ) -> impl Future<Output = Result<Vec<Vec<Value>>>> + Send {
        let _ = origin;
        let one = |key| if key == Value::Null { Vec::new() } else { vec![key] };
        std::future::ready(Ok(keys.into_iter().map(one).collect()))
    }
}

#[expect(private_interfaces, reason = "as in the trait")]
impl<C: Entity, P: Entity, F: RefersTo<P::Key> + 'static> Relation<C> for BelongsTo<C, P, F> {
    type To = P;

    fn ends(self) -> (usize, usize) {
        (self.position, key_column::<P>())
    }

    // What is referred to is there, marked or not.
    fn scope(self) -> Scope {
        Scope::All
    }
}

impl<P: Entity, C: Entity> Relation<P> for HasMany<P, C> {
    type To = C;

    fn ends(self) -> (usize, usize) {
        (key_column::<P>(), (self.by)())
    }
}

impl<P: Entity, C: Entity> Relation<P> for HasOne<P, C> {
    type To = C;

    fn ends(self) -> (usize, usize) {
        (key_column::<P>(), (self.by)())
    }
}

#[expect(private_interfaces, reason = "as in the trait")]
impl<P: Entity, L: Entity, T: Entity> Relation<P> for ManyToMany<P, L, T> {
    type To = T;

    fn ends(self) -> (usize, usize) {
        (key_column::<P>(), key_column::<T>())
    }

    fn has_one_that(self, filters: Vec<Expr>) -> Filter<P> {
        let filters: Vec<Expr> = filters.into_iter().chain(self.scope().filter::<T>()).collect();
        let there = within::<T>((self.to)(), key_column::<T>(), filters);
        Filter::new(self.by_links(vec![there]))
    }

    async fn leads(self, origin: &Origin, keys: Vec<Value>) -> Result<Vec<Vec<Value>>> {
        let (from, to) = self.link();
        let mut wanted = keys.clone();
        wanted.sort_unstable();
        wanted.dedup();
        let links = Find::<L>::new(origin).filtered(Expr::In(from, wanted)).rows(vec![from, to]).await?;
        let mut by = std::collections::BTreeMap::<Value, Vec<Value>>::new();
        for mut link in links {
            let (Some(to), Some(from)) = (link.pop(), link.pop()) else { continue };
            by.entry(from).or_default().push(to);
        }
        Ok(keys.iter().map(|key| by.get(key).cloned().unwrap_or_default()).collect())
    }
}

impl<P, L, T> ManyToMany<P, L, T> {
    /// A relation by way of the link's fields at these positions. Generated code calls this.
    #[must_use]
    pub const fn new(from: fn() -> usize, to: fn() -> usize) -> Self {
        Self { from, to, types: PhantomData }
    }
}

impl<P: Entity, L: Entity, T: Entity> ManyToMany<P, L, T> {
    /// The positions of the link's fields.
    pub(crate) fn link(self) -> (usize, usize) {
        ((self.from)(), (self.to)())
    }

    /// The condition that there is a link which satisfies the filters.
    fn by_links(self, mut filters: Vec<Expr>) -> Expr {
        filters.extend(Scope::Live.filter::<L>());
        within::<L>(key_column::<P>(), (self.from)(), filters)
    }

    /// The condition that a record of `T` is linked to the record with this key.
    pub(crate) fn of(self, key: Value) -> Expr {
        use crate::query::expr::Compare;
        let mut filters = vec![Expr::Compare((self.from)(), Compare::Eq, key)];
        filters.extend(Scope::Live.filter::<L>());
        within::<L>(key_column::<T>(), (self.to)(), filters)
    }
}

impl<C, P, F> BelongsTo<C, P, F> {
    /// The relation of the field at `position`. Generated code calls this.
    #[must_use]
    pub const fn new(position: usize) -> Self {
        Self { position, types: PhantomData }
    }
}

macro_rules! back {
    ($($kind:ident),*) => {$(
        impl<P, C> $kind<P, C> {
            /// The relation back from the other struct's field at a position. Generated code calls this.
            #[must_use]
            pub const fn new(by: fn() -> usize) -> Self {
                Self { by, types: PhantomData }
            }
        }
    )*};
}

back!(HasMany, HasOne);

/// What a relation of one kind gives: conditions, and what is to be loaded by it.
macro_rules! relations {
    ($([$($params:tt)*] $kind:ty, $of:ty, $to:ty;)*) => {$(
        impl<$($params)*> $kind {
            /// Only those that satisfy the filter are loaded. Several filters must all be satisfied.
            pub fn filter(
                self,
                filter: impl FnOnce(<$to as Entity>::Columns) -> Filter<$to>,
            ) -> Related<$of, Self> {
                Related::new(self).filter(filter)
            }

            /// Sorts what is loaded.
            pub fn order_by(
                self,
                order: impl FnOnce(<$to as Entity>::Columns) -> Order<$to>,
            ) -> Related<$of, Self> {
                Related::new(self).order_by(order)
            }

            /// Loads what is related to those that are loaded, too.
            pub fn with<M>(
                self,
                load: impl FnOnce(<$to as Entity>::Columns) -> M,
            ) -> Related<$of, Self, crate::orm::relation::Nested<M>> {
                Related::new(self).with(load)
            }
        }
    )*};
}

relations! {
    [C: Entity, P: Entity, F: RefersTo<P::Key> + 'static] BelongsTo<C, P, F>, C, P;
    [P: Entity, C: Entity] HasMany<P, C>, P, C;
    [P: Entity, C: Entity] HasOne<P, C>, P, C;
    [P: Entity, L: Entity, T: Entity] ManyToMany<P, L, T>, P, T;
}

// Not derived, because a derive would ask the structs for what only the markers stand for.
macro_rules! markers {
    ($($kind:ident<$($param:ident),*>),*) => {$(
        impl<$($param),*> Clone for $kind<$($param),*> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$($param),*> Copy for $kind<$($param),*> {}

        impl<$($param),*> fmt::Debug for $kind<$($param),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($kind))
            }
        }
    )*};
}

markers!(BelongsTo<C, P, F>, HasMany<P, C>, HasOne<P, C>, ManyToMany<P, L, T>);

/// Conditions on the one record that a relation leads to.
macro_rules! one {
    ($([$($params:tt)*] $kind:ty, $of:ty, $to:ty;)*) => {$(
        impl<$($params)*> $kind {
            /// There is a record, and it satisfies the filter.
            #[must_use]
            pub fn has(self, filter: impl FnOnce(<$to as Entity>::Columns) -> Filter<$to>) -> Filter<$of> {
                self.has_one_that(vec![filter(<$to as Entity>::columns()).expr])
            }

            /// There is a record.
            #[must_use]
            pub fn exists(self) -> Filter<$of> {
                self.has_one_that(Vec::new())
            }
        }
    )*};
}

one! {
    [C: Entity, P: Entity, F: RefersTo<P::Key> + 'static] BelongsTo<C, P, F>, C, P;
    [P: Entity, C: Entity] HasOne<P, C>, P, C;
}

/// Conditions on the records that a relation leads to.
macro_rules! many {
    ($([$($params:tt)*] $kind:ty, $of:ty, $to:ty;)*) => {$(
        impl<$($params)*> $kind {
            /// At least one of the records satisfies the filter.
            #[must_use]
            pub fn any(self, filter: impl FnOnce(<$to as Entity>::Columns) -> Filter<$to>) -> Filter<$of> {
                self.has_one_that(vec![filter(<$to as Entity>::columns()).expr])
            }

            /// None of the records satisfies the filter, be it because there are none.
            #[must_use]
            pub fn none(self, filter: impl FnOnce(<$to as Entity>::Columns) -> Filter<$to>) -> Filter<$of> {
                !self.any(filter)
            }

            /// Every one of the records satisfies the filter, be it because there are none.
            #[must_use]
            pub fn all(self, filter: impl FnOnce(<$to as Entity>::Columns) -> Filter<$to>) -> Filter<$of> {
                self.none(|columns| !filter(columns))
            }

            /// There are records.
            #[must_use]
            pub fn exist(self) -> Filter<$of> {
                self.has_one_that(Vec::new())
            }

            /// At most so many are loaded for each record.
            pub fn limit(self, limit: usize) -> Related<$of, Self> {
                Related::new(self).limit(limit)
            }
        }
    )*};
}

many! {
    [P: Entity, C: Entity] HasMany<P, C>, P, C;
    [P: Entity, L: Entity, T: Entity] ManyToMany<P, L, T>, P, T;
}

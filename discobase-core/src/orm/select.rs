//! Some columns of the records of a query, instead of whole records.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;

use futures_util::TryFutureExt as _;

use crate::db::registry::{Handle, Registered};
use crate::error::{Error, ErrorKind, Result};
use crate::field::{ColumnValue, FieldError};
use crate::orm::aggregate::in_column;
use crate::orm::find::{Find, Parts};
use crate::query::column::{Candidates, Filter, Same};
use crate::query::expr::Expr;
use crate::query::measure::Columns;
use crate::query::projection::Projection;
use crate::query::selection::Selection;
use crate::query::subquery::{Inner, Local, Within};
use crate::schema::Entity;
use crate::tables::Tables;
use crate::value::ValueRef;

/// Makes what is wanted of a row's values; the error says which value is wrong.
type Decode<V> = fn(&[ValueRef<'_>]) -> Result<V, (usize, FieldError)>;

/// Some columns of the records of a query, made into a `V`: see [`Find::select`] and [`Find::select_as`].
#[must_use = "a query does nothing until all, first or count is called"]
pub struct Select<T, V> {
    find: Find<T>,
    /// Positions in the struct's schema.
    columns: Vec<usize>,
    decode: Decode<V>,
    distinct: bool,
}

impl<T: Entity> Find<T> {
    /// Reads only a column, or a tuple of columns, of each record. What is not asked for is not decoded.
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// # use discobase::{Database, Result, Table};
    /// #[derive(Table)]
    /// # #[table(crate = "discobase_core")]
    /// struct User {
    ///     #[table(key)]
    ///     id: u64,
    ///     name: String,
    ///     points: i64,
    /// }
    ///
    /// # async fn run(db: &Database) -> Result<()> {
    /// let best: Vec<(String, i64)> =
    ///     User::find(db).order_by(|u| u.points.desc()).limit(3).select(|u| (u.name, u.points)).all().await?;
    /// let names: Vec<String> = User::find(db).select(|u| u.name).distinct().all().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn select<C: Columns<T>>(self, columns: impl FnOnce(T::Columns) -> C) -> Select<T, C::Values> {
        let columns = columns(T::columns()).positions();
        Select { find: self, columns, decode: C::values, distinct: false }
    }

    /// Reads only the columns that are fields of a struct with `#[derive(Projection)]`.
    pub fn select_as<P: Projection<Table = T>>(self) -> Select<T, P> {
        Select { find: self, columns: P::positions(), decode: P::project, distinct: false }
    }
}

impl<T: Entity, V: Send> Select<T, V> {
    /// Each combination of values once, where it comes first in the order of the records. Limit and offset count what is
    /// left.
    pub fn distinct(mut self) -> Self {
        self.distinct = true;
        self
    }

    /// The values, in the order of the records.
    ///
    /// # Errors
    /// As [`Find::all`].
    pub fn all(self) -> impl Future<Output = Result<Vec<V>>> + Send {
        let Self { find, columns, decode, distinct } = self;
        let found = find.on_table(move |reading, query, table| {
            let (mut found, mut failed) = (Vec::new(), None);
            selection(reading.handle, &columns, distinct).each(query, table, |values| match decode(values) {
                Ok(values) => {
                    found.push(values);
                    ControlFlow::Continue(())
                }
                Err(wrong) => {
                    failed = Some(wrong);
                    ControlFlow::Break(())
                }
            });
            failed.map_or(Ok(found), |(place, error)| {
                let error = Error::new(ErrorKind::Invalid, error.to_string());
                Err(in_column::<T>(error, columns.get(place).copied().unwrap_or(usize::MAX)))
            })
        });
        found.map_ok(Option::unwrap_or_default)
    }

    /// The values of the first record, or `None`.
    ///
    /// # Errors
    /// As [`Find::all`].
    pub fn first(mut self) -> impl Future<Output = Result<Option<V>>> + Send {
        self.find = self.find.limit(1);
        self.all().map_ok(|mut values| values.pop())
    }

    /// How many there are: as many as records, or, if they are to be distinct, combinations of values.
    ///
    /// # Errors
    /// As [`Find::all`].
    pub fn count(self) -> impl Future<Output = Result<usize>> + Send {
        let Self { find, columns, distinct, .. } = self;
        let counted = find.on_table(move |reading, query, table| {
            if !distinct {
                return Ok(query.count(table));
            }
            let mut count = 0;
            selection(reading.handle, &columns, true).each(query, table, |_| {
                count += 1;
                ControlFlow::Continue(())
            });
            Ok(count)
        });
        counted.map_ok(Option::unwrap_or_default)
    }
}

fn selection(handle: &Handle, columns: &[usize], distinct: bool) -> Selection {
    Selection::new(columns.iter().map(|&position| handle.column(position)).collect(), distinct)
}

impl<U: Entity, W: ColumnValue + Same<V>, V> Candidates<V> for Select<U, W> {
    fn among<T>(self, position: usize) -> Filter<T> {
        let Self { find, columns, distinct, .. } = self;
        let (database, parts) = find.into_parts();
        let inner = Subquery::<U> {
            database: Some(database),
            parts,
            columns,
            distinct,
            table: std::marker::PhantomData,
        };
        Filter::new(Expr::Within(position, Within::new(inner)))
    }
}

/// The condition that a column has a value which the column `select` of a record of `U` has that satisfies all filters.
pub(super) fn within<U: Entity>(column: usize, select: usize, filters: Vec<Expr>) -> Expr {
    let parts = Parts::of(filters);
    let (columns, table) = (vec![select], std::marker::PhantomData);
    Expr::Within(
        column,
        Within::new(Subquery::<U> { database: None, parts, columns, distinct: false, table }),
    )
}

/// A query whose one column is what a column of another query is one of.
struct Subquery<U> {
    database: Option<usize>,
    parts: Parts,
    columns: Vec<usize>,
    distinct: bool,
    table: std::marker::PhantomData<fn() -> U>,
}

impl<U: Entity> Inner for Subquery<U> {
    fn local(&self, tables: &Tables) -> Result<Local> {
        let name = U::SCHEMA.name;
        let slot = tables.named(name).ok_or_else(|| {
            let text = "a query inside of a condition is one of a table that the database does not have: register it with \
                        db.table::<T>() before connecting";
            Error::new(ErrorKind::UnknownTable, text).in_table(name)
        })?;
        let handle = Handle::new(&Registered::new::<U>(), slot.def())?;
        let query = self.parts.clone().query(&handle);
        Ok(Local { table: handle.id, query, selection: selection(&handle, &self.columns, self.distinct) })
    }

    fn database(&self) -> Option<usize> {
        self.database
    }
}

impl<U: Entity> fmt::Debug for Subquery<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subquery")
            .field("table", &U::SCHEMA.name)
            .field("query", &self.parts)
            .field("columns", &self.columns)
            .field("distinct", &self.distinct)
            .finish_non_exhaustive()
    }
}

impl<T, V> Clone for Select<T, V> {
    fn clone(&self) -> Self {
        let Self { find, columns, decode, distinct } = self;
        Self { find: find.clone(), columns: columns.clone(), decode: *decode, distinct: *distinct }
    }
}

impl<T, V> fmt::Debug for Select<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select")
            .field("find", &self.find)
            .field("columns", &self.columns)
            .field("distinct", &self.distinct)
            .finish_non_exhaustive()
    }
}

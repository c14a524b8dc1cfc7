//! What a query says of all its records at once.

use std::future::{Future, ready};

use futures_util::TryFutureExt as _;

use crate::error::{Error, ErrorKind, Result};
use crate::field::{ColumnType, FieldError};
use crate::orm::find::Find;
use crate::orm::group::{Grouped, Shape};
use crate::query::aggregate::Ask;
use crate::query::column::Column;
use crate::query::measure::{self, Aggregates, Columns, Present, Summed};
use crate::schema::Entity;
use crate::value::Value;

impl<T: Entity> Find<T> {
    /// Whether any record matches.
    ///
    /// # Errors
    /// As [`Find::all`].
    pub fn exists(self) -> impl Future<Output = Result<bool>> + Send {
        self.limit(1).count().map_ok(|count| count > 0)
    }

    /// The sum of a column; 0 if no record matches, so it is no `Option`. See [`aggregate::sum`](crate::aggregate::sum).
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// # use discobase::{Database, Result, Table};
    /// # #[derive(Table)]
    /// # #[table(crate = "discobase_core")]
    /// # struct Sale { #[table(key)] id: u64, euros: i32 }
    /// # async fn run(db: &Database) -> Result<()> {
    /// let euros: i64 = Sale::find(db).sum(|s| s.euros).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Arithmetic` when the sum does not fit; otherwise as [`Find::all`].
    pub fn sum<V: Summed>(
        self,
        column: impl FnOnce(T::Columns) -> Column<T, V>,
    ) -> impl Future<Output = Result<V::Sum>> + Send {
        self.aggregate(|columns| measure::sum(column(columns)))
    }

    /// The average of a column; `None` if no record that matches has a value in it.
    ///
    /// # Errors
    /// As [`Find::all`].
    pub fn avg<V: Summed>(
        self,
        column: impl FnOnce(T::Columns) -> Column<T, V>,
    ) -> impl Future<Output = Result<Option<f64>>> + Send {
        self.aggregate(|columns| measure::avg(column(columns)))
    }

    /// The least value of a column; `None` if no record that matches has a value in it.
    ///
    /// # Errors
    /// As [`Find::all`].
    pub fn min<V: Present>(
        self,
        column: impl FnOnce(T::Columns) -> Column<T, V>,
    ) -> impl Future<Output = Result<Option<V::Value>>> + Send {
        self.aggregate(|columns| measure::min(column(columns)))
    }

    /// The greatest value of a column; `None` if no record that matches has a value in it.
    ///
    /// # Errors
    /// As [`Find::all`].
    pub fn max<V: Present>(
        self,
        column: impl FnOnce(T::Columns) -> Column<T, V>,
    ) -> impl Future<Output = Result<Option<V::Value>>> + Send {
        self.aggregate(|columns| measure::max(column(columns)))
    }

    /// Answers questions about all records that match, limit and offset counted in: one question, or a tuple of up to
    /// eight.
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// use discobase::aggregate::{avg, count, max};
    /// use discobase::{Database, Result, Table};
    ///
    /// #[derive(Table)]
    /// # #[table(crate = "discobase_core")]
    /// struct User {
    ///     #[table(key)]
    ///     id: u64,
    ///     points: i64,
    /// }
    ///
    /// # async fn run(db: &Database) -> Result<()> {
    /// let (users, best, average) =
    ///     User::find(db).aggregate(|u| (count(), max(u.points), avg(u.points))).await?;
    /// # let _: (u64, Option<i64>, Option<f64>) = (users, best, average);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Arithmetic` when a sum does not fit; otherwise as [`Find::all`].
    pub fn aggregate<A: Aggregates<T>>(
        self,
        ask: impl FnOnce(T::Columns) -> A,
    ) -> impl Future<Output = Result<A::Answers>> + Send {
        let asks = ask(T::columns()).asks();
        let shape = Shape::new(Vec::new(), asks.clone());
        let answers = move |values: &[Value]| {
            A::answers(values).map_err(|(place, error)| unanswered::<T>(&asks, place, &error))
        };
        let of_nothing = (answers.clone(), nothing::<T>(&shape));
        let groups = self.grouped(shape, move |group| answers(&group.answers));
        groups.and_then(move |groups| {
            let (answers, nothing) = of_nothing;
            ready(groups.into_iter().next().map_or_else(|| answers(&nothing), Ok))
        })
    }

    /// Groups the records that match by the values of a column, or of a tuple of columns. `None` is a value like others
    /// here: the records that hold it are a group.
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// use discobase::aggregate::{count, sum};
    /// use discobase::{Database, Result, Table};
    ///
    /// #[derive(Table)]
    /// # #[table(crate = "discobase_core")]
    /// struct User {
    ///     #[table(key)]
    ///     id: u64,
    ///     guild: u64,
    ///     points: i64,
    /// }
    ///
    /// # async fn run(db: &Database) -> Result<()> {
    /// // The ten guilds with the most points, of those with five users or more.
    /// let best: Vec<(u64, (u64, i64))> = User::find(db)
    ///     .group_by(|u| u.guild)
    ///     .having(|_| count().ge(5))
    ///     .order_by(|u| sum(u.points).desc())
    ///     .limit(10)
    ///     .aggregate(|u| (count(), sum(u.points)))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn group_by<K: Columns<T>>(self, by: impl FnOnce(T::Columns) -> K) -> Grouped<T, K> {
        Grouped::new(self, by(T::columns()).positions())
    }
}

/// The answers about a table that is not there yet.
fn nothing<T: Entity>(shape: &Shape) -> Vec<Value> {
    let is_float = |position: usize| {
        T::SCHEMA.columns.get(position).is_some_and(|column| matches!(column.ty, ColumnType::Float { .. }))
    };
    let answer = |ask: &Ask| match *ask {
        Ask::Rows | Ask::Present(_) => Value::Int(0),
        Ask::Sum(position) if is_float(position) => Value::Float(0.0),
        Ask::Sum(_) => Value::Int(0),
        Ask::Average(_) | Ask::Least(_) | Ask::Greatest(_) => Value::Null,
    };
    shape.asks().iter().map(answer).collect()
}

/// The error for an answer that is none of its type: a sum that is too large, or a value that no program wrote.
pub(super) fn unanswered<T: Entity>(asks: &[Ask], place: usize, error: &FieldError) -> Error {
    let ask = asks.get(place);
    let error = match ask {
        Some(Ask::Sum(_)) => {
            let text =
                format!("the sum does not fit its type: {error}; add up fewer records, or ask for `avg`");
            Error::new(ErrorKind::Arithmetic, text)
        }
        _ => Error::new(ErrorKind::Invalid, error.to_string()),
    };
    match ask.and_then(|ask| ask.column()) {
        Some(position) => in_column::<T>(error, position),
        None => error.in_table(T::SCHEMA.name),
    }
}

/// Names the table and the column.
pub(super) fn in_column<T: Entity>(error: Error, position: usize) -> Error {
    error.in_table(T::SCHEMA.name).in_field(T::SCHEMA.columns.get(position).map_or("?", |column| column.name))
}

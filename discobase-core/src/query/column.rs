//! Typed columns and filters: what the closures of `filter` and `order_by` are written with.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};

use crate::field::{ColumnValue, Indexable, NotOption, TextValue};
use crate::query::expr::{Compare, Expr};
use crate::value::{Value, ValueRef};

/// One column of the table `T`, whose field has the type `V`.
///
/// `#[derive(Table)]` makes one for each field; a query's closure is handed all of them:
///
/// ```ignore
/// User::find(&db).filter(|u| u.points.gt(3)).order_by(|u| u.points.desc())
/// ```
pub struct Column<T, V> {
    position: usize,
    name: &'static str,
    types: PhantomData<fn() -> (T, V)>,
}

/// Stands for a column that keeps a `V` as JSON: it can't be compared or sorted by.
#[derive(Debug)]
pub struct Json<V>(PhantomData<fn() -> V>);

/// A value that a column of `V` can be compared with: a `V`; `&str` for text; a `V` for an `Option<V>`.
#[diagnostic::on_unimplemented(
    message = "a column of `{V}` can't be compared with `{Self}`",
    label = "not a `{V}`"
)]
pub trait Operand<V> {
    /// The value.
    fn into_value(self) -> Value;

    /// Lends the value.
    #[doc(hidden)]
    #[inline]
    fn with_value<R>(self, work: impl FnOnce(ValueRef<'_>) -> R) -> R
    where
        Self: Sized,
    {
        work(self.into_value().as_ref())
    }
}

impl<V: ColumnValue> Operand<V> for V {
    fn into_value(self) -> Value {
        self.as_value().to_value()
    }

    #[inline]
    fn with_value<R>(self, work: impl FnOnce(ValueRef<'_>) -> R) -> R {
        work(self.as_value())
    }
}

impl<V: ColumnValue> Operand<V> for &V {
    fn into_value(self) -> Value {
        self.as_value().to_value()
    }

    #[inline]
    fn with_value<R>(self, work: impl FnOnce(ValueRef<'_>) -> R) -> R {
        work(self.as_value())
    }
}

impl Operand<String> for &str {
    fn into_value(self) -> Value {
        Value::Text(self.to_owned())
    }

    #[inline]
    fn with_value<R>(self, work: impl FnOnce(ValueRef<'_>) -> R) -> R {
        work(ValueRef::Text(self))
    }
}

impl Operand<Option<String>> for &str {
    fn into_value(self) -> Value {
        Value::Text(self.to_owned())
    }
}

impl Operand<Vec<u8>> for &[u8] {
    fn into_value(self) -> Value {
        Value::Bytes(self.to_owned())
    }
}

impl<V: Indexable> Operand<Option<V>> for V
where
    Option<V>: ColumnValue,
{
    fn into_value(self) -> Value {
        self.as_value().to_value()
    }
}

/// What a column of `V` can be one of: a list of values, or what another query selects.
#[diagnostic::on_unimplemented(
    message = "a column of `{V}` can't be one of `{Self}`",
    label = "neither values of `{V}` nor a query that selects them",
    note = "give a list of values, or `Other::find(&db).select(|o| o.column)` where the column is a `{V}` or an Option of it"
)]
pub trait Candidates<V> {
    /// The condition that the column at a position holds one.
    #[doc(hidden)]
    fn among<T>(self, position: usize) -> Filter<T>;
}

impl<V, I> Candidates<V> for I
where
    I: IntoIterator,
    I::Item: Operand<V>,
{
    fn among<T>(self, position: usize) -> Filter<T> {
        let mut values: Vec<Value> = self.into_iter().map(Operand::into_value).collect();
        values.sort();
        values.dedup();
        Filter::new(Expr::In(position, values))
    }
}

/// Types whose values are the same but for one of them having `None`.
pub trait Same<V> {}

impl<V: ColumnValue> Same<V> for V {}
impl<V: NotOption> Same<Option<V>> for V {}
impl<V: NotOption> Same<V> for Option<V> {}

impl<T, V> Column<T, V> {
    /// The column at `position` of the table's schema. Generated code calls this.
    #[must_use]
    pub const fn new(position: usize, name: &'static str) -> Self {
        Self { position, name, types: PhantomData }
    }

    /// The column's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Its position in the table's schema.
    #[must_use]
    pub const fn position(self) -> usize {
        self.position
    }
}

// Bounds are on the functions, so that a column that does not meet one gets the bound's own message.
impl<T, V> Column<T, V> {
    fn compare(self, op: Compare, operand: impl Operand<V>) -> Filter<T>
    where
        V: Indexable,
    {
        Filter::new(Expr::Compare(self.position, op, operand.into_value()))
    }

    /// Equal. Floats compare by `total_cmp`, so NaN equals itself; `None` equals `None`.
    #[must_use]
    pub fn eq(self, operand: impl Operand<V>) -> Filter<T>
    where
        V: Indexable,
    {
        self.compare(Compare::Eq, operand)
    }

    /// Not equal.
    #[must_use]
    pub fn ne(self, operand: impl Operand<V>) -> Filter<T>
    where
        V: Indexable,
    {
        self.compare(Compare::Ne, operand)
    }

    /// Less than. `None` is less than every value, as in Rust.
    #[must_use]
    pub fn lt(self, operand: impl Operand<V>) -> Filter<T>
    where
        V: Indexable,
    {
        self.compare(Compare::Lt, operand)
    }

    /// Less than or equal.
    #[must_use]
    pub fn le(self, operand: impl Operand<V>) -> Filter<T>
    where
        V: Indexable,
    {
        self.compare(Compare::Le, operand)
    }

    /// Greater than.
    #[must_use]
    pub fn gt(self, operand: impl Operand<V>) -> Filter<T>
    where
        V: Indexable,
    {
        self.compare(Compare::Gt, operand)
    }

    /// Greater than or equal.
    #[must_use]
    pub fn ge(self, operand: impl Operand<V>) -> Filter<T>
    where
        V: Indexable,
    {
        self.compare(Compare::Ge, operand)
    }

    /// Between two values, both included.
    #[must_use]
    pub fn between(self, low: impl Operand<V>, high: impl Operand<V>) -> Filter<T>
    where
        V: Indexable,
    {
        self.ge(low).and(self.le(high))
    }

    /// One of the values; of none, if there are none. The values are given, or what another query selects:
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// # use discobase::{Database, Record, Result, Table};
    /// # #[derive(Debug, Table)]
    /// # #[table(crate = "discobase_core")]
    /// # struct User { #[table(key)] id: u64 }
    /// # #[derive(Debug, Table)]
    /// # #[table(crate = "discobase_core")]
    /// # struct Order { #[table(key)] id: u64, user: u64, paid: bool }
    /// # async fn run(db: Database) -> Result<Vec<Record<User>>> {
    /// let unpaid = Order::find(&db).filter(|o| o.paid.eq(false)).select(|o| o.user);
    /// User::find(&db).filter(|u| u.id.is_in(unpaid)).all().await
    /// # }
    /// ```
    ///
    /// The inner query is evaluated in the state that the outer one reads, or that an update or a delete finds when it is
    /// committed, whatever source of the same database it was begun with.
    ///
    /// `None` is a value like others: it is in a list that has it.
    #[must_use]
    pub fn is_in(self, candidates: impl Candidates<V>) -> Filter<T>
    where
        V: Indexable,
    {
        candidates.among(self.position)
    }

    /// None of the values, which are given as for [`Column::is_in`]. Unlike SQL's `NOT IN`, which finds nothing as soon as
    /// there is one null on either side, it is the opposite of `is_in`: a `None` among the values leaves out the rows that
    /// hold `None`, and no others.
    #[must_use]
    pub fn not_in(self, candidates: impl Candidates<V>) -> Filter<T>
    where
        V: Indexable,
    {
        !self.is_in(candidates)
    }

    /// The lowest values first; rows with equal values in the order they were saved.
    #[must_use]
    pub fn asc(self) -> Order<T>
    where
        V: Indexable,
    {
        Order::new(self.position, false)
    }

    /// The highest values first; rows with equal values in the order they were saved.
    #[must_use]
    pub fn desc(self) -> Order<T>
    where
        V: Indexable,
    {
        Order::new(self.position, true)
    }
}

impl<T, V: Indexable> Column<T, Option<V>>
where
    Option<V>: ColumnValue,
{
    /// Holds `None`.
    #[must_use]
    pub fn is_null(self) -> Filter<T> {
        Filter::new(Expr::Compare(self.position, Compare::Eq, Value::Null))
    }

    /// Holds a value.
    #[must_use]
    pub fn is_not_null(self) -> Filter<T> {
        Filter::new(Expr::Compare(self.position, Compare::Ne, Value::Null))
    }
}

impl<T, V> Column<T, V> {
    /// Contains the text somewhere; case matters.
    #[must_use]
    pub fn contains(self, text: impl Into<String>) -> Filter<T>
    where
        V: TextValue,
    {
        Filter::new(Expr::Contains(self.position, text.into()))
    }

    /// Starts with the text; case matters.
    #[must_use]
    pub fn starts_with(self, text: impl Into<String>) -> Filter<T>
    where
        V: TextValue,
    {
        Filter::new(Expr::StartsWith(self.position, text.into()))
    }
}

// Not derived, because a derive would ask `T` and `V` for what only the markers stand for.
impl<T, V> Clone for Column<T, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V> Copy for Column<T, V> {}

impl<T, V> fmt::Debug for Column<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Column").field(&self.name).finish()
    }
}

/// A condition on the rows of the table `T`. Combine with `and`, `or`, `not`, or with `&`, `|`, `!`.
pub struct Filter<T> {
    pub(crate) expr: Expr,
    table: PhantomData<fn() -> T>,
}

impl<T> Filter<T> {
    pub(crate) fn new(expr: Expr) -> Self {
        Self { expr, table: PhantomData }
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::new(self.expr.and(other.expr))
    }

    /// At least one holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::new(self.expr.or(other.expr))
    }
}

impl<T> Not for Filter<T> {
    type Output = Self;

    /// It does not hold.
    fn not(self) -> Self {
        Self::new(self.expr.not())
    }
}

impl<T> BitAnd for Filter<T> {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.and(other)
    }
}

impl<T> BitOr for Filter<T> {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

impl<T> Clone for Filter<T> {
    fn clone(&self) -> Self {
        Self::new(self.expr.clone())
    }
}

impl<T> fmt::Debug for Filter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

/// An order of the rows of the table `T`.
pub struct Order<T> {
    pub(crate) position: usize,
    pub(crate) descending: bool,
    table: PhantomData<fn() -> T>,
}

impl<T> Order<T> {
    pub(crate) fn new(position: usize, descending: bool) -> Self {
        Self { position, descending, table: PhantomData }
    }
}

impl<T> Clone for Order<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Order<T> {}

impl<T> fmt::Debug for Order<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("position", &self.position)
            .field("descending", &self.descending)
            .finish()
    }
}

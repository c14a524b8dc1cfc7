//! Typed questions about many rows: what the closures of `aggregate`, `group_by` and `having` are written with.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};

use crate::field::{ColumnValue, FieldError, Indexable, NotOption};
use crate::query::aggregate::Ask;
use crate::query::column::{Column, Order};
use crate::query::expr::{Compare, Expr};
use crate::value::{Value, ValueRef};

mod tuples;

pub use tuples::{Aggregates, Columns};

/// A question about many rows of the table `T`, whose answer is an `A`: [`count()`], or of a column [`sum`], [`avg`],
/// [`min`], [`max`], [`present`].
pub struct Aggregate<T, A> {
    pub(crate) ask: Ask,
    types: PhantomData<fn() -> (T, A)>,
}

/// How many rows there are.
#[must_use]
pub fn count<T>() -> Aggregate<T, u64> {
    Aggregate::new(Ask::Rows)
}

/// How many rows have a value in a column: those that hold `None` don't count.
#[must_use]
pub fn present<T, V>(column: Column<T, V>) -> Aggregate<T, u64> {
    Aggregate::new(Ask::Present(column.position()))
}

/// The sum of a column; 0 of no rows. `None` adds nothing.
///
/// Integers are added exactly, and the answer is an `i64` or a `u64`; where the sum does not fit it, asking for it is the
/// error `Arithmetic`. Floats are added with a compensation of what each addition loses, as `f64`: what is left of the
/// error is about that of the last rounding, whatever the number of rows. A NaN among them makes the sum NaN.
#[must_use]
pub fn sum<T, V: Summed>(column: Column<T, V>) -> Aggregate<T, V::Sum> {
    Aggregate::new(Ask::Sum(column.position()))
}

/// The average of the values that are there; `None` if there are none. Integers are added exactly before the division.
#[must_use]
pub fn avg<T, V: Summed>(column: Column<T, V>) -> Aggregate<T, Option<f64>> {
    Aggregate::new(Ask::Average(column.position()))
}

/// The least of the values that are there; `None` if there are none.
#[must_use]
pub fn min<T, V: Present>(column: Column<T, V>) -> Aggregate<T, Option<V::Value>> {
    Aggregate::new(Ask::Least(column.position()))
}

/// The greatest of the values that are there; `None` if there are none.
#[must_use]
pub fn max<T, V: Present>(column: Column<T, V>) -> Aggregate<T, Option<V::Value>> {
    Aggregate::new(Ask::Greatest(column.position()))
}

/// What the answer to a question can be.
pub trait Answer: Sized + Send {
    /// What it is compared with.
    type Operand;

    #[doc(hidden)]
    fn operand(operand: Self::Operand) -> Value;

    #[doc(hidden)]
    fn answer(value: &Value) -> Result<Self, FieldError>;
}

/// A column type that is a number, or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be added up",
    label = "not a number",
    note = "`sum` and `avg` need a column of integers, of f32 or f64, or of an Option of these"
)]
pub trait Summed: ColumnValue {
    /// The type of the sum: `i64` for signed integers, `u64` for unsigned ones, `f64` for floats.
    type Sum: Answer;
}

/// A column type that orders, and what it is when it is there: the type itself, or what an `Option` holds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no least and no greatest value",
    label = "not a type that orders",
    note = "`min` and `max` need a column type that can be compared; JSON can't"
)]
pub trait Present: Indexable {
    /// What is there.
    type Value: ColumnValue + NotOption + Send;
}

impl<V: Indexable + NotOption + Send> Present for V {
    type Value = V;
}

impl<V: Indexable + NotOption + Send> Present for Option<V> {
    type Value = V;
}

macro_rules! summed {
    ($($sum:ty: $($type:ty),*;)*) => {$($(
        impl Summed for $type {
            type Sum = $sum;
        }
        impl Summed for Option<$type> {
            type Sum = $sum;
        }
    )*)*};
}

summed! {
    i64: i8, i16, i32, i64;
    u64: u8, u16, u32, u64;
    f64: f32, f64;
}

macro_rules! answers {
    ($($type:ty),*) => {$(
        impl Answer for $type {
            type Operand = Self;

            fn operand(operand: Self) -> Value {
                operand.as_value().to_value()
            }

            fn answer(value: &Value) -> Result<Self, FieldError> {
                Self::decode(value.as_ref())
            }
        }
    )*};
}

answers!(i64, u64, f64);

impl<V: ColumnValue + NotOption + Send> Answer for Option<V> {
    type Operand = V;

    fn operand(operand: V) -> Value {
        operand.as_value().to_value()
    }

    fn answer(value: &Value) -> Result<Self, FieldError> {
        match value.as_ref() {
            ValueRef::Null => Ok(None),
            value => V::decode(value).map(Some),
        }
    }
}

/// A condition on the answers to questions: of `having`. Combine with `and`, `or`, `not`, or with `&`, `|`, `!`.
pub struct Condition<T> {
    /// What the columns of the expression are places in.
    pub(crate) asks: Vec<Ask>,
    pub(crate) expr: Expr,
    table: PhantomData<fn() -> T>,
}

impl<T> Condition<T> {
    pub(crate) fn new(asks: Vec<Ask>, expr: Expr) -> Self {
        Self { asks, expr, table: PhantomData }
    }

    fn join(mut self, other: Self, join: fn(Expr, Expr) -> Expr) -> Self {
        let (mut expr, behind) = (other.expr, self.asks.len());
        expr.map_columns(&|place| place + behind);
        self.asks.extend(other.asks);
        Self::new(self.asks, join(self.expr, expr))
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.join(other, Expr::and)
    }

    /// At least one holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.join(other, Expr::or)
    }
}

impl<T> Not for Condition<T> {
    type Output = Self;

    /// It does not hold.
    fn not(self) -> Self {
        Self::new(self.asks, self.expr.not())
    }
}

impl<T> BitAnd for Condition<T> {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        self.and(other)
    }
}

impl<T> BitOr for Condition<T> {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

/// An order of groups: by an answer, or by a column that they are grouped by.
pub struct GroupOrder<T> {
    pub(crate) by: GroupedBy,
    pub(crate) descending: bool,
    table: PhantomData<fn() -> T>,
}

/// What groups are sorted by: a position in the struct's schema, or a question.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GroupedBy {
    Column(usize),
    Ask(Ask),
}

impl<T> From<Order<T>> for GroupOrder<T> {
    fn from(order: Order<T>) -> Self {
        let Order { position, descending, .. } = order;
        Self { by: GroupedBy::Column(position), descending, table: PhantomData }
    }
}

impl<T, A> Aggregate<T, A> {
    pub(crate) fn new(ask: Ask) -> Self {
        Self { ask, types: PhantomData }
    }

    /// The groups with the lowest answers first.
    #[must_use]
    pub fn asc(self) -> GroupOrder<T> {
        GroupOrder { by: GroupedBy::Ask(self.ask), descending: false, table: PhantomData }
    }

    /// The groups with the highest answers first.
    #[must_use]
    pub fn desc(self) -> GroupOrder<T> {
        GroupOrder { by: GroupedBy::Ask(self.ask), descending: true, table: PhantomData }
    }
}

impl<T, A: Answer> Aggregate<T, A> {
    fn compare(self, op: Compare, operand: A::Operand) -> Condition<T> {
        Condition::new(vec![self.ask], Expr::Compare(0, op, A::operand(operand)))
    }

    /// The answer is this.
    #[must_use]
    pub fn eq(self, operand: A::Operand) -> Condition<T> {
        self.compare(Compare::Eq, operand)
    }

    /// The answer is something else.
    #[must_use]
    pub fn ne(self, operand: A::Operand) -> Condition<T> {
        self.compare(Compare::Ne, operand)
    }

    /// The answer is less. `None` is less than every value, as in a filter.
    #[must_use]
    pub fn lt(self, operand: A::Operand) -> Condition<T> {
        self.compare(Compare::Lt, operand)
    }

    /// The answer is less or equal.
    #[must_use]
    pub fn le(self, operand: A::Operand) -> Condition<T> {
        self.compare(Compare::Le, operand)
    }

    /// The answer is greater.
    #[must_use]
    pub fn gt(self, operand: A::Operand) -> Condition<T> {
        self.compare(Compare::Gt, operand)
    }

    /// The answer is greater or equal.
    #[must_use]
    pub fn ge(self, operand: A::Operand) -> Condition<T> {
        self.compare(Compare::Ge, operand)
    }
}

impl<T, V: ColumnValue + NotOption + Send> Aggregate<T, Option<V>> {
    /// There is no answer: no row has a value.
    #[must_use]
    pub fn is_null(self) -> Condition<T> {
        Condition::new(vec![self.ask], Expr::Compare(0, Compare::Eq, Value::Null))
    }

    /// There is an answer.
    #[must_use]
    pub fn is_not_null(self) -> Condition<T> {
        Condition::new(vec![self.ask], Expr::Compare(0, Compare::Ne, Value::Null))
    }
}

// Not derived, because a derive would ask `T` and `A` for what only the markers stand for.
impl<T, A> Clone for Aggregate<T, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, A> Copy for Aggregate<T, A> {}

impl<T, A> fmt::Debug for Aggregate<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ask.fmt(f)
    }
}

impl<T> Clone for Condition<T> {
    fn clone(&self) -> Self {
        Self::new(self.asks.clone(), self.expr.clone())
    }
}

impl<T> fmt::Debug for Condition<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition").field("asks", &self.asks).field("expr", &self.expr).finish()
    }
}

impl<T> Clone for GroupOrder<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for GroupOrder<T> {}

impl<T> fmt::Debug for GroupOrder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupOrder")
            .field("by", &self.by)
            .field("descending", &self.descending)
            .finish_non_exhaustive()
    }
}

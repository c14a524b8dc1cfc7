//! Typed expressions: what the closures of an update give for a column's new value.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Add, Div, Mul, Neg, Not, Rem, Sub};

use twilight_model::util::Timestamp;

use crate::field::{ColumnValue, Indexable, NotOption, TextValue};
use crate::query::column::{Column, Filter, Operand};
use crate::query::program::{Number, Operator, Program, Step, TextStep};
use crate::value::Value;

/// A value of type `V` that is worked out from the columns of a row of `T`, when the commit is made.
///
/// Columns are expressions, and so are values of their type. An `Option` column takes expressions of its inner type,
/// too. What is calculated with a null is null; integers are calculated exactly, and a result that does not fit its
/// column is an error, never another number.
///
/// ```no_run
/// # use discobase_core as discobase;
/// use discobase::{Database, Result, Table, update, when};
///
/// #[derive(Table)]
/// # #[table(crate = "discobase_core")]
/// struct User {
///     #[table(key)]
///     id: u64,
///     name: String,
///     points: i64,
///     bonus: Option<i64>,
/// }
///
/// # async fn run(db: &Database) -> Result<()> {
/// update::<User>()
///     .filter(|u| u.points.lt(1_000))
///     .set(|u| u.points, |u| u.points * 2 + u.bonus.coalesce(0))
///     .set(|u| u.name, |u| u.name.trim().upper())
///     .set(|u| u.bonus, |u| when(u.points.gt(500), u.bonus + 10).otherwise(u.bonus))
///     .run(db)
///     .await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "an expression does nothing by itself"]
pub struct Expression<T, V> {
    pub(crate) program: Program,
    types: PhantomData<fn() -> (T, V)>,
}

/// What can stand where an expression of type `V` on rows of `T` is wanted: a column, an expression, a value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no expression of `{V}`",
    label = "not a `{V}`",
    note = "give a value of the column's type, a column of it, or an expression of it; `coalesce` makes an expression of \
            `V` from one of `Option<V>`, and `cast` changes the type of an integer"
)]
pub trait IntoExpression<T, V> {
    /// The expression.
    fn into_expression(self) -> Expression<T, V>;
}

/// A column type that can be calculated with: the integers, `f32`, `f64`, and `Option`s of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no number",
    note = "only integers, f32, f64 and Options of them can be calculated with"
)]
pub trait Calculable: ColumnValue {
    /// How.
    #[doc(hidden)]
    const NUMBER: Number;
}

/// A column type that has negative values.
#[diagnostic::on_unimplemented(message = "`{Self}` has no negative values")]
pub trait Signed: Calculable {}

/// An integer that is never null.
#[diagnostic::on_unimplemented(message = "`{Self}` is no integer", note = "an Option: use `coalesce` first")]
pub trait Integer: Calculable {}

/// A column type that `+` is for: numbers are added, texts are joined.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be added",
    note = "numbers are added, texts are joined"
)]
pub trait Addable: ColumnValue {
    /// What is done.
    #[doc(hidden)]
    const SUM: Option<Number>;
}

macro_rules! numbers {
    ($($type:ty => $number:ident),*) => {$(
        impl Calculable for $type {
            const NUMBER: Number = Number::$number;
        }
        impl Addable for $type {
            const SUM: Option<Number> = Some(Number::$number);
        }
    )*};
}

numbers! {
    i8 => Integer, i16 => Integer, i32 => Integer, i64 => Integer,
    u8 => Integer, u16 => Integer, u32 => Integer, u64 => Integer,
    f32 => Single, f64 => Double
}

macro_rules! marked {
    ($trait:ident: $($type:ty),*) => {$(impl $trait for $type {})*};
}

marked!(Signed: i8, i16, i32, i64, f32, f64);
marked!(Integer: i8, i16, i32, i64, u8, u16, u32, u64);

impl<V: Calculable + NotOption> Calculable for Option<V> {
    const NUMBER: Number = V::NUMBER;
}

impl<V: Signed + NotOption> Signed for Option<V> {}

impl<V: Addable + NotOption> Addable for Option<V> {
    const SUM: Option<Number> = V::SUM;
}

impl Addable for String {
    const SUM: Option<Number> = None;
}

impl<T, V> Expression<T, V> {
    pub(crate) fn new(program: Program) -> Self {
        Self { program, types: PhantomData }
    }
}

impl<T, V> IntoExpression<T, V> for Expression<T, V> {
    fn into_expression(self) -> Self {
        self
    }
}

impl<T, V: NotOption> IntoExpression<T, Option<V>> for Expression<T, V> {
    fn into_expression(self) -> Expression<T, Option<V>> {
        Expression::new(self.program)
    }
}

impl<T, V> IntoExpression<T, V> for Column<T, V> {
    fn into_expression(self) -> Expression<T, V> {
        Expression::new(Program(vec![Step::Column(self.position())]))
    }
}

impl<T, V: NotOption> IntoExpression<T, Option<V>> for Column<T, V> {
    fn into_expression(self) -> Expression<T, Option<V>> {
        Expression::new(Program(vec![Step::Column(self.position())]))
    }
}

macro_rules! constants {
    ($([$($generics:tt)*] $operand:ty => $of:ty),*) => {$(
        impl<T, $($generics)*> IntoExpression<T, $of> for $operand {
            fn into_expression(self) -> Expression<T, $of> {
                Expression::new(Program(vec![Step::Value(Operand::<$of>::into_value(self))]))
            }
        }
    )*};
}

// What an operand of a filter can be: it can't be said once of all operands, because others may add some.
constants! {
    [V: ColumnValue] V => V,
    [V: ColumnValue] &V => V,
    [V: Indexable + NotOption] V => Option<V>,
    [] &str => String,
    [] &str => Option<String>,
    [] &[u8] => Vec<u8>
}

/// The moment when the commit is made, by the clock of the machine that makes it. With the features `chrono`, `time` and
/// `jiff` it fits columns of these crates' times, too.
pub fn now<T>() -> Expression<T, Timestamp> {
    Expression::new(Program(vec![Step::Now]))
}

fn binary<T, V, W>(
    left: impl IntoExpression<T, V>,
    right: impl IntoExpression<T, V>,
    step: Step,
) -> Expression<T, W> {
    Expression::new(left.into_expression().program.then(right.into_expression().program).step(step))
}

fn unary<T, V, W>(of: impl IntoExpression<T, V>, step: Step) -> Expression<T, W> {
    Expression::new(of.into_expression().program.step(step))
}

/// If the left one gives null, the right one.
fn or_else<T, V, W>(left: impl IntoExpression<T, V>, right: Program) -> Expression<T, W> {
    let skipped = right.0.len();
    Expression::new(left.into_expression().program.step(Step::Coalesce(skipped)).then(right))
}

macro_rules! operators {
    ($of:ident: $($trait:ident $method:ident $operator:ident $what:literal),*) => {$(
        impl<T, V: Calculable, R: IntoExpression<T, V>> $trait<R> for $of<T, V> {
            type Output = Expression<T, V>;

            #[doc = $what]
            fn $method(self, right: R) -> Expression<T, V> {
                binary(self, right, Step::Calculate(Operator::$operator, V::NUMBER))
            }
        }
    )*};
}

macro_rules! expressions {
    ($($of:ident),*) => {$(
        operators! {
            $of:
            Sub sub Subtract "The difference of two numbers.",
            Mul mul Multiply "The product of two numbers.",
            Div div Divide "The quotient of two numbers; that of integers without its fraction, as in Rust.",
            Rem rem Remainder "The remainder of a division, with the sign of what is divided, as in Rust."
        }

        impl<T, V: Addable, R: IntoExpression<T, V>> Add<R> for $of<T, V> {
            type Output = Expression<T, V>;

            /// The sum of two numbers; of two texts, both one after the other.
            fn add(self, right: R) -> Expression<T, V> {
                let step = V::SUM.map_or(Step::Concat, |number| Step::Calculate(Operator::Add, number));
                binary(self, right, step)
            }
        }

        impl<T, V: Signed> Neg for $of<T, V> {
            type Output = Expression<T, V>;

            /// The number with the other sign.
            fn neg(self) -> Expression<T, V> {
                unary::<T, V, V>(self, Step::Negate)
            }
        }

        impl<T> Not for $of<T, bool> {
            type Output = Expression<T, bool>;

            /// The other one of `true` and `false`.
            fn not(self) -> Expression<T, bool> {
                unary::<T, bool, bool>(self, Step::Not)
            }
        }

        impl<T, V: Calculable> $of<T, V> {
            /// The greater of two numbers.
            pub fn max(self, other: impl IntoExpression<T, V>) -> Expression<T, V> {
                binary(self, other, Step::Extreme { greater: true })
            }

            /// The lesser of two numbers.
            pub fn min(self, other: impl IntoExpression<T, V>) -> Expression<T, V> {
                binary(self, other, Step::Extreme { greater: false })
            }
        }

        impl<T, V: Integer> $of<T, V> {
            /// The same integer as another integer type. If it does not fit, that is found when it is stored.
            pub fn cast<W: Integer>(self) -> Expression<T, W> {
                let expression: Expression<T, V> = self.into_expression();
                Expression::new(expression.program)
            }

            /// The nearest `f64`, as `as f64` gives it.
            pub fn to_f64(self) -> Expression<T, f64> {
                unary::<T, V, f64>(self, Step::Float)
            }
        }

        impl<T, V: NotOption> $of<T, V> {
            /// The same as an expression that could be null, to be combined with such.
            pub fn optional(self) -> Expression<T, Option<V>> {
                self.into_expression()
            }
        }

        impl<T, V: NotOption> $of<T, Option<V>> {
            /// The value, or another one where there is none. The other one is worked out only then.
            pub fn coalesce(self, other: impl IntoExpression<T, V>) -> Expression<T, V> {
                or_else::<T, Option<V>, V>(self, other.into_expression().program)
            }

            /// The value, or what another expression gives where there is none, which may be none, too.
            pub fn or(self, other: impl IntoExpression<T, Option<V>>) -> Expression<T, Option<V>> {
                or_else::<T, Option<V>, Option<V>>(self, other.into_expression().program)
            }
        }

        impl<T, V: TextValue> $of<T, V> {
            /// The text in lower case, as `str::to_lowercase` gives it: of every script, not of ASCII only.
            pub fn lower(self) -> Expression<T, V> {
                unary::<T, V, V>(self, Step::Text(TextStep::Lower))
            }

            /// The text in upper case, as `str::to_uppercase` gives it.
            pub fn upper(self) -> Expression<T, V> {
                unary::<T, V, V>(self, Step::Text(TextStep::Upper))
            }

            /// The text without white space at both ends, as `str::trim` gives it.
            pub fn trim(self) -> Expression<T, V> {
                unary::<T, V, V>(self, Step::Text(TextStep::Trim))
            }

            /// `length` characters from `start` on, of which the first is 0; fewer where the text ends.
            pub fn substr(self, start: usize, length: usize) -> Expression<T, V> {
                unary::<T, V, V>(self, Step::Text(TextStep::Part { start, length }))
            }

            /// The text with each `from` replaced, from left to right, as `str::replace` does it.
            pub fn replace(self, from: impl Into<String>, to: impl Into<String>) -> Expression<T, V> {
                let step = TextStep::Replace { from: from.into(), to: to.into() };
                unary::<T, V, V>(self, Step::Text(step))
            }
        }

        impl<T> $of<T, String> {
            /// How many characters the text has.
            pub fn length(self) -> Expression<T, i64> {
                unary::<T, String, i64>(self, Step::Text(TextStep::Length))
            }
        }

        impl<T> $of<T, Option<String>> {
            /// How many characters the text has.
            pub fn length(self) -> Expression<T, Option<i64>> {
                unary::<T, Option<String>, Option<i64>>(self, Step::Text(TextStep::Length))
            }
        }
    )*};
}

expressions!(Column, Expression);

/// A value where a condition holds; [`When::otherwise`] says what else. Only what is taken is worked out.
///
/// For an `Option` column one of the values has to be an `Option` itself, or [`When::otherwise_null`] the end, so that the
/// compiler knows which type is meant.
pub fn when<T, V>(condition: Filter<T>, value: impl IntoExpression<T, V>) -> When<T, V> {
    When { cases: Vec::new(), types: PhantomData }.when(condition, value)
}

/// Several conditions, each with a value: the first that holds counts.
#[must_use = "cases are no expression until `otherwise` ends them"]
pub struct When<T, V> {
    cases: Vec<(Filter<T>, Program)>,
    types: PhantomData<fn() -> V>,
}

impl<T, V> When<T, V> {
    /// One case more, for when none of those before holds.
    pub fn when(mut self, condition: Filter<T>, value: impl IntoExpression<T, V>) -> Self {
        self.cases.push((condition, value.into_expression().program));
        self
    }

    /// The value where no condition holds.
    pub fn otherwise(self, value: impl IntoExpression<T, V>) -> Expression<T, V> {
        let last = value.into_expression().program;
        let program = self.cases.into_iter().rev().fold(last, |rest, (condition, value)| {
            let first = Program(vec![Step::Unless(condition.expr, value.0.len() + 1)]);
            first.then(value).step(Step::Skip(rest.0.len())).then(rest)
        });
        Expression::new(program)
    }
}

impl<T, V: NotOption> When<T, Option<V>> {
    /// Null where no condition holds.
    pub fn otherwise_null(self) -> Expression<T, Option<V>> {
        self.otherwise(Expression::<T, Option<V>>::new(Program(vec![Step::Value(Value::Null)])))
    }
}

impl<T, V> Clone for Expression<T, V> {
    fn clone(&self) -> Self {
        Self::new(self.program.clone())
    }
}

impl<T, V> fmt::Debug for Expression<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.program.0).finish()
    }
}

impl<T, V> Clone for When<T, V> {
    fn clone(&self) -> Self {
        Self { cases: self.cases.clone(), types: PhantomData }
    }
}

impl<T, V> fmt::Debug for When<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("When").field(&self.cases).finish()
    }
}

//! Several questions and several columns at once, as tuples.

use serde::de::DeserializeOwned;

use super::{Aggregate, Answer};
use crate::field::{ColumnValue, FieldError};
use crate::query::aggregate::Ask;
use crate::query::column::{Column, Json};
use crate::value::{Value, ValueRef};

/// What is wrong with a value, and which of the values it is.
type Wrong = (usize, FieldError);

/// One question, or a tuple of up to eight.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no question about the rows of `{T}`",
    label = "not an aggregate",
    note = "give `count()`, `sum(u.points)`, `avg(…)`, `min(…)`, `max(…)` or `present(…)`, or a tuple of up to eight of these"
)]
pub trait Aggregates<T> {
    /// The answers.
    type Answers: Send;

    #[doc(hidden)]
    fn asks(&self) -> Vec<Ask>;

    #[doc(hidden)]
    fn answers(values: &[Value]) -> Result<Self::Answers, Wrong>;
}

/// One column, or a tuple of up to eight.
#[diagnostic::on_unimplemented(
    message = "`{Self}` are no columns of `{T}`",
    label = "not a column",
    note = "give a column, `|u| u.name`, or a tuple of up to eight, `|u| (u.name, u.points)`"
)]
pub trait Columns<T> {
    /// The values of a row in these columns.
    type Values: Send;

    #[doc(hidden)]
    fn positions(&self) -> Vec<usize>;

    #[doc(hidden)]
    fn values(values: &[ValueRef<'_>]) -> Result<Self::Values, Wrong>;
}

/// One column whose values can be read.
pub trait Readable<T> {
    /// What is read.
    type Value: Send;

    #[doc(hidden)]
    fn place(&self) -> usize;

    #[doc(hidden)]
    fn value(value: ValueRef<'_>) -> Result<Self::Value, FieldError>;
}

impl<T, V: ColumnValue + Send> Readable<T> for Column<T, V> {
    type Value = V;

    fn place(&self) -> usize {
        self.position()
    }

    fn value(value: ValueRef<'_>) -> Result<V, FieldError> {
        V::decode(value)
    }
}

impl<T, V: DeserializeOwned + Send> Readable<T> for Column<T, Json<V>> {
    type Value = V;

    fn place(&self) -> usize {
        self.position()
    }

    fn value(value: ValueRef<'_>) -> Result<V, FieldError> {
        crate::decode::from_json(value)
    }
}

fn at(values: &[Value], place: usize) -> &Value {
    values.get(place).unwrap_or(&Value::Null)
}

fn value_at<'a>(values: &[ValueRef<'a>], place: usize) -> ValueRef<'a> {
    values.get(place).copied().unwrap_or(ValueRef::Null)
}

impl<T, A: Answer> Aggregates<T> for Aggregate<T, A> {
    type Answers = A;

    fn asks(&self) -> Vec<Ask> {
        vec![self.ask]
    }

    fn answers(values: &[Value]) -> Result<A, Wrong> {
        A::answer(at(values, 0)).map_err(|error| (0, error))
    }
}

impl<T, V> Columns<T> for Column<T, V>
where
    Self: Readable<T>,
{
    type Values = <Self as Readable<T>>::Value;

    fn positions(&self) -> Vec<usize> {
        vec![self.position()]
    }

    fn values(values: &[ValueRef<'_>]) -> Result<Self::Values, Wrong> {
        Self::value(value_at(values, 0)).map_err(|error| (0, error))
    }
}

/// Questions of which only the running program knows how many there are: a list of as many answers.
impl<T> Aggregates<T> for Vec<Aggregate<T, Value>> {
    type Answers = Vec<Value>;

    fn asks(&self) -> Vec<Ask> {
        self.iter().map(|aggregate| aggregate.ask).collect()
    }

    fn answers(values: &[Value]) -> Result<Self::Answers, Wrong> {
        let answers = values.iter().enumerate();
        answers.map(|(place, value)| Value::answer(value).map_err(|error| (place, error))).collect()
    }
}

macro_rules! tuples {
    ($(($($name:ident $place:tt),*);)*) => {$(
        impl<T, $($name: Answer),*> Aggregates<T> for ($(Aggregate<T, $name>,)*) {
            type Answers = ($($name,)*);

            fn asks(&self) -> Vec<Ask> {
                vec![$(self.$place.ask),*]
            }

            fn answers(values: &[Value]) -> Result<Self::Answers, Wrong> {
                Ok(($($name::answer(at(values, $place)).map_err(|error| ($place, error))?,)*))
            }
        }

        impl<T, $($name: Readable<T>),*> Columns<T> for ($($name,)*) {
            type Values = ($($name::Value,)*);

            fn positions(&self) -> Vec<usize> {
                vec![$(self.$place.place()),*]
            }

            fn values(values: &[ValueRef<'_>]) -> Result<Self::Values, Wrong> {
                Ok(($($name::value(value_at(values, $place)).map_err(|error| ($place, error))?,)*))
            }
        }
    )*};
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
}

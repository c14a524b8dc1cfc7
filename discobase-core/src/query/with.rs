//! Fields of types that are no column types, kept as what a module makes of them.

use std::fmt;

use crate::field::{ColumnType, ColumnValue, FieldError, Indexable, KeyValue, TextValue};
use crate::query::column::Operand;
use crate::row::RowWriter;
use crate::value::{Value, ValueRef};

/// How a table converts its field at `POSITION`. The derive implements it for a field with `with`.
pub trait Converts<const POSITION: usize>: Sized + 'static {
    /// The field's type.
    type Field;

    /// What is kept.
    type Column: ColumnValue;

    /// What is kept of a field.
    fn to_column(value: &Self::Field) -> Self::Column;

    /// The field of what was kept.
    ///
    /// # Errors
    /// When nothing of the field's type is kept so.
    fn from_column(stored: Self::Column) -> Result<Self::Field, FieldError>;
}

/// Stands for a column that keeps an `F` as something else: it is compared with values of `F`, in the order of what is
/// kept.
pub struct With<T: Converts<P, Field = F>, const P: usize, F>(T::Column);

impl<T: Converts<P, Field = F>, const P: usize, F> With<T, P, F> {
    /// What the field is that is kept so: of a column that was selected by itself.
    ///
    /// # Errors
    /// When nothing of the field's type is kept so.
    pub fn into_field(self) -> Result<F, FieldError> {
        T::from_column(self.0)
    }
}

impl<T: Converts<P, Field = F>, const P: usize, F> fmt::Debug for With<T, P, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "With({})", self.0.as_value())
    }
}

impl<T: Converts<P, Field = F>, const P: usize, F> ColumnValue for With<T, P, F> {
    const TYPE: ColumnType = <T::Column as ColumnValue>::TYPE;
    const NULLABLE: bool = <T::Column as ColumnValue>::NULLABLE;

    fn as_value(&self) -> ValueRef<'_> {
        self.0.as_value()
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, FieldError> {
        T::Column::decode(value).map(Self)
    }
}

impl<T: Converts<P, Field = F>, const P: usize, F> Indexable for With<T, P, F> where T::Column: Indexable {}
impl<T: Converts<P, Field = F>, const P: usize, F> KeyValue for With<T, P, F> where T::Column: KeyValue {}
impl<T: Converts<P, Field = F>, const P: usize, F> TextValue for With<T, P, F> where T::Column: TextValue {}

impl<T: Converts<P, Field = F>, const P: usize, F> Operand<With<T, P, F>> for F {
    fn into_value(self) -> Value {
        T::to_column(&self).as_value().to_value()
    }
}

impl<T: Converts<P, Field = F>, const P: usize, F> Operand<With<T, P, F>> for &F {
    fn into_value(self) -> Value {
        T::to_column(self).as_value().to_value()
    }
}

/// Puts a converted field.
///
/// # Errors
/// As [`encode`](crate::field::encode).
pub fn encode_with<T: Converts<P>, const P: usize>(
    value: &T::Field,
    row: &mut RowWriter,
) -> Result<(), FieldError> {
    let kept = T::to_column(value);
    crate::field::encode(<T::Column as ColumnValue>::TYPE, kept.as_value(), row)
}

/// A converted field of what was kept.
///
/// # Errors
/// When what was kept is none of the column's type, or nothing of the field's.
pub fn decode_with<T: Converts<P>, const P: usize>(value: ValueRef<'_>) -> Result<T::Field, FieldError> {
    T::from_column(T::Column::decode(value)?)
}

/// A converted field's default as the value rows older than the column have.
pub fn default_with<T: Converts<P>, const P: usize>(value: &T::Field) -> Option<Value> {
    Some(T::to_column(value).as_value().to_value())
}

/// What a conversion gave.
///
/// # Errors
/// What it said of a value that it refused.
pub fn converted<F, E: fmt::Display>(given: Result<F, E>) -> Result<F, FieldError> {
    given.map_err(|error| {
        FieldError(format!("the stored value can't be converted to the field's type: {error}"))
    })
}

//! Structs that are some of the columns of a table.

use serde::de::DeserializeOwned;

use crate::decode::from_json;
use crate::field::{ColumnValue, FieldError};
use crate::query::column::{Column, Json};
use crate::query::with::{Converts, With};
use crate::schema::Entity;
use crate::value::ValueRef;

/// A struct whose fields are columns of a table: what [`Find::select_as`](crate::Find::select_as) reads.
/// `#[derive(Projection)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no projection",
    label = "not made of columns",
    note = "add #[derive(Projection)] and #[projection(table = …)] to the struct"
)]
pub trait Projection: Sized + Send {
    /// The table whose columns they are.
    type Table: Entity;

    /// The struct, of the values of its columns in the order of the fields; without values, where the columns are. Both
    /// in one function, so that a column which is not there is reported once.
    ///
    /// # Errors
    /// The place of a value that its field can't hold, and what is wrong with it.
    fn parts(values: Option<&[ValueRef<'_>]>) -> Result<Parts<Self>, (usize, FieldError)>;

    /// The positions of the columns in the table's schema, in the order of the fields.
    #[must_use]
    fn positions() -> Vec<usize> {
        match Self::parts(None) {
            Ok(Parts::Positions(positions)) => positions,
            Ok(Parts::Struct(_)) | Err(_) => Vec::new(),
        }
    }

    /// The struct, of the values of these columns.
    ///
    /// # Errors
    /// As [`Projection::parts`].
    fn project(values: &[ValueRef<'_>]) -> Result<Self, (usize, FieldError)> {
        match Self::parts(Some(values))? {
            Parts::Struct(value) => Ok(value),
            Parts::Positions(_) => Err((0, FieldError("no value was read".to_owned()))),
        }
    }
}

/// What a [`Projection`] says of itself: where its columns are, or the struct.
#[derive(Debug)]
pub enum Parts<P> {
    /// The positions of the columns in the table's schema.
    Positions(Vec<usize>),
    /// The struct.
    Struct(P),
}

/// A field's type that a column of `V` can be read into.
#[diagnostic::on_unimplemented(
    message = "a column of `{V}` can't be read into a field of `{Self}`",
    label = "the column is of `{V}`",
    note = "the field of a projection has the type of the table's field"
)]
pub trait Projected<V>: Sized {
    /// The field.
    ///
    /// # Errors
    /// When the value is none of the column's type.
    fn projected(value: ValueRef<'_>) -> Result<Self, FieldError>;
}

impl<V: ColumnValue> Projected<V> for V {
    fn projected(value: ValueRef<'_>) -> Result<Self, FieldError> {
        V::decode(value)
    }
}

impl<V: DeserializeOwned> Projected<Json<V>> for V {
    fn projected(value: ValueRef<'_>) -> Result<Self, FieldError> {
        from_json(value)
    }
}

impl<T: Converts<P, Field = F>, const P: usize, F> Projected<With<T, P, F>> for F {
    fn projected(value: ValueRef<'_>) -> Result<Self, FieldError> {
        With::<T, P, F>::decode(value)?.into_field()
    }
}

/// The field that is read of a column: what the derive calls.
///
/// # Errors
/// As [`Projection::project`].
pub fn projected<T, V, F: Projected<V>>(
    _column: Column<T, V>,
    values: &[ValueRef<'_>],
    place: usize,
) -> Result<F, (usize, FieldError)> {
    let value = values.get(place).copied().unwrap_or(ValueRef::Null);
    F::projected(value).map_err(|error| (place, error))
}

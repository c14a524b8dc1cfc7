//! The record that another one refers to.

use crate::field::{ColumnValue, KeyValue};
use crate::orm::find::{Find, FindLenient, FindUnique};
use crate::orm::source::Source;
use crate::query::expr::{Compare, Expr};
use crate::row::RowWriter;
use crate::schema::Entity;
use crate::value::Value;

/// A field that can refer to a record whose key has the types of the tuple `K`: one of the key's type, or an `Option` of
/// it, which is `None` where the record refers to nothing.
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` can't refer to a key `{K}`",
    label = "the key it refers to is `{K}`",
    note = "a field that `references` another table has the type of that table's key, or is an Option of it"
)]
pub trait RefersTo<K>: ColumnValue {
    /// What finds the record: one that has to be there, or one that may be.
    type Found<P: Entity>;

    /// Makes it of the query for the record.
    fn found<P: Entity>(find: Find<P>) -> Self::Found<P>;
}

impl<V: KeyValue> RefersTo<(V,)> for V {
    type Found<P: Entity> = FindUnique<P>;

    fn found<P: Entity>(find: Find<P>) -> FindUnique<P> {
        FindUnique::new(find)
    }
}

impl<V: KeyValue> RefersTo<(V,)> for Option<V>
where
    Option<V>: ColumnValue,
{
    type Found<P: Entity> = FindLenient<P>;

    fn found<P: Entity>(find: Find<P>) -> FindLenient<P> {
        FindUnique::new(find).lenient()
    }
}

/// The record of `P` that the field of type `F` at `position` of a struct refers to.
pub fn parent<C: Entity, P: Entity, F: RefersTo<P::Key>>(
    child: &C,
    position: usize,
    source: &impl Source,
) -> F::Found<P> {
    let key = P::SCHEMA.key().map_or(&[][..], |index| index.columns);
    let equal = key.iter().zip(values_at(child, &[position])).map(|(&column, value)| {
        // No key is null, so that a field which refers to nothing finds nothing.
        Expr::Compare(column, Compare::Eq, value)
    });
    F::found(Find::new(source).filtered(Expr::And(equal.collect())))
}

/// The values of a struct's fields at these positions. One that can't be kept is null: no row has it.
pub(crate) fn values_at<T: Entity>(value: &T, positions: &[usize]) -> Vec<Value> {
    let mut row = RowWriter::new(positions.len());
    for &position in positions {
        if value.encode(position, &mut row).is_err() {
            return vec![Value::Null; positions.len()];
        }
    }
    let row = row.finish();
    row.values().into_iter().map(|value| value.to_value()).collect()
}

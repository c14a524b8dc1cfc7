//! The record that another one refers to.

use crate::field::{ColumnValue, KeyValue};
use crate::orm::find::{Find, FindLenient, FindUnique};
use crate::orm::model::deleted::Scope;
use crate::orm::relation::key_column;
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
    note = "a field that `references` another table has the type of that table's key, or is an Option of it; a key of \
            several fields can't be referred to"
)]
pub trait RefersTo<K>: ColumnValue {
    /// What finds the record: one that has to be there, or one that may be.
    type Found<P: Entity>;

    /// Makes it of the query for the record.
    #[doc(hidden)]
    fn found<P: Entity>(find: Find<P>) -> Self::Found<P>;

    /// What is loaded for it: an `X`, or an `Option` of it.
    type Loaded<X: Send>: Send;

    /// Makes it of what was found; `None` if something had to be.
    #[doc(hidden)]
    fn loaded<X: Send>(found: Option<X>) -> Option<Self::Loaded<X>>;
}

impl<V: KeyValue> RefersTo<(V,)> for V {
    type Found<P: Entity> = FindUnique<P>;

    fn found<P: Entity>(find: Find<P>) -> FindUnique<P> {
        FindUnique::new(find)
    }

    type Loaded<X: Send> = X;

    fn loaded<X: Send>(found: Option<X>) -> Option<X> {
        found
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

    type Loaded<X: Send> = Option<X>;

    fn loaded<X: Send>(found: Option<X>) -> Option<Option<X>> {
        Some(found)
    }
}

/// The record of `P` that the field of type `F` at `position` of a struct refers to.
pub fn parent<C: Entity, P: Entity, F: RefersTo<P::Key>>(
    child: &C,
    position: usize,
    source: &impl Source,
) -> F::Found<P> {
    // No key is null, so that a field which refers to nothing finds nothing.
    let equal = Expr::Compare(key_column::<P>(), Compare::Eq, value_at(child, position));
    // What is referred to is there, marked as deleted or not.
    F::found(Find::new(source).in_scope(Scope::All).filtered(equal))
}

/// The value of a struct's field at a position. One that can't be kept is null: no row has it.
pub(crate) fn value_at<T: Entity>(value: &T, position: usize) -> Value {
    let mut row = RowWriter::new(1);
    match value.encode(position, &mut row) {
        Ok(()) => row.finish().value(0).map_or(Value::Null, |value| value.to_value()),
        Err(_) => Value::Null,
    }
}

//! Keys as arguments: what `get` accepts for a table's key.

use crate::field::KeyValue;
use crate::query::column::Operand;
use crate::value::{Value, ValueRef};

/// What can stand for a key whose fields have the types of the tuple `K`: for a key of one field a value of its
/// type (`&str` for a `String`), for a composite key a tuple of such values in the order of the fields.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key of this table",
    label = "the table's key is `{K}`",
    note = "give one value for a key of one field, and a tuple for a composite key; a table without a key has `()`, \
            and its records are found with `find`"
)]
pub trait Key<K> {
    /// Lends the values, in the order of the key's fields.
    fn with_values<R>(self, work: impl FnOnce(&[ValueRef<'_>]) -> R) -> R;
}

impl<V: KeyValue, O: Operand<V>> Key<(V,)> for O {
    #[inline]
    fn with_values<R>(self, work: impl FnOnce(&[ValueRef<'_>]) -> R) -> R {
        self.with_value(|value| work(&[value]))
    }
}

macro_rules! composite {
    ($(($($value:ident $operand:ident $field:tt),*);)*) => {$(
        impl<$($value: KeyValue, $operand: Operand<$value>),*> Key<($($value,)*)> for ($($operand,)*) {
            fn with_values<R>(self, work: impl FnOnce(&[ValueRef<'_>]) -> R) -> R {
                let values = [$(self.$field.into_value()),*];
                work(&values.each_ref().map(Value::as_ref))
            }
        }
    )*};
}

composite! {
    (A OA 0, B OB 1);
    (A OA 0, B OB 1, C OC 2);
    (A OA 0, B OB 1, C OC 2, D OD 3);
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4);
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5);
}

//! What the builders of structs are made of. Generated code uses it.

use crate::field::ColumnValue;
use crate::value::ValueRef;

/// The state of a field that was not given.
#[derive(Debug)]
pub struct Missing;

/// The state of a field that was given.
#[derive(Debug)]
pub struct Given;

/// In place of a builder for a struct with so many fields that a builder would take the compiler too long: write the
/// struct itself.
#[derive(Debug)]
pub struct NoBuilder;

/// A value that can be given for a field of type `V`: a `V`; `&str` for text; a `V` for an `Option<V>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be given for a field of type `{V}`",
    label = "not a `{V}`"
)]
pub trait Assign<V> {
    /// The field's value.
    fn assign(self) -> V;
}

impl<V> Assign<V> for V {
    fn assign(self) -> V {
        self
    }
}

impl<V> Assign<Option<V>> for V {
    fn assign(self) -> Option<V> {
        Some(self)
    }
}

impl Assign<String> for &str {
    fn assign(self) -> String {
        self.to_owned()
    }
}

impl Assign<Option<String>> for &str {
    fn assign(self) -> Option<String> {
        Some(self.to_owned())
    }
}

/// A field that the builder's type says was given.
///
/// # Panics
/// Never: `build` can't be called before.
pub fn given<V>(field: Option<V>) -> V {
    match field {
        Some(value) => value,
        None => unreachable!("a field that was not given has the state `Missing`"),
    }
}

/// What is in a field until a save fills it: zero, which every type of integers and times can be.
pub fn unfilled<V: ColumnValue>() -> V {
    match V::decode(ValueRef::Int(0)).or_else(|_| V::decode(ValueRef::Null)) {
        Ok(value) => value,
        Err(error) => unreachable!("the derive has checked the type: {error}"),
    }
}

//! The records that refer to one, or that are linked to one.

use crate::orm::find::{Find, FindLenient, FindUnique};
use crate::orm::relation::key_column;
use crate::orm::relation::kinds::ManyToMany;
use crate::orm::relation::parent::value_at;
use crate::orm::source::Source;
use crate::query::expr::{Compare, Expr};
use crate::schema::Entity;
use crate::value::Value;

/// The key of a struct, which has one field.
pub(crate) fn key_of<P: Entity>(parent: &P) -> Value {
    value_at(parent, key_column::<P>())
}

/// The records of `C` whose field at `by` refers to a record.
pub fn children<P: Entity, C: Entity>(parent: &P, by: usize, source: &impl Source) -> Find<C> {
    Find::new(source).filtered(Expr::Compare(by, Compare::Eq, key_of(parent)))
}

/// The record of `C` whose field at `by` refers to a record, if there is one.
pub fn only_child<P: Entity, C: Entity>(parent: &P, by: usize, source: &impl Source) -> FindLenient<C> {
    FindUnique::new(children(parent, by, source)).lenient()
}

/// The records of `T` that are linked to a record.
pub fn linked<P: Entity, L: Entity, T: Entity>(
    parent: &P,
    by: ManyToMany<P, L, T>,
    source: &impl Source,
) -> Find<T> {
    Find::new(source).filtered(by.of(key_of(parent)))
}

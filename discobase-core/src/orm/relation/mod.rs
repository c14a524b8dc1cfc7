//! Relations: from a record to the one it refers to, and to those that refer to it.
//!
//! `parent` and `children` lead from one record, `kinds` are what filters and loads are written with, `related` is what is
//! loaded with records, `find_with` the query that does, and `links` writes the rows between two tables.

mod children;
mod find_with;
mod kinds;
mod links;
mod parent;
mod related;

pub use children::{children, linked, only_child};
pub use find_with::FindWith;
pub use kinds::{BelongsTo, HasMany, HasOne, ManyToMany, Relation, back};
pub use links::{Keyed, link, set_links, unlink};
pub use parent::{RefersTo, parent};
pub(crate) use related::Nested;
pub use related::{Load, Related};

use crate::schema::Entity;

/// The position of the field of a key that can be referred to: it has only one.
pub(crate) fn key_column<T: Entity>() -> usize {
    T::SCHEMA.key().and_then(|index| index.columns.first().copied()).unwrap_or(usize::MAX)
}

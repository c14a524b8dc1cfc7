//! Relations: from a record to the one it refers to, and to those that refer to it.

mod parent;

pub use parent::{RefersTo, parent};

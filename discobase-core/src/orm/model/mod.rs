//! What a struct asks of its writes and loads beside being kept: numbers, times, rules, hooks, a delete that can be taken
//! back.
//!
//! `lifecycle` is the order of all that around each write; every write of a record goes through it.

pub(crate) mod builder;
pub(crate) mod deleted;
pub(crate) mod hooks;
pub(crate) mod lifecycle;

pub use deleted::SoftDelete;
pub use hooks::{HookTable, Hooks};

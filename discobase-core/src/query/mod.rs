//! Queries: typed filters, plans over indexes, and their evaluation on a snapshot.

pub(crate) mod aggregate;
pub(crate) mod cells;
pub(crate) mod column;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod expr;
pub(crate) mod expression;
pub(crate) mod key;
pub(crate) mod matcher;
pub(crate) mod measure;
pub(crate) mod named;
pub(crate) mod paging;
pub(crate) mod plan;
pub(crate) mod print;
pub(crate) mod program;
pub(crate) mod projection;
pub(crate) mod selection;
pub(crate) mod subquery;
#[cfg(any(feature = "chrono", feature = "time", feature = "jiff"))]
mod times;
pub(crate) mod with;

#[cfg(test)]
mod tests;

//! Queries: typed filters, plans over indexes, and their evaluation on a snapshot.

pub(crate) mod column;
pub(crate) mod expr;

//! Checkpoints: what lies in the journal is written once more as segments, in the order of the rows, so that opening
//! costs what is kept and not what ever happened; then the journal before it is deleted.
//!
//! ```text
//! policy  which runs a table gets and keeps
//! build   runs as files
//! upload  files as messages
//! load    from a checkpoint's segments to tables
//! trim    deleting what a checkpoint makes superfluous
//! collect finding segments that nothing refers to
//! ```
//!
//! `docs/format.md`, "Checkpoints", is the contract.

pub(crate) mod build;
pub(crate) mod collect;
mod delete;
pub(crate) mod load;
mod policy;
pub(crate) mod trim;
pub(crate) mod upload;

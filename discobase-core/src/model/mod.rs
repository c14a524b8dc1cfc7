//! The rules that keep one writer, explored: every order in which requests, answers, reads, clocks and crashes can
//! come, with the very functions that the engine runs ([`crate::journal::rules`] and [`crate::journal::chain`]).
//!
//! In every state that can be reached, every frame somebody was told is durable, and every tip somebody took as final,
//! must be on the chain that follows from all messages there are; and no frame somebody was told is not durable may be.
//! `docs/testing.md` has the scenarios, their bounds and how many states each has.

mod creation;
mod explore;
mod following;
mod guild;
mod list;
mod opening;
mod process;
mod scenario;
mod state;
mod writing;

pub use list::scenarios;
pub use scenario::{Report, Scenario};

#[cfg(test)]
mod tests;

//! The simulation that the engine is tested in: several processes that write to one database in one guild, while
//! everything goes wrong that may. One number, the seed, decides all of it, and the same seed gives the same run.
//!
//! It is *not* a model of the engine: what runs is the engine itself, over a [transport](discobase_core::transport) that
//! calls the local guild's pure state instead of sending anything, on a clock that jumps from one wait to the next.
//!
//! ```text
//! plan            what a seed decides: times, probabilities, how many processes
//! world           the guild's state, the network before it, the fate of each request
//! transport       a process's door: one try after the other, crashes at each request
//! gateway         events on their way: lost, repeated, late; sessions that are lost
//! run, process    lives of programs, cut-offs, the end
//! work            what callers do: transfers, lists, unique names
//! oracle, judge   what they were told and saw, and whether it agrees with what is there at the end
//! ```
//!
//! `docs/testing.md` says how to replay a seed.

mod convert;
mod env;
mod gateway;
mod judge;
mod oracle;
mod panics;
mod plan;
mod process;
mod report;
mod rng;
mod run;
mod tables;
mod trace;
mod transport;
mod work;
mod world;

pub use plan::Assumptions;
pub use report::{Counts, Report};
pub use run::{Outcome, run};

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
//! run             the whole of it, and the end
//! program         the lives of one program: processes that open the database, work, and end somehow
//! process, keys   what one life is; which keys the database may have
//! secret          what must not be readable in the guild of an encrypted database
//! people          who post into the database's channels, and delete what they should not
//! work, watcher   what callers do: transfers, lists, unique names; what watchers see
//! observer        a follower that lives as long as the run
//! oracle, judge   what they were told and saw, and whether it agrees with what is there at the end
//! ```
//!
//! `docs/testing.md` says how to replay a seed.

mod convert;
mod env;
mod gateway;
mod judge;
mod keys;
mod observer;
mod oracle;
mod panics;
mod people;
mod plan;
mod process;
mod program;
mod report;
mod rng;
mod run;
mod secret;
mod tables;
mod trace;
mod transport;
mod watcher;
mod work;
mod world;

pub use plan::Assumptions;
pub use report::{Counts, Report};
pub use run::{Outcome, run};

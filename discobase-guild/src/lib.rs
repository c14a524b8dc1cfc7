//! A Discord of one's own: a server on a loopback port that speaks Discord's REST interface and gateway and
//! obeys Discord's documented rules, for development and for tests.
//!
//! It is *not* Discord: no voice, no direct messages, no roles to hand out, no compression, and nothing to
//! look at. What it does and does not do is listed in the README.
//!
//! ```text
//! http, gateway        sockets: requests, events
//!   state, limits      pure: the time is passed in, effects are passed out
//!   wire, cdn          pure: JSON shapes, signed URLs
//!   faults             pure: what shall go wrong
//! store                what survives, in a file
//! server, guild        the one lock, tasks, start and stop
//! ```
//!
//! Start one with [`LocalGuild::builder`]. Tests of pure rules can use [`state::State`] and
//! [`limits::Rates`] directly, with a time of their own.

mod cdn;
mod clock;
mod error;
mod faults;
mod gateway;
mod guild;
mod http;
pub mod intents;
pub mod limits;
mod server;
pub mod state;
mod store;
mod wire;

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::GuildError;
pub use faults::{Action, Faults, Limit, Rule};
pub use guild::{Builder, LocalGuild};
pub use limits::{Limits, Rate};
pub use server::Stats;

/// Compiles and runs what the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

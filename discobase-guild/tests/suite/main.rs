//! Discord's rules as the local guild obeys them: over sockets where the wire matters, on the pure state
//! where it does not.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests too"
)]

mod attachments;
mod channels;
mod control;
mod disorder;
mod faults;
mod gateway;
mod interactions;
mod invites;
mod limits;
mod messages;
mod permissions;
mod pins;
mod program;
mod reactions;
mod rest;
mod restart;
mod support;
mod threads;

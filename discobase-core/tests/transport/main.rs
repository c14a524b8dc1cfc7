//! The transport over real sockets: what it sends, when, and what it makes of every kind of answer.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy's allowances for tests do not reach the helpers of an integration test"
)]

mod calls;
mod deadlines;
mod files;
mod gateway;
mod guild;
mod mock;
mod refusals;
mod retries;
mod secrets;

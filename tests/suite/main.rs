//! The behaviour of a database, the same in every world: see `support`.

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod concurrency;
mod crash;
mod damage;
mod faults;
mod lifecycle;
mod queries;
mod requests;
mod saving;
mod schema;
mod tables;

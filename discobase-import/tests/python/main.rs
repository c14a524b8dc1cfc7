//! Importing what the Python library discobase 1.0.0 wrote, from a local guild.
#![expect(clippy::unwrap_used, reason = "in a test whatever is not as expected is a failure")]

mod damage;
mod fixture;
mod mapping;
mod refusals;
mod shelf;

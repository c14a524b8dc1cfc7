//! The behaviour of a database, the same in every world: see `support`.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "in a test whatever is not as expected is a failure"
)]

#[path = "../support/mod.rs"]
mod support;

mod across_steps;
mod aggregates;
mod backups;
mod bad_input;
mod channels;
mod checkpoints;
mod composite_indexes;
mod concurrency;
mod conversions;
mod crash;
mod damage;
mod embedded;
mod encryption;
mod expressions;
mod expressions_and_sqlite;
mod faults;
mod following;
mod foreign_key_races;
mod foreign_key_tables;
mod foreign_keys;
mod foreign_keys_and_sqlite;
mod healing;
mod hooks;
mod interruption;
mod isolation;
mod lazy;
mod lifecycle;
mod lookups;
mod migrations;
mod migrations_at_work;
mod models;
mod naming;
mod paging;
mod patches;
mod queries;
mod relations;
mod requests;
mod rotation;
mod saving;
mod schema;
mod schema_changes;
mod selecting;
mod sessions;
mod skipped_releases;
mod snapshots;
mod soft_delete;
mod tables;
mod takeover;
mod trimming;
mod upkeep;
mod validation;
mod verify;
mod verify_references;
mod visibility;
mod watching;
mod writes;

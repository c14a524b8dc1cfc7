//! The engine of discobase, a typed ORM whose database is a Discord guild. Use it through the crate `discobase`,
//! which re-exports it and begins with a tour for users; this page is for readers of the code.
//!
//! ```text
//! write: orm -> session -> db (engine: queue, flusher) -> journal -> codec -> transport -> guild
//!        a struct becomes a row, a checked commit, part of a frame, a message; it is visible once it is durable
//!
//! read:  orm -> query -> tables (the durable state, in memory)
//!
//! open:  guild -> transport -> codec -> journal (the chain) -> replay -> tables
//! ```
//!
//! A module imports only those before it:
//! `ids, error, env, count, value, wire, row, field, decode, validate, foreign, schema, batch, seal, transport, codec, tables,
//! lookup, journal, model, checkpoint, replay, query, session, db, orm, private, fuzzing`.
//!
//! - `ids`, `error`, `env`: numbers with types, the one error, the injected clock and random numbers.
//! - `count`: what is counted, for `Database::stats` and for the `metrics` facade.
//! - `value`, `wire`, `row`, `field`, `decode`, `validate`, `foreign`, `schema`, `batch`: data without a database: values,
//!   their bytes, rows, Rust types, structs made of rows, rules for them, what other crates have of both, tables as structs
//!   declare them, commits.
//! - `seal`: encryption at rest: keys, and the sealing of what leaves the process.
//! - [`transport`]: the one door to a guild. [`transport::twilight`] goes through it to Discord.
//! - `codec`: frames as bytes, as text and as messages.
//! - `tables`: what is in memory. Live commits and replayed ones change it through the same function.
//! - `lookup`: rows of tables that are not loaded, by single blocks.
//! - `journal`: which frame follows which (pure), reading, opening, and the writer that acknowledges.
//! - `model`: the rules of the journal, explored in every order of events; in tests only.
//! - `checkpoint`: the tables as segments in the guild, written, loaded, and what they replace deleted.
//! - `replay`: from a journal to tables.
//! - `query`: typed columns, expressions, plans.
//! - `session`: checks what callers want to write against the newest state.
//! - `db`: connecting, channels, the running engine. It starts and ends the tasks of a connection.
//! - `orm`: [`Table`](trait@Table), [`Record`], [`Find`]: what users call.
//! - [`private`]: what generated code uses.
//! - `fuzzing`: what a fuzzer feeds; compiled for it and for tests only.
//!
//! `docs/format.md` is the contract of what is in a guild, and `docs/architecture.md` gives the reasons.

pub mod private;

mod batch;
mod checkpoint;
mod codec;
mod count;
mod db;
mod decode;
mod env;
mod error;
mod field;
mod foreign;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod ids;
mod journal;
mod lookup;
#[cfg(any(test, feature = "model"))]
#[doc(hidden)]
pub mod model;
mod orm;
mod patch;
mod query;
mod replay;
mod row;
mod schema;
mod seal;
mod session;
mod tables;
pub mod transport;
mod validate;
mod value;
mod wire;

/// Questions about many rows: what [`Find::aggregate`] and [`Find::group_by`] are asked.
pub mod aggregate {
    pub use crate::query::measure::{
        Aggregate, Aggregates, Answer, Columns, Condition, GroupOrder, Present, Summed, avg, count, max, min,
        present, sum,
    };
}

pub use count::Took;
pub use db::{
    Backup, CheckpointState, Confirm, Database, DatabaseBuilder, Deviation, DeviationKind, DryStep, Healed,
    Lag, LoginTask, LoginThread, Migrator, Outcome, Report, Role, RowChange, Stats, Step, StepStatus,
    TableChanges,
};
pub use env::{Env, SharedEnv, SystemEnv};
pub use error::{Error, ErrorKind, Place, Reason, Result, Violation};
pub use field::{ColumnEnum, ColumnType, ColumnValue, FieldError};
pub use ids::{ChannelId, CommitId, Epoch, GuildId, Incarnation, MessageId, RowId, Seq, TableId, UserId};
pub use orm::{
    Background, BelongsTo, Change, Cursor, Delete, DeleteWhere, Find, FindLenient, FindUnique, FindWith,
    Grouped, HasMany, HasOne, Hooks, Keyed, Load, ManyToMany, NotSavedYet, Page, Paged, Record, Records,
    Related, Relation, Save, SaveAll, Saved, Savepoint, Select, Session, Snapshot, SoftDelete, Source, Table,
    Transaction, Update, UpdateWhere, Upsert, Watch, Watched, Writable, delete, update,
};
pub use query::column::{Candidates, Column, Filter, Json, Operand, Order};
pub use query::explain::Explain;
pub use query::expression::{
    Addable, Calculable, Expression, Integer, IntoExpression, Signed, When, now, when,
};
pub use query::key::Key;
pub use query::named::{Comparison, Named};
pub use query::projection::Projection;
pub use replay::Salvage;
pub use row::Row;
pub use schema::{
    ColumnSchema, Embedded, Entity, IndexKind, IndexSchema, Model, OnDelete, ReferenceSchema, TableSchema,
};
pub use seal::EncryptionKey;
pub use value::{Value, ValueRef};

#[cfg(feature = "derive")]
pub use discobase_derive::*;

//! The engine of discobase.

pub mod private;

mod batch;
mod codec;
mod db;
mod env;
mod error;
mod field;
mod ids;
mod journal;
mod orm;
mod query;
mod row;
mod schema;
mod session;
mod tables;
pub mod transport;
mod value;
mod wire;

pub use db::{Confirm, Database, DatabaseBuilder, LoginTask, LoginThread, Outcome};
pub use env::{Env, SharedEnv, SystemEnv};
pub use error::{Error, ErrorKind, Place, Result};
pub use field::{ColumnEnum, ColumnType, ColumnValue, FieldError};
pub use ids::{ChannelId, CommitId, Epoch, GuildId, Incarnation, MessageId, RowId, Seq, TableId, UserId};
pub use orm::{
    Background, Delete, Find, FindLenient, FindUnique, NotSavedYet, Record, Save, SaveAll, Table, Update,
};
pub use query::column::{Column, Filter, Json, Operand, Order};
pub use query::key::Key;
pub use query::plan::Explain;
pub use row::Row;
pub use schema::{ColumnSchema, Entity, IndexKind, IndexSchema, TableSchema};
pub use value::{Value, ValueRef};

#[cfg(feature = "derive")]
pub use discobase_derive::*;

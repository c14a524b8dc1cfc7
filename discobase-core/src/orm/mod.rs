//! What users write: tables, records, queries, writes.

mod aggregate;
mod draft;
mod find;
mod group;
pub(crate) mod model;
mod record;
pub(crate) mod relation;
mod save;
mod select;
mod session;
mod snapshot;
pub(crate) mod source;
mod statement;
mod table;
mod transaction;
mod upsert;
mod watch;
mod write;

pub use find::{Find, FindLenient, FindUnique};
pub use group::Grouped;
pub use model::{Hooks, SoftDelete};
pub use record::{NotSavedYet, Record};
pub use save::{Background, Delete, Save, SaveAll, Update};
pub use select::Select;
pub use session::{Savepoint, Session};
pub use snapshot::Snapshot;
pub use source::Source;
pub use statement::{DeleteWhere, UpdateWhere, delete, update};
pub use table::Table;
pub use transaction::Transaction;
pub use upsert::Upsert;
pub use watch::{Change, Watch, Watched};
pub use write::Writable;

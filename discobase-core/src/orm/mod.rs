//! What users write: tables, records, queries, writes.

mod find;
pub(crate) mod model;
mod record;
mod save;
mod snapshot;
pub(crate) mod source;
mod table;
mod watch;

pub use find::{Find, FindLenient, FindUnique};
pub use model::{Hooks, SoftDelete};
pub use record::{NotSavedYet, Record};
pub use save::{Background, Delete, Save, SaveAll, Update};
pub use snapshot::Snapshot;
pub use source::Source;
pub use table::Table;
pub use watch::{Change, Watch, Watched};

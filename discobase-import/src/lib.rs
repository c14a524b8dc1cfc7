//! Brings over what other databases keep in Discord guilds.
//!
//! [`Import`] reads a guild that the Python library *discobase* 1.0.0 wrote and saves its records into the tables of a
//! [`Database`](discobase_core::Database): all of them in one commit. It reads the records themselves and not the
//! library's indexes, so that it finds also those that the library's own `find` by a value can't.
//!
//! ```no_run
//! use discobase_core::{Database, Result, Table};
//! use discobase_import::{Import, Mapping};
//!
//! #[derive(Table)]
//! # #[table(crate = "discobase_core")]
//! struct User {
//!     #[table(key)]
//!     id: u64,
//!     #[table(unique)]
//!     name: String,
//! }
//!
//! # async fn bring_over(db: Database) -> Result<()> {
//! // In Python: class User(Table), with a field `usr`, in a guild that is called "My discord database".
//! let users = Mapping::<User>::new().rename("usr", |u| u.name).fill(|u| u.id, |record| record.message().get());
//! let report = Import::new(&db).guild_name("My discord database").table(users).run().await?;
//! println!("{report}");
//! # Ok(())
//! # }
//! ```
//!
//! ```text
//! import -> read (the channels) -> layout (what is in a message)
//!        -> job -> mapping (which field is which column) -> convert (JSON to a value)
//!        -> report
//! ```
//!
//! # What it is not
//! It does not change what it reads: the old channels stay as they are. It does not merge: a table that has records is
//! not imported into, so that a second import is refused.

mod convert;
mod import;
mod job;
mod layout;
mod mapping;
mod read;
mod record;
mod report;

pub use import::Import;
pub use mapping::Mapping;
pub use record::PythonRecord;
pub use report::{Imported, ImportedTable, Skipped};

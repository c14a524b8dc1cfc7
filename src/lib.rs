//! discobase: a typed ORM whose database is a Discord guild.
//!
//! Derive [`Table`](derive@Table) on a struct, register it, and `save()` commits a record to the guild through a bot.
//! Reads come from memory and cost no request; of tables that are too large for that, a record costs two. A write is
//! durable when the call returns.
//!
//! ```
//! use discobase::{Database, Result, Table};
//!
//! #[derive(Debug, Clone, PartialEq, Table)]
//! struct User {
//!     #[table(key)]
//!     id: u64,
//!     #[table(unique, max_len = 100)]
//!     name: String,
//!     points: i64,
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<()> {
//!     let db = Database::new("my database");
//!     db.table::<User>()?;
//!     db.connect_memory().await?; // on Discord: db.connect(token).await?
//!
//!     let mut peter = User { id: 1, name: "Peter".into(), points: 0 }.save(&db).await?;
//!     peter.points += 5;
//!     peter.update().await?;
//!
//!     let best = User::find(&db).filter(|u| u.points.gt(3)).order_by(|u| u.points.desc()).limit(10).all().await?;
//!     assert_eq!(best[0].name, "Peter");
//!     assert_eq!(User::get(&db, 1).await?, Some(peter));
//!     db.close().await
//! }
//! ```
//!
//! # A tour
//!
//! - [`Database`]: naming, registering, connecting, closing. [`Database::connect`] takes a bot's token,
//!   [`Database::connect_local`] a file, [`Database::connect_memory`] nothing; [`Database::connect_env`] leaves the
//!   choice to the environment. [`DatabaseBuilder`] sets more than the name.
//! - [`Table`](trait@Table): what a struct can do: `save`, `save_all`, `get`, `find`, `find_unique`, `count`. The
//!   [derive](derive@Table) lists the attributes; [`ColumnEnum`](derive@ColumnEnum) makes an enum a column type.
//! - [`Record`]: a saved struct with its identity and version: `update`, `delete`.
//! - [`Model`], [`Embedded`](derive@Embedded), [`Hooks`], [`SoftDelete`]: builders and defaults, structs in structs, what runs
//!   around a save, records that are only marked as deleted.
//! - [`Find`] and [`Column`]: queries, and the conditions they are made of. [`aggregate`] counts, sums and groups,
//!   [`Projection`](derive@Projection) and [`Find::select`] take some of the columns, [`Find::page`] and [`Find::stream`] not
//!   all at once.
//! - [`BelongsTo`], [`HasMany`], [`HasOne`], [`ManyToMany`]: from record to record, filters over several tables;
//!   [`Find::with`] loads what is related.
//! - [`Session`], [`Database::transaction`], [`Snapshot`]: many writes as one commit, many reads of one state.
//! - [`update()`], [`delete()`], [`Expression`]: changes that are worked out at the commit.
//! - [`Step`] and [`Migrator`]: from one version of the structs to the next; [`Database::backup`].
//! - [`Watch`]: what is committed, as it is; [`DatabaseBuilder::follower`], [`Database::promote`]: more than one process.
//! - [`Database::verify`], [`Database::heal`]: what people and accidents did to the guild.
//! - [`Error`] and [`ErrorKind`]: what went wrong, and what to do.
//! - [`transport`]: the door to the guild, for tests and for what speaks to Discord another way.
//!
//! # What it is not
//!
//! - *Not the only copy of anything.* Discord gives no warranty; whoever owns the guild can delete everything.
//! - *Not secret by itself.* Records are readable messages, hidden from `@everyone` only, unless the database has a key:
//!   [`DatabaseBuilder::encryption`].
//! - *Not large.* Tables are in memory, unless they are [lazy](Database::table_lazy). Opening reads what the last
//!   checkpoint says is there, and what was committed since: it costs the data that is kept, and not its history.
//! - *Not fast at writing one by one.* All commits go through one channel, about one message a second; a message holds
//!   thousands of them.
//! - *Not shared by writers.* One process writes; any number of others [follow](DatabaseBuilder::follower) it, and one of
//!   them can take its place.
//!
//! Everything lives in [`discobase_core`]; this crate is its front door. Bots of modules, each with a database of its own, have
//! the crate `discobase-modules`, and data from the Python library discobase is imported by `discobase-import`.

#[cfg(doctest)]
mod guide;

#[doc(inline)]
pub use discobase_core::*;

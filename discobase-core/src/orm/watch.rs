//! Watching a table: its changes, commit by commit, as they become durable.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;

use crate::db::Database;
use crate::db::engine::Engine;
use crate::db::engine::feed::{Feed, Item};
use crate::db::engine::news::{Kept, News, RowNews, fields_replaced};
use crate::db::registry::Handle;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{RowId, Seq};
use crate::orm::record::{Record, comparable_operand};
use crate::query::column::Filter;
use crate::query::expr::{Columns, Expr};
use crate::row::RowRef;
use crate::schema::Entity;
use crate::tables::{Slot, Stored, Tables, comparable, goes_on_from, value_in};
use crate::value::ValueRef;

/// How many changes wait for a watcher by default.
const CAPACITY: usize = 4_096;

/// What one commit did to one record.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Change<T> {
    /// It was saved.
    Inserted {
        /// The record.
        new: Record<T>,
    },
    /// It was updated.
    Updated {
        /// As it was before the commit.
        old: Record<T>,
        /// As it is after it.
        new: Record<T>,
    },
    /// It was deleted.
    Deleted {
        /// As it was before the commit.
        old: Record<T>,
    },
}

impl<T> Change<T> {
    /// The identity of the row.
    #[must_use]
    pub fn id(&self) -> RowId {
        match self {
            Self::Inserted { new } | Self::Updated { new, .. } => new.id(),
            Self::Deleted { old } => old.id(),
        }
    }

    /// The record after the commit, unless it was deleted.
    #[must_use]
    pub fn after(&self) -> Option<&Record<T>> {
        match self {
            Self::Inserted { new } | Self::Updated { new, .. } => Some(new),
            Self::Deleted { .. } => None,
        }
    }

    /// The record before the commit, unless it is new.
    #[must_use]
    pub fn before(&self) -> Option<&Record<T>> {
        match self {
            Self::Updated { old, .. } | Self::Deleted { old } => Some(old),
            Self::Inserted { .. } => None,
        }
    }
}

/// What a [`Watch`] gives.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Watched<T> {
    /// A commit became durable: all it did to the table, each record once.
    Commit {
        /// The commit. Where the journal had been trimmed before this process read it, it is the last of several, and
        /// the changes are what they did together.
        seq: Seq,
        /// What it did, in its order.
        changes: Vec<Change<T>>,
    },
    /// The watcher was too slow, and changes were left out: take [`Watch::records`] anew, which the stream then goes
    /// on from.
    Lagged,
}

/// The changes of a table as they become durable, those of this process and those of others, in the order of their
/// commits: a [`Stream`], with [`Watch::next`] for a plain loop.
///
/// Every commit after the one the watch [begins](Watch::seq) at comes exactly once and whole, unless the watcher is so
/// slow that more changes wait than the [buffer](Watch::buffer) holds. Then it is told so with [`Watched::Lagged`]. The
/// stream ends when the database is closed; it gives an error first when this process stops because it was fenced or
/// the journal is damaged. It ends with the error `SchemaChanged`, too, where a migration put other fields in the place
/// of those that this watch reads: make another one.
///
/// ```no_run
/// # use discobase_core as discobase;
/// use discobase::{Change, Database, Result, Table, Watched};
///
/// #[derive(Debug, Clone, Table)]
/// # #[table(crate = "discobase_core")]
/// struct User {
///     #[table(key)]
///     id: u64,
///     points: i64,
/// }
///
/// async fn follow(db: &Database) -> Result<()> {
///     let mut watch = User::watch(db)?;
///     let mut users = watch.records()?;
///     while let Some(event) = watch.next().await {
///         match event? {
///             Watched::Commit { seq, changes } => {
///                 for change in changes {
///                     println!("{seq}: {change:?}");
///                 }
///             }
///             Watched::Lagged => users = watch.records()?,
///             _ => {}
///         }
///     }
///     Ok(())
/// }
/// ```
#[must_use = "a watch does nothing until it is asked for its next event"]
pub struct Watch<T> {
    db: Database,
    engine: Arc<Engine>,
    handle: Arc<Handle>,
    feed: Arc<Feed>,
    begin: Seq,
    filter: Option<Expr>,
    table: std::marker::PhantomData<fn() -> T>,
}

impl<T: Entity> Watch<T> {
    pub(crate) fn new(db: &Database) -> Result<Self> {
        // A step may be applied in the midst of it.
        loop {
            if let Some(watch) = Self::begin(db)? {
                return Ok(watch);
            }
        }
    }

    /// A watch, unless the handle is not of the state that it begins at.
    fn begin(db: &Database) -> Result<Option<Self>> {
        db.with_tables::<T, _>(|engine, handle, _| {
            let (feed, tables) = engine.watch(handle.id, CAPACITY);
            if !handle.fits(&tables) {
                return Ok(None);
            }
            if tables.get(handle.id).is_some_and(|table| table.unloaded().is_some()) {
                let text = "the table is not in memory, and changes are told with what was before them: await \
                            db.load::<T>() first";
                return Err(Error::new(ErrorKind::TableNotReady, text).in_table(&handle.def.name));
            }
            Ok(Some(Self {
                db: db.clone(),
                engine: Arc::clone(engine),
                handle: Arc::clone(handle),
                feed,
                begin: tables.seq(),
                filter: None,
                table: std::marker::PhantomData,
            }))
        })
    }

    /// Only changes of records that satisfy the filter before the commit or after it. Several filters must all be
    /// satisfied. [`Watch::records`] gives only the records that satisfy it.
    pub fn filter(mut self, filter: impl FnOnce(T::Columns) -> Filter<T>) -> Self {
        let mut filter = filter(T::columns()).expr;
        filter.map_columns(&|position| self.handle.column(position));
        filter.map_operands(&|column, operand| comparable_operand(&self.handle, column, operand));
        self.filter = Some(match self.filter.take() {
            Some(known) => Expr::And(vec![known, filter]),
            None => filter,
        });
        self
    }

    /// How many changes wait at most while the watcher is busy (default: 4,096). A commit is never cut: one that is
    /// larger waits alone.
    pub fn buffer(self, changes: usize) -> Self {
        self.feed.set_capacity(changes);
        self
    }

    /// The commit after which the stream goes on: the last one that was visible when the watch was made, or when
    /// [`Watch::records`] was last called.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.begin
    }

    /// All records as they are now, in the order they were first saved. The stream goes on from there: what it has not
    /// given yet is in them.
    ///
    /// # Errors
    /// `SchemaChanged` when a migration has put other fields in the place of those that this watch reads. `Invalid` when a
    /// stored value is none of its field's type.
    pub fn records(&mut self) -> Result<Vec<Record<T>>> {
        self.check()?;
        let tables: Arc<Tables> = self.engine.rewind(&self.feed);
        self.begin = tables.seq();
        let slot = tables.get(self.handle.id);
        if let Some(slot) = slot.filter(|slot| !goes_on_from(slot.def(), &self.handle.def)) {
            return Err(fields_replaced(slot.def()));
        }
        let Some(table) = slot.and_then(Slot::loaded) else { return Ok(Vec::new()) };
        let wanted = table.rows().filter(|(_, stored)| self.wants(Some(*stored)));
        wanted.map(|(id, stored)| self.record(id, stored)).collect()
    }

    /// The next event; `None` when the database was closed.
    pub async fn next(&mut self) -> Option<Result<Watched<T>>> {
        std::future::poll_fn(|context| self.poll_event(context)).await
    }

    fn poll_event(&self, context: &Context<'_>) -> Poll<Option<Result<Watched<T>>>> {
        loop {
            let event = match std::task::ready!(self.feed.poll(context)) {
                None => return Poll::Ready(None),
                Some(Item::Lagged) => Ok(Watched::Lagged),
                Some(Item::Failed(error)) => Err(error),
                Some(Item::News(news)) => match self.commit(&news) {
                    Ok(None) => continue,
                    Ok(Some(commit)) => Ok(commit),
                    Err(error) => Err(error),
                },
            };
            return Poll::Ready(Some(event));
        }
    }

    /// The commit as the watcher sees it; `None` if the filter leaves nothing of it.
    fn commit(&self, news: &News) -> Result<Option<Watched<T>>> {
        self.check()?;
        let wanted = |row: &&RowNews| {
            self.wants(row.old.as_ref().map(Kept::stored)) || self.wants(row.new.as_ref().map(Kept::stored))
        };
        let changes = news.rows.iter().filter(wanted).filter_map(|row| self.change(row).transpose());
        let changes: Vec<_> = changes.collect::<Result<_>>()?;
        Ok((!changes.is_empty()).then_some(Watched::Commit { seq: news.seq, changes }))
    }

    fn change(&self, news: &RowNews) -> Result<Option<Change<T>>> {
        let record =
            |kept: &Option<Kept>| kept.as_ref().map(|one| self.record(news.row, one.stored())).transpose();
        Ok(match (record(&news.old)?, record(&news.new)?) {
            (None, Some(new)) => Some(Change::Inserted { new }),
            (Some(old), Some(new)) => Some(Change::Updated { old, new }),
            (Some(old), None) => Some(Change::Deleted { old }),
            (None, None) => None,
        })
    }

    fn record(&self, id: RowId, stored: Stored<'_>) -> Result<Record<T>> {
        Record::from_stored(&self.db, self.engine.journal(), &self.handle, id, stored)
    }

    /// A row alone must tell whether it is wanted.
    fn check(&self) -> Result<()> {
        if !self.filter.as_ref().is_some_and(Expr::has_subquery) {
            return Ok(());
        }
        let text = "a query can't be part of the condition of a watch, because what it finds changes with other tables: \
                    read its values first, and give them to `is_in`";
        Err(Error::new(ErrorKind::Invalid, text).in_table(T::SCHEMA.name))
    }

    fn wants(&self, stored: Option<Stored<'_>>) -> bool {
        match (&self.filter, stored) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(filter), Some(stored)) => {
                filter.holds(&RowColumns { handle: &self.handle, row: stored.row })
            }
        }
    }
}

/// A row as filters see it.
struct RowColumns<'a> {
    handle: &'a Handle,
    row: RowRef<'a>,
}

impl Columns for RowColumns<'_> {
    fn value(&self, column: usize) -> ValueRef<'_> {
        let def = &self.handle.def;
        comparable(def, column, value_in(def, self.row, column))
    }
}

impl<T: Entity> Stream for Watch<T> {
    type Item = Result<Watched<T>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(context)
    }
}

impl<T: Entity> fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("table", &T::SCHEMA.name)
            .field("seq", &self.begin)
            .finish_non_exhaustive()
    }
}

//! Writes: futures that may be given a deadline, or sent into the background.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::db::Database;
use crate::db::engine::Engine;
use crate::db::registry::Handle;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{RowId, Seq};
use crate::orm::model::{deleted, lifecycle};
use crate::orm::record::{Home, Record};
use crate::schema::Entity;
use crate::session::{Write, WriteSet};
use crate::tables::{Found, Slot};

/// A write that is under way.
pub(crate) type Work<'a, R> = Pin<Box<dyn Future<Output = Result<R>> + Send + 'a>>;

/// Commits writes that were made with a table's handle.
async fn commit<T: Entity>(
    db: &Database,
    deadline: Option<Duration>,
    make: impl FnOnce(&Engine, &Handle) -> Result<Vec<Write>>,
) -> Result<Committed> {
    let (engine, home, set) = db.with::<T, _>(|engine, handle| {
        let set = WriteSet::of(&handle.def, make(engine, handle)?);
        Ok((Arc::clone(engine), Home::of(engine.journal(), handle), set))
    })?;
    let set = WriteSet { numbered: set.writes.len() > 1, ..set };
    let committed = engine.commit_by(set, deadline.or(db.deadline())).await?;
    let rows = committed.written.into_iter().map(|written| written.row).collect();
    Ok(Committed { home, version: committed.seq, rows })
}

/// What a commit made: its number, and the ids of the rows it inserted.
struct Committed {
    home: Home,
    version: Seq,
    rows: Vec<RowId>,
}

macro_rules! deadline {
    () => {
        /// How long to wait. When it passes, the error is `UnknownOutcome` with the commit's identity, and the
        /// commit goes on: ask [`Database::outcome`] how it ended. If it passes while the write still waits for
        /// another commit that it collides with, the error is `Conflict`, and nothing was written.
        pub fn deadline(mut self, deadline: Duration) -> Self {
            self.deadline = Some(deadline);
            self
        }
    };
}

/// A save that is about to happen: await it. Dropping it after that does not cancel the commit.
#[must_use = "nothing is saved until this is awaited or sent into the background"]
#[derive(Debug)]
pub struct Save<T> {
    value: T,
    db: Database,
    deadline: Option<Duration>,
}

impl<T: Entity> Save<T> {
    pub(crate) fn new(value: T, db: &Database) -> Self {
        Self { value, db: db.clone(), deadline: None }
    }

    deadline!();

    /// Saves in a task of its own. Its error is logged if nobody awaits it. While more than
    /// [`queue_limit`](crate::DatabaseBuilder::queue_limit) bytes wait for Discord, the task waits, too, and holds the
    /// struct: a program that saves faster than Discord takes for long should await what this gives now and then.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn background(self) -> Background<Record<T>> {
        Background::spawn(self.into_future())
    }

    async fn run(self) -> Result<Record<T>> {
        let Self { mut value, db, deadline } = self;
        lifecycle::before_save(&db, std::slice::from_mut(&mut value)).await?;
        let Committed { home, version, rows } =
            commit::<T>(&db, deadline, |_, handle| Ok(vec![lifecycle::insert(handle, &value)?])).await?;
        let id = rows.first().copied().unwrap_or_default();
        lifecycle::numbered(&mut value, id)?;
        lifecycle::after_save(&db, &value).await;
        Ok(Record::new(db, home, id, version, value))
    }
}

impl<T: Entity> IntoFuture for Save<T> {
    type Output = Result<Record<T>>;
    type IntoFuture = Work<'static, Record<T>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// Saves of many records in one commit: await it.
#[must_use = "nothing is saved until this is awaited or sent into the background"]
#[derive(Debug)]
pub struct SaveAll<T> {
    values: Vec<T>,
    db: Database,
    deadline: Option<Duration>,
}

impl<T: Entity> SaveAll<T> {
    pub(crate) fn new(values: Vec<T>, db: &Database) -> Self {
        Self { values, db: db.clone(), deadline: None }
    }

    deadline!();

    /// Saves in a task of its own. Its error is logged if nobody awaits it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn background(self) -> Background<Vec<Record<T>>> {
        Background::spawn(self.into_future())
    }

    async fn run(self) -> Result<Vec<Record<T>>> {
        let Self { mut values, db, deadline } = self;
        if values.is_empty() {
            return Ok(Vec::new());
        }
        lifecycle::before_save(&db, &mut values).await?;
        let Committed { home, version, rows } = commit::<T>(&db, deadline, |_, handle| {
            let insert = |(position, value)| {
                lifecycle::insert(handle, value).map_err(|error| error.at_position(position))
            };
            values.iter().enumerate().map(insert).collect()
        })
        .await?;
        for (value, id) in values.iter_mut().zip(&rows) {
            lifecycle::numbered(value, *id)?;
        }
        for value in &values {
            lifecycle::after_save(&db, value).await;
        }
        let records = values.into_iter().zip(rows);
        Ok(records.map(|(value, id)| Record::new(db.clone(), home, id, version, value)).collect())
    }
}

impl<T: Entity> IntoFuture for SaveAll<T> {
    type Output = Result<Vec<Record<T>>>;
    type IntoFuture = Work<'static, Vec<Record<T>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// An update that is about to happen: await it.
#[must_use = "nothing is written until this is awaited"]
#[derive(Debug)]
pub struct Update<'a, T> {
    record: &'a mut Record<T>,
    deadline: Option<Duration>,
}

impl<'a, T: Entity> Update<'a, T> {
    pub(crate) fn new(record: &'a mut Record<T>) -> Self {
        Self { record, deadline: None }
    }

    deadline!();

    async fn run(self) -> Result<()> {
        let Self { record, deadline } = self;
        let (id, version) = record.identity()?;
        let db = record.db().clone();
        lifecycle::before_update::<T>(&db, record).await?;
        let found = stored::<T>(&db, id).await?;
        let (engine, set) = db.with::<T, _>(|engine, handle| {
            record.check_home(engine.journal())?;
            record.check_shape(handle)?;
            let value: &mut T = record;
            let mut values = handle.encode(value)?;
            // Only a row that is durably what this record already says needs no commit.
            let tables = engine.tables();
            let same = match (&found, tables.loaded(handle.id).and_then(|table| table.row(id))) {
                (_, Some(stored)) => stored.version == version && stored.row == values.borrow(),
                (Some(found), None) => found.version == version && found.values == values,
                (None, None) => false,
            };
            if !same && T::MODEL.updated_at.is_some() {
                lifecycle::touch(value, engine.now())?;
                values = handle.encode(value)?;
            }
            let write = Write::Update { table: handle.id, row: id, version, values };
            Ok((Arc::clone(engine), (!same).then(|| WriteSet::of(&handle.def, vec![write]))))
        })?;
        let Some(set) = set else { return Ok(()) };
        let committed = engine.commit_by(set, deadline.or(db.deadline())).await?;
        record.written(id, committed.seq);
        lifecycle::after_update::<T>(&db, record).await;
        Ok(())
    }
}

impl<'a, T: Entity> IntoFuture for Update<'a, T> {
    type Output = Result<()>;
    type IntoFuture = Work<'a, ()>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// A row of a table that is not in memory; `None` of one that is.
async fn stored<T: Entity>(db: &Database, row: RowId) -> Result<Option<Found>> {
    let lazy = db.with::<T, _>(|engine, handle| {
        let tables = engine.tables();
        let lazy = tables.get(handle.id).and_then(Slot::unloaded).is_some();
        Ok(lazy.then(|| (Arc::clone(engine), handle.id)))
    })?;
    match lazy {
        Some((engine, table)) => engine.stored(table, row).await,
        None => Ok(None),
    }
}

/// A delete that is about to happen: await it.
#[must_use = "nothing is deleted until this is awaited or sent into the background"]
#[derive(Debug)]
pub struct Delete<T> {
    record: Record<T>,
    deadline: Option<Duration>,
    forever: bool,
}

impl<T: Entity> Delete<T> {
    pub(crate) fn new(record: Record<T>) -> Self {
        Self { record, deadline: None, forever: false }
    }

    /// Removes the row, even of a table whose deletes only mark a record.
    pub(crate) fn forever(mut self) -> Self {
        self.forever = true;
        self
    }

    deadline!();

    /// Deletes in a task of its own. Its error is logged if nobody awaits it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn background(self) -> Background<T> {
        Background::spawn(self.into_future())
    }

    async fn run(self) -> Result<T> {
        let Self { mut record, deadline, forever } = self;
        let (row, version) = record.identity()?;
        let db = record.db().clone();
        lifecycle::before_delete::<T>(&db, &mut record).await?;
        if !forever && deleted::is_marked::<T>(&record)? {
            return Ok(record.into_inner());
        }
        let found = stored::<T>(&db, row).await?;
        commit::<T>(&db, deadline, |engine, handle| {
            record.check_home(engine.journal())?;
            let tables = engine.tables();
            let stored = tables.loaded(handle.id).and_then(|table| table.row(row));
            let stored = stored.map(|stored| stored.row.to_row()).or(found.map(|found| found.values));
            Ok(vec![deleted::delete(stored, engine.now(), handle, &mut record, (row, version), forever)?])
        })
        .await?;
        lifecycle::after_delete::<T>(&db, &record).await;
        Ok(record.into_inner())
    }
}

impl<T: Entity> IntoFuture for Delete<T> {
    type Output = Result<T>;
    type IntoFuture = Work<'static, T>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// A write in the background. Awaiting it gives how it ended; if it is dropped, an error is logged.
#[derive(Debug)]
pub struct Background<R> {
    result: oneshot::Receiver<Result<R>>,
}

impl<R: Send + 'static> Background<R> {
    fn spawn(work: Work<'static, R>) -> Self {
        let (report, result) = oneshot::channel();
        tokio::spawn(async move {
            if let Err(Err(error)) = report.send(work.await) {
                log_lost(&error);
            }
        });
        Self { result }
    }
}

impl<R> Drop for Background<R> {
    fn drop(&mut self) {
        // A write that ends from now on finds nobody; what has ended before is told here, unless it was awaited.
        self.result.close();
        if let Ok(Err(error)) = self.result.try_recv() {
            log_lost(&error);
        }
    }
}

fn log_lost(error: &Error) {
    tracing::error!(
        name: "write_lost", target: "discobase::engine", error = %error.for_log(),
        "a write in the background failed"
    );
}

impl<R> Future for Background<R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.result).poll(context).map(|result| {
            let ended =
                || Error::new(ErrorKind::UnknownOutcome, "the write's task was ended with its runtime");
            result.unwrap_or_else(|_| Err(ended()))
        })
    }
}

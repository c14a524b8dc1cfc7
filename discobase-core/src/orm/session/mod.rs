//! Sessions: a snapshot, what was written on top of it, and one commit of all of it.

mod after;
mod outcome;
mod pending;
mod shared;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use shared::Shared;

use crate::db::Database;
use crate::error::Result;
use crate::ids::Seq;
use crate::orm::draft::Fate;
use crate::orm::find::Find;
use crate::orm::model::{deleted, lifecycle};
use crate::orm::record::{Home, Record};
use crate::orm::source::{Origin, Reading, sealed};
use crate::orm::table::Table as _;
use crate::orm::write::{self, Target};
use crate::query::key::Key;
use crate::schema::Entity;
use crate::session::{Read, Write};

/// Reads of one state and writes on top of it, which become one commit.
///
/// What it reads is the state of all tables when it began, with its own writes on top. Nobody else sees those until
/// [`Session::commit`] returns, and then all of them; if it is dropped instead, or rolled back, nobody ever does. Nothing
/// is locked: of two sessions that write the same row the first to commit wins, and the other gets `Conflict`.
/// [`Database::transaction`] begins anew then.
///
/// That is snapshot isolation. Two sessions that read the same rows and write different ones may both commit;
/// [`Session::serializable`] refuses that.
///
/// ```no_run
/// # use discobase_core as discobase;
/// use discobase::{Database, Result, Table, update};
///
/// #[derive(Table)]
/// # #[table(crate = "discobase_core")]
/// struct User {
///     #[table(key)]
///     id: u64,
///     name: String,
///     points: i64,
/// }
///
/// async fn add_points(db: &Database, id: u64, points: i64) -> Result<()> {
///     let s = db.session()?;
///     let rows = update::<User>().filter(|u| u.id.eq(id)).set(|u| u.points, |u| u.points + points).run(&s).await?;
///     if rows == 0 {
///         s.add(User { id, name: format!("User_{id}"), points }).await?;
///     }
///     s.commit().await?;
///     Ok(())
/// }
/// ```
#[must_use = "what a session wrote is gone unless it is committed"]
pub struct Session {
    shared: Arc<Shared>,
    deadline: Option<Duration>,
    /// Whether the session ends with this.
    owner: bool,
}

/// A point in a session that [`Session::rollback_to`] goes back to.
#[derive(Debug)]
pub struct Savepoint {
    number: u64,
}

impl Database {
    /// Begins a session on the tables as they are now: see [`Session`].
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn session(&self) -> Result<Session> {
        let (engine, _) = self.running()?;
        let shared = Shared::new(self.snapshot()?, engine);
        Ok(Session { shared: Arc::new(shared), deadline: self.deadline(), owner: true })
    }
}

impl Session {
    /// The session that a target is. It goes on when this is dropped.
    pub(crate) fn of(shared: Arc<Shared>) -> Self {
        Self { shared, deadline: None, owner: false }
    }

    /// Everything the session reads from now on is checked when it commits: if somebody changed any of it meanwhile,
    /// it is refused with `Conflict`. So it is as if its whole work had been done at the moment of the commit.
    ///
    /// What counts as read is each row that satisfies the filter of a query, whatever its order, limit and offset say,
    /// and whatever the session made of it; of a query without a filter, the whole table.
    pub fn serializable(self) -> Self {
        self.shared.track_reads();
        self
    }

    /// How long [`Session::commit`] waits. When it passes, the error is `UnknownOutcome` with the commit's identity, as
    /// for a [`Save`](crate::Save).
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The last commit of the state that the session reads.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.shared.snapshot().seq()
    }

    /// The record with this key, or `None`.
    ///
    /// # Errors
    /// `UnknownTable`, `TableNotReady`; `Invalid` when the session has ended.
    pub async fn get<T: Entity>(&self, key: impl Key<T::Key> + Send) -> Result<Option<Record<T>>> {
        T::get(self, key).await
    }

    /// Begins a query over all records, as `T::find(&session)` does.
    pub fn select<T: Entity>(&self) -> Find<T> {
        T::find(self)
    }

    /// Adds a record. Its [`id`](Record::id) and [`version`](Record::version) are provisional until the commit, after
    /// which the same record is one like any other. A key that the database numbers is final at once.
    ///
    /// Hooks of before the write run now, those of after it once the session is committed; so it is for
    /// [`Session::update`] and [`Session::delete`]. They are given the database, not the session.
    ///
    /// # Errors
    /// `DuplicateKey`, `UniqueViolated` when the session sees a record that has them; `Violated`, `TooLong`, `Invalid`,
    /// `UnknownTable`, `TableNotReady`. The session goes on as before.
    pub async fn add<T: Entity>(&self, mut value: T) -> Result<Record<T>> {
        lifecycle::before_save(self.db(), std::slice::from_mut(&mut value)).await?;
        self.insert(value).await
    }

    /// Adds records: all, or, after an error, none of them.
    ///
    /// # Errors
    /// As [`Session::add`]; the error says at which position the record is that it is about.
    pub async fn add_all<T: Entity>(
        &self,
        values: impl IntoIterator<Item = T> + Send,
    ) -> Result<Vec<Record<T>>> {
        let mut values: Vec<T> = values.into_iter().collect();
        lifecycle::before_save(self.db(), &mut values).await?;
        let point = self.savepoint()?;
        let added = self.insert_all(values).await;
        if added.is_err() {
            self.rollback_to(&point)?;
        }
        self.shared.forget(point.number);
        added
    }

    async fn insert_all<T: Entity>(&self, values: Vec<T>) -> Result<Vec<Record<T>>> {
        let mut added = Vec::with_capacity(values.len());
        for (position, value) in values.into_iter().enumerate() {
            added.push(self.insert(value).await.map_err(|error| error.at_position(position))?);
        }
        Ok(added)
    }

    async fn insert<T: Entity>(&self, mut value: T) -> Result<Record<T>> {
        if let Some(position) = T::MODEL.auto
            && lifecycle::is_unset(&value, position)?
        {
            let number = self.shared.reserve::<T>(position).await?;
            lifecycle::numbered(&mut value, number)?;
        }
        let done = self.shared.execute::<T>(|handle| {
            Ok(Some(Write::Insert { table: handle.id, values: handle.encode(&value)? }))
        });
        let done = done.await?;
        let id = done.written.first().map(|written| written.row).unwrap_or_default();
        let version = done.written.first().map(|written| written.version).unwrap_or_default();
        let home = Home::of(done.journal, &done.handle);
        Ok(Record::new(done.db, home, id, version, value).drafted(done.draft.as_ref()))
    }

    /// Writes a record's current values over the row's. If nothing changed, nothing is written.
    ///
    /// # Errors
    /// `Conflict` when the record is not what the session sees of its row: because it was read before the session began
    /// and changed meanwhile, or is a copy of one that the session has changed. `KeyChanged`, `UniqueViolated`, and as
    /// [`Session::add`].
    pub async fn update<T: Entity>(&self, record: &mut Record<T>) -> Result<()> {
        let (row, version) = self.shared.identity(record)?;
        lifecycle::before_update::<T>(self.db(), record).await?;
        self.shared.know::<T>(row).await?;
        let done = self.shared.execute::<T>(|handle| {
            record.check_shape(handle)?;
            let value: &mut T = record;
            let mut values = handle.encode(value)?;
            if self.shared.is_so(handle.id, row, version, &values) {
                self.shared.note(|| Read::Row { table: handle.id, row });
                return Ok(None);
            }
            if T::MODEL.updated_at.is_some() {
                lifecycle::touch(value, self.shared.now())?;
                values = handle.encode(value)?;
            }
            Ok(Some(Write::Update { table: handle.id, row, version, values }))
        });
        let done = done.await?;
        if let Some(written) = done.written.first() {
            record.redraft(written.row, written.version, done.draft.as_ref());
        }
        Ok(())
    }

    /// Deletes a record's row, or marks it if the table keeps deleted records, and gives the struct back.
    ///
    /// # Errors
    /// `Conflict`, as for [`Session::update`].
    pub async fn delete<T: Entity>(&self, mut record: Record<T>) -> Result<T> {
        let (row, version) = self.shared.identity(&record)?;
        lifecycle::before_delete::<T>(self.db(), &mut record).await?;
        if !deleted::is_marked::<T>(&record)? {
            self.shared.know::<T>(row).await?;
            let now = self.shared.now();
            let done = self.shared.execute::<T>(|handle| {
                let stored = self.shared.stored(handle.id, row).map(|(_, values)| values);
                deleted::delete(stored, now, handle, &mut record, (row, version), false).map(Some)
            });
            done.await?;
        }
        Ok(record.into_inner())
    }

    /// Reads a record again, as the session sees it: its changes that were not written are gone.
    ///
    /// # Errors
    /// `NotFound` when the row was deleted. Otherwise as [`Session::get`].
    pub async fn refresh<T: Entity>(&self, record: &mut Record<T>) -> Result<()> {
        let (row, _) = self.shared.identity(record)?;
        *record = Record::at(self, row).await?;
        Ok(())
    }

    /// Whether what was written so far would be committed now: checks it against the newest state, as the commit will,
    /// and sends nothing. Long work finds out early that it is in vain.
    ///
    /// # Errors
    /// As [`Session::commit`].
    pub async fn flush(&self) -> Result<()> {
        self.shared.flush().await
    }

    /// Marks a point to go back to. Points may lie within each other.
    ///
    /// # Errors
    /// `Invalid` when the session has ended.
    pub fn savepoint(&self) -> Result<Savepoint> {
        Ok(Savepoint { number: self.shared.mark()? })
    }

    /// Takes back all that was written since the point. Records that were written since are stale then. The point stays,
    /// those after it are gone.
    ///
    /// # Errors
    /// `Invalid` when the point is of another session, or was taken back itself.
    pub fn rollback_to(&self, point: &Savepoint) -> Result<()> {
        self.shared.back_to(point.number)
    }

    /// Commits all that was written: one commit, durable and visible when it returns. It gives the commit's number; if
    /// nothing was written, nothing is sent, and it is [`Session::seq`].
    ///
    /// Dropping its future before it was polled rolls the session back; later it does not cancel the commit.
    ///
    /// # Errors
    /// `Conflict` when somebody changed or deleted a row since that the session wrote, or, in a serializable session,
    /// read. `DuplicateKey`, `UniqueViolated` when somebody else has the key or the value by now; `TooLarge`.
    /// Otherwise as [`Table::save`](crate::Table::save). Nothing was written then, unless it is `UnknownOutcome`.
    pub async fn commit(self) -> Result<Seq> {
        self.shared.commit(self.deadline).await
    }

    /// Takes back everything, as dropping the session does.
    pub fn rollback(self) {
        self.shared.end(Fate::Ended);
    }

    fn db(&self) -> &Database {
        self.shared.snapshot().db()
    }

    /// Another handle of the session, which does not end it, for work that is done again if somebody else was faster.
    pub(crate) fn lend(&self) -> Self {
        self.shared.repeat();
        Self { shared: Arc::clone(&self.shared), deadline: self.deadline, owner: false }
    }

    /// Whether it was committed or rolled back already.
    pub(crate) fn has_ended(&self) -> bool {
        self.shared.has_ended()
    }

    /// Whether it was found that somebody else was faster.
    pub(crate) fn is_beaten(&self) -> bool {
        self.shared.is_beaten()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.owner {
            self.shared.end(Fate::Ended);
        }
    }
}

impl sealed::Source for Session {
    fn origin(&self) -> Origin {
        Origin::Session(Arc::clone(&self.shared))
    }

    fn read<T: Entity, R>(&self, work: impl FnOnce(&Reading<'_>) -> Result<R>) -> Result<R> {
        self.shared.read::<T, R>(work)
    }
}

impl write::sealed::Writable for Session {
    fn target(&self) -> Target {
        Target::Session(Arc::clone(&self.shared))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("seq", &self.seq()).finish_non_exhaustive()
    }
}

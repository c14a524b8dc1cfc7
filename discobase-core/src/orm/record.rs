//! A record: a struct together with its identity and version in the database.

use std::fmt;
use std::future::ready;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use futures_util::future::Either;

use crate::batch::IndexDef;
use crate::db::Database;
use crate::db::registry::Handle;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ChannelId, RowId, Seq};
use crate::lookup::Wanted;
use crate::orm::draft::{Draft, Ticket};
use crate::orm::model::deleted;
use crate::orm::save::{Delete, Save, Update};
use crate::orm::source::{Reading, Source};
use crate::query::expr::{Compare, Expr};
use crate::schema::Entity;
use crate::session::Read;
use crate::tables::{KeyValues, Slot, SortKey, Stored, TableState, comparable};
use crate::value::{Value, ValueRef};

/// One row of a table: the struct, which row it is, and which commit wrote it last.
///
/// It derefs to the struct: change its fields, then call [`Record::update`].
pub struct Record<T> {
    db: Database,
    home: Home,
    id: RowId,
    version: Seq,
    /// Of a row that a session wrote: what `id` and `version` turn out to be.
    draft: Option<Box<Draft>>,
    value: T,
}

/// Where a record is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home {
    /// The journal the row is in: after a reconnect the same `db` may be another database.
    pub(crate) journal: ChannelId,
    /// The table's fields by which it was read: a step may have put others in their place.
    pub(crate) shape: u64,
}

impl Home {
    pub(crate) fn of(journal: ChannelId, handle: &Handle) -> Self {
        Self { journal, shape: handle.shape() }
    }
}

impl<T> Record<T> {
    #[inline]
    pub(crate) fn new(db: Database, home: Home, id: RowId, version: Seq, value: T) -> Self {
        Self { db, home, id, version, draft: None, value }
    }

    /// A record of a session, if there is a draft.
    #[inline]
    pub(crate) fn drafted_as(
        db: Database,
        home: Home,
        (id, version): (RowId, Seq),
        draft: Option<Draft>,
        value: T,
    ) -> Self {
        Self { db, home, id, version, draft: draft.map(Box::new), value }
    }

    /// Makes it a record of a session, if it is one.
    pub(crate) fn drafted(mut self, draft: Option<&Draft>) -> Self {
        self.draft = draft.cloned().map(Box::new);
        self
    }

    /// It was written in a session.
    pub(crate) fn redraft(&mut self, id: RowId, version: Seq, draft: Option<&Draft>) {
        (self.id, self.version) = (id, version);
        self.draft = draft.cloned().map(Box::new);
    }

    /// The row and the version, for who wants to write.
    ///
    /// # Errors
    /// `Invalid` when it belongs to a session that is not committed.
    pub(crate) fn identity(&self) -> Result<(RowId, Seq)> {
        let settled = |draft: &Draft| draft.settled(self.id, self.version);
        self.draft.as_deref().map_or(Ok((self.id, self.version)), settled)
    }

    /// As [`Record::identity`], as the session of this ticket knows them.
    pub(crate) fn identity_in(&self, ticket: &Arc<Ticket>) -> Result<(RowId, Seq)> {
        match &self.draft {
            Some(draft) if Arc::ptr_eq(&draft.ticket, ticket) => Ok((self.id, self.version)),
            _ => self.identity(),
        }
    }

    fn place(&self) -> (RowId, Seq) {
        let place = self.draft.as_deref().and_then(|draft| draft.place(self.id, self.version));
        place.unwrap_or((self.id, self.version))
    }

    /// Refuses to touch a row of a database that this record does not come from.
    pub(crate) fn check_home(&self, journal: ChannelId) -> Result<()> {
        if self.home.journal == journal {
            return Ok(());
        }
        let text =
            "this record was read from another database than the one that is connected now: find it again";
        Err(Error::new(ErrorKind::Conflict, text).in_channel(self.home.journal))
    }

    /// Refuses to write a struct over fields that are not those it was read from.
    pub(crate) fn check_shape(&self, handle: &Handle) -> Result<()> {
        if self.home.shape == handle.shape() {
            return Ok(());
        }
        let text = "a migration has changed the table's fields since this record was read: find it again and repeat the \
                    change";
        let error = Error::new(ErrorKind::Conflict, text).in_table(&handle.def.name);
        Err(error.with_key(format!("row {}", self.id())))
    }

    /// The row's identity in its table: never reused, not even after a delete.
    #[must_use]
    pub fn id(&self) -> RowId {
        self.place().0
    }

    /// The commit that wrote what this record holds.
    #[must_use]
    pub fn version(&self) -> Seq {
        self.place().1
    }

    /// The struct alone.
    #[must_use]
    #[inline]
    pub fn into_inner(self) -> T {
        self.value
    }

    pub(crate) fn db(&self) -> &Database {
        &self.db
    }

    pub(crate) fn written(&mut self, id: RowId, version: Seq) {
        self.redraft(id, version, None);
    }
}

/// Nothing has it: it makes `save` on a record a mistake that the compiler finds and explains.
#[diagnostic::on_unimplemented(
    message = "this record of `{Self}` is saved already",
    label = "a record can't be saved a second time",
    note = "call `update().await` (or `commit().await`) to write its changes, or `into_inner().save(&db)` to save a \
            copy as a new record"
)]
pub trait NotSavedYet {}

/// Nothing has it: it makes `update` and `delete` on a struct a mistake that the compiler finds and explains.
#[diagnostic::on_unimplemented(
    message = "this `{Self}` is no record: it was not saved, and not read",
    label = "only a record can be changed or deleted",
    note = "`save(&db).await` gives a record, and so do `get` and `find`; by a condition, `update::<{Self}>()` and \
            `delete::<{Self}>()` change and delete records without reading them"
)]
pub trait Saved: Sized {
    /// The record that there would have to be.
    fn record(self) -> Record<Self>;
}

impl<T: Entity> Record<T> {
    /// Writes the struct's current values over the row's: one commit, durable when it returns. If nothing changed,
    /// nothing is sent.
    ///
    /// # Errors
    /// `Conflict` when somebody changed or deleted the row since this record was read: find it again and repeat the
    /// change. `KeyChanged` when a key field was changed. Otherwise as [`Table::save`](crate::Table::save).
    pub fn update(&mut self) -> Update<'_, T> {
        Update::new(self)
    }

    /// Writes the changes: for a record the same as [`Record::update`].
    ///
    /// # Errors
    /// As [`Record::update`].
    pub fn commit(&mut self) -> Update<'_, T> {
        self.update()
    }

    /// Deletes the row and gives the struct back: one commit, durable when it returns.
    ///
    /// # Errors
    /// `Conflict` when somebody changed or deleted the row since this record was read. Otherwise as
    /// [`Table::save`](crate::Table::save).
    pub fn delete(self) -> Delete<T> {
        Delete::new(self)
    }

    /// Does not compile: a record is saved already. Without it, a record of a `Copy` struct would be copied out
    /// and saved twice.
    #[doc(hidden)]
    pub fn save(self, db: &Database) -> Save<T>
    where
        T: NotSavedYet,
    {
        Save::new(self.value, db)
    }

    /// Reads the row again: what was changed in the struct and not written is gone.
    ///
    /// # Errors
    /// `NotFound` when the row was deleted; `Invalid` when the record belongs to a session that is not committed;
    /// `UnknownTable`, `TableNotReady`, `NotConnected`.
    pub async fn refresh(&mut self) -> Result<()> {
        let (row, _) = self.identity()?;
        let db = self.db.clone();
        db.with::<T, _>(|engine, _| self.check_home(engine.journal()))?;
        *self = Self::at(&db, row).await?;
        Ok(())
    }

    /// The record of a row.
    pub(crate) async fn at<S: Source>(source: &S, row: RowId) -> Result<Self> {
        let gone = || {
            let text = "somebody deleted this record since it was read";
            Error::new(ErrorKind::NotFound, text).in_table(T::SCHEMA.name).with_key(format!("row {row}"))
        };
        let now = source.read::<T, _>(|reading| {
            reading.note(|| Read::Row { table: reading.handle.id, row });
            match reading.slot().map(Slot::loaded) {
                None => Err(gone()),
                Some(Some(table)) => reading.record(row, table.row(row).ok_or_else(gone)?).map(Ok),
                Some(None) => Ok(Err(reading.later())),
            }
        })?;
        let later = match now {
            Ok(record) => return Ok(record),
            Err(later) => later,
        };
        let table = later.table(Some(&Wanted::row(row))).await?.ok_or_else(gone)?;
        later.reading().record(row, table.row(row).ok_or_else(gone)?)
    }

    #[inline]
    pub(crate) fn from_stored(
        db: &Database,
        journal: ChannelId,
        handle: &Handle,
        id: RowId,
        stored: Stored<'_>,
    ) -> Result<Self> {
        let value = handle.decode(stored.row)?;
        Ok(Self::new(db.clone(), Home::of(journal, handle), id, stored.version, value))
    }

    /// The record with these key values: found at once, if the table is in memory.
    pub(crate) fn get<S: Source>(
        source: &S,
        key: &[ValueRef<'_>],
    ) -> impl Future<Output = Result<Option<Self>>> + Send + use<T, S> {
        let mut found = None;
        let later = source.read::<T, _>(|reading| {
            note_key(reading, key);
            match reading.slot().map(Slot::loaded) {
                None => Ok(None),
                Some(Some(table)) => {
                    found = Self::by_key(reading, table, key)?;
                    Ok(None)
                }
                Some(None) => {
                    let key = key.iter().map(|value| value.to_value()).collect::<Vec<_>>();
                    Ok(Some(Box::new((reading.later(), key))))
                }
            }
        });
        match later {
            Err(error) => Either::Left(ready(Err(error))),
            Ok(None) => Either::Left(ready(Ok(found))),
            // Boxed, because it is large: every read would copy so much.
            Ok(Some(later)) => Either::Right(Box::pin(async move {
                let (later, key) = *later;
                let values = || key.iter().map(Value::as_ref).collect::<KeyValues<'_>>();
                let wanted = wanted_key(later.handle(), &values());
                match later.table(wanted.as_ref()).await? {
                    Some(table) => Self::by_key(&later.reading(), &table, &values()),
                    None => Ok(None),
                }
            })),
        }
    }

    #[inline]
    fn by_key(reading: &Reading<'_>, table: &TableState, key: &[ValueRef<'_>]) -> Result<Option<Self>> {
        let Some((_, index)) = reading.handle.def.key() else { return Ok(None) };
        match table.by_key(&key_values(reading.handle, index, key)) {
            Some((_, stored)) if deleted::is_deleted::<T>(reading.handle, stored.row) => Ok(None),
            Some((id, stored)) => reading.record(id, stored).map(Some),
            None => Ok(None),
        }
    }
}

/// Tells a session which key is read.
fn note_key(reading: &Reading<'_>, key: &[ValueRef<'_>]) {
    let handle = reading.handle;
    let Some((_, index)) = handle.def.key() else { return };
    reading.note(|| {
        let equal = |(&column, value): (&usize, ValueRef<'_>)| {
            let value = comparable(&handle.def, column, value).to_value();
            Expr::Compare(column, Compare::Eq, value)
        };
        let equal = index.columns.iter().zip(key_values(handle, index, key)).map(equal);
        Read::Rows { table: handle.id, filter: Some(Expr::And(equal.collect())) }
    });
}

/// The values of a key in the order of its columns, which may have another one in the guild than in the struct.
fn key_values<'a>(handle: &Handle, index: &IndexDef, key: &[ValueRef<'a>]) -> KeyValues<'a> {
    index.columns.iter().filter_map(|&column| key.get(handle.key_place(column)?).copied()).collect()
}

/// A key as its index has it.
fn wanted_key(handle: &Handle, key: &[ValueRef<'_>]) -> Option<Wanted> {
    let (position, index) = handle.def.key()?;
    let mut wanted = SortKey::default();
    for (&column, value) in index.columns.iter().zip(key_values(handle, index, key)) {
        wanted.push(comparable(&handle.def, column, value));
    }
    Some(Wanted { keys: vec![(position, wanted)], rows: Vec::new() })
}

/// Filters of a query in the table's own terms.
pub(crate) fn local_filter(handle: &Handle, filters: Vec<Expr>) -> Option<Expr> {
    if filters.is_empty() {
        return None;
    }
    let mut filter = Expr::And(filters);
    filter.map_columns(&|position| handle.column(position));
    filter.map_operands(&|column, operand| comparable_operand(handle, column, operand));
    Some(filter)
}

/// The operand as it compares in a column of the table.
pub(crate) fn comparable_operand(handle: &Handle, column: usize, operand: &mut Value) {
    let changed = comparable(&handle.def, column, operand.as_ref()).to_value();
    *operand = changed;
}

impl<T> Deref for Record<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Record<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: Clone> Clone for Record<T> {
    fn clone(&self) -> Self {
        Self::new(self.db.clone(), self.home, self.id, self.version, self.value.clone())
            .drafted(self.draft.as_deref())
    }
}

/// Two records are equal if they are the same row in the same version with the same values.
impl<T: PartialEq> PartialEq for Record<T> {
    fn eq(&self, other: &Self) -> bool {
        self.home.journal == other.home.journal && self.place() == other.place() && self.value == other.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Record<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("id", &self.id().get())
            .field("version", &self.version().get())
            .field("value", &self.value)
            .finish()
    }
}

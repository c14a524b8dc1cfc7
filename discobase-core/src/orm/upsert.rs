//! Saving a struct whose key may be there already.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use crate::batch::IndexDef;
use crate::db::registry::Handle;
use crate::error::{Error, ErrorKind, Result};
use crate::orm::model::lifecycle;
use crate::orm::record::Record;
use crate::orm::save::Work;
use crate::orm::statement::{around, local_assigns};
use crate::orm::write::{Target, Writable, execute};
use crate::query::column::Column;
use crate::query::expression::IntoExpression;
use crate::query::measure::Columns;
use crate::query::program::Program;
use crate::schema::{Entity, IndexKind};
use crate::session::{self, Did, Found, Write};

/// A struct that is saved unless a record has its key: await it. One commit, decided on the newest state, so that of
/// many at once exactly one inserts. Hooks run as for a save, and after it as for what it turned out to be.
///
/// In a table that keeps deleted records, one that is marked as deleted is not seen, and in the way, as for a save:
/// `DuplicateKey`, or `UniqueViolated` with [`Upsert::on`].
#[must_use = "nothing is saved until this is awaited"]
pub struct Upsert<T> {
    value: T,
    target: Target,
    /// The positions of the unique fields that decide; without them, the key does.
    unique: Option<Vec<usize>>,
    /// What becomes of a record that is there; without it, it gets all values but those of its key.
    set: Option<Vec<(usize, Program)>>,
    deadline: Option<Duration>,
}

impl<T: Entity> Upsert<T> {
    /// A record that is there gets the struct's values.
    pub(crate) fn replacing(value: T, target: &impl Writable) -> Self {
        Self { value, target: target.target(), unique: None, set: None, deadline: None }
    }

    /// A record that is there stays as it is.
    pub(crate) fn keeping(value: T, target: &impl Writable) -> Self {
        Self { set: Some(Vec::new()), ..Self::replacing(value, target) }
    }

    /// Looks for the record by a unique field instead of the key, or by several that are unique together:
    /// `on(|u| (u.guild, u.name))`. A struct of which such a field is `None` is always new.
    pub fn on<C: Columns<T>>(mut self, unique: impl FnOnce(T::Columns) -> C) -> Self {
        self.unique = Some(unique(T::columns()).positions());
        self
    }

    /// Gives a column of the record that is there a new value, worked out from what the record is, and leaves the
    /// columns alone that no `set` names.
    pub fn set<V, E: IntoExpression<T, V>>(
        mut self,
        column: impl FnOnce(T::Columns) -> Column<T, V>,
        value: impl FnOnce(T::Columns) -> E,
    ) -> Self {
        let column = column(T::columns()).position();
        let value = value(T::columns()).into_expression().program;
        self.set.get_or_insert_default().push((column, value));
        self
    }

    /// How long to wait, as for a [`Save`](crate::Save).
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    async fn run(self) -> Result<Record<T>> {
        let Self { mut value, target, unique, set, deadline } = self;
        let db = target.db().clone();
        lifecycle::before_save(&db, std::slice::from_mut(&mut value)).await?;
        let session = matches!(target, Target::Session(_));
        let done = execute::<T>(target, deadline, |handle| {
            let index = index::<T>(handle, unique.as_deref())?;
            let found = match set {
                Some(set) => Found::Set(local_assigns::<T>(handle, set)),
                None => {
                    let keep = T::MODEL.created_at.map(|position| handle.column(position));
                    Found::Replace { keep: keep.into_iter().collect(), around: around::<T>(handle) }
                }
            };
            let (table, values) = (handle.id, handle.encode(&value)?);
            let auto = T::MODEL.auto.map(|position| handle.column(position));
            let deleted = T::MODEL.deleted_at.map(|position| handle.column(position));
            Ok(Write::Upsert(Arc::new(session::Upsert { table, index, values, auto, deleted, found })))
        })
        .await?;
        let nothing = || Error::new(ErrorKind::Damaged, "an upsert wrote no row").in_table(T::SCHEMA.name);
        let written = done.written.first().ok_or_else(nothing)?;
        let record = done.record::<T>(written)?;
        match written.did {
            // A session sees to it when it is committed.
            _ if session => {}
            Did::Insert => lifecycle::after_save::<T>(&db, &record).await,
            Did::Update => lifecycle::after_update::<T>(&db, &record).await,
            Did::Nothing | Did::Delete => {}
        }
        Ok(record)
    }
}

/// The position of the index that decides.
fn index<T: Entity>(handle: &Handle, unique: Option<&[usize]>) -> Result<usize> {
    let Some(positions) = unique else {
        let none = "the table has no key: say with on(…) which unique field decides";
        let none = || Error::new(ErrorKind::Invalid, none).in_table(T::SCHEMA.name);
        return handle.def.key().map(|(index, _)| index).ok_or_else(none);
    };
    // In whatever order they are given.
    let mut columns: Vec<usize> = positions.iter().map(|&position| handle.column(position)).collect();
    columns.sort_unstable();
    let decides = |index: &IndexDef| {
        let mut of = index.columns.clone();
        of.sort_unstable();
        index.kind != IndexKind::Index && of == columns
    };
    handle.def.indexes.iter().position(decides).ok_or_else(|| {
        let text = "several records may have the same in this: only a key can decide, a unique field, or the fields of an \
                    index that is unique";
        let names = positions.iter().filter_map(|&position| T::SCHEMA.columns.get(position));
        let names: Vec<_> = names.map(|column| column.name).collect();
        Error::new(ErrorKind::Invalid, text).in_table(T::SCHEMA.name).in_field(names.join(", "))
    })
}

impl<T: Entity> IntoFuture for Upsert<T> {
    type Output = Result<Record<T>>;
    type IntoFuture = Work<'static, Record<T>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<T: fmt::Debug> fmt::Debug for Upsert<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upsert").field("value", &self.value).field("set", &self.set).finish_non_exhaustive()
    }
}

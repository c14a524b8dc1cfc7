//! A table that is not loaded: where its rows lie in the guild, and what was written since.
//!
//! It takes part in commits as any table does. What it can't tell is what its rows are: `lookup` finds single ones in the
//! guild, and loading it makes it an ordinary table. Everything here is a state like those of the other tables: a clone
//! stays what it was.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::batch::TableDef;
use crate::codec::checkpoint::{Run, TableCheckpoint};
use crate::codec::segment::Sealing;
use crate::ids::{RowId, Seq};
use crate::row::Row;
use crate::schema::IndexKind;
use crate::tables::index::{sort_key_of, value_in};
use crate::tables::overlay::{Found, Overlay};
use crate::tables::sort_key::SortKey;
use crate::tables::table::{LiveRow, Stored, TableState};

/// A table as a checkpoint has it.
pub(crate) struct Base {
    pub(crate) table: TableCheckpoint,
    /// The last commit that the checkpoint has.
    pub(crate) seq: Seq,
    pub(crate) sealing: Sealing,
    /// The table as of the checkpoint, once it was loaded.
    loaded: OnceCell<Arc<TableState>>,
    /// Whether it is being loaded, or was: then no state that is based on it is given another base, because it is about
    /// to be an ordinary table.
    wanted: Mutex<bool>,
}

/// A table that is not loaded.
pub(crate) struct Unloaded {
    def: Arc<TableDef>,
    base: ArcSwap<Base>,
    overlay: Overlay,
    /// The overlay has every row that commits after this one changed.
    since: Seq,
    next_row: RowId,
    rows: u64,
    last_change: Seq,
    /// This state of the table, once somebody needed all of it; `None` if the base and what was done since do not fit.
    loaded: OnceLock<Option<Arc<TableState>>>,
}

impl Base {
    pub(crate) fn new(table: TableCheckpoint, seq: Seq, sealing: Sealing) -> Self {
        Self { table, seq, sealing, loaded: OnceCell::new(), wanted: Mutex::new(false) }
    }

    /// Loads the table as of the checkpoint; of several callers at a time one does it for all.
    pub(crate) async fn load<E>(&self, load: impl Future<Output = Result<TableState, E>>) -> Result<(), E> {
        *self.wanted.lock() = true;
        let loaded = self.loaded.get_or_try_init(|| async { load.await.map(Arc::new) }).await.map(drop);
        if loaded.is_err() {
            *self.wanted.lock() = false;
        }
        loaded
    }
}

impl Unloaded {
    /// The table as of a checkpoint. Of what commits after `since` did nothing is known yet: it has to be
    /// [noted](Unloaded::note).
    pub(crate) fn new(base: Base, since: Seq) -> Self {
        let table = &base.table;
        Self {
            def: Arc::new(table.def.clone()),
            overlay: Overlay::new(table.def.indexes.len()),
            since,
            next_row: table.next_row,
            rows: table.rows,
            last_change: table.runs.last().map_or(Seq::default(), |last| last.to),
            loaded: OnceLock::new(),
            base: ArcSwap::from_pointee(base),
        }
    }

    /// Notes what the checkpoint says of a row, as its runs are read from the oldest to the newest.
    pub(crate) fn note(&mut self, row: RowId, seq: Seq, values: Option<Row>) {
        self.overlay.put(&self.def, row, seq, values);
    }

    pub(crate) fn def(&self) -> &Arc<TableDef> {
        &self.def
    }

    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.rows).unwrap_or(usize::MAX)
    }

    pub(crate) fn next_row(&self) -> RowId {
        self.next_row
    }

    pub(crate) fn last_change(&self) -> Seq {
        self.last_change
    }

    /// What it is based on.
    pub(crate) fn base(&self) -> Arc<Base> {
        self.base.load_full()
    }

    /// The commit after which every change is known: runs that begin with it or later need not be asked.
    pub(crate) fn since(&self) -> Seq {
        self.since
    }

    /// Whether the other one is based on the same checkpoint.
    pub(crate) fn has_base(&self, base: &Arc<Base>) -> bool {
        Arc::ptr_eq(&self.base.load(), base)
    }

    /// Replaces the base by a later one, whose checkpoint has nothing that this state has not; unless the old one is just
    /// being loaded.
    pub(crate) fn rebase(&self, base: Base) {
        let old = self.base();
        let wanted = old.wanted.lock();
        if !*wanted {
            self.base.store(Arc::new(base));
        }
    }

    /// Forgets what the runs of the base tell as well: all changes up to a commit.
    pub(crate) fn forget_upto(&mut self, upto: Seq) {
        if upto > self.since {
            self.overlay.forget_upto(&self.def, upto);
            self.since = upto;
        }
    }

    /// What is known of a row without asking the guild: that it was deleted, or what it is.
    pub(crate) fn known(&self, row: RowId) -> Option<Option<Found>> {
        if row >= self.next_row {
            return Some(None);
        }
        let (version, values) = self.overlay.get(row)?;
        Some(values.map(|values| Found { row, version, values: values.clone() }))
    }

    /// A row that is known without asking the guild.
    pub(crate) fn row(&self, row: RowId) -> Option<Stored<'_>> {
        let (version, values) = self.overlay.get(row)?;
        Some(Stored { version, row: values?.borrow() })
    }

    /// The rows that are known and have a key, in the order of their ids.
    pub(crate) fn equal(&self, index: usize, key: &SortKey) -> Vec<Found> {
        self.overlay.equal(index, key)
    }

    /// As much of this state as has some rows, which were looked up earlier, and some keys. Whatever is asked of it beyond
    /// that, it does not know.
    pub(crate) fn part<'a>(
        &'a self,
        rows: impl Iterator<Item = (RowId, Option<&'a Found>)>,
        keys: &[(usize, SortKey)],
    ) -> TableState {
        let mut part = TableState::new(TableDef::clone(&self.def));
        let now = rows.filter_map(|(row, found)| match self.overlay.get(row) {
            Some((version, values)) => Some((row, version, Some(values?))),
            None => found.map(|found| (row, found.version, Some(&found.values))),
        });
        part.overwrite(now, self.next_row, self.last_change);
        keys.iter().for_each(|(index, key)| part.take_over(self.equal(*index, key)));
        part
    }

    /// Whether a row has a key.
    pub(crate) fn has_key(&self, index: usize, key: &SortKey, values: &Row) -> bool {
        let index = self.def.indexes.get(index);
        index.is_some_and(|index| sort_key_of(&self.def, index, values.borrow()) == *key)
    }

    /// Whether at most one row can have a key, unless something of it is null.
    pub(crate) fn is_unique(&self, index: usize) -> bool {
        self.def.indexes.get(index).is_some_and(|index| index.kind != IndexKind::Index)
    }

    /// Whether no other row can have the key that a row has.
    pub(crate) fn is_only(&self, index: usize, values: &Row) -> bool {
        let Some(index) = self.def.indexes.get(index) else { return false };
        let null = |&column: &usize| value_in(&self.def, values.borrow(), column).is_null();
        index.kind != IndexKind::Index && !index.columns.iter().any(null)
    }

    /// The rows that commits after `after` wrote; only if that is not before [`Unloaded::since`].
    pub(crate) fn rows_since(&self, after: Seq) -> impl Iterator<Item = LiveRow<'_>> {
        let known = self.overlay.iter().filter(move |(_, seq, _)| *seq > after);
        known.filter_map(|(id, version, values)| Some(LiveRow { id, version, bytes: values?.as_bytes() }))
    }

    /// The rows that commits after `after` deleted, and which commits; as for [`Unloaded::rows_since`].
    pub(crate) fn deleted_since(&self, after: Seq) -> impl Iterator<Item = (RowId, Seq)> {
        let known = self.overlay.iter().filter(move |(_, seq, values)| *seq > after && values.is_none());
        known.map(|(row, seq, _)| (row, seq))
    }

    /// What an index holds of the rows that commits after `after` wrote; as for [`Unloaded::rows_since`].
    pub(crate) fn keys_since(&self, index: usize, after: Seq) -> Vec<(SortKey, RowId)> {
        let Some(def) = self.def.indexes.get(index) else { return Vec::new() };
        let known = self.overlay.iter().filter(|(_, seq, _)| *seq > after);
        let keys =
            known.filter_map(|(row, _, values)| Some((sort_key_of(&self.def, def, values?.borrow()), row)));
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        keys
    }

    /// Adds a row; false if the id was used before.
    pub(super) fn insert(&mut self, id: RowId, version: Seq, row: &Row) -> bool {
        if id < self.next_row {
            return false;
        }
        self.next_row = id.next();
        self.rows += 1;
        self.change(id, version, Some(row.clone()));
        true
    }

    /// Replaces a row; false if it is known that there is none.
    pub(super) fn update(&mut self, id: RowId, version: Seq, row: &Row) -> bool {
        let known = self.may_have(id);
        if known {
            self.change(id, version, Some(row.clone()));
        }
        known
    }

    /// Removes a row; false if it is known that there is none.
    pub(super) fn delete(&mut self, seq: Seq, id: RowId) -> bool {
        let known = self.may_have(id);
        if known {
            self.rows = self.rows.saturating_sub(1);
            self.change(id, seq, None);
        }
        known
    }

    /// Gives it another definition. Whether the rows fit it was asked before the commit was made.
    pub(super) fn alter(&mut self, def: &TableDef, seq: Seq) {
        self.def = Arc::new(def.clone());
        self.last_change = seq;
        self.overlay.reindex(def);
    }

    /// The position that an index has in the runs of the base, unless they know none that is the same.
    pub(crate) fn stored_index(&self, base: &Base, index: usize) -> Option<usize> {
        (!self.def.index_differs(&base.table.def, index)).then_some(index)
    }

    fn may_have(&self, id: RowId) -> bool {
        id < self.next_row && self.overlay.get(id).is_none_or(|(_, values)| values.is_some())
    }

    fn change(&mut self, row: RowId, seq: Seq, values: Option<Row>) {
        self.last_change = seq;
        self.overlay.put(&self.def, row, seq, values);
    }

    /// This state as an ordinary table, if its base was loaded: what was written since is put over it the first time.
    pub(crate) fn loaded(&self) -> Option<&Arc<TableState>> {
        if let Some(loaded) = self.loaded.get() {
            return loaded.as_ref();
        }
        let base = self.base.load();
        let state = base.loaded.get()?;
        self.loaded.get_or_init(|| self.over(state, base.seq)).as_ref()
    }

    /// A table as of commit `seq`, with what was done to it since; `None` if that does not fit it.
    fn over(&self, state: &Arc<TableState>, seq: Seq) -> Option<Arc<TableState>> {
        if self.last_change <= seq {
            return Some(Arc::clone(state));
        }
        let mut table = TableState::clone(state);
        let written = self.overlay.iter().filter(|(_, version, _)| *version > seq);
        table.overwrite(written, self.next_row, self.last_change);
        if **table.def() != *self.def {
            table = table.under(TableDef::clone(&self.def), self.last_change).ok()?;
        }
        (table.len() == self.len()).then(|| Arc::new(table))
    }
}

/// A clone is about to be changed, so that it shares no loaded table.
impl Clone for Unloaded {
    fn clone(&self) -> Self {
        Self {
            def: Arc::clone(&self.def),
            base: ArcSwap::new(self.base.load_full()),
            overlay: self.overlay.clone(),
            since: self.since,
            next_row: self.next_row,
            rows: self.rows,
            last_change: self.last_change,
            loaded: OnceLock::new(),
        }
    }
}

/// Which of a table's last runs are small enough to be kept in memory: the commit before the first of them.
pub(crate) fn small_since(runs: &[Run], limit: u64, together: u64) -> Seq {
    let mut size = 0;
    let fits = |run: &&Run| {
        size += run.bytes();
        run.bytes() <= limit && size <= together
    };
    match runs.iter().rev().take_while(fits).last() {
        Some(first) => first.from,
        None => runs.last().map_or(Seq::default(), |last| last.to),
    }
}

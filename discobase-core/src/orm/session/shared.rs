//! What a session shares with the queries and statements that were made with it.
//!
//! The session's writes are applied, one by one, to a copy of the tables that is its own: copying costs a pointer, for
//! the tables share what they have in common. Rows that it adds have provisional ids there, and what it writes has
//! provisional versions above all those of the snapshot. What it commits is the difference in the end, each row once:
//! rows that go before rows that change, and those before rows that come.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use parking_lot::Mutex;

use crate::batch::Op;
use crate::db::engine::Engine;
use crate::db::registry::Handle;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{RowId, Seq, TableId};
use crate::orm::draft::{Draft, Fate, Ticket};
use crate::orm::model::hooks;
use crate::orm::record::Record;
use crate::orm::session::after::{After, AfterHooks, Own};
use crate::orm::session::pending::{Changed, Pending, before};
use crate::orm::snapshot::Snapshot;
use crate::orm::source::{Reading, sealed};
use crate::orm::write::Done;
use crate::query::expr::{Compare, Expr};
use crate::query::subquery;
use crate::row::Row;
use crate::schema::Entity;
use crate::session::{
    Facts, Prepared, Read, Statement, Terms, Upsert, Write, WriteSet, Written, needs, prepare_partly, reserve,
};
use crate::tables::{Tables, comparable, value_in};

/// The state of a session.
pub struct Shared {
    pub(super) snapshot: Snapshot,
    pub(super) engine: Arc<Engine>,
    pub(super) ticket: Arc<Ticket>,
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    pub(super) tables: Tables,
    pub(super) changed: Changed,
    /// What was looked up of the snapshot's tables that are not in memory.
    pub(super) facts: Facts,
    /// The provisional version of the next write. None is given twice, not even after going back to a point.
    pub(super) next: Seq,
    /// What was read, if that is checked.
    pub(super) reads: Option<Vec<Read>>,
    points: Vec<Point>,
    next_point: u64,
    /// What the structs do after they were written, by their tables.
    pub(super) hooks: BTreeMap<TableId, Arc<dyn AfterHooks>>,
    pub(super) beaten: bool,
    /// Whether anybody will ask for that.
    pub(super) repeated: bool,
    pub(super) ended: bool,
}

/// A point to go back to. All of it is shared with what came after.
struct Point {
    number: u64,
    tables: Tables,
    changed: Changed,
}

impl Shared {
    pub(super) fn new(snapshot: Snapshot, engine: Arc<Engine>) -> Self {
        let tables = Tables::clone(snapshot.tables());
        let state = State {
            next: tables.seq().next(),
            tables,
            changed: OrdMap::new(),
            facts: Facts::default(),
            reads: None,
            points: Vec::new(),
            next_point: 0,
            hooks: BTreeMap::new(),
            beaten: false,
            repeated: false,
            ended: false,
        };
        Self { snapshot, engine, ticket: Arc::default(), state: Mutex::new(state) }
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// A row as the session sees it now. Of a table that is not in memory it has to be [known](Shared::know).
    pub(super) fn stored(&self, table: TableId, row: RowId) -> Option<(Seq, Row)> {
        let state = self.state.lock();
        before(&state.tables, &state.facts, table, row)
    }

    /// Looks a row up, if its table is not in memory.
    pub(super) async fn know<T: Entity>(&self, row: RowId) -> Result<()> {
        let table = self.snapshot.handle::<T>()?.id;
        self.learn(&[Write::Delete { table, row, version: Seq::default() }]).await
    }

    /// Looks up what has to be known for writes to be checked.
    async fn learn(&self, writes: &[Write]) -> Result<()> {
        let mut facts = self.state.lock().open()?.facts.clone();
        self.engine.learn_in(self.snapshot.tables(), writes, &mut facts).await?;
        self.state.lock().facts.merge(facts);
        Ok(())
    }

    /// What the calendar says: microseconds since the Unix epoch.
    pub(super) fn now(&self) -> i64 {
        self.engine.now()
    }

    /// A number for the key of a record that is to be added: nobody else gets it.
    pub(super) async fn reserve<T: Entity>(&self, position: usize) -> Result<RowId> {
        let handle = self.snapshot.handle::<T>()?;
        let (table, column) = (handle.id, handle.column(position));
        match self.engine.reserve(table, column).await {
            // A follower's session is never committed, so any number does that its own rows don't have.
            Err(error) if error.kind() == ErrorKind::ReadOnly => {
                let own = self.state.lock().open()?.tables.clone();
                self.engine.table_in(&own, table, None).await?;
                reserve(&mut self.state.lock().open()?.tables, table, column)
            }
            reserved => reserved,
        }
    }

    pub(super) fn track_reads(&self) {
        self.state.lock().reads.get_or_insert_default();
    }

    /// Notes what was read, if that is checked at commit.
    pub(crate) fn note(&self, read: impl FnOnce() -> Read) {
        if let Some(reads) = &mut self.state.lock().reads {
            reads.push(read());
        }
    }

    pub(crate) fn read<T: Entity, R>(&self, work: impl FnOnce(&Reading<'_>) -> Result<R>) -> Result<R> {
        let tables = Arc::new(self.state.lock().open()?.tables.clone());
        sealed::Source::read::<T, R>(&self.snapshot, |reading| {
            work(&Reading { tables: &tables, session: Some(self), ..*reading })
        })
    }

    /// What makes a record one of this session, if the session wrote its row.
    pub(crate) fn draft(&self, table: TableId, version: Seq) -> Option<Draft> {
        (version > self.snapshot.seq()).then(|| Draft { ticket: Arc::clone(&self.ticket), table })
    }

    /// The row and the version of a record as this session knows them.
    pub(super) fn identity<T>(&self, record: &Record<T>) -> Result<(RowId, Seq)> {
        record.check_home(self.snapshot.journal())?;
        record.identity_in(&self.ticket)
    }

    /// Whether a row is in this version and has these values: then there is nothing to be written.
    pub(super) fn is_so(&self, table: TableId, row: RowId, version: Seq, values: &Row) -> bool {
        self.stored(table, row).is_some_and(|(stored, row)| stored == version && row == *values)
    }

    /// Does one write, unless there is none to be done.
    pub(crate) async fn execute<T: Entity>(
        &self,
        make: impl FnOnce(&Arc<Handle>) -> Result<Option<Write>>,
    ) -> Result<Done> {
        let handle = Arc::clone(self.snapshot.handle::<T>()?);
        let write = make(&handle)?;
        write.iter().for_each(|write| self.note_reads_of(&handle, write));
        if hooks::of::<T>().is_some() {
            let hooks: Arc<dyn AfterHooks> = Arc::new(After::<T>::new(Arc::clone(&handle)));
            self.state.lock().open()?.hooks.insert(handle.id, hooks);
        }
        let written = self.write(&write.into_iter().collect::<Vec<_>>().into()).await?;
        let draft = Some(Draft { ticket: Arc::clone(&self.ticket), table: handle.id });
        let (db, journal) = (self.snapshot.db().clone(), self.snapshot.journal());
        Ok(Done { db, journal, handle, written, draft, base: self.snapshot.seq() })
    }

    /// What a write has to read to know what it is to do. A plain write says which version it read.
    fn note_reads_of(&self, handle: &Handle, write: &Write) {
        match write {
            Write::Statement(statement) => {
                let Statement { table, filter, .. } = &**statement;
                let (mut filter, mut inner) = (filter.clone(), Vec::new());
                if let Some(condition) = &mut filter {
                    let mut state = self.state.lock();
                    let resolved = state.open().is_ok_and(|state| {
                        let read = &mut |table, filter: Option<&Expr>| {
                            inner.push(Read::Rows { table, filter: filter.cloned() });
                        };
                        subquery::resolve(condition, &handle.def, subquery::State::of(&state.tables), read)
                            .is_ok()
                    });
                    // What it fails with is told when it is done.
                    filter = filter.filter(|_| resolved);
                }
                inner.into_iter().for_each(|read| self.note(|| read));
                self.note(|| Read::Rows { table: *table, filter });
            }
            Write::Upsert(upsert) => self.note(|| {
                let Upsert { table, index, values, .. } = &**upsert;
                let columns = handle.def.indexes.get(*index).map_or(&[][..], |index| &index.columns);
                let equal = |&column: &usize| {
                    let value = value_in(&handle.def, values.borrow(), column);
                    let value = comparable(&handle.def, column, value).to_value();
                    Expr::Compare(column, Compare::Eq, value)
                };
                let filter = Some(Expr::And(columns.iter().map(equal).collect()));
                Read::Rows { table: *table, filter }
            }),
            _ => {}
        }
    }

    /// Does writes, after what they concern was looked up.
    async fn write(&self, set: &WriteSet) -> Result<Vec<Written>> {
        self.learn(&set.writes).await?;
        if let Some(written) = self.apply(set)? {
            return Ok(written);
        }
        // The session's tables went by an older checkpoint than the snapshot's do now.
        let own = self.state.lock().open()?.tables.clone();
        while let Err(table) = needs(&own, &set.writes) {
            self.engine.table_in(&own, table, None).await?;
        }
        for table in set.writes.iter().filter_map(Write::table) {
            self.engine.table_in(&own, table, None).await?;
        }
        self.apply(set)?.ok_or_else(|| {
            let text = "what the session read of a lazy table is out of date: begin another one";
            Error::new(ErrorKind::Conflict, text)
        })
    }

    fn apply(&self, set: &WriteSet) -> Result<Option<Vec<Written>>> {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let seq = state.open()?.next;
        // What refers to what is not there now may do so rightly when the session is committed.
        let terms = Terms { whole: false, ..self.engine.terms() };
        let prepared = prepare_partly(&mut state.tables, seq, set, &terms, &state.facts)?;
        let Some(Prepared { commit, written }) = prepared else { return Ok(None) };
        state.next = seq.next();
        let of_struct = set.writes.first().filter(|write| !matches!(write, Write::Statement(_)));
        let own = of_struct.and_then(Write::table).zip(written.first().map(|written| written.row));
        for op in commit.ops {
            state.changed(self.snapshot.tables(), seq, op, own);
        }
        Ok(Some(written))
    }

    pub(super) fn mark(&self) -> Result<u64> {
        let mut guard = self.state.lock();
        let state = guard.open()?;
        let number = state.next_point;
        state.next_point += 1;
        let (tables, changed) = (state.tables.clone(), state.changed.clone());
        state.points.push(Point { number, tables, changed });
        Ok(number)
    }

    pub(super) fn back_to(&self, number: u64) -> Result<()> {
        let mut guard = self.state.lock();
        let state = guard.open()?;
        let Some(place) = state.points.iter().position(|point| point.number == number) else {
            let text =
                "the session has no such savepoint: it belongs to another session, or was taken back itself";
            return Err(Error::new(ErrorKind::Invalid, text));
        };
        state.points.truncate(place + 1);
        if let Some(point) = state.points.last() {
            state.tables = point.tables.clone();
            state.changed = point.changed.clone();
        }
        Ok(())
    }

    /// Forgets a point without going back to it.
    pub(super) fn forget(&self, number: u64) {
        self.state.lock().points.retain(|point| point.number != number);
    }

    /// Somebody will ask whether it [was beaten](Self::is_beaten).
    pub(super) fn repeat(&self) {
        self.state.lock().repeated = true;
    }

    pub(super) fn is_beaten(&self) -> bool {
        self.state.lock().beaten
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state.lock().ended
    }

    /// From now on nothing is read or written any more.
    pub(super) fn end(&self, fate: Fate) {
        self.state.lock().ended = true;
        self.ticket.decide(fate);
    }
}

impl State {
    /// # Errors
    /// `Invalid` when the session has ended.
    pub(super) fn open(&mut self) -> Result<&mut Self> {
        if self.ended {
            let text = "the session was committed or rolled back: begin another one with db.session()";
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        Ok(self)
    }

    /// Keeps that write `seq` did this to a row. `own` is the row that a struct's own write is about, if it is one.
    fn changed(&mut self, snapshot: &Tables, seq: Seq, op: Op, own: Option<(TableId, RowId)>) {
        let (key, values, is_new) = match op {
            Op::Insert { table, row, values } => ((table, row), Some(values), true),
            Op::Update { table, row, values } => ((table, row), Some(values), false),
            Op::Delete { table, row } => ((table, row), None, false),
            // Sessions change no definitions.
            _ => return,
        };
        let known = self.changed.get(&key).filter(|_| !is_new);
        let marked =
            |values: &Row| self.hooks.get(&key.0).is_some_and(|hooks| hooks.is_marked(values.borrow()));
        let (base, added, was_marked) = match known {
            Some(known) => (known.base, known.added, known.values.as_ref().is_some_and(marked)),
            None if is_new => (None, seq, false),
            None => {
                let before = before(snapshot, &self.facts, key.0, key.1);
                let was_marked = before.as_ref().is_some_and(|(_, values)| marked(values));
                (before.map(|(version, _)| version), Seq::default(), was_marked)
            }
        };
        if base.is_none() && values.is_none() {
            // It came and went in the session: nobody else ever hears of it.
            self.changed.remove(&key);
            return;
        }
        let known = known.and_then(|known| known.own);
        // What comes in with its mark, or had it before, is not deleted by this write.
        let deletes = values.as_ref().is_none_or(|values| marked(values) && !is_new && !was_marked);
        let is_gone = values.as_ref().is_none_or(marked);
        let own = match (own == Some(key), deletes) {
            (true, true) => Some(Own::Deleted),
            // It stays deleted, whatever else is written.
            (true, false) if is_gone && known == Some(Own::Deleted) => known,
            (true, false) => Some(Own::Written),
            // A cascade takes no hook from a delete of the struct's own, but from its other writes.
            (false, _) => known.filter(|own| !is_gone || *own == Own::Deleted),
        };
        self.changed.insert(key, Pending { base, values, added, last: seq, own });
    }
}

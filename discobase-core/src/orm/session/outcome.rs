//! The end of a session: what it commits, and what is made of the answer.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::db::engine::Committed;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{RowId, Seq, TableId};
use crate::orm::draft::{Fate, Landed, Ticket};
use crate::orm::session::pending::{Pending, before};
use crate::orm::session::shared::{Shared, State};
use crate::row::Row;
use crate::session::{Reads, WriteSet, Written, prepare_partly, refers_to_nothing};
use crate::tables::Tables;

impl Shared {
    pub(super) async fn flush(&self) -> Result<()> {
        let set = self.outcome(self.state.lock().open()?).set;
        let checked = self.engine.would_accept(&set).await;
        if let Err(error) = &checked {
            self.note_beaten(error, &set).await;
        }
        checked
    }

    /// Keeps whether an error, which the newest state gave, says that somebody else was faster. A key or a unique value
    /// that was free in the snapshot was taken by somebody else. A reference may be the session's own mistake: it is if
    /// what the session saw refuses it as well.
    async fn note_beaten(&self, error: &Error, set: &WriteSet) {
        // To find out takes reads, for which nobody else should wait.
        if !self.state.lock().repeated {
            return;
        }
        let beaten = match error.kind() {
            ErrorKind::Conflict | ErrorKind::DuplicateKey | ErrorKind::UniqueViolated => true,
            ErrorKind::NoParent | ErrorKind::StillReferenced => self.was_allowed(set).await,
            _ => false,
        };
        self.state.lock().beaten = beaten;
    }

    /// Whether the snapshot, had nobody else committed since, would have accepted this.
    async fn was_allowed(&self, set: &WriteSet) -> bool {
        let (mut facts, next) = {
            let state = self.state.lock();
            (state.facts.clone(), state.next)
        };
        if self.engine.learn_in(self.snapshot.tables(), &set.writes, &mut facts).await.is_err() {
            return false;
        }
        let mut tables = Tables::clone(self.snapshot.tables());
        let prepared = prepare_partly(&mut tables, next, set, &self.engine.terms(), &facts);
        matches!(prepared, Ok(Some(_)))
    }

    pub(super) async fn commit(&self, deadline: Option<Duration>) -> Result<Seq> {
        let (outcome, hooks) = {
            let mut guard = self.state.lock();
            let state = guard.open()?;
            state.ended = true;
            (self.outcome(state), std::mem::take(&mut state.hooks))
        };
        if outcome.set.writes.is_empty() {
            self.ticket.decide(Fate::Committed(outcome.unchanged));
            return Ok(self.snapshot.seq());
        }
        let Outcome { set, rows, unchanged } = outcome;
        // If this is dropped from here on, the commit goes on all the same.
        let undecided = Undecided(&self.ticket);
        let committed = match self.engine.commit_by(set, deadline).await {
            Ok(committed) => committed,
            Err(error) => {
                let unknown = error.kind() == ErrorKind::UnknownOutcome;
                self.ticket.decide(if unknown { Fate::Unknown } else { Fate::Ended });
                let set = self.outcome(&self.state.lock()).set;
                self.note_beaten(&error, &set).await;
                return Err(error);
            }
        };
        let own: Vec<_> = rows.iter().map(|((table, _), row)| (*table, row.own)).collect();
        self.ticket.decide(Fate::Committed(landed(&committed, rows, unchanged)));
        drop(undecided);
        for ((table, own), written) in own.iter().zip(&committed.written) {
            if let Some((hooks, own)) = hooks.get(table).zip(*own) {
                hooks.run(self.snapshot.db(), written, own).await;
            }
        }
        Ok(committed.seq)
    }

    /// What has to be committed for the newest state to become what the session made of its snapshot.
    fn outcome(&self, state: &State) -> Outcome {
        let mut rows: Vec<_> = state.changed.iter().map(|(key, row)| (*key, row.clone())).collect();
        let mut unchanged = HashMap::new();
        rows.retain(|(key, row)| {
            let base = row.base.filter(|_| self.is_as_before(state, *key, row));
            let landed = |version| Landed { id: key.1, version, added: Seq::default(), last: row.last };
            unchanged.extend(base.map(|version| (*key, landed(version))));
            base.is_none()
        });
        // Rows that go make room for those that come.
        rows.sort_by_key(|(_, row)| match (row.base, &row.values) {
            (_, None) => 0,
            (Some(_), Some(_)) => 1,
            (None, Some(_)) => 2,
        });
        let writes = rows.iter().map(|((table, id), row)| row.write(*table, *id)).collect();
        let reads = state
            .reads
            .as_ref()
            .map(|reads| Arc::new(Reads { of: Arc::clone(self.snapshot.tables()), reads: reads.clone() }));
        let written: BTreeSet<TableId> = rows.iter().map(|((table, _), _)| *table).collect();
        let slots = written.into_iter().filter_map(|table| self.snapshot.tables().get(table));
        let defs = slots.map(|slot| Arc::clone(slot.def())).collect();
        Outcome { set: WriteSet { writes, reads, numbered: false, defs }, rows, unchanged }
    }

    /// Whether a row was changed back to what it was. If it refers to what the session has deleted, somebody has to say
    /// that it can't: nothing would, if it were left out.
    fn is_as_before(&self, state: &State, (table, id): (TableId, RowId), row: &Pending) -> bool {
        let before = before(self.snapshot.tables(), &state.facts, table, id).map(|(_, values)| values);
        let strays = |values: &Row| refers_to_nothing(&state.tables, table, values.borrow());
        before == row.values && !row.values.as_ref().is_some_and(strays)
    }
}

/// What a session comes to.
struct Outcome {
    set: WriteSet,
    /// The row of each write.
    rows: Vec<((TableId, RowId), Pending)>,
    /// Rows that were changed back to what they were.
    unchanged: HashMap<(TableId, RowId), Landed>,
}

/// Says of the records, unless something better is known, that nobody knows.
struct Undecided<'a>(&'a Ticket);

impl Drop for Undecided<'_> {
    fn drop(&mut self) {
        self.0.decide(Fate::Unknown);
    }
}

fn landed(
    committed: &Committed,
    rows: Vec<((TableId, RowId), Pending)>,
    unchanged: HashMap<(TableId, RowId), Landed>,
) -> HashMap<(TableId, RowId), Landed> {
    let rows = rows.into_iter().zip(&committed.written).filter(|((_, row), _)| row.values.is_some());
    let place = |((key, row), written): (((TableId, RowId), Pending), &Written)| {
        let added = if row.base.is_none() { row.added } else { Seq::default() };
        (key, Landed { id: written.row, version: written.version, added, last: row.last })
    };
    rows.map(place).chain(unchanged).collect()
}

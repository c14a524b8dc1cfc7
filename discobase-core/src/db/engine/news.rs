//! News: what becomes visible, row by row and commit by commit, for those who watch.
//!
//! [`Engine::show`] is the one place where durable commits become visible, own ones and those of others. While nobody
//! watches it costs a lock that nobody else wants.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::batch::{Commit, Op, TableDef};
use crate::db::engine::Engine;
use crate::db::engine::feed::Feed;
use crate::error::{Error, ErrorKind};
use crate::ids::{RowId, Seq, TableId};
use crate::row::Row;
use crate::tables::{Slot, Stored, TableState, Tables, goes_on_from};

/// What one commit did to one table.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) seq: Seq,
    /// Each row once, in the order in which the commit first touched them.
    pub(crate) rows: Vec<RowNews>,
}

/// What one commit did to one row: at least one of the two is there.
#[derive(Debug)]
pub(crate) struct RowNews {
    pub(crate) row: RowId,
    pub(crate) old: Option<Kept>,
    pub(crate) new: Option<Kept>,
}

/// A row as it was or is, whatever becomes of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) version: Seq,
    pub(crate) row: Row,
}

impl Kept {
    fn of(stored: Stored<'_>) -> Self {
        Self { version: stored.version, row: stored.row.to_row() }
    }

    pub(crate) fn stored(&self) -> Stored<'_> {
        Stored { version: self.version, row: self.row.borrow() }
    }
}

/// Who watches.
#[derive(Default)]
pub(super) struct Watchers {
    feeds: Mutex<Vec<Arc<Feed>>>,
}

impl Engine {
    /// Makes the state after `commits` visible.
    pub(super) fn show(&self, after: Tables, commits: &[Commit]) {
        self.watchers.publish(&self.visible, after, |before, _, watched| told_of(before, commits, watched));
    }

    /// Makes a state visible whose commits are not known one by one.
    pub(super) fn show_difference(&self, after: Tables) {
        self.watchers.publish(&self.visible, after, told_of_difference);
    }

    /// Watches a table from the state that is visible now, which comes with it.
    pub(crate) fn watch(&self, table: TableId, capacity: usize) -> (Arc<Feed>, Arc<Tables>) {
        let feed = Arc::new(Feed::new(table, capacity));
        let tables = {
            let mut feeds = self.watchers.feeds.lock();
            feeds.push(Arc::clone(&feed));
            self.visible.load_full()
        };
        // Whoever ended the news before did not see this feed.
        let newest = self.newest.lock();
        if newest.ended || newest.stopped.is_some() {
            feed.end(newest.stopped.as_ref());
        }
        drop(newest);
        (feed, tables)
    }

    /// Forgets what a feed holds, and goes on from the state that is visible now, which it gives.
    pub(crate) fn rewind(&self, feed: &Feed) -> Arc<Tables> {
        let _nothing_becomes_visible = self.watchers.feeds.lock();
        feed.rewind();
        self.visible.load_full()
    }

    /// Nothing more becomes visible, for a reason if it is an error.
    pub(super) fn end_news(&self, failed: Option<&Error>) {
        self.watchers.feeds.lock().drain(..).for_each(|feed| feed.end(failed));
    }
}

impl Watchers {
    fn publish(
        &self,
        visible: &ArcSwap<Tables>,
        after: Tables,
        told: impl Fn(&Tables, &Tables, TableId) -> Told,
    ) {
        let mut feeds = self.feeds.lock();
        let before = visible.load_full();
        let after = Arc::new(after);
        visible.store(Arc::clone(&after));
        feeds.retain(|feed| Arc::strong_count(feed) > 1);
        let mut made: HashMap<TableId, Told> = HashMap::new();
        feeds.retain(|feed| {
            let told = made.entry(feed.table()).or_insert_with(|| told(&before, &after, feed.table()));
            feed.push(&told.news);
            told.ends.iter().for_each(|error| feed.end(Some(error)));
            told.ends.is_none()
        });
    }
}

/// What those who watch a table are told of what becomes visible.
struct Told {
    news: Vec<Arc<News>>,
    /// Why they are told nothing more.
    ends: Option<Error>,
}

/// What is told of commits, `before` being the state before the first.
fn told_of(before: &Tables, commits: &[Commit], watched: TableId) -> Told {
    let table = before.get(watched);
    let same_fields = commits.iter().take_while(|commit| !replaces_fields(table, commit, watched)).count();
    let news = news_of(before, commits.get(..same_fields).unwrap_or_default(), watched);
    Told {
        news: news.into_iter().map(Arc::new).collect(),
        ends: table.filter(|_| same_fields < commits.len()).map(|table| fields_replaced(table.def())),
    }
}

/// What is told of two states between which there were commits that nobody knows.
fn told_of_difference(before: &Tables, after: &Tables, watched: TableId) -> Told {
    let slots = before.get(watched).zip(after.get(watched));
    if let Some((old, _)) = slots.filter(|(old, new)| !goes_on_from(new.def(), old.def())) {
        return Told { news: Vec::new(), ends: Some(fields_replaced(old.def())) };
    }
    let news = difference(before.loaded(watched), after.loaded(watched), after.seq());
    Told { news: news.into_iter().map(Arc::new).collect(), ends: None }
}

/// Whether a commit puts other fields in the place of those that a watcher of the table knows.
fn replaces_fields(table: Option<&Slot>, commit: &Commit, watched: TableId) -> bool {
    let replaces = |op: &Op| match op {
        Op::Alter(def) if def.id == watched => table.is_some_and(|table| !goes_on_from(def, table.def())),
        _ => false,
    };
    commit.ops.iter().any(replaces)
}

/// What those who watch a table get in place of records that they would misread.
pub(crate) fn fields_replaced(def: &TableDef) -> Error {
    let text = "a migration has changed the fields of the table that is watched: make another watch, and take its records \
                anew";
    Error::new(ErrorKind::SchemaChanged, text).in_table(&def.name)
}

/// What the commits did to a table, `before` being the state before the first.
fn news_of(before: &Tables, commits: &[Commit], table: TableId) -> Vec<News> {
    // The rows that earlier commits of the same list wrote.
    let mut written: HashMap<RowId, Option<Kept>> = HashMap::new();
    let state = before.loaded(table);
    commits.iter().filter_map(|commit| news_of_commit(state, &mut written, commit, table)).collect()
}

fn news_of_commit(
    state: Option<&Arc<TableState>>,
    written: &mut HashMap<RowId, Option<Kept>>,
    commit: &Commit,
    table: TableId,
) -> Option<News> {
    let mut rows: Vec<RowNews> = Vec::new();
    let mut places: HashMap<RowId, usize> = HashMap::new();
    let mut note = |written: &mut HashMap<RowId, Option<Kept>>, op: &Op| {
        let kept = |row| match written.get(&row) {
            Some(kept) => kept.clone(),
            None => state.and_then(|state| state.row(row)).map(Kept::of),
        };
        let (row, new) = match op {
            Op::Patch { table: one, row, patch } if *one == table => {
                // Whoever watches a table has all of it.
                let values = kept(*row).and_then(|before| patch.apply(before.row.borrow()));
                let Some(values) = values else { return };
                (*row, Some(Kept { version: commit.seq, row: values }))
            }
            Op::Insert { table: one, row, values } | Op::Update { table: one, row, values }
                if *one == table =>
            {
                (*row, Some(Kept { version: commit.seq, row: values.clone() }))
            }
            Op::Delete { table: one, row } if *one == table => (*row, None),
            _ => return,
        };
        let known = written.insert(row, new.clone());
        match places.get(&row).and_then(|&place| rows.get_mut(place)) {
            Some(touched) => touched.new = new,
            None => {
                let old = known.unwrap_or_else(|| state.and_then(|state| state.row(row)).map(Kept::of));
                places.insert(row, rows.len());
                rows.push(RowNews { row, old, new });
            }
        }
    };
    for op in &commit.ops {
        match op {
            Op::Drop { table: one } if *one == table => {
                ends(state, written, table).iter().for_each(|end| note(written, end));
            }
            op => note(written, op),
        }
    }
    // A row that came and went in one commit was never seen.
    rows.retain(|row| row.old.is_some() || row.new.is_some());
    (!rows.is_empty()).then_some(News { seq: commit.seq, rows })
}

/// The end of a table, as the end of each row that it has.
fn ends(state: Option<&Arc<TableState>>, written: &HashMap<RowId, Option<Kept>>, table: TableId) -> Vec<Op> {
    let mut left: BTreeSet<RowId> =
        state.into_iter().flat_map(|state| state.rows()).map(|(row, _)| row).collect();
    for (&row, kept) in written {
        if kept.is_some() {
            left.insert(row);
        } else {
            left.remove(&row);
        }
    }
    left.into_iter().map(|row| Op::Delete { table, row }).collect()
}

/// What differs between two states of a table, as if one commit had done it all.
fn difference(before: Option<&Arc<TableState>>, after: Option<&Arc<TableState>>, seq: Seq) -> Option<News> {
    let mut old = before.into_iter().flat_map(|table| table.rows()).peekable();
    let mut new = after.into_iter().flat_map(|table| table.rows()).peekable();
    let mut rows = Vec::new();
    loop {
        // Both are in the order of their ids.
        let (old, new) = match (old.peek(), new.peek()) {
            (None, None) => break,
            (Some((a, _)), Some((b, _))) if a == b => (old.next(), new.next()),
            (Some((a, _)), Some((b, _))) if a < b => (old.next(), None),
            (Some(_), None) => (old.next(), None),
            (_, Some(_)) => (None, new.next()),
        };
        let Some(row) = old.as_ref().or(new.as_ref()).map(|(row, _)| *row) else { break };
        let (old, new) = (old.map(|(_, old)| old), new.map(|(_, new)| new));
        if old != new {
            let (old, new) = (old.map(Kept::of), new.map(Kept::of));
            rows.push(RowNews { row, old, new });
        }
    }
    (!rows.is_empty()).then_some(News { seq, rows })
}

#[cfg(test)]
mod tests;

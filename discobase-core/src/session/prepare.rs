//! From a write set to a commit.

use std::collections::HashSet;

use crate::batch::{Commit, Op};
use crate::error::Error;
use crate::ids::{RowId, Seq, TableId};
use crate::row::Row;
use crate::session::check::{apply_error, check, check_definition, check_index, collision, state};
use crate::session::references::Touched;
use crate::session::{Did, Write, WriteSet, Written};
use crate::tables::{Tables, Undo};

/// A commit that was checked, and what each of its writes did, in their order.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// It has no operations if the writes found everything as they want it.
    pub(crate) commit: Commit,
    pub(crate) written: Vec<Written>,
}

/// What a commit is made under.
pub(crate) struct Terms<'a> {
    /// What expressions take for the time, in microseconds since the Unix epoch.
    pub(crate) now: i64,
    /// Refuses operations that fit no frame, if only making the commit has shown what they are.
    pub(crate) fits: &'a dyn Fn(&[Op]) -> Result<(), Error>,
    /// Whether this is all of the commit. If more is to come, rows may still refer to what is not there.
    pub(crate) whole: bool,
}

/// Checks a write set against `tables`, makes it commit `seq` and applies it. On an error `tables` is as before.
///
/// First committer wins: `tables` is the newest state, with every commit that was accepted before this one.
pub(crate) fn prepare(
    tables: &mut Tables,
    seq: Seq,
    set: &WriteSet,
    terms: &Terms<'_>,
) -> Result<Prepared, Error> {
    if let Some(reads) = &set.reads {
        reads.check(tables)?;
    }
    prepare_writes(tables, seq, set, terms)
}

/// As [`prepare`], whatever was read.
pub(super) fn prepare_writes(
    tables: &mut Tables,
    seq: Seq,
    set: &WriteSet,
    terms: &Terms<'_>,
) -> Result<Prepared, Error> {
    set.defs.iter().try_for_each(|def| check_definition(tables, def))?;
    for write in &set.writes {
        if let Write::Upsert(upsert) = write {
            check_index(tables, &set.defs, upsert)?;
        }
    }
    // A single write changes nothing unless it is allowed; of several, a later one may fail.
    let alone = match set.writes.as_slice() {
        [
            Write::Statement(_) | Write::Upsert(_) | Write::Schema(_) | Write::Alter(_) | Write::Drop { .. },
        ] => false,
        [write] => write.table().is_none_or(|table| !tables.references().concern(table)),
        _ => false,
    };
    let mut making = Making {
        tables,
        seq,
        alone,
        ops: Vec::with_capacity(set.writes.len()),
        undo: Vec::new(),
        written: Vec::with_capacity(set.writes.len()),
        doubtful: Vec::new(),
        touched: Touched::default(),
    };
    let made =
        set.writes.iter().enumerate().try_for_each(|(place, write)| making.write(place, write, terms.now));
    let made = made.and_then(|()| making.act()).and_then(|()| making.settle());
    let made = made.and_then(|()| match terms.whole {
        true => making.touched.verify(making.tables),
        false => Ok(()),
    });
    let late = making.ops.len() > set.writes.len()
        || set.writes.iter().any(|write| matches!(write, Write::Statement(_) | Write::Upsert(_)));
    let made = made.and_then(|()| match late {
        true => (terms.fits)(&making.ops).map_err(|error| (0, error)),
        false => Ok(()),
    });
    match made {
        Ok(()) => {
            let Making { ops, written, .. } = making;
            if !ops.is_empty() {
                tables.advance(seq);
            }
            Ok(Prepared { commit: Commit { seq, ops }, written })
        }
        Err((place, error)) => {
            making.take_back();
            Err(if set.numbered { error.at_position(place) } else { error })
        }
    }
}

/// The commit that plain writes make, as [`prepare`] does it.
pub(crate) fn commit_of(tables: &mut Tables, seq: Seq, writes: &[Write]) -> Result<Commit, Error> {
    let terms = Terms { now: 0, fits: &|_| Ok(()), whole: true };
    prepare(tables, seq, &WriteSet::from(writes.to_vec()), &terms).map(|prepared| {
        tables.advance(seq);
        prepared.commit
    })
}

/// A commit in the making.
struct Making<'a> {
    tables: &'a mut Tables,
    seq: Seq,
    alone: bool,
    ops: Vec<Op>,
    undo: Vec<Undo>,
    written: Vec<Written>,
    /// Rows whose unique values somebody else had when they were written, and the place of the write.
    doubtful: Vec<(usize, TableId, RowId)>,
    /// What references have to do with.
    touched: Touched,
}

/// The place of a write, and why it is refused.
type Refused = (usize, Error);

/// What a write is to do to a row: nothing, if the row is already as it should be.
pub(super) struct Planned {
    pub(super) op: Option<Op>,
    pub(super) written: Written,
}

impl Making<'_> {
    fn write(&mut self, place: usize, write: &Write, now: i64) -> Result<(), Refused> {
        let planned = match write {
            Write::Statement(statement) => statement.plan(self.tables, self.seq, now),
            Write::Upsert(upsert) => upsert.plan(self.tables, self.seq, now).map(|one| vec![one]),
            write => check(self.tables, write).and_then(|op| {
                let written = self.written(&op);
                self.apply(place, op).map_err(|(_, error)| error)?;
                self.written.extend(written);
                Ok(Vec::new())
            }),
        };
        for Planned { op, written } in planned.map_err(|error| (place, error))? {
            if let Some(op) = op {
                self.apply(place, op)?;
            }
            self.written.push(written);
        }
        Ok(())
    }

    fn written(&self, op: &Op) -> Option<Written> {
        let (row, values, did) = match op {
            Op::Insert { row, values, .. } => (*row, values.clone(), Did::Insert),
            Op::Update { row, values, .. } => (*row, values.clone(), Did::Update),
            Op::Delete { table, row } => {
                let stored = self.tables.loaded(*table)?.row(*row)?;
                (*row, stored.row.to_row(), Did::Delete)
            }
            _ => return None,
        };
        Some(Written { row, version: self.seq, values, did })
    }

    /// Does what a write comes to.
    fn apply(&mut self, place: usize, op: Op) -> Result<(), Refused> {
        if !self.alone {
            self.touched.note(self.tables, place, &op);
        }
        self.apply_op(place, op)
    }

    fn apply_op(&mut self, place: usize, op: Op) -> Result<(), Refused> {
        let refused = |error| (place, error);
        if let Op::Insert { table, row, values } | Op::Update { table, row, values } = &op {
            let taken = collision(state(self.tables, *table).map_err(refused)?, *row, values);
            match taken {
                None => {}
                Some(taken) if self.alone || taken.for_good => return Err((place, taken.error)),
                Some(_) => self.doubtful.push((place, *table, *row)),
            }
        }
        if !self.alone {
            self.undo.push(self.tables.before(&op));
        }
        if let Err(error) = self.tables.apply_op(self.seq, &op) {
            // The last one was not applied.
            self.undo.pop();
            return Err((place, apply_error(self.tables, &op, &error)));
        }
        self.ops.push(op);
        Ok(())
    }

    /// Does to the rows that refer to deleted ones what their references say, and so on with those it deletes.
    fn act(&mut self) -> Result<(), Refused> {
        let mut asked = 0;
        while let Some(consequences) = self.touched.consequences(self.tables, &mut asked) {
            for consequence in consequences? {
                let Some(op) = consequence.op(self.tables) else { continue };
                // What is left of a row whose field is cleared nobody has written in this commit.
                if let Op::Delete { .. } = op {
                    self.touched.note(self.tables, consequence.place, &op);
                }
                self.apply_op(consequence.place, op)?;
            }
        }
        Ok(())
    }

    /// Whether what was doubtful has come right in the end.
    fn settle(&mut self) -> Result<(), Refused> {
        let mut seen = HashSet::new();
        for &(place, table, row) in &self.doubtful {
            if !seen.insert((table, row)) {
                continue;
            }
            let state = state(self.tables, table).map_err(|error| (place, error))?;
            let values: Option<Row> = state.row(row).map(|stored| stored.row.to_row());
            if let Some(taken) = values.and_then(|values| collision(state, row, &values)) {
                return Err((place, taken.error));
            }
        }
        Ok(())
    }

    fn take_back(self) {
        let tables = self.tables;
        self.undo.into_iter().rev().for_each(|one| tables.undo(one));
    }
}

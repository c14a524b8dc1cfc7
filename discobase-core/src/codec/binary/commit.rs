//! Commits: what a data frame holds.

use crate::batch::{Commit, Op};
use crate::codec::binary::definition::{put_step, put_table, step, table};
use crate::codec::binary::{DecodeError, Input};
use crate::ids::{RowId, Seq, TableId};
use crate::patch::Patch;
use crate::row::read_row;
use crate::wire::{put_bytes, put_varint};

const INSERT: u8 = 1;
const UPDATE: u8 = 2;
const DELETE: u8 = 3;
const SCHEMA: u8 = 4;
const ALTER: u8 = 5;
const DROP: u8 = 6;
const APPLIED: u8 = 7;
const REVERTED: u8 = 8;
const PATCH: u8 = 9;

pub(super) fn put_commits(out: &mut Vec<u8>, commits: &[Commit]) {
    put_varint(out, commits.first().map_or(0, |commit| commit.seq.get()));
    put_varint(out, commits.len() as u64);
    commits.iter().for_each(|commit| put_commit(out, commit));
}

fn put_commit(out: &mut Vec<u8>, commit: &Commit) {
    put_varint(out, commit.ops.len() as u64);
    commit.ops.iter().for_each(|op| put_op(out, op));
}

fn put_op(out: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Insert { table, row, values } => {
            put_row_op(out, INSERT, *table, *row);
            out.extend_from_slice(values.as_bytes());
        }
        Op::Update { table, row, values } => {
            put_row_op(out, UPDATE, *table, *row);
            out.extend_from_slice(values.as_bytes());
        }
        Op::Patch { table, row, patch } => {
            put_row_op(out, PATCH, *table, *row);
            out.extend_from_slice(patch.pairs().as_bytes());
        }
        Op::Delete { table, row } => put_row_op(out, DELETE, *table, *row),
        Op::Schema(table) => {
            out.push(SCHEMA);
            put_table(out, table);
        }
        Op::Alter(table) => {
            out.push(ALTER);
            put_table(out, table);
        }
        Op::Drop { table } => {
            out.push(DROP);
            put_varint(out, table.get());
        }
        Op::Applied(step) => {
            out.push(APPLIED);
            put_step(out, step);
        }
        Op::Reverted { version } => {
            out.push(REVERTED);
            put_bytes(out, version.as_bytes());
        }
    }
}

fn put_row_op(out: &mut Vec<u8>, code: u8, table: TableId, row: RowId) {
    out.push(code);
    put_varint(out, table.get());
    put_varint(out, row.get());
}

/// About how many bytes [`encode`] needs for a commit, so that a frame is closed before it is too large.
pub(crate) fn commit_size(commit: &Commit) -> usize {
    let op_size = |op: &Op| match op {
        Op::Insert { values, .. } | Op::Update { values, .. } => values.as_bytes().len() + 16,
        Op::Patch { patch, .. } => patch.pairs().as_bytes().len() + 16,
        Op::Delete { .. } | Op::Drop { .. } => 16,
        Op::Applied(step) => 64 + step.version.len() + step.name.len(),
        Op::Reverted { version } => 16 + version.len(),
        Op::Schema(table) | Op::Alter(table) => 256 + table.columns.len() * 256,
    };
    10 + commit.ops.iter().map(op_size).sum::<usize>()
}

pub(super) fn commits(input: &mut Input<'_>) -> Result<Vec<Commit>, DecodeError> {
    let first = input.varint()?;
    let mut next = Some(first);
    let commits = input.list(|input| {
        let seq = next.ok_or(DecodeError::Range)?;
        next = seq.checked_add(1);
        Ok(Commit { seq: Seq::new(seq), ops: input.list(op)? })
    })?;
    // An empty frame has one encoding only.
    if commits.is_empty() && first != 0 { Err(DecodeError::Range) } else { Ok(commits) }
}

fn op(input: &mut Input<'_>) -> Result<Op, DecodeError> {
    let code = input.byte()?;
    match code {
        SCHEMA => return Ok(Op::Schema(Box::new(table(input)?))),
        ALTER => return Ok(Op::Alter(Box::new(table(input)?))),
        DROP => return Ok(Op::Drop { table: TableId::new(input.varint()?) }),
        APPLIED => return Ok(Op::Applied(Box::new(step(input)?))),
        REVERTED => return Ok(Op::Reverted { version: input.owned_text()? }),
        _ => {}
    }
    let (table, row) = (TableId::new(input.varint()?), RowId::new(input.varint()?));
    match code {
        INSERT => Ok(Op::Insert { table, row, values: read_row(input)? }),
        UPDATE => Ok(Op::Update { table, row, values: read_row(input)? }),
        PATCH => {
            let patch = Patch::of_pairs(read_row(input)?).ok_or(DecodeError::Order)?;
            Ok(Op::Patch { table, row, patch })
        }
        DELETE => Ok(Op::Delete { table, row }),
        code => Err(DecodeError::Code { what: "operation", code }),
    }
}

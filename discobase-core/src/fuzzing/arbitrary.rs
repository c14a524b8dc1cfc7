//! Frames and what is in them, made of a fuzzer's decisions.

use std::collections::BTreeMap;

use crate::batch::{AppliedStep, ColumnDef, Commit, IndexDef, Op, ReferenceDef, TableDef};
use crate::codec::checkpoint::{
    Checkpoint, Covers, Directory, FilterPart, Location, Root, Run, Segment, TableCheckpoint, Wrote,
};
use crate::codec::frame::{Body, Frame, Genesis, Header, Sum, Timing};
use crate::fuzzing::source::Source;
use crate::ids::{ChannelId, Epoch, Incarnation, MessageId, RowId, Seq, TableId};
use crate::patch::Patch;
use crate::row::{Row, RowWriter};
use crate::schema::{IndexKind, OnDelete};
use crate::value::{Value, ValueRef};

pub(super) fn text(source: &mut Source<'_>) -> String {
    String::from_utf8_lossy(source.bytes()).into_owned()
}

pub(super) fn value(source: &mut Source<'_>) -> Value {
    match source.below(7) {
        0 => Value::Null,
        1 => Value::Bool(source.flag()),
        2 => Value::Int(source.number().into()),
        3 => Value::Int(-1 - i128::from(source.number() >> 1)),
        4 => Value::Float(f64::from_bits(source.number())),
        5 => Value::Text(text(source)),
        _ => Value::Bytes(source.bytes().to_vec()),
    }
}

pub(super) fn row(source: &mut Source<'_>) -> Row {
    let values = source.list(4, value);
    let mut writer = RowWriter::new(values.len());
    values.iter().for_each(|value| writer.put(value.as_ref()));
    writer.finish()
}

/// A row of the tables that [`table`] makes: its key, and one more value or none.
pub(super) fn fitting_row(source: &mut Source<'_>) -> Row {
    let (key, other) = (source.below(16), source.below(8));
    let mut writer = RowWriter::new(if other == 0 { 1 } else { 2 });
    writer.put(ValueRef::Int(key as i128));
    if other > 0 {
        writer.put(if other == 1 { ValueRef::Null } else { ValueRef::Int(other as i128) });
    }
    writer.finish()
}

/// A table with a key and one more index.
pub(super) fn table(id: TableId, name: &str) -> TableDef {
    let column = |name: &str, nullable, default| ColumnDef {
        name: name.to_owned(),
        ty: "u64".to_owned(),
        variants: Vec::new(),
        nullable,
        max_len: None,
        default,
    };
    let index =
        |kind, column| IndexDef { kind, columns: vec![column], channel: ChannelId::new(8), references: None };
    TableDef {
        id,
        name: name.to_owned(),
        fingerprint: 0,
        channel: ChannelId::new(7),
        columns: vec![column("id", false, None), column("other", true, Some(Value::Int(3)))],
        indexes: vec![index(IndexKind::Key, 0), index(IndexKind::Index, 1)],
    }
}

fn any_table(source: &mut Source<'_>) -> TableDef {
    let columns = source.list(3, |source| ColumnDef {
        name: text(source),
        ty: text(source),
        variants: source.list(2, text),
        nullable: source.flag(),
        max_len: Some(source.number() as u32).filter(|length| *length > 0),
        default: source.flag().then(|| value(source)),
    });
    let indexes = source.list(3, |source| IndexDef {
        kind: match source.below(3) {
            0 => IndexKind::Key,
            1 => IndexKind::Unique,
            _ => IndexKind::Index,
        },
        columns: source.list(columns.len().min(2), |source| source.below(columns.len())),
        channel: ChannelId::new(source.number()),
        references: source.flag().then(|| ReferenceDef {
            table: text(source),
            on_delete: match source.below(3) {
                0 => OnDelete::Restrict,
                1 => OnDelete::Cascade,
                _ => OnDelete::SetNull,
            },
        }),
    });
    TableDef {
        id: TableId::new(source.number()),
        name: text(source),
        fingerprint: source.number(),
        channel: ChannelId::new(source.number()),
        columns,
        indexes,
    }
}

fn op(source: &mut Source<'_>) -> Op {
    let (table, id) = (TableId::new(source.number()), RowId::new(source.number()));
    match source.below(9) {
        0 => Op::Insert { table, row: id, values: row(source) },
        1 => Op::Update { table, row: id, values: row(source) },
        2 => Op::Delete { table, row: id },
        3 => Op::Schema(Box::new(any_table(source))),
        4 => Op::Alter(Box::new(any_table(source))),
        5 => Op::Drop { table },
        6 => Op::Applied(Box::new(step(source))),
        7 => Op::Reverted { version: text(source) },
        _ => Op::Patch { table, row: id, patch: patch(source) },
    }
}

fn patch(source: &mut Source<'_>) -> Patch {
    let mut pairs = BTreeMap::new();
    for _ in 0..=source.below(4) {
        pairs.insert(source.number(), value(source));
    }
    let mut row = RowWriter::new(2 * pairs.len());
    for (column, value) in &pairs {
        row.put(ValueRef::Int((*column).into()));
        row.put(value.as_ref());
    }
    Patch::of_pairs(row.finish()).expect("the columns rise")
}

pub(super) fn step(source: &mut Source<'_>) -> AppliedStep {
    AppliedStep {
        version: text(source),
        name: text(source),
        checksum: source.array(),
        at: source.number().cast_signed(),
    }
}

pub(super) fn commits(source: &mut Source<'_>) -> Vec<Commit> {
    // The last of so many must have a number, too.
    let first = source.number().min(u64::MAX - 8);
    (first..).zip(source.list(4, |source| source.list(3, op))).map(|(seq, ops)| commit(seq, ops)).collect()
}

fn commit(seq: u64, ops: Vec<Op>) -> Commit {
    Commit { seq: Seq::new(seq), ops }
}

pub(super) fn header(source: &mut Source<'_>, db: &str) -> Header {
    Header {
        db: db.to_owned(),
        epoch: Epoch::new(source.number()),
        incarnation: Incarnation(source.array()),
        owner: text(source),
        prev: Sum(source.array()),
    }
}

pub(super) fn genesis(source: &mut Source<'_>) -> Genesis {
    let mut time = || source.number() % 86_400_001;
    let timing = Timing { visibility: time(), grace: time(), window: time() };
    let mut channel = || ChannelId::new(source.number());
    Genesis { timing, category: channel(), catalog: channel(), journal: channel(), keying: None }
}

fn location(source: &mut Source<'_>) -> Location {
    Location { channel: ChannelId::new(source.number()), message: MessageId::new(source.number()) }
}

fn segment(source: &mut Source<'_>) -> Segment {
    let mut blocks = Directory::default();
    for _ in 0..source.below(5) {
        let from = source.bytes().into();
        // A file has less than 4 GiB; what would pass that can't be listed.
        let (length, unpacked) = (source.number() as u32, source.number() as u32);
        let _listed = blocks.push(from, length, unpacked, source.array());
    }
    let part = FilterPart { length: 1 + source.number() as u32 / 2, check: source.array() };
    let fits = blocks.end().checked_add(part.length).is_some();
    Segment {
        location: location(source),
        hash: source.array(),
        rows: source.number(),
        tombstones: source.number(),
        blocks,
        filter: (fits && source.rarely(2)).then_some(part),
    }
}

fn run(source: &mut Source<'_>) -> Run {
    Run { from: Seq::new(source.number()), to: Seq::new(source.number()), segments: source.list(3, segment) }
}

pub(super) fn checkpoint(source: &mut Source<'_>) -> Checkpoint {
    let tables = source.list(3, |source| TableCheckpoint {
        def: any_table(source),
        next_row: RowId::new(source.number()),
        rows: source.number(),
        runs: source.list(3, run),
        indexes: source.list(3, |source| source.list(3, run)),
    });
    Checkpoint {
        root: Root {
            genesis: genesis(source),
            sum: Sum(source.array()),
            message: MessageId::new(source.number()),
        },
        covers: Covers {
            sum: Sum(source.array()),
            message: MessageId::new(source.number()),
            epoch: Epoch::new(source.number()),
            incarnation: Incarnation(source.array()),
            owner: text(source),
        },
        seq: Seq::new(source.number()),
        next_table: TableId::new(source.number()),
        tables,
        past: source.list(3, |source| Wrote {
            incarnation: Incarnation(source.array()),
            first: Seq::new(source.number()),
            last: Seq::new(source.number()),
        }),
        steps: source.list(2, step),
        drop: source.list(3, location),
    }
}

/// A frame of any kind; its checkpoint need not be in order.
pub(super) fn frame(source: &mut Source<'_>, db: &str) -> Frame {
    let header = header(source, db);
    let body = match source.below(5) {
        0 => Body::Data(commits(source)),
        1 => Body::Checkpoint(Box::new(checkpoint(source))),
        2 => Body::Genesis(genesis(source)),
        3 => Body::Open,
        _ => Body::Close,
    };
    Frame { header, body }
}

//! The canonical encoding of a frame: what its checksum is taken over, and what a compressed attachment holds.
//!
//! `docs/format.md`, "Frames", is the contract; this file obeys it.

use crate::batch::{ColumnDef, Commit, IndexDef, Op, TableDef};
use crate::codec::frame::{Body, Frame, Genesis, Header, Kind, Sum, Timing};
use crate::ids::{ChannelId, Epoch, Incarnation, RowId, Seq, TableId};
use crate::row::read_row;
use crate::schema::IndexKind;
use crate::wire::{Reader, WireError, put_bytes, put_value, put_varint};

const MAGIC: &[u8; 9] = b"discobase";
/// The version of this encoding.
pub(crate) const VERSION: u8 = 1;

const INSERT: u8 = 1;
const UPDATE: u8 = 2;
const DELETE: u8 = 3;
const SCHEMA: u8 = 4;

/// The checksum of an encoded frame.
pub(crate) fn sum(canonical: &[u8]) -> Sum {
    Sum(*blake3::hash(canonical).as_bytes())
}

/// Encodes a frame.
pub(crate) fn encode(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    put_header(&mut out, &frame.header, frame.body.kind());
    match &frame.body {
        Body::Genesis(genesis) => put_genesis(&mut out, genesis),
        Body::Open | Body::Close => {}
        Body::Data(commits) => {
            put_varint(&mut out, commits.first().map_or(0, |commit| commit.seq.get()));
            put_varint(&mut out, commits.len() as u64);
            commits.iter().for_each(|commit| put_commit(&mut out, commit));
        }
    }
    out
}

fn put_header(out: &mut Vec<u8>, header: &Header, kind: Kind) {
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    put_bytes(out, header.db.as_bytes());
    out.push(kind.code());
    put_varint(out, header.epoch.get());
    out.extend_from_slice(&header.incarnation.0);
    put_bytes(out, header.owner.as_bytes());
    out.extend_from_slice(&header.prev.0);
}

fn put_genesis(out: &mut Vec<u8>, genesis: &Genesis) {
    let Genesis { timing, category, catalog, journal } = genesis;
    for number in [timing.visibility, timing.grace, timing.window] {
        put_varint(out, number);
    }
    for channel in [category, catalog, journal] {
        put_varint(out, channel.get());
    }
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
        Op::Delete { table, row } => put_row_op(out, DELETE, *table, *row),
        Op::Schema(table) => {
            out.push(SCHEMA);
            put_table(out, table);
        }
    }
}

fn put_row_op(out: &mut Vec<u8>, code: u8, table: TableId, row: RowId) {
    out.push(code);
    put_varint(out, table.get());
    put_varint(out, row.get());
}

fn put_table(out: &mut Vec<u8>, table: &TableDef) {
    put_varint(out, table.id.get());
    put_bytes(out, table.name.as_bytes());
    put_varint(out, table.fingerprint);
    put_varint(out, table.channel.get());
    put_varint(out, table.columns.len() as u64);
    for column in &table.columns {
        put_bytes(out, column.name.as_bytes());
        put_bytes(out, column.ty.as_bytes());
        put_varint(out, column.variants.len() as u64);
        column.variants.iter().for_each(|variant| put_bytes(out, variant.as_bytes()));
        out.push(u8::from(column.nullable));
        put_varint(out, column.max_len.map_or(0, u64::from));
        out.push(u8::from(column.default.is_some()));
        column.default.iter().for_each(|default| put_value(out, default.as_ref()));
    }
    put_varint(out, table.indexes.len() as u64);
    for index in &table.indexes {
        out.push(kind_code(index.kind));
        put_varint(out, index.columns.len() as u64);
        index.columns.iter().for_each(|&column| put_varint(out, column as u64));
        put_varint(out, index.channel.get());
    }
}

const fn kind_code(kind: IndexKind) -> u8 {
    match kind {
        IndexKind::Key => 1,
        IndexKind::Unique => 2,
        IndexKind::Index => 3,
    }
}

/// About how many bytes [`encode`] needs for a commit, so that a frame is closed before it is too large.
pub(crate) fn commit_size(commit: &Commit) -> usize {
    let op_size = |op: &Op| match op {
        Op::Insert { values, .. } | Op::Update { values, .. } => values.as_bytes().len() + 16,
        Op::Delete { .. } => 16,
        Op::Schema(table) => 256 + table.columns.len() * 256,
    };
    10 + commit.ops.iter().map(op_size).sum::<usize>()
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("it is not a frame of discobase")]
    Magic,
    #[error("its format version is {0}, and this program reads version {VERSION}: use a newer program")]
    Version(u8),
    #[error("unknown {what} code {code}")]
    Code { what: &'static str, code: u8 },
    #[error("a number is out of range")]
    Range,
}

/// Decodes a frame; the bytes must be exactly one.
pub(crate) fn decode(bytes: &[u8]) -> Result<Frame, DecodeError> {
    let mut reader = Reader::new(bytes);
    if reader.take(MAGIC.len())? != MAGIC {
        return Err(DecodeError::Magic);
    }
    let version = reader.byte()?;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let db = reader.text()?.to_owned();
    let code = reader.byte()?;
    let kind = Kind::from_code(code).ok_or(DecodeError::Code { what: "kind", code })?;
    let epoch = Epoch::new(reader.varint()?);
    let incarnation = Incarnation(reader.array()?);
    let owner = reader.text()?.to_owned();
    let prev = Sum(reader.array()?);
    let body = match kind {
        Kind::Genesis => Body::Genesis(genesis(&mut reader)?),
        Kind::Open => Body::Open,
        Kind::Close => Body::Close,
        Kind::Data => Body::Data(commits(&mut reader)?),
    };
    if !reader.is_empty() {
        return Err(WireError::Trailing.into());
    }
    Ok(Frame { header: Header { db, epoch, incarnation, owner, prev }, body })
}

fn genesis(reader: &mut Reader<'_>) -> Result<Genesis, DecodeError> {
    let timing = Timing { visibility: reader.varint()?, grace: reader.varint()?, window: reader.varint()? };
    // A time beyond a day is no time anybody waits for; without the bound, sums of times could overflow.
    if timing.visibility.max(timing.grace).max(timing.window) > 86_400_000 {
        return Err(DecodeError::Range);
    }
    Ok(Genesis {
        timing,
        category: ChannelId::new(reader.varint()?),
        catalog: ChannelId::new(reader.varint()?),
        journal: ChannelId::new(reader.varint()?),
    })
}

fn commits(reader: &mut Reader<'_>) -> Result<Vec<Commit>, DecodeError> {
    let first = reader.varint()?;
    let count = reader.varint()?;
    let mut commits = Vec::new();
    for offset in 0..count {
        let seq = first.checked_add(offset).ok_or(DecodeError::Range)?;
        let ops = reader.varint()?;
        let ops = (0..ops).map(|_| op(reader)).collect::<Result<Vec<_>, _>>()?;
        commits.push(Commit { seq: Seq::new(seq), ops });
    }
    // An empty frame has one encoding only.
    if count == 0 && first != 0 { Err(DecodeError::Range) } else { Ok(commits) }
}

fn op(reader: &mut Reader<'_>) -> Result<Op, DecodeError> {
    let code = reader.byte()?;
    if code == SCHEMA {
        return Ok(Op::Schema(Box::new(table(reader)?)));
    }
    let (table, row) = (TableId::new(reader.varint()?), RowId::new(reader.varint()?));
    match code {
        INSERT => Ok(Op::Insert { table, row, values: read_row(reader)? }),
        UPDATE => Ok(Op::Update { table, row, values: read_row(reader)? }),
        DELETE => Ok(Op::Delete { table, row }),
        code => Err(DecodeError::Code { what: "operation", code }),
    }
}

fn table(reader: &mut Reader<'_>) -> Result<TableDef, DecodeError> {
    let id = TableId::new(reader.varint()?);
    let name = reader.text()?.to_owned();
    let fingerprint = reader.varint()?;
    let channel = ChannelId::new(reader.varint()?);
    let columns = reader.varint()?;
    let columns = (0..columns).map(|_| column(reader)).collect::<Result<Vec<_>, _>>()?;
    let indexes = reader.varint()?;
    let indexes = (0..indexes).map(|_| index(reader, columns.len())).collect::<Result<_, _>>()?;
    Ok(TableDef { id, name, fingerprint, channel, columns, indexes })
}

fn column(reader: &mut Reader<'_>) -> Result<ColumnDef, DecodeError> {
    let name = reader.text()?.to_owned();
    let ty = reader.text()?.to_owned();
    let variants = reader.varint()?;
    let variants = (0..variants).map(|_| Ok(reader.text()?.to_owned())).collect::<Result<_, WireError>>()?;
    let nullable = flag(reader)?;
    let max_len = match u32::try_from(reader.varint()?).map_err(|_| DecodeError::Range)? {
        0 => None,
        length => Some(length),
    };
    let default = if flag(reader)? { Some(reader.value()?.to_value()) } else { None };
    Ok(ColumnDef { name, ty, variants, nullable, max_len, default })
}

fn index(reader: &mut Reader<'_>, columns: usize) -> Result<IndexDef, DecodeError> {
    let code = reader.byte()?;
    let kind = [IndexKind::Key, IndexKind::Unique, IndexKind::Index]
        .into_iter()
        .find(|&kind| kind_code(kind) == code)
        .ok_or(DecodeError::Code { what: "index", code })?;
    let members = reader.varint()?;
    let members = (0..members).map(|_| match usize::try_from(reader.varint()?) {
        Ok(column) if column < columns => Ok(column),
        _ => Err(DecodeError::Range),
    });
    let members = members.collect::<Result<Vec<_>, _>>()?;
    Ok(IndexDef { kind, columns: members, channel: ChannelId::new(reader.varint()?) })
}

fn flag(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match reader.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        code => Err(DecodeError::Code { what: "flag", code }),
    }
}

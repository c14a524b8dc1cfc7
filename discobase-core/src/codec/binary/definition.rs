//! Definitions of tables, and the migration steps that were applied: in operations and in checkpoints.

use crate::batch::{AppliedStep, ColumnDef, IndexDef, ReferenceDef, TableDef};
use crate::codec::binary::{DecodeError, Input};
use crate::ids::{ChannelId, TableId};
use crate::schema::{IndexKind, OnDelete};
use crate::wire::{put_bytes, put_value, put_varint};

pub(super) fn put_table(out: &mut Vec<u8>, table: &TableDef) {
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
        out.push(kind_code(index.kind) + if index.references.is_some() { REFERRING } else { 0 });
        put_varint(out, index.columns.len() as u64);
        index.columns.iter().for_each(|&column| put_varint(out, column as u64));
        put_varint(out, index.channel.get());
        if let Some(reference) = &index.references {
            put_bytes(out, reference.table.as_bytes());
            out.push(reference.on_delete.code());
        }
    }
}

/// Added to the code of an index's kind if its columns refer to a table.
const REFERRING: u8 = 16;

const fn kind_code(kind: IndexKind) -> u8 {
    match kind {
        IndexKind::Key => 1,
        IndexKind::Unique => 2,
        IndexKind::Index => 3,
    }
}

pub(super) fn table(input: &mut Input<'_>) -> Result<TableDef, DecodeError> {
    let id = TableId::new(input.varint()?);
    let name = input.owned_text()?;
    let fingerprint = input.varint()?;
    let channel = ChannelId::new(input.varint()?);
    let columns = input.list(column)?;
    let indexes = input.list(|input| index(input, columns.len()))?;
    Ok(TableDef { id, name, fingerprint, channel, columns, indexes })
}

fn column(input: &mut Input<'_>) -> Result<ColumnDef, DecodeError> {
    let name = input.owned_text()?;
    let ty = input.owned_text()?;
    let variants = input.list(Input::owned_text)?;
    let nullable = input.flag()?;
    let max_len = match u32::try_from(input.varint()?).map_err(|_| DecodeError::Range)? {
        0 => None,
        length => Some(length),
    };
    let default = if input.flag()? { Some(input.value()?.to_value()) } else { None };
    Ok(ColumnDef { name, ty, variants, nullable, max_len, default })
}

fn index(input: &mut Input<'_>, columns: usize) -> Result<IndexDef, DecodeError> {
    let code = input.byte()?;
    let (plain, refers) = match code.checked_sub(REFERRING) {
        Some(plain) => (plain, true),
        None => (code, false),
    };
    let kind = [IndexKind::Key, IndexKind::Unique, IndexKind::Index]
        .into_iter()
        .find(|&kind| kind_code(kind) == plain)
        .ok_or(DecodeError::Code { what: "index", code })?;
    let members = input.list(|input| match usize::try_from(input.varint()?) {
        Ok(column) if column < columns => Ok(column),
        _ => Err(DecodeError::Range),
    })?;
    let channel = ChannelId::new(input.varint()?);
    let references = if refers { Some(reference(input)?) } else { None };
    Ok(IndexDef { kind, columns: members, channel, references })
}

fn reference(input: &mut Input<'_>) -> Result<ReferenceDef, DecodeError> {
    let table = input.owned_text()?;
    let code = input.byte()?;
    let on_delete = OnDelete::ALL.into_iter().find(|action| action.code() == code);
    let on_delete = on_delete.ok_or(DecodeError::Code { what: "reference's action", code })?;
    Ok(ReferenceDef { table, on_delete })
}

pub(super) fn put_step(out: &mut Vec<u8>, step: &AppliedStep) {
    put_bytes(out, step.version.as_bytes());
    put_bytes(out, step.name.as_bytes());
    out.extend_from_slice(&step.checksum);
    out.extend_from_slice(&step.at.to_le_bytes());
}

pub(super) fn step(input: &mut Input<'_>) -> Result<AppliedStep, DecodeError> {
    Ok(AppliedStep {
        version: input.owned_text()?,
        name: input.owned_text()?,
        checksum: input.array()?,
        at: i64::from_le_bytes(input.array()?),
    })
}

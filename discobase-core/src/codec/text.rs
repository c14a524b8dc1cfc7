//! The readable form of a frame: JSON in a code block, ASCII only, because Discord may strip or trim characters
//! (Discord docs, "Message": Create Message).
//!
//! `docs/format.md`, "Text", is the contract; this file obeys it. The checksum is over the canonical encoding, so
//! a text is a frame exactly if what it says encodes to its `sum`.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value as Json;

use crate::batch::{AppliedStep, ColumnDef, Commit, IndexDef, Op, ReferenceDef, TableDef};
use crate::codec::frame::{Body, Frame, Genesis, Header, Kind, Sum, Timing, hex_digit};
use crate::codec::sealed::Sealed;
use crate::ids::{ChannelId, Epoch, Incarnation, RowId, Seq, TableId};
use crate::patch::Patch;
use crate::row::{Row, RowWriter};
use crate::schema::{IndexKind, OnDelete};
use crate::seal::{Kdf, Keying};
use crate::value::{Value, ValueRef};

/// The fields of a frame's text, without the braces around them.
pub(crate) fn write_header(out: &mut String, header: &Header, kind: Kind) {
    let Header { db, epoch, incarnation, owner, prev } = header;
    out.push_str("\"discobase\":1,\"db\":");
    write_text(out, db);
    let _ =
        write!(out, ",\"kind\":\"{}\",\"epoch\":{epoch},\"inc\":\"{incarnation}\",\"owner\":", kind.name());
    write_text(out, owner);
    let _ = write!(out, ",\"prev\":\"{prev}\"");
}

/// The whole frame as one JSON object.
pub(crate) fn write(frame: &Frame, sum: Sum) -> String {
    let mut out = String::from("{");
    write_header(&mut out, &frame.header, frame.body.kind());
    match &frame.body {
        Body::Genesis(genesis) => write_genesis(&mut out, genesis),
        // A checkpoint is always attached: its text is a header only.
        Body::Open | Body::Close | Body::Checkpoint(_) => {}
        Body::Sealed(sealed) => {
            let _ = write!(out, ",\"sealed\":\"{}\"", BASE64.encode(&sealed.bytes));
        }
        Body::Data(commits) => {
            let first = commits.first().map_or(0, |commit| commit.seq.get());
            let _ = write!(out, ",\"first\":{first},\"commits\":");
            write_list(&mut out, commits, |out, commit| write_list(out, &commit.ops, write_op));
        }
    }
    let _ = write!(out, ",\"sum\":\"{sum}\"}}");
    out
}

fn write_genesis(out: &mut String, genesis: &Genesis) {
    let Genesis { timing, category, catalog, journal, keying } = genesis;
    let Timing { visibility, grace, window } = timing;
    let _ = write!(
        out,
        ",\"visibility_ms\":{visibility},\"grace_ms\":{grace},\"window_ms\":{window},\
         \"category\":\"{category}\",\"catalog\":\"{catalog}\",\"journal\":\"{journal}\""
    );
    keying.iter().for_each(|keying| write_keying(out, keying));
}

fn write_keying(out: &mut String, keying: &Keying) {
    let Keying { kdf, salt, check } = keying;
    let _ = match kdf {
        Kdf::Raw => write!(out, ",\"encryption\":{{\"kdf\":\"raw\""),
        Kdf::Argon2id { memory_kib, passes, lanes } => write!(
            out,
            ",\"encryption\":{{\"kdf\":\"argon2id\",\"memory_kib\":{memory_kib},\"passes\":{passes},\
             \"lanes\":{lanes}"
        ),
    };
    let (salt, check) = (u128::from_be_bytes(*salt), u128::from_be_bytes(*check));
    let _ = write!(out, ",\"salt\":\"{salt:032x}\",\"check\":\"{check:032x}\"}}");
}

fn write_op(out: &mut String, op: &Op) {
    let mut row_op = |name: &str, table: TableId, row: RowId, values: Option<&Row>| {
        let _ = write!(out, "[\"{name}\",{table},{row}");
        if let Some(values) = values {
            out.push(',');
            write_list(out, &values.values(), |out, value| write_value(out, *value));
        }
        out.push(']');
    };
    match op {
        Op::Insert { table, row, values } => row_op("insert", *table, *row, Some(values)),
        Op::Update { table, row, values } => row_op("update", *table, *row, Some(values)),
        Op::Patch { table, row, patch } => row_op("patch", *table, *row, Some(patch.pairs())),
        Op::Delete { table, row } => row_op("delete", *table, *row, None),
        Op::Schema(table) => {
            out.push_str("[\"schema\",");
            write_table(out, table);
            out.push(']');
        }
        Op::Alter(table) => {
            out.push_str("[\"alter\",");
            write_table(out, table);
            out.push(']');
        }
        Op::Drop { table } => {
            let _ = write!(out, "[\"drop\",{table}]");
        }
        Op::Applied(step) => {
            let AppliedStep { version, name, checksum, at } = &**step;
            out.push_str("[\"applied\",{\"version\":");
            write_text(out, version);
            out.push_str(",\"name\":");
            write_text(out, name);
            let checksum = u128::from_be_bytes(*checksum);
            let _ = write!(out, ",\"checksum\":\"{checksum:032x}\",\"at\":{at}}}]");
        }
        Op::Reverted { version } => {
            out.push_str("[\"reverted\",");
            write_text(out, version);
            out.push(']');
        }
    }
}

fn write_table(out: &mut String, table: &TableDef) {
    let _ = write!(out, "{{\"table\":{},\"name\":", table.id);
    write_text(out, &table.name);
    let _ = write!(out, ",\"fingerprint\":\"{:016x}\",\"channel\":\"{}\",", table.fingerprint, table.channel);
    out.push_str("\"columns\":");
    write_list(out, &table.columns, |out, column| {
        out.push_str("{\"name\":");
        write_text(out, &column.name);
        out.push_str(",\"type\":");
        write_text(out, &column.ty);
        if !column.variants.is_empty() {
            out.push_str(",\"variants\":");
            write_list(out, &column.variants, |out, variant| write_text(out, variant));
        }
        if column.nullable {
            out.push_str(",\"nullable\":true");
        }
        if let Some(max_len) = column.max_len {
            let _ = write!(out, ",\"max_len\":{max_len}");
        }
        if let Some(default) = &column.default {
            out.push_str(",\"default\":");
            write_value(out, default.as_ref());
        }
        out.push('}');
    });
    out.push_str(",\"indexes\":");
    write_list(out, &table.indexes, |out, index| {
        let kind = kind_name(index.kind);
        let _ = write!(out, "{{\"kind\":\"{kind}\",\"channel\":\"{}\",\"columns\":", index.channel);
        write_list(out, &index.columns, |out, column| {
            let _ = write!(out, "{column}");
        });
        if let Some(reference) = &index.references {
            out.push_str(",\"references\":{\"table\":");
            write_text(out, &reference.table);
            let _ = write!(out, ",\"on_delete\":\"{}\"}}", reference.on_delete.name());
        }
        out.push('}');
    });
    out.push('}');
}

const fn kind_name(kind: IndexKind) -> &'static str {
    match kind {
        IndexKind::Key => "key",
        IndexKind::Unique => "unique",
        IndexKind::Index => "index",
    }
}

fn write_list<T>(out: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

/// A value: as JSON has it, or tagged where JSON has none.
pub(crate) fn write_value(out: &mut String, value: ValueRef<'_>) {
    let _ = match value {
        ValueRef::Null => write!(out, "null"),
        ValueRef::Bool(value) => write!(out, "{value}"),
        ValueRef::Int(value) => write!(out, "{value}"),
        // `{:?}` gives the shortest digits that read back the same, and always a point or an exponent.
        ValueRef::Float(value) if value.is_finite() => write!(out, "{value:?}"),
        ValueRef::Float(value) => write!(out, "{{\"float\":\"{:016x}\"}}", value.to_bits()),
        ValueRef::Text(value) => {
            write_text(out, value);
            Ok(())
        }
        ValueRef::Bytes(value) => write!(out, "{{\"bytes\":\"{}\"}}", BASE64.encode(value)),
    };
}

/// A JSON string in printable ASCII. A backtick would end the code block, so it is escaped too.
pub(crate) fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' if character != '`' => out.push(character),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

/// Reads a frame from its JSON object; `None` where something is not as the format has it.
pub(crate) fn read(json: &Json) -> Option<Frame> {
    let (header, kind) = read_header(json)?;
    let body = match kind {
        Kind::Data if json.get("sealed").is_some() => {
            let bytes = BASE64.decode(text(json, "sealed")?).ok()?;
            Body::Sealed(Sealed { summary: None, bytes })
        }
        Kind::Genesis => Body::Genesis(read_genesis(json)?),
        Kind::Open => Body::Open,
        Kind::Close => Body::Close,
        Kind::Data => Body::Data(read_commits(json)?),
        Kind::Checkpoint => return None,
    };
    Some(Frame { header, body })
}

/// Reads the fields every frame has.
pub(crate) fn read_header(json: &Json) -> Option<(Header, Kind)> {
    if json.get("discobase")?.as_u64()? != u64::from(super::binary::VERSION) {
        return None;
    }
    let header = Header {
        db: text(json, "db")?.to_owned(),
        epoch: Epoch::new(number(json, "epoch")?),
        incarnation: read_incarnation(text(json, "inc")?)?,
        owner: text(json, "owner")?.to_owned(),
        prev: Sum::from_hex(text(json, "prev")?)?,
    };
    Some((header, Kind::from_name(text(json, "kind")?)?))
}

pub(super) fn read_incarnation(text: &str) -> Option<Incarnation> {
    let mut bytes = [0; 8];
    if text.len() != 16 {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = digits else { return None };
        *byte = hex_digit(*high)? << 4 | hex_digit(*low)?;
    }
    Some(Incarnation(bytes))
}

fn read_genesis(json: &Json) -> Option<Genesis> {
    let timing = Timing {
        visibility: number(json, "visibility_ms")?,
        grace: number(json, "grace_ms")?,
        window: number(json, "window_ms")?,
    };
    Some(Genesis {
        timing,
        category: ChannelId::new(number(json, "category")?),
        catalog: ChannelId::new(number(json, "catalog")?),
        journal: ChannelId::new(number(json, "journal")?),
        keying: match json.get("encryption") {
            None => None,
            Some(keying) => Some(read_keying(keying)?),
        },
    })
}

fn read_keying(json: &Json) -> Option<Keying> {
    let small = |field| u32::try_from(number(json, field)?).ok();
    let kdf = match text(json, "kdf")? {
        "raw" => Kdf::Raw,
        "argon2id" => Kdf::Argon2id {
            memory_kib: small("memory_kib")?,
            passes: small("passes")?,
            lanes: small("lanes")?,
        },
        _ => return None,
    };
    kdf.is_sane().then_some(Keying { kdf, salt: bytes16(json, "salt")?, check: bytes16(json, "check")? })
}

/// 16 bytes as hexadecimal digits.
fn bytes16(json: &Json, field: &str) -> Option<[u8; 16]> {
    match text(json, field)? {
        digits if digits.len() == 32 => u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes),
        _ => None,
    }
}

fn read_commits(json: &Json) -> Option<Vec<Commit>> {
    let first = number(json, "first")?;
    let commits = json.get("commits")?.as_array()?;
    let numbered = commits.iter().zip(0..).map(|(ops, offset)| {
        let seq = Seq::new(first.checked_add(offset)?);
        let ops = ops.as_array()?.iter().map(read_op).collect::<Option<_>>()?;
        Some(Commit { seq, ops })
    });
    numbered.collect()
}

fn read_op(json: &Json) -> Option<Op> {
    let row = |values: &Json| -> Option<Row> {
        let values = values.as_array()?;
        let mut row = RowWriter::new(values.len());
        for value in values {
            row.put(read_value(value)?.as_ref());
        }
        Some(row.finish())
    };
    match json.as_array()?.as_slice() {
        [name, operand] => match name.as_str()? {
            "schema" => Some(Op::Schema(Box::new(read_table(operand)?))),
            "alter" => Some(Op::Alter(Box::new(read_table(operand)?))),
            "drop" => Some(Op::Drop { table: TableId::new(operand.as_u64()?) }),
            "applied" => Some(Op::Applied(Box::new(read_step(operand)?))),
            "reverted" => Some(Op::Reverted { version: operand.as_str()?.to_owned() }),
            _ => None,
        },
        [name, table, id] if name == "delete" => {
            Some(Op::Delete { table: TableId::new(table.as_u64()?), row: RowId::new(id.as_u64()?) })
        }
        [name, table, id, values] => {
            let (table, id, values) = (TableId::new(table.as_u64()?), RowId::new(id.as_u64()?), row(values)?);
            match name.as_str()? {
                "insert" => Some(Op::Insert { table, row: id, values }),
                "update" => Some(Op::Update { table, row: id, values }),
                "patch" => Some(Op::Patch { table, row: id, patch: Patch::of_pairs(values)? }),
                _ => None,
            }
        }
        _ => None,
    }
}

fn read_step(json: &Json) -> Option<AppliedStep> {
    Some(AppliedStep {
        version: text(json, "version")?.to_owned(),
        name: text(json, "name")?.to_owned(),
        checksum: bytes16(json, "checksum")?,
        at: json.get("at")?.as_i64()?,
    })
}

fn read_table(json: &Json) -> Option<TableDef> {
    let columns = json.get("columns")?.as_array()?.iter().map(read_column).collect::<Option<Vec<_>>>()?;
    let indexes = json.get("indexes")?.as_array()?.iter().map(|index| read_index(index, columns.len()));
    Some(TableDef {
        id: TableId::new(number(json, "table")?),
        name: text(json, "name")?.to_owned(),
        fingerprint: u64::from_str_radix(text(json, "fingerprint")?, 16).ok()?,
        channel: ChannelId::new(number(json, "channel")?),
        indexes: indexes.collect::<Option<_>>()?,
        columns,
    })
}

fn read_column(json: &Json) -> Option<ColumnDef> {
    let variants = match json.get("variants") {
        None => Vec::new(),
        Some(names) => {
            names.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>()?
        }
    };
    let max_len = match json.get("max_len") {
        None => None,
        Some(length) => Some(u32::try_from(length.as_u64()?).ok()?),
    };
    let default = match json.get("default") {
        None => None,
        Some(value) => Some(read_value(value)?),
    };
    Some(ColumnDef {
        name: text(json, "name")?.to_owned(),
        ty: text(json, "type")?.to_owned(),
        variants,
        nullable: json.get("nullable").is_some_and(|nullable| *nullable == Json::Bool(true)),
        max_len,
        default,
    })
}

fn read_index(json: &Json, columns: usize) -> Option<IndexDef> {
    let kind = text(json, "kind")?;
    let members = json.get("columns")?.as_array()?.iter();
    let members = members.map(|column| usize::try_from(column.as_u64()?).ok().filter(|&id| id < columns));
    let references = match json.get("references") {
        None => None,
        Some(reference) => {
            let action = text(reference, "on_delete")?;
            Some(ReferenceDef {
                table: text(reference, "table")?.to_owned(),
                on_delete: OnDelete::ALL.into_iter().find(|one| one.name() == action)?,
            })
        }
    };
    Some(IndexDef {
        references,
        kind: [IndexKind::Key, IndexKind::Unique, IndexKind::Index]
            .into_iter()
            .find(|&one| kind_name(one) == kind)?,
        columns: members.collect::<Option<_>>()?,
        channel: ChannelId::new(number(json, "channel")?),
    })
}

fn read_value(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::String(value) => Value::Text(value.clone()),
        Json::Number(value) => match (value.as_u64(), value.as_i64()) {
            (Some(value), _) => Value::Int(i128::from(value)),
            (_, Some(value)) => Value::Int(i128::from(value)),
            _ => Value::Float(value.as_f64()?),
        },
        Json::Object(tagged) => match (tagged.get("bytes"), tagged.get("float")) {
            (Some(bytes), None) => Value::Bytes(BASE64.decode(bytes.as_str()?).ok()?),
            (None, Some(bits)) => Value::Float(f64::from_bits(u64::from_str_radix(bits.as_str()?, 16).ok()?)),
            _ => return None,
        },
        Json::Array(_) => return None,
    })
}

pub(crate) fn text<'a>(json: &'a Json, field: &str) -> Option<&'a str> {
    json.get(field)?.as_str()
}

/// A number, or a string of digits: ids are strings, because many JSON readers round numbers above 2^53.
pub(crate) fn number(json: &Json, field: &str) -> Option<u64> {
    let value = json.get(field)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

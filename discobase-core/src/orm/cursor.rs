//! Where a page of a query ended, as something that can be kept and sent.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Error, ErrorKind, Result};
use crate::ids::RowId;
use crate::value::Value;
use crate::wire::{Reader, WireError, put_value, put_varint};

/// Where a page of a query ended: see [`Find::page`](crate::Find::page).
///
/// It can be kept as long as anybody likes, as text (`to_string`, `parse`) or through serde, and be given to another
/// process that opens the same database. It belongs to its query: to one of another table, with another condition or
/// another order it is an error.
///
/// It has the values of the last record in the columns of the order, readable for everybody, and a checksum, which finds
/// accidents and not forgeries: whoever makes one up reads no more than the query's filter lets through anyway.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(Vec<u8>);

/// What comes first; another layout gets another number.
const VERSION: u8 = 1;
/// Bytes of the checksum at the end.
const CHECKSUM: usize = 6;

impl Cursor {
    /// A place in the order of the query with this print: the values of a record in the order's columns, and its row.
    pub(super) fn new(print: [u8; 8], values: &[Value], row: RowId) -> Self {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&print);
        put_varint(&mut bytes, row.get());
        put_varint(&mut bytes, values.len() as u64);
        values.iter().for_each(|value| put_value(&mut bytes, value.as_ref()));
        bytes.extend_from_slice(&checksum(&bytes));
        Self(bytes)
    }

    /// The values and the row.
    ///
    /// # Errors
    /// `Invalid` when the query has another print.
    pub(super) fn place(&self, print: [u8; 8]) -> Result<(Vec<Value>, RowId)> {
        let (found, values, row) = read(&self.0).ok_or_else(damaged)?;
        if found == print {
            return Ok((values, row));
        }
        let text = "the cursor is one of another query: it goes with the table, the filters and the order of the query that \
                    gave it; begin with the first page";
        Err(Error::new(ErrorKind::Invalid, text))
    }

    fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        if bytes.first().is_some_and(|version| *version > VERSION) && read(&bytes).is_none() {
            let text = "the cursor was made by a newer version of discobase: begin with the first page";
            return Err(Error::new(ErrorKind::Invalid, text));
        }
        if read(&bytes).is_some() { Ok(Self(bytes)) } else { Err(damaged()) }
    }
}

fn damaged() -> Error {
    let text = "this is no cursor, or it was cut or changed on its way: begin with the first page";
    Error::new(ErrorKind::Invalid, text)
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let hash = blake3::derive_key("discobase 2026 cursor of a query", bytes);
    hash.first_chunk().copied().unwrap_or_default()
}

/// The print of the query, the values and the row.
fn read(bytes: &[u8]) -> Option<([u8; 8], Vec<Value>, RowId)> {
    let (body, sum) = bytes.split_last_chunk::<CHECKSUM>()?;
    if checksum(body) != *sum {
        return None;
    }
    let read = |mut reader: Reader<'_>| -> Result<_, WireError> {
        let version = reader.byte()?;
        let (print, row) = (reader.array()?, RowId::new(reader.varint()?));
        let count = reader.varint()?;
        let values = (0..count).map(|_| reader.value().map(|value| value.to_value()));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        Ok((version == VERSION && reader.is_empty()).then_some((print, values, row)))
    };
    read(Reader::new(body)).ok().flatten()
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl FromStr for Cursor {
    type Err = Error;

    /// # Errors
    /// `Invalid` when the text is no cursor.
    fn from_str(text: &str) -> Result<Self> {
        Self::from_bytes(URL_SAFE_NO_PAD.decode(text).map_err(|_| damaged())?)
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cursor").field(&self.to_string()).finish()
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

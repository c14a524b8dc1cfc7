//! Structs whose fields are columns of the table that embeds them.
//!
//! A table's own columns come first, then those of each embedded struct: so the derive knows the positions of its own
//! without knowing what it embeds. The names of embedded columns are put together here, while the program is compiled:
//! the derive sees the name of the embedded struct's type, and nothing of its fields.

use crate::decode::Stored;
use crate::field::FieldError;
use crate::row::RowWriter;
use crate::schema::{ColumnSchema, IndexSchema};
use crate::validate::Violations;
use crate::value::Value;

/// A struct that tables embed. `#[derive(Embedded)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be embedded",
    label = "not an embedded struct",
    note = "derive `Embedded` for it; an Option can't be embedded: make its fields Options"
)]
pub trait Embedded: Sized + Send + Sync + 'static {
    /// The columns of a table `T` that embeds it, typed.
    type Columns<T: 'static>: Copy + Send + Sync + 'static;

    /// Its columns, as they are called without the prefix of whoever embeds it.
    const COLUMNS: &'static [ColumnSchema];

    /// Its indexes; their channels are called like the columns.
    const INDEXES: &'static [IndexSchema];

    /// The typed columns, of which the first is that at `first` of all columns of the table.
    fn columns<T: 'static>(all: &'static [ColumnSchema], first: usize) -> Self::Columns<T>;

    /// The value that rows written before the column at `position` existed have in it.
    fn default_value(position: usize) -> Option<Value>;

    /// Puts the value of the column at `position`.
    ///
    /// # Errors
    /// As [`Entity::encode`](crate::Entity::encode).
    fn encode(&self, position: usize, row: &mut RowWriter) -> Result<(), FieldError>;

    /// Makes the struct from the columns of a row, of which the first is that at `first`.
    ///
    /// # Errors
    /// As [`Entity::decode`](crate::Entity::decode).
    fn decode(row: &Stored<'_>, first: usize) -> Result<Self, (usize, FieldError)>;

    /// Looks for rules that the fields break.
    fn validate(&self, found: &mut Violations) {
        let _ = found;
    }
}

/// One embedded struct, as whoever embeds it declares it.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// What its columns' names begin with.
    pub prefix: &'static str,
    /// Its columns.
    pub columns: &'static [ColumnSchema],
    /// Its indexes.
    pub indexes: &'static [IndexSchema],
}

/// How many columns there are with those of the parts.
#[must_use]
#[expect(clippy::indexing_slicing, reason = "slices have no other access in a const fn")]
pub const fn column_count(own: &[ColumnSchema], parts: &[Part]) -> usize {
    let (mut count, mut part) = (own.len(), 0);
    while part < parts.len() {
        count += parts[part].columns.len();
        part += 1;
    }
    count
}

/// How many indexes there are with those of the parts.
#[must_use]
#[expect(clippy::indexing_slicing, reason = "slices have no other access in a const fn")]
pub const fn index_count(own: &[IndexSchema], parts: &[Part]) -> usize {
    let (mut count, mut part) = (own.len(), 0);
    while part < parts.len() {
        count += parts[part].indexes.len();
        part += 1;
    }
    count
}

/// How many bytes the names of the parts' columns and of their indexes' channels have together. `table` is the table's
/// name, or empty for parts of a struct that is embedded itself.
#[must_use]
#[expect(clippy::indexing_slicing, reason = "slices have no other access in a const fn")]
pub const fn name_bytes(table: &str, parts: &[Part]) -> usize {
    let (mut bytes, mut part) = (0, 0);
    while part < parts.len() {
        let Part { prefix, columns, indexes } = parts[part];
        let mut at = 0;
        while at < columns.len() {
            bytes += prefix.len() + columns[at].name.len();
            at += 1;
        }
        at = 0;
        while at < indexes.len() {
            bytes += channel_prefix(table) + prefix.len() + indexes[at].channel.len();
            at += 1;
        }
        part += 1;
    }
    bytes
}

const fn channel_prefix(table: &str) -> usize {
    if table.is_empty() { 0 } else { table.len() + 1 }
}

/// Those names, one after the other: all columns of a part, then all its indexes.
#[must_use]
#[expect(clippy::indexing_slicing, reason = "slices have no other access in a const fn")]
pub const fn names<const N: usize>(table: &str, parts: &[Part]) -> [u8; N] {
    let (mut names, mut end, mut part) = ([0; N], 0, 0);
    while part < parts.len() {
        let Part { prefix, columns, indexes } = parts[part];
        let mut at = 0;
        while at < columns.len() {
            end = append(&mut names, end, prefix);
            end = append(&mut names, end, columns[at].name);
            at += 1;
        }
        at = 0;
        while at < indexes.len() {
            if !table.is_empty() {
                end = append(&mut names, end, table);
                end = append(&mut names, end, "_");
            }
            end = append(&mut names, end, prefix);
            end = append(&mut names, end, indexes[at].channel);
            at += 1;
        }
        part += 1;
    }
    names
}

#[expect(clippy::indexing_slicing, reason = "slices have no other access in a const fn")]
const fn append<const N: usize>(names: &mut [u8; N], end: usize, text: &str) -> usize {
    let (text, mut at) = (text.as_bytes(), 0);
    while at < text.len() {
        names[end + at] = text[at];
        at += 1;
    }
    end + text.len()
}

/// The name of so many bytes at `from`.
#[expect(clippy::panic, reason = "an error of the compiler, and none that can happen: texts were joined")]
const fn name_at(names: &'static [u8], from: usize, length: usize) -> &'static str {
    let (_, rest) = names.split_at(from);
    let (name, _) = rest.split_at(length);
    match core::str::from_utf8(name) {
        Ok(name) => name,
        Err(_) => panic!("joined texts are text"),
    }
}

/// All columns: a table's own, then those of the parts, called as `names` says.
#[must_use]
#[expect(clippy::indexing_slicing, reason = "slices have no other access in a const fn")]
pub const fn all_columns<const N: usize>(
    table: &str,
    own: &[ColumnSchema],
    parts: &[Part],
    names: &'static [u8],
) -> [ColumnSchema; N] {
    let none = super::column("", crate::field::ColumnType::Bool, false, 0, false);
    let (mut all, mut count) = ([none; N], 0);
    while count < own.len() {
        all[count] = own[count];
        count += 1;
    }
    let (mut part, mut from) = (0, 0);
    while part < parts.len() {
        let Part { prefix, columns, indexes } = parts[part];
        let mut at = 0;
        while at < columns.len() {
            let length = prefix.len() + columns[at].name.len();
            all[count] = ColumnSchema { name: name_at(names, from, length), ..columns[at] };
            from += length;
            count += 1;
            at += 1;
        }
        at = 0;
        while at < indexes.len() {
            from += channel_prefix(table) + prefix.len() + indexes[at].channel.len();
            at += 1;
        }
        part += 1;
    }
    all
}

/// All indexes: a table's own, then those of the parts. `positions` are the numbers from 0 on.
#[must_use]
#[expect(clippy::indexing_slicing, reason = "slices have no other access in a const fn")]
pub const fn all_indexes<const N: usize>(
    table: &str,
    own_columns: usize,
    own: &[IndexSchema],
    parts: &[Part],
    names: &'static [u8],
    positions: &'static [usize],
) -> [IndexSchema; N] {
    let none = IndexSchema { kind: super::IndexKind::Index, columns: &[], channel: "", references: None };
    let (mut all, mut count) = ([none; N], 0);
    while count < own.len() {
        all[count] = own[count];
        count += 1;
    }
    let (mut part, mut from, mut first) = (0, 0, own_columns);
    while part < parts.len() {
        let Part { prefix, columns, indexes } = parts[part];
        let mut at = 0;
        while at < columns.len() {
            from += prefix.len() + columns[at].name.len();
            at += 1;
        }
        at = 0;
        while at < indexes.len() {
            let index = indexes[at];
            let length = channel_prefix(table) + prefix.len() + index.channel.len();
            // An index in an embedded struct is one of a single column.
            let (_, rest) = positions.split_at(first + index.columns[0]);
            let (columns, _) = rest.split_at(1);
            all[count] = IndexSchema { columns, channel: name_at(names, from, length), ..index };
            from += length;
            count += 1;
            at += 1;
        }
        first += columns.len();
        part += 1;
    }
    all
}

/// The numbers from 0 on.
#[must_use]
#[expect(clippy::indexing_slicing, reason = "slices have no other access in a const fn")]
pub const fn positions<const N: usize>() -> [usize; N] {
    let (mut all, mut at) = ([0; N], 0);
    while at < N {
        all[at] = at;
        at += 1;
    }
    all
}

/// Whether all columns are called differently, and all channels: letters that differ only in their case are the same,
/// because they are in the name of a channel.
#[must_use]
#[expect(clippy::indexing_slicing, reason = "slices have no other access in a const fn")]
pub const fn are_distinct(columns: &[ColumnSchema], indexes: &[IndexSchema]) -> bool {
    let mut one = 0;
    while one < columns.len() {
        let mut other = one + 1;
        while other < columns.len() {
            if columns[one].name.eq_ignore_ascii_case(columns[other].name) {
                return false;
            }
            other += 1;
        }
        one += 1;
    }
    one = 0;
    while one < indexes.len() {
        let mut other = one + 1;
        while other < indexes.len() {
            if indexes[one].channel.eq_ignore_ascii_case(indexes[other].channel) {
                return false;
            }
            other += 1;
        }
        one += 1;
    }
    true
}

/// Whether no name is longer than a channel's may be: 100 characters.
#[must_use]
#[expect(clippy::indexing_slicing, reason = "slices have no other access in a const fn")]
pub const fn are_short(columns: &[ColumnSchema], indexes: &[IndexSchema]) -> bool {
    let mut at = 0;
    while at < columns.len() {
        if characters(columns[at].name) > 100 {
            return false;
        }
        at += 1;
    }
    at = 0;
    while at < indexes.len() {
        if characters(indexes[at].channel) > 100 {
            return false;
        }
        at += 1;
    }
    true
}

#[expect(clippy::indexing_slicing, reason = "slices have no other access in a const fn")]
const fn characters(text: &str) -> usize {
    let (bytes, mut at, mut count) = (text.as_bytes(), 0, 0);
    while at < bytes.len() {
        // Whatever does not go on with a character begins one.
        if bytes[at] & 0xc0 != 0x80 {
            count += 1;
        }
        at += 1;
    }
    count
}

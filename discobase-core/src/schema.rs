//! What the derive macro knows of a table at compile time, and the trait it implements.

use std::any::Any;

use crate::decode::Stored;
use crate::field::{ColumnType, FieldError};
use crate::row::RowWriter;
use crate::validate::Violations;
use crate::value::{Value, ValueRef};

pub(crate) mod embedded;

pub use embedded::Embedded;

/// One column of a table, as its struct declares it.
#[derive(Debug, Clone, Copy)]
pub struct ColumnSchema {
    /// The column's name: the field's, or what `rename` says.
    pub name: &'static str,
    /// The type of its values.
    pub ty: ColumnType,
    /// Whether it may hold null: the field is an `Option`.
    pub nullable: bool,
    /// The longest value, in characters of text or in bytes.
    pub max_len: Option<u32>,
    /// Whether a `default` attribute gives a value to rows written before the column existed.
    pub has_default: bool,
    /// What the column was called before.
    pub renamed_from: Option<&'static str>,
}

/// What an index is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexKind {
    /// The key: unique, and never null.
    Key,
    /// Unique, but any number of nulls.
    Unique,
    /// Any number of equal values.
    Index,
}

/// What becomes of the rows that refer to one that is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnDelete {
    /// The row can't be deleted as long as one refers to it.
    #[default]
    Restrict,
    /// They are deleted with it.
    Cascade,
    /// They refer to nothing from then on.
    SetNull,
}

impl OnDelete {
    /// Its name in attributes and in the guild.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Restrict => "restrict",
            Self::Cascade => "cascade",
            Self::SetNull => "set_null",
        }
    }

    /// Its code in the guild, and in fingerprints.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Restrict => 1,
            Self::Cascade => 2,
            Self::SetNull => 3,
        }
    }

    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Restrict, Self::Cascade, Self::SetNull];
}

/// A reference of an index's columns to the key of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceSchema {
    /// The name of the table that is referred to.
    pub table: &'static str,
    /// What becomes of the rows that refer to one that is deleted.
    pub on_delete: OnDelete,
}

/// One index of a table.
#[derive(Debug, Clone, Copy)]
pub struct IndexSchema {
    /// What it is for.
    pub kind: IndexKind,
    /// The columns, as positions in [`TableSchema::columns`]; several of a composite one.
    pub columns: &'static [usize],
    /// The plain name of its channel: table and columns, joined by `_`.
    pub channel: &'static str,
    /// What its columns refer to, if they do.
    pub references: Option<ReferenceSchema>,
}

/// A column; a `max_len` of 0 is none.
#[must_use]
pub const fn column(
    name: &'static str,
    ty: ColumnType,
    nullable: bool,
    max_len: u32,
    has_default: bool,
) -> ColumnSchema {
    let max_len = if max_len == 0 { None } else { Some(max_len) };
    ColumnSchema { name, ty, nullable, max_len, has_default, renamed_from: None }
}

/// A table, as its struct declares it.
#[derive(Debug, Clone, Copy)]
pub struct TableSchema {
    /// The table's name.
    pub name: &'static str,
    /// The columns, in the order of the struct's fields.
    pub columns: &'static [ColumnSchema],
    /// The indexes: the key first, if there is one.
    pub indexes: &'static [IndexSchema],
    /// What the table was called before.
    pub renamed_from: Option<&'static str>,
}

/// The columns that the database fills by itself, as positions in [`TableSchema::columns`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Model {
    /// `key, auto`: numbered when a record is saved.
    pub auto: Option<usize>,
    /// `created_at`: the time of the save.
    pub created_at: Option<usize>,
    /// `updated_at`: the time of the last write.
    pub updated_at: Option<usize>,
    /// `soft_delete`: the time of the delete.
    pub deleted_at: Option<usize>,
}

impl Model {
    /// The database fills nothing.
    pub const PLAIN: Self = Self { auto: None, created_at: None, updated_at: None, deleted_at: None };
}

impl TableSchema {
    /// The key's index, if the table has a key.
    #[must_use]
    pub fn key(&self) -> Option<&'static IndexSchema> {
        self.indexes.iter().find(|index| index.kind == IndexKind::Key)
    }

    /// A number that differs, with overwhelming probability, when two schemas differ: a sum of mixed 64-bit FNV-1a
    /// hashes, one of the name, and one of each column's name, type, constraints and places in indexes. The order of
    /// fields does not matter.
    #[must_use]
    pub const fn fingerprint(&self) -> u64 {
        let mut sum = mix(fnv_text(FNV_START, self.name));
        let mut position = 0;
        while position < self.columns.len() {
            sum = sum.wrapping_add(mix(self.column_print(position)));
            position += 1;
        }
        sum
    }

    #[expect(clippy::indexing_slicing, reason = "slices have no other access in a const fn")]
    const fn column_print(&self, position: usize) -> u64 {
        let column = &self.columns[position];
        let mut hash = fnv_text(FNV_START, column.name);
        hash = fnv_text(hash, column.ty.name());
        if let ColumnType::Enum { variants } = column.ty {
            let mut variant = 0;
            while variant < variants.len() {
                hash = fnv_text(hash, variants[variant]);
                variant += 1;
            }
        }
        hash = fnv_byte(hash, column.nullable as u8);
        hash = fnv_text(hash, if column.max_len.is_some() { "max" } else { "" });
        let mut max_len = match column.max_len {
            Some(max_len) => max_len,
            None => 0,
        };
        while max_len > 0 {
            hash = fnv_byte(hash, max_len as u8);
            max_len >>= 8;
        }
        let mut index = 0;
        while index < self.indexes.len() {
            let mut member = 0;
            while member < self.indexes[index].columns.len() {
                if self.indexes[index].columns[member] == position {
                    hash = fnv_byte(hash, self.indexes[index].kind as u8 + 1);
                    hash = fnv_byte(hash, member as u8);
                    if let Some(reference) = self.indexes[index].references {
                        hash = fnv_byte(hash, REFERENCE + reference.on_delete.code());
                        hash = fnv_text(hash, reference.table);
                    }
                }
                member += 1;
            }
            index += 1;
        }
        hash
    }
}

/// What the code of a reference's action is counted from, in fingerprints.
pub(crate) const REFERENCE: u8 = 16;

pub(crate) const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// Spreads every bit over all others, so that small differences of two hashes don't cancel out in their sum.
pub(crate) const fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ hash >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^ hash >> 32
}

pub(crate) const fn fnv_byte(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(0x0100_0000_01b3)
}

#[expect(clippy::indexing_slicing, reason = "slices have no other access in a const fn")]
pub(crate) const fn fnv_text(mut hash: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        hash = fnv_byte(hash, bytes[at]);
        at += 1;
    }
    // A byte that UTF-8 never holds ends the text, so that "ab", "c" and "a", "bc" differ.
    fnv_byte(hash, 0xff)
}

/// A struct whose values are the rows of a table. `#[derive(Table)]` implements it.
///
/// Everything a user calls is in [`Table`](crate::Table), which every entity has.
pub trait Entity: Sized + Send + Sync + 'static {
    /// The table's columns, typed, for queries: a struct with one field per column.
    type Columns: Copy + Send + Sync + 'static;

    /// The types of the key's fields, as a tuple; `()` for a table without a key.
    type Key: 'static;

    /// The table, as the struct declares it.
    const SCHEMA: &'static TableSchema;

    /// The table's name. It depends on no other struct, so that structs may refer to each other in a circle.
    const NAME: &'static str = Self::SCHEMA.name;

    /// What the database fills by itself.
    const MODEL: Model = Model::PLAIN;

    /// The fields that are not stored, by their names.
    const SKIPPED: &'static [&'static str] = &[];

    /// What `builder` begins with.
    type Builder;

    /// The fingerprint of the schema, computed at compile time.
    const FINGERPRINT: u64 = Self::SCHEMA.fingerprint();

    /// The typed columns.
    fn columns() -> Self::Columns;

    /// The default of the field at `position`: what rows have in it that were written before the column was added, unless
    /// the step that added it said something else.
    fn default_value(position: usize) -> Option<Value>;

    /// Puts the value of the field at `position`.
    ///
    /// # Errors
    /// When the value can't be kept, for example when serde can't serialise it.
    fn encode(&self, position: usize, row: &mut RowWriter) -> Result<(), FieldError>;

    /// Makes the struct from the values of a row.
    ///
    /// # Errors
    /// The position of the first field whose value is not one of its type, and what is wrong with it.
    fn decode(row: &Stored<'_>) -> Result<Self, (usize, FieldError)>;

    /// A builder that has no field yet.
    fn new_builder() -> Self::Builder;

    /// Puts a value into a field that [`Entity::MODEL`] names.
    ///
    /// # Errors
    /// When the field can't hold the value.
    fn assign(&mut self, position: usize, value: ValueRef<'_>) -> Result<(), FieldError> {
        let _ = (position, value);
        Ok(())
    }

    /// Looks for rules that the fields break.
    fn validate(&self, found: &mut Violations) {
        let _ = found;
    }

    /// Runs `after_load`.
    fn loaded(&mut self) {}

    /// The struct's hooks, as what the module that knows of databases makes of them.
    fn hooks() -> Option<&'static dyn Any> {
        None
    }
}

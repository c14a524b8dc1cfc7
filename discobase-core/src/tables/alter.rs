//! A table gets another definition: what must fit, and what the values that are there must fit.

use crate::batch::{ColumnDef, TableDef};
use crate::ids::{RowId, Seq};
use crate::tables::index::value_in;
use crate::tables::table::{Stored, TableState};
use crate::value::ValueRef;

/// Why a table can't have a definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// Rows would have values for which there is no column.
    #[error("it has fewer columns than the table")]
    FewerColumns,
    /// A column that was dropped is named again: what rows have at its place is of another column.
    #[error("column {0} was dropped before")]
    Dropped(usize),
    /// The key's columns are what a row is found by.
    #[error("it has another key")]
    Key,
    /// Two rows have the same values where they must not.
    #[error("rows {row} and {by} have the same values in index {index}")]
    Taken { index: usize, row: RowId, by: RowId },
    /// A row has a value that the column does not allow any more.
    #[error("row {row} has no fitting value in column {column}: {why}")]
    Value { column: usize, row: RowId, why: &'static str },
}

impl TableState {
    /// The same rows under another definition.
    pub(super) fn altered(&self, def: &TableDef, seq: Seq) -> Result<Self, Unfit> {
        let before = self.def();
        if def.columns.len() < before.columns.len() {
            return Err(Unfit::FewerColumns);
        }
        let mut columns = before.columns.iter().zip(&def.columns);
        if let Some(column) = columns.position(|(old, new)| old.name.is_empty() && !new.name.is_empty()) {
            return Err(Unfit::Dropped(column));
        }
        let key = |def: &TableDef| def.key().map(|(_, index)| index.columns.clone());
        if key(before) != key(def) {
            return Err(Unfit::Key);
        }
        let taken =
            |(row, taken): (RowId, super::Taken)| Unfit::Taken { index: taken.index, row, by: taken.by };
        self.under(def.clone(), seq).map_err(taken)
    }

    /// Whether all values that are there fit another definition. What replays a journal need not ask: it was asked
    /// before the commit was.
    pub(crate) fn check_values(&self, def: &TableDef) -> Result<(), Unfit> {
        for (column, new) in def.columns.iter().enumerate() {
            let old = self.def().columns.get(column);
            if new.name.is_empty() || old.is_some_and(|old| is_wider(old, new)) {
                continue;
            }
            let unfit = |(row, stored): (RowId, Stored<'_>)| {
                let why = refusal(new, value_in(def, stored.row, column))?;
                Some(Unfit::Value { column, row, why })
            };
            if let Some(unfit) = self.rows().find_map(unfit) {
                return Err(unfit);
            }
        }
        Ok(())
    }
}

/// Whether everything that the one column may hold, the other may hold as well.
fn is_wider(old: &ColumnDef, new: &ColumnDef) -> bool {
    let longer = match (old.max_len, new.max_len) {
        (_, None) => true,
        (Some(old), Some(new)) => new >= old,
        (None, Some(_)) => false,
    };
    old.ty == new.ty
        && (new.nullable || !old.nullable)
        && longer
        && old.variants.iter().all(|variant| new.variants.contains(variant))
}

/// Whether what was made for a table's earlier definition is right under this one: the columns that there were have their
/// names and places, and allow what they did. Others may have come to them.
pub(crate) fn goes_on_from(new: &TableDef, old: &TableDef) -> bool {
    let goes_on = |(old, new): (&ColumnDef, &ColumnDef)| {
        // What was made for the old one has variants by their places.
        let places = new.variants.starts_with(&old.variants);
        old.name == new.name && old.default == new.default && places && is_wider(old, new)
    };
    new.columns.len() >= old.columns.len() && old.columns.iter().zip(&new.columns).all(goes_on)
}

/// Why a column can't have a value, if it can't.
fn refusal(column: &ColumnDef, value: ValueRef<'_>) -> Option<&'static str> {
    let within = |length: usize| column.max_len.is_none_or(|most| length <= most as usize);
    match (value, column.ty.as_str()) {
        (ValueRef::Null, _) => (!column.nullable).then_some("it is null, and the column allows none"),
        (ValueRef::Text(text), "text" | "json") => {
            (!within(text.chars().count())).then_some("it is longer than the column allows")
        }
        (ValueRef::Text(name), "enum") => {
            let known = column.variants.iter().any(|variant| variant == name);
            (!known).then_some("the enum has no such variant any more")
        }
        (ValueRef::Bytes(bytes), "bytes") => {
            (!within(bytes.len())).then_some("it is longer than the column allows")
        }
        (ValueRef::Bytes(bytes), "uuid") => (bytes.len() != 16).then_some("it is no UUID"),
        (ValueRef::Bool(_), "bool") | (ValueRef::Float(_), "f64" | "f32") => None,
        (ValueRef::Int(value), ty) => match range(ty) {
            Some((low, high)) => {
                (value < low || value > high).then_some("it is outside the range of the column's type")
            }
            None => Some("it is a number, and the column's type is another"),
        },
        _ => Some("it is of another type than the column"),
    }
}

/// The integers that a type of columns has.
fn range(ty: &str) -> Option<(i128, i128)> {
    Some(match ty {
        "i8" => (i8::MIN.into(), i8::MAX.into()),
        "i16" => (i16::MIN.into(), i16::MAX.into()),
        "i32" => (i32::MIN.into(), i32::MAX.into()),
        "i64" | "timestamp" => (i64::MIN.into(), i64::MAX.into()),
        "u8" => (0, u8::MAX.into()),
        "u16" => (0, u16::MAX.into()),
        "u32" => (0, u32::MAX.into()),
        "u64" => (0, u64::MAX.into()),
        "id" => (1, u64::MAX.into()),
        _ => return None,
    })
}

impl Unfit {
    /// The column that it is about.
    pub(crate) fn column<'a>(&self, def: &'a TableDef) -> Option<&'a str> {
        let name = |column: usize| def.columns.get(column).map(|column| column.name.as_str());
        match self {
            Self::Dropped(column) | Self::Value { column, .. } => name(*column),
            Self::Taken { index, .. } => name(*def.indexes.get(*index)?.columns.first()?),
            Self::FewerColumns | Self::Key => None,
        }
    }

    /// The row that it is about.
    pub(crate) fn row(&self) -> Option<RowId> {
        match self {
            Self::Taken { row, .. } | Self::Value { row, .. } => Some(*row),
            Self::FewerColumns | Self::Key | Self::Dropped(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;

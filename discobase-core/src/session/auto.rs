//! The keys that commits give.
//!
//! A key that is 0 is one that was not given. Its record gets the id of its row as its key: a row's id is above every
//! one its table ever had, so a number is given once, even if its record, or the whole process, is gone afterwards. A
//! number that somebody chose is left out as long as a record has it.

use crate::batch::TableDef;
use crate::error::{Error, ErrorKind};
use crate::ids::{RowId, TableId};
use crate::row::{Row, RowWriter};
use crate::session::check::{column_name, state};
use crate::tables::{TableState, Tables, value_in};
use crate::value::ValueRef;

/// The id and the values of a new row whose key is in `column`.
pub(super) fn number(state: &TableState, column: usize, values: &Row) -> Result<(RowId, Row), Error> {
    if !matches!(values.value(column), Some(ValueRef::Int(0))) {
        return Ok((state.next_row(), values.clone()));
    }
    let row = free(state, column)?;
    Ok((row, with_value(state.def(), values, column, ValueRef::Int(row.get().into()))))
}

/// Takes a number out of the counter: no row gets it as its id any more, and no other as its key.
///
/// A session needs the keys of its rows before it commits. Their rows get ids above these numbers when it does, so
/// that the numbers after them stay free, too.
pub(crate) fn reserve(tables: &mut Tables, table: TableId, column: usize) -> Result<RowId, Error> {
    let row = free(state(tables, table)?, column)?;
    tables.skip_rows(table, row.next());
    Ok(row)
}

/// The first number from the counter on that is no record's key.
fn free(state: &TableState, column: usize) -> Result<RowId, Error> {
    let mut row = state.next_row();
    while state.by_key(&[ValueRef::Int(row.get().into())]).is_some() {
        row = row.next();
    }
    if row.get() > highest(state.def(), column) {
        let text = "every number that fits the field was given to a record already: give it a wider type";
        return Err(Error::new(ErrorKind::Invalid, text)
            .in_table(&state.def().name)
            .in_field(column_name(state.def(), column)));
    }
    Ok(row)
}

/// The highest number that a column of integers can hold.
fn highest(def: &TableDef, column: usize) -> u64 {
    match def.columns.get(column).map_or("", |column| column.ty.as_str()) {
        "i8" => i8::MAX as u64,
        "i16" => i16::MAX as u64,
        "i32" => i32::MAX as u64,
        "i64" => i64::MAX as u64,
        "u8" => u64::from(u8::MAX),
        "u16" => u64::from(u16::MAX),
        "u32" => u64::from(u32::MAX),
        _ => u64::MAX,
    }
}

/// The row with another value in one column.
pub(crate) fn with_value(def: &TableDef, row: &Row, column: usize, value: ValueRef<'_>) -> Row {
    let mut changed = RowWriter::new(def.columns.len());
    for at in 0..def.columns.len() {
        changed.put(if at == column { value } else { value_in(def, row.borrow(), at) });
    }
    changed.finish()
}

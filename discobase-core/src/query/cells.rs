//! Some columns of a row, still encoded, in one pass over it.

use smallvec::SmallVec;

use crate::row::RowRef;
use crate::wire::{number, skip};

/// The encoded values of a row in some columns.
pub(crate) type Cells<'a> = SmallVec<[&'a [u8]; 8]>;

/// The encoded values of a row in these columns, which are in their order and distinct; `None` if the row is older than
/// one.
#[inline]
pub(crate) fn cells<'a>(row: RowRef<'a>, columns: &[usize]) -> Option<Cells<'a>> {
    let (count, mut bytes) = number(row.as_bytes())?;
    let (mut cells, mut at) = (Cells::new(), 0);
    for &column in columns {
        if column as u64 >= count {
            return None;
        }
        while at < column {
            bytes = skip(bytes)?;
            at += 1;
        }
        let behind = skip(bytes)?;
        cells.push(bytes.get(..bytes.len() - behind.len())?);
        (bytes, at) = (behind, at + 1);
    }
    Some(cells)
}

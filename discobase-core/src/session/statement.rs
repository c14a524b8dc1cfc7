//! Writes of which only the newest state says what they do: updates and deletes by a condition, and upserts. A commit
//! has plain operations; what is worked out here is worked out once, by who commits.

use std::fmt;
use std::sync::Arc;

use crate::batch::{ColumnDef, Op, TableDef};
use crate::error::{Error, ErrorKind};
use crate::ids::{RowId, Seq, TableId};
use crate::query::exec::Query;
use crate::query::expr::Expr;
use crate::query::matcher::RowColumns;
use crate::query::program::{Fault, Program, Slot};
use crate::query::subquery::{State, resolve};
use crate::row::{Row, RowRef, RowWriter};
use crate::schema::IndexKind;
use crate::session::auto::number;
use crate::session::check::{column_name, key_text, same_key, state};
use crate::session::prepare::Planned;
use crate::session::{Did, Written};
use crate::tables::{Stored, TableState, Tables, value_in};
use crate::value::ValueRef;

/// An update or a delete of all rows that satisfy a condition. Columns are column ids.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) table: TableId,
    pub(crate) filter: Option<Expr>,
    pub(crate) change: Change,
}

/// What becomes of a row.
#[derive(Debug)]
pub(crate) enum Change {
    Set(Assigns),
    Delete,
}

/// New values of some columns.
#[derive(Clone, Default)]
pub(crate) struct Assigns {
    pub(crate) set: Vec<Assign>,
    pub(crate) around: Around,
}

/// What comes with every change of a row.
#[derive(Clone, Default)]
pub(crate) struct Around {
    /// The column that gets the time of the change.
    pub(crate) touch: Option<usize>,
    /// Refuses rows that break a rule.
    pub(crate) check: Option<Check>,
}

/// Says whether a row may be.
pub(crate) type Check = Arc<dyn Fn(RowRef<'_>) -> Result<(), Error> + Send + Sync>;

/// A column's new value. All values of a row are worked out from what it was before.
#[derive(Debug, Clone)]
pub(crate) struct Assign {
    pub(crate) column: usize,
    pub(crate) value: Program,
}

/// A row that is added, unless one has its values in an index.
#[derive(Debug)]
pub(crate) struct Upsert {
    pub(crate) table: TableId,
    /// The position of the key's index, or of a unique one.
    pub(crate) index: usize,
    pub(crate) values: Row,
    /// The column of a key that is numbered where it is 0.
    pub(crate) auto: Option<usize>,
    /// The column that marks a record as deleted, in a table that keeps such records.
    pub(crate) deleted: Option<usize>,
    pub(crate) found: Found,
}

/// What becomes of a row that is there.
#[derive(Debug)]
pub(crate) enum Found {
    /// It gets all values but those of its key and of the columns in `keep`.
    Replace {
        keep: Vec<usize>,
        around: Around,
    },
    Set(Assigns),
}

impl Statement {
    pub(super) fn plan(&self, tables: &Tables, seq: Seq, now: i64) -> Result<Vec<Planned>, Error> {
        let state = state(tables, self.table)?;
        if let Change::Set(assigns) = &self.change {
            assigns.check(state)?;
        }
        let mut query = Query { filter: self.filter.clone(), ..Query::default() };
        if let Some(filter) = &mut query.filter {
            resolve(filter, state.def(), State::of(tables), &mut |_, _| ())?;
        }
        let rows = query.run(state).into_iter();
        match &self.change {
            Change::Set(assigns) => {
                rows.map(|(id, stored)| Updated { state, id, stored, seq, now }.assign(assigns)).collect()
            }
            Change::Delete => Ok(rows.map(|(id, stored)| delete(state, id, stored, seq)).collect()),
        }
    }
}

impl Assigns {
    /// Refuses what can't be worked out from a row alone.
    fn check(&self, state: &TableState) -> Result<(), Error> {
        if !self.set.iter().any(|assign| assign.value.has_subquery()) {
            return Ok(());
        }
        let text = "a query can't be inside of `when`: put it into the filter of an update of its own";
        Err(Error::new(ErrorKind::Invalid, text).in_table(&state.def().name))
    }
}

impl Upsert {
    pub(super) fn plan(&self, tables: &Tables, seq: Seq, now: i64) -> Result<Planned, Error> {
        let state = state(tables, self.table)?;
        let known = state.holder(self.index, None, &self.values);
        let Some((id, stored)) = known.and_then(|id| Some((id, state.row(id)?))) else {
            let (row, values) = match self.auto {
                Some(column) => number(state, column, &self.values)?,
                None => (state.next_row(), self.values.clone()),
            };
            let op = Op::Insert { table: self.table, row, values: values.clone() };
            return Ok(Planned {
                op: Some(op),
                written: Written { row, version: seq, values, did: Did::Insert },
            });
        };
        let updated = Updated { state, id, stored, seq, now };
        self.check_live(&updated)?;
        match &self.found {
            Found::Set(assigns) => {
                assigns.check(state)?;
                updated.assign(assigns)
            }
            Found::Replace { keep, around } => updated.replace(&self.values, keep, around),
        }
    }
}

impl Upsert {
    /// A record that is marked as deleted is as if it were not there, and in the way, as for a save.
    fn check_live(&self, found: &Updated<'_>) -> Result<(), Error> {
        let def = found.state.def();
        let Some(column) = self.deleted.filter(|column| !value_in(def, found.stored.row, *column).is_null())
        else {
            return Ok(());
        };
        let index = def.indexes.get(self.index);
        let kind = match index.map(|index| index.kind) {
            Some(IndexKind::Key) | None => ErrorKind::DuplicateKey,
            Some(_) => ErrorKind::UniqueViolated,
        };
        let text = format!(
            "the record that is found by this value is deleted ({} is set): find it with only_deleted(), and restore it or \
             delete it forever",
            column_name(def, column)
        );
        let error = found.placed(Error::new(kind, text));
        Err(match index.map(|index| index.columns.as_slice()) {
            Some(&[column]) => error.in_field(column_name(def, column)),
            _ => error,
        })
    }
}

fn delete(state: &TableState, row: RowId, stored: Stored<'_>, version: Seq) -> Planned {
    let op = Op::Delete { table: state.def().id, row };
    let written = Written { row, version, values: stored.row.to_row(), did: Did::Delete };
    Planned { op: Some(op), written }
}

/// A row that is to get other values.
struct Updated<'a> {
    state: &'a Arc<TableState>,
    id: RowId,
    stored: Stored<'a>,
    seq: Seq,
    now: i64,
}

/// Columns and their new values.
type Values<'a> = Vec<(usize, Slot<'a>)>;

impl Updated<'_> {
    /// Works out new values of some columns.
    fn assign(&self, assigns: &Assigns) -> Result<Planned, Error> {
        let def = self.state.def();
        let columns = RowColumns { table: def, row: self.stored.row };
        let mut new: Values<'_> = Vec::with_capacity(assigns.set.len());
        for Assign { column, value } in &assigns.set {
            let value = value.evaluate(&columns, self.now);
            let value = value.map_err(|fault| fault_error(&fault).in_field(column_name(def, *column)));
            let fits = value.and_then(|value| {
                fits(def, *column, value.get())?;
                Ok(value)
            });
            let value = fits.map_err(|error| self.placed(error))?;
            // Of two assignments of one column the last counts.
            new.retain(|(known, _)| known != column);
            new.push((*column, value));
        }
        self.write(&new, &assigns.around)
    }

    /// Takes the values of another row, but for those of the key: it may have been found by another unique value.
    fn replace(&self, values: &Row, keep: &[usize], around: &Around) -> Result<Planned, Error> {
        let def = self.state.def();
        let key = def.key().map_or(&[][..], |(_, index)| &index.columns);
        let replaced =
            |column: &usize| !key.contains(column) && !keep.contains(column) && around.touch != Some(*column);
        let value = |column| (column, Slot::Borrowed(value_in(def, values.borrow(), column)));
        // Columns that came since the values were made keep what they have.
        let new: Values<'_> = (0..values.values().len()).filter(replaced).map(value).collect();
        self.write(&new, around)
    }

    fn write(&self, new: &Values<'_>, around: &Around) -> Result<Planned, Error> {
        let (def, stored, id) = (self.state.def(), self.stored, self.id);
        if new.iter().all(|(column, value)| value.get() == value_in(def, stored.row, *column)) {
            let values = stored.row.to_row();
            let written = Written { row: id, version: stored.version, values, did: Did::Nothing };
            return Ok(Planned { op: None, written });
        }
        let mut row = RowWriter::new(def.columns.len());
        for column in 0..def.columns.len() {
            let assigned = new.iter().find(|(known, _)| *known == column);
            row.put(match assigned {
                Some((_, value)) => value.get(),
                None if around.touch == Some(column) => ValueRef::Int(self.now.into()),
                None => value_in(def, stored.row, column),
            });
        }
        let values = row.finish();
        same_key(self.state, id, &values)?;
        if let Some(check) = &around.check {
            check(values.borrow()).map_err(|error| self.placed(error))?;
        }
        let op = Op::Update { table: def.id, row: id, values: values.clone() };
        let written = Written { row: id, version: self.seq, values, did: Did::Update };
        Ok(Planned { op: Some(op), written })
    }

    /// Says of which row an error is.
    fn placed(&self, error: Error) -> Error {
        let def = self.state.def();
        let key = match def.key() {
            Some((position, _)) => key_text(def, Some(position), self.stored.row),
            None => format!("row {}", self.id),
        };
        error.in_table(&def.name).with_key(key)
    }
}

/// Whether a column can hold a value that was worked out.
fn fits(def: &TableDef, column: usize, value: ValueRef<'_>) -> Result<(), Error> {
    let Some(def) = def.columns.get(column) else {
        return Err(Error::new(ErrorKind::Invalid, "the table has no such column"));
    };
    let error = match value {
        ValueRef::Null if !def.nullable => Error::new(ErrorKind::Invalid, "the field can't hold a null"),
        ValueRef::Int(number) if !integers(&def.ty).contains(&number) => {
            let text = format!("the result is {number}, which is no {}: nothing was written", def.ty);
            Error::new(ErrorKind::Arithmetic, text)
        }
        _ => return fits_length(def, value),
    };
    Err(error.in_field(&def.name))
}

fn fits_length(def: &ColumnDef, value: ValueRef<'_>) -> Result<(), Error> {
    let (length, unit) = match value {
        ValueRef::Text(text) => (text.chars().count(), "characters"),
        ValueRef::Bytes(bytes) => (bytes.len(), "bytes"),
        _ => return Ok(()),
    };
    match def.max_len {
        Some(max_len) if length > max_len as usize => {
            let text = format!("the result has {length} {unit}, and the field allows {max_len}");
            Err(Error::new(ErrorKind::TooLong, text).in_field(&def.name))
        }
        _ => Ok(()),
    }
}

/// The integers that a column of a type can hold.
fn integers(ty: &str) -> std::ops::RangeInclusive<i128> {
    fn of<N: Into<i128>>(low: N, high: N) -> std::ops::RangeInclusive<i128> {
        low.into()..=high.into()
    }
    match ty {
        "i8" => of(i8::MIN, i8::MAX),
        "i16" => of(i16::MIN, i16::MAX),
        "i32" => of(i32::MIN, i32::MAX),
        "u8" => of(u8::MIN, u8::MAX),
        "u16" => of(u16::MIN, u16::MAX),
        "u32" => of(u32::MIN, u32::MAX),
        "u64" => of(u64::MIN, u64::MAX),
        "id" => of(1, u64::MAX),
        _ => of(i64::MIN, i64::MAX),
    }
}

fn fault_error(fault: &Fault) -> Error {
    let kind = match fault {
        Fault::DivisionByZero | Fault::Overflow => ErrorKind::Arithmetic,
        Fault::TooLong => ErrorKind::TooLarge,
        Fault::Malformed => ErrorKind::Invalid,
    };
    Error::new(kind, format!("the expression has no value: {fault}. Nothing was written"))
}

impl fmt::Debug for Assigns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assigns").field("set", &self.set).finish_non_exhaustive()
    }
}

impl fmt::Debug for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around").field("touch", &self.touch).finish_non_exhaustive()
    }
}

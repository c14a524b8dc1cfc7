//! A row in the hands of a migration step.

use crate::batch::TableDef;
use crate::error::{Error, ErrorKind, Result};
use crate::field::ColumnValue;
use crate::value::Value;

/// A row that a migration step looks at: its fields by their names, as the step's earlier changes have left them.
///
/// See [`Step::each`](crate::Step::each).
#[derive(Debug)]
pub struct RowChange<'a> {
    pub(crate) def: &'a TableDef,
    pub(crate) values: &'a mut Vec<Value>,
    pub(crate) fate: Fate,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Same,
    Changed,
    Deleted,
}

impl RowChange<'_> {
    /// A field's value.
    ///
    /// # Errors
    /// `Invalid` when the table has no such field, or its value is not one of the type's; the error names the field.
    pub fn get<V: ColumnValue>(&self, field: &str) -> Result<V> {
        let value = self.values.get(self.column(field)?).map_or(crate::value::ValueRef::Null, Value::as_ref);
        V::decode(value).map_err(|error| self.invalid(field, error.to_string()))
    }

    /// Gives a field another value. The type must be the column's.
    ///
    /// # Errors
    /// `Invalid` when the table has no such field, or the field another type; the error names the field.
    #[expect(clippy::needless_pass_by_value, reason = "values are written where they are needed")]
    pub fn set<V: ColumnValue>(&mut self, field: &str, value: V) -> Result<()> {
        let place = self.column(field)?;
        let column = self.def.columns.get(place);
        if let Some(column) = column.filter(|column| column.ty != V::TYPE.name()) {
            let text = format!("the field is {}, and the value {}", column.ty, V::TYPE.name());
            return Err(self.invalid(field, text));
        }
        let value = value.as_value().to_value();
        if self.values.get(place) == Some(&value) {
            return Ok(());
        }
        if self.values.len() <= place {
            self.values.resize(place + 1, Value::Null);
        }
        if let Some(old) = self.values.get_mut(place) {
            *old = value;
        }
        if self.fate == Fate::Same {
            self.fate = Fate::Changed;
        }
        Ok(())
    }

    /// Deletes the row.
    pub fn delete(&mut self) {
        self.fate = Fate::Deleted;
    }

    fn column(&self, field: &str) -> Result<usize> {
        let place = self.def.columns.iter().position(|column| column.name == field && !field.is_empty());
        place.ok_or_else(|| {
            self.invalid(field, "the table has no such field at this point of the step".into())
        })
    }

    fn invalid(&self, field: &str, text: String) -> Error {
        Error::new(ErrorKind::Invalid, text).in_table(&self.def.name).in_field(field)
    }
}

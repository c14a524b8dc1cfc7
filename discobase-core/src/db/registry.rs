//! The structs that were registered as tables, and how each fits the table in the guild.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::batch::TableDef;
use crate::db::difference::{Difference, changed, differences};
use crate::decode::Stored;
use crate::error::{Error, ErrorKind, Result};
use crate::field::FieldError;
use crate::ids::TableId;
use crate::row::{Row, RowRef, RowWriter};
use crate::schema::{Entity, TableSchema};
use crate::tables::{Slot, Tables, goes_on_from};
use crate::value::{Value, ValueRef};

/// A struct that was registered.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    pub(crate) type_id: TypeId,
    pub(crate) type_name: &'static str,
    pub(crate) schema: &'static TableSchema,
    pub(crate) defaults: Vec<Option<Value>>,
    /// Whether it is looked up in the guild as long as nothing needs all of it.
    pub(crate) lazy: bool,
}

impl Registered {
    pub(crate) fn new<T: Entity>() -> Self {
        Self {
            type_id: TypeId::of::<T>(),
            type_name: std::any::type_name::<T>(),
            schema: T::SCHEMA,
            defaults: (0..T::SCHEMA.columns.len()).map(T::default_value).collect(),
            lazy: false,
        }
    }

    /// The struct of a table that is looked up.
    pub(crate) fn lazy<T: Entity>() -> Self {
        Self { lazy: true, ..Self::new::<T>() }
    }
}

/// All registered structs, in the order they were registered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry {
    pub(crate) tables: Vec<Registered>,
}

impl Registry {
    /// Adds a struct. Adding the same one again changes nothing, but that a table is loaded if anybody wants it so.
    pub(crate) fn add(&mut self, new: Registered) -> Result<()> {
        // Discord lowers the names of text channels, so two that differ only in case would share one.
        let same_name = |known: &&Registered| known.schema.name.eq_ignore_ascii_case(new.schema.name);
        match self.tables.iter_mut().find(|known| same_name(&&**known)) {
            Some(known) if known.type_id == new.type_id => {
                known.lazy &= new.lazy;
                Ok(())
            }
            Some(known) => Err(Error::new(
                ErrorKind::DuplicateTable,
                format!(
                    "{} and {} are both tables named {}: give one another name with #[table(name = \"…\")]",
                    known.type_name, new.type_name, new.schema.name
                ),
            )
            .in_table(new.schema.name)),
            None => {
                self.tables.push(new);
                Ok(())
            }
        }
    }
}

impl Registry {
    /// The names of the tables that are looked up.
    pub(crate) fn lazy(&self) -> BTreeSet<String> {
        let lazy = self.tables.iter().filter(|table| table.lazy);
        lazy.map(|table| table.schema.name.to_owned()).collect()
    }
}

/// How a struct fits the table in the guild: which field is which column.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    pub(crate) id: TableId,
    pub(crate) def: Arc<TableDef>,
    /// Column ids by the position of the field.
    columns: Vec<usize>,
    /// What rows have in the columns that they are older than, by the position of the field.
    older: Vec<Option<Value>>,
    /// Positions of the fields by column id.
    positions: Vec<Option<usize>>,
    /// Positions of the key's fields, in the struct's order.
    key: &'static [usize],
    bounded: bool,
    /// The fields that records are of: what was read by one shape is not to be written by another.
    shape: u64,
    /// Why the struct can be read and not be written.
    misfit: Option<Error>,
}

impl Handle {
    /// Compares the struct with the table in the guild.
    ///
    /// # Errors
    /// `SchemaChanged` with everything that differs.
    pub(crate) fn new(registered: &Registered, def: &Arc<TableDef>) -> Result<Self> {
        let differences = differences(registered, def);
        if !differences.is_empty() {
            return Err(changed(registered, def, &differences));
        }
        Ok(Self::unchecked(registered, def))
    }

    /// As [`Handle::new`], for a process that only reads: the table may have more than the struct. `None` if its rows can't be
    /// read as the struct.
    pub(crate) fn reading(registered: &Registered, def: &Arc<TableDef>) -> Option<Self> {
        let differences = differences(registered, def);
        let readable = !differences.iter().any(Difference::keeps_from_reading);
        let misfit = (!differences.is_empty()).then(|| unwritable(registered, def, &differences));
        readable.then(|| Self { misfit, ..Self::unchecked(registered, def) })
    }

    fn unchecked(registered: &Registered, def: &Arc<TableDef>) -> Self {
        let schema = registered.schema;
        let column = |name: &str| def.columns.iter().position(|column| column.name == name).unwrap_or(0);
        let position = |name: &str| schema.columns.iter().position(|column| column.name == name);
        let columns: Vec<usize> = schema.columns.iter().map(|one| column(one.name)).collect();
        let older = |column: &usize| def.columns.get(*column).and_then(|column| column.default.clone());
        Self {
            id: def.id,
            older: columns.iter().map(older).collect(),
            columns,
            positions: def.columns.iter().map(|one| position(&one.name)).collect(),
            bounded: schema.columns.iter().any(|one| one.max_len.is_some()),
            key: schema.key().map_or(&[], |index| index.columns),
            shape: shape(def),
            misfit: None,
            def: Arc::clone(def),
        }
    }

    /// The handle in place of an earlier one: what was read by that may be written by this, where a step only added to
    /// the table.
    pub(crate) fn in_place_of(self, earlier: &Self) -> Self {
        let goes_on = self.id == earlier.id && goes_on_from(&self.def, &earlier.def);
        Self { shape: if goes_on { earlier.shape } else { self.shape }, ..self }
    }

    /// The fields that records are of which are read by it.
    pub(crate) fn shape(&self) -> u64 {
        self.shape
    }

    /// Whether the struct may be written.
    ///
    /// # Errors
    /// `SchemaChanged` if it is enough for reading only.
    pub(crate) fn check_writable(&self) -> Result<()> {
        self.misfit.clone().map_or(Ok(()), Err)
    }

    /// Whether the table is in `tables` as it was when the struct was fitted to it.
    pub(crate) fn fits(&self, tables: &Tables) -> bool {
        let same = |slot: &Slot| Arc::ptr_eq(slot.def(), &self.def) || **slot.def() == *self.def;
        tables.get(self.id).is_some_and(same)
    }

    /// The column id of the field at `position`.
    pub(crate) fn column(&self, position: usize) -> usize {
        self.columns.get(position).copied().unwrap_or(usize::MAX)
    }

    /// Which field of the struct's key a column is: its place in a key that is given as an argument.
    pub(crate) fn key_place(&self, column: usize) -> Option<usize> {
        self.key.iter().position(|&position| self.column(position) == column)
    }

    /// Encodes a struct and checks the lengths of its values.
    ///
    /// # Errors
    /// `SchemaChanged` if the struct is enough for reading only. `TooLong`.
    pub(crate) fn encode<T: Entity>(&self, value: &T) -> Result<Row> {
        self.check_writable()?;
        let mut row = RowWriter::new(self.positions.len());
        for &position in &self.positions {
            // A dropped column.
            let Some(position) = position else {
                row.put(ValueRef::Null);
                continue;
            };
            value.encode(position, &mut row).map_err(|error| self.field_error(position, &error))?;
        }
        let row = row.finish();
        if self.bounded {
            self.check_lengths(&row)?;
        }
        Ok(row)
    }

    fn check_lengths(&self, row: &Row) -> Result<()> {
        for (column, value) in self.def.columns.iter().zip(row.values()) {
            let (length, unit) = match value {
                ValueRef::Text(text) => (text.chars().count(), "characters"),
                ValueRef::Bytes(bytes) => (bytes.len(), "bytes"),
                _ => continue,
            };
            let Some(max_len) = column.max_len else { continue };
            if length > max_len as usize {
                let text =
                    format!("the value has {length} {unit}, and the field allows {max_len}: shorten it");
                return Err(Error::new(ErrorKind::TooLong, text)
                    .in_table(&self.def.name)
                    .in_field(&column.name));
            }
        }
        Ok(())
    }

    /// Makes a struct from a row.
    #[inline]
    pub(crate) fn decode<T: Entity>(&self, row: RowRef<'_>) -> Result<T> {
        let mut value: T = self.decode_plain(row)?;
        value.loaded();
        Ok(value)
    }

    /// Makes a struct from a row, without what the struct does when it is loaded.
    #[inline]
    pub(crate) fn decode_plain<T: Entity>(&self, row: RowRef<'_>) -> Result<T> {
        let row = Stored::new(row, &self.columns, &self.older);
        T::decode(&row).map_err(|(position, error)| self.field_error(position, &error))
    }

    fn field_error(&self, position: usize, error: &FieldError) -> Error {
        let field = self.def.columns.get(self.column(position)).map_or("?", |column| column.name.as_str());
        Error::new(ErrorKind::Invalid, error.to_string()).in_table(&self.def.name).in_field(field)
    }
}

/// A number for the columns that a table has, and for what they allow.
fn shape(def: &TableDef) -> u64 {
    let mut hasher = DefaultHasher::new();
    def.id.hash(&mut hasher);
    for column in &def.columns {
        (&column.name, &column.ty, column.nullable, column.max_len, &column.variants).hash(&mut hasher);
    }
    hasher.finish()
}

/// Why a struct that may be read can't be written.
fn unwritable(registered: &Registered, def: &TableDef, differences: &[Difference]) -> Error {
    let texts: Vec<String> = differences.iter().map(Difference::to_string).collect();
    let text = format!(
        "the struct {} is not what table {} is by now: {}. Its records can be read and deleted, and not written, until \
         the struct fits the table, or a step makes the table fit the struct",
        registered.type_name,
        def.name,
        texts.join("; "),
    );
    Error::new(ErrorKind::SchemaChanged, text).in_table(&def.name)
}

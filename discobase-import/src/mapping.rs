//! Which field of the Python library's table becomes which column.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use discobase_core::private::from_values;
use discobase_core::{ChannelId, Column, ColumnSchema, Entity, Error, ErrorKind, Operand, Result, Value};
use serde_json::Value as Json;

use crate::convert;
use crate::record::PythonRecord;
use crate::report::Skipped;

type Convert = Arc<dyn Fn(&Json) -> Result<Value, String> + Send + Sync>;
type Fill = Arc<dyn Fn(&PythonRecord) -> Value + Send + Sync>;

/// How the records of one Python table become records of `T`.
///
/// Fields go to the columns of the same name. Every field must go somewhere or be left out by name, and every column must
/// have a field, a [`fill`](Mapping::fill), or be one that can do without: an `Option`, one with a default, one that the
/// database fills. If not, nothing is imported.
///
/// ```
/// # use discobase_core as discobase;
/// use discobase::Table;
/// use discobase_import::Mapping;
///
/// #[derive(Table)]
/// # #[table(crate = "discobase_core")]
/// struct Loan {
///     #[table(key)]
///     id: u64,
///     reader: String,
///     days: u32,
/// }
///
/// // class Loan(Table): usr: str; days: str; note: str
/// let loans = Mapping::<Loan>::new()
///     .rename("usr", |loan| loan.reader)
///     .convert(|loan| loan.days, |json| json.as_str().unwrap_or_default().parse::<u32>())
///     .ignore("note")
///     .fill(|loan| loan.id, |record| record.message().get());
/// ```
#[must_use]
pub struct Mapping<T> {
    pub(crate) python: String,
    pub(crate) channel: Option<ChannelId>,
    /// By position of the column.
    rules: Vec<Rule>,
    ignored: BTreeSet<String>,
    /// What was said twice or against each other.
    mistakes: Vec<String>,
    table: PhantomData<fn() -> T>,
}

/// Where a column's values come from.
#[derive(Clone)]
struct Rule {
    field: Option<String>,
    convert: Option<Convert>,
    fill: Option<Fill>,
}

impl<T: Entity> Mapping<T> {
    /// Every field goes to the column of the same name. The Python table is the one that is called as `T`'s is, but for
    /// case and underscores: a class `BookLoan` for a table `book_loan`.
    pub fn new() -> Self {
        let columns = T::SCHEMA.columns.len();
        Self {
            python: plain(T::SCHEMA.name),
            channel: None,
            rules: vec![Rule { field: None, convert: None, fill: None }; columns],
            ignored: BTreeSet::new(),
            mistakes: Vec::new(),
            table: PhantomData,
        }
    }

    /// The name of the Python table: of its class.
    pub fn named(mut self, python: &str) -> Self {
        self.python = plain(python);
        self
    }

    /// The channel that holds the records, for a table whose metadata is gone: the Python library's `clean` and `/reset`
    /// may leave such a channel behind.
    pub fn channel(mut self, channel: impl Into<ChannelId>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// The Python field `field` goes to this column.
    pub fn rename<V>(
        mut self,
        field: impl Into<String>,
        column: impl FnOnce(T::Columns) -> Column<T, V>,
    ) -> Self {
        let column = column(T::columns());
        let field = field.into();
        let taken = self.rule(column.position()).and_then(|rule| rule.field.replace(field));
        if let Some(taken) = taken {
            self.mistakes
                .push(format!("the column {} is given the field {taken}, and another", column.name()));
        }
        self
    }

    /// What goes to this column is made of the field's JSON by `convert`. A record for which it fails is skipped, with
    /// the error as the reason. Without it JSON is taken as the column's type writes it: numbers, texts, RFC 3339 for
    /// times, the names of an enum's variants.
    pub fn convert<V, O: Operand<V>, E: fmt::Display>(
        mut self,
        column: impl FnOnce(T::Columns) -> Column<T, V>,
        convert: impl Fn(&Json) -> Result<O, E> + Send + Sync + 'static,
    ) -> Self {
        let made = move |json: &Json| match convert(json) {
            Ok(value) => Ok(value.into_value()),
            Err(error) => Err(error.to_string()),
        };
        if let Some(rule) = self.rule(column(T::columns()).position()) {
            rule.convert = Some(Arc::new(made));
        }
        self
    }

    /// Fills a column that has no field in Python, from the whole record: its message, the time it was saved, several
    /// fields together.
    pub fn fill<V, O: Operand<V>>(
        mut self,
        column: impl FnOnce(T::Columns) -> Column<T, V>,
        fill: impl Fn(&PythonRecord) -> O + Send + Sync + 'static,
    ) -> Self {
        if let Some(rule) = self.rule(column(T::columns()).position()) {
            rule.fill = Some(Arc::new(move |record| fill(record).into_value()));
        }
        self
    }

    /// Leaves a Python field out.
    pub fn ignore(mut self, field: impl Into<String>) -> Self {
        self.ignored.insert(field.into());
        self
    }

    fn rule(&mut self, position: usize) -> Option<&mut Rule> {
        self.rules.get_mut(position)
    }

    /// Decides where each column's values come from, of a Python table with these fields.
    pub(crate) fn plan(&self, fields: &BTreeSet<String>) -> Result<Plan<T>> {
        let mut mistakes = self.mistakes.clone();
        let mut taken = BTreeSet::new();
        let mut sources = Vec::new();
        for (position, (column, rule)) in T::SCHEMA.columns.iter().zip(&self.rules).enumerate() {
            let field = rule.field.clone().unwrap_or_else(|| column.name.to_owned());
            let is_there =
                fields.contains(&field) && (rule.field.is_some() || !self.ignored.contains(&field));
            if let Some(fill) = &rule.fill {
                if rule.field.is_some() || rule.convert.is_some() {
                    mistakes.push(format!("the column {} is filled and has a field, too", column.name));
                }
                sources.push(Source::Fill(Arc::clone(fill)));
                continue;
            }
            let otherwise = missing::<T>(position, column);
            if is_there {
                taken.insert(field.clone());
                sources.push(Source::Field { field, convert: rule.convert.clone(), otherwise });
            } else if rule.field.is_some() || rule.convert.is_some() {
                mistakes
                    .push(format!("the Python table has no field {field} for the column {}", column.name));
            } else if let Some(value) = otherwise {
                sources.push(Source::Always(value));
            } else {
                mistakes.push(format!(
                    "the column {} has no field in the Python table: rename one to it, or fill it",
                    column.name
                ));
            }
        }
        let lost: Vec<_> = fields.difference(&taken).filter(|field| !self.ignored.contains(*field)).collect();
        for field in lost {
            mistakes.push(format!("the field {field} goes to no column: rename it, or ignore it"));
        }
        if mistakes.is_empty() {
            return Ok(Plan { sources, table: PhantomData });
        }
        let text = format!("the Python table {} does not fit: {}", self.python, mistakes.join("; "));
        Err(Error::new(ErrorKind::Invalid, text).in_table(T::SCHEMA.name))
    }
}

impl<T: Entity> Default for Mapping<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Mapping<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping")
            .field("python", &self.python)
            .field("ignored", &self.ignored)
            .finish_non_exhaustive()
    }
}

/// A name without what Python's classes and our tables write differently.
pub(crate) fn plain(name: &str) -> String {
    name.to_lowercase().replace('_', "")
}

/// What a column has that nothing is known for; `None` if it can't do without.
fn missing<T: Entity>(position: usize, column: &ColumnSchema) -> Option<Value> {
    let model = T::MODEL;
    let filled = [model.auto, model.created_at, model.updated_at].contains(&Some(position));
    match T::default_value(position) {
        Some(value) => Some(value),
        None if column.nullable => Some(Value::Null),
        // What the database takes for a field that it has to fill.
        None if filled => Some(Value::Int(0)),
        None => None,
    }
}

/// A mapping that fits its table.
pub(crate) struct Plan<T> {
    sources: Vec<Source>,
    table: PhantomData<fn() -> T>,
}

enum Source {
    /// A field; `otherwise` where a record lacks it.
    Field {
        field: String,
        convert: Option<Convert>,
        otherwise: Option<Value>,
    },
    Fill(Fill),
    Always(Value),
}

impl<T: Entity> Plan<T> {
    /// The struct, or why there is none.
    pub(crate) fn make(&self, record: &PythonRecord) -> Result<T, Skipped> {
        let skipped = |position: usize, reason: String| Skipped {
            message: record.message,
            field: T::SCHEMA.columns.get(position).map(|column| column.name.to_owned()),
            reason,
        };
        let mut values = Vec::with_capacity(self.sources.len());
        for (position, (column, source)) in T::SCHEMA.columns.iter().zip(&self.sources).enumerate() {
            let value = source.value(column, record).map_err(|reason| skipped(position, reason))?;
            values.push(value);
        }
        from_values(values.iter().map(Value::as_ref))
            .map_err(|(position, error)| skipped(position, error.to_string()))
    }
}

impl Source {
    fn value(&self, column: &ColumnSchema, record: &PythonRecord) -> Result<Value, String> {
        match self {
            Self::Always(value) => Ok(value.clone()),
            Self::Fill(fill) => Ok(fill(record)),
            Self::Field { field, convert, otherwise } => match (record.field(field), convert, otherwise) {
                (Some(json), Some(convert), _) => convert(json),
                (Some(json), None, _) => convert::value(column.ty, json),
                (None, _, Some(value)) => Ok(value.clone()),
                (None, _, None) => Err(format!("the record has no field {field}")),
            },
        }
    }
}

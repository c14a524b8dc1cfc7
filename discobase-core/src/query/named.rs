//! Columns by their names, for queries of which the program does not know beforehand what they are about.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::field::{ColumnType, FieldError};
use crate::query::aggregate::Ask;
use crate::query::column::{Filter, Order};
use crate::query::expr::{Compare, Expr};
use crate::query::measure::{Aggregate, Answer, Columns};
use crate::schema::{ColumnSchema, Entity};
use crate::value::{Value, ValueRef};

/// A column of the table `T` that was looked up by its name: see [`Table::column`](crate::Table::column).
///
/// It says the same as a typed [`Column`](crate::Column), and what the compiler checks of that one is checked when it is
/// said: each condition is a `Result`, whose error names table and column and what there is.
pub struct Named<T> {
    position: usize,
    column: &'static ColumnSchema,
    table: PhantomData<fn() -> T>,
}

/// How a [`Named`] column is compared. Its text is `=`, `!=`, `<`, `<=`, `>` or `>=`; `==` and `<>` can be parsed, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

impl<T: Entity> Named<T> {
    /// The column of that name.
    ///
    /// # Errors
    /// `Invalid` when there is none: the error says which there are.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let mut columns = T::SCHEMA.columns.iter().enumerate();
        if let Some((position, column)) = columns.find(|(_, column)| column.name == name) {
            return Ok(Self { position, column, table: PhantomData });
        }
        let names = T::SCHEMA.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
        let text = if T::SKIPPED.contains(&name) {
            format!(
                "{name} is a field that is not stored (`skip`), so no query can be about it; the columns are {names}"
            )
        } else {
            format!("there is no column {name:?}; the columns are {names}")
        };
        Err(Error::new(ErrorKind::Invalid, text).in_table(T::SCHEMA.name).in_field(name))
    }

    /// The column's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.column.name
    }

    /// The column's type.
    #[must_use]
    pub fn column_type(&self) -> ColumnType {
        self.column.ty
    }

    /// Whether the column may hold null.
    #[must_use]
    pub fn is_nullable(&self) -> bool {
        self.column.nullable
    }

    /// Compares the column with a value.
    ///
    /// ```no_run
    /// # use discobase_core as discobase;
    /// use discobase::{Comparison, Database, Record, Result, Table};
    ///
    /// #[derive(Table)]
    /// # #[table(crate = "discobase_core")]
    /// struct User {
    ///     #[table(key)]
    ///     id: u64,
    ///     points: i64,
    /// }
    ///
    /// /// For example `("points", ">=", 10)`, as somebody typed it.
    /// async fn search(db: &Database, column: &str, how: &str, number: i64) -> Result<Vec<Record<User>>> {
    ///     let filter = User::column(column)?.compare(how.parse()?, number)?;
    ///     User::find(db).filter(|_| filter).all().await
    /// }
    /// ```
    ///
    /// # Errors
    /// `Invalid` when the value is none of the column's type, or the column is one of JSON, which can't be compared.
    pub fn compare(&self, how: Comparison, value: impl Into<Value>) -> Result<Filter<T>> {
        let op = match how {
            Comparison::Eq => Compare::Eq,
            Comparison::Ne => Compare::Ne,
            Comparison::Lt => Compare::Lt,
            Comparison::Le => Compare::Le,
            Comparison::Gt => Compare::Gt,
            Comparison::Ge => Compare::Ge,
        };
        Ok(Filter::new(Expr::Compare(self.position, op, self.operand(value.into())?)))
    }

    /// Equal.
    ///
    /// # Errors
    /// As [`Named::compare`].
    pub fn eq(&self, value: impl Into<Value>) -> Result<Filter<T>> {
        self.compare(Comparison::Eq, value)
    }

    /// One of the values.
    ///
    /// # Errors
    /// As [`Named::compare`].
    pub fn is_in<V: Into<Value>>(&self, values: impl IntoIterator<Item = V>) -> Result<Filter<T>> {
        let values = values.into_iter().map(|value| self.operand(value.into()));
        let mut values = values.collect::<Result<Vec<_>>>()?;
        values.sort();
        values.dedup();
        Ok(Filter::new(Expr::In(self.position, values)))
    }

    /// Contains the text somewhere; case matters.
    ///
    /// # Errors
    /// `Invalid` when the column is none of text.
    pub fn contains(&self, text: impl Into<String>) -> Result<Filter<T>> {
        self.text()?;
        Ok(Filter::new(Expr::Contains(self.position, text.into())))
    }

    /// Starts with the text; case matters.
    ///
    /// # Errors
    /// `Invalid` when the column is none of text.
    pub fn starts_with(&self, text: impl Into<String>) -> Result<Filter<T>> {
        self.text()?;
        Ok(Filter::new(Expr::StartsWith(self.position, text.into())))
    }

    /// The lowest values first.
    ///
    /// # Errors
    /// `Invalid` when the column is one of JSON.
    pub fn asc(&self) -> Result<Order<T>> {
        self.ordered().map(|()| Order::new(self.position, false))
    }

    /// The highest values first.
    ///
    /// # Errors
    /// `Invalid` when the column is one of JSON.
    pub fn desc(&self) -> Result<Order<T>> {
        self.ordered().map(|()| Order::new(self.position, true))
    }

    /// The sum of the column.
    ///
    /// # Errors
    /// `Invalid` when the column is none of numbers.
    pub fn sum(&self) -> Result<Aggregate<T, Value>> {
        self.number().map(|()| Aggregate::new(Ask::Sum(self.position)))
    }

    /// The average of the column.
    ///
    /// # Errors
    /// `Invalid` when the column is none of numbers.
    pub fn avg(&self) -> Result<Aggregate<T, Value>> {
        self.number().map(|()| Aggregate::new(Ask::Average(self.position)))
    }

    /// The least value of the column.
    ///
    /// # Errors
    /// `Invalid` when the column is one of JSON.
    pub fn min(&self) -> Result<Aggregate<T, Value>> {
        self.ordered().map(|()| Aggregate::new(Ask::Least(self.position)))
    }

    /// The greatest value of the column.
    ///
    /// # Errors
    /// `Invalid` when the column is one of JSON.
    pub fn max(&self) -> Result<Aggregate<T, Value>> {
        self.ordered().map(|()| Aggregate::new(Ask::Greatest(self.position)))
    }

    fn error(&self, text: impl Into<String>) -> Error {
        Error::new(ErrorKind::Invalid, text).in_table(T::SCHEMA.name).in_field(self.column.name)
    }

    fn ordered(&self) -> Result<()> {
        match self.column.ty {
            ColumnType::Json => Err(self.error("a column of JSON can't be compared or sorted by")),
            _ => Ok(()),
        }
    }

    fn text(&self) -> Result<()> {
        match self.column.ty {
            ColumnType::Text => Ok(()),
            ty => Err(self.error(format!("a column of {} is no text that could contain another", ty.name()))),
        }
    }

    fn number(&self) -> Result<()> {
        match self.column.ty {
            ColumnType::Signed { .. } | ColumnType::Unsigned { .. } | ColumnType::Float { .. } => Ok(()),
            ty => Err(self.error(format!("a column of {} can't be added up", ty.name()))),
        }
    }

    /// The value as the column holds it.
    fn operand(&self, value: Value) -> Result<Value> {
        self.ordered()?;
        if value.is_null() && self.column.nullable {
            return Ok(value);
        }
        fit(self.column.ty, value).map_err(|(value, wanted)| {
            let also = if self.column.nullable { " or null" } else { "" };
            self.error(format!("the column is compared with {wanted}{also}, and not with {value}"))
        })
    }
}

/// The value as a column of the type holds it; else the value, and what it should be.
fn fit(ty: ColumnType, value: Value) -> Result<Value, (Value, String)> {
    let within =
        |least: i128, most: i128| matches!(value, Value::Int(number) if (least..=most).contains(&number));
    let fits = match (ty, &value) {
        (ColumnType::Bool, Value::Bool(_))
        | (ColumnType::Float { .. }, Value::Float(_))
        | (ColumnType::Text, Value::Text(_))
        | (ColumnType::Bytes, Value::Bytes(_)) => true,
        (ColumnType::Signed { bits }, _) => within(-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
        (ColumnType::Unsigned { bits }, _) => within(0, (1 << bits) - 1),
        (ColumnType::Timestamp, _) => within(i64::MIN.into(), i64::MAX.into()),
        (ColumnType::Id, _) => within(1, u64::MAX.into()),
        // Every integer to here is a float, too.
        (ColumnType::Float { .. }, Value::Int(number))
            if number.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS =>
        {
            return Ok(Value::Float(*number as f64));
        }
        (ColumnType::Uuid, Value::Bytes(bytes)) => bytes.len() == 16,
        (ColumnType::Uuid, Value::Text(text)) => match text.parse::<Uuid>() {
            Ok(uuid) => return Ok(Value::Bytes(uuid.as_bytes().to_vec())),
            Err(_) => false,
        },
        (ColumnType::Enum { variants }, Value::Text(name)) => variants.contains(&name.as_str()),
        _ => false,
    };
    if fits {
        return Ok(value);
    }
    let wanted = match ty {
        ColumnType::Enum { variants } => format!("one of {}", variants.join(", ")),
        ColumnType::Timestamp => "a timestamp (microseconds since 1970)".to_owned(),
        ColumnType::Id => "an id (a number that is not zero)".to_owned(),
        ty => format!("values of {}", ty.name()),
    };
    Err((value, wanted))
}

impl FromStr for Comparison {
    type Err = Error;

    /// # Errors
    /// `Invalid` when it is no comparison: the error says which there are.
    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "=" | "==" => Self::Eq,
            "!=" | "<>" => Self::Ne,
            "<" => Self::Lt,
            "<=" => Self::Le,
            ">" => Self::Gt,
            ">=" => Self::Ge,
            _ => {
                let text = format!("{text:?} is no comparison; there are =, !=, <, <=, > and >=");
                return Err(Error::new(ErrorKind::Invalid, text));
            }
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eq => "=",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        })
    }
}

/// Several columns that were looked up: a row is a list of as many values. JSON is text here.
impl<T: Entity> Columns<T> for Vec<Named<T>> {
    type Values = Vec<Value>;

    fn positions(&self) -> Vec<usize> {
        self.iter().map(|column| column.position).collect()
    }

    fn values(values: &[ValueRef<'_>]) -> Result<Self::Values, (usize, FieldError)> {
        Ok(values.iter().map(|value| value.to_value()).collect())
    }
}

impl Answer for Value {
    type Operand = Self;

    fn operand(operand: Self) -> Value {
        operand
    }

    fn answer(value: &Value) -> Result<Self, FieldError> {
        match value {
            // The only integers that are more than a value can be are sums.
            Self::Int(number) if !(i64::MIN.into()..=u64::MAX.into()).contains(number) => {
                Err(FieldError(format!("expected an integer of 64 bits, found {value}")))
            }
            value => Ok(value.clone()),
        }
    }
}

impl<T> Clone for Named<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Named<T> {}

impl<T> fmt::Debug for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Named").field(&self.column.name).finish()
    }
}

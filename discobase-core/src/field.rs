//! The Rust types a field can have, and what they are as column values.

use serde::Serialize;
use twilight_model::id::Id;
use twilight_model::util::Timestamp;
use uuid::Uuid;

use crate::row::RowWriter;
use crate::value::{Value, ValueRef};
use crate::wire::Reader;

/// The type of a column's values, independent of whether they may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnType {
    /// `bool`.
    Bool,
    /// `i8`, `i16`, `i32`, `i64`.
    Signed {
        /// Width in bits.
        bits: u8,
    },
    /// `u8`, `u16`, `u32`, `u64`.
    Unsigned {
        /// Width in bits.
        bits: u8,
    },
    /// `f32` or `f64`.
    Float {
        /// Width in bits.
        bits: u8,
    },
    /// `String`.
    Text,
    /// `Vec<u8>`.
    Bytes,
    /// A point in time, in microseconds since the Unix epoch.
    Timestamp,
    /// A UUID, as 16 bytes.
    Uuid,
    /// A Discord id: a `u64` that is not zero.
    Id,
    /// A unit enum, kept as the variant's name; the order is that of the variants.
    Enum {
        /// The names of the variants, in the order of their declaration.
        variants: &'static [&'static str],
    },
    /// Any serde type, kept as JSON text.
    Json,
}

impl ColumnType {
    /// The name that metadata messages, schema operations and errors use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Signed { bits: 8 } => "i8",
            Self::Signed { bits: 16 } => "i16",
            Self::Signed { bits: 32 } => "i32",
            Self::Signed { .. } => "i64",
            Self::Unsigned { bits: 8 } => "u8",
            Self::Unsigned { bits: 16 } => "u16",
            Self::Unsigned { bits: 32 } => "u32",
            Self::Unsigned { .. } => "u64",
            Self::Float { bits: 32 } => "f32",
            Self::Float { .. } => "f64",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Timestamp => "timestamp",
            Self::Uuid => "uuid",
            Self::Id => "id",
            Self::Enum { .. } => "enum",
            Self::Json => "json",
        }
    }
}

/// What is wrong with a value of a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FieldError(pub String);

/// A type that a field of a table can have.
///
/// Implemented for `bool`, the integers to 64 bits, `f32`, `f64`, `String`, `Vec<u8>`, `Uuid`, twilight's
/// `Timestamp` and `Id<_>`, unit enums with `#[derive(ColumnEnum)]`, and `Option` of all of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a column of a table",
    label = "not a column type",
    note = "a field can be a bool, an integer to 64 bits, f32, f64, String, Vec<u8>, Uuid, twilight's Timestamp or \
            Id<_>, a unit enum with #[derive(ColumnEnum)], or an Option of these",
    note = "any serde type can be kept as JSON: add #[table(json)] to the field"
)]
pub trait ColumnValue: Sized {
    /// The column's type.
    const TYPE: ColumnType;

    /// Whether the column may hold null.
    const NULLABLE: bool = false;

    /// The value.
    fn as_value(&self) -> ValueRef<'_>;

    /// From the value.
    ///
    /// # Errors
    /// When the value is not one of this type's.
    fn decode(value: ValueRef<'_>) -> Result<Self, FieldError>;

    /// Reads the value from a row: what [`ColumnValue::decode`] makes of it, by a shorter way if the type has one.
    /// `None`, with anything read, where `decode` has to be asked.
    #[doc(hidden)]
    #[inline]
    fn read(row: &mut Reader<'_>) -> Option<Self> {
        Self::decode(row.value().ok()?).ok()
    }
}

impl<V: ColumnValue> From<V> for Value {
    fn from(value: V) -> Self {
        value.as_value().to_value()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A column type that orders: every one but JSON. Only such columns can be indexed, compared and sorted by.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no order",
    label = "can't be compared, sorted by, indexed or be a key",
    note = "what is kept as JSON has no order: keep what you look for in a column of its own, or compare in Rust what the \
            query has found"
)]
pub trait Indexable: ColumnValue {}

/// A column type that is never null.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a key",
    label = "a key needs a value that is always there",
    note = "a key can't be an Option; use #[table(unique)] for a field that is unique where it is set"
)]
pub trait KeyValue: Indexable {}

/// A column type whose values have a length that `max_len` can bound.
#[diagnostic::on_unimplemented(
    message = "`max_len` does not fit `{Self}`",
    label = "has no length",
    note = "only String, Vec<u8> and Options of them have a length"
)]
pub trait Bounded: ColumnValue {}

/// A column type that holds text.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not text",
    note = "`contains` and `starts_with` need a column of String or Option<String>"
)]
pub trait TextValue: ColumnValue {}

pub(crate) fn wrong<V>(expected: &str, value: ValueRef<'_>) -> Result<V, FieldError> {
    Err(FieldError(format!("expected {expected}, found {value}")))
}

macro_rules! always_there {
    ($($type:ty),*) => {$(
        impl Indexable for $type {}
        impl KeyValue for $type {}
        impl NotOption for $type {}
    )*};
}

macro_rules! integers {
    ($($type:ty => $column:expr),* $(,)?) => {$(
        impl ColumnValue for $type {
            const TYPE: ColumnType = $column;

            fn as_value(&self) -> ValueRef<'_> {
                ValueRef::Int(i128::from(*self))
            }

            fn decode(value: ValueRef<'_>) -> Result<Self, FieldError> {
                match value {
                    ValueRef::Int(number) => match Self::try_from(number) {
                        Ok(number) => Ok(number),
                        Err(_) => wrong(stringify!($type), value),
                    },
                    _ => wrong(stringify!($type), value),
                }
            }

            #[inline]
            fn read(row: &mut Reader<'_>) -> Option<Self> {
                match row.integer()? {
                    (false, number) => Self::try_from(number).ok(),
                    (true, number) => Self::try_from(-1 - i64::try_from(number).ok()?).ok(),
                }
            }
        }
        always_there!($type);
    )*};
}

integers! {
    i8 => ColumnType::Signed { bits: 8 },
    i16 => ColumnType::Signed { bits: 16 },
    i32 => ColumnType::Signed { bits: 32 },
    i64 => ColumnType::Signed { bits: 64 },
    u8 => ColumnType::Unsigned { bits: 8 },
    u16 => ColumnType::Unsigned { bits: 16 },
    u32 => ColumnType::Unsigned { bits: 32 },
    u64 => ColumnType::Unsigned { bits: 64 },
}

always_there!(bool, f32, f64, String, Vec<u8>, Timestamp, Uuid);

impl ColumnValue for bool {
    const TYPE: ColumnType = ColumnType::Bool;

    fn as_value(&self) -> ValueRef<'_> {
        ValueRef::Bool(*self)
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, FieldError> {
        if let ValueRef::Bool(value) = value { Ok(value) } else { wrong("bool", value) }
    }
}

impl ColumnValue for f64 {
    const TYPE: ColumnType = ColumnType::Float { bits: 64 };

    fn as_value(&self) -> ValueRef<'_> {
        ValueRef::Float(*self)
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, FieldError> {
        if let ValueRef::Float(value) = value { Ok(value) } else { wrong("f64", value) }
    }
}

/// Kept as the `f64` of the same number; the bits of a NaN are moved by hand, because a cast may change them.
impl ColumnValue for f32 {
    const TYPE: ColumnType = ColumnType::Float { bits: 32 };

    fn as_value(&self) -> ValueRef<'_> {
        if !self.is_nan() {
            return ValueRef::Float(f64::from(*self));
        }
        let bits = u64::from(self.to_bits());
        let (sign, payload) = (bits >> 31, bits & 0x007f_ffff);
        ValueRef::Float(f64::from_bits(sign << 63 | 0x7ff << 52 | payload << 29))
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, FieldError> {
        let ValueRef::Float(number) = value else { return wrong("f32", value) };
        let bits = number.to_bits();
        let narrow = if number.is_nan() {
            let (sign, payload) = (bits >> 63, bits >> 29 & 0x007f_ffff);
            Self::from_bits((sign << 31 | 0xff << 23 | payload) as u32)
        } else {
            number as Self
        };
        let ValueRef::Float(back) = narrow.as_value() else { return wrong("f32", value) };
        if back.to_bits() == bits { Ok(narrow) } else { wrong("f32", value) }
    }
}

impl ColumnValue for String {
    const TYPE: ColumnType = ColumnType::Text;

    fn as_value(&self) -> ValueRef<'_> {
        ValueRef::Text(self)
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, FieldError> {
        if let ValueRef::Text(value) = value { Ok(value.to_owned()) } else { wrong("text", value) }
    }

    #[inline]
    fn read(row: &mut Reader<'_>) -> Option<Self> {
        if let ValueRef::Text(value) = row.value().ok()? { Some(value.to_owned()) } else { None }
    }
}

impl ColumnValue for Vec<u8> {
    const TYPE: ColumnType = ColumnType::Bytes;

    fn as_value(&self) -> ValueRef<'_> {
        ValueRef::Bytes(self)
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, FieldError> {
        if let ValueRef::Bytes(value) = value { Ok(value.to_owned()) } else { wrong("bytes", value) }
    }
}

impl ColumnValue for Timestamp {
    const TYPE: ColumnType = ColumnType::Timestamp;

    fn as_value(&self) -> ValueRef<'_> {
        ValueRef::Int(i128::from(self.as_micros()))
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, FieldError> {
        let ValueRef::Int(micros) = value else { return wrong("timestamp", value) };
        let Ok(micros) = i64::try_from(micros) else { return wrong("timestamp", value) };
        Self::from_micros(micros).or_else(|_| wrong("timestamp", value))
    }
}

impl ColumnValue for Uuid {
    const TYPE: ColumnType = ColumnType::Uuid;

    fn as_value(&self) -> ValueRef<'_> {
        ValueRef::Bytes(self.as_bytes())
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, FieldError> {
        let ValueRef::Bytes(bytes) = value else { return wrong("uuid", value) };
        Self::from_slice(bytes).or_else(|_| wrong("uuid of 16 bytes", value))
    }
}

impl<M> ColumnValue for Id<M> {
    const TYPE: ColumnType = ColumnType::Id;

    fn as_value(&self) -> ValueRef<'_> {
        ValueRef::Int(i128::from(self.get()))
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, FieldError> {
        let ValueRef::Int(number) = value else { return wrong("id", value) };
        match u64::try_from(number).ok().and_then(Self::new_checked) {
            Some(id) => Ok(id),
            None => wrong("id that is not zero", value),
        }
    }
}

impl<M> Indexable for Id<M> {}
impl<M> KeyValue for Id<M> {}
impl<M> NotOption for Id<M> {}

impl<V: NotOption> ColumnValue for Option<V> {
    const TYPE: ColumnType = V::TYPE;
    const NULLABLE: bool = true;

    fn as_value(&self) -> ValueRef<'_> {
        self.as_ref().map_or(ValueRef::Null, V::as_value)
    }

    fn decode(value: ValueRef<'_>) -> Result<Self, FieldError> {
        if value.is_null() { Ok(None) } else { V::decode(value).map(Some) }
    }

    #[inline]
    fn read(row: &mut Reader<'_>) -> Option<Self> {
        if row.null().is_some() { Some(None) } else { V::read(row).map(Some) }
    }
}

impl<V: Indexable + NotOption> Indexable for Option<V> {}
impl Bounded for String {}
impl Bounded for Vec<u8> {}
impl<V: Bounded + NotOption> Bounded for Option<V> {}
impl TextValue for String {}
impl TextValue for Option<String> {}

/// A column type that is never null: keeps `Option<Option<V>>`, whose two kinds of nothing would become one, out.
///
/// A trait of its own beside [`KeyValue`], so that the compiler says of an `Option` what is wrong with it.
#[diagnostic::on_unimplemented(
    message = "`Option<{Self}>` can't be a column of a table",
    label = "not a column type",
    note = "an Option in a column holds a column type that is no Option itself",
    note = "any serde type can be kept as JSON: add #[table(json)] to the field"
)]
pub trait NotOption: ColumnValue {}

/// A unit enum that is kept as the name of its variant. `#[derive(ColumnEnum)]` implements it.
pub trait ColumnEnum: Copy + 'static {
    /// The names of the variants, in the order of their declaration.
    const VARIANTS: &'static [&'static str];

    /// The name of this variant.
    fn name(self) -> &'static str;

    /// The variant of that name.
    fn from_name(name: &str) -> Option<Self>;
}

/// What `#[derive(ColumnEnum)]` calls to decode.
///
/// # Errors
/// When no variant has the name.
pub fn decode_enum<E: ColumnEnum>(value: ValueRef<'_>) -> Result<E, FieldError> {
    match value {
        ValueRef::Text(name) => match E::from_name(name) {
            Some(variant) => Ok(variant),
            None => wrong(&format!("one of {}", E::VARIANTS.join(", ")), value),
        },
        _ => wrong("the name of a variant", value),
    }
}

/// Puts a value.
///
/// # Errors
/// When it is a time that no 64 bits of microseconds reach.
#[inline]
pub fn encode(ty: ColumnType, value: ValueRef<'_>, row: &mut RowWriter) -> Result<(), FieldError> {
    if matches!(ty, ColumnType::Timestamp)
        && let ValueRef::Int(micros) = value
        && i64::try_from(micros).is_err()
    {
        return Err(FieldError("the time is too far from 1970 for a column of times".into()));
    }
    row.put(value);
    Ok(())
}

/// Puts a value as JSON text.
///
/// # Errors
/// When serde can't serialise it.
pub fn encode_json<V: Serialize>(value: &V, row: &mut RowWriter) -> Result<(), FieldError> {
    let text = serde_json::to_string(value)
        .map_err(|error| FieldError(format!("the value can't be written as JSON: {error}")))?;
    row.put(ValueRef::Text(&text));
    Ok(())
}

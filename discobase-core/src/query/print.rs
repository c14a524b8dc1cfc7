//! A query as bytes that are the same for the same query: what a cursor goes by.

use crate::query::expr::{Compare, Expr};
use crate::value::ValueRef;
use crate::wire::{put_bytes, put_value, put_varint};

impl Expr {
    /// Appends the condition, with columns by their names.
    pub(crate) fn put(&self, out: &mut Vec<u8>, name: &impl Fn(usize) -> &'static str) {
        let mut start = |tag: u8, column: usize| {
            out.push(tag);
            put_bytes(out, name(column).as_bytes());
        };
        match self {
            Self::Compare(column, op, value) => {
                start(0, *column);
                out.push(match op {
                    Compare::Eq => 0,
                    Compare::Ne => 1,
                    Compare::Lt => 2,
                    Compare::Le => 3,
                    Compare::Gt => 4,
                    Compare::Ge => 5,
                });
                put_value(out, value.as_ref());
            }
            Self::In(column, values) => {
                start(1, *column);
                put_varint(out, values.len() as u64);
                values.iter().for_each(|value| put_value(out, value.as_ref()));
            }
            Self::Contains(column, text) => {
                start(2, *column);
                put_value(out, ValueRef::Text(text));
            }
            Self::StartsWith(column, text) => {
                start(3, *column);
                put_value(out, ValueRef::Text(text));
            }
            Self::Within(column, within) => {
                start(4, *column);
                put_bytes(out, format!("{within:?}").as_bytes());
            }
            Self::And(parts) | Self::Or(parts) => {
                out.push(if matches!(self, Self::And(_)) { 5 } else { 6 });
                put_varint(out, parts.len() as u64);
                parts.iter().for_each(|part| part.put(out, name));
            }
            Self::Not(part) => {
                out.push(7);
                part.put(out, name);
            }
        }
    }
}

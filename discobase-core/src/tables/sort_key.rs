//! Keys of ordered indexes: bytes whose order is the order of the values they were made of.

use smallvec::SmallVec;

use crate::value::ValueRef;

/// Values encoded so that comparing the bytes compares the values, one column after the other.
///
/// Most keys (a number, a short text) fit without an allocation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct SortKey(SmallVec<[u8; 16]>);

const NULL: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;
const NEGATIVE: u8 = 4;
const NATURAL: u8 = 5;
const FLOAT: u8 = 6;
const TEXT: u8 = 7;
const BYTES: u8 = 8;

impl SortKey {
    /// The key of one value.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of(value: ValueRef<'_>) -> Self {
        let mut key = Self::default();
        key.push(value);
        key
    }

    /// The bytes, whose order is the order of the keys.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Appends a value as the next column.
    pub(crate) fn push(&mut self, value: ValueRef<'_>) {
        let out = &mut self.0;
        match value {
            ValueRef::Null => out.push(NULL),
            ValueRef::Bool(false) => out.push(FALSE),
            ValueRef::Bool(true) => out.push(TRUE),
            ValueRef::Int(number) if number >= 0 => {
                out.push(NATURAL);
                out.extend_from_slice(&(number as u64).to_be_bytes());
            }
            ValueRef::Int(number) => {
                out.push(NEGATIVE);
                // The two's complement of negative numbers is in their order.
                out.extend_from_slice(&(number as i64 as u64).to_be_bytes());
            }
            ValueRef::Float(number) => {
                out.push(FLOAT);
                // The order of f64::total_cmp: flip all bits of negative numbers, the sign of the others.
                let bits = number.to_bits();
                let flip = if bits >> 63 == 1 { u64::MAX } else { 1 << 63 };
                out.extend_from_slice(&(bits ^ flip).to_be_bytes());
            }
            ValueRef::Text(text) => {
                out.push(TEXT);
                self.push_bytes(text.as_bytes());
            }
            ValueRef::Bytes(bytes) => {
                out.push(BYTES);
                self.push_bytes(bytes);
            }
        }
    }

    /// A zero byte becomes 0 255 and the end is 0 0, so that a prefix comes before what it is a prefix of.
    fn push_bytes(&mut self, bytes: &[u8]) {
        self.push_open(bytes);
        self.0.extend_from_slice(&[0, 0]);
    }

    fn push_open(&mut self, bytes: &[u8]) {
        for (position, part) in bytes.split(|byte| *byte == 0).enumerate() {
            if position > 0 {
                self.0.extend_from_slice(&[0, 255]);
            }
            self.0.extend_from_slice(part);
        }
    }

    /// Appends the beginning of a text as the next column: it makes the least key of the texts that start so.
    pub(crate) fn push_text_start(&mut self, start: &str) {
        self.0.push(TEXT);
        self.push_open(start.as_bytes());
    }

    /// Appends a value as the next column, one that orders the other way round.
    pub(crate) fn push_reversed(&mut self, value: ValueRef<'_>) {
        let start = self.0.len();
        self.push(value);
        // No encoding of a value is the beginning of another's, so one of the flipped bytes tells the two apart, too.
        self.0.iter_mut().skip(start).for_each(|byte| *byte = !*byte);
    }

    /// The least key above every key that starts with these bytes.
    pub(crate) fn after_prefix(mut self) -> Self {
        // No encoding contains 255 after a value's end, and texts are UTF-8, which never does.
        self.0.push(255);
        self
    }

    /// Whether the key starts with all the bytes of `prefix`.
    #[cfg(test)]
    fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    #[test]
    fn keys_order_as_values_do() {
        let mut values = vec![Value::Null, Value::Bool(false), Value::Bool(true)];
        for number in [i128::from(i64::MIN), -256, -2, -1, 0, 1, 255, 256, i128::from(u64::MAX)] {
            values.push(Value::Int(number));
        }
        for number in [-f64::NAN, f64::NEG_INFINITY, -1.5, -0.0, 0.0, 1e-300, 2.0, f64::INFINITY, f64::NAN] {
            values.push(Value::Float(number));
        }
        for text in ["", "\0", "\0a", "a", "a\0", "a\0b", "a\u{1}", "ab", "b", "ä", "\u{10ffff}"] {
            values.push(Value::Text(text.into()));
        }
        for bytes in [&[][..], &[0], &[0, 0], &[0, 255], &[1], &[255], &[255, 0]] {
            values.push(Value::Bytes(bytes.into()));
        }
        for a in &values {
            for b in &values {
                assert_eq!(SortKey::of(a.as_ref()).cmp(&SortKey::of(b.as_ref())), a.cmp(b), "{a} and {b}");
            }
        }
    }

    #[test]
    fn reversed_keys_order_the_other_way_round_before_what_follows_them() {
        let texts = ["", "\0", "\0a", "a", "a\0", "ab", "b", "\u{10ffff}"];
        let mut values: Vec<Value> = texts.iter().map(|text| Value::Text((*text).into())).collect();
        values.extend([Value::Null, Value::Int(-1), Value::Int(0), Value::Int(300), Value::Float(-0.0)]);
        let key = |first: &Value, second: u64| {
            let mut key = SortKey::default();
            key.push_reversed(first.as_ref());
            key.push(ValueRef::Int(second.into()));
            key
        };
        for (a, b) in values.iter().flat_map(|a| values.iter().map(move |b| (a, b))) {
            for (c, d) in [(1, 1), (1, 2), (2, 1)] {
                assert_eq!(key(a, c).cmp(&key(b, d)), b.cmp(a).then(c.cmp(&d)), "{a} {c} and {b} {d}");
            }
        }
    }

    #[test]
    fn a_prefix_bounds_exactly_its_texts() {
        let mut low = SortKey::default();
        low.push_text_start("ab");
        let high = low.clone().after_prefix();
        for text in ["ab", "abc", "ab\0", "ab\u{10ffff}"] {
            let key = SortKey::of(ValueRef::Text(text));
            assert!(low <= key && key < high && key.starts_with(&low), "{text}");
        }
        for text in ["a", "aa", "ac", "b", "a\0b"] {
            let key = SortKey::of(ValueRef::Text(text));
            assert!(key < low || key >= high, "{text}");
        }
    }
}

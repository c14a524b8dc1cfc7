//! The canonical binary encoding of values and numbers, shared by rows and frames.
//!
//! Every value has exactly one encoding, so that the checksum of a frame does not depend on who encoded it.
//! `docs/format.md`, "Values", is the contract; this file obeys it.

use crate::value::ValueRef;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes end in the middle of something.
    #[error("the bytes end too early")]
    Truncated,
    /// More bytes than the content accounts for.
    #[error("bytes are left over at the end")]
    Trailing,
    /// A number is not in its shortest form, or exceeds 64 bits.
    #[error("a number is not in its shortest form or exceeds 64 bits")]
    Number,
    /// A tag that no value has.
    #[error("unknown tag {0}")]
    Tag(u8),
    /// Text that is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
}

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const NATURAL: u8 = 3;
const NEGATIVE: u8 = 4;
const FLOAT: u8 = 5;
const TEXT: u8 = 6;
const BYTES: u8 = 7;

/// Appends `number` in 7-bit groups, lowest first (LEB128).
pub(crate) fn put_varint(out: &mut Vec<u8>, number: u64) {
    if number < 0x80 {
        out.push(number as u8);
    } else {
        out.extend_from_slice(varint(number, &mut [0; 10]));
    }
}

/// The encoding of [`put_varint`], in `buffer`.
pub(crate) fn varint(mut number: u64, buffer: &mut [u8; 10]) -> &[u8] {
    let mut length = 0;
    for byte in buffer.iter_mut() {
        length += 1;
        if number < 0x80 {
            *byte = number as u8;
            break;
        }
        *byte = (number & 0x7f) as u8 | 0x80;
        number >>= 7;
    }
    buffer.get(..length).unwrap_or_default()
}

/// Appends a number of either sign: small ones of both are short (0, -1, 1, -2, … as 0, 1, 2, 3, …).
pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_varint(out, (number << 1 ^ number >> 63) as u64);
}

/// Appends the length and the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a tagged value.
pub(crate) fn put_value(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => out.push(NULL),
        ValueRef::Bool(false) => out.push(FALSE),
        ValueRef::Bool(true) => out.push(TRUE),
        ValueRef::Int(number) if number >= 0 => {
            out.push(NATURAL);
            put_varint(out, number as u64);
        }
        ValueRef::Int(number) => {
            out.push(NEGATIVE);
            put_varint(out, (-1 - number) as u64);
        }
        ValueRef::Float(number) => {
            out.push(FLOAT);
            out.extend_from_slice(&number.to_bits().to_le_bytes());
        }
        ValueRef::Text(text) => {
            out.push(TEXT);
            put_bytes(out, text.as_bytes());
        }
        ValueRef::Bytes(bytes) => {
            out.push(BYTES);
            put_bytes(out, bytes);
        }
    }
}

/// Reads the encoding from the front of a slice. Never panics, whatever the bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, WireError> {
        let (&byte, rest) = self.0.split_first().ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(byte)
    }

    #[inline]
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, WireError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut number = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            // The tenth byte holds one bit; a last byte of zero would be a longer form of a shorter number.
            if byte == 0 || (shift == 63 && byte > 1) {
                return Err(WireError::Number);
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(WireError::Number)
    }

    /// What [`put_signed`] appended.
    pub(crate) fn signed(&mut self) -> Result<i64, WireError> {
        let number = self.varint()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
        self.take(length)
    }

    #[inline]
    pub(crate) fn text(&mut self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| WireError::Text)
    }

    #[inline]
    pub(crate) fn value(&mut self) -> Result<ValueRef<'a>, WireError> {
        Ok(match self.byte()? {
            NULL => ValueRef::Null,
            FALSE => ValueRef::Bool(false),
            TRUE => ValueRef::Bool(true),
            NATURAL => ValueRef::Int(i128::from(self.varint()?)),
            NEGATIVE => match self.varint()? {
                number if number <= i64::MAX as u64 => ValueRef::Int(-1 - i128::from(number)),
                _ => return Err(WireError::Number),
            },
            FLOAT => ValueRef::Float(f64::from_bits(u64::from_le_bytes(self.array()?))),
            TEXT => ValueRef::Text(self.text()?),
            BYTES => ValueRef::Bytes(self.bytes()?),
            tag => return Err(WireError::Tag(tag)),
        })
    }

    /// Passes over a number that was checked before.
    #[inline]
    fn skip_varint(&mut self) -> Result<(), WireError> {
        // The last byte of a number is the first without its highest bit; a number has ten bytes at most.
        const HIGHEST: u64 = 0x8080_8080_8080_8080;
        let length = match self.0.first_chunk::<8>().map(|chunk| !u64::from_le_bytes(*chunk) & HIGHEST) {
            Some(0) => 9 + usize::from(self.0.get(8).is_some_and(|byte| *byte >= 0x80)),
            Some(last) => last.trailing_zeros() as usize / 8 + 1,
            None => return self.varint().map(|_| ()),
        };
        self.take(length).map(|_| ())
    }

    /// Passes over one value without looking into texts: for values that were checked before.
    #[inline]
    pub(crate) fn skip_value(&mut self) -> Result<(), WireError> {
        match self.byte()? {
            NULL | FALSE | TRUE => {}
            NATURAL | NEGATIVE => self.skip_varint()?,
            FLOAT => {
                self.take(8)?;
            }
            TEXT | BYTES => {
                self.bytes()?;
            }
            tag => return Err(WireError::Tag(tag)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn round_trip(value: &Value) {
        let mut out = Vec::new();
        put_value(&mut out, value.as_ref());
        let mut reader = Reader::new(&out);
        assert_eq!(reader.value().unwrap(), value.as_ref());
        assert!(reader.is_empty());
        let mut skipper = Reader::new(&out);
        skipper.skip_value().unwrap();
        assert!(skipper.is_empty());
    }

    #[test]
    fn values_round_trip() {
        for number in [0, 1, 127, 128, -1, -128, -129, i128::from(i64::MIN), i128::from(u64::MAX)] {
            round_trip(&Value::Int(number));
        }
        for number in [0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::MIN_POSITIVE] {
            round_trip(&Value::Float(number));
        }
        round_trip(&Value::Null);
        round_trip(&Value::Bool(true));
        round_trip(&Value::Text("a\0`@everyone`\u{200b}".into()));
        round_trip(&Value::Bytes(vec![0; 300]));
    }

    #[test]
    fn signed_numbers_round_trip() {
        for number in [0, -1, 1, -64, 63, 64, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            put_signed(&mut out, number);
            assert_eq!(Reader::new(&out).signed(), Ok(number));
            assert!(out.len() == 1 || !(-64..64).contains(&number), "{number}");
        }
    }

    #[test]
    fn a_number_has_one_encoding() {
        assert_eq!(Reader::new(&[0x80, 0x00]).varint(), Err(WireError::Number));
        assert_eq!(Reader::new(&[0xff; 10]).varint(), Err(WireError::Number));
        let mut longest = vec![0xff; 9];
        longest.push(1);
        assert_eq!(Reader::new(&longest).varint(), Ok(u64::MAX));
    }
}

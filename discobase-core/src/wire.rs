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

/// The last byte of a number is the first without its highest bit; a number has ten bytes at most.
const HIGHEST: u64 = 0x8080_8080_8080_8080;

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
pub struct Reader<'a>(&'a [u8]);

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

    /// Reads a value that was checked before, if it is an integer: see [`integer`]. Nothing is read if it is none.
    #[inline]
    pub(crate) fn integer(&mut self) -> Option<(bool, u64)> {
        let (negative, number, behind) = integer(self.0)?;
        self.0 = behind;
        Some((negative, number))
    }

    /// Reads a value that was checked before: as [`Reader::value`], but faster.
    #[inline]
    pub(crate) fn checked_value(&mut self) -> Option<ValueRef<'a>> {
        match self.integer() {
            Some((false, number)) => Some(ValueRef::Int(i128::from(number))),
            Some((true, number)) => Some(ValueRef::Int(-1 - i128::from(number))),
            None => self.value().ok(),
        }
    }

    /// Passes over a null, if the next value is one.
    #[inline]
    pub(crate) fn null(&mut self) -> Option<()> {
        let (&tag, rest) = self.0.split_first()?;
        (tag == NULL).then(|| self.0 = rest)
    }

    /// Passes over one value without looking into texts: for values that were checked before.
    #[inline]
    pub(crate) fn skip_value(&mut self) -> Option<()> {
        self.0 = skip(self.0)?;
        Some(())
    }
}

// What follows is for values that were checked before. It hands bytes over by value, because the processor waits for a
// reader that is written to memory in parts and read as one.

/// A number at the front, and what is behind it.
#[inline(always)]
pub(crate) fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let Some((chunk, after)) = bytes.split_first_chunk::<8>() else { return short_number(bytes) };
    let word = u64::from_le_bytes(*chunk);
    let last = !word & HIGHEST;
    // Without the highest bits, and without the bytes behind the last one.
    let groups = word & (last ^ last.wrapping_sub(1)) & !HIGHEST;
    let pairs = groups & 0x007f_007f_007f_007f | (groups & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    let number = fours & 0x0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4;
    if last != 0 {
        return Some((number, bytes.get(last.trailing_zeros() as usize / 8 + 1..)?));
    }
    let (&ninth, after) = after.split_first()?;
    let number = number | u64::from(ninth & 0x7f) << 56;
    if ninth < 0x80 {
        return Some((number, after));
    }
    let (&tenth, after) = after.split_first()?;
    Some((number | u64::from(tenth) << 63, after))
}

/// A number near the end of the bytes.
#[inline]
fn short_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (place, &byte) in bytes.iter().enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Some((number, bytes.get(place + 1..)?));
        }
    }
    None
}

/// What is behind a number.
#[inline(always)]
pub(crate) fn skip_number(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.first_chunk::<8>().map(|chunk| !u64::from_le_bytes(*chunk) & HIGHEST) {
        Some(0) if *bytes.get(8)? < 0x80 => bytes.get(9..),
        Some(0) => bytes.get(10..),
        Some(last) => bytes.get(last.trailing_zeros() as usize / 8 + 1..),
        None => short_number(bytes).map(|(_, behind)| behind),
    }
}

/// The bytes of a text or of bytes, without the tag, and what is behind them.
#[inline(always)]
fn content(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match bytes.split_first()? {
        (&length, behind) if length < 0x80 => behind.split_at_checked(usize::from(length)),
        _ => {
            let (length, behind) = number(bytes)?;
            behind.split_at_checked(usize::try_from(length).ok()?)
        }
    }
}

/// What is behind the value at the front.
#[inline(always)]
pub(crate) fn skip(bytes: &[u8]) -> Option<&[u8]> {
    let (&tag, behind) = bytes.split_first()?;
    if tag == NATURAL || tag == NEGATIVE {
        skip_number(behind)
    } else if tag == TEXT || tag == BYTES {
        content(behind).map(|(_, behind)| behind)
    } else if tag == FLOAT {
        behind.get(8..)
    } else {
        (tag <= TRUE).then_some(behind)
    }
}

/// What is behind so many values.
// Not inlined: what surrounds it needs the registers that this loop does not have to share then.
#[inline(never)]
pub(crate) fn skip_many(mut bytes: &[u8], count: usize) -> Option<&[u8]> {
    for _ in 0..count {
        bytes = skip(bytes)?;
    }
    Some(bytes)
}

/// The value at the front, if it is an integer: whether it is negative, and what is encoded of it, -1 less the integer
/// if it is; and what is behind it.
#[inline(always)]
pub(crate) fn integer(bytes: &[u8]) -> Option<(bool, u64, &[u8])> {
    let (&tag, behind) = bytes.split_first()?;
    if tag != NATURAL && tag != NEGATIVE {
        return None;
    }
    let (number, behind) = number(behind)?;
    Some((tag == NEGATIVE, number, behind))
}

/// The value at the front, if it is a text, and what is behind it.
#[inline(always)]
pub(crate) fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&tag, behind) = bytes.split_first()?;
    if tag == TEXT { content(behind) } else { None }
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
    fn a_checked_number_reads_as_any_number_does() {
        let numbers = (0..64).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits, u64::MAX >> bits]);
        for number in numbers {
            for behind in 0..12 {
                let mut out = Vec::new();
                put_varint(&mut out, number);
                let length = out.len();
                out.extend(std::iter::repeat_n(0xa5, behind));
                let (found, rest) = super::number(&out).unwrap();
                assert_eq!((found, rest.len()), (number, behind));
                assert_eq!(skip_number(&out).map(<[u8]>::len), Some(behind), "{number}");
                for cut in 0..length {
                    assert_eq!(super::number(&out[..cut]), None, "{number} cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn an_integer_is_read_only_where_one_is() {
        for number in [0, 1, -1, 300, -300, i128::from(i64::MIN), i128::from(u64::MAX)] {
            let mut out = Vec::new();
            put_value(&mut out, ValueRef::Int(number));
            let mut reader = Reader::new(&out);
            let (negative, rest) = reader.integer().unwrap();
            assert_eq!(if negative { -1 - i128::from(rest) } else { i128::from(rest) }, number);
            assert!(reader.is_empty());
        }
        for other in [ValueRef::Null, ValueRef::Bool(true), ValueRef::Float(1.0), ValueRef::Text("1")] {
            let mut out = Vec::new();
            put_value(&mut out, other);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.integer(), None);
            assert_eq!(reader.value(), Ok(other));
        }
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

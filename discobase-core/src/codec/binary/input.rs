//! Reading untrusted bytes: what they say is bounded before anything is made of it.

use std::ops::{Deref, DerefMut};

use crate::codec::binary::DecodeError;
use crate::wire::{Reader, WireError};

/// A [`Reader`] that allows a number of list items, all lists together.
pub(super) struct Input<'a> {
    reader: Reader<'a>,
    items: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8], items: usize) -> Self {
        Self { reader: Reader::new(bytes), items }
    }

    /// How many items follow. Each takes at least one byte, so that no count is believed beyond what is there.
    pub(super) fn count(&mut self) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.varint()?).map_err(|_| DecodeError::Items)?;
        if count > self.rest().len() {
            return Err(WireError::Truncated.into());
        }
        self.items = self.items.checked_sub(count).ok_or(DecodeError::Items)?;
        Ok(count)
    }

    /// A count and so many items.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.count()?;
        (0..count).map(|_| item(self)).collect()
    }

    pub(super) fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            code => Err(DecodeError::Code { what: "flag", code }),
        }
    }

    pub(super) fn owned_text(&mut self) -> Result<String, DecodeError> {
        Ok(self.text()?.to_owned())
    }
}

impl<'a> Deref for Input<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Self::Target {
        &self.reader
    }
}

impl DerefMut for Input<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.reader
    }
}

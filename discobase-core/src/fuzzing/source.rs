//! Decisions, read from a fuzzer's bytes.

/// The bytes that are left. When they have run out, every further decision is the first choice, so that what is made of
/// them ends.
#[derive(Clone)]
pub(super) struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte
    }

    pub(super) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// True once in so many times, and never when nothing is left.
    pub(super) fn rarely(&mut self, times: u8) -> bool {
        !self.is_empty() && self.byte() % times == times - 1
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end.max(1)
    }

    /// A number: a small one mostly, and any other.
    pub(super) fn number(&mut self) -> u64 {
        match self.byte() {
            byte @ ..=0xf7 => u64::from(byte),
            byte => {
                let mut number = [0; 8];
                let length = usize::from(byte & 7) + 1;
                number.iter_mut().zip(self.take(length)).for_each(|(to, from)| *to = *from);
                u64::from_le_bytes(number)
            }
        }
    }

    /// At most so many bytes, as they are.
    pub(super) fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A length of one byte, and so many bytes.
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let length = self.byte();
        self.take(usize::from(length))
    }

    /// A length of two bytes, and so many bytes.
    pub(super) fn chunk(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()) | usize::from(self.byte()) << 8;
        self.take(length)
    }

    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        array.iter_mut().zip(self.take(N)).for_each(|(to, from)| *to = *from);
        array
    }

    /// Up to `most` of what `make` gives.
    pub(super) fn list<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = self.below(most + 1);
        (0..count).map(|_| make(self)).collect()
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

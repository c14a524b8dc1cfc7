//! A sorted list of byte strings without gaps: what they have in common at the front is kept once, and if the rest
//! is equally long in all of them, as for numbers, nothing but the rest is kept.

use std::cmp::Ordering;

#[derive(Clone, Default)]
pub(crate) struct Packed {
    prefix: Vec<u8>,
    bytes: Vec<u8>,
    shape: Shape,
}

/// Where the strings lie in the bytes.
#[derive(Clone)]
enum Shape {
    /// So many strings, all equally long.
    Even { count: usize, width: usize },
    /// Each ends here.
    Ends(Vec<u32>),
}

impl Default for Shape {
    fn default() -> Self {
        Self::Even { count: 0, width: 0 }
    }
}

/// How many bytes are reserved beyond what is needed, as a part of what there is.
const SLACK: usize = 8;

fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The order of two strings. Most differ in their first eight bytes, which are compared at once.
#[inline]
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    match (a.split_first_chunk::<8>(), b.split_first_chunk::<8>()) {
        (Some((first, rest)), Some((other, others))) => {
            u64::from_be_bytes(*first).cmp(&u64::from_be_bytes(*other)).then_with(|| rest.cmp(others))
        }
        _ => a.cmp(b),
    }
}

/// The shortest string above `low` and not above `high`.
pub(crate) fn between<'a>(low: &[u8], high: &'a [u8]) -> &'a [u8] {
    high.get(..common(low, high) + 1).unwrap_or(high)
}

impl Packed {
    /// Of sorted strings.
    pub(crate) fn of(strings: &[impl AsRef<[u8]>]) -> Self {
        let (Some(first), Some(last)) = (strings.first(), strings.last()) else { return Self::default() };
        let prefix = common(first.as_ref(), last.as_ref());
        let rests = || strings.iter().filter_map(|string| string.as_ref().get(prefix..));
        let width = first.as_ref().len() - prefix;
        let mut bytes = Vec::with_capacity(rests().map(<[u8]>::len).sum());
        rests().for_each(|rest| bytes.extend_from_slice(rest));
        let shape = if rests().all(|rest| rest.len() == width) {
            Shape::Even { count: strings.len(), width }
        } else {
            let ends = rests().scan(0, |end, rest| {
                *end += rest.len() as u32;
                Some(*end)
            });
            Shape::Ends(ends.collect())
        };
        let prefix = first.as_ref().get(..prefix).unwrap_or_default().to_vec();
        Self { prefix, bytes, shape }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.shape {
            Shape::Even { count, .. } => *count,
            Shape::Ends(ends) => ends.len(),
        }
    }

    /// How many bytes all strings have, without what they have in common.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    fn start(&self, at: usize) -> usize {
        match &self.shape {
            Shape::Even { width, .. } => at * width,
            Shape::Ends(_) if at == 0 => 0,
            Shape::Ends(ends) => ends.get(at - 1).map_or(self.bytes.len(), |end| *end as usize),
        }
    }

    /// A string without what all have in common.
    #[inline]
    pub(crate) fn rest(&self, at: usize) -> &[u8] {
        self.bytes.get(self.start(at)..self.start(at + 1)).unwrap_or_default()
    }

    /// A whole string.
    pub(crate) fn get(&self, at: usize) -> Vec<u8> {
        [self.prefix.as_slice(), self.rest(at)].concat()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = Vec<u8>> {
        (0..self.len()).map(|at| self.get(at))
    }

    /// The last bytes of a string, if it has so many.
    #[inline]
    pub(crate) fn tail<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let rest = self.rest(at);
        match rest.last_chunk::<N>() {
            Some(tail) => Some(*tail),
            // Part of it is among what all have in common.
            None => {
                let mut tail = [0; N];
                let all = self.prefix.iter().chain(rest);
                tail.iter_mut().rev().zip(all.rev()).for_each(|(to, from)| *to = *from);
                (self.prefix.len() + rest.len() >= N).then_some(tail)
            }
        }
    }

    /// How many strings are below `string`.
    #[inline]
    pub(crate) fn below(&self, string: &[u8]) -> usize {
        self.count_while(string, |order| order == Ordering::Less)
    }

    /// How many strings are not above `string`.
    #[inline]
    pub(crate) fn up_to(&self, string: &[u8]) -> usize {
        self.count_while(string, |order| order != Ordering::Greater)
    }

    #[inline]
    fn count_while(&self, string: &[u8], holds: impl Fn(Ordering) -> bool) -> usize {
        let front = string.get(..self.prefix.len()).unwrap_or(string);
        let wanted = match self.prefix.as_slice().cmp(front) {
            Ordering::Equal => string.get(self.prefix.len()..).unwrap_or_default(),
            Ordering::Less => return self.len(),
            Ordering::Greater => return 0,
        };
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if holds(compare(self.rest(middle), wanted)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Inserts a string, which must belong there.
    pub(crate) fn insert(&mut self, at: usize, string: &[u8]) {
        if self.len() == 0 {
            *self = Self::of(&[string]);
            return;
        }
        if !string.starts_with(&self.prefix) {
            let mut strings: Vec<_> = self.iter().collect();
            strings.insert(at.min(strings.len()), string.to_vec());
            *self = Self::of(&strings);
            return;
        }
        let rest = string.get(self.prefix.len()..).unwrap_or_default();
        let start = self.start(at);
        match &mut self.shape {
            Shape::Even { count, width } if *width == rest.len() => *count += 1,
            shape => {
                if let Shape::Even { count, width } = *shape {
                    *shape = Shape::Ends((1..=count).map(|number| (number * width) as u32).collect());
                }
                if let Shape::Ends(ends) = shape {
                    ends.iter_mut().skip(at).for_each(|end| *end += rest.len() as u32);
                    ends.insert(at, (start + rest.len()) as u32);
                }
            }
        }
        if self.bytes.capacity() < self.bytes.len() + rest.len() {
            self.bytes.reserve_exact(rest.len().max(self.bytes.len() / SLACK));
        }
        self.bytes.splice(start..start, rest.iter().copied());
    }

    /// Removes a string.
    pub(crate) fn remove(&mut self, at: usize) {
        if at >= self.len() {
            return;
        }
        let (start, end) = (self.start(at), self.start(at + 1));
        self.bytes.drain(start..end);
        match &mut self.shape {
            Shape::Even { count, .. } => *count -= 1,
            Shape::Ends(ends) => {
                ends.remove(at);
                ends.iter_mut().skip(at).for_each(|place| *place -= (end - start) as u32);
            }
        }
    }

    /// Takes the strings from `at` on out.
    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        let strings: Vec<_> = self.iter().collect();
        let (left, right) = strings.split_at(at.min(strings.len()));
        let right = Self::of(right);
        *self = Self::of(left);
        right
    }

    /// How many bytes of memory it takes.
    #[cfg(test)]
    pub(crate) fn footprint(&self) -> usize {
        let ends = if let Shape::Ends(ends) = &self.shape { ends.capacity() * 4 } else { 0 };
        size_of::<Self>() + self.prefix.capacity() + self.bytes.capacity() + ends
    }
}

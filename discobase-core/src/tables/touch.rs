//! Waiting for memory once instead of many times.
//!
//! A row that was not read lately is a hundred nanoseconds away, and so is what leads to it: a processor waits for
//! many places at once, but only if nothing between them takes long or depends on what is waited for. So whoever reads
//! many rows goes through a group of them step by step: all places of one step are touched in a loop that does nothing
//! else, and by the time the next step needs them they are near.

/// Has memory fetch the lines that these bytes are in. What the bytes are does not matter; without the black box the
/// compiler would see that, and not read them.
#[inline(always)]
pub(super) fn touch(bytes: impl Iterator<Item = u8>) {
    std::hint::black_box(bytes.fold(0, |all, byte| all ^ byte));
}

//! What a fuzzer feeds: each function takes arbitrary bytes and panics where a promise of the format is broken.
//!
//! Compiled for `cargo fuzz` (`fuzz/README.md`) and for tests, which run the kept inputs of every target again.
//!
//! Some targets take their bytes as they are; the others read decisions from them ([`source`]) and make frames, segments
//! and journals of these ([`arbitrary`]), because no fuzzer guesses a checksum.
#![expect(clippy::expect_used, clippy::panic, reason = "a promise that is broken ends the fuzzer")]

mod arbitrary;
mod chain;
mod checkpoint;
mod codec;
mod journal;
mod sealed;
mod segments;
mod source;

pub use chain::chain;
pub use checkpoint::checkpoint;
pub use codec::{attachment, frame, gateway, message, reply, row, sort_key, topic};
pub use journal::journal;
pub use sealed::{sealed_block, sealed_frame};
pub use segments::{index_segment, row_segment, segment_message};

#[cfg(test)]
mod tests;

//! Encryption at rest: keys, and the sealing of what leaves the process.
//!
//! A [`EncryptionKey`] is what its owner keeps. With the [`Keying`] that stands clear in the journal it gives a [`Sealing`], which
//! seals and opens the bodies of frames and the blocks of segments, each bound to its place by associated data.
//! `docs/format.md`, "Encryption", is the contract; this module obeys it.

mod key;
mod keychain;
mod keying;
mod sealing;

pub use key::EncryptionKey;
pub(crate) use keychain::{KeySource, Keychain};
pub(crate) use keying::{Kdf, Keying};
pub(crate) use sealing::{OVERHEAD, Sealing};

#[cfg(test)]
pub(crate) mod tests;

//! The key of an encrypted database, as its owner keeps it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::env::{Env as _, SystemEnv};
use crate::error::{Error, ErrorKind, Result};
use crate::seal::keying::Kdf;

/// The key of an encrypted database: 32 random bytes, or a passphrase.
///
/// A raw key is the better one where a program reads it from a secret store; a passphrase is for people. Whoever has
/// neither the key nor a backup of it has lost the data: nothing in the guild brings it back.
///
/// It is wiped from memory when its last clone is dropped, and printing it shows nothing of it.
///
/// ```
/// # use discobase_core as discobase;
/// use discobase::{Database, EncryptionKey};
///
/// // Once: make a key and keep it where only the bot reads it.
/// let key = EncryptionKey::generate()?;
/// let kept = key.export().unwrap_or_default();
///
/// // Ever after: open the database with it.
/// let db = Database::builder("shop").encryption(kept.parse::<EncryptionKey>()?).build();
/// # Ok::<(), discobase::Error>(())
/// ```
#[derive(Clone)]
pub struct EncryptionKey(Arc<Secret>);

pub(super) enum Secret {
    Raw(Zeroizing<[u8; 32]>),
    Passphrase { text: Zeroizing<String>, memory_kib: u32, passes: u32 },
}

impl EncryptionKey {
    /// From its 32 bytes, which should be random.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Arc::new(Secret::Raw(Zeroizing::new(bytes))))
    }

    /// A new random key, from the operating system's generator. Keep what [`EncryptionKey::export`] gives.
    ///
    /// # Errors
    /// `Refused` when the system gives no random numbers.
    pub fn generate() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        if !SystemEnv::new().secret(&mut *bytes) {
            return Err(no_randomness());
        }
        Ok(Self(Arc::new(Secret::Raw(bytes))))
    }

    /// A key that is made of a passphrase with Argon2id, by default with 64 MiB of memory and 3 passes: a few tenths of
    /// a second whenever the database is opened.
    ///
    /// Whoever can read the database's channels can try passphrases at that price each. So take a long one.
    #[must_use]
    pub fn passphrase(text: impl Into<String>) -> Self {
        Self::costly(Zeroizing::new(text.into()), 64 << 10, 3)
    }

    /// A passphrase with another price: Argon2id's memory in KiB and its passes. They are written into a database when
    /// it is created, or when its key is rotated, and opening takes them from there.
    #[must_use]
    pub fn passphrase_with(text: impl Into<String>, memory_kib: u32, passes: u32) -> Self {
        Self::costly(Zeroizing::new(text.into()), memory_kib, passes)
    }

    fn costly(text: Zeroizing<String>, memory_kib: u32, passes: u32) -> Self {
        Self(Arc::new(Secret::Passphrase { text, memory_kib, passes }))
    }

    /// The key as 64 hexadecimal digits, to be kept; `None` of a passphrase. Handle it like a password.
    #[must_use]
    pub fn export(&self) -> Option<String> {
        match &*self.0 {
            Secret::Raw(bytes) => Some(bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
                for half in [byte >> 4, byte & 15] {
                    text.extend(char::from_digit(half.into(), 16));
                }
                text
            })),
            Secret::Passphrase { .. } => None,
        }
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.0
    }

    /// How a database that is created with this key makes its master key.
    pub(super) fn kdf(&self) -> Kdf {
        match &*self.0 {
            Secret::Raw(_) => Kdf::Raw,
            Secret::Passphrase { memory_kib, passes, .. } => {
                Kdf::Argon2id { memory_kib: *memory_kib, passes: *passes, lanes: 1 }
            }
        }
    }
}

pub(super) fn no_randomness() -> Error {
    Error::new(ErrorKind::Refused, "the system gives no random numbers, so no key can be made")
}

/// Nothing of the key is shown.
impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &*self.0 {
            Secret::Raw(_) => "EncryptionKey(raw)",
            Secret::Passphrase { .. } => "EncryptionKey(passphrase)",
        })
    }
}

/// A raw key: 64 hexadecimal digits, or its 32 bytes in Base64 (either alphabet, with or without padding).
impl FromStr for EncryptionKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let mut bytes = Zeroizing::new([0; 32]);
        let read = if text.len() == 64 { hex(text, &mut bytes) } else { base64(text, &mut bytes) };
        // The text is not repeated: it is a key, if one with a slip of the pen.
        read.then_some(Self(Arc::new(Secret::Raw(bytes)))).ok_or_else(|| {
            let text = "the key is not a raw key: it must be 64 hexadecimal digits, or 32 bytes in Base64. For a \
                        passphrase use EncryptionKey::passphrase";
            Error::new(ErrorKind::Invalid, text)
        })
    }
}

fn hex(text: &str, bytes: &mut [u8; 32]) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)).all(|(byte, digits)| match digits {
        [high, low] => match (digit(*high), digit(*low)) {
            (Some(high), Some(low)) => {
                *byte = high << 4 | low;
                true
            }
            _ => false,
        },
        _ => false,
    })
}

fn base64(text: &str, bytes: &mut [u8; 32]) -> bool {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [STANDARD, URL_SAFE].iter().any(|alphabet| {
        // Room for more than 32 bytes, because the decoder counts whole groups of four characters.
        let mut decoded = Zeroizing::new([0; 36]);
        match GeneralPurpose::new(alphabet, config).decode_slice(text, &mut *decoded) {
            Ok(32) => decoded.first_chunk().is_some_and(|key| {
                *bytes = *key;
                true
            }),
            _ => false,
        }
    })
}

//! How a database's keys are made from its owner's: what stands clear in the genesis and in checkpoints.

use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::seal::key::{EncryptionKey, Secret};

/// How the keys of a database are made, and how the right key is told from a wrong one. None of it is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keying {
    pub(crate) kdf: Kdf,
    /// Random; a new one whenever the key is rotated, so that no two databases share keys.
    pub(crate) salt: [u8; 16],
    /// Derived from the master key as the other keys are; equal exactly if the key is the right one.
    pub(crate) check: [u8; 16],
}

/// How the master key is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kdf {
    /// It is the owner's 32 bytes.
    Raw,
    /// Argon2id (RFC 9106), version 19, of the passphrase and the salt.
    Argon2id { memory_kib: u32, passes: u32, lanes: u32 },
}

/// What a guild may ask a program to spend on Argon2id; more is taken for damage, not obeyed.
const MOST_MEMORY_KIB: u32 = 4 << 20;
const MOST_PASSES: u32 = 1_000;
const MOST_LANES: u32 = 64;

impl Kdf {
    /// Whether Argon2id takes these parameters, and whether they are within reason.
    pub(crate) fn is_sane(self) -> bool {
        match self {
            Self::Raw => true,
            Self::Argon2id { memory_kib, passes, lanes } => {
                (1..=MOST_LANES).contains(&lanes)
                    && (8 * lanes..=MOST_MEMORY_KIB).contains(&memory_kib)
                    && (1..=MOST_PASSES).contains(&passes)
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Raw => "a raw key",
            Self::Argon2id { .. } => "a passphrase",
        }
    }
}

/// The keys everything is sealed with.
pub(super) struct Subkeys {
    pub(super) frames: Zeroizing<[u8; 32]>,
    pub(super) blocks: Zeroizing<[u8; 32]>,
    check: [u8; 16],
}

impl Keying {
    /// A new one, for a database that is created with `key` or rotated to it.
    ///
    /// # Errors
    /// `Invalid` for an empty passphrase, or a price that Argon2id does not take.
    pub(super) fn new(key: &EncryptionKey, salt: [u8; 16]) -> Result<(Self, Subkeys)> {
        let kdf = key.kdf();
        let subkeys = subkeys(key, kdf, &salt)?;
        Ok((Self { kdf, salt, check: subkeys.check }, subkeys))
    }

    /// The keys that `key` gives.
    ///
    /// # Errors
    /// `WrongKey`.
    pub(super) fn unlock(&self, key: &EncryptionKey) -> Result<Subkeys> {
        let (wants, has) = (self.kdf.name(), key.kdf().name());
        if wants != has {
            let text = format!("the database is encrypted with {wants}, and {has} was given");
            return Err(Error::new(ErrorKind::WrongKey, text));
        }
        let subkeys = subkeys(key, self.kdf, &self.salt)?;
        if subkeys.check == self.check {
            return Ok(subkeys);
        }
        let text = "the key is not the one the database is encrypted with: give the right one, or the newer one, if \
                    it was rotated";
        Err(Error::new(ErrorKind::WrongKey, text))
    }
}

fn subkeys(key: &EncryptionKey, kdf: Kdf, salt: &[u8; 16]) -> Result<Subkeys> {
    let mut material = Zeroizing::new([0; 48]);
    let (master, salted) = material.split_at_mut(32);
    match (key.secret(), kdf) {
        (Secret::Raw(bytes), _) => master.copy_from_slice(&**bytes),
        (Secret::Passphrase { text, .. }, kdf) => argon2id(text, kdf, salt, master)?,
    }
    salted.copy_from_slice(salt);
    let derive = |context| Zeroizing::new(blake3::derive_key(context, &*material));
    let mut check = [0; 16];
    check.iter_mut().zip(*derive("discobase 1 key check")).for_each(|(to, from)| *to = from);
    Ok(Subkeys { frames: derive("discobase 1 frames"), blocks: derive("discobase 1 blocks"), check })
}

fn argon2id(passphrase: &str, kdf: Kdf, salt: &[u8; 16], master: &mut [u8]) -> Result<()> {
    let invalid = |text: &str| Error::new(ErrorKind::Invalid, text);
    if passphrase.is_empty() {
        return Err(invalid("the passphrase of an encrypted database must not be empty"));
    }
    let Kdf::Argon2id { memory_kib, passes, lanes } = kdf else {
        return Err(invalid("a passphrase has a price in memory and passes"));
    };
    let out_of_range = "the price of a passphrase is out of range: at least 8 KiB of memory and one pass, at most 4 GiB \
                        and 1,000 passes";
    if !kdf.is_sane() {
        return Err(invalid(out_of_range));
    }
    let params =
        argon2::Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| invalid(out_of_range))?;
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, master)
        .map_err(|error| {
            Error::new(ErrorKind::Invalid, format!("the passphrase can't be made into a key: {error}"))
        })
}

//! Where a connection takes its key from, and the sealing it gives.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::env::{SharedEnv, heavy};
use crate::error::{Error, ErrorKind, Result};
use crate::seal::key::{EncryptionKey, no_randomness};
use crate::seal::keying::Keying;
use crate::seal::sealing::Sealing;

/// The environment variable that holds a raw key, as 64 hexadecimal digits or in Base64.
pub(crate) const VARIABLE: &str = "DISCOBASE_KEY";

/// Where the key of a database comes from.
#[derive(Clone, Default)]
pub(crate) enum KeySource {
    /// From the environment variable, if it is set.
    #[default]
    Environment,
    /// There is none, whatever the environment says.
    Nowhere,
    Given(EncryptionKey),
    /// From the program, whenever the database is opened.
    Asked(Arc<dyn Fn() -> Result<EncryptionKey> + Send + Sync>),
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "Environment",
            Self::Nowhere => "Nowhere",
            Self::Given(_) => "Given",
            Self::Asked(_) => "Asked",
        })
    }
}

impl KeySource {
    fn key(&self, variable: impl FnOnce() -> Option<String>) -> Result<Option<EncryptionKey>> {
        match self {
            Self::Nowhere => Ok(None),
            Self::Given(key) => Ok(Some(key.clone())),
            Self::Asked(ask) => ask().map(Some),
            Self::Environment => match variable().map(zeroize::Zeroizing::new) {
                Some(text) if !text.trim().is_empty() => {
                    let key = text.parse().map_err(|error| {
                        let text = format!("the environment variable {VARIABLE} can't be read: {error}");
                        Error::new(ErrorKind::Invalid, text)
                    });
                    key.map(Some)
                }
                _ => Ok(None),
            },
        }
    }
}

/// Gives the sealing of a database's frames and segments, from the key and what the journal says about it.
pub(crate) struct Keychain {
    source: KeySource,
    db: Arc<str>,
    env: SharedEnv,
    /// The last sealing, because making one of a passphrase is meant to be slow.
    known: Mutex<Option<Arc<Sealing>>>,
}

impl Keychain {
    pub(crate) fn new(source: KeySource, db: Arc<str>, env: SharedEnv) -> Self {
        Self { source, db, env, known: Mutex::new(None) }
    }

    /// The sealing of a database that says `keying` about itself; `None` if it is not encrypted.
    ///
    /// # Errors
    /// `KeyMissing`, `WrongKey`, `NotEncrypted`, or what the caller's own function failed with.
    pub(crate) async fn unlock(&self, keying: Option<Keying>) -> Result<Option<Arc<Sealing>>> {
        let known = self.known.lock().clone();
        if let (Some(known), Some(keying)) = (&known, keying)
            && known.keying() == keying
        {
            return Ok(Some(Arc::clone(known)));
        }
        let (db, env) = (Arc::clone(&self.db), Arc::clone(&self.env));
        let unlocked = self.with_key(move |key| match (keying, key) {
            (None, None) => Ok(None),
            (Some(keying), Some(key)) => {
                let subkeys = keying.unlock(&key)?;
                Ok(Some(Arc::new(Sealing::new(keying, &subkeys, db, env))))
            }
            (Some(_), None) => Err(Error::new(
                ErrorKind::KeyMissing,
                format!(
                    "the database is encrypted, and no key was given: set {VARIABLE}, or give the key with \
                     Database::builder(..).encryption(..)"
                ),
            )),
            (None, Some(_)) => Err(Error::new(
                ErrorKind::NotEncrypted,
                format!(
                    "a key was given, but the database is not encrypted: open it without (unset {VARIABLE}, or use \
                     Database::builder(..).unencrypted()), and encrypt it with db.rotate_key(..)"
                ),
            )),
        });
        let unlocked = unlocked.await?;
        self.known.lock().clone_from(&unlocked);
        Ok(unlocked)
    }

    /// A sealing with a keying of its own, for a database that is being created; `None` if there is no key.
    ///
    /// # Errors
    /// `Invalid` for a key that can't be used, or what the caller's own function failed with.
    pub(crate) async fn create(&self) -> Result<Option<Arc<Sealing>>> {
        let (db, env) = (Arc::clone(&self.db), Arc::clone(&self.env));
        let created = self.with_key(move |key| key.map(|key| new_sealing(&key, db, env)).transpose());
        let created = created.await?;
        self.known.lock().clone_from(&created);
        Ok(created)
    }

    /// Asks for the key and works with it on a thread that may wait: for a person, a secret store, or Argon2id.
    async fn with_key<R: Send + 'static>(
        &self,
        work: impl FnOnce(Option<EncryptionKey>) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let source = self.source.clone();
        let work = move || work(source.key(|| std::env::var(VARIABLE).ok())?);
        let done = heavy(&self.env, work).await;
        done.unwrap_or_else(|| {
            Err(Error::new(ErrorKind::Invalid, "the function that gives the database's key failed"))
        })
    }
}

fn new_sealing(key: &EncryptionKey, db: Arc<str>, env: SharedEnv) -> Result<Arc<Sealing>> {
    let mut salt = [0; 16];
    if !env.secret(&mut salt) {
        return Err(no_randomness());
    }
    let (keying, subkeys) = Keying::new(key, salt)?;
    Ok(Arc::new(Sealing::new(keying, &subkeys, db, env)))
}

impl fmt::Debug for Keychain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keychain").field("source", &self.source).finish_non_exhaustive()
    }
}

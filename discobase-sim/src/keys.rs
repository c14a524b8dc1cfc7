//! The keys of the database, and who knows which: every program knows all of them, and tries the newest first.

use discobase_core::{DatabaseBuilder, EncryptionKey, ErrorKind};
use parking_lot::Mutex;

/// A key; `None` stands for a database that is clear.
pub(crate) type Key = Option<u8>;

/// All keys the database has or may have, the newest last.
#[derive(Debug)]
pub(crate) struct Keys(Mutex<Vec<Key>>);

impl Keys {
    pub(crate) fn new(encrypted: bool) -> Self {
        Self(Mutex::new(vec![encrypted.then_some(0)]))
    }

    /// The keys to try, the newest first.
    pub(crate) fn all(&self) -> Vec<Key> {
        self.0.lock().iter().rev().copied().collect()
    }

    /// Somebody is about to give the database another key, or none.
    pub(crate) fn another(&self, clear: bool) -> Key {
        let mut keys = self.0.lock();
        let key = (!clear).then(|| u8::try_from(keys.len()).unwrap_or(u8::MAX));
        keys.push(key);
        key
    }
}

/// The key as the engine takes it.
pub(crate) fn real(key: u8) -> EncryptionKey {
    EncryptionKey::from_bytes([key; 32])
}

/// With this key, or none.
pub(crate) fn with_key(builder: DatabaseBuilder, key: Key) -> DatabaseBuilder {
    match key {
        Some(key) => builder.encryption(real(key)),
        None => builder.unencrypted(),
    }
}

/// Whether an error means that it was another key that was wanted.
pub(crate) fn is_wrong(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WrongKey | ErrorKind::KeyMissing | ErrorKind::NotEncrypted)
}

//! Changing the key of a database.

use std::sync::Arc;

use crate::db::Database;
use crate::error::Result;
use crate::ids::Seq;
use crate::seal::{EncryptionKey, KeySource, Keychain};

impl Database {
    /// Encrypts the database with another key, with one if it was clear, or with none if `key` is `None`.
    ///
    /// Everything is written anew, as a checkpoint under the new key, and later commits follow it. Reads and commits go
    /// on meanwhile; commits wait only while what they added since is written. If it fails or the process ends before
    /// the checkpoint is durable, the database still has its old key. Once it has returned, only the new one opens it;
    /// this `Database` knows the new key from then on, wherever the old one came from.
    ///
    /// What was written under the old key, or clear, is deleted as after any checkpoint, ten minutes later, by a process
    /// that has the database open then.
    ///
    /// ```
    /// # use discobase_core as discobase;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> discobase::Result<()> {
    /// use discobase::{Database, EncryptionKey};
    ///
    /// let db = Database::new("shop");
    /// # #[cfg(feature = "local")]
    /// db.connect_memory().await?;
    /// # #[cfg(feature = "local")]
    /// db.rotate_key(EncryptionKey::generate()?).await?;
    /// # #[cfg(feature = "local")]
    /// db.rotate_key(None).await?; // clear again
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotConnected`; `Invalid` for a key that can't be used; `Fenced` when another process owns the database; what
    /// uploading and committing can fail with. After `UnknownOutcome` open the database with the one key or the other.
    pub async fn rotate_key(&self, key: impl Into<Option<EncryptionKey>> + Send) -> Result<Seq> {
        let source = key.into().map_or(KeySource::Nowhere, KeySource::Given);
        let _turn = self.0.turn.lock().await;
        let connection = self.connection()?;
        let (db, env) = (Arc::from(self.name()), Arc::clone(&self.0.options.env));
        let sealing = Keychain::new(source.clone(), db, env).create().await?;
        let inner = Arc::downgrade(&self.0);
        // It is called even if this call is dropped, because the new key is needed from then on.
        let rotated = move || {
            if let Some(inner) = inner.upgrade() {
                *inner.rotated.lock() = Some(source);
            }
        };
        connection.link.checkpoints.rotate(sealing, Box::new(rotated)).await
    }
}

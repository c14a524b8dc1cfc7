//! Where the guild keeps what must survive it: nowhere, or in a file.
//!
//! Callers: the shell in `server`. Invariants: batches take effect in the order they were submitted; a
//! batch's events are handed on only after its writes are safe, so no client sees what a crash could undo.

mod backend;
mod file;
mod schema;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;

pub(crate) use file::{File, Opened};

use crate::state::{Effects, Event, Snowflake, Write};

/// Who gets the events once they may be seen.
pub(crate) type Publish = Arc<dyn Fn(Vec<Event>) + Send + Sync>;

/// The place where things are kept.
pub(crate) enum Store {
    /// Only the bytes of attachments, and only in memory.
    Memory { blobs: RwLock<HashMap<Snowflake, Bytes>>, publish: Publish, order: Mutex<()> },
    /// Everything, in a file.
    File(File),
}

/// How far a submitted batch is from being safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

impl Store {
    pub(crate) fn memory(publish: Publish) -> Self {
        Self::Memory { blobs: RwLock::default(), publish, order: Mutex::new(()) }
    }

    /// Submits what a mutation caused. The caller holds the lock of the state, which makes the order.
    pub(crate) fn submit(&self, effects: Effects, last_id: Snowflake) -> Ticket {
        match self {
            Self::Memory { blobs, publish, order } => {
                let _in_order = order.lock();
                for write in effects.writes {
                    match write {
                        Write::Blob(id, bytes) => drop(blobs.write().insert(id, bytes)),
                        Write::DropBlob(id, _) => drop(blobs.write().remove(&id)),
                        _ => {}
                    }
                }
                publish(effects.events);
                Ticket(0)
            }
            Self::File(file) => Ticket(file.submit(effects, last_id)),
        }
    }

    /// Waits until everything up to a ticket is safe.
    ///
    /// # Errors
    /// The file could not be written; nothing will be safe any more.
    pub(crate) async fn safe(&self, ticket: Ticket) -> Result<(), String> {
        let Self::File(file) = self else { return Ok(()) };
        let mut progress: watch::Receiver<Result<u64, String>> = file.progress();
        loop {
            match &*progress.borrow_and_update() {
                Ok(done) if *done >= ticket.0 => return Ok(()),
                Ok(_) => {}
                Err(reason) => return Err(reason.clone()),
            }
            if progress.changed().await.is_err() {
                return Err("the data file was closed".to_owned());
            }
        }
    }

    /// Reads a part of an attachment. Blocks on the file.
    pub(crate) fn read_blob(&self, id: Snowflake, start: u64, len: u64) -> Result<Bytes, String> {
        match self {
            Self::Memory { blobs, .. } => {
                let bytes = blobs.read().get(&id).cloned().unwrap_or_default();
                let start = usize::try_from(start).unwrap_or(usize::MAX).min(bytes.len());
                let end = start.saturating_add(usize::try_from(len).unwrap_or(usize::MAX)).min(bytes.len());
                Ok(bytes.slice(start..end))
            }
            Self::File(file) => file.read_blob(id, start, len),
        }
    }

    /// Writes what is left, and lets the file go. Blocks until that is done.
    pub(crate) fn close(&self) {
        if let Self::File(file) = self {
            file.close();
        }
    }
}

//! The data file: one thread writes it, grouping what came in while the last write was under way.
//!
//! Callers: `store`. Invariants: a batch is written in one transaction with its predecessors or after
//! them; once a write failed, nothing more is written and nothing is confirmed.

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use redb::backends::FileBackend;
use redb::{
    Database, DatabaseError, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageError, Table,
    TableDefinition, TableError, WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use tokio::sync::watch;

use super::Publish;
use super::backend::Backend;
use super::schema::{
    CHANNELS, COMMANDS, FORMAT, GUILDS, INVITES, MESSAGES, META, NONCES, NUMBERS, PIECE, PIECES, USERS,
};
use crate::error::GuildError;
use crate::state::{Effects, Event, Home, Snapshot, Snowflake, Write};

type Boxed = Box<dyn std::error::Error + Send + Sync>;

/// The open file and its writing thread.
pub(crate) struct File {
    database: Mutex<Option<Arc<Database>>>,
    queue: Mutex<Queue>,
    progress: watch::Receiver<Result<u64, String>>,
}

struct Queue {
    batches: Option<mpsc::Sender<Batch>>,
    submitted: u64,
    writer: Option<JoinHandle<()>>,
}

struct Batch {
    number: u64,
    writes: Vec<Write>,
    events: Vec<Event>,
    last_id: Snowflake,
}

/// A file that was opened, and what it holds.
pub(crate) struct Opened {
    path: PathBuf,
    database: Database,
    /// What it holds; nothing if it is new.
    pub(crate) snapshot: Option<Snapshot>,
}

impl Opened {
    pub(crate) fn open(path: &Path, sync: bool) -> Result<Self, GuildError> {
        let open = || -> Result<Database, DatabaseError> {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            Database::builder()
                // Attachments are read once in a while and need no cache worth a gigabyte.
                .set_cache_size(32 << 20)
                .create_with_backend(Backend { file: FileBackend::new(file)?, sync })
        };
        let database = open().map_err(|error| explain(path, error))?;
        let snapshot = read_all(path, &database)?;
        Ok(Self { path: path.to_owned(), database, snapshot })
    }

    /// Writes what a new file needs before all else.
    pub(crate) fn found(&self, home: Home, secret: [u8; 32]) -> Result<(), GuildError> {
        let write = || -> Result<(), Boxed> {
            let transaction = self.database.begin_write()?;
            transaction.open_table(NUMBERS)?.insert("format", FORMAT)?;
            let mut meta = transaction.open_table(META)?;
            meta.insert("home", serde_json::to_vec(&home)?.as_slice())?;
            meta.insert("secret", secret.as_slice())?;
            drop(meta);
            create_tables(&transaction)?;
            Ok(transaction.commit()?)
        };
        write().map_err(|source| GuildError::File { path: self.path.clone(), source })
    }

    /// Starts the writing thread.
    pub(crate) fn serve(self, publish: Publish) -> Result<File, GuildError> {
        let database = Arc::new(self.database);
        let (batches, received) = mpsc::channel();
        let (progress_sender, progress) = watch::channel(Ok(0));
        let written = Arc::clone(&database);
        let writer = std::thread::Builder::new()
            .name("discobase-guild".to_owned())
            .spawn(move || write_batches(&written, &received, &progress_sender, &publish))
            .map_err(|error| GuildError::File { path: self.path, source: Box::new(error) })?;
        Ok(File {
            database: Mutex::new(Some(database)),
            queue: Mutex::new(Queue { batches: Some(batches), submitted: 0, writer: Some(writer) }),
            progress,
        })
    }
}

impl File {
    pub(super) fn submit(&self, effects: Effects, last_id: Snowflake) -> u64 {
        let mut queue = self.queue.lock();
        if effects.writes.is_empty() && effects.events.is_empty() {
            return queue.submitted;
        }
        queue.submitted += 1;
        let number = queue.submitted;
        if let Some(batches) = &queue.batches {
            // A writer that is gone has left its reason in `progress`, where the caller will find it.
            let _gone =
                batches.send(Batch { number, writes: effects.writes, events: effects.events, last_id });
        }
        number
    }

    pub(super) fn progress(&self) -> watch::Receiver<Result<u64, String>> {
        self.progress.clone()
    }

    pub(super) fn read_blob(&self, id: Snowflake, start: u64, len: u64) -> Result<Bytes, String> {
        let database = self.database.lock().clone().ok_or("the data file was closed")?;
        read_pieces(&database, id, start, len).map_err(|error| error.to_string())
    }

    pub(super) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.batches = None;
        if let Some(writer) = queue.writer.take() {
            // A panic of the writer has been printed where it happened.
            let _panicked = writer.join();
        }
        *self.database.lock() = None;
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.close();
    }
}

fn write_batches(
    database: &Database,
    received: &mpsc::Receiver<Batch>,
    progress: &watch::Sender<Result<u64, String>>,
    publish: &Publish,
) {
    while let Ok(first) = received.recv() {
        let mut group = vec![first];
        group.extend(received.try_iter().take(255));
        let written = write_group(database, &group);
        if let Err(error) = written {
            let _nobody = progress.send(Err(format!("the data file cannot be written: {error}")));
            return;
        }
        let last = group.last().map_or(0, |batch| batch.number);
        for batch in group {
            publish(batch.events);
        }
        let _nobody = progress.send(Ok(last));
    }
}

fn write_group(database: &Database, group: &[Batch]) -> Result<(), Boxed> {
    if group.iter().all(|batch| batch.writes.is_empty()) {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    apply(&transaction, group.iter().flat_map(|batch| &batch.writes))?;
    let last_id = group.iter().map(|batch| batch.last_id).max().unwrap_or(0);
    transaction.open_table(NUMBERS)?.insert("last_id", last_id)?;
    Ok(transaction.commit()?)
}

/// Makes all tables, so that they can be read whatever was written so far.
fn create_tables(transaction: &WriteTransaction) -> Result<(), Boxed> {
    drop(transaction.open_table(USERS)?);
    drop(transaction.open_table(GUILDS)?);
    drop(transaction.open_table(CHANNELS)?);
    drop(transaction.open_table(MESSAGES)?);
    drop(transaction.open_table(INVITES)?);
    drop(transaction.open_table(COMMANDS)?);
    drop(transaction.open_table(NONCES)?);
    drop(transaction.open_table(PIECES)?);
    Ok(())
}

fn apply<'a>(transaction: &WriteTransaction, writes: impl Iterator<Item = &'a Write>) -> Result<(), Boxed> {
    // Most transactions touch two or three tables, and each that is opened costs something at the commit.
    let (mut users, mut guilds, mut channels) = (None, None, None);
    let (mut messages, mut nonces, mut pieces) = (None, None, None);
    let (mut invites, mut commands) = (None, None);
    for write in writes {
        match write {
            Write::User(user) => {
                lazily(&mut users, transaction, USERS)?.insert(user.id, json(user)?.as_slice())?;
            }
            Write::Guild(guild) => {
                lazily(&mut guilds, transaction, GUILDS)?.insert(guild.id, json(guild)?.as_slice())?;
            }
            Write::Channel(channel) => {
                lazily(&mut channels, transaction, CHANNELS)?
                    .insert(channel.id, json(channel)?.as_slice())?;
            }
            Write::DropChannel(id) => drop(lazily(&mut channels, transaction, CHANNELS)?.remove(id)?),
            Write::Message(message) => {
                let key = (message.channel_id, message.id);
                lazily(&mut messages, transaction, MESSAGES)?
                    .insert(key, json(message.as_ref())?.as_slice())?;
            }
            Write::DropMessage(channel, id) => {
                lazily(&mut messages, transaction, MESSAGES)?.remove((*channel, *id))?;
            }
            Write::Invite(invite) => {
                lazily(&mut invites, transaction, INVITES)?
                    .insert(invite.code.as_str(), json(invite)?.as_slice())?;
            }
            Write::DropInvite(code) => {
                drop(lazily(&mut invites, transaction, INVITES)?.remove(code.as_str())?);
            }
            Write::Command(command) => {
                lazily(&mut commands, transaction, COMMANDS)?
                    .insert(command.id, json(command)?.as_slice())?;
            }
            Write::DropCommand(id) => drop(lazily(&mut commands, transaction, COMMANDS)?.remove(id)?),
            Write::Nonce(used) => {
                lazily(&mut nonces, transaction, NONCES)?.insert(used.message_id, json(used)?.as_slice())?;
            }
            Write::DropNonce(used) => {
                drop(lazily(&mut nonces, transaction, NONCES)?.remove(used.message_id)?);
            }
            Write::Blob(id, bytes) => {
                let pieces = lazily(&mut pieces, transaction, PIECES)?;
                for (number, piece) in (0_u64..).zip(bytes.chunks(PIECE)) {
                    pieces.insert((*id, number), piece)?;
                }
            }
            Write::DropBlob(id, len) => {
                let pieces = lazily(&mut pieces, transaction, PIECES)?;
                for number in 0..len.div_ceil(PIECE as u64) {
                    pieces.remove((*id, number))?;
                }
            }
        }
    }
    Ok(())
}

fn lazily<'a, 't, K: redb::Key + 'static, V: redb::Value + 'static>(
    slot: &'a mut Option<Table<'t, K, V>>,
    transaction: &'t WriteTransaction,
    definition: TableDefinition<'_, K, V>,
) -> Result<&'a mut Table<'t, K, V>, Boxed> {
    if slot.is_none() {
        *slot = Some(transaction.open_table(definition)?);
    }
    slot.as_mut().ok_or_else(|| "the table was just opened".into())
}

fn json(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(value)
}

fn read_pieces(database: &Database, id: Snowflake, start: u64, len: u64) -> Result<Bytes, Boxed> {
    let size = PIECE as u64;
    let transaction = database.begin_read()?;
    let pieces = transaction.open_table(PIECES)?;
    let mut bytes = BytesMut::with_capacity(usize::try_from(len)?);
    let end = start + len;
    for number in start / size..end.div_ceil(size) {
        let piece = pieces.get((id, number))?.ok_or("a piece of the attachment is missing")?;
        let (from, to) = (start.saturating_sub(number * size), (end - number * size).min(size));
        let part = piece.value().get(usize::try_from(from)?..usize::try_from(to)?);
        bytes.extend_from_slice(part.ok_or("a piece of the attachment is too short")?);
    }
    Ok(bytes.freeze())
}

fn explain(path: &Path, error: DatabaseError) -> GuildError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            GuildError::InUse { path }
        }
        DatabaseError::UpgradeRequired(version) => {
            GuildError::Format { path, found: format!("file {version}"), expected: FORMAT }
        }
        DatabaseError::Storage(StorageError::Corrupted(reason)) => GuildError::Damaged { path, reason },
        DatabaseError::Storage(StorageError::Io(error))
            if matches!(
                error.kind(),
                std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
            ) =>
        {
            GuildError::Damaged { path, reason: error.to_string() }
        }
        DatabaseError::RepairAborted => GuildError::Damaged { path, reason: error.to_string() },
        error => GuildError::File { path, source: Box::new(error) },
    }
}

fn read_all(path: &Path, database: &Database) -> Result<Option<Snapshot>, GuildError> {
    let damaged = |reason: String| GuildError::Damaged { path: path.to_owned(), reason };
    let transaction = database.begin_read().map_err(|error| damaged(error.to_string()))?;
    let tables = transaction.list_tables().map_err(|error| damaged(error.to_string()))?.count();
    if tables == 0 {
        return Ok(None);
    }
    let numbers = transaction.open_table(NUMBERS).map_err(|error| damaged(error.to_string()))?;
    let number = |name: &str| -> Result<u64, GuildError> {
        Ok(numbers.get(name).map_err(|error| damaged(error.to_string()))?.map_or(0, |found| found.value()))
    };
    let format = number("format")?;
    if format != FORMAT {
        return Err(GuildError::Format {
            path: path.to_owned(),
            found: format.to_string(),
            expected: FORMAT,
        });
    }
    let read = || -> Result<Snapshot, Boxed> {
        let meta = transaction.open_table(META)?;
        let home = meta.get("home")?.ok_or("it names no guild")?;
        let secret = meta.get("secret")?.ok_or("it has no key")?;
        Ok(Snapshot {
            home: serde_json::from_slice(home.value())?,
            secret: secret.value().try_into()?,
            last_id: 0,
            users: rows(&transaction.open_table(USERS)?)?,
            guilds: rows(&transaction.open_table(GUILDS)?)?,
            channels: rows(&transaction.open_table(CHANNELS)?)?,
            messages: rows(&transaction.open_table(MESSAGES)?)?,
            // Older files lack these.
            invites: rows_if_any(transaction.open_table(INVITES))?,
            commands: rows_if_any(transaction.open_table(COMMANDS))?,
            nonces: rows(&transaction.open_table(NONCES)?)?,
        })
    };
    let snapshot = read().map_err(|error| damaged(error.to_string()))?;
    Ok(Some(Snapshot { last_id: number("last_id")?, ..snapshot }))
}

fn rows_if_any<K: redb::Key + 'static, T: DeserializeOwned>(
    table: Result<ReadOnlyTable<K, &'static [u8]>, TableError>,
) -> Result<Vec<T>, Boxed> {
    match table {
        Ok(table) => rows(&table),
        Err(TableError::TableDoesNotExist(_)) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn rows<K: redb::Key + 'static, T: DeserializeOwned>(
    table: &impl ReadableTable<K, &'static [u8]>,
) -> Result<Vec<T>, Boxed> {
    let mut all = Vec::new();
    for row in table.iter()? {
        let (_, value) = row?;
        all.push(serde_json::from_slice(value.value())?);
    }
    Ok(all)
}

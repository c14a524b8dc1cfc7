//! The one error type: a kind to branch on, a sentence to act on, and where it happened.

use std::fmt;
use std::sync::Arc;

use crate::ids::{ChannelId, CommitId, MessageId};

mod violation;

pub use violation::{Reason, Violation};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of thing went wrong. Each kind says what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The database is not connected: call `connect` first, or it was closed.
    NotConnected,
    /// The database is connected already.
    AlreadyConnected,
    /// No table of that name was registered: call `db.table::<T>()`.
    UnknownTable,
    /// Two structs claim one table name; names that differ only in case are one.
    DuplicateTable,
    /// The table was registered after `connect`: call `db.build_tables()`.
    TableNotReady,
    /// The bot is in no guild that fits: invite it with the link in the message.
    GuildNotFound,
    /// More than one guild fits: choose one by its id.
    AmbiguousGuild,
    /// The bot lacks permissions: grant those the message lists.
    MissingPermissions,
    /// A channel of the database was deleted, or is hidden from the bot.
    MissingChannel,
    /// The guild has no room for the channels the tables need.
    GuildFull,
    /// A struct differs from the table it was registered as.
    SchemaChanged,
    /// A record with this key exists.
    DuplicateKey,
    /// A record with this value in a unique column exists.
    UniqueViolated,
    /// A key field of a saved record was changed.
    KeyChanged,
    /// A record refers to one that is not there: save that one first, or both in one session.
    NoParent,
    /// A record can't be deleted, because others refer to it: delete or change those first, or in the same session.
    StillReferenced,
    /// References would have deletes go from table to table in a circle.
    CyclicCascade,
    /// Fields break rules that their struct declares: [`Error::violations`] lists them all.
    Violated,
    /// A text or bytes value is longer than its column allows.
    TooLong,
    /// A commit does not fit into one frame.
    TooLarge,
    /// The result of an expression does not fit its field, or the expression divides by zero: nothing was written.
    Arithmetic,
    /// A value its column can't hold, a stored value its field can't hold, a name Discord can't hold, or an argument
    /// that means nothing.
    Invalid,
    /// Somebody changed or deleted the record since it was read: read it again and retry.
    Conflict,
    /// A deadline passed before the write was accepted, because the queue was full: nothing was written, try again.
    Busy,
    /// Nobody knows yet whether the commit is durable: ask `db.outcome`.
    UnknownOutcome,
    /// Another process owns the database now: nothing more is written from here.
    Fenced,
    /// The database is encrypted, and no key was given.
    KeyMissing,
    /// The key is not the one the database is encrypted with.
    WrongKey,
    /// A key was given for a database that is not encrypted.
    NotEncrypted,
    /// Something sealed does not open although the key is the right one: somebody changed it, or put it elsewhere.
    Tampered,
    /// This process follows the database: write where it is open for writing, or call `db.promote()`.
    ReadOnly,
    /// The database, or a table of it, is not in the guild yet, and a process that follows creates nothing: open it for
    /// writing once.
    NotCreated,
    /// A message of the database can't be read as what it should be.
    Corrupt,
    /// The journal has a hole, or its newest frames are gone: messages were deleted.
    Damaged,
    /// A migration step, or how the program's steps go with those of the database, is wrong.
    Migration,
    /// `find_unique` found nothing.
    NotFound,
    /// `find_unique` found more than one record.
    NotUnique,
    /// Discord does not accept the token.
    Unauthorized,
    /// The server can't be reached, or did not answer in time.
    Unreachable,
    /// Discord refused a request for a reason no other kind names, or the system gave no thread or runtime.
    Refused,
    /// The local guild could not be started or its file not be opened.
    LocalGuild,
}

/// What went wrong, where, and what to do about it.
///
/// ```
/// # use discobase_core::{Error, ErrorKind};
/// fn retry(error: &Error) -> bool {
///     error.kind() == ErrorKind::Conflict
/// }
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    place: Place,
    violations: Vec<Violation>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// Where an error happened, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The table.
    pub table: Option<String>,
    /// The field of the struct.
    pub field: Option<String>,
    /// The key, or the value of a unique column, as text.
    pub key: Option<String>,
    /// The place of the record among those that were saved together, of which the first is 0.
    pub position: Option<usize>,
    /// The channel.
    pub channel: Option<ChannelId>,
    /// The message.
    pub message: Option<MessageId>,
    /// The commit.
    pub commit: Option<CommitId>,
}

impl Error {
    /// An error of `kind` whose message is one sentence that says what happened and what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let (place, violations) = (Place::default(), Vec::new());
        Self(Arc::new(Inner { kind, message: message.into(), place, violations, source: None }))
    }

    /// Every rule that was broken, if the kind is [`ErrorKind::Violated`]; empty otherwise.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// The error that says what these violations are; a single field is its place, too.
    pub(crate) fn violated(violations: Vec<Violation>) -> Self {
        let texts: Vec<String> = violations.iter().map(Violation::to_string).collect();
        let text = match texts.as_slice() {
            [one] => format!("a rule is broken: {one}"),
            many => format!("{} rules are broken: {}", many.len(), many.join("; ")),
        };
        let field = match violations.as_slice() {
            [one] if !one.field().is_empty() => Some(one.field().to_owned()),
            _ => None,
        };
        Self::new(ErrorKind::Violated, text).with(|inner| {
            inner.place.field = field;
            inner.violations = violations;
        })
    }

    /// What kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where it happened.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// What happened and what to do, without where.
    pub(crate) fn text(&self) -> &str {
        &self.0.message
    }

    /// The same at the same place, in other words.
    pub(crate) fn saying(self, text: impl Into<String>) -> Self {
        self.with(|inner| inner.message = text.into())
    }

    /// The commit whose outcome is unknown, if that is the error.
    #[must_use]
    pub fn commit(&self) -> Option<CommitId> {
        self.0.place.commit
    }

    /// Names the table.
    #[must_use]
    pub fn in_table(self, table: impl Into<String>) -> Self {
        self.with(|inner| inner.place.table = Some(table.into()))
    }

    /// Names the field.
    #[must_use]
    pub fn in_field(self, field: impl Into<String>) -> Self {
        self.with(|inner| inner.place.field = Some(field.into()))
    }

    /// Names the key.
    #[must_use]
    pub fn with_key(self, key: impl Into<String>) -> Self {
        self.with(|inner| inner.place.key = Some(key.into()))
    }

    /// Says which of the records it is that were saved together.
    #[must_use]
    pub fn at_position(self, position: usize) -> Self {
        self.with(|inner| inner.place.position = Some(position))
    }

    /// Names the channel.
    #[must_use]
    pub fn in_channel(self, channel: ChannelId) -> Self {
        self.with(|inner| inner.place.channel = Some(channel))
    }

    /// Names the message.
    #[must_use]
    pub fn in_message(self, message: MessageId) -> Self {
        self.with(|inner| inner.place.message = Some(message))
    }

    /// Names the commit.
    #[must_use]
    pub fn of_commit(self, commit: CommitId) -> Self {
        self.with(|inner| inner.place.commit = Some(commit))
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn caused_by(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.with(|inner| inner.source = Some(Arc::new(source)))
    }

    /// Says first where it happened, in words.
    #[must_use]
    pub(crate) fn within(self, place: &str) -> Self {
        self.with(|inner| inner.message = format!("{place}: {}", inner.message))
    }

    /// The error as a log may show it: without the key, which is a value of a row.
    pub(crate) fn for_log(&self) -> Self {
        self.clone().with(|inner| inner.place.key = None)
    }

    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        change(&mut inner);
        Self(Arc::new(inner))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let place = &self.0.place;
        let mut parts = Vec::new();
        place.table.iter().for_each(|table| parts.push(format!("table {table}")));
        place.field.iter().for_each(|field| parts.push(format!("field {field}")));
        place.key.iter().for_each(|key| parts.push(format!("key {key}")));
        place
            .position
            .iter()
            .for_each(|position| parts.push(format!("record {position} of those saved together")));
        place.channel.iter().for_each(|channel| parts.push(format!("channel {channel}")));
        place.message.iter().for_each(|message| parts.push(format!("message {message}")));
        place.commit.iter().for_each(|commit| parts.push(format!("commit {commit}")));
        if parts.is_empty() { Ok(()) } else { write!(f, " ({})", parts.join(", ")) }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)?;
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            write!(f, "; caused by: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

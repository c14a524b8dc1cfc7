//! What looking at a database found: one entry for each thing that is not as it should be.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::ids::{ChannelId, MessageId, Seq};

/// What [`Database::verify`](crate::Database::verify) found, and how much it looked at.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// What is not as it should be, the gravest first.
    pub deviations: Vec<Deviation>,
    /// How many more there are than are listed.
    pub omitted: u64,
    /// The commit as of which memory and guild were compared.
    pub seq: Seq,
    /// Messages that were read: of the journal, the catalog, and the channels of tables and indexes.
    pub messages: u64,
    /// Frames on the chain.
    pub frames: u64,
    /// Segments that were downloaded and read.
    pub segments: u64,
    /// Rows that were compared: of segments and of commits.
    pub rows: u64,
    /// Entries of indexes that were compared.
    pub entries: u64,
    /// Requests that were sent.
    pub requests: u64,
    /// Bytes of the files that were downloaded.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// Whether everything is as it should be.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.deviations.is_empty()
    }

    /// The deviations of one kind.
    pub fn of(&self, kind: DeviationKind) -> impl Iterator<Item = &Deviation> {
        self.deviations.iter().filter(move |deviation| deviation.kind == kind)
    }
}

impl fmt::Display for Report {
    /// A line for each deviation, and one that says how much was looked at.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for deviation in &self.deviations {
            writeln!(f, "{deviation}")?;
        }
        if self.omitted > 0 {
            writeln!(f, "and {} more", self.omitted)?;
        }
        write!(
            f,
            "{} deviations as of commit {}: {} messages, {} frames, {} segments, {} rows and {} index entries in {} \
             requests, {} bytes of files, {:.1?}",
            self.deviations.len() as u64 + self.omitted,
            self.seq,
            self.messages,
            self.frames,
            self.segments,
            self.rows,
            self.entries,
            self.requests,
            self.bytes,
            self.took
        )
    }
}

/// Something in the guild that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Deviation {
    /// What kind of thing.
    pub kind: DeviationKind,
    /// The table it concerns.
    pub table: Option<String>,
    /// The field, or fields.
    pub field: Option<String>,
    /// The key of the record.
    pub key: Option<String>,
    /// The channel.
    pub channel: Option<ChannelId>,
    /// The message; of a hole in the journal the one behind it.
    pub message: Option<MessageId>,
    /// A sentence that says what is wrong and what to do.
    pub text: String,
}

/// What kind of deviation it is, in the order of how grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeviationKind {
    /// Frames of the journal were deleted: something follows them.
    DeletedFrames,
    /// Commits that this process has in memory are not on the journal's chain any more.
    LostCommits,
    /// A frame's message was edited.
    EditedFrame,
    /// A message of the bot's in the journal claims to be a frame, and is none that can be read or applied.
    DamagedFrame,
    /// A channel of the database was deleted.
    MissingChannel,
    /// A channel of the database is hidden from the bot.
    HiddenChannel,
    /// A segment, or its file, was deleted.
    MissingSegment,
    /// A segment's message has another file than the checkpoint names.
    SwappedSegment,
    /// A segment can't be read.
    DamagedSegment,
    /// Rows in the guild are not the rows in memory.
    RowsDiffer,
    /// An index's segments do not say what the rows' do.
    IndexDiffers,
    /// A record refers to one that is not there.
    BrokenReference,
    /// A table's definition in the guild is not the one in memory.
    DefinitionDiffers,
    /// What this process has in memory is too old to be compared.
    NotCompared,
    /// A channel shows itself to people who should not see it.
    ExposedChannel,
    /// The bot lacks permissions in a channel.
    MissingPermissions,
    /// A channel has another topic than the one it is found by.
    WrongTopic,
    /// A channel is not in a category of the database.
    MisplacedChannel,
    /// A second channel says that it is what another one is.
    DuplicateChannel,
    /// A table has no metadata message in the catalog.
    MissingMetadata,
    /// A metadata message says something else than the table.
    StaleMetadata,
    /// A segment that no checkpoint names: it takes up room.
    OrphanSegment,
    /// A message that is not the database's.
    ForeignMessage,
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        let mut parts = Vec::new();
        self.table.iter().for_each(|table| parts.push(format!("table {table}")));
        self.field.iter().for_each(|field| parts.push(format!("field {field}")));
        self.key.iter().for_each(|key| parts.push(format!("key {key}")));
        self.channel.iter().for_each(|channel| parts.push(format!("channel {channel}")));
        self.message.iter().for_each(|message| parts.push(format!("message {message}")));
        if parts.is_empty() { Ok(()) } else { write!(f, " ({})", parts.join(", ")) }
    }
}

impl Deviation {
    pub(super) fn new(kind: DeviationKind, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { kind, table: None, field: None, key: None, channel: None, message: None, text }
    }

    pub(super) fn table(self, table: &str) -> Self {
        Self { table: Some(table.to_owned()), ..self }
    }

    pub(super) fn field(self, field: String) -> Self {
        Self { field: Some(field), ..self }
    }

    pub(super) fn key(self, key: String) -> Self {
        Self { key: Some(key), ..self }
    }

    pub(super) fn channel(self, channel: ChannelId) -> Self {
        Self { channel: Some(channel), ..self }
    }

    pub(super) fn message(self, message: MessageId) -> Self {
        Self { message: Some(message), ..self }
    }
}

/// So many deviations are kept of each kind.
pub(super) const KEPT: usize = 200;

/// What one walk through the guild found.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    pub(super) list: BTreeSet<Deviation>,
    pub(super) omitted: u64,
}

impl Findings {
    /// What other findings have, too.
    pub(super) fn also_in(&self, other: &Self) -> Self {
        let list = self.list.intersection(&other.list).cloned().collect();
        Self { list, omitted: self.omitted.min(other.omitted) }
    }

    /// There are so many more than can be listed.
    pub(super) fn omit(&mut self, more: u64) {
        self.omitted += more;
    }

    pub(super) fn add(&mut self, deviation: Deviation) {
        if self.list.contains(&deviation) {
            return;
        }
        if self.list.iter().filter(|known| known.kind == deviation.kind).count() >= KEPT {
            self.omitted += 1;
        } else {
            self.list.insert(deviation);
        }
    }
}

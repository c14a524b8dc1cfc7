//! What a transport takes and gives: guilds, channels, messages, events.

use std::fmt;
use std::ops::BitOr;
use std::time::Duration;

use bytes::Bytes;

use crate::ids::{ChannelId, GuildId, MessageId, UserId};

/// The bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotUser {
    /// Its user id.
    pub id: UserId,
    /// Its name.
    pub name: String,
    /// The id of its application, which the invite link names.
    pub application: u64,
}

/// A guild the bot is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guild {
    /// Its id.
    pub id: GuildId,
    /// Its name.
    pub name: String,
    /// What the bot may do in it; everything, if the bot is an administrator.
    pub permissions: Permissions,
}

/// What a channel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelRole {
    /// A category that holds channels.
    Category,
    /// A text channel.
    Text,
    /// Any other kind: never ours.
    Other,
}

/// A channel of a guild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// What kind it is.
    pub role: ChannelRole,
    /// Its name, as Discord normalised it.
    pub name: String,
    /// Its topic; empty if it has none.
    pub topic: String,
    /// The category it is in.
    pub parent: Option<ChannelId>,
    /// Whether the bot may see it, as far as a gateway event told; true for every channel that REST lists.
    pub visible: bool,
    /// What it allows and denies single roles and members (Discord docs, "Channel": Overwrite Object).
    pub overwrites: Vec<Overwrite>,
}

/// What a channel allows and denies a role or a member, against what they may do in the guild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overwrite {
    /// Of the role or of the member; `@everyone` is the role that has the guild's id.
    pub id: u64,
    /// Whether it is a member's.
    pub member: bool,
    /// What is allowed.
    pub allow: Permissions,
    /// What is denied.
    pub deny: Permissions,
}

/// A channel to be created, hidden from @everyone and open to the bot by overwrites in the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChannel {
    /// A category or a text channel.
    pub role: ChannelRole,
    /// Its name, 1 to 100 characters.
    pub name: String,
    /// Its topic, at most 1,024 characters; empty for none. Ignored for a category.
    pub topic: String,
    /// The category to put it in.
    pub parent: Option<ChannelId>,
    /// Who must be able to use it although it is hidden: the bot itself.
    pub visible_to: UserId,
}

/// A message as Discord holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Its channel.
    pub channel: ChannelId,
    /// Who wrote it.
    pub author: UserId,
    /// Its text; empty where Discord withholds it (Discord docs, "Gateway": Message Content Intent).
    pub content: String,
    /// Its files.
    pub attachments: Vec<Attachment>,
    /// Whether it was edited after it was posted.
    pub edited: bool,
    /// Whether it is an ordinary message, not one of the system's (joins, pins, boosts).
    pub ordinary: bool,
}

/// A file of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its id.
    pub id: u64,
    /// Its name, as Discord rewrote it.
    pub filename: String,
    /// Its size in bytes.
    pub size: u64,
    /// Where to download it; signed, and valid for about a day.
    pub url: String,
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL carries a signature that gives access to the file.
        f.debug_struct("Attachment")
            .field("id", &self.id)
            .field("filename", &self.filename)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// A message to be posted or to replace another's content. Mentions are off, embeds and notifications suppressed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewMessage {
    /// Its text, at most 2,000 characters.
    pub content: String,
    /// Its files, at most 10.
    pub attachments: Vec<NewAttachment>,
    /// The nonce, at most 25 characters, enforced; without one the post is not retried. Ignored by an edit.
    pub nonce: Option<String>,
}

/// A file to be uploaded.
#[derive(Clone, PartialEq, Eq)]
pub struct NewAttachment {
    /// Its name: ASCII letters, digits, `.`, `-` and `_`.
    pub filename: String,
    /// Its content.
    pub bytes: Bytes,
}

impl fmt::Debug for NewAttachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAttachment")
            .field("filename", &self.filename)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// Which page of a channel's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryPage {
    /// The newest messages.
    Newest,
    /// The oldest messages whose ids are higher.
    After(MessageId),
    /// The newest messages whose ids are lower.
    Before(MessageId),
}

/// What the gateway reports.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A message was posted.
    Posted(Message),
    /// A message was changed; of what, only a read tells.
    Edited {
        /// The channel.
        channel: ChannelId,
        /// The message.
        message: MessageId,
    },
    /// A message was deleted.
    Deleted {
        /// The channel.
        channel: ChannelId,
        /// The message.
        message: MessageId,
    },
    /// A channel was created, changed, or became visible or hidden.
    Channel(Channel),
    /// A channel was deleted.
    ChannelDeleted(ChannelId),
    /// The session is new: what happened before it may have been missed.
    Gap,
    /// The gateway is gone for good, with the reason; no more events follow.
    Closed(String),
}

/// Events, in the order the gateway gave them. Dropping it ends the interest, not the session.
pub type Events = tokio::sync::mpsc::UnboundedReceiver<Event>;

/// Counts since the transport was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// HTTP requests sent, retries included, downloads included.
    pub requests: u64,
    /// Answers with status 429.
    pub too_many_requests: u64,
    /// Retries after a 429, a 5xx or a lost answer.
    pub retries: u64,
    /// Bytes of request bodies.
    pub bytes_sent: u64,
    /// Bytes of response bodies.
    pub bytes_received: u64,
}

/// How many more requests of a kind Discord takes for now, as far as its replies told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How many it takes in all from one reset to the next.
    pub limit: u32,
    /// How many of them are left, those in flight not counted.
    pub remaining: u32,
    /// In what time the count begins anew. `None`: none was sent since it last did, and the next one starts it.
    pub resets_in: Option<Duration>,
    /// About how long a count lasts.
    pub span: Duration,
}

/// Permissions of the bot, as Discord numbers them (Discord docs, "Permissions").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Permissions(pub u64);

impl Permissions {
    /// See every channel as if allowed everything.
    pub const ADMINISTRATOR: Self = Self(1 << 3);
    /// Create, edit and delete channels.
    pub const MANAGE_CHANNELS: Self = Self(1 << 4);
    /// See a channel.
    pub const VIEW_CHANNEL: Self = Self(1 << 10);
    /// Post messages.
    pub const SEND_MESSAGES: Self = Self(1 << 11);
    /// Delete others' messages, and many at once.
    pub const MANAGE_MESSAGES: Self = Self(1 << 13);
    /// Upload files.
    pub const ATTACH_FILES: Self = Self(1 << 15);
    /// Read the messages that were there before.
    pub const READ_MESSAGE_HISTORY: Self = Self(1 << 16);

    /// What the engine needs, with the names Discord's settings show.
    pub const REQUIRED: [(Self, &'static str); 6] = [
        (Self::VIEW_CHANNEL, "View Channels"),
        (Self::MANAGE_CHANNELS, "Manage Channels"),
        (Self::SEND_MESSAGES, "Send Messages"),
        (Self::MANAGE_MESSAGES, "Manage Messages"),
        (Self::ATTACH_FILES, "Attach Files"),
        (Self::READ_MESSAGE_HISTORY, "Read Message History"),
    ];

    /// Whether all of `other` is granted; an administrator is granted everything.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & Self::ADMINISTRATOR.0 != 0 || self.0 & other.0 == other.0
    }

    /// The sum of what the engine needs, for an invite link.
    #[must_use]
    pub fn required() -> Self {
        Self::REQUIRED.iter().fold(Self::default(), |sum, (permission, _)| sum | *permission)
    }

    /// The names of what the engine needs and these permissions lack.
    #[must_use]
    pub fn missing(self) -> Vec<&'static str> {
        Self::REQUIRED.iter().filter(|(one, _)| !self.contains(*one)).map(|(_, name)| *name).collect()
    }

    /// The names of what a process needs that only reads, and these permissions lack.
    #[must_use]
    pub fn missing_to_read(self) -> Vec<&'static str> {
        let needed = Self::VIEW_CHANNEL | Self::READ_MESSAGE_HISTORY;
        let lacks = |one: Self| needed.contains(one) && !self.contains(one);
        Self::REQUIRED.iter().filter(|(one, _)| lacks(*one)).map(|(_, name)| *name).collect()
    }
}

impl BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

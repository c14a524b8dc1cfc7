//! The nouns of a guild as they are kept: plain data, no rules.
//!
//! Callers: `state` mutates them, `wire` turns them into Discord's JSON, `store` writes them down.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

use super::snowflake::Snowflake;

/// A person or a bot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: Snowflake,
    /// Its unique name.
    pub name: String,
    /// The application behind a bot; people have none.
    pub application: Option<Application>,
}

/// The application that owns a bot user, with its settings in the developer portal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Application {
    /// Its id. For applications made since 2016 it is the bot user's id.
    pub id: Snowflake,
    /// The bot's token.
    pub token: String,
    /// Whether the privileged intent MESSAGE_CONTENT is switched on in the portal.
    pub message_content: bool,
    /// Whether the privileged intent GUILD_MEMBERS is switched on in the portal.
    pub guild_members: bool,
    /// Whether the privileged intent GUILD_PRESENCES is switched on in the portal.
    pub guild_presences: bool,
}

/// A guild with its roles and members. Channels are kept beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Guild {
    /// Its id, which is also the id of its @everyone role.
    pub id: Snowflake,
    /// Its name.
    pub name: String,
    /// The member who may do everything.
    pub owner_id: Snowflake,
    /// Roles by id, @everyone among them.
    pub roles: BTreeMap<Snowflake, Role>,
    /// Members by user id.
    pub members: BTreeMap<Snowflake, Member>,
}

/// A role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Role {
    /// Its id.
    pub id: Snowflake,
    /// Its name.
    pub name: String,
    /// Its permission bits.
    pub permissions: u64,
    /// Its place in the hierarchy; @everyone has 0.
    pub position: u64,
    /// The bot whose own role this is.
    pub bot_id: Option<Snowflake>,
}

/// A user in a guild.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    /// The user.
    pub user_id: Snowflake,
    /// The roles beside @everyone.
    pub roles: Vec<Snowflake>,
    /// When the user joined, in milliseconds since the Unix epoch.
    pub joined_at: u64,
}

/// The kinds of channel that a guild can hold here.
pub mod channel_kind {
    /// A text channel.
    pub const TEXT: u8 = 0;
    /// A voice channel.
    pub const VOICE: u8 = 2;
    /// A category.
    pub const CATEGORY: u8 = 4;
    /// An announcement channel.
    pub const ANNOUNCEMENT: u8 = 5;
    /// A thread in an announcement channel.
    pub const ANNOUNCEMENT_THREAD: u8 = 10;
    /// A thread that all see who see its channel.
    pub const PUBLIC_THREAD: u8 = 11;
    /// A thread that its members see.
    pub const PRIVATE_THREAD: u8 = 12;
}

/// A channel, a category or a thread.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Channel {
    /// Its id.
    pub id: Snowflake,
    /// The guild it is in.
    pub guild_id: Snowflake,
    /// One of [`channel_kind`].
    pub kind: u8,
    /// Its name, already normalised.
    pub name: String,
    /// Its topic.
    pub topic: Option<String>,
    /// Its category; of a thread the channel it is in.
    pub parent_id: Option<Snowflake>,
    /// Its place in the list.
    pub position: u64,
    /// What it allows and denies beyond the roles.
    pub overwrites: Vec<Overwrite>,
    /// Whether it is age-restricted.
    pub nsfw: bool,
    /// Slow mode in seconds; bots are not slowed.
    pub rate_limit_per_user: u64,
    /// The id of the newest message ever posted, which may have been deleted since.
    pub last_message_id: Option<Snowflake>,
    /// When the newest of its pins was pinned, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub last_pin_at: Option<u64>,
    /// What only threads have.
    #[serde(default)]
    pub thread: Option<Thread>,
}

/// What makes a channel a thread. Times are milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Who started it.
    pub owner_id: Snowflake,
    /// Whether it is archived.
    pub archived: bool,
    /// Whether only moderators may unarchive it.
    pub locked: bool,
    /// After how many minutes without activity it leaves the channel list; kept, without effect.
    pub auto_archive_minutes: u64,
    /// When its archive status last changed.
    pub archive_at: u64,
    /// When it was made.
    pub created_at: u64,
    /// Whether its members may bring in others; of private threads alone.
    pub invitable: Option<bool>,
    /// Its members, and when they joined.
    pub members: BTreeMap<Snowflake, u64>,
    /// How many messages it holds.
    pub message_count: u64,
    /// How many it ever held.
    pub total_message_sent: u64,
}

impl Channel {
    /// Whether messages can be posted in it.
    pub fn takes_messages(&self) -> bool {
        self.kind != channel_kind::CATEGORY
    }
}

/// A permission overwrite of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overwrite {
    /// The role or the member it is about.
    pub id: Snowflake,
    /// Whether `id` is a member; otherwise a role.
    pub member: bool,
    /// What it allows.
    pub allow: u64,
    /// What it denies.
    pub deny: u64,
}

/// A nonce as it was sent: Discord echoes integers as integers and strings as strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Nonce {
    /// An integer.
    Number(i64),
    /// A string of at most 25 characters.
    Text(String),
}

impl Nonce {
    /// The form in which nonces are compared.
    pub fn key(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// The kinds of message that are made here. Discord docs, "Message": Message Types.
pub mod message_kind {
    /// An ordinary message.
    pub const DEFAULT: u8 = 0;
    /// The note that a message was pinned.
    pub const CHANNEL_PINNED_MESSAGE: u8 = 6;
    /// A reply.
    pub const REPLY: u8 = 19;
    /// The answer to a slash command.
    pub const CHAT_INPUT_COMMAND: u8 = 20;
    /// The first message of a thread that was started from a message.
    pub const THREAD_STARTER_MESSAGE: u8 = 21;
    /// The answer to a command on a user or on a message.
    pub const CONTEXT_MENU_COMMAND: u8 = 23;

    /// Whether somebody wrote it, rather than Discord itself.
    pub fn is_written(kind: u8) -> bool {
        !matches!(kind, CHANNEL_PINNED_MESSAGE | THREAD_STARTER_MESSAGE)
    }
}

/// A message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: Snowflake,
    /// The channel it is in.
    pub channel_id: Snowflake,
    /// Who wrote it.
    pub author_id: Snowflake,
    /// Its text, trimmed and stripped.
    pub content: String,
    /// When it was last edited, in milliseconds since the Unix epoch.
    pub edited_at: Option<u64>,
    /// One of [`message_kind`].
    pub kind: u8,
    /// Message flags.
    pub flags: u64,
    /// Whether it was sent with text to speech.
    pub tts: bool,
    /// Whether it mentions everyone.
    pub mention_everyone: bool,
    /// The users it mentions.
    pub mentions: Vec<Snowflake>,
    /// The roles it mentions.
    pub mention_roles: Vec<Snowflake>,
    /// When it was pinned, in milliseconds since the Unix epoch, if it is.
    #[serde(default)]
    pub pinned_at: Option<u64>,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Embeds, as they were sent.
    pub embeds: Vec<Value>,
    /// Components, as they were sent.
    pub components: Vec<Value>,
    /// The message this one replies to, or tells about.
    pub reply_to: Option<Snowflake>,
    /// The nonce it was created with; shown to the creator and on the gateway only.
    pub nonce: Option<Nonce>,
    /// The reactions to it, in the order in which their emoji came first.
    #[serde(default)]
    pub reactions: Vec<Reaction>,
    /// The interaction that it answers.
    #[serde(default)]
    pub answers: Option<Answered>,
}

/// An emoji and who reacted with it, in that order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// The emoji, as Unicode has it.
    pub emoji: String,
    /// Those who reacted; at least one.
    pub users: Vec<Snowflake>,
}

/// The interaction behind a message. Discord docs, "Message": Message Interaction Metadata Object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The interaction.
    pub interaction_id: Snowflake,
    /// Its type: 2 a command, 3 a component, 5 a modal.
    pub kind: u8,
    /// The name of the command; nothing for components and modals.
    pub name: Option<String>,
    /// Who did it.
    pub user_id: Snowflake,
}

/// A command of an application. Discord docs, "Application Commands": Application Command Object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Its id.
    pub id: Snowflake,
    /// Whose it is.
    pub application_id: Snowflake,
    /// The guild it is for; all of the application's guilds if absent.
    pub guild_id: Option<Snowflake>,
    /// 1 for slash commands, 2 for commands on users, 3 for commands on messages.
    pub kind: u8,
    /// Its name, unique for its application, place and type.
    pub name: String,
    /// Grows with every change.
    pub version: Snowflake,
    /// All else, checked and as it was sent.
    pub fields: serde_json::Map<String, Value>,
}

/// A code by which people join a guild.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// The code.
    pub code: String,
    /// The guild it lets people into.
    pub guild_id: Snowflake,
    /// The channel they arrive in.
    pub channel_id: Snowflake,
    /// Who made it.
    pub inviter_id: Snowflake,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at: u64,
    /// For how many seconds it is valid; 0 is for ever.
    pub max_age: u64,
    /// How often it can be used; 0 is as often as one likes.
    pub max_uses: u64,
    /// How often it was used.
    pub uses: u64,
    /// Whether membership ends when the member goes offline; kept, without effect.
    pub temporary: bool,
}

impl Invite {
    /// When it ends, in milliseconds since the Unix epoch; nothing if it does not.
    pub fn expires_at(&self) -> Option<u64> {
        (self.max_age > 0).then(|| self.created_at + self.max_age * 1000)
    }
}

/// A file of a message. The bytes are kept elsewhere, under the same id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attachment {
    /// Its id.
    pub id: Snowflake,
    /// Its rewritten name.
    pub filename: String,
    /// The name it was sent with, without extension, when that differs.
    pub title: Option<String>,
    /// Its alternative text.
    pub description: Option<String>,
    /// Its media type.
    pub content_type: Option<String>,
    /// Its length in bytes.
    pub size: u64,
}

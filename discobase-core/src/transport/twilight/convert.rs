//! Discord's JSON as this crate's types.
//!
//! Only the fields that are used are read. Twilight's own models know every field, and so a message with a component
//! or a poll that is newer than they are cannot be read at all; anyone who may post to a channel could make its
//! history unreadable.

use serde::{Deserialize, de::IgnoredAny};
use twilight_model::id::Id;
use twilight_model::id::marker::{
    ApplicationMarker, AttachmentMarker, ChannelMarker, GuildMarker, MessageMarker, UserMarker,
};

use crate::ids::{ChannelId, GuildId, MessageId, UserId};
use crate::transport::{Attachment, Channel, ChannelRole, Guild, Message, Overwrite, Permissions};

/// The name of a channel that the bot may not view (Discord docs, "Gateway": Channel Obfuscation).
const HIDDEN_NAME: &str = "___hidden___";
/// The flag of such a channel.
const HIDDEN_FLAG: u64 = 1 << 17;

#[derive(Debug, Deserialize)]
pub(super) struct WireUser {
    pub(super) id: Id<UserMarker>,
    #[serde(default)]
    pub(super) username: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireApplication {
    pub(super) id: Id<ApplicationMarker>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireGuild {
    pub(super) id: Id<GuildMarker>,
    name: String,
    /// A decimal string (Discord docs, "Permissions").
    permissions: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireChannel {
    id: Id<ChannelMarker>,
    #[serde(rename = "type")]
    kind: u64,
    name: Option<String>,
    topic: Option<String>,
    parent_id: Option<Id<ChannelMarker>>,
    flags: Option<u64>,
    permission_overwrites: Option<Vec<WireOverwrite>>,
}

/// Numbers are decimal strings; what is none counts as nothing.
#[derive(Debug, Deserialize)]
struct WireOverwrite {
    id: String,
    #[serde(rename = "type")]
    kind: u64,
    #[serde(default)]
    allow: String,
    #[serde(default)]
    deny: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireMessage {
    id: Id<MessageMarker>,
    channel_id: Id<ChannelMarker>,
    author: WireUser,
    #[serde(default)]
    content: String,
    #[serde(default)]
    attachments: Vec<WireAttachment>,
    edited_timestamp: Option<IgnoredAny>,
    #[serde(rename = "type")]
    kind: u64,
}

#[derive(Debug, Deserialize)]
struct WireAttachment {
    id: Id<AttachmentMarker>,
    filename: String,
    size: u64,
    url: String,
}

/// The permissions are no number.
#[derive(Debug, thiserror::Error)]
#[error("the guild's permissions are no number")]
pub(super) struct NoPermissions;

impl TryFrom<WireGuild> for Guild {
    type Error = NoPermissions;

    fn try_from(guild: WireGuild) -> Result<Self, NoPermissions> {
        Ok(Self {
            id: GuildId::new(guild.id.get()),
            name: guild.name,
            permissions: Permissions(guild.permissions.parse().map_err(|_| NoPermissions)?),
        })
    }
}

impl From<WireChannel> for Channel {
    fn from(channel: WireChannel) -> Self {
        let name = channel.name.unwrap_or_default();
        let hidden = name == HIDDEN_NAME || channel.flags.unwrap_or(0) & HIDDEN_FLAG != 0;
        Self {
            id: ChannelId::new(channel.id.get()),
            // Discord docs, "Channel": Channel Types.
            role: match channel.kind {
                0 => ChannelRole::Text,
                4 => ChannelRole::Category,
                _ => ChannelRole::Other,
            },
            name,
            topic: channel.topic.unwrap_or_default(),
            parent: channel.parent_id.map(|id| ChannelId::new(id.get())),
            visible: !hidden,
            overwrites: channel.permission_overwrites.into_iter().flatten().map(Overwrite::from).collect(),
        }
    }
}

impl From<WireOverwrite> for Overwrite {
    fn from(overwrite: WireOverwrite) -> Self {
        let number = |text: &str| text.parse().unwrap_or(0);
        Self {
            id: number(&overwrite.id),
            // Discord docs, "Channel": Overwrite Object.
            member: overwrite.kind == 1,
            allow: Permissions(number(&overwrite.allow)),
            deny: Permissions(number(&overwrite.deny)),
        }
    }
}

impl From<WireMessage> for Message {
    fn from(message: WireMessage) -> Self {
        Self {
            id: MessageId::new(message.id.get()),
            channel: ChannelId::new(message.channel_id.get()),
            author: UserId::new(message.author.id.get()),
            content: message.content,
            attachments: message.attachments.into_iter().map(Attachment::from).collect(),
            edited: message.edited_timestamp.is_some(),
            // Discord docs, "Message": Message Types. Default, reply, and the answers to commands.
            ordinary: matches!(message.kind, 0 | 19 | 20 | 23),
        }
    }
}

impl From<WireAttachment> for Attachment {
    fn from(attachment: WireAttachment) -> Self {
        Self {
            id: attachment.id.get(),
            filename: attachment.filename,
            size: attachment.size,
            url: attachment.url,
        }
    }
}

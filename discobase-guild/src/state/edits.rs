//! Edits of messages.
//!
//! Callers: `http::messages`, answers to interactions and the direct door. Discord docs, "Message": Edit Message.

use serde_json::Value;
use std::sync::Arc;

use super::messages::{EPHEMERAL, LOADING, SUPPRESS_EMBEDS};
use super::model::{Attachment, Message};
use super::snowflake::Snowflake;
use super::{AllowedMentions, Refusal, State, Upload};
use super::{embeds, mentions, permission, text};

/// A change of a message. `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct MessageChange {
    /// The new text; the inner `None` takes the text away.
    pub content: Option<String>,
    /// The new embeds.
    pub embeds: Option<Vec<Value>>,
    /// The new components.
    pub components: Option<Vec<Value>>,
    /// The new flags; only SUPPRESS_EMBEDS can change.
    pub flags: Option<u64>,
    /// Whom the new text may ping.
    pub allowed_mentions: Option<AllowedMentions>,
    /// The attachments to keep; `None` keeps all.
    pub attachments: Option<Vec<Retained>>,
    /// New files.
    pub files: Vec<Upload>,
}

/// An entry of `attachments` in an edit: an attachment to keep, or a new file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retained {
    /// The attachment's id, or the number of a new file.
    pub id: u64,
    /// New alternative text; the inner `None` takes it away.
    pub description: Option<Option<String>>,
}

impl State {
    /// Edits a message.
    ///
    /// # Errors
    /// What Discord refuses: somebody else's message, a limit passed, nothing left in it.
    pub fn edit_message(
        &mut self,
        now_ms: u64,
        editor: Snowflake,
        channel_id: Snowflake,
        id: Snowflake,
        change: MessageChange,
    ) -> Result<Arc<Message>, Refusal> {
        let (channel, bits) = self.channel_for(editor, channel_id)?;
        Self::check_open(channel, bits)?;
        // Discord docs, "Threads": Active & Archived Threads.
        if channel.thread.as_ref().is_some_and(|thread| thread.archived) {
            return Err(Refusal::ARCHIVED);
        }
        let before = Arc::clone(self.message(channel_id, id).ok_or(Refusal::UNKNOWN_MESSAGE)?);
        if before.author_id != editor {
            // Discord docs, "Message": Edit Message. Others may change the flags alone, with MANAGE_MESSAGES.
            let flags_only = change.flags.is_some()
                && change.content.is_none()
                && change.embeds.is_none()
                && change.components.is_none()
                && change.attachments.is_none()
                && change.files.is_empty();
            if !flags_only {
                return Err(Refusal::NOT_THE_AUTHOR);
            }
            if bits & permission::MANAGE_MESSAGES == 0 {
                return Err(Refusal::MISSING_PERMISSIONS);
            }
        }
        if !change.files.is_empty() && bits & permission::ATTACH_FILES == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        self.change_message(now_ms, &before, bits, change, before.author_id == editor)
    }

    /// Changes a message for somebody who may.
    pub(super) fn change_message(
        &mut self,
        now_ms: u64,
        before: &Arc<Message>,
        bits: u64,
        change: MessageChange,
        is_edit: bool,
    ) -> Result<Arc<Message>, Refusal> {
        let guild_id = self.channels.get(&before.channel_id).ok_or(Refusal::UNKNOWN_CHANNEL)?.guild_id;
        let mut message = Message::clone(before);
        let errors = self.content_errors(
            change.content.as_deref().unwrap_or_default(),
            change.embeds.as_deref().unwrap_or_default(),
        );
        if !errors.is_empty() {
            return Err(Refusal::form(errors));
        }
        let dropped = retain(&mut message, change.attachments.as_deref(), &change.files)?;
        self.check_files(message.attachments.len(), &change.files)?;

        if let Some(content) = &change.content {
            message.content = text::content(content, self.limits.content_rules);
            // Edits are parsed for mentions anew, with the defaults unless they say otherwise.
            let everyone = bits & permission::MENTION_EVERYONE != 0;
            let guild = self.guilds.get(&guild_id);
            let allowed = change.allowed_mentions.as_ref();
            let found = mentions::find(&message.content, allowed, everyone, guild, &self.users);
            message.mentions = found.users;
            message.mention_roles = found.roles;
            message.mention_everyone = found.everyone;
        }
        if let Some(embeds) = change.embeds {
            message.embeds =
                if bits & permission::EMBED_LINKS == 0 { Vec::new() } else { embeds::trim(embeds) };
        }
        if let Some(components) = change.components {
            message.components = components;
        }
        if let Some(flags) = change.flags {
            message.flags = message.flags & !SUPPRESS_EMBEDS | flags & SUPPRESS_EMBEDS;
        }
        if message.content.is_empty()
            && message.embeds.is_empty()
            && message.components.is_empty()
            && message.attachments.is_empty()
            && change.files.is_empty()
        {
            return Err(Refusal::EMPTY_MESSAGE);
        }
        // What was promised has come: that is no edit.
        if is_edit && message.flags & LOADING == 0 {
            message.edited_at = Some(now_ms);
        }
        message.flags &= !LOADING;
        let added = self.keep_files(now_ms, change.files);
        message.attachments.extend(added);
        self.drop_files(&dropped);
        let message = Arc::new(message);
        if message.flags & EPHEMERAL != 0 {
            self.keep_ephemeral(Arc::clone(&message));
            self.emit_ephemeral("MESSAGE_UPDATE", now_ms, &message);
        } else {
            self.past.replaced(now_ms, before);
            self.keep_message(Arc::clone(&message));
            self.emit_message("MESSAGE_UPDATE", now_ms, guild_id, &message);
        }
        Ok(message)
    }
}

/// Keeps the attachments that an edit lists, and returns the others.
// Discord docs, "Message": Edit Message. Since API v10 `attachments` lists all that shall remain, retained
// and new; without the field, files are appended.
fn retain(
    message: &mut Message,
    listed: Option<&[Retained]>,
    files: &[Upload],
) -> Result<Vec<Attachment>, Refusal> {
    let Some(listed) = listed else { return Ok(Vec::new()) };
    for (position, entry) in listed.iter().enumerate() {
        let known = message.attachments.iter().any(|one| one.id == entry.id)
            || files.iter().any(|file| file.field == entry.id);
        if !known {
            let path = format!("attachments.{position}.id");
            return Err(Refusal::field(path, "ATTACHMENT_NOT_FOUND", "Attachment not found"));
        }
    }
    let (mut kept, dropped): (Vec<_>, Vec<_>) = std::mem::take(&mut message.attachments)
        .into_iter()
        .partition(|one| listed.iter().any(|entry| entry.id == one.id));
    for one in &mut kept {
        let entry = listed.iter().find(|entry| entry.id == one.id);
        if let Some(description) = entry.and_then(|entry| entry.description.clone()) {
            one.description = description;
        }
    }
    message.attachments = kept;
    Ok(dropped)
}

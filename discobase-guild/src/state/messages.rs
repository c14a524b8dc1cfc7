//! Messages: create, edit, read, delete.
//!
//! Callers: `http::messages` and the direct door. Discord docs, "Message".

use bytes::Bytes;
use serde_json::Value;
use std::ops::Bound;
use std::sync::Arc;

use super::model::{Attachment, Channel, Message, Nonce};
use super::nonces::Used;
use super::snowflake::{Snowflake, time_of};
use super::{
    AllowedMentions, Delivery, Event, FieldError, Refusal, State, Write, mentions, permission, text,
};
use crate::{intents, wire};

const SUPPRESS_EMBEDS: u64 = 1 << 2;
const SETTABLE_AT_CREATE: u64 = SUPPRESS_EMBEDS | 1 << 12 | 1 << 13 | COMPONENTS_V2;
const COMPONENTS_V2: u64 = 1 << 15;
const FORTNIGHT_MS: u64 = 14 * 86_400_000;

/// A message to be created.
#[derive(Debug, Clone, Default)]
pub struct NewMessage {
    /// Its text.
    pub content: String,
    /// Its nonce.
    pub nonce: Option<Nonce>,
    /// Whether the nonce must make only one message.
    pub enforce_nonce: bool,
    /// Text to speech.
    pub tts: bool,
    /// Embeds.
    pub embeds: Vec<Value>,
    /// Components.
    pub components: Vec<Value>,
    /// Flags; those that cannot be set are ignored.
    pub flags: u64,
    /// Whom it may ping.
    pub allowed_mentions: Option<AllowedMentions>,
    /// The message it replies to.
    pub reply_to: Option<Snowflake>,
    /// Its files.
    pub files: Vec<Upload>,
}

/// A file on its way in.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The number `n` of its form field `files[n]`.
    pub field: u64,
    /// Its name.
    pub filename: String,
    /// Its alternative text.
    pub description: Option<String>,
    /// Its media type, if the client said one.
    pub content_type: Option<String>,
    /// Its content.
    pub bytes: Bytes,
}

/// What a create call made, or found.
#[derive(Debug, Clone)]
pub struct Posted {
    /// The message.
    pub message: Arc<Message>,
    /// Whether an earlier call with the same nonce had made it.
    pub repeated: bool,
}

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

/// Which messages of a channel to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The newest.
    Newest,
    /// Those right before this id.
    Before(Snowflake),
    /// Those right after this id.
    After(Snowflake),
    /// Those around this id, the message itself included.
    Around(Snowflake),
}

impl State {
    /// Creates a message.
    ///
    /// # Errors
    /// What Discord refuses: no access, no permission, a limit passed, nothing in it.
    pub fn create_message(
        &mut self,
        now_ms: u64,
        author: Snowflake,
        channel_id: Snowflake,
        new: NewMessage,
    ) -> Result<Posted, Refusal> {
        let (channel, bits) = self.channel_for(author, channel_id)?;
        if !channel.takes_messages() {
            return Err(Refusal::NOT_A_TEXT_CHANNEL);
        }
        if bits & permission::SEND_MESSAGES == 0
            || !new.files.is_empty() && bits & permission::ATTACH_FILES == 0
        {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        let guild_id = channel.guild_id;
        self.check_new_message(&new)?;
        self.expire_nonces(now_ms);
        if let (true, Some(nonce)) = (new.enforce_nonce, &new.nonce)
            && let Some(earlier) = self.nonces.find(author, channel_id, &nonce.key())
        {
            // If the earlier message was deleted since, there is nothing to return and nothing is created.
            let message = self.message(channel_id, earlier).ok_or(Refusal::UNKNOWN_MESSAGE)?;
            return Ok(Posted { message: Arc::clone(message), repeated: true });
        }

        let content = text::content(&new.content, self.limits.content_rules);
        // Embeds without EMBED_LINKS vanish without an error.
        let embeds = if bits & permission::EMBED_LINKS == 0 { Vec::new() } else { new.embeds };
        if content.is_empty() && embeds.is_empty() && new.components.is_empty() && new.files.is_empty() {
            return Err(Refusal::EMPTY_MESSAGE);
        }
        let reply_to = match new.reply_to {
            Some(id) => Some(self.message(channel_id, id).ok_or_else(unknown_reference)?),
            None => None,
        };
        let everyone = bits & permission::MENTION_EVERYONE != 0;
        let guild = self.guilds.get(&guild_id);
        let mut found = mentions::find(&content, new.allowed_mentions.as_ref(), everyone, guild, &self.users);
        if let Some(original) = reply_to
            && new.allowed_mentions.as_ref().is_none_or(|allowed| allowed.replied_user)
            && !found.users.contains(&original.author_id)
        {
            found.users.push(original.author_id);
        }
        let kind = if reply_to.is_some() { 19 } else { 0 };
        let id = self.ids.next(now_ms);
        let attachments = self.keep_files(now_ms, new.files);
        let message = Arc::new(Message {
            id,
            channel_id,
            author_id: author,
            content,
            edited_at: None,
            kind,
            flags: new.flags & SETTABLE_AT_CREATE,
            tts: new.tts,
            mention_everyone: found.everyone,
            mentions: found.users,
            mention_roles: found.roles,
            pinned: false,
            attachments,
            embeds,
            components: new.components,
            reply_to: new.reply_to,
            nonce: new.nonce,
        });
        self.remember_nonce(now_ms, &message);
        // Discord docs, "Gateway Events": Channel Update is not sent for `last_message_id`.
        if let Some(mut channel) = self.channels.get(&channel_id).cloned() {
            channel.last_message_id = Some(id);
            self.keep_channel(channel);
        }
        self.keep_message(Arc::clone(&message));
        self.emit_message("MESSAGE_CREATE", now_ms, guild_id, &message);
        Ok(Posted { message, repeated: false })
    }

    fn check_new_message(&self, new: &NewMessage) -> Result<(), Refusal> {
        let mut errors = self.content_errors(&new.content, &new.embeds);
        if let Some(Nonce::Text(nonce)) = &new.nonce
            && nonce.chars().count() > self.limits.nonce
        {
            errors.push(too_long("nonce", self.limits.nonce));
        }
        // Discord docs, "Component Reference": with IS_COMPONENTS_V2 there is neither content nor embeds.
        if new.flags & COMPONENTS_V2 != 0 && !(new.content.is_empty() && new.embeds.is_empty()) {
            errors.push(FieldError {
                path: "content".to_owned(),
                code: "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
                message: "The 'content' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
                    .to_owned(),
            });
        }
        if !errors.is_empty() {
            return Err(Refusal::form(errors));
        }
        self.check_files(0, &new.files)
    }

    fn content_errors(&self, content: &str, embeds: &[Value]) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if content.chars().count() > self.limits.content {
            errors.push(too_long("content", self.limits.content));
        }
        if embeds.len() > self.limits.embeds {
            errors.push(FieldError {
                path: "embeds".to_owned(),
                code: "BASE_TYPE_MAX_LENGTH",
                message: format!("Must be {} or fewer in length.", self.limits.embeds),
            });
        }
        errors
    }

    fn check_files(&self, kept: usize, files: &[Upload]) -> Result<(), Refusal> {
        if kept + files.len() > self.limits.attachments {
            return Err(Refusal::TOO_MANY_ATTACHMENTS);
        }
        if files.iter().any(|file| file.bytes.len() as u64 > self.limits.file_bytes) {
            return Err(Refusal::FILE_TOO_LARGE);
        }
        Ok(())
    }

    fn keep_files(&mut self, now_ms: u64, files: Vec<Upload>) -> Vec<Attachment> {
        let mut attachments = Vec::with_capacity(files.len());
        for file in files {
            let id = self.ids.next(now_ms);
            let (filename, title) = text::file_name(&file.filename);
            let guessed = || text::content_type(&filename).map(str::to_owned);
            attachments.push(Attachment {
                id,
                title,
                description: file.description.filter(|text| !text.is_empty()),
                content_type: file.content_type.or_else(guessed),
                size: file.bytes.len() as u64,
                filename,
            });
            self.effects.writes.push(Write::Blob(id, file.bytes));
        }
        attachments
    }

    fn remember_nonce(&mut self, now_ms: u64, message: &Message) {
        let Some(nonce) = &message.nonce else { return };
        let used = Used {
            author_id: message.author_id,
            channel_id: message.channel_id,
            nonce: nonce.key(),
            message_id: message.id,
            at_ms: now_ms,
        };
        self.effects.writes.push(Write::Nonce(used.clone()));
        self.nonces.remember(used);
    }

    pub(super) fn expire_nonces(&mut self, now_ms: u64) {
        let gone = self.nonces.expire(now_ms, self.limits.nonce_window_ms);
        self.effects.writes.extend(gone.into_iter().map(Write::DropNonce));
    }

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
        let guild_id = channel.guild_id;
        let mut message =
            Message::clone(self.message(channel_id, id).ok_or(Refusal::UNKNOWN_MESSAGE)?.as_ref());
        if message.author_id != editor {
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
            message.embeds = if bits & permission::EMBED_LINKS == 0 { Vec::new() } else { embeds };
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
        if message.author_id == editor {
            message.edited_at = Some(now_ms);
        }
        let added = self.keep_files(now_ms, change.files);
        message.attachments.extend(added);
        self.drop_files(&dropped);
        let message = Arc::new(message);
        self.keep_message(Arc::clone(&message));
        self.emit_message("MESSAGE_UPDATE", now_ms, guild_id, &message);
        Ok(message)
    }

    /// Reads one message.
    ///
    /// # Errors
    /// It does not exist, or the user cannot see it.
    pub fn get_message(
        &self,
        user: Snowflake,
        channel: Snowflake,
        id: Snowflake,
    ) -> Result<Arc<Message>, Refusal> {
        let (_, bits) = self.channel_for(user, channel)?;
        // Discord docs, "Message": Get Channel Message requires READ_MESSAGE_HISTORY.
        if bits & permission::READ_MESSAGE_HISTORY == 0 {
            return Err(Refusal::MISSING_ACCESS);
        }
        self.message(channel, id).cloned().ok_or(Refusal::UNKNOWN_MESSAGE)
    }

    /// Reads a page of messages, newest first.
    ///
    /// # Errors
    /// The channel does not exist or the user cannot see it.
    pub fn page_messages(
        &self,
        user: Snowflake,
        channel_id: Snowflake,
        page: Page,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, Refusal> {
        let (channel, bits) = self.channel_for(user, channel_id)?;
        if !channel.takes_messages() {
            return Err(Refusal::NOT_A_TEXT_CHANNEL);
        }
        // Discord docs, "Message": Get Channel Messages. Without READ_MESSAGE_HISTORY there are no messages,
        // and no error either.
        if bits & permission::READ_MESSAGE_HISTORY == 0 {
            return Ok(Vec::new());
        }
        let Some(all) = self.messages.get(&channel_id) else { return Ok(Vec::new()) };
        let before = |id, count| all.range(..id).rev().take(count).map(|(_, message)| Arc::clone(message));
        let after = |from: Bound<Snowflake>, count| {
            let mut page: Vec<_> =
                all.range((from, Bound::Unbounded)).take(count).map(|(_, one)| Arc::clone(one)).collect();
            page.reverse();
            page
        };
        Ok(match page {
            Page::Newest => before(u64::MAX, limit).collect(),
            Page::Before(id) => before(id, limit).collect(),
            Page::After(id) => after(Bound::Excluded(id), limit),
            Page::Around(id) => {
                let mut page = after(Bound::Included(id), limit.div_ceil(2));
                let rest = limit - page.len();
                page.extend(before(id, rest.min(limit / 2)));
                page
            }
        })
    }

    /// Deletes a message.
    ///
    /// # Errors
    /// It does not exist, or the user may not.
    pub fn delete_message(
        &mut self,
        user: Snowflake,
        channel_id: Snowflake,
        id: Snowflake,
    ) -> Result<(), Refusal> {
        let (channel, bits) = self.channel_for(user, channel_id)?;
        let guild_id = channel.guild_id;
        let message = self.message(channel_id, id).ok_or(Refusal::UNKNOWN_MESSAGE)?;
        if message.author_id != user && bits & permission::MANAGE_MESSAGES == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        self.drop_message(channel_id, id);
        self.emit_in_channel("MESSAGE_DELETE", intents::GUILD_MESSAGES, guild_id, channel_id, || {
            serde_json::json!({"id": wire::id(id), "channel_id": wire::id(channel_id), "guild_id": wire::id(guild_id)})
        });
        Ok(())
    }

    /// Deletes 2 to 100 messages at once, none older than 14 days. Unknown ids are ignored.
    ///
    /// # Errors
    /// The user may not, or one of the ids cannot be deleted: then none is.
    pub fn bulk_delete(
        &mut self,
        now_ms: u64,
        user: Snowflake,
        channel_id: Snowflake,
        ids: &[Snowflake],
    ) -> Result<(), Refusal> {
        let (channel, bits) = self.channel_for(user, channel_id)?;
        let guild_id = channel.guild_id;
        if bits & permission::MANAGE_MESSAGES == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        // Discord docs, "Message": Bulk Delete Messages.
        if !(2..=100).contains(&ids.len()) {
            return Err(Refusal::BULK_DELETE_COUNT);
        }
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() != ids.len() {
            return Err(Refusal::field(
                "messages",
                "SET_TYPE_ALREADY_CONTAINS_VALUE",
                "The set already contains this value",
            ));
        }
        if ids.iter().any(|id| time_of(*id).saturating_add(FORTNIGHT_MS) < now_ms) {
            return Err(Refusal::BULK_DELETE_AGE);
        }
        sorted.retain(|id| self.message(channel_id, *id).is_some());
        if sorted.is_empty() {
            return Ok(());
        }
        for id in &sorted {
            self.drop_message(channel_id, *id);
        }
        let ids: Vec<Value> = sorted.into_iter().map(wire::id).collect();
        self.emit_in_channel("MESSAGE_DELETE_BULK", intents::GUILD_MESSAGES, guild_id, channel_id, || {
            serde_json::json!({"ids": ids, "channel_id": wire::id(channel_id), "guild_id": wire::id(guild_id)})
        });
        Ok(())
    }

    /// Shows that a user is typing.
    ///
    /// # Errors
    /// The user may not post there.
    pub fn type_in(&mut self, now_ms: u64, user: Snowflake, channel_id: Snowflake) -> Result<(), Refusal> {
        let (channel, bits) = self.channel_for(user, channel_id)?;
        let guild_id = channel.guild_id;
        if bits & permission::SEND_MESSAGES == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        let member = self
            .guilds
            .get(&guild_id)
            .and_then(|guild| Some(wire::member(self, guild, guild.members.get(&user)?)));
        self.emit_in_channel("TYPING_START", intents::GUILD_MESSAGE_TYPING, guild_id, channel_id, || {
            serde_json::json!({
                "channel_id": wire::id(channel_id), "guild_id": wire::id(guild_id),
                "user_id": wire::id(user), "timestamp": now_ms / 1000, "member": member,
            })
        });
        Ok(())
    }

    pub(super) fn drop_message(&mut self, channel: Snowflake, id: Snowflake) {
        let Some(message) = self.messages.get_mut(&channel).and_then(|all| all.remove(&id)) else { return };
        self.effects.writes.push(Write::DropMessage(channel, id));
        self.drop_files(&message.attachments);
    }

    // Deleting the message kills the links of its attachments.
    fn drop_files(&mut self, files: &[Attachment]) {
        for file in files {
            self.attachments.remove(&file.id);
            self.effects.writes.push(Write::DropBlob(file.id, file.size));
        }
    }

    fn emit_message(&mut self, name: &'static str, now_ms: u64, guild_id: Snowflake, message: &Arc<Message>) {
        let mut deliveries = Vec::new();
        for user_id in self.bots_in(guild_id) {
            let Some(channel) = self.channels.get(&message.channel_id) else { continue };
            if !self.can_see(user_id, channel) {
                continue;
            }
            let mut data = wire::message_event(self, now_ms, message, guild_id);
            let full = data.to_string().into();
            let blank = (!wire::concerns(message, user_id)).then(|| {
                wire::blank(&mut data);
                data.to_string().into()
            });
            deliveries.push(Delivery { user_id, data: full, blank });
        }
        let intents = intents::GUILD_MESSAGES;
        self.effects.events.push(Event { name, intents, guild_id: Some(guild_id), deliveries });
    }

    fn emit_in_channel(
        &mut self,
        name: &'static str,
        intents: u64,
        guild_id: Snowflake,
        channel_id: Snowflake,
        data: impl FnOnce() -> Value,
    ) {
        let data = data();
        self.emit(name, intents, guild_id, |state, viewer| {
            let channel: &Channel = state.channels.get(&channel_id)?;
            state.can_see(viewer, channel).then(|| data.clone())
        });
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

fn too_long(field: &str, limit: usize) -> FieldError {
    FieldError {
        path: field.to_owned(),
        code: "BASE_TYPE_MAX_LENGTH",
        message: format!("Must be {limit} or fewer in length."),
    }
}

fn unknown_reference() -> Refusal {
    Refusal::field("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
}

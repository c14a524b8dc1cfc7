//! Messages: how they are made, kept and dropped.
//!
//! Callers: `http::messages` and the direct door. Discord docs, "Message".

use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;

use super::model::{Answered, Attachment, Message, Nonce, message_kind};
use super::nonces::Used;
use super::snowflake::Snowflake;
use super::{AllowedMentions, Delivery, Event, FieldError, Flaws, Refusal, State, Write};
use super::{embeds, mentions, permission, text};
use crate::{intents, wire};

pub(super) const SUPPRESS_EMBEDS: u64 = 1 << 2;
const SETTABLE_AT_CREATE: u64 = SUPPRESS_EMBEDS | 1 << 12 | 1 << 13 | COMPONENTS_V2;
const COMPONENTS_V2: u64 = 1 << 15;
/// Only the user of an interaction sees the message, and the application that answers it.
pub(super) const EPHEMERAL: u64 = 1 << 6;
/// The application has promised a message; this one stands in for it.
pub(super) const LOADING: u64 = 1 << 7;

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

/// Where a message comes from, if not from a bot or a person who just posts.
#[derive(Debug, Default)]
pub(super) struct Origin {
    /// Its type, if it does not follow from what is in it.
    pub(super) kind: Option<u8>,
    /// Flags that nobody can set by themselves.
    pub(super) flags: u64,
    /// The interaction that it answers.
    pub(super) answers: Option<Answered>,
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
        self.create_message_with(now_ms, author, channel_id, new, Flaws::default())
    }

    /// Creates a message while Discord's parts disagree.
    ///
    /// # Errors
    /// As [`State::create_message`].
    pub fn create_message_with(
        &mut self,
        now_ms: u64,
        author: Snowflake,
        channel_id: Snowflake,
        new: NewMessage,
        flaws: Flaws,
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
        Self::check_open(channel, bits)?;
        self.check_new_message(&new)?;
        self.expire_nonces(now_ms);
        if let (true, Some(nonce)) = (new.enforce_nonce, &new.nonce)
            && let Some(earlier) =
                self.nonces.find(author, channel_id, &nonce.key(), now_ms.saturating_sub(flaws.blind_ms))
        {
            // If the earlier message was deleted since, there is nothing to return and nothing is created.
            let message = self.message(channel_id, earlier).ok_or(Refusal::UNKNOWN_MESSAGE)?;
            return Ok(Posted { message: Arc::clone(message), repeated: true });
        }

        let message = self.write_message(now_ms, author, channel_id, bits, new, flaws, Origin::default())?;
        self.note_post(now_ms, channel_id, author);
        Ok(Posted { message, repeated: false })
    }

    /// Makes a message of what was sent by somebody who may send it, and of where it came from.
    #[expect(clippy::too_many_arguments, reason = "who, where, with what, and how it may go wrong")]
    pub(super) fn write_message(
        &mut self,
        now_ms: u64,
        author: Snowflake,
        channel_id: Snowflake,
        bits: u64,
        new: NewMessage,
        flaws: Flaws,
        origin: Origin,
    ) -> Result<Arc<Message>, Refusal> {
        let guild_id = self.channels.get(&channel_id).ok_or(Refusal::UNKNOWN_CHANNEL)?.guild_id;
        let content = text::content(&new.content, self.limits.content_rules);
        // Embeds without EMBED_LINKS vanish without an error.
        let embeds = if bits & permission::EMBED_LINKS == 0 { Vec::new() } else { embeds::trim(new.embeds) };
        let empty =
            content.is_empty() && embeds.is_empty() && new.components.is_empty() && new.files.is_empty();
        if empty && origin.flags & LOADING == 0 {
            return Err(Refusal::EMPTY_MESSAGE);
        }
        let reply_to = match new.reply_to {
            Some(id) => Some(
                self.message(channel_id, id)
                    .or_else(|| self.ephemeral.get(&id).filter(|_| origin.answers.is_some()))
                    .ok_or_else(unknown_reference)?,
            ),
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
        let kind = if reply_to.is_some() { message_kind::REPLY } else { message_kind::DEFAULT };
        let id = self.ids.next_skewed(now_ms, flaws.skew_ms);
        let attachments = self.keep_files(now_ms, new.files);
        self.past.created(now_ms, id, now_ms + flaws.hidden_ms);
        if flaws.late_files_ms > 0 {
            let since_ms = now_ms + flaws.late_files_ms;
            attachments.iter().for_each(|one| self.past.uploaded(one.id, since_ms));
        }
        let message = Arc::new(Message {
            id,
            channel_id,
            author_id: author,
            content,
            edited_at: None,
            kind: origin.kind.unwrap_or(kind),
            flags: new.flags & SETTABLE_AT_CREATE | origin.flags,
            tts: new.tts,
            mention_everyone: found.everyone,
            mentions: found.users,
            mention_roles: found.roles,
            pinned_at: None,
            attachments,
            embeds,
            components: new.components,
            reply_to: new.reply_to,
            nonce: new.nonce,
            reactions: Vec::new(),
            answers: origin.answers,
        });
        if message.flags & EPHEMERAL != 0 {
            self.keep_ephemeral(Arc::clone(&message));
            self.emit_ephemeral("MESSAGE_CREATE", now_ms, &message);
        } else {
            self.remember_nonce(now_ms, &message, new.enforce_nonce);
            self.keep_message(Arc::clone(&message));
            self.emit_message("MESSAGE_CREATE", now_ms, guild_id, &message);
        }
        Ok(message)
    }

    /// Writes a message in Discord's own name about what a user did.
    pub(super) fn write_note(
        &mut self,
        now_ms: u64,
        author: Snowflake,
        channel_id: Snowflake,
        kind: u8,
        about: Option<Snowflake>,
    ) {
        let Some(guild_id) = self.channels.get(&channel_id).map(|channel| channel.guild_id) else { return };
        let id = self.ids.next(now_ms);
        self.past.created(now_ms, id, now_ms);
        let message = Arc::new(Message {
            id,
            channel_id,
            author_id: author,
            content: String::new(),
            edited_at: None,
            kind,
            flags: 0,
            tts: false,
            mention_everyone: false,
            mentions: Vec::new(),
            mention_roles: Vec::new(),
            pinned_at: None,
            attachments: Vec::new(),
            embeds: Vec::new(),
            components: Vec::new(),
            reply_to: about,
            nonce: None,
            reactions: Vec::new(),
            answers: None,
        });
        self.keep_message(Arc::clone(&message));
        self.emit_message("MESSAGE_CREATE", now_ms, guild_id, &message);
    }

    pub(super) fn check_new_message(&self, new: &NewMessage) -> Result<(), Refusal> {
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

    pub(super) fn content_errors(&self, content: &str, embeds: &[Value]) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if content.chars().count() > self.limits.content {
            errors.push(too_long("content", self.limits.content));
        }
        embeds::check(embeds, self.limits.embeds, &mut errors);
        errors
    }

    pub(super) fn check_files(&self, kept: usize, files: &[Upload]) -> Result<(), Refusal> {
        if kept + files.len() > self.limits.attachments {
            return Err(Refusal::TOO_MANY_ATTACHMENTS);
        }
        if files.iter().any(|file| file.bytes.len() as u64 > self.limits.file_bytes) {
            return Err(Refusal::FILE_TOO_LARGE);
        }
        Ok(())
    }

    pub(super) fn keep_files(&mut self, now_ms: u64, files: Vec<Upload>) -> Vec<Attachment> {
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

    fn remember_nonce(&mut self, now_ms: u64, message: &Message, enforced: bool) {
        let Some(nonce) = &message.nonce else { return };
        let used = Used {
            author_id: message.author_id,
            channel_id: message.channel_id,
            nonce: nonce.key(),
            message_id: message.id,
            at_ms: now_ms,
        };
        self.effects.writes.push(Write::Nonce(used.clone()));
        self.nonces.remember(used, enforced);
    }

    pub(super) fn expire_nonces(&mut self, now_ms: u64) {
        let gone = self.nonces.expire(now_ms, self.limits.nonce_window_ms);
        self.effects.writes.extend(gone.into_iter().map(Write::DropNonce));
    }

    pub(super) fn keep_ephemeral(&mut self, message: Arc<Message>) {
        for attachment in &message.attachments {
            self.attachments.insert(attachment.id, (message.channel_id, message.id));
        }
        self.ephemeral.insert(message.id, message);
    }

    pub(super) fn drop_ephemeral(&mut self, id: Snowflake) -> Option<Arc<Message>> {
        let message = self.ephemeral.remove(&id)?;
        self.drop_files(&message.attachments);
        Some(message)
    }

    pub(super) fn drop_message(&mut self, channel: Snowflake, id: Snowflake) {
        let Some(message) = self.messages.get_mut(&channel).and_then(|all| all.remove(&id)) else { return };
        self.pins.forget(&message);
        self.effects.writes.push(Write::DropMessage(channel, id));
        // As long as it exists the newest message tells that it is the newest; now the channel has to.
        let newest = self.channels.get(&channel).filter(|found| found.last_message_id == Some(id)).cloned();
        if let Some(channel) = newest {
            self.keep_channel(channel);
        }
        self.drop_files(&message.attachments);
    }

    // Deleting the message kills the links of its attachments.
    pub(super) fn drop_files(&mut self, files: &[Attachment]) {
        for file in files {
            self.attachments.remove(&file.id);
            self.effects.writes.push(Write::DropBlob(file.id, file.size));
        }
    }

    pub(super) fn emit_message(
        &mut self,
        name: &'static str,
        now_ms: u64,
        guild_id: Snowflake,
        message: &Arc<Message>,
    ) {
        let mut deliveries = Vec::new();
        for user_id in self.bots_in(guild_id) {
            let Some(channel) = self.channels.get(&message.channel_id) else { continue };
            if !self.can_see(user_id, channel) {
                continue;
            }
            let created = name == "MESSAGE_CREATE";
            let mut data = wire::message_event(self, now_ms, message, guild_id, user_id, created);
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
}

impl State {
    // Discord docs, "Gateway Events": Messages. Ephemeral ones go to the bot alone, under DIRECT_MESSAGES and without
    // a guild.
    pub(super) fn emit_ephemeral(&mut self, name: &'static str, now_ms: u64, message: &Arc<Message>) {
        let user_id = message.author_id;
        let data = wire::message(self, now_ms, message, user_id, false).to_string().into();
        let deliveries = vec![Delivery { user_id, data, blank: None }];
        self.effects.events.push(Event {
            name,
            intents: intents::DIRECT_MESSAGES,
            guild_id: None,
            deliveries,
        });
    }
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

//! Threads: channels within channels.
//!
//! Callers: `http::threads`, `state::channels` for changes and deletion, people and the direct door.
//! Discord docs, "Threads" and "Channel". Threads do not archive themselves here. Invariants: a thread's parent exists;
//! a thread that was started from a message has its id.

use serde_json::json;
use std::collections::BTreeMap;

use super::model::{Channel, Message, Thread, channel_kind, message_kind};
use super::snowflake::Snowflake;
use super::{FieldError, Refusal, State, Write, permission};
use crate::{intents, wire};

/// Message flag: a thread was started from the message.
const HAS_THREAD: u64 = 1 << 5;

/// A thread to be started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewThread {
    /// Its name.
    pub name: String,
    /// One of `channel_kind`; private by default. Threads from messages are public, whatever is said here.
    pub kind: Option<u8>,
    /// After how many minutes it is to be archived: 60, 1440, 4320 or 10080.
    pub auto_archive_minutes: Option<u64>,
    /// Slow mode in seconds.
    pub rate_limit_per_user: u64,
    /// Whether its members may bring in others; of private threads alone.
    pub invitable: Option<bool>,
}

/// A change of what only threads have. `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThreadChange {
    /// Archive or unarchive it.
    pub archived: Option<bool>,
    /// Lock or unlock it.
    pub locked: Option<bool>,
    /// After how many minutes it is to be archived.
    pub auto_archive_minutes: Option<u64>,
    /// Whether its members may bring in others.
    pub invitable: Option<bool>,
}

/// Which archived threads of a channel to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archived {
    /// Public ones, archived before a time, newest first.
    Public(Option<u64>),
    /// Private ones, archived before a time, newest first.
    Private(Option<u64>),
    /// Private ones that the caller is in, with an id below, highest first.
    Joined(Option<Snowflake>),
}

impl State {
    /// Starts a thread, from a message or from none.
    ///
    /// # Errors
    /// What Discord refuses: no permission, no such message, one that has a thread, too many threads.
    pub fn start_thread(
        &mut self,
        now_ms: u64,
        user: Snowflake,
        channel_id: Snowflake,
        message: Option<Snowflake>,
        new: &NewThread,
    ) -> Result<Channel, Refusal> {
        let (parent, bits) = self.channel_for(user, channel_id)?;
        let public = match parent.kind {
            _ if parent.thread.is_some() => return Err(Refusal::CHANNEL_TYPE),
            channel_kind::TEXT => channel_kind::PUBLIC_THREAD,
            channel_kind::ANNOUNCEMENT => channel_kind::ANNOUNCEMENT_THREAD,
            _ => return Err(Refusal::CHANNEL_TYPE),
        };
        // Discord docs, "Channel": Start Thread without Message. The type "currently defaults to PRIVATE_THREAD".
        let kind = if message.is_some() { public } else { new.kind.unwrap_or(channel_kind::PRIVATE_THREAD) };
        if kind != public && (kind, parent.kind) != (channel_kind::PRIVATE_THREAD, channel_kind::TEXT) {
            return Err(Refusal::field("type", "BASE_TYPE_CHOICES", "Not a type of thread of this channel."));
        }
        let private = kind == channel_kind::PRIVATE_THREAD;
        let needed =
            if private { permission::CREATE_PRIVATE_THREADS } else { permission::CREATE_PUBLIC_THREADS };
        if bits & needed == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        let (guild_id, nsfw) = (parent.guild_id, parent.nsfw);
        let minutes = new.auto_archive_minutes.unwrap_or(4320);
        let mut errors = Vec::new();
        let name = self.check_thread_name(&new.name, &mut errors);
        check_minutes(minutes, &mut errors);
        if !errors.is_empty() {
            return Err(Refusal::form(errors));
        }
        if let Some(id) = message {
            self.message(channel_id, id).ok_or(Refusal::UNKNOWN_MESSAGE)?;
            if self.channels.contains_key(&id) {
                return Err(Refusal::HAS_THREAD);
            }
        }
        let active =
            self.threads_of(guild_id).filter(|one| one.thread.as_ref().is_some_and(|one| !one.archived));
        if active.count() as u64 >= self.limits.active_threads {
            return Err(Refusal::threads(self.limits.active_threads));
        }
        let thread = Channel {
            id: message.unwrap_or_else(|| self.ids.next(now_ms)),
            guild_id,
            kind,
            name,
            topic: None,
            parent_id: Some(channel_id),
            position: 0,
            overwrites: Vec::new(),
            nsfw,
            rate_limit_per_user: new.rate_limit_per_user,
            last_message_id: None,
            last_pin_at: None,
            thread: Some(Thread {
                owner_id: user,
                archived: false,
                locked: false,
                auto_archive_minutes: minutes,
                archive_at: now_ms,
                created_at: now_ms,
                invitable: private.then(|| new.invitable.unwrap_or(true)),
                members: BTreeMap::from([(user, now_ms)]),
                message_count: 0,
                total_message_sent: 0,
            }),
        };
        self.keep_channel(thread.clone());
        self.emit_thread("THREAD_CREATE", &thread, true);
        if let Some(id) = message {
            self.mark_source(now_ms, channel_id, id);
            self.write_note(now_ms, user, thread.id, message_kind::THREAD_STARTER_MESSAGE, Some(id));
        }
        Ok(thread)
    }

    /// The message that a thread was started from says so.
    fn mark_source(&mut self, now_ms: u64, channel: Snowflake, id: Snowflake) {
        let Some(before) = self.message(channel, id).cloned() else { return };
        let Some(guild) = self.channels.get(&channel).map(|channel| channel.guild_id) else { return };
        self.past.replaced(now_ms, &before);
        let flags = before.flags | HAS_THREAD;
        let message = std::sync::Arc::new(Message { flags, ..Message::clone(&before) });
        self.keep_message(std::sync::Arc::clone(&message));
        self.emit_message("MESSAGE_UPDATE", now_ms, guild, &message);
    }

    /// The active threads of a guild that a user sees.
    ///
    /// # Errors
    /// The user is not in the guild.
    pub fn active_threads(&self, user: Snowflake, guild: Snowflake) -> Result<Vec<&Channel>, Refusal> {
        self.guild_for(user, guild)?;
        let mut threads: Vec<&Channel> = self
            .threads_of(guild)
            .filter(|one| {
                one.thread.as_ref().is_some_and(|thread| !thread.archived) && self.can_see(user, one)
            })
            .collect();
        // Discord docs, "Guild": List Active Guild Threads. Ordered by id, descending.
        threads.reverse();
        Ok(threads)
    }

    /// A page of the archived threads of a channel, and whether there are more behind it.
    ///
    /// # Errors
    /// The user may not see them.
    pub fn archived_threads(
        &self,
        user: Snowflake,
        channel: Snowflake,
        which: Archived,
        limit: usize,
    ) -> Result<(Vec<&Channel>, bool), Refusal> {
        let (parent, bits) = self.channel_for(user, channel)?;
        let needed = match which {
            Archived::Private(_) => permission::READ_MESSAGE_HISTORY | permission::MANAGE_THREADS,
            Archived::Public(_) | Archived::Joined(_) => permission::READ_MESSAGE_HISTORY,
        };
        if bits & needed != needed {
            return Err(Refusal::MISSING_ACCESS);
        }
        let wanted = |one: &Channel, thread: &Thread| match which {
            Archived::Public(before) => {
                one.kind != channel_kind::PRIVATE_THREAD && before.is_none_or(|ms| thread.archive_at < ms)
            }
            Archived::Private(before) => {
                one.kind == channel_kind::PRIVATE_THREAD && before.is_none_or(|ms| thread.archive_at < ms)
            }
            Archived::Joined(before) => {
                one.kind == channel_kind::PRIVATE_THREAD
                    && thread.members.contains_key(&user)
                    && before.is_none_or(|id| one.id < id)
            }
        };
        let mut all: Vec<(&Channel, u64)> = self
            .threads_of(parent.guild_id)
            .filter(|one| one.parent_id == Some(channel))
            .filter_map(|one| one.thread.as_ref().map(|thread| (one, thread)))
            .filter(|(one, thread)| thread.archived && wanted(one, thread))
            .map(|(one, thread)| (one, thread.archive_at))
            .collect();
        match which {
            Archived::Joined(_) => all.sort_by_key(|(one, _)| std::cmp::Reverse(one.id)),
            _ => all.sort_by_key(|(one, at_ms)| std::cmp::Reverse((*at_ms, one.id))),
        }
        let more = all.len() > limit;
        Ok((all.into_iter().take(limit).map(|(one, _)| one).collect(), more))
    }

    /// Changes a thread. Unarchiving comes first, as nothing else may be changed in an archived one.
    pub(super) fn modify_thread(
        &mut self,
        now_ms: u64,
        user: Snowflake,
        mut channel: Channel,
        bits: u64,
        change: super::ChannelChange,
    ) -> Result<Channel, Refusal> {
        let Some(mut thread) = channel.thread.clone() else { return Err(Refusal::CHANNEL_TYPE) };
        let super::ChannelChange { name, rate_limit_per_user, thread: of_thread, .. } = change;
        let moderates = bits & permission::MANAGE_THREADS != 0;
        let owns = thread.owner_id == user;
        // Discord docs, "Threads": Editing & Deleting Threads.
        let opens = of_thread.archived == Some(false) && thread.archived;
        if opens && !moderates && (thread.locked || bits & permission::SEND_MESSAGES == 0) {
            return Err(if thread.locked { Refusal::LOCKED } else { Refusal::MISSING_PERMISSIONS });
        }
        let moderated = rate_limit_per_user.is_some() || of_thread.locked.is_some();
        let owned = name.is_some()
            || of_thread.archived == Some(true)
            || of_thread.auto_archive_minutes.is_some()
            || of_thread.invitable.is_some();
        if moderated && !moderates || owned && !moderates && !owns {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        let stays_archived = thread.archived && of_thread.archived != Some(false);
        if stays_archived && (moderated || owned && of_thread.archived.is_none()) {
            return Err(Refusal::ARCHIVED);
        }
        let mut errors = Vec::new();
        if let Some(name) = name {
            channel.name = self.check_thread_name(&name, &mut errors);
        }
        if let Some(minutes) = of_thread.auto_archive_minutes {
            check_minutes(minutes, &mut errors);
        }
        if !errors.is_empty() {
            return Err(Refusal::form(errors));
        }
        let was = (thread.archived, thread.auto_archive_minutes);
        thread.archived = of_thread.archived.unwrap_or(thread.archived);
        thread.locked = of_thread.locked.unwrap_or(thread.locked);
        thread.auto_archive_minutes = of_thread.auto_archive_minutes.unwrap_or(thread.auto_archive_minutes);
        if channel.kind == channel_kind::PRIVATE_THREAD {
            thread.invitable = of_thread.invitable.or(thread.invitable);
        }
        if was != (thread.archived, thread.auto_archive_minutes) {
            thread.archive_at = now_ms;
        }
        channel.rate_limit_per_user = rate_limit_per_user.unwrap_or(channel.rate_limit_per_user);
        channel.thread = Some(thread);
        self.keep_channel(channel.clone());
        self.emit_thread("THREAD_UPDATE", &channel, false);
        Ok(channel)
    }

    /// Deletes a thread with everything in it.
    pub(super) fn drop_thread(&mut self, channel: &Channel) {
        let messages: Vec<Snowflake> = self.messages_in(channel.id).map(|message| message.id).collect();
        for message in messages {
            self.drop_message(channel.id, message);
        }
        self.messages.remove(&channel.id);
        self.emit_in_channel("THREAD_DELETE", intents::GUILDS, channel.guild_id, channel.id, || {
            json!({
                "id": wire::id(channel.id), "guild_id": wire::id(channel.guild_id),
                "parent_id": wire::maybe_id(channel.parent_id), "type": channel.kind,
            })
        });
        self.channels.remove(&channel.id);
        self.effects.writes.push(Write::DropChannel(channel.id));
    }

    /// Whether a user may post in a channel, if it is a thread that is closed.
    pub(super) fn check_open(channel: &Channel, bits: u64) -> Result<(), Refusal> {
        match &channel.thread {
            Some(thread) if thread.locked && bits & permission::MANAGE_THREADS == 0 => Err(Refusal::LOCKED),
            _ => Ok(()),
        }
    }

    /// A thread counts what is posted in it, is opened by it, and gains its author.
    pub(super) fn note_post(&mut self, now_ms: u64, channel: Snowflake, author: Snowflake) {
        let Some(mut changed) = self.channels.get(&channel).cloned() else { return };
        let Some(thread) = &mut changed.thread else { return };
        thread.message_count += 1;
        thread.total_message_sent += 1;
        let opened = thread.archived;
        if opened {
            thread.archived = false;
            thread.archive_at = now_ms;
        }
        let joined = !thread.members.contains_key(&author);
        thread.members.entry(author).or_insert(now_ms);
        self.keep_channel(changed.clone());
        if opened {
            self.emit_thread("THREAD_UPDATE", &changed, false);
        }
        if joined {
            self.emit_members(&changed, &[author], &[]);
        }
    }

    /// `message_count` goes down with what is deleted.
    pub(super) fn note_deletion(&mut self, channel: Snowflake, kind: u8) {
        let Some(mut changed) = self.channels.get(&channel).cloned() else { return };
        let Some(thread) = changed.thread.as_mut().filter(|_| message_kind::is_written(kind)) else { return };
        thread.message_count = thread.message_count.saturating_sub(1);
        self.keep_channel(changed);
    }

    pub(super) fn emit_thread(&mut self, name: &'static str, thread: &Channel, newly_created: bool) {
        self.emit(name, intents::GUILDS, thread.guild_id, |state, viewer| {
            if !state.can_see(viewer, thread) {
                return None;
            }
            let mut data = wire::thread_for(thread, viewer);
            if let (true, Some(map)) = (newly_created, data.as_object_mut()) {
                map.insert("newly_created".to_owned(), json!(true));
            }
            Some(data)
        });
    }

    fn check_thread_name(&self, name: &str, errors: &mut Vec<FieldError>) -> String {
        let kept = name.trim();
        if kept.is_empty() || name.chars().count() > self.limits.channel_name {
            errors.push(FieldError {
                path: "name".to_owned(),
                code: "BASE_TYPE_BAD_LENGTH",
                message: format!("Must be between 1 and {} in length.", self.limits.channel_name),
            });
        }
        kept.to_owned()
    }
}

fn check_minutes(minutes: u64, errors: &mut Vec<FieldError>) {
    if ![60, 1440, 4320, 10_080].contains(&minutes) {
        errors.push(FieldError {
            path: "auto_archive_duration".to_owned(),
            code: "BASE_TYPE_CHOICES",
            message: "Value must be one of (60, 1440, 4320, 10080).".to_owned(),
        });
    }
}

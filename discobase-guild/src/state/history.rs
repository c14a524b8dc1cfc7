//! A channel's history: reading it, deleting from it, typing at its end.
//!
//! Callers: `http::messages` and the direct door. Discord docs, "Message".

use serde_json::Value;
use std::ops::Bound;
use std::sync::Arc;

use super::model::{Channel, Message};
use super::snowflake::{Snowflake, time_of};
use super::{Flaws, Refusal, State, permission};
use crate::{intents, wire};

const FORTNIGHT_MS: u64 = 14 * 86_400_000;

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
    /// Reads one message.
    ///
    /// # Errors
    /// It does not exist, or the user cannot see it.
    pub fn get_message(
        &self,
        now_ms: u64,
        user: Snowflake,
        channel: Snowflake,
        id: Snowflake,
        flaws: Flaws,
    ) -> Result<Arc<Message>, Refusal> {
        let (_, bits) = self.channel_for(user, channel)?;
        // Discord docs, "Message": Get Channel Message requires READ_MESSAGE_HISTORY.
        if bits & permission::READ_MESSAGE_HISTORY == 0 {
            return Err(Refusal::MISSING_ACCESS);
        }
        let at_ms = now_ms.saturating_sub(flaws.stale_ms);
        let found = self.past.message(at_ms, channel, id, self.message(channel, id));
        found.ok_or(Refusal::UNKNOWN_MESSAGE)
    }

    /// Reads a page of messages, newest first.
    ///
    /// # Errors
    /// The channel does not exist or the user cannot see it.
    pub fn page_messages(
        &self,
        now_ms: u64,
        user: Snowflake,
        channel_id: Snowflake,
        page: Page,
        limit: usize,
        flaws: Flaws,
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
        let at_ms = now_ms.saturating_sub(flaws.stale_ms);
        let past = (!self.past.is_settled(at_ms)).then(|| self.past.channel(at_ms, channel_id, all));
        let all = past.as_ref().unwrap_or(all);
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
        now_ms: u64,
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
        let message = Arc::clone(message);
        self.erase_message(now_ms, guild_id, &message);
        Ok(())
    }

    /// Deletes a message for somebody who may.
    pub(super) fn erase_message(&mut self, now_ms: u64, guild_id: Snowflake, message: &Arc<Message>) {
        let (channel_id, id) = (message.channel_id, message.id);
        self.past.replaced(now_ms, message);
        self.drop_message(channel_id, id);
        self.note_deletion(channel_id, message.kind);
        self.emit_in_channel("MESSAGE_DELETE", intents::GUILD_MESSAGES, guild_id, channel_id, || {
            serde_json::json!({"id": wire::id(id), "channel_id": wire::id(channel_id), "guild_id": wire::id(guild_id)})
        });
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
            if let Some(message) = self.message(channel_id, *id).cloned() {
                self.past.replaced(now_ms, &message);
                self.note_deletion(channel_id, message.kind);
            }
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

    pub(super) fn emit_in_channel(
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

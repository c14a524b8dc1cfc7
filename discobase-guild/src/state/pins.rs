//! Pins: messages that a channel keeps at hand.
//!
//! Callers: `http::messages`, people and the direct door. Discord docs, "Message": Get Channel Pins, Pin Message,
//! Unpin Message. Invariant: the times of a channel's pins all differ, so that paging by time loses none.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::model::{Message, message_kind};
use super::snowflake::Snowflake;
use super::{Refusal, State, permission};
use crate::{intents, wire};

/// Which messages are pinned, by channel, oldest pin first.
#[derive(Debug, Default)]
pub(super) struct Pins(HashMap<Snowflake, BTreeSet<(u64, Snowflake)>>);

impl Pins {
    /// Takes note of a message as it is from now on.
    pub(super) fn note(&mut self, message: &Message) {
        self.forget(message);
        if let Some(at_ms) = message.pinned_at {
            self.0.entry(message.channel_id).or_default().insert((at_ms, message.id));
        }
    }

    pub(super) fn forget(&mut self, message: &Message) {
        if let Some(pins) = self.0.get_mut(&message.channel_id) {
            pins.retain(|(_, id)| *id != message.id);
            if pins.is_empty() {
                self.0.remove(&message.channel_id);
            }
        }
    }

    fn of(&self, channel: Snowflake) -> impl DoubleEndedIterator<Item = (u64, Snowflake)> {
        self.0.get(&channel).into_iter().flatten().copied()
    }
}

impl State {
    /// Reads a page of the pins of a channel, those pinned last first, and whether there are more behind it.
    ///
    /// # Errors
    /// The channel does not exist, or the user cannot see it.
    pub fn page_pins(
        &self,
        user: Snowflake,
        channel_id: Snowflake,
        before_ms: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<Arc<Message>>, bool), Refusal> {
        let (channel, bits) = self.channel_for(user, channel_id)?;
        if !channel.takes_messages() {
            return Err(Refusal::NOT_A_TEXT_CHANNEL);
        }
        // Discord docs, "Message": Get Channel Pins. Without READ_MESSAGE_HISTORY there are none, and no error.
        if bits & permission::READ_MESSAGE_HISTORY == 0 {
            return Ok((Vec::new(), false));
        }
        let earlier = |at_ms: u64| before_ms.is_none_or(|before_ms| at_ms < before_ms);
        let mut pins = self.pins.of(channel_id).rev().filter(|(at_ms, _)| earlier(*at_ms));
        let page = pins.by_ref().take(limit);
        let page = page.filter_map(|(_, id)| self.message(channel_id, id).cloned()).collect();
        Ok((page, pins.next().is_some()))
    }

    /// Pins a message, and says so in its channel. A message that is pinned stays so.
    ///
    /// # Errors
    /// It does not exist, the user may not, or the channel has as many pins as it can.
    pub fn pin_message(
        &mut self,
        now_ms: u64,
        user: Snowflake,
        channel_id: Snowflake,
        id: Snowflake,
    ) -> Result<(), Refusal> {
        let before = self.message_to_pin(user, channel_id, id)?;
        if before.pinned_at.is_some() {
            return Ok(());
        }
        if !message_kind::is_written(before.kind) {
            return Err(Refusal::SYSTEM_MESSAGE);
        }
        if self.pins.of(channel_id).count() as u64 >= self.limits.pins {
            return Err(Refusal::pins(self.limits.pins));
        }
        let last_ms = self.pins.of(channel_id).next_back().map(|(at_ms, _)| at_ms);
        let at_ms = last_ms.map_or(now_ms, |last_ms| now_ms.max(last_ms + 1));
        self.set_pin(now_ms, &before, Some(at_ms));
        self.write_note(now_ms, user, channel_id, message_kind::CHANNEL_PINNED_MESSAGE, Some(id));
        Ok(())
    }

    /// Unpins a message. A message that is not pinned stays so.
    ///
    /// # Errors
    /// It does not exist, or the user may not.
    pub fn unpin_message(
        &mut self,
        now_ms: u64,
        user: Snowflake,
        channel_id: Snowflake,
        id: Snowflake,
    ) -> Result<(), Refusal> {
        let before = self.message_to_pin(user, channel_id, id)?;
        if before.pinned_at.is_some() {
            self.set_pin(now_ms, &before, None);
        }
        Ok(())
    }

    fn message_to_pin(
        &self,
        user: Snowflake,
        channel: Snowflake,
        id: Snowflake,
    ) -> Result<Arc<Message>, Refusal> {
        let (_, bits) = self.channel_for(user, channel)?;
        // Discord docs, change log of 2025-11-24: since February 2026 MANAGE_MESSAGES does not suffice.
        if bits & permission::PIN_MESSAGES == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        self.message(channel, id).cloned().ok_or(Refusal::UNKNOWN_MESSAGE)
    }

    fn set_pin(&mut self, now_ms: u64, before: &Arc<Message>, pinned_at: Option<u64>) {
        let channel_id = before.channel_id;
        self.past.replaced(now_ms, before);
        let message = Arc::new(Message { pinned_at, ..Message::clone(before) });
        self.keep_message(Arc::clone(&message));
        let newest = self.pins.of(channel_id).next_back().map(|(at_ms, _)| at_ms);
        let Some(mut channel) = self.channels.get(&channel_id).cloned() else { return };
        let guild_id = channel.guild_id;
        channel.last_pin_at = newest;
        self.keep_channel(channel);
        self.emit_message("MESSAGE_UPDATE", now_ms, guild_id, &message);
        self.emit_in_channel("CHANNEL_PINS_UPDATE", intents::GUILDS, guild_id, channel_id, || {
            serde_json::json!({
                "guild_id": wire::id(guild_id), "channel_id": wire::id(channel_id),
                "last_pin_timestamp": newest.map(super::timestamp),
            })
        });
    }
}

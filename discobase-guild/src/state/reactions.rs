//! Reactions: emoji that people and bots leave on a message.
//!
//! Callers: `http::reactions`, people and the direct door. Discord docs, "Message": Create Reaction to Delete All
//! Reactions for Emoji. Invariant: every emoji of a message has somebody who reacted with it.

use serde_json::{Value, json};
use std::sync::Arc;

use super::model::{Message, Reaction};
use super::snowflake::Snowflake;
use super::{Refusal, State, permission};
use crate::{intents, wire};

impl State {
    /// Reacts to a message. Who has done so with this emoji already changes nothing.
    ///
    /// # Errors
    /// No such message or emoji, the user may not, or the message has as many emoji as it can.
    pub fn react(
        &mut self,
        now_ms: u64,
        user: Snowflake,
        channel: Snowflake,
        id: Snowflake,
        emoji: &str,
    ) -> Result<(), Refusal> {
        let emoji = known(emoji)?;
        let (before, bits) = self.message_to_react(user, channel, id)?;
        let mut message = Message::clone(&before);
        let full = message.reactions.len() >= self.limits.reactions;
        match message.reactions.iter_mut().find(|one| one.emoji == emoji) {
            Some(reaction) if reaction.users.contains(&user) => return Ok(()),
            Some(reaction) => reaction.users.push(user),
            // Who is the first to use an emoji needs a permission.
            None if bits & permission::ADD_REACTIONS == 0 => return Err(Refusal::MISSING_PERMISSIONS),
            None if full => return Err(Refusal::reactions(self.limits.reactions)),
            None => message.reactions.push(Reaction { emoji: emoji.to_owned(), users: vec![user] }),
        }
        self.replace_reactions(now_ms, &before, message);
        let guild = self.channels.get(&channel).and_then(|channel| self.guilds.get(&channel.guild_id));
        let member = guild.and_then(|guild| Some(wire::member(self, guild, guild.members.get(&user)?)));
        let more = json!({
            "user_id": wire::id(user), "member": member, "emoji": wire::emoji(emoji), "burst": false, "type": 0,
            "message_author_id": wire::id(before.author_id),
        });
        self.emit_reaction("MESSAGE_REACTION_ADD", channel, id, more);
        Ok(())
    }

    /// Takes back a reaction, one's own or somebody else's.
    ///
    /// # Errors
    /// No such message, emoji or reaction, or the user may not.
    pub fn unreact(
        &mut self,
        now_ms: u64,
        user: Snowflake,
        channel: Snowflake,
        id: Snowflake,
        emoji: &str,
        whose: Snowflake,
    ) -> Result<(), Refusal> {
        let emoji = known(emoji)?;
        let (before, bits) = self.message_to_react(user, channel, id)?;
        if user != whose && bits & permission::MANAGE_MESSAGES == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        let mut message = Message::clone(&before);
        let reaction = message.reactions.iter_mut().find(|one| one.emoji == emoji);
        let reaction = reaction.filter(|one| one.users.contains(&whose)).ok_or(Refusal::UNKNOWN_EMOJI)?;
        reaction.users.retain(|one| *one != whose);
        message.reactions.retain(|one| !one.users.is_empty());
        self.replace_reactions(now_ms, &before, message);
        let more =
            json!({"user_id": wire::id(whose), "emoji": wire::emoji(emoji), "burst": false, "type": 0});
        self.emit_reaction("MESSAGE_REACTION_REMOVE", channel, id, more);
        Ok(())
    }

    /// Takes away all reactions to a message, or all with one emoji.
    ///
    /// # Errors
    /// No such message or emoji, or the user may not.
    pub fn clear_reactions(
        &mut self,
        now_ms: u64,
        user: Snowflake,
        channel: Snowflake,
        id: Snowflake,
        emoji: Option<&str>,
    ) -> Result<(), Refusal> {
        let emoji = emoji.map(known).transpose()?;
        let (before, bits) = self.message_to_react(user, channel, id)?;
        if bits & permission::MANAGE_MESSAGES == 0 {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        let mut message = Message::clone(&before);
        message.reactions.retain(|one| emoji.is_some_and(|emoji| one.emoji != emoji));
        if message.reactions.len() == before.reactions.len() {
            return emoji.map_or(Ok(()), |_| Err(Refusal::UNKNOWN_EMOJI));
        }
        self.replace_reactions(now_ms, &before, message);
        match emoji {
            Some(emoji) => {
                let more = json!({"emoji": wire::emoji(emoji)});
                self.emit_reaction("MESSAGE_REACTION_REMOVE_EMOJI", channel, id, more);
            }
            None => self.emit_reaction("MESSAGE_REACTION_REMOVE_ALL", channel, id, json!({})),
        }
        Ok(())
    }

    /// Who reacted to a message with an emoji, by id.
    ///
    /// # Errors
    /// No such message or emoji, or the user may not read it.
    pub fn reactors(
        &self,
        user: Snowflake,
        channel: Snowflake,
        id: Snowflake,
        emoji: &str,
    ) -> Result<Vec<Snowflake>, Refusal> {
        let emoji = known(emoji)?;
        let (_, bits) = self.channel_for(user, channel)?;
        if bits & permission::READ_MESSAGE_HISTORY == 0 {
            return Err(Refusal::MISSING_ACCESS);
        }
        let message = self.message(channel, id).ok_or(Refusal::UNKNOWN_MESSAGE)?;
        let reaction = message.reactions.iter().find(|one| one.emoji == emoji);
        let mut users = reaction.ok_or(Refusal::UNKNOWN_EMOJI)?.users.clone();
        users.sort_unstable();
        Ok(users)
    }

    fn message_to_react(
        &self,
        user: Snowflake,
        channel_id: Snowflake,
        id: Snowflake,
    ) -> Result<(Arc<Message>, u64), Refusal> {
        let (channel, bits) = self.channel_for(user, channel_id)?;
        if bits & permission::READ_MESSAGE_HISTORY == 0 {
            return Err(Refusal::MISSING_ACCESS);
        }
        // Discord docs, "Threads": Active & Archived Threads.
        if channel.thread.as_ref().is_some_and(|thread| thread.archived) {
            return Err(Refusal::ARCHIVED);
        }
        Ok((self.message(channel_id, id).cloned().ok_or(Refusal::UNKNOWN_MESSAGE)?, bits))
    }

    fn replace_reactions(&mut self, now_ms: u64, before: &Arc<Message>, message: Message) {
        self.past.replaced(now_ms, before);
        self.keep_message(Arc::new(message));
    }

    fn emit_reaction(&mut self, name: &'static str, channel: Snowflake, message: Snowflake, more: Value) {
        let Some(guild) = self.channels.get(&channel).map(|channel| channel.guild_id) else { return };
        let mut data = more;
        if let Some(map) = data.as_object_mut() {
            map.insert("channel_id".to_owned(), wire::id(channel));
            map.insert("message_id".to_owned(), wire::id(message));
            map.insert("guild_id".to_owned(), wire::id(guild));
        }
        self.emit_in_channel(name, intents::GUILD_MESSAGE_REACTIONS, guild, channel, || data);
    }
}

/// An emoji that can be reacted with. There are no custom emoji here, so `name:id` is none of them.
// Which strings Discord takes for emoji is not documented beyond Unicode's; every emoji has something that no text has.
fn known(emoji: &str) -> Result<&str, Refusal> {
    let looks_like_one = |c: char| matches!(c, '©' | '®' | '\u{2000}'..='\u{3fff}' | '\u{1f000}'..);
    let short = (1..=16).contains(&emoji.chars().count());
    if short && emoji.chars().any(looks_like_one) { Ok(emoji) } else { Err(Refusal::UNKNOWN_EMOJI) }
}

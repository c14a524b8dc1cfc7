//! What comes after the first answer to an interaction, by way of its webhook.
//!
//! Callers: `http::interactions` and the direct door. Discord docs, "Receiving and Responding": Followup Messages.

use std::sync::Arc;

use super::messages::LOADING;
use super::model::Message;
use super::snowflake::Snowflake;
use super::{Interaction, MessageChange, NewMessage, Outcome, Refusal, State};

impl State {
    /// Posts a message after the first answer. If that was only promised, this is it.
    ///
    /// # Errors
    /// The token is none, or too old, or the interaction was not answered yet; what Discord refuses of a message.
    pub fn follow_up(
        &mut self,
        now_ms: u64,
        application: Snowflake,
        token: &str,
        new: NewMessage,
    ) -> Result<Arc<Message>, Refusal> {
        let interaction = self.answered_interaction(now_ms, application, token)?;
        if let Some(promised) = self.promised(&interaction) {
            let change = MessageChange {
                content: Some(new.content),
                embeds: Some(new.embeds),
                components: Some(new.components),
                allowed_mentions: new.allowed_mentions,
                files: new.files,
                ..MessageChange::default()
            };
            let bits = self.answer_bits(&interaction);
            return self.change_message(now_ms, &promised, bits, change, true);
        }
        let message = self.post_answer(now_ms, &interaction, new, 0)?;
        if let Some(kept) = self.interactions.get_mut(&interaction.id) {
            kept.followups.push(message.id);
        }
        Ok(message)
    }

    /// A message that was sent with a token: the first answer, or the one with this id.
    ///
    /// # Errors
    /// The token is none, or too old; there is no such message.
    pub fn answer_message(
        &self,
        now_ms: u64,
        application: Snowflake,
        token: &str,
        id: Option<Snowflake>,
    ) -> Result<(Arc<Message>, Interaction), Refusal> {
        let interaction = self.answered_interaction(now_ms, application, token)?;
        let first = match &interaction.outcome {
            Some(Outcome::Message(first)) => Some(*first),
            Some(Outcome::Update) => interaction.source,
            _ => None,
        };
        let wanted = match id {
            None => first,
            Some(id) if first == Some(id) || interaction.followups.contains(&id) => Some(id),
            Some(_) => None,
        };
        let found = wanted.and_then(|id| self.seen_message(interaction.given.channel, id).cloned());
        Ok((found.ok_or(Refusal::UNKNOWN_MESSAGE)?, interaction))
    }

    /// Changes a message that was sent with a token.
    ///
    /// # Errors
    /// As [`State::answer_message`], and what Discord refuses of an edit.
    pub fn edit_answer(
        &mut self,
        now_ms: u64,
        application: Snowflake,
        token: &str,
        id: Option<Snowflake>,
        change: MessageChange,
    ) -> Result<Arc<Message>, Refusal> {
        let (message, interaction) = self.answer_message(now_ms, application, token, id)?;
        let bits = self.answer_bits(&interaction);
        self.change_message(now_ms, &message, bits, change, true)
    }

    /// Deletes a message that was sent with a token.
    ///
    /// # Errors
    /// As [`State::answer_message`].
    pub fn delete_answer(
        &mut self,
        now_ms: u64,
        application: Snowflake,
        token: &str,
        id: Option<Snowflake>,
    ) -> Result<(), Refusal> {
        let (message, interaction) = self.answer_message(now_ms, application, token, id)?;
        if self.drop_ephemeral(message.id).is_none() {
            self.erase_message(now_ms, interaction.guild_id, &message);
        }
        Ok(())
    }

    fn promised(&self, interaction: &Interaction) -> Option<Arc<Message>> {
        let Some(Outcome::Message(first)) = &interaction.outcome else { return None };
        let message = self.seen_message(interaction.given.channel, *first)?;
        (message.flags & LOADING != 0).then(|| Arc::clone(message))
    }

    fn answered_interaction(
        &self,
        now_ms: u64,
        application: Snowflake,
        token: &str,
    ) -> Result<Interaction, Refusal> {
        let wanted = |one: &&Interaction| one.given.application == application && one.token == token;
        let found = self.interactions.values().find(wanted).ok_or(Refusal::UNKNOWN_WEBHOOK)?;
        if found.created_at.saturating_add(self.limits.interaction_token_ms) <= now_ms {
            return Err(Refusal::WEBHOOK_TOKEN);
        }
        if found.outcome.is_none() {
            return Err(Refusal::UNKNOWN_WEBHOOK);
        }
        Ok(found.clone())
    }
}

//! The first answer to an interaction.
//!
//! Callers: `http::interactions` and the direct door. Discord docs, "Receiving and Responding": Interaction Response
//! Object, Interaction Callback. Invariant: an interaction is answered once.

use serde_json::Value;
use std::sync::Arc;

use super::interactions::{AUTOCOMPLETE, COMMAND, MODAL_SUBMIT};
use super::messages::{EPHEMERAL, LOADING, Origin};
use super::model::{Answered, Message, message_kind};
use super::snowflake::Snowflake;
use super::{Flaws, Interaction, MessageChange, NewMessage, Outcome, Refusal, State, permission};

/// An answer.
#[derive(Debug, Clone)]
pub enum Callback {
    /// A message (type 4).
    Message(NewMessage),
    /// A message that comes later (type 5), for all to see or for the user alone.
    Later {
        /// Whether only the user will see it.
        ephemeral: bool,
    },
    /// A change of the component's message that may come later (type 6).
    UpdateLater,
    /// A change of the component's message (type 7).
    Update(MessageChange),
    /// Completions (type 8).
    Choices(Vec<Value>),
    /// A modal (type 9).
    Modal(Value),
}

/// The type of answer that opens a modal.
pub const MODAL: u64 = 9;

/// The components that can be used. Discord docs, "Component Reference": Component Types.
pub mod is_component {
    /// A button.
    pub const BUTTON: u64 = 2;
    /// The menu of given texts, and those of users, roles, both, and channels.
    pub const MENUS: [u64; 5] = [3, 5, 6, 7, 8];
}

/// A component that can be used, wherever it is in a message.
pub(super) fn find_component<'a>(components: &'a [Value], custom_id: &str) -> Option<&'a Value> {
    components.iter().find_map(|component| {
        let kind = component.get("type").and_then(Value::as_u64).unwrap_or_default();
        let usable = kind == is_component::BUTTON || is_component::MENUS.contains(&kind);
        if usable && component.get("custom_id").and_then(Value::as_str) == Some(custom_id) {
            return Some(component);
        }
        let inner = component.get("components").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let accessory = component.get("accessory").map_or(&[][..], std::slice::from_ref);
        find_component(inner, custom_id).or_else(|| find_component(accessory, custom_id))
    })
}

impl State {
    /// Answers an interaction. Returns the message that this made or changed.
    ///
    /// # Errors
    /// There is none with this token, it was answered before or too late, or it cannot be answered so.
    pub fn answer_interaction(
        &mut self,
        now_ms: u64,
        id: Snowflake,
        token: &str,
        callback: Callback,
    ) -> Result<(Interaction, Option<Arc<Message>>), Refusal> {
        let found = self.interactions.get(&id).filter(|one| one.token == token);
        let interaction = found.ok_or(Refusal::UNKNOWN_INTERACTION)?.clone();
        if interaction.outcome.is_some() {
            return Err(Refusal::ACKNOWLEDGED);
        }
        if interaction.created_at.saturating_add(self.limits.interaction_answer_ms) < now_ms {
            return Err(Refusal::UNKNOWN_INTERACTION);
        }
        check_type(&interaction, &callback)?;
        let (outcome, message) = match callback {
            Callback::Message(new) => {
                let message = self.post_answer(now_ms, &interaction, new, 0)?;
                (Outcome::Message(message.id), Some(message))
            }
            Callback::Later { ephemeral } => {
                let flags = if ephemeral { EPHEMERAL } else { 0 };
                let new = NewMessage { flags, ..NewMessage::default() };
                let message = self.post_answer(now_ms, &interaction, new, LOADING)?;
                (Outcome::Message(message.id), Some(message))
            }
            Callback::UpdateLater => (Outcome::Update, None),
            Callback::Update(change) => {
                let source = interaction.source.ok_or(Refusal::UNKNOWN_MESSAGE)?;
                let before = self.seen_message(interaction.given.channel, source).cloned();
                let before = before.ok_or(Refusal::UNKNOWN_MESSAGE)?;
                let bits = self.answer_bits(&interaction);
                (Outcome::Update, Some(self.change_message(now_ms, &before, bits, change, true)?))
            }
            Callback::Choices(choices) if choices.len() > 25 => {
                let message = "Must be 25 or fewer in length.";
                return Err(Refusal::field("data.choices", "BASE_TYPE_MAX_LENGTH", message));
            }
            Callback::Choices(choices) => (Outcome::Choices(choices), None),
            Callback::Modal(modal) => {
                check_modal(&modal)?;
                (Outcome::Modal(modal), None)
            }
        };
        if let Some(kept) = self.interactions.get_mut(&id) {
            kept.outcome = Some(outcome);
        }
        let interaction = self.interactions.get(&id).cloned().ok_or(Refusal::UNKNOWN_INTERACTION)?;
        Ok((interaction, message))
    }

    /// Posts a message that answers an interaction, the first or a later one.
    pub(super) fn post_answer(
        &mut self,
        now_ms: u64,
        interaction: &Interaction,
        mut new: NewMessage,
        flags: u64,
    ) -> Result<Arc<Message>, Refusal> {
        self.check_new_message(&new)?;
        new.reply_to = match (&interaction.outcome, interaction.source) {
            (Some(Outcome::Message(first)), _) => Some(*first),
            (_, source) => source,
        };
        // A reply to what is gone, or to what others do not see, is no reply.
        let visible = |id: &Snowflake| self.message(interaction.given.channel, *id).is_some();
        new.reply_to = new.reply_to.filter(visible);
        new.nonce = None;
        let kind = match (&interaction.command, &interaction.outcome) {
            (Some((_, 1)), None) => Some(message_kind::CHAT_INPUT_COMMAND),
            (Some(_), None) => Some(message_kind::CONTEXT_MENU_COMMAND),
            _ => None,
        };
        let answers = Answered {
            interaction_id: interaction.id,
            kind: interaction.kind,
            name: interaction.command.as_ref().map(|(name, _)| name.clone()),
            user_id: interaction.given.user,
        };
        let flags = flags | new.flags & EPHEMERAL;
        let bits = self.answer_bits(interaction);
        let origin = Origin { kind, flags, answers: Some(answers) };
        let (author, channel) = (interaction.given.application, interaction.given.channel);
        let message = self.write_message(now_ms, author, channel, bits, new, Flaws::default(), origin)?;
        if message.flags & EPHEMERAL == 0 {
            self.note_post(now_ms, channel, author);
        }
        Ok(message)
    }

    /// Answers need no permission in the channel, except for mentioning everyone.
    pub(super) fn answer_bits(&self, interaction: &Interaction) -> u64 {
        let channel = self.channels.get(&interaction.given.channel);
        let bits = channel.map_or(0, |channel| self.bits_in(channel, interaction.given.application));
        bits & permission::MENTION_EVERYONE | permission::EMBED_LINKS | permission::ATTACH_FILES
    }
}

fn check_type(interaction: &Interaction, callback: &Callback) -> Result<(), Refusal> {
    let from_component = interaction.source.is_some();
    let allowed = match callback {
        Callback::Choices(_) => interaction.kind == AUTOCOMPLETE,
        _ if interaction.kind == AUTOCOMPLETE => false,
        Callback::Modal(_) => interaction.kind != MODAL_SUBMIT,
        Callback::Update(_) | Callback::UpdateLater => from_component && interaction.kind != COMMAND,
        Callback::Message(_) | Callback::Later { .. } => true,
    };
    if allowed {
        return Ok(());
    }
    let message = "This interaction callback type is not allowed for this interaction.";
    Err(Refusal::field("type", "INTERACTION_CALLBACK_TYPE_INVALID", message))
}

// Discord docs, "Receiving and Responding": Interaction Callback Data Structure, Modal.
fn check_modal(modal: &Value) -> Result<(), Refusal> {
    let length = |name: &str| modal.get(name).and_then(Value::as_str).map_or(0, |text| text.chars().count());
    let rows = modal.get("components").and_then(Value::as_array).map_or(0, Vec::len);
    for (name, length, most) in
        [("custom_id", length("custom_id"), 100), ("title", length("title"), 45), ("components", rows, 5)]
    {
        if !(1..=most).contains(&length) {
            let message = format!("Must be between 1 and {most} in length.");
            return Err(Refusal::field(format!("data.{name}"), "BASE_TYPE_BAD_LENGTH", message));
        }
    }
    Ok(())
}

//! Interactions: people use commands, components and modals of applications.
//!
//! Callers: `http::doings` and the direct door. What people do here is checked as their Discord client would check it.
//! Discord docs, "Receiving and Responding". Interactions live a quarter of an hour and only in memory.

use serde_json::{Map, Value, json};

use super::callback::{find_component, is_component};
use super::command_rules::CHAT_INPUT;
use super::model::{Command, Message};
use super::snowflake::Snowflake;
use super::{Delivery, Event, Refusal, State, permission};
use crate::wire;

mod options;

pub(super) const COMMAND: u8 = 2;
pub(super) const COMPONENT: u8 = 3;
pub(super) const AUTOCOMPLETE: u8 = 4;
pub(super) const MODAL_SUBMIT: u8 = 5;

/// Who does something, where, and to which application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// The user.
    pub user: Snowflake,
    /// The channel.
    pub channel: Snowflake,
    /// The application; its id is its bot's.
    pub application: Snowflake,
}

/// What somebody does.
#[derive(Debug, Clone, PartialEq)]
pub enum Doing {
    /// They type a slash command, or choose a command in the menu of a user or a message.
    Command {
        /// 1 for slash commands, 2 for commands on users, 3 for commands on messages.
        kind: u8,
        /// Its name; behind it, for slash commands, the names of group and subcommand.
        name: String,
        /// The user or the message that it is used on.
        target: Option<Snowflake>,
        /// The options' values by name.
        options: Map<String, Value>,
        /// The option that is still being typed, which asks for its completion.
        focused: Option<String>,
    },
    /// They click a button or choose in a menu.
    Component {
        /// The message.
        message: Snowflake,
        /// The component's `custom_id`.
        custom_id: String,
        /// What they choose.
        values: Vec<String>,
    },
    /// They fill in a modal and send it.
    Modal {
        /// The interaction that was answered with the modal.
        interaction: Snowflake,
        /// The inputs' values by `custom_id`.
        fields: Map<String, Value>,
    },
}

/// How an interaction was answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// With a message; it may still be on its way.
    Message(Snowflake),
    /// By a change of the message that the component is on, now or later.
    Update,
    /// With completions.
    Choices(Vec<Value>),
    /// With a modal.
    Modal(Value),
}

/// An interaction and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Interaction {
    /// Its id.
    pub id: Snowflake,
    /// The token with which it is answered.
    pub token: String,
    /// Who does it, where, and to which application.
    pub given: Given,
    /// The guild.
    pub guild_id: Snowflake,
    /// Its type: 2 a command, 3 a component, 4 an autocomplete, 5 a modal.
    pub kind: u8,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at: u64,
    /// Its data, as the application gets it.
    pub data: Value,
    /// The full name of the command, and its type.
    pub command: Option<(String, u8)>,
    /// The message that the component is on, or was on that opened the modal.
    pub source: Option<Snowflake>,
    /// How it was answered; nothing if it was not.
    pub outcome: Option<Outcome>,
    /// The messages that came after the first answer.
    pub followups: Vec<Snowflake>,
}

/// What a doing makes of an interaction.
struct Prepared {
    kind: u8,
    data: Value,
    command: Option<(String, u8)>,
    source: Option<Snowflake>,
}

impl State {
    /// Lets somebody use what an application offers. The application learns of it by INTERACTION_CREATE.
    ///
    /// # Errors
    /// There is no such command, component or modal, they may not use it, or a value is none that their client would
    /// let them send.
    pub fn interact(&mut self, now_ms: u64, given: Given, doing: &Doing) -> Result<Snowflake, Refusal> {
        self.expire_interactions(now_ms);
        let (channel, _) = self.channel_for(given.user, given.channel)?;
        let guild_id = channel.guild_id;
        self.guild_for(given.application, guild_id)?;
        if channel.thread.as_ref().is_some_and(|thread| thread.archived) {
            return Err(Refusal::ARCHIVED);
        }
        let Prepared { kind, data, command, source } = match doing {
            Doing::Command { kind, name, target, options, focused } => {
                self.prepare_command(now_ms, given, *kind, name, *target, options, focused.as_deref())?
            }
            Doing::Component { message, custom_id, values } => {
                self.prepare_component(now_ms, given, *message, custom_id, values)?
            }
            Doing::Modal { interaction, fields } => self.prepare_modal(given, *interaction, fields)?,
        };
        let id = self.next_id(now_ms);
        let secret = blake3::derive_key("discobase-guild 2026 interaction", &id.to_le_bytes());
        let interaction = Interaction {
            id,
            token: blake3::Hash::from_bytes(secret).to_hex().to_string(),
            given,
            guild_id,
            kind,
            created_at: now_ms,
            data,
            command,
            source,
            outcome: None,
            followups: Vec::new(),
        };
        let data = wire::interaction(self, now_ms, &interaction).to_string().into();
        self.interactions.insert(id, interaction);
        self.effects.events.push(Event {
            name: "INTERACTION_CREATE",
            intents: 0,
            guild_id: Some(guild_id),
            deliveries: vec![Delivery { user_id: given.application, data, blank: None }],
        });
        Ok(id)
    }

    /// An interaction of the last quarter of an hour.
    pub fn interaction(&self, id: Snowflake) -> Option<&Interaction> {
        self.interactions.get(&id)
    }

    /// A message of a channel, or one that only its user sees.
    pub fn seen_message(&self, channel: Snowflake, id: Snowflake) -> Option<&std::sync::Arc<Message>> {
        self.message(channel, id).or_else(|| self.ephemeral.get(&id))
    }

    #[expect(clippy::too_many_arguments, reason = "all that a command can be given")]
    fn prepare_command(
        &self,
        now_ms: u64,
        given: Given,
        kind: u8,
        path: &str,
        target: Option<Snowflake>,
        options: &Map<String, Value>,
        focused: Option<&str>,
    ) -> Result<Prepared, Refusal> {
        let (channel, bits) = self.channel_for(given.user, given.channel)?;
        let slash = u64::from(kind) == CHAT_INPUT;
        // Names in menus may have blanks; those of slash commands cannot.
        let mut words = if slash { path.split_whitespace().collect() } else { vec![path] };
        let name = if words.is_empty() { "" } else { words.remove(0) };
        let found = self.find_command(given.application, channel.guild_id, kind, name);
        let command: &Command = found.ok_or(Refusal::UNKNOWN_COMMAND)?;
        if bits & permission::USE_APPLICATION_COMMANDS == 0 || !command.is_for(bits) {
            return Err(Refusal::MISSING_PERMISSIONS);
        }
        let mut resolved = options::Resolved::new(self, now_ms, given, channel.guild_id);
        let mut data = json!({"id": wire::id(command.id), "name": command.name, "type": kind});
        if slash {
            let defined =
                command.fields.get("options").and_then(Value::as_array).cloned().unwrap_or_default();
            let filled = options::fill(&mut resolved, &defined, &words, options, focused)?;
            put(&mut data, "options", Value::Array(filled));
        } else {
            let target = target.ok_or_else(|| options::wrong("target_id", "This field is required"))?;
            if kind == 2 {
                resolved.add_user(target)?;
            } else {
                resolved.add_message(target)?;
            }
            put(&mut data, "target_id", wire::id(target));
        }
        if let Some(guild) = command.guild_id {
            put(&mut data, "guild_id", wire::id(guild));
        }
        resolved.put_into(&mut data);
        let kind_of = if focused.is_some() { AUTOCOMPLETE } else { COMMAND };
        let full_name = std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ");
        Ok(Prepared { kind: kind_of, data, command: Some((full_name, kind)), source: None })
    }

    fn prepare_component(
        &self,
        now_ms: u64,
        given: Given,
        id: Snowflake,
        custom_id: &str,
        values: &[String],
    ) -> Result<Prepared, Refusal> {
        let message = self.seen_message(given.channel, id).ok_or(Refusal::UNKNOWN_MESSAGE)?;
        let found = find_component(&message.components, custom_id);
        let component = found.ok_or_else(|| options::wrong("custom_id", "Component not found"))?;
        if component.get("disabled").and_then(Value::as_bool).unwrap_or(false) {
            return Err(options::wrong("custom_id", "Component is disabled"));
        }
        let kind = component.get("type").and_then(Value::as_u64).unwrap_or_default();
        let mut data = json!({"custom_id": custom_id, "component_type": kind});
        if kind != is_component::BUTTON {
            let guild = self.channels.get(&given.channel).map_or(0, |channel| channel.guild_id);
            let mut resolved = options::Resolved::new(self, now_ms, given, guild);
            let chosen = options::choose(&mut resolved, component, values)?;
            put(&mut data, "values", chosen);
            resolved.put_into(&mut data);
        }
        Ok(Prepared { kind: COMPONENT, data, command: None, source: Some(id) })
    }

    fn prepare_modal(
        &self,
        given: Given,
        id: Snowflake,
        fields: &Map<String, Value>,
    ) -> Result<Prepared, Refusal> {
        let opened = self.interactions.get(&id).filter(|one| one.given.user == given.user);
        let opened = opened.ok_or(Refusal::UNKNOWN_INTERACTION)?;
        let Some(Outcome::Modal(modal)) = &opened.outcome else {
            return Err(options::wrong("interaction_id", "It was not answered with a modal"));
        };
        let components = modal.get("components").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let filled =
            components.iter().map(|one| options::fill_in(one, fields)).collect::<Result<Vec<_>, _>>()?;
        let data = json!({"custom_id": modal.get("custom_id"), "components": filled});
        Ok(Prepared { kind: MODAL_SUBMIT, data, command: None, source: opened.source })
    }

    fn expire_interactions(&mut self, now_ms: u64) {
        let lifetime = self.limits.interaction_token_ms;
        let gone = |one: &Interaction| one.created_at.saturating_add(lifetime) <= now_ms;
        let old: Vec<Interaction> = self.interactions.values().filter(|one| gone(one)).cloned().collect();
        for interaction in old {
            self.interactions.remove(&interaction.id);
            let first = match interaction.outcome {
                Some(Outcome::Message(id)) => Some(id),
                _ => None,
            };
            for message in first.into_iter().chain(interaction.followups) {
                self.drop_ephemeral(message);
            }
        }
    }
}

fn put(data: &mut Value, name: &str, value: Value) {
    if let Some(map) = data.as_object_mut() {
        map.insert(name.to_owned(), value);
    }
}

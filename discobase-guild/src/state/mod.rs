//! The state of the local Discord: guilds, channels, messages, people. Pure: the time is passed in, there
//! are no clocks, sockets or tasks, and the same calls make the same state.
//!
//! Callers: the REST routes in `http`, the gateway for its first events, tests through
//! [`crate::LocalGuild::with_state`]. Invariants: every mutation leaves its gateway events and its writes
//! in [`Effects`]; a call that returns a [`Refusal`] changed nothing.

mod callback;
mod channels;
mod command_rules;
mod commands;
mod edits;
mod effects;
mod embeds;
mod followups;
mod history;
mod interactions;
mod invites;
mod mentions;
mod messages;
mod model;
mod nonces;
mod past;
mod people;
/// Permission bits, and who holds which.
pub mod permission;
mod pins;
mod reactions;
mod refusal;
mod seed;
mod snowflake;
mod text;
mod thread_members;
mod threads;

pub use callback::{Callback, MODAL, is_component};
pub use channels::{ChannelChange, NewChannel, Place};
pub use edits::{MessageChange, Retained};
pub use effects::{Delivery, Effects, Event, Write};
pub use history::Page;
pub use interactions::{Doing, Given, Interaction, Outcome};
pub use invites::NewInvite;
pub use mentions::AllowedMentions;
pub use messages::{NewMessage, Posted, Upload};
pub use model::{
    Answered, Application, Attachment, Channel, Command, Guild, Invite, Member, Message, Nonce, Overwrite,
    Reaction, Role, Thread, User, channel_kind, message_kind,
};
pub use nonces::Used;
pub use past::{Flaws, REACH_MS};
pub use refusal::{FieldError, Refusal};
pub use seed::{Seed, Snapshot};
pub use snowflake::{Snowflake, at, parse_timestamp, time_of, timestamp};
pub use text::ContentRules;
pub use threads::{Archived, NewThread, ThreadChange};

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::cdn::Signer;
use crate::limits::{Limits, Window};
use crate::wire;

/// Everything the local Discord knows.
#[derive(Debug)]
pub struct State {
    limits: Limits,
    signer: Signer,
    home: Home,
    ids: snowflake::Snowflakes,
    users: BTreeMap<Snowflake, User>,
    guilds: BTreeMap<Snowflake, Guild>,
    channels: BTreeMap<Snowflake, Channel>,
    messages: HashMap<Snowflake, BTreeMap<Snowflake, Arc<Message>>>,
    attachments: HashMap<Snowflake, (Snowflake, Snowflake)>,
    pins: pins::Pins,
    invites: BTreeMap<String, Invite>,
    commands: BTreeMap<Snowflake, Command>,
    /// How many commands were created, by application and place.
    created: BTreeMap<(Snowflake, Option<Snowflake>), Window>,
    interactions: BTreeMap<Snowflake, Interaction>,
    /// Messages that only one user and one application see.
    ephemeral: BTreeMap<Snowflake, Arc<Message>>,
    nonces: nonces::Nonces,
    past: past::Past,
    effects: Effects,
}

/// The guild and the bot that exist from the start.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Home {
    /// The guild.
    pub guild_id: Snowflake,
    /// The bot's user.
    pub bot_id: Snowflake,
    /// The person who owns the guild.
    pub owner_id: Snowflake,
}

impl State {
    /// The guild and the bot that exist from the start.
    pub fn home(&self) -> Home {
        self.home
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Changes limits in the middle of a run.
    pub fn limits_mut(&mut self) -> &mut Limits {
        &mut self.limits
    }

    /// Who signs the URLs of attachments.
    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Tells the state under which address its attachments can be downloaded.
    pub fn serve_at(&mut self, base_url: &str) {
        self.signer.serve_at(base_url);
    }

    /// What the mutations since the last call caused.
    pub fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    /// The newest id given out so far.
    pub fn last_id(&self) -> Snowflake {
        self.ids.last()
    }

    /// A new id.
    pub fn next_id(&mut self, now_ms: u64) -> Snowflake {
        self.ids.next(now_ms)
    }

    /// The bot with this token.
    pub fn bot_by_token(&self, token: &str) -> Option<&User> {
        self.users.values().find(|user| user.application.as_ref().is_some_and(|app| app.token == token))
    }

    /// A user.
    pub fn user(&self, id: Snowflake) -> Option<&User> {
        self.users.get(&id)
    }

    /// A guild, whoever asks.
    pub fn guild(&self, id: Snowflake) -> Option<&Guild> {
        self.guilds.get(&id)
    }

    /// A channel, whoever asks.
    pub fn channel(&self, id: Snowflake) -> Option<&Channel> {
        self.channels.get(&id)
    }

    /// All channels of a guild, whoever asks. Threads are not among them.
    pub fn channels_of(&self, guild: Snowflake) -> impl Iterator<Item = &Channel> {
        self.channels.values().filter(move |channel| channel.guild_id == guild && channel.thread.is_none())
    }

    /// All threads of a guild, whoever asks.
    pub fn threads_of(&self, guild: Snowflake) -> impl Iterator<Item = &Channel> {
        self.channels.values().filter(move |channel| channel.guild_id == guild && channel.thread.is_some())
    }

    /// A message, whoever asks.
    pub fn message(&self, channel: Snowflake, id: Snowflake) -> Option<&Arc<Message>> {
        self.messages.get(&channel)?.get(&id)
    }

    /// All messages of a channel, oldest first, whoever asks.
    pub fn messages_in(&self, channel: Snowflake) -> impl DoubleEndedIterator<Item = &Arc<Message>> {
        self.messages.get(&channel).into_iter().flat_map(BTreeMap::values)
    }

    /// The guilds that a user is in, by id.
    pub fn guilds_of(&self, user: Snowflake) -> impl Iterator<Item = &Guild> {
        self.guilds.values().filter(move |guild| guild.members.contains_key(&user))
    }

    /// An attachment that still exists, with the channel and the message it is in.
    pub fn attachment(&self, id: Snowflake) -> Option<(&Message, &Attachment)> {
        let (channel, message) = self.attachments.get(&id)?;
        let message = self.message(*channel, *message).or_else(|| self.ephemeral.get(message))?;
        message.attachments.iter().find(|one| one.id == id).map(|one| (message.as_ref(), one))
    }

    /// Whether an attachment's files have arrived where downloads are served from.
    pub fn has_arrived(&self, now_ms: u64, attachment: Snowflake) -> bool {
        self.past.has_file(now_ms, attachment)
    }

    /// A guild as a member sees it.
    ///
    /// # Errors
    /// It does not exist, or the user is not in it.
    pub fn guild_for(&self, user: Snowflake, id: Snowflake) -> Result<&Guild, Refusal> {
        let guild = self.guilds.get(&id).ok_or(Refusal::UNKNOWN_GUILD)?;
        if guild.members.contains_key(&user) { Ok(guild) } else { Err(Refusal::MISSING_ACCESS) }
    }

    /// A channel that a user can see, with the permissions they hold in it.
    ///
    /// # Errors
    /// It does not exist, or the user cannot see it.
    pub fn channel_for(&self, user: Snowflake, id: Snowflake) -> Result<(&Channel, u64), Refusal> {
        let channel = self.channels.get(&id).ok_or(Refusal::UNKNOWN_CHANNEL)?;
        let bits = self.bits_in(channel, user);
        if bits & permission::VIEW_CHANNEL == 0 { Err(Refusal::MISSING_ACCESS) } else { Ok((channel, bits)) }
    }

    /// Whether a user can see a channel.
    pub fn can_see(&self, user: Snowflake, channel: &Channel) -> bool {
        self.bits_in(channel, user) & permission::VIEW_CHANNEL != 0
    }

    /// The permissions that a user holds in a channel or a thread.
    pub fn bits_in(&self, channel: &Channel, user: Snowflake) -> u64 {
        let Some(guild) = self.guilds.get(&channel.guild_id) else { return 0 };
        match (&channel.thread, channel.parent_id.and_then(|parent| self.channels.get(&parent))) {
            (Some(_), Some(parent)) => permission::in_thread(guild, parent, channel, user),
            (Some(_), None) => 0,
            (None, _) => permission::in_channel(guild, channel, user),
        }
    }

    /// Whether the REST interface shows a bot the content of a message.
    // Discord docs, "Gateway": Message Content Intent. The rule holds for the REST interface too, by the
    // switch in the developer portal.
    pub fn shows_content(&self, viewer: Snowflake, message: &Message) -> bool {
        let switched_on = self
            .users
            .get(&viewer)
            .is_some_and(|user| user.application.as_ref().is_none_or(|app| app.message_content));
        switched_on || wire::concerns(message, viewer)
    }

    /// The bots that are members of a guild.
    fn bots_in(&self, guild: Snowflake) -> Vec<Snowflake> {
        let members = self.guilds.get(&guild).map(|guild| guild.members.keys());
        members
            .into_iter()
            .flatten()
            .filter(|id| self.users.get(id).is_some_and(|user| user.application.is_some()))
            .copied()
            .collect()
    }

    fn keep_user(&mut self, user: User) {
        self.effects.writes.push(Write::User(Box::new(user.clone())));
        self.users.insert(user.id, user);
    }

    fn keep_guild(&mut self, guild: Guild) {
        self.effects.writes.push(Write::Guild(Box::new(guild.clone())));
        self.guilds.insert(guild.id, guild);
    }

    fn keep_channel(&mut self, channel: Channel) {
        self.effects.writes.push(Write::Channel(Box::new(channel.clone())));
        self.channels.insert(channel.id, channel);
    }

    fn keep_message(&mut self, message: Arc<Message>) {
        self.effects.writes.push(Write::Message(Arc::clone(&message)));
        self.index_message(message);
    }

    fn index_message(&mut self, message: Arc<Message>) {
        for attachment in &message.attachments {
            self.attachments.insert(attachment.id, (message.channel_id, message.id));
        }
        // Discord docs, "Gateway Events": Channel Update is not sent for `last_message_id`.
        if let Some(channel) = self.channels.get_mut(&message.channel_id) {
            channel.last_message_id = channel.last_message_id.max(Some(message.id));
        }
        self.pins.note(&message);
        self.messages.entry(message.channel_id).or_default().insert(message.id, message);
    }

    /// Sends an event to every bot in a guild, each with its own view of it.
    fn emit(
        &mut self,
        name: &'static str,
        intents: u64,
        guild_id: Snowflake,
        mut view: impl FnMut(&Self, Snowflake) -> Option<serde_json::Value>,
    ) {
        let mut deliveries = Vec::new();
        for user_id in self.bots_in(guild_id) {
            if let Some(data) = view(self, user_id) {
                deliveries.push(Delivery { user_id, data: data.to_string().into(), blank: None });
            }
        }
        self.effects.events.push(Event { name, intents, guild_id: Some(guild_id), deliveries });
    }
}

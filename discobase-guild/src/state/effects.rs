//! Effects: what a mutation wants the outside world to do.
//!
//! Callers: `state` collects them, the shell drains them with [`super::State::take_effects`] after each
//! request: writes go to the data file, then events to the gateway, in this order.

use bytes::Bytes;
use std::sync::Arc;

use super::model::{Channel, Command, Guild, Invite, Message, User};
use super::snowflake::Snowflake;

/// What one or more mutations caused.
#[derive(Debug, Default)]
pub struct Effects {
    /// Gateway events, in order.
    pub events: Vec<Event>,
    /// Changes to what is kept, in order.
    pub writes: Vec<Write>,
}

/// A gateway event, rendered for each bot that may get it.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its name, for the field `t`.
    pub name: &'static str,
    /// The intents of which a session needs one; 0 if every session gets it.
    pub intents: u64,
    /// The guild it happened in, which decides the shard.
    pub guild_id: Option<Snowflake>,
    /// Who gets it.
    pub deliveries: Vec<Delivery>,
}

/// An event as one bot gets it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The bot's user.
    pub user_id: Snowflake,
    /// The JSON of the field `d`.
    pub data: Arc<str>,
    /// The same for sessions without MESSAGE_CONTENT, where the two differ.
    pub blank: Option<Arc<str>>,
}

/// A change to what is kept.
#[derive(Debug, Clone)]
pub enum Write {
    /// A user was added or changed.
    User(Box<User>),
    /// A guild, its roles or its members changed.
    Guild(Box<Guild>),
    /// A channel was added or changed.
    Channel(Box<Channel>),
    /// A channel is gone. Its messages are dropped by writes of their own.
    DropChannel(Snowflake),
    /// A message was added or changed.
    Message(Arc<Message>),
    /// A message is gone.
    DropMessage(Snowflake, Snowflake),
    /// An invite was added or used.
    Invite(Box<Invite>),
    /// An invite is gone.
    DropInvite(String),
    /// A command was added or changed.
    Command(Box<Command>),
    /// A command is gone.
    DropCommand(Snowflake),
    /// A nonce was used.
    Nonce(super::nonces::Used),
    /// A nonce may be used again.
    DropNonce(super::nonces::Used),
    /// The bytes of an attachment.
    Blob(Snowflake, Bytes),
    /// An attachment's bytes are gone; the number is their length.
    DropBlob(Snowflake, u64),
}

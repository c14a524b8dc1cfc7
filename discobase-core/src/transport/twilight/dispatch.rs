//! Gateway dispatches as events (Discord docs, "Gateway Events": Receive Events).
//!
//! The text is read twice, first for the event's name and then for the few fields that are used, in whatever order
//! they come.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use twilight_model::id::Id;
use twilight_model::id::marker::{ChannelMarker, GuildMarker, MessageMarker};

use super::convert::{WireChannel, WireMessage};
use crate::ids::{ChannelId, MessageId};
use crate::transport::Event;

/// What a gateway message brings.
#[derive(Debug)]
pub(super) enum Dispatch {
    /// The session is new; these guilds will be sent one by one.
    Ready { guilds: Vec<u64> },
    /// The session goes on, and everything it missed has been sent.
    Resumed,
    /// A guild was sent, or has become available again.
    GuildHere(u64),
    /// The bot left the guild, or there is an outage.
    GuildGone(u64),
    /// Events.
    Events(Vec<Event>),
    /// Nothing that is used.
    Other,
    /// Something that is used and cannot be read: its name.
    Unreadable(String),
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    t: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Data<T> {
    d: T,
}

#[derive(Deserialize)]
struct Ready {
    #[serde(default)]
    guilds: Vec<GuildRef>,
}

#[derive(Deserialize)]
struct GuildRef {
    id: Id<GuildMarker>,
}

#[derive(Deserialize)]
struct ChannelRef {
    id: Id<ChannelMarker>,
}

#[derive(Deserialize)]
struct MessageRef {
    id: Id<MessageMarker>,
    channel_id: Id<ChannelMarker>,
}

#[derive(Deserialize)]
struct MessageRefs {
    ids: Vec<Id<MessageMarker>>,
    channel_id: Id<ChannelMarker>,
}

/// Reads a gateway message.
pub(super) fn read(text: &str) -> Dispatch {
    let Ok(Head { t: Some(name) }) = serde_json::from_str(text) else { return Dispatch::Other };
    let dispatch = match &*name {
        "READY" => data(text).map(|ready: Ready| Dispatch::Ready {
            guilds: ready.guilds.into_iter().map(|guild| guild.id.get()).collect(),
        }),
        "RESUMED" => Some(Dispatch::Resumed),
        "GUILD_CREATE" => data(text).map(|guild: GuildRef| Dispatch::GuildHere(guild.id.get())),
        "GUILD_DELETE" => data(text).map(|guild: GuildRef| Dispatch::GuildGone(guild.id.get())),
        "MESSAGE_CREATE" => data(text).map(|message: WireMessage| one(Event::Posted(message.into()))),
        "MESSAGE_UPDATE" => data(text).map(|message: MessageRef| {
            one(Event::Edited { channel: channel(message.channel_id), message: self::message(message.id) })
        }),
        "MESSAGE_DELETE" => data(text).map(|message: MessageRef| {
            one(Event::Deleted { channel: channel(message.channel_id), message: self::message(message.id) })
        }),
        "MESSAGE_DELETE_BULK" => data(text).map(|messages: MessageRefs| {
            let channel = channel(messages.channel_id);
            let deleted = |id| Event::Deleted { channel, message: message(id) };
            Dispatch::Events(messages.ids.into_iter().map(deleted).collect())
        }),
        "CHANNEL_CREATE" | "CHANNEL_UPDATE" => {
            data(text).map(|channel: WireChannel| one(Event::Channel(channel.into())))
        }
        "CHANNEL_DELETE" => {
            data(text).map(|deleted: ChannelRef| one(Event::ChannelDeleted(channel(deleted.id))))
        }
        _ => Some(Dispatch::Other),
    };
    dispatch.unwrap_or_else(|| Dispatch::Unreadable(name.into_owned()))
}

fn data<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str::<Data<T>>(text).ok().map(|data| data.d)
}

fn one(event: Event) -> Dispatch {
    Dispatch::Events(vec![event])
}

fn channel(id: Id<ChannelMarker>) -> ChannelId {
    ChannelId::new(id.get())
}

fn message(id: Id<MessageMarker>) -> MessageId {
    MessageId::new(id.get())
}

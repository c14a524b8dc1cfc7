//! The only door to a guild: what the engine asks of Discord, and what it may expect of the answer.
//!
//! The engine speaks to one trait, [`Transport`]. [`twilight`] implements it for Discord and for everything that
//! speaks Discord's protocol; tests put faults or a guild's bare state behind it.
//!
//! # What an implementation promises
//! - It never sends a request that it knows to be refused, and it paces itself: no request is sent into an
//!   exhausted bucket, and a 429 is waited out before one more try.
//! - A call that returns [`TransportError::Refused`], [`TransportError::Unauthorized`],
//!   [`TransportError::Forbidden`] or [`TransportError::Missing`] had no effect, unless
//!   [`Failure::ambiguous`] says that an earlier try of the same call went unanswered.
//! - A call that returns [`TransportError::Unknown`] may have had its effect, or may still have it.
//! - A post with a nonce that is repeated with the same nonce makes no second message within Discord's window
//!   (Discord docs, "Message": Create Message, `enforce_nonce`), so a post is retried by the transport itself until
//!   it is answered or its deadline passes. Nothing else that creates something is retried after an unknown
//!   outcome.

mod error;
mod limits;
pub mod twilight;
mod types;
mod wrapper;

pub use error::{Failure, TransportError, TransportResult, explain};
pub use types::{
    Attachment, BotUser, Channel, ChannelRole, Event, Events, Guild, HistoryPage, Message, NewAttachment,
    NewChannel, NewMessage, Overwrite, Permissions, Room, Traffic,
};
pub use wrapper::{Wrapped, Wrapper};

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use crate::ids::{ChannelId, GuildId, MessageId};

/// A boxed future, so that the engine can hold any transport.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the engine needs from a guild.
pub trait Transport: Send + Sync + 'static {
    /// The bot's own user and its application.
    fn me(&self) -> BoxFuture<'_, TransportResult<BotUser>>;

    /// The guilds the bot is in, with the bot's permissions in each, overwrites not counted.
    fn guilds(&self) -> BoxFuture<'_, TransportResult<Vec<Guild>>>;

    /// The guild's channels as far as the bot may see them. A channel that is absent may be hidden.
    fn channels(&self, guild: GuildId) -> BoxFuture<'_, TransportResult<Vec<Channel>>>;

    /// Creates a channel. Not retried after an unknown outcome: list the channels and look.
    fn create_channel(&self, guild: GuildId, channel: NewChannel) -> BoxFuture<'_, TransportResult<Channel>>;

    /// Deletes a channel. A channel that is gone already is no error.
    fn delete_channel(&self, channel: ChannelId) -> BoxFuture<'_, TransportResult<()>>;

    /// Posts a message, retrying lost and failed tries with the same bytes and nonce until `deadline` has passed
    /// (for ever, if it is `None`). Returns the message Discord made or, when the nonce was used before, the one it
    /// had made then.
    fn post(
        &self,
        channel: ChannelId,
        message: NewMessage,
        deadline: Option<Duration>,
    ) -> BoxFuture<'_, TransportResult<Message>>;

    /// Completes when a post to the channel would be sent at once, so that a frame can fill until then.
    fn post_ready(&self, channel: ChannelId) -> BoxFuture<'_, ()>;

    /// How many more posts the channel takes for now; `None` where no limit is known. Whoever has much to post spreads
    /// it by this.
    fn post_room(&self, _channel: ChannelId) -> Option<Room> {
        None
    }

    /// Replaces the content and attachments of one of the bot's own messages.
    fn edit(
        &self,
        channel: ChannelId,
        message: MessageId,
        content: NewMessage,
    ) -> BoxFuture<'_, TransportResult<Message>>;

    /// One message.
    fn message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<Message>>;

    /// One page of a channel's history, at most 100 messages, in ascending order of their ids.
    fn history(&self, channel: ChannelId, page: HistoryPage) -> BoxFuture<'_, TransportResult<Vec<Message>>>;

    /// Deletes a message. One that is gone already is no error.
    fn delete_message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<()>>;

    /// Deletes several messages of a channel in one request: 2 to 100, no two alike, all younger than 14 days
    /// (Discord docs, "Message": Bulk Delete Messages). Those that are gone already do not matter.
    fn delete_messages<'a>(
        &'a self,
        channel: ChannelId,
        messages: &'a [MessageId],
    ) -> BoxFuture<'a, TransportResult<()>>;

    /// Downloads an attachment, whole. Its URL must be fresh: ask for the message again if a day has passed.
    fn download<'a>(&'a self, attachment: &'a Attachment) -> BoxFuture<'a, TransportResult<Bytes>>;

    /// Downloads `length` bytes of an attachment from `offset` on (RFC 9110, section 14). Its URL must be fresh, as for
    /// [`Transport::download`]. Nothing is sent for a part that is empty or passes the attachment's end.
    fn download_range<'a>(
        &'a self,
        attachment: &'a Attachment,
        offset: u64,
        length: u64,
    ) -> BoxFuture<'a, TransportResult<Bytes>>;

    /// What the gateway reports of the guild from now on. Connects to the gateway on the first call. Events may be
    /// lost, repeated or late (Discord docs, "API Reference": Consistency); after [`Event::Gap`] read the history.
    fn events(&self) -> BoxFuture<'_, TransportResult<Events>>;

    /// Counts of what was sent so far.
    fn traffic(&self) -> Traffic;

    /// Ends the gateway session and refuses further calls. Calling it twice is fine.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}

//! One connection to Discord for the databases of all modules: one client, so that they share its rate limits, and one
//! gateway session.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use discobase_core::transport::{
    Attachment, BotUser, BoxFuture, Channel, Events, Guild, HistoryPage, Message, NewChannel, NewMessage,
    Room, Traffic, Transport, TransportResult,
};
use discobase_core::{ChannelId, GuildId, MessageId};

/// The same transport, which stays open when a database that uses it is closed.
pub(crate) struct Shared(pub(crate) Arc<dyn Transport>);

impl Transport for Shared {
    fn me(&self) -> BoxFuture<'_, TransportResult<BotUser>> {
        self.0.me()
    }

    fn guilds(&self) -> BoxFuture<'_, TransportResult<Vec<Guild>>> {
        self.0.guilds()
    }

    fn channels(&self, guild: GuildId) -> BoxFuture<'_, TransportResult<Vec<Channel>>> {
        self.0.channels(guild)
    }

    fn create_channel(&self, guild: GuildId, channel: NewChannel) -> BoxFuture<'_, TransportResult<Channel>> {
        self.0.create_channel(guild, channel)
    }

    fn delete_channel(&self, channel: ChannelId) -> BoxFuture<'_, TransportResult<()>> {
        self.0.delete_channel(channel)
    }

    fn post(
        &self,
        channel: ChannelId,
        message: NewMessage,
        deadline: Option<Duration>,
    ) -> BoxFuture<'_, TransportResult<Message>> {
        self.0.post(channel, message, deadline)
    }

    fn post_ready(&self, channel: ChannelId) -> BoxFuture<'_, ()> {
        self.0.post_ready(channel)
    }

    fn post_room(&self, channel: ChannelId) -> Option<Room> {
        self.0.post_room(channel)
    }

    fn edit(
        &self,
        channel: ChannelId,
        message: MessageId,
        content: NewMessage,
    ) -> BoxFuture<'_, TransportResult<Message>> {
        self.0.edit(channel, message, content)
    }

    fn message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<Message>> {
        self.0.message(channel, message)
    }

    fn history(&self, channel: ChannelId, page: HistoryPage) -> BoxFuture<'_, TransportResult<Vec<Message>>> {
        self.0.history(channel, page)
    }

    fn delete_message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<()>> {
        self.0.delete_message(channel, message)
    }

    fn delete_messages<'a>(
        &'a self,
        channel: ChannelId,
        messages: &'a [MessageId],
    ) -> BoxFuture<'a, TransportResult<()>> {
        self.0.delete_messages(channel, messages)
    }

    fn download<'a>(&'a self, attachment: &'a Attachment) -> BoxFuture<'a, TransportResult<Bytes>> {
        self.0.download(attachment)
    }

    fn download_range<'a>(
        &'a self,
        attachment: &'a Attachment,
        offset: u64,
        length: u64,
    ) -> BoxFuture<'a, TransportResult<Bytes>> {
        self.0.download_range(attachment, offset, length)
    }

    fn events(&self) -> BoxFuture<'_, TransportResult<Events>> {
        self.0.events()
    }

    fn traffic(&self) -> Traffic {
        self.0.traffic()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

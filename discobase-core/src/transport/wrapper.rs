//! A transport around another one, which changes a call or two and passes the others on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{
    Attachment, BotUser, BoxFuture, Channel, Events, Guild, HistoryPage, Message, NewChannel, NewMessage,
    Room, Traffic, Transport, TransportResult,
};
use crate::ids::{ChannelId, GuildId, MessageId};

/// What a [`Wrapped`] transport does itself. What it does not name here it passes on.
///
/// ```
/// # use discobase_core as discobase;
/// use std::sync::Arc;
///
/// use discobase::transport::{BoxFuture, Transport, Wrapper};
///
/// /// Stays open when a database that uses it is closed.
/// struct Shared(Arc<dyn Transport>);
///
/// impl Wrapper for Shared {
///     fn inner(&self) -> &Arc<dyn Transport> {
///         &self.0
///     }
///
///     fn shutdown(&self) -> BoxFuture<'_, ()> {
///         Box::pin(async {})
///     }
/// }
/// ```
pub trait Wrapper: Send + Sync + 'static {
    /// What everything else is passed on to.
    fn inner(&self) -> &Arc<dyn Transport>;

    /// [`Transport::history`].
    fn history(&self, channel: ChannelId, page: HistoryPage) -> BoxFuture<'_, TransportResult<Vec<Message>>> {
        self.inner().history(channel, page)
    }

    /// [`Transport::shutdown`].
    fn shutdown(&self) -> BoxFuture<'_, ()> {
        self.inner().shutdown()
    }
}

/// A transport that does what its [`Wrapper`] says, and for the rest what is inside of it does.
#[derive(Debug, Clone)]
pub struct Wrapped<W>(pub W);

impl<W: Wrapper> Transport for Wrapped<W> {
    fn me(&self) -> BoxFuture<'_, TransportResult<BotUser>> {
        self.0.inner().me()
    }

    fn guilds(&self) -> BoxFuture<'_, TransportResult<Vec<Guild>>> {
        self.0.inner().guilds()
    }

    fn channels(&self, guild: GuildId) -> BoxFuture<'_, TransportResult<Vec<Channel>>> {
        self.0.inner().channels(guild)
    }

    fn create_channel(&self, guild: GuildId, channel: NewChannel) -> BoxFuture<'_, TransportResult<Channel>> {
        self.0.inner().create_channel(guild, channel)
    }

    fn delete_channel(&self, channel: ChannelId) -> BoxFuture<'_, TransportResult<()>> {
        self.0.inner().delete_channel(channel)
    }

    fn post(
        &self,
        channel: ChannelId,
        message: NewMessage,
        deadline: Option<Duration>,
    ) -> BoxFuture<'_, TransportResult<Message>> {
        self.0.inner().post(channel, message, deadline)
    }

    fn post_ready(&self, channel: ChannelId) -> BoxFuture<'_, ()> {
        self.0.inner().post_ready(channel)
    }

    fn post_room(&self, channel: ChannelId) -> Option<Room> {
        self.0.inner().post_room(channel)
    }

    fn edit(
        &self,
        channel: ChannelId,
        message: MessageId,
        content: NewMessage,
    ) -> BoxFuture<'_, TransportResult<Message>> {
        self.0.inner().edit(channel, message, content)
    }

    fn message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<Message>> {
        self.0.inner().message(channel, message)
    }

    fn history(&self, channel: ChannelId, page: HistoryPage) -> BoxFuture<'_, TransportResult<Vec<Message>>> {
        self.0.history(channel, page)
    }

    fn delete_message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<()>> {
        self.0.inner().delete_message(channel, message)
    }

    fn delete_messages<'a>(
        &'a self,
        channel: ChannelId,
        messages: &'a [MessageId],
    ) -> BoxFuture<'a, TransportResult<()>> {
        self.0.inner().delete_messages(channel, messages)
    }

    fn download<'a>(&'a self, attachment: &'a Attachment) -> BoxFuture<'a, TransportResult<Bytes>> {
        self.0.inner().download(attachment)
    }

    fn download_range<'a>(
        &'a self,
        attachment: &'a Attachment,
        offset: u64,
        length: u64,
    ) -> BoxFuture<'a, TransportResult<Bytes>> {
        self.0.inner().download_range(attachment, offset, length)
    }

    fn events(&self) -> BoxFuture<'_, TransportResult<Events>> {
        self.0.inner().events()
    }

    fn traffic(&self) -> Traffic {
        self.0.inner().traffic()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        self.0.shutdown()
    }
}

//! A transport whose history lags: messages appear in it a while after they were made, as on Discord.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use discobase::transport::{
    Attachment, BotUser, BoxFuture, Channel, Events, Guild, HistoryPage, Message, NewChannel, NewMessage,
    Room, Traffic, Transport, TransportResult,
};
use discobase::{ChannelId, GuildId, MessageId};

pub(crate) struct Lagging {
    pub(crate) inner: Arc<dyn Transport>,
    /// How long a message stays out of the history.
    pub(crate) lag: Duration,
}

impl Transport for Lagging {
    fn me(&self) -> BoxFuture<'_, TransportResult<BotUser>> {
        self.inner.me()
    }

    fn guilds(&self) -> BoxFuture<'_, TransportResult<Vec<Guild>>> {
        self.inner.guilds()
    }

    fn channels(&self, guild: GuildId) -> BoxFuture<'_, TransportResult<Vec<Channel>>> {
        self.inner.channels(guild)
    }

    fn create_channel(&self, guild: GuildId, channel: NewChannel) -> BoxFuture<'_, TransportResult<Channel>> {
        self.inner.create_channel(guild, channel)
    }

    fn delete_channel(&self, channel: ChannelId) -> BoxFuture<'_, TransportResult<()>> {
        self.inner.delete_channel(channel)
    }

    fn post(
        &self,
        channel: ChannelId,
        message: NewMessage,
        deadline: Option<Duration>,
    ) -> BoxFuture<'_, TransportResult<Message>> {
        self.inner.post(channel, message, deadline)
    }

    fn post_ready(&self, channel: ChannelId) -> BoxFuture<'_, ()> {
        self.inner.post_ready(channel)
    }

    fn post_room(&self, channel: ChannelId) -> Option<Room> {
        self.inner.post_room(channel)
    }

    fn edit(
        &self,
        channel: ChannelId,
        message: MessageId,
        content: NewMessage,
    ) -> BoxFuture<'_, TransportResult<Message>> {
        self.inner.edit(channel, message, content)
    }

    fn message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<Message>> {
        self.inner.message(channel, message)
    }

    fn history(&self, channel: ChannelId, page: HistoryPage) -> BoxFuture<'_, TransportResult<Vec<Message>>> {
        Box::pin(async move {
            #[expect(clippy::disallowed_methods, reason = "the guild stamps its messages with this clock")]
            let now = SystemTime::now();
            let visible = now.duration_since(UNIX_EPOCH).unwrap() - self.lag;
            let mut page = self.inner.history(channel, page).await?;
            page.retain(|message| u128::from(message.id.time_ms()) < visible.as_millis());
            Ok(page)
        })
    }

    fn delete_message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<()>> {
        self.inner.delete_message(channel, message)
    }

    fn delete_messages<'a>(
        &'a self,
        channel: ChannelId,
        messages: &'a [MessageId],
    ) -> BoxFuture<'a, TransportResult<()>> {
        self.inner.delete_messages(channel, messages)
    }

    fn download<'a>(&'a self, attachment: &'a Attachment) -> BoxFuture<'a, TransportResult<Bytes>> {
        self.inner.download(attachment)
    }

    fn download_range<'a>(
        &'a self,
        attachment: &'a Attachment,
        offset: u64,
        length: u64,
    ) -> BoxFuture<'a, TransportResult<Bytes>> {
        self.inner.download_range(attachment, offset, length)
    }

    fn events(&self) -> BoxFuture<'_, TransportResult<Events>> {
        self.inner.events()
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        self.inner.shutdown()
    }
}

//! The calls: what to ask, and what its answer is here.

use std::time::Duration;

use bytes::Bytes;

use super::convert::{NoPermissions, WireApplication, WireChannel, WireGuild, WireMessage, WireUser};
use super::{TwilightTransport, download, reply, requests};
use crate::ids::{ChannelId, GuildId, MessageId, UserId};
use crate::transport::limits::Route;
use crate::transport::{
    Attachment, BotUser, BoxFuture, Channel, Events, Guild, HistoryPage, Message, NewChannel, NewMessage,
    Permissions, Room, Traffic, Transport, TransportError, TransportResult,
};

/// What is gone already is deleted (Discord docs, "Opcodes and Status Codes": JSON).
const UNKNOWN_CHANNEL: u64 = 10_003;
const UNKNOWN_MESSAGE: u64 = 10_008;
/// So long a shutdown waits for the gateway session.
const LEAVING: Duration = Duration::from_secs(5);

impl TwilightTransport {
    async fn list_guilds(&self) -> TransportResult<Vec<Guild>> {
        let mut guilds: Vec<Guild> = Vec::new();
        loop {
            let call = requests::guilds(&self.client, guilds.last().map(|guild| guild.id))?;
            let page: Vec<WireGuild> = self.ask(&call).await?;
            let full = page.len() >= usize::from(requests::GUILDS_PAGE);
            for guild in page {
                guilds.push(guild.try_into().map_err(|error: NoPermissions| {
                    TransportError::Unknown(reply::failure(call.route, error.to_string()))
                })?);
            }
            if !full {
                break;
            }
        }
        *self.held.lock() = guilds.iter().map(|guild| (guild.id, guild.permissions)).collect();
        Ok(guilds)
    }

    async fn held_in(&self, guild: GuildId) -> TransportResult<Permissions> {
        let known = self.held.lock().get(&guild).copied();
        match known {
            Some(held) => Ok(held),
            None => {
                let guilds = self.list_guilds().await?;
                let found = guilds.iter().find(|one| one.id == guild);
                Ok(found.map(|one| one.permissions).unwrap_or_default())
            }
        }
    }
}

/// What is gone already is as good as deleted.
fn gone(error: TransportError, code: u64) -> TransportResult<()> {
    match error {
        TransportError::Missing(failure) if failure.code == Some(code) => Ok(()),
        error => Err(error),
    }
}

impl Transport for TwilightTransport {
    fn me(&self) -> BoxFuture<'_, TransportResult<BotUser>> {
        Box::pin(async {
            let user: WireUser = self.ask(&requests::me(&self.client)?).await?;
            let application: WireApplication = self.ask(&requests::application(&self.client)?).await?;
            Ok(BotUser {
                id: UserId::new(user.id.get()),
                name: user.username,
                application: application.id.get(),
            })
        })
    }

    fn guilds(&self) -> BoxFuture<'_, TransportResult<Vec<Guild>>> {
        Box::pin(self.list_guilds())
    }

    fn channels(&self, guild: GuildId) -> BoxFuture<'_, TransportResult<Vec<Channel>>> {
        Box::pin(async move {
            let channels: Vec<WireChannel> = self.ask(&requests::channels(&self.client, guild)?).await?;
            Ok(channels.into_iter().map(Channel::from).collect())
        })
    }

    fn create_channel(&self, guild: GuildId, channel: NewChannel) -> BoxFuture<'_, TransportResult<Channel>> {
        Box::pin(async move {
            let held = self.held_in(guild).await?;
            let call = requests::create_channel(&self.client, guild, &channel, held)?;
            let created: WireChannel = self.ask(&call).await?;
            Ok(created.into())
        })
    }

    fn delete_channel(&self, channel: ChannelId) -> BoxFuture<'_, TransportResult<()>> {
        Box::pin(async move {
            let call = requests::delete_channel(&self.client, channel)?;
            self.call(&call).await.map(drop).or_else(|error| gone(error, UNKNOWN_CHANNEL))
        })
    }

    fn post(
        &self,
        channel: ChannelId,
        message: NewMessage,
        deadline: Option<Duration>,
    ) -> BoxFuture<'_, TransportResult<Message>> {
        Box::pin(async move {
            let call = requests::post(&self.client, channel, &message, &*self.env)?;
            let posted: WireMessage = reply::decode(call.route, &self.sender.call(&call, deadline).await?)?;
            Ok(posted.into())
        })
    }

    fn post_ready(&self, channel: ChannelId) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            tokio::select! {
                () = self.sender.gate.ready(Route::post(channel.get())) => {}
                () = self.sender.until_closed() => {}
            }
        })
    }

    fn post_room(&self, channel: ChannelId) -> Option<Room> {
        self.sender.gate.room(Route::post(channel.get()))
    }

    fn edit(
        &self,
        channel: ChannelId,
        message: MessageId,
        content: NewMessage,
    ) -> BoxFuture<'_, TransportResult<Message>> {
        Box::pin(async move {
            let call = requests::edit(&self.client, channel, message, &content, &*self.env)?;
            let edited: WireMessage = self.ask(&call).await?;
            Ok(edited.into())
        })
    }

    fn message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<Message>> {
        Box::pin(async move {
            let call = requests::message(&self.client, channel, message)?;
            let message: WireMessage = self.ask(&call).await?;
            Ok(message.into())
        })
    }

    fn history(&self, channel: ChannelId, page: HistoryPage) -> BoxFuture<'_, TransportResult<Vec<Message>>> {
        Box::pin(async move {
            let Some(call) = requests::history(&self.client, channel, page)? else {
                return Ok(Vec::new());
            };
            let messages: Vec<WireMessage> = self.ask(&call).await?;
            let mut messages: Vec<Message> = messages.into_iter().map(Message::from).collect();
            messages.sort_unstable_by_key(|message| message.id);
            Ok(messages)
        })
    }

    fn delete_message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<()>> {
        Box::pin(async move {
            let call = requests::delete_message(&self.client, channel, message)?;
            self.call(&call).await.map(drop).or_else(|error| gone(error, UNKNOWN_MESSAGE))
        })
    }

    fn delete_messages<'a>(
        &'a self,
        channel: ChannelId,
        messages: &'a [MessageId],
    ) -> BoxFuture<'a, TransportResult<()>> {
        Box::pin(async move {
            let call = requests::delete_messages(&self.client, channel, messages)?;
            self.call(&call).await.map(drop)
        })
    }

    fn download<'a>(&'a self, attachment: &'a Attachment) -> BoxFuture<'a, TransportResult<Bytes>> {
        Box::pin(download::download(&self.sender, attachment))
    }

    fn download_range<'a>(
        &'a self,
        attachment: &'a Attachment,
        offset: u64,
        length: u64,
    ) -> BoxFuture<'a, TransportResult<Bytes>> {
        Box::pin(download::download_range(&self.sender, attachment, offset, length))
    }

    fn events(&self) -> BoxFuture<'_, TransportResult<Events>> {
        Box::pin(self.listen())
    }

    fn traffic(&self) -> Traffic {
        self.sender.traffic()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.sender.closed.send_replace(true);
            let left = async {
                if let Some(task) = self.gateway.lock().await.as_mut() {
                    // The session may have ended by itself before.
                    if !task.is_finished() {
                        task.await.ok();
                    }
                }
            };
            if tokio::time::timeout(LEAVING, left).await.is_err() {
                tracing::debug!(
                    name: "gateway_hangs", target: "discobase::gateway",
                    "the gateway session did not end in time"
                );
            }
        })
    }
}

//! What each call of the engine's `Transport` does to the guild's state when it arrives there.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use discobase_core::transport::{
    Attachment, BotUser, BoxFuture, Channel, ChannelRole, Events, Guild, HistoryPage, Message, NewAttachment,
    NewChannel, NewMessage, Permissions, Traffic, Transport, TransportResult,
};
use discobase_core::{ChannelId, GuildId, MessageId, UserId};
use discobase_guild::state::{
    self, Flaws, Nonce, Overwrite, Page, Refusal, Retained, Upload, channel_kind, permission, time_of,
};

use crate::convert;
use crate::gateway::Subscriber;
use crate::transport::{Call, Door, Tries};
use crate::world::Inner;

/// Mentions nobody, shows no embeds, wakes nobody: what every message of the engine asks for.
const FLAGS: u64 = 1 << 2 | 1 << 12;

impl Door {
    fn bot(&self) -> u64 {
        self.world.with(|inner, _| inner.state.home().bot_id)
    }

    async fn few<R: Send + 'static>(
        &self,
        what: String,
        act: impl Fn(&mut Inner, u64, Flaws) -> Result<R, Refusal> + Send + Sync + 'static,
    ) -> TransportResult<R> {
        self.call(Call { what, text: false, tries: Tries::Few, act: Arc::new(act) }).await
    }

    async fn read_file(&self, attachment: &Attachment, offset: u64, length: u64) -> TransportResult<Bytes> {
        let id = attachment.id;
        let gone = || Refusal { status: 404, ..Refusal::NOT_FOUND };
        self.few(format!("GET file {id} {offset}+{length}"), move |inner, now_ms, _| {
            if inner.state.attachment(id).is_none() || !inner.state.has_arrived(now_ms, id) {
                return Err(gone());
            }
            let bytes = inner.blobs.get(&id).cloned().ok_or_else(gone)?;
            let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
            Ok(bytes.slice(place(offset)..place(offset.saturating_add(length))))
        })
        .await
    }
}

impl Transport for Door {
    fn me(&self) -> BoxFuture<'_, TransportResult<BotUser>> {
        Box::pin(self.few("GET me".to_owned(), |inner, _, _| {
            let bot = inner.state.user(inner.state.home().bot_id).ok_or(Refusal::UNAUTHORIZED)?;
            Ok(BotUser { id: UserId::new(bot.id), name: bot.name.clone(), application: bot.id })
        }))
    }

    fn guilds(&self) -> BoxFuture<'_, TransportResult<Vec<Guild>>> {
        Box::pin(self.few("GET guilds".to_owned(), |inner, _, _| {
            let bot = inner.state.home().bot_id;
            let guild = |guild: &state::Guild| Guild {
                id: GuildId::new(guild.id),
                name: guild.name.clone(),
                permissions: Permissions(permission::in_guild(guild, bot) & permission::ALL),
            };
            Ok(inner.state.guilds_of(bot).map(guild).collect())
        }))
    }

    fn channels(&self, guild: GuildId) -> BoxFuture<'_, TransportResult<Vec<Channel>>> {
        Box::pin(self.few("GET channels".to_owned(), move |inner, now_ms, flaws| {
            // What is said of messages holds for lists of channels.
            let old = |one: &&state::Channel| time_of(one.id) + flaws.stale_ms <= now_ms;
            let channels: Vec<Channel> =
                inner.state.channels_of(guild.get()).filter(old).map(convert::channel).collect();
            Ok(channels)
        }))
    }

    fn create_channel(&self, guild: GuildId, new: NewChannel) -> BoxFuture<'_, TransportResult<Channel>> {
        let bot = self.bot();
        let act = move |inner: &mut Inner, now_ms: u64, _| {
            let deny = Overwrite { id: guild.get(), member: false, allow: 0, deny: permission::VIEW_CHANNEL };
            let allow = Overwrite {
                id: new.visible_to.get(),
                member: true,
                allow: permission::VIEW_CHANNEL,
                deny: 0,
            };
            let channel = state::NewChannel {
                name: new.name.clone(),
                kind: if new.role == ChannelRole::Category {
                    channel_kind::CATEGORY
                } else {
                    channel_kind::TEXT
                },
                topic: Some(new.topic.clone()),
                parent_id: new.parent.map(ChannelId::get),
                overwrites: Some(vec![deny, allow]),
                ..state::NewChannel::default()
            };
            inner.state.create_channel(now_ms, bot, guild.get(), channel).map(|made| convert::channel(&made))
        };
        let what = "POST channel".to_owned();
        Box::pin(self.call(Call { what, text: false, tries: Tries::Once, act: Arc::new(act) }))
    }

    fn delete_channel(&self, channel: ChannelId) -> BoxFuture<'_, TransportResult<()>> {
        let bot = self.bot();
        Box::pin(self.few(format!("DELETE channel {channel}"), move |inner, _, _| {
            gone(inner.state.delete_channel(bot, channel.get()).map(drop), &Refusal::UNKNOWN_CHANNEL)
        }))
    }

    fn post(
        &self,
        channel: ChannelId,
        message: NewMessage,
        deadline: Option<Duration>,
    ) -> BoxFuture<'_, TransportResult<Message>> {
        let bot = self.bot();
        let tries = if message.nonce.is_some() { Tries::Until(deadline) } else { Tries::Once };
        let text = message.attachments.is_empty();
        let what = format!("POST message {channel} {}", summary(&message));
        let act = move |inner: &mut Inner, now_ms: u64, flaws| {
            let new = state::NewMessage {
                content: message.content.clone(),
                nonce: message.nonce.clone().map(Nonce::Text),
                enforce_nonce: message.nonce.is_some(),
                flags: FLAGS,
                files: uploads(&message),
                ..state::NewMessage::default()
            };
            let posted = inner.state.create_message_with(now_ms, bot, channel.get(), new, flaws)?;
            let verb = if posted.repeated { "repeats" } else { "makes" };
            let elapsed = time_of(posted.message.id).saturating_sub(now_ms);
            let line = format!("        {verb} {} (ahead {elapsed}, {flaws:?})", posted.message.id);
            inner.trace.add(now_ms - crate::world::BEGIN, &line);
            Ok(convert::message(&inner.state, &posted.message))
        };
        Box::pin(self.call(Call { what, text, tries, act: Arc::new(act) }))
    }

    fn post_ready(&self, _: ChannelId) -> BoxFuture<'_, ()> {
        Box::pin(self.process.reached())
    }

    fn edit(
        &self,
        channel: ChannelId,
        message: MessageId,
        content: NewMessage,
    ) -> BoxFuture<'_, TransportResult<Message>> {
        let bot = self.bot();
        Box::pin(self.few(format!("PATCH message {channel} {message}"), move |inner, now_ms, _| {
            let kept = (0..content.attachments.len() as u64).map(|id| Retained { id, description: None });
            let change = state::MessageChange {
                content: Some(content.content.clone()),
                attachments: Some(kept.collect()),
                files: uploads(&content),
                ..state::MessageChange::default()
            };
            let edited = inner.state.edit_message(now_ms, bot, channel.get(), message.get(), change)?;
            Ok(convert::message(&inner.state, &edited))
        }))
    }

    fn message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<Message>> {
        let bot = self.bot();
        Box::pin(self.few(format!("GET message {channel} {message}"), move |inner, now_ms, flaws| {
            let found = inner.state.get_message(now_ms, bot, channel.get(), message.get(), flaws)?;
            Ok(convert::message(&inner.state, &found))
        }))
    }

    fn history(&self, channel: ChannelId, page: HistoryPage) -> BoxFuture<'_, TransportResult<Vec<Message>>> {
        let bot = self.bot();
        Box::pin(self.few(format!("GET messages {channel} {page:?}"), move |inner, now_ms, flaws| {
            let page = match page {
                HistoryPage::Newest => Page::Newest,
                HistoryPage::After(id) => Page::After(id.get()),
                HistoryPage::Before(id) => Page::Before(id.get()),
            };
            let page = inner.state.page_messages(now_ms, bot, channel.get(), page, 100, flaws)?;
            if let (Some(newest), Some(oldest)) = (page.first(), page.last()) {
                let line =
                    format!("        {} messages, {} to {}, {flaws:?}", page.len(), oldest.id, newest.id);
                inner.trace.add(now_ms - crate::world::BEGIN, &line);
            }
            Ok(page.iter().rev().map(|one| convert::message(&inner.state, one)).collect())
        }))
    }

    fn delete_message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<()>> {
        let bot = self.bot();
        Box::pin(self.few(format!("DELETE message {channel} {message}"), move |inner, now_ms, _| {
            let deleted = inner.state.delete_message(now_ms, bot, channel.get(), message.get());
            gone(deleted, &Refusal::UNKNOWN_MESSAGE)
        }))
    }

    fn delete_messages<'a>(
        &'a self,
        channel: ChannelId,
        messages: &'a [MessageId],
    ) -> BoxFuture<'a, TransportResult<()>> {
        let bot = self.bot();
        let ids: Vec<u64> = messages.iter().map(|id| id.get()).collect();
        Box::pin(self.few(format!("DELETE messages {channel} {ids:?}"), move |inner, now_ms, _| {
            inner.state.bulk_delete(now_ms, bot, channel.get(), &ids)
        }))
    }

    fn download<'a>(&'a self, attachment: &'a Attachment) -> BoxFuture<'a, TransportResult<Bytes>> {
        Box::pin(self.read_file(attachment, 0, u64::MAX))
    }

    fn download_range<'a>(
        &'a self,
        attachment: &'a Attachment,
        offset: u64,
        length: u64,
    ) -> BoxFuture<'a, TransportResult<Bytes>> {
        Box::pin(self.read_file(attachment, offset, length))
    }

    fn events(&self) -> BoxFuture<'_, TransportResult<Events>> {
        Box::pin(async {
            self.process.reached().await;
            let (sender, events) = tokio::sync::mpsc::unbounded_channel();
            let subscriber =
                Subscriber { process: Arc::clone(&self.process), events: sender, lost_until: None };
            self.world.with(|inner, _| inner.subscribers.insert(self.process.life, subscriber));
            Ok(events)
        })
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.closed.store(true, std::sync::atomic::Ordering::Relaxed);
            self.world.with(|inner, _| inner.subscribers.remove(&self.process.life));
        })
    }
}

fn uploads(message: &NewMessage) -> Vec<Upload> {
    let upload = |(field, file): (u64, &NewAttachment)| Upload {
        field,
        filename: file.filename.clone(),
        description: None,
        content_type: None,
        bytes: file.bytes.clone(),
    };
    (0..).zip(&message.attachments).map(upload).collect()
}

/// What is gone already is as good as deleted.
fn gone(result: Result<(), Refusal>, unknown: &Refusal) -> Result<(), Refusal> {
    match result {
        Err(refusal) if refusal.code == unknown.code => Ok(()),
        result => result,
    }
}

/// What a message is, for the trace: its nonce, and the readable part of a frame.
fn summary(message: &NewMessage) -> String {
    let nonce = message.nonce.as_deref().unwrap_or("-");
    let text: String = message.content.chars().filter(|c| !c.is_control()).take(220).collect();
    format!("{nonce} {} files {text}", message.attachments.len())
}

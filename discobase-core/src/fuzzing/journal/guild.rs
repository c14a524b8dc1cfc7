//! A guild that keeps messages, and in which everything is visible at once.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::env::Env;
use crate::ids::{ChannelId, GuildId, MessageId, UserId};
use crate::transport::{
    Attachment, BotUser, BoxFuture, Channel, Events, Failure, Guild as Found, HistoryPage, Message,
    NewAttachment, NewChannel, NewMessage, Traffic, Transport, TransportError, TransportResult,
};

/// The bot.
pub(super) const BOT: UserId = UserId::new(1);
/// When the world begins, in milliseconds since the Unix epoch.
const BEGIN: u64 = 1_600_000_000_000;

/// The messages of all channels, and their files.
pub(super) struct Guild {
    /// Milliseconds since the world began.
    time: AtomicU64,
    state: Mutex<State>,
    /// So many more messages may be deleted before deleting fails.
    deletions: AtomicU64,
}

#[derive(Default)]
struct State {
    messages: BTreeMap<(ChannelId, MessageId), (Message, Vec<Bytes>)>,
    newest: MessageId,
}

impl Guild {
    pub(super) fn new() -> Arc<Self> {
        let deletions = AtomicU64::new(u64::MAX);
        Arc::new(Self { time: AtomicU64::new(0), state: Mutex::default(), deletions })
    }

    /// What its clock shows, in milliseconds since the Unix epoch.
    pub(super) fn now(&self) -> u64 {
        BEGIN + self.time.load(Ordering::Relaxed)
    }

    /// Time passes.
    pub(super) fn pass(&self, time: Duration) {
        self.time.fetch_add(u64::try_from(time.as_millis()).unwrap_or_default(), Ordering::Relaxed);
    }

    /// Posts a message; its id is above all others.
    pub(super) fn put(&self, channel: ChannelId, author: UserId, new: &NewMessage) -> Message {
        let mut state = self.state.lock();
        let id = state.newest.next().max(MessageId::at(self.now()));
        state.newest = id;
        let attachment = |(number, file): (u64, &NewAttachment)| Attachment {
            id: number,
            filename: file.filename.clone(),
            size: file.bytes.len() as u64,
            url: format!("{channel} {id} {number}"),
        };
        let message = Message {
            id,
            channel,
            author,
            content: new.content.clone(),
            attachments: (0..).zip(&new.attachments).map(attachment).collect(),
            edited: false,
            ordinary: true,
        };
        let files = new.attachments.iter().map(|file| file.bytes.clone()).collect();
        state.messages.insert((channel, id), (message.clone(), files));
        message
    }

    /// The messages of a channel, in the order of their ids.
    pub(super) fn messages(&self, channel: ChannelId) -> Vec<Message> {
        let state = self.state.lock();
        state
            .messages
            .values()
            .filter(|(one, _)| one.channel == channel)
            .map(|(one, _)| one.clone())
            .collect()
    }

    /// What was posted, to be posted once more.
    pub(super) fn content(&self, message: &Message) -> NewMessage {
        let state = self.state.lock();
        let files = state.messages.get(&(message.channel, message.id)).map_or(&[][..], |(_, files)| files);
        let file = |(attachment, bytes): (&Attachment, &Bytes)| NewAttachment {
            filename: attachment.filename.clone(),
            bytes: bytes.clone(),
        };
        NewMessage {
            content: message.content.clone(),
            attachments: message.attachments.iter().zip(files).map(file).collect(),
            nonce: None,
        }
    }

    pub(super) fn remove(&self, channel: ChannelId, message: MessageId) -> bool {
        self.state.lock().messages.remove(&(channel, message)).is_some()
    }

    /// From now on only so many messages can be deleted.
    pub(super) fn allow_deletions(&self, most: u64) {
        self.deletions.store(most, Ordering::Relaxed);
    }

    fn erase(&self, channel: ChannelId, messages: &[MessageId]) -> TransportResult<()> {
        for message in messages {
            let spend = |left: u64| left.checked_sub(1);
            if self.deletions.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_err() {
                return Err(TransportError::NotSent(Failure::default()));
            }
            self.remove(channel, *message);
        }
        Ok(())
    }
}

/// Its clock, which is the guild's own, and no randomness.
impl Env for Guild {
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.time.load(Ordering::Relaxed))
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        // A clock of milliseconds would never come to the end of less.
        self.pass(time.max(Duration::from_millis(1)));
        Box::pin(ready(()))
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    fn inline(&self) -> bool {
        true
    }
}

fn missing() -> TransportError {
    TransportError::Missing(Failure::default())
}

/// What reading and writing a journal and its checkpoints never ask for.
macro_rules! unasked {
    ($($name:ident($($arg:ident: $type:ty),*) -> $ok:ty;)*) => {$(
        fn $name(&self $(, $arg: $type)*) -> BoxFuture<'_, TransportResult<$ok>> {
            $(let _ = $arg;)*
            Box::pin(ready(Err(missing())))
        }
    )*};
}

impl Transport for Guild {
    unasked! {
        me() -> BotUser;
        guilds() -> Vec<Found>;
        channels(guild: GuildId) -> Vec<Channel>;
        create_channel(guild: GuildId, channel: NewChannel) -> Channel;
        delete_channel(channel: ChannelId) -> ();
        edit(channel: ChannelId, message: MessageId, content: NewMessage) -> Message;
        events() -> Events;
    }

    fn post(
        &self,
        channel: ChannelId,
        message: NewMessage,
        _: Option<Duration>,
    ) -> BoxFuture<'_, TransportResult<Message>> {
        Box::pin(ready(Ok(self.put(channel, BOT, &message))))
    }

    fn post_ready(&self, _: ChannelId) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }

    fn message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<Message>> {
        let found = self.state.lock().messages.get(&(channel, message)).map(|(message, _)| message.clone());
        Box::pin(ready(found.ok_or_else(missing)))
    }

    fn history(&self, channel: ChannelId, page: HistoryPage) -> BoxFuture<'_, TransportResult<Vec<Message>>> {
        let all = self.messages(channel);
        let page = match page {
            HistoryPage::After(id) => all.into_iter().filter(|one| one.id > id).take(100).collect(),
            HistoryPage::Before(id) => {
                let before: Vec<_> = all.into_iter().filter(|one| one.id < id).collect();
                before.into_iter().rev().take(100).rev().collect()
            }
            HistoryPage::Newest => all.into_iter().rev().take(100).rev().collect(),
        };
        Box::pin(ready(Ok(page)))
    }

    fn delete_message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<()>> {
        Box::pin(ready(self.erase(channel, &[message])))
    }

    fn delete_messages<'a>(
        &'a self,
        channel: ChannelId,
        messages: &'a [MessageId],
    ) -> BoxFuture<'a, TransportResult<()>> {
        Box::pin(ready(self.erase(channel, messages)))
    }

    fn download<'a>(&'a self, attachment: &'a Attachment) -> BoxFuture<'a, TransportResult<Bytes>> {
        let mut numbers = attachment.url.split(' ').map(str::parse::<u64>);
        let mut number = || numbers.next().and_then(Result::ok).unwrap_or_default();
        let (channel, message, file) = (ChannelId::new(number()), MessageId::new(number()), number());
        let state = self.state.lock();
        let files = state.messages.get(&(channel, message)).map(|(_, files)| files);
        let found = files.and_then(|files| files.get(usize::try_from(file).ok()?)).cloned();
        Box::pin(ready(found.ok_or_else(missing)))
    }

    fn download_range<'a>(
        &'a self,
        _: &'a Attachment,
        _: u64,
        _: u64,
    ) -> BoxFuture<'a, TransportResult<Bytes>> {
        Box::pin(ready(Err(missing())))
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }
}

//! A guild that has files and counts what it is asked for, and a clock that stands.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::codec::checkpoint::Location;
use crate::env::Env;
use crate::ids::{ChannelId, GuildId, MessageId, UserId};
use crate::transport::*;

/// A guild that has files, and nothing else.
#[derive(Default)]
pub(super) struct Shelf {
    pub(super) files: parking_lot::Mutex<HashMap<Location, Bytes>>,
    requests: AtomicU64,
    bytes: AtomicU64,
    /// URLs that were given before this count of requests are refused.
    pub(super) expired: AtomicU64,
}

impl Shelf {
    pub(super) fn put(&self, file: Bytes) -> Location {
        let mut files = self.files.lock();
        let message = MessageId::new(files.len() as u64 + 1);
        let location = Location { channel: ChannelId::new(7), message };
        files.insert(location, file);
        location
    }

    fn load(&self, attachment: &Attachment) -> TransportResult<Bytes> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (message, given) = attachment.url.split_once(' ').unwrap();
        if given.parse::<u64>().unwrap() < self.expired.load(Ordering::Relaxed) {
            return Err(missing());
        }
        let location =
            Location { channel: ChannelId::new(7), message: MessageId::new(message.parse().unwrap()) };
        self.files.lock().get(&location).cloned().ok_or_else(missing)
    }

    /// The message of a file, with a URL that says when it was given.
    fn posted(&self, at: Location, given: u64) -> Option<Message> {
        let file = self.files.lock().get(&at).cloned()?;
        let attachment = Attachment {
            id: 1,
            filename: "f".to_owned(),
            size: file.len() as u64,
            url: format!("{} {given}", at.message),
        };
        Some(Message {
            id: at.message,
            channel: at.channel,
            author: UserId::new(1),
            content: String::new(),
            attachments: vec![attachment],
            edited: false,
            ordinary: true,
        })
    }

    pub(super) fn asked(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

fn missing() -> TransportError {
    TransportError::Missing(Failure::default())
}

/// What lookups never ask for.
macro_rules! unasked {
    ($($name:ident($($arg:ident: $type:ty),*) -> $ok:ty;)*) => {$(
        fn $name(&self $(, $arg: $type)*) -> BoxFuture<'_, TransportResult<$ok>> {
            $(let _ = $arg;)*
            Box::pin(std::future::ready(Err(missing())))
        }
    )*};
}

impl Transport for Shelf {
    unasked! {
        me() -> BotUser;
        guilds() -> Vec<Guild>;
        channels(guild: GuildId) -> Vec<Channel>;
        create_channel(guild: GuildId, channel: NewChannel) -> Channel;
        delete_channel(channel: ChannelId) -> ();
        post(channel: ChannelId, message: NewMessage, deadline: Option<Duration>) -> Message;
        edit(channel: ChannelId, message: MessageId, content: NewMessage) -> Message;
        delete_message(channel: ChannelId, message: MessageId) -> ();
        events() -> Events;
    }

    fn delete_messages<'a>(
        &'a self,
        _channel: ChannelId,
        _messages: &'a [MessageId],
    ) -> BoxFuture<'a, TransportResult<()>> {
        Box::pin(std::future::ready(Err(missing())))
    }

    fn post_ready(&self, _channel: ChannelId) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    fn message(&self, channel: ChannelId, message: MessageId) -> BoxFuture<'_, TransportResult<Message>> {
        let given = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let found = self.posted(Location { channel, message }, given);
        Box::pin(async move {
            tokio::task::yield_now().await;
            found.ok_or_else(missing)
        })
    }

    fn history(&self, channel: ChannelId, page: HistoryPage) -> BoxFuture<'_, TransportResult<Vec<Message>>> {
        let given = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let HistoryPage::After(after) = page else { panic!("{page:?} is not asked for") };
        let mut messages: Vec<_> = self.files.lock().keys().map(|at| at.message).collect();
        messages.sort_unstable();
        let later = messages.into_iter().filter(|message| *message > after).take(100);
        let found = later.filter_map(|message| self.posted(Location { channel, message }, given)).collect();
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(found)
        })
    }

    fn download<'a>(&'a self, attachment: &'a Attachment) -> BoxFuture<'a, TransportResult<Bytes>> {
        let file = self.load(attachment);
        self.bytes.fetch_add(file.as_ref().map_or(0, |file| file.len() as u64), Ordering::Relaxed);
        Box::pin(std::future::ready(file))
    }

    fn download_range<'a>(
        &'a self,
        attachment: &'a Attachment,
        offset: u64,
        length: u64,
    ) -> BoxFuture<'a, TransportResult<Bytes>> {
        let (from, to) = (offset as usize, (offset + length) as usize);
        let part = self.load(attachment).map(|file| file.slice(from..to));
        self.bytes.fetch_add(length, Ordering::Relaxed);
        Box::pin(async move {
            tokio::task::yield_now().await;
            part
        })
    }
}

/// A clock that stands where it is put.
#[derive(Default)]
pub(super) struct Standing(pub(super) AtomicU64);

impl Env for Standing {
    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

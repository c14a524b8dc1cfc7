//! The gateway session: one task that keeps it alive, reports what it brings, and says when it may have missed
//! something (Discord docs, "Gateway": Connection Lifecycle).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::watch;
use tracing::{debug, warn};
use twilight_gateway::error::{ReceiveMessageError, ReceiveMessageErrorType};
use twilight_gateway::{CloseFrame, ConfigBuilder, Intents, Message, Shard, ShardId, ShardState};

use super::config::Token;
use super::dispatch::{self, Dispatch};
use super::feed::Feed;
use super::requests::chain;
use crate::env::{self, SharedEnv};
use crate::transport::Event;

/// The bot reads its own messages without the privileged intent for everyone's content
/// (Discord docs, "Gateway": Message Content Intent).
const INTENTS: Intents = Intents::GUILDS.union(Intents::GUILD_MESSAGES);
/// Guilds are sent one by one after the session has begun; this long they are waited for.
const GUILDS: Duration = Duration::from_secs(3);
/// So long a close may take until the connection is dropped instead.
const CLOSING: Duration = Duration::from_secs(2);
/// A connection that is being closed or made, and is neither after this time, is given up: nobody watches it, since
/// heartbeats end when its closing begins. Making one alone may take 10 s.
const LIMBO: Duration = Duration::from_secs(20);
/// After so many failed connections the waits between them, which double, begin anew: they would reach minutes.
const ATTEMPTS: u8 = 6;

/// The session's task.
pub(super) struct Session {
    token: Token,
    url: String,
    feed: Arc<Feed>,
    env: SharedEnv,
    /// Whether there was a session before: the next one has missed what was between them.
    started: bool,
    /// Whether that is still to be told.
    gap: bool,
    /// Guilds that the session has still to send, and until when they are waited for, on the monotonic clock.
    awaited: HashSet<u64>,
    awaited_until: Option<Duration>,
    close: Option<(u16, String)>,
}

impl Session {
    pub(super) fn new(token: Token, url: String, feed: Arc<Feed>, env: SharedEnv) -> Self {
        Self {
            token,
            url,
            feed,
            env,
            started: false,
            gap: false,
            awaited: HashSet::new(),
            awaited_until: None,
            close: None,
        }
    }

    /// Runs until the gateway closes for good, the transport is shut down or dropped.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        // Whatever ends this task, a panic beneath it included, the listeners hear of it.
        let _end = End(Arc::clone(&self.feed));
        let mut shard = Shard::with_config(ShardId::ONE, self.config().build());
        let env = Arc::clone(&self.env);
        loop {
            let waited = self.awaited_until.unwrap_or_default();
            let limbo = shard.state() == (ShardState::Disconnected { reconnect_attempts: 0 });
            tokio::select! {
                biased;
                () = stopped(&mut stop) => return self.leave(shard).await,
                () = env::sleep_until(&*env, waited), if self.awaited_until.is_some() => self.open(),
                next = shard.next() => match next {
                    Some(Ok(message)) => {
                        if !self.hear(message, &shard) {
                            return self.leave(shard).await;
                        }
                    }
                    Some(Err(error)) => shard = self.stumble(shard, &error),
                    None => return self.end(),
                },
                () = env::sleep(&*env, LIMBO), if limbo => shard = self.anew(&shard),
            }
        }
    }

    fn config(&self) -> ConfigBuilder {
        ConfigBuilder::new(self.token.expose().to_owned(), INTENTS).proxy_url(self.url.clone())
    }

    /// Another connection for the same session.
    fn anew(&self, shard: &Shard) -> Shard {
        let mut config = self.config();
        if let Some(session) = shard.session() {
            config = config.session(session.clone());
        }
        if let Some(url) = shard.resume_url() {
            config = config.resume_url(url.to_owned());
        }
        Shard::with_config(ShardId::ONE, config.build())
    }

    /// Takes a message in; false, if the session cannot go on.
    fn hear(&mut self, message: Message, shard: &Shard) -> bool {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(frame) => {
                debug!(
                    name: "gateway_cut", target: "discobase::gateway",
                    code = frame.as_ref().map(|frame| frame.code),
                    "the gateway closed the connection"
                );
                if shard.state() == ShardState::FatallyClosed {
                    self.close = frame.map(|frame| (frame.code, frame.reason.into_owned()));
                }
                return true;
            }
        };
        match dispatch::read(&text) {
            Dispatch::Ready { guilds } => {
                // Twilight takes the address for the next connection as it is.
                if shard.resume_url().is_some_and(|url| !is_usable(url, self.url.starts_with("wss:"))) {
                    self.feed.close(None, "the gateway named an unusable address for resuming");
                    return false;
                }
                self.gap |= self.started;
                self.started = true;
                self.awaited = guilds.into_iter().collect();
                self.awaited_until = Some(self.env.monotonic() + GUILDS);
                if self.awaited.is_empty() {
                    self.open();
                }
            }
            Dispatch::GuildHere(guild) => self.guild(guild),
            Dispatch::GuildGone(guild) => {
                // In an outage nothing is sent; what was missed shows when the guild is back.
                self.awaited.insert(guild);
                self.feed.tell(&Event::Gap);
            }
            Dispatch::Events(events) => events.iter().for_each(|event| self.feed.tell(event)),
            Dispatch::Unreadable(name) => {
                warn!(
                    name: "event_unreadable", target: "discobase::gateway", event = name,
                    "a gateway event cannot be read"
                );
                self.feed.tell(&Event::Gap);
            }
            Dispatch::Resumed | Dispatch::Other => {}
        }
        true
    }

    /// A guild has been sent. Late ones may have been silent until then.
    fn guild(&mut self, guild: u64) {
        if !self.awaited.remove(&guild) {
            return;
        }
        if self.awaited_until.is_none() {
            self.feed.tell(&Event::Gap);
        } else if self.awaited.is_empty() {
            self.open();
        }
    }

    /// The session sends all there is, as far as can be known. Whoever reads the history after this misses nothing.
    fn open(&mut self) {
        self.awaited_until = None;
        if std::mem::take(&mut self.gap) {
            self.feed.tell(&Event::Gap);
        }
        self.feed.open();
    }

    /// Something went wrong that the shard recovers from by itself.
    fn stumble(&self, shard: Shard, error: &ReceiveMessageError) -> Shard {
        match error.kind() {
            ReceiveMessageErrorType::Reconnect => {
                let why = std::error::Error::source(error).map(chain).unwrap_or_default();
                warn!(
                    name: "gateway_unreachable", target: "discobase::gateway", why,
                    "cannot reach the gateway, trying again"
                );
                self.feed.trouble(why);
                match shard.state() {
                    ShardState::Disconnected { reconnect_attempts } if reconnect_attempts >= ATTEMPTS => {
                        self.anew(&shard)
                    }
                    _ => shard,
                }
            }
            _ => {
                // The error's own text quotes the event.
                warn!(
                    name: "event_unreadable", target: "discobase::gateway",
                    "a gateway message cannot be read"
                );
                self.feed.tell(&Event::Gap);
                shard
            }
        }
    }

    /// The gateway has closed for good (Discord docs, "Opcodes and Status Codes": Gateway Close Event Codes).
    fn end(self) {
        match self.close {
            Some((code, reason)) => {
                self.feed.close(Some(code), &format!("the gateway closed with code {code}: {reason}"));
            }
            None => self.feed.close(None, "the gateway closed"),
        }
    }

    /// Closes the session properly, so that it does not linger as a zombie.
    async fn leave(self, mut shard: Shard) {
        self.feed.close(None, "the transport is shut down");
        if matches!(shard.state(), ShardState::Disconnected { .. } | ShardState::FatallyClosed) {
            return;
        }
        shard.close(CloseFrame::NORMAL);
        let closed = async {
            while let Some(Ok(message)) = shard.next().await {
                if message.is_close() {
                    break;
                }
            }
        };
        let end = self.env.monotonic() + CLOSING;
        if env::until(&*self.env, end, closed).await.is_none() {
            debug!(
                name: "gateway_hangs", target: "discobase::gateway",
                "the gateway did not answer the close"
            );
        }
    }
}

/// Completes when the transport is shut down or dropped.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    stop.wait_for(|stop| *stop).await.ok();
}

/// Tells the listeners when the task is gone.
struct End(Arc<Feed>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.close(None, "the gateway task has ended");
    }
}

/// Whether the address is one of a WebSocket, and encrypted where that is a must: the token is sent there.
pub(super) fn is_usable(address: &str, secure: bool) -> bool {
    let Ok(uri) = address.parse::<http::Uri>() else { return false };
    uri.host().is_some()
        && match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => !secure,
            _ => false,
        }
}

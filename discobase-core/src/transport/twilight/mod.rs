//! The transport for Discord and for everything that speaks its protocol.
//!
//! Twilight builds the requests, checks lengths, and holds the gateway session. The requests are sent by a client of
//! our own, because what happens between a call and its answer is what a database is made of: pacing by every reply's
//! headers ([`limits`](super::limits)), one retry after a 429 and not hundreds, the same bytes and nonce after a lost
//! answer, the status of every failure, and a time limit on everything, bodies included.
//!
//! ```text
//! call -> requests (what to send) -> send (whose turn, which try, what it means) -> client (one try)
//!                                      \-> limits                                \-> reply
//! gateway (the session) -> dispatch (what it says) -> feed (to whom)
//! ```

mod body;
mod client;
mod config;
mod convert;
mod dispatch;
mod download;
mod feed;
mod gateway;
mod reply;
mod requests;
mod send;

pub use config::{Deadlines, Endpoint, EndpointError, Token, TwilightConfig};

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use super::limits::{Route, Verb};
use super::{
    Attachment, BotUser, BoxFuture, Channel, Events, Guild, HistoryPage, Message, NewChannel, NewMessage,
    Permissions, Traffic, Transport, TransportError, TransportResult,
};
use crate::env::SharedEnv;
use crate::ids::{ChannelId, GuildId, MessageId, UserId};
use convert::{WireApplication, WireChannel, WireGuild, WireMessage, WireUser};
use feed::{Feed, Stage};
use gateway::Session;
use requests::Call;
use send::Sender;

/// What is gone already is deleted (Discord docs, "Opcodes and Status Codes": JSON).
const UNKNOWN_CHANNEL: u64 = 10_003;
const UNKNOWN_MESSAGE: u64 = 10_008;
/// Closes of the gateway that a person must mend: a wrong token, and intents the bot was not granted.
const AUTHENTICATION_FAILED: u16 = 4_004;
/// So long a shutdown waits for the gateway session.
const LEAVING: Duration = Duration::from_secs(5);

/// Discord, or something that speaks its protocol. See the [module](self).
pub struct TwilightTransport {
    sender: Sender,
    client: Arc<twilight_http::Client>,
    token: Token,
    env: SharedEnv,
    gateway_url: Option<String>,
    gateway: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    feed: Arc<Feed>,
    /// What the bot may do in its guilds, as last listed.
    held: Mutex<HashMap<GuildId, Permissions>>,
}

impl TwilightTransport {
    /// Prepares to connect; sends nothing yet.
    ///
    /// # Errors
    ///
    /// [`TransportError::NotSent`], if there is no Tokio runtime to run on, or if the token, the user agent or the
    /// gateway's address cannot be sent.
    pub fn new(config: TwilightConfig) -> TransportResult<Arc<Self>> {
        let wrong = |message: &str| {
            TransportError::NotSent(super::Failure {
                message: message.to_owned(),
                ..super::Failure::default()
            })
        };
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(wrong("a transport needs a Tokio runtime around it"));
        }
        if let Some(url) = &config.gateway
            && !gateway::is_usable(url, config.api.is_tls())
        {
            return Err(wrong("the gateway's address is none of a (secure) WebSocket"));
        }
        // Twilight leaves the choice to us and panics if nobody has chosen. An error says that somebody has.
        rustls::crypto::ring::default_provider().install_default().ok();
        let mut client = twilight_http::Client::builder().token(config.token.expose().to_owned());
        if !config.api.is_discord() {
            client = client.proxy(config.api.authority(), !config.api.is_tls());
        }
        Ok(Arc::new(Self {
            sender: Sender::new(&config).map_err(|message| wrong(&message))?,
            client: Arc::new(client.build()),
            token: config.token,
            env: config.env,
            gateway_url: config.gateway,
            gateway: tokio::sync::Mutex::new(None),
            feed: Arc::new(Feed::new()),
            held: Mutex::new(HashMap::new()),
        }))
    }

    /// Twilight's own client with the same token and address, for calls that have nothing to do with the database.
    ///
    /// It keeps to limits of its own: the two do not know of each other's requests, and it repeats some 429s at once
    /// and without end. Keep it away from the database's channels, and do not use it after its runtime has ended.
    #[must_use]
    pub fn client(&self) -> Arc<twilight_http::Client> {
        Arc::clone(&self.client)
    }

    /// Makes a call with the usual deadline.
    async fn call(&self, call: &Call) -> TransportResult<Bytes> {
        self.sender.call(call, Some(self.sender.deadlines.call)).await
    }

    /// Makes a call and reads its answer.
    async fn ask<T: DeserializeOwned>(&self, call: &Call) -> TransportResult<T> {
        reply::decode(call.route, &self.call(call).await?)
    }

    async fn list_guilds(&self) -> TransportResult<Vec<Guild>> {
        let mut guilds: Vec<Guild> = Vec::new();
        loop {
            let call = requests::guilds(&self.client, guilds.last().map(|guild| guild.id))?;
            let page: Vec<WireGuild> = self.ask(&call).await?;
            let full = page.len() >= usize::from(requests::GUILDS_PAGE);
            for guild in page {
                guilds.push(guild.try_into().map_err(|error: convert::NoPermissions| {
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

    /// Where the gateway is. Asking also tells how often the bot may still identify: Discord resets the token of one
    /// that does so more often (Discord docs, "Gateway": Session Start Limit).
    async fn gateway_address(&self) -> TransportResult<String> {
        #[derive(Deserialize)]
        struct Answer {
            url: String,
            session_start_limit: Option<Starts>,
        }
        #[derive(Deserialize)]
        struct Starts {
            remaining: u64,
            reset_after: u64,
        }
        if let Some(url) = &self.gateway_url {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        let call = requests::gateway(&self.client)?;
        let answer: Answer = self.ask(&call).await?;
        let refused = |message: String| Err(TransportError::NotSent(reply::failure(call.route, message)));
        if let Some(starts) = answer.session_start_limit
            && starts.remaining == 0
        {
            let wait = Duration::from_millis(starts.reset_after);
            return refused(format!("no gateway session may be started for another {wait:.0?}"));
        }
        if !gateway::is_usable(&answer.url, self.sender.endpoint.is_tls()) {
            return refused("the gateway's address is none of a (secure) WebSocket".to_owned());
        }
        Ok(answer.url.trim_end_matches('/').to_owned())
    }

    async fn listen(&self) -> TransportResult<Events> {
        let route = Route::new(Verb::Get, "gateway", 0);
        let closed = || TransportError::NotSent(reply::failure(route, "the transport is shut down"));
        let events = {
            let mut task = self.gateway.lock().await;
            if task.is_none() {
                let url = self.gateway_address().await?;
                if *self.sender.closed.borrow() {
                    return Err(closed());
                }
                let stop = self.sender.closed.subscribe();
                let session = Session::new(self.token.clone(), url, Arc::clone(&self.feed));
                *task = Some(tokio::spawn(session.run(stop)));
            }
            self.feed.listen()
        };
        let mut stage = self.feed.stage();
        let patience = self.sender.deadlines.gateway;
        let decided = stage.wait_for(|stage| !matches!(stage, Stage::Connecting(_)));
        let stage = match tokio::time::timeout(patience, decided).await {
            Ok(Ok(stage)) => stage.clone(),
            _ => self.feed.stage().borrow().clone(),
        };
        match stage {
            Stage::Open => Ok(events),
            Stage::Closed(Some(AUTHENTICATION_FAILED), why) => {
                Err(TransportError::Unauthorized(reply::failure(route, why)))
            }
            Stage::Closed(_, why) => Err(TransportError::NotSent(reply::failure(route, why))),
            Stage::Connecting(trouble) => {
                let why = trouble.unwrap_or_else(|| "it does not begin a session".to_owned());
                let message = format!("the gateway is not there after {patience:.1?}: {why}");
                Err(TransportError::NotSent(reply::failure(route, message)))
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

    fn download<'a>(&'a self, attachment: &'a Attachment) -> BoxFuture<'a, TransportResult<Bytes>> {
        Box::pin(download::download(&self.sender, attachment))
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
            let task = self.gateway.lock().await.take();
            let Some(mut task) = task else { return };
            if tokio::time::timeout(LEAVING, &mut task).await.is_err() {
                task.abort();
            }
        })
    }
}

impl fmt::Debug for TwilightTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilightTransport").field("api", &self.sender.endpoint).finish_non_exhaustive()
    }
}

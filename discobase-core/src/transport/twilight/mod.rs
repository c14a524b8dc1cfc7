//! The transport for Discord and for everything that speaks its protocol.
//!
//! Twilight builds the requests, checks lengths, and holds the gateway session. The requests are sent by a client of
//! our own, because what happens between a call and its answer is what a database is made of: pacing by every reply's
//! headers (`limits`), one retry after a 429 and not hundreds, the same bytes and nonce after a lost
//! answer, the status of every failure, and a time limit on everything, bodies included.
//!
//! ```text
//! call -> requests (what to send) -> send (whose turn, which try, what it means) -> client (one try)
//!                                      \-> limits                                \-> reply
//! gateway (the session) -> dispatch (what it says) -> feed (to whom)
//! ```

mod body;
mod calls;
mod client;
mod config;
mod convert;
mod dispatch;
mod download;
mod feed;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod gateway;
mod listen;
mod reply;
mod requests;
mod send;

pub use config::{Deadlines, Endpoint, EndpointError, Token, TwilightConfig};

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use super::{Permissions, TransportError, TransportResult};
use crate::env::SharedEnv;
use crate::ids::GuildId;
use feed::Feed;
use requests::Call;
use send::Sender;

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
}

impl fmt::Debug for TwilightTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilightTransport").field("api", &self.sender.endpoint).finish_non_exhaustive()
    }
}

//! What a connection to Discord is made of: the token, the address, the patience.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::env::{SharedEnv, SystemEnv};

/// A bot's token. It is shown nowhere: not by `Debug`, not in errors, not in logs.
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// Takes the token as the developer portal shows it, with or without `Bot ` before it.
    #[must_use]
    pub fn new(token: &str) -> Self {
        let token = token.trim();
        Self(token.strip_prefix("Bot ").unwrap_or(token).trim().into())
    }

    /// The token itself, for the one header and the one gateway message that need it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Token {
    fn from(token: &str) -> Self {
        Self::new(token)
    }
}

impl From<String> for Token {
    fn from(token: String) -> Self {
        Self::new(&token)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

/// Where the API is: Discord, or something that speaks its protocol.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
    host: String,
    port: u16,
}

/// The address is none at which an API could be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no address of an API: give a scheme and a host, like https://discord.com or http://127.0.0.1:8080"
)]
pub struct EndpointError(String);

impl Endpoint {
    /// Discord itself.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a constant, parsed by a test")]
    pub fn discord() -> Self {
        "https://discord.com".parse().expect("a valid address")
    }

    /// The host, without a port.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The port, whether named or not.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Whether the connection is encrypted.
    pub(super) fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether it is Discord.
    pub(super) fn is_discord(&self) -> bool {
        is_discord(&self.host)
    }

    /// Whether it is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.url.host().is_some_and(|host| super::download::is_loopback(&host))
    }

    /// Host and port, as a URL has them.
    pub(super) fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

fn is_discord(host: &str) -> bool {
    ["discord.com", "discord.gg", "discordapp.com"].iter().any(|domain| {
        host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The text could be anything, a token pasted into the wrong place included: only a URL is echoed.
        let Ok(url) = Url::parse(text.trim()) else { return Err(EndpointError(String::new())) };
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        let host = url.host_str().map(str::to_owned);
        let port = url.port_or_known_default();
        match (url.scheme(), host, port) {
            // A token never travels to Discord in plain text.
            ("http", Some(host), _) if is_discord(&host) => Err(EndpointError(format!("http://{host}"))),
            ("http" | "https", Some(host), Some(port)) if bare && anonymous => Ok(Self { url, host, port }),
            (scheme, host, _) => Err(EndpointError(format!("{scheme}://{}", host.unwrap_or_default()))),
        }
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self::discord()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.authority())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deadlines {
    /// A call that names no deadline of its own, with all its tries and waits.
    pub call: Duration,
    /// The first connection of all: a wrong address shall show at once.
    pub first_contact: Duration,
    /// One try until its answer begins; a second is added for each 256 KiB that are sent or expected.
    pub answer: Duration,
    /// The next piece of an answer that has begun.
    pub piece: Duration,
    /// The first event of the gateway.
    pub gateway: Duration,
    /// The pause before the first retry; it doubles with each one.
    pub shortest_pause: Duration,
    /// The longest pause between retries.
    pub longest_pause: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(60),
            first_contact: Duration::from_secs(3),
            answer: Duration::from_secs(10),
            piece: Duration::from_secs(10),
            gateway: Duration::from_secs(30),
            shortest_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
        }
    }
}

/// How to reach Discord.
#[derive(Clone)]
pub struct TwilightConfig {
    /// The bot's token.
    pub token: Token,
    /// Where the API is.
    pub api: Endpoint,
    /// Where the gateway is; if it is not set, the API is asked.
    pub gateway: Option<String>,
    /// How long to wait for what.
    pub deadlines: Deadlines,
    /// The clock and the random generator.
    pub env: SharedEnv,
    /// The `User-Agent` header (Discord docs, "API Reference": User Agent).
    pub user_agent: String,
}

impl TwilightConfig {
    /// Discord, with the defaults.
    #[must_use]
    pub fn new(token: impl Into<Token>) -> Self {
        Self {
            token: token.into(),
            api: Endpoint::discord(),
            gateway: None,
            deadlines: Deadlines::default(),
            env: Arc::new(SystemEnv::new()),
            user_agent: concat!(
                "DiscordBot (",
                env!("CARGO_PKG_REPOSITORY"),
                ", ",
                env!("CARGO_PKG_VERSION"),
                ")"
            )
            .to_owned(),
        }
    }
}

impl fmt::Debug for TwilightConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilightConfig")
            .field("api", &self.api)
            .field("gateway", &self.gateway)
            .field("deadlines", &self.deadlines)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}

//! What can become of a request.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::transport::Permissions;

/// Discord's code for a channel that is not there (Discord docs, "Opcodes and Status Codes": JSON).
const UNKNOWN_CHANNEL: u64 = 10_003;

/// A result of a [`Transport`](super::Transport).
pub type TransportResult<T> = Result<T, TransportError>;

/// What became of a request that did not succeed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TransportError {
    /// 401: Discord does not know the token.
    Unauthorized(Failure),
    /// 403: the bot may not do this (codes 50001, 50013 and others).
    Forbidden(Failure),
    /// 404: the channel, guild or message is gone or hidden. For a post with a nonce, code 10008 says that the
    /// message an earlier try made was deleted.
    Missing(Failure),
    /// Another 4xx: Discord refuses the request as it is, for example AutoMod (200000) or a harmful link (240000).
    Refused(Failure),
    /// No answer came, or only 5xx, until the deadline: it may have happened or may still happen.
    Unknown(Failure),
    /// The request never left: no connection, the transport is shut down, or a limit would be broken.
    NotSent(Failure),
}

/// The details of a failed request.
#[derive(Clone, Default)]
pub struct Failure {
    /// Method and route template, for example `POST channels/{channel}/messages`.
    pub route: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Discord's error code (Discord docs, "Opcodes and Status Codes": JSON).
    pub code: Option<u64>,
    /// Discord's message, or what else went wrong; never a token or a URL's signature.
    pub message: String,
    /// Whether an earlier try of this very call got no answer, so that it may have had an effect after all.
    pub ambiguous: bool,
    /// The error underneath.
    pub source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl TransportError {
    /// The details.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        match self {
            Self::Unauthorized(failure)
            | Self::Forbidden(failure)
            | Self::Missing(failure)
            | Self::Refused(failure)
            | Self::Unknown(failure)
            | Self::NotSent(failure) => failure,
        }
    }

    /// Discord's error code.
    #[must_use]
    pub fn code(&self) -> Option<u64> {
        self.failure().code
    }

    /// Whether a channel is not there: not only a message of it, or a file.
    pub(crate) fn is_unknown_channel(&self) -> bool {
        matches!(self, Self::Missing(_)) && self.code() == Some(UNKNOWN_CHANNEL)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.route)?;
        if let Some(status) = self.status {
            write!(f, "status {status}, ")?;
        }
        if let Some(code) = self.code {
            write!(f, "code {code}, ")?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure().fmt(f)
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.failure().source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// The error a user sees for a failed request: what was being done, what Discord said, what to do about it.
#[must_use]
pub fn explain(error: &TransportError, doing: &str) -> Error {
    let failure = error.failure();
    let (kind, text) = match error {
        TransportError::Unauthorized(_) => (
            ErrorKind::Unauthorized,
            format!(
                "Discord does not accept the bot token ({doing}): copy it anew from the Bot page of the \
                 application in Discord's developer portal"
            ),
        ),
        TransportError::Forbidden(_) => (
            ErrorKind::MissingPermissions,
            format!(
                "Discord forbids {doing} ({failure}): in the channel's and the category's permissions, allow the \
                 bot {}",
                Permissions::REQUIRED.map(|(_, name)| name).join(", ")
            ),
        ),
        TransportError::Missing(_) => (
            ErrorKind::MissingChannel,
            format!("a channel or message is gone, or hidden from the bot, while {doing} ({failure})"),
        ),
        TransportError::Refused(_) => (ErrorKind::Refused, format!("Discord refuses {doing} ({failure})")),
        TransportError::Unknown(_) => (
            ErrorKind::Unreachable,
            format!("no answer came in time while {doing} ({failure}): check the network and try again"),
        ),
        TransportError::NotSent(_) => (
            ErrorKind::Unreachable,
            format!("the server can't be reached while {doing} ({failure}): check the network and try again"),
        ),
    };
    Error::new(kind, text).caused_by(error.clone())
}

//! What a limit belongs to: a route without its minor ids, and what a refusal can reach beyond it.

use std::fmt;

/// An HTTP method the transport uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Get,
    Post,
    Patch,
    Delete,
}

/// A method, a path template and the id that splits its bucket.
///
/// Discord's buckets hold per route and per top-level id (Discord docs, "Rate Limits"); ids of messages do not split
/// them. The bucket hash in the headers is no key: routes with counters of their own have been seen to share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    /// The method.
    pub(crate) verb: Verb,
    /// The path, ids replaced by names.
    pub(crate) template: &'static str,
    /// The id of the channel or guild; 0 where there is none.
    pub(crate) major: u64,
}

/// The template of everything that posts to, edits in or deletes from a channel's messages.
const MESSAGES: &str = "channels/{channel}/messages";
const MESSAGE: &str = "channels/{channel}/messages/{message}";
const BULK_DELETE: &str = "channels/{channel}/messages/bulk-delete";
const ATTACHMENT: &str = "attachments/{channel}/{attachment}/{filename}";

impl Route {
    /// Any route.
    pub(crate) const fn new(verb: Verb, template: &'static str, major: u64) -> Self {
        Self { verb, template, major }
    }

    /// Posting to a channel.
    pub(crate) const fn post(channel: u64) -> Self {
        Self::new(Verb::Post, MESSAGES, channel)
    }

    /// Reading a channel's history.
    pub(crate) const fn history(channel: u64) -> Self {
        Self::new(Verb::Get, MESSAGES, channel)
    }

    /// Reading, editing or deleting one message.
    pub(crate) const fn message(verb: Verb, channel: u64) -> Self {
        Self::new(verb, MESSAGE, channel)
    }

    /// Deleting many messages of a channel at once.
    pub(crate) const fn delete_many(channel: u64) -> Self {
        Self::new(Verb::Post, BULK_DELETE, channel)
    }

    /// Downloading an attachment: not an API route, outside every limit of the API's.
    pub(crate) const fn download() -> Self {
        Self::new(Verb::Get, ATTACHMENT, 0)
    }

    /// Whether it is a post to a channel.
    pub(crate) fn is_post(&self) -> bool {
        self.verb == Verb::Post && self.template == MESSAGES
    }

    /// Whether it is a download.
    pub(crate) fn is_download(&self) -> bool {
        self.template == ATTACHMENT
    }

    /// Whether the channel and server write limits (codes 20028 and 20029) count it.
    fn is_write(&self) -> bool {
        matches!(self.verb, Verb::Post | Verb::Patch)
            && (self.template == MESSAGES || self.template == MESSAGE)
    }

    /// Whatever may block a request of this route.
    pub(super) fn reaches(self) -> impl Iterator<Item = Reach> {
        let write = self.is_write();
        [
            Some(Reach::Bucket(self)),
            write.then_some(Reach::ChannelWrites(self.major)),
            write.then_some(Reach::Writes),
            (!self.is_download()).then_some(Reach::Everything),
        ]
        .into_iter()
        .flatten()
    }
}

/// How far a refusal reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// The route's own bucket.
    Bucket(Route),
    /// Everything that writes messages to the channel (code 20028).
    ChannelWrites(u64),
    /// Everything that writes messages anywhere (code 20029 names no server, and the bot has hardly another).
    Writes,
    /// Every request: the global limit, or Cloudflare in front of Discord.
    Everything,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.verb {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
        };
        write!(f, "{verb} {}", self.template)
    }
}

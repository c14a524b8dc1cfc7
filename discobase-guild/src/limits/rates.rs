//! Rates: the buckets of the REST interface and the headers that describe them.
//!
//! Callers: `http`, once a request after authentication, and once more for what only the body tells.
//! Discord docs, "Rate Limits": Header Format, Exceeding A Rate Limit, Invalid Request Limit.

use std::collections::HashMap;

use super::{Limits, Rate, Window};
use crate::state::{Snowflake, time_of};

const HOUR_MS: u64 = 3_600_000;
const FORTNIGHT_MS: u64 = 14 * 24 * HOUR_MS;

/// What a request is charged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// Create Message.
    MessageCreate,
    /// Edit Message, of this message.
    MessageEdit(Snowflake),
    /// Delete Message, of this message.
    MessageDelete(Snowflake),
    /// Get Channel Messages.
    MessagePage,
    /// Adding or removing reactions.
    Reaction,
    /// Bulk Delete Messages.
    BulkDelete,
    /// Modify Channel.
    ChannelModify,
    /// Modify Channel with a name or a topic.
    ChannelRename,
    /// Any other route, by its method and template.
    Other(&'static str, &'static str),
}

/// Who shares a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The bot, on this route.
    User,
    /// The bot, on all routes.
    Global,
    /// Everybody who uses the resource; does not count as an invalid request.
    Shared,
}

impl Scope {
    /// The value of the header `X-RateLimit-Scope`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Global => "global",
            Self::Shared => "shared",
        }
    }
}

/// A bucket as the `X-RateLimit-*` headers tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Headers {
    /// `X-RateLimit-Limit`.
    pub limit: u64,
    /// `X-RateLimit-Remaining`.
    pub remaining: u64,
    /// `X-RateLimit-Reset`, in milliseconds since the Unix epoch.
    pub reset_ms: u64,
    /// `X-RateLimit-Reset-After`, in milliseconds.
    pub reset_after_ms: u64,
    /// `X-RateLimit-Bucket`.
    pub bucket: String,
}

/// A refusal for too many requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// How long to wait.
    pub retry_after_ms: u64,
    /// Who shares the limit.
    pub scope: Scope,
    /// Whether it is the limit on edits of old messages, which has an error code of its own.
    pub old_edit: bool,
}

type Key = (&'static str, &'static str, Snowflake, Snowflake);

/// The counters of all callers.
#[derive(Debug, Default)]
pub struct Rates {
    windows: HashMap<Key, (Rate, Window)>,
    invalid: Window,
}

impl Rates {
    /// Charges a request of `caller` on the resource `major` (its channel's or guild's id).
    ///
    /// # Errors
    /// A limit is used up. Nothing is charged then, and the headers describe the limit that stopped it.
    pub fn charge(
        &mut self,
        limits: &Limits,
        now_ms: u64,
        caller: Snowflake,
        major: Snowflake,
        charge: Charge,
    ) -> Result<Option<Headers>, (Option<Headers>, TooMany)> {
        if let Some(rate) = limits.global.filter(|_| charge != Charge::ChannelRename) {
            let window = self.window(("global", "", caller, 0), rate, now_ms);
            if let Err(retry_after_ms) = window.check(rate, now_ms) {
                return Err((None, TooMany { retry_after_ms, scope: Scope::Global, old_edit: false }));
            }
            window.take(rate, now_ms);
        }
        let plan = plan(limits, now_ms, charge);
        let hidden = plan.hidden.map(|(name, rate)| ((name, plan.method, caller, major), rate, name));
        let shown = plan.shown.map(|rate| ((plan.name, plan.method, caller, major), rate, plan.bucket));
        for (key, rate, bucket) in [hidden, shown].into_iter().flatten() {
            let window = self.window(key, rate, now_ms);
            if let Err(retry_after_ms) = window.check(rate, now_ms) {
                let headers =
                    headers(window, rate, now_ms, if key.0 == plan.name { bucket } else { plan.bucket });
                let old_edit = key.0 == "edit old message";
                return Err((Some(headers), TooMany { retry_after_ms, scope: Scope::User, old_edit }));
            }
        }
        if let Some((key, rate, _)) = hidden {
            self.window(key, rate, now_ms).take(rate, now_ms);
        }
        Ok(shown.map(|(key, rate, bucket)| {
            let window = self.window(key, rate, now_ms);
            window.take(rate, now_ms);
            headers(window, rate, now_ms, bucket)
        }))
    }

    /// Counts a reply with status 401, 403 or 429; shared 429s are not to be counted.
    pub fn count_invalid(&mut self, limits: &Limits, now_ms: u64) {
        if let Some(rate) = limits.invalid {
            self.invalid.take(rate, now_ms);
        }
    }

    /// Whether there were so many invalid requests that nothing is answered any more; says for how long.
    pub fn banned_for(&mut self, limits: &Limits, now_ms: u64) -> Option<u64> {
        limits.invalid.and_then(|rate| self.invalid.check(rate, now_ms).err())
    }

    fn window(&mut self, key: Key, rate: Rate, now_ms: u64) -> &mut Window {
        // Buckets of deleted channels would pile up for ever.
        if self.windows.len() >= 4096 && !self.windows.contains_key(&key) {
            self.windows.retain(|_, (rate, window)| !window.is_over(*rate, now_ms));
        }
        &mut self.windows.entry(key).or_insert((rate, Window::default())).1
    }
}

struct Plan {
    method: &'static str,
    name: &'static str,
    bucket: &'static str,
    shown: Option<Rate>,
    hidden: Option<(&'static str, Rate)>,
}

fn plan(limits: &Limits, now_ms: u64, charge: Charge) -> Plan {
    let one = |name, shown| Plan { method: "", name, bucket: name, shown, hidden: None };
    let age = |message| now_ms.saturating_sub(time_of(message));
    match charge {
        Charge::MessageCreate => one("create message", limits.message_create),
        // Create and edit count apart although both announce the same bucket.
        Charge::MessageEdit(message) => Plan {
            bucket: "create message",
            hidden: limits
                .message_edit_old
                .filter(|_| age(message) > HOUR_MS)
                .map(|rate| ("edit old message", rate)),
            ..one("edit message", limits.message_edit)
        },
        // Three counters by the message's age behind one bucket.
        Charge::MessageDelete(message) => {
            let (name, rate) = match age(message) {
                0..10_000 => ("delete new message", limits.message_delete_new),
                FORTNIGHT_MS.. => ("delete old message", limits.message_delete_old),
                _ => ("delete message", limits.message_delete),
            };
            Plan { bucket: "delete message", ..one(name, rate) }
        }
        Charge::MessagePage => Plan {
            hidden: limits.message_page_hidden.map(|rate| ("page messages, enforced", rate)),
            ..one("page messages", limits.message_page)
        },
        Charge::Reaction => one("reactions", limits.reaction),
        Charge::BulkDelete => one("bulk delete", limits.bulk_delete),
        Charge::ChannelModify => one("modify channel", limits.channel_modify),
        Charge::ChannelRename => Plan {
            bucket: "modify channel",
            hidden: limits.channel_rename.map(|rate| ("rename channel", rate)),
            ..one("modify channel", None)
        },
        Charge::Other(method, template) => Plan { method, ..one(template, limits.other) },
    }
}

fn headers(window: &Window, rate: Rate, now_ms: u64, bucket: &str) -> Headers {
    let reset_after_ms = window.ends_in(rate, now_ms);
    let mut hash = blake3::hash(bucket.as_bytes()).to_hex().to_string();
    hash.truncate(32);
    Headers {
        limit: rate.count,
        remaining: window.remaining(rate),
        reset_ms: now_ms + reset_after_ms,
        reset_after_ms,
        bucket: hash,
    }
}

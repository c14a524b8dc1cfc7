//! Limits: every number that Discord sets, and the counters behind its rate limits.
//!
//! Callers: `state` for sizes and counts, `http` for rates, `gateway` for sends and identifies. All of it
//! is pure: time is passed in, so a test can run through an hour of it at once.

mod rates;
mod window;

pub use rates::{Charge, Headers, Rates, Scope, TooMany};
pub use window::{Rate, Window};

use crate::state::ContentRules;

/// The limits of a guild. Change a field, or take one of the two sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// What happens to the content of messages.
    pub content_rules: ContentRules,
    /// Characters (code points) in a message.
    pub content: usize,
    /// Attachments of a message.
    pub attachments: usize,
    /// Bytes of one attachment.
    pub file_bytes: u64,
    /// Bytes of one request.
    pub request_bytes: u64,
    /// Embeds of a message.
    pub embeds: usize,
    /// Characters of a nonce.
    pub nonce: usize,
    /// How long a nonce is remembered, in milliseconds.
    pub nonce_window_ms: u64,
    /// How long an attachment's URL works, in milliseconds.
    pub url_lifetime_ms: u64,
    /// Characters of a channel's name.
    pub channel_name: usize,
    /// Characters of a topic.
    pub topic: usize,
    /// Channels of a guild, categories included.
    pub guild_channels: u64,
    /// Categories of a guild.
    pub categories: u64,
    /// Channels of a category.
    pub category_channels: u64,
    /// Overwrites of one create call.
    pub overwrites_at_create: usize,
    /// Overwrites of a channel.
    pub overwrites: u64,
    /// Pins of a channel.
    pub pins: u64,
    /// Invites of a guild.
    pub invites: u64,
    /// Distinct emoji on a message.
    pub reactions: usize,
    /// Active threads of a guild.
    pub active_threads: u64,
    /// Slash commands of an application, in all guilds or in one.
    pub slash_commands: usize,
    /// Commands of an application on users, and again on messages, in all guilds or in one.
    pub menu_commands: usize,
    /// Commands that an application creates in one place; those that only replace one of the same name don't count.
    pub command_creates: Option<Rate>,
    /// How long an interaction waits for its first answer, in milliseconds.
    pub interaction_answer_ms: u64,
    /// How long an interaction's token works, in milliseconds.
    pub interaction_token_ms: u64,

    /// All requests of a bot.
    pub global: Option<Rate>,
    /// Create Message, per channel.
    pub message_create: Option<Rate>,
    /// Edit Message, per channel.
    pub message_edit: Option<Rate>,
    /// Edit Message for messages older than an hour, per channel, on top of the one above.
    pub message_edit_old: Option<Rate>,
    /// Delete Message for messages younger than ten seconds, per channel.
    pub message_delete_new: Option<Rate>,
    /// Delete Message for messages in between, per channel.
    pub message_delete: Option<Rate>,
    /// Delete Message for messages older than 14 days, per channel.
    pub message_delete_old: Option<Rate>,
    /// Get Channel Messages as its headers tell it, per channel.
    pub message_page: Option<Rate>,
    /// Get Channel Messages as it is enforced, per channel.
    pub message_page_hidden: Option<Rate>,
    /// Adding and removing reactions, per channel.
    pub reaction: Option<Rate>,
    /// Bulk Delete Messages, per guild.
    pub bulk_delete: Option<Rate>,
    /// Modify Channel, per channel.
    pub channel_modify: Option<Rate>,
    /// Modify Channel with a name or a topic, per channel, on top of the one above and in no header.
    pub channel_rename: Option<Rate>,
    /// Every other route, per route and major id.
    pub other: Option<Rate>,
    /// Requests answered with 401, 403 or 429, per address; beyond it everything is refused.
    pub invalid: Option<Rate>,

    /// Milliseconds between a client's heartbeats.
    pub heartbeat_interval_ms: u64,
    /// Payloads a client may send on one connection.
    pub gateway_sends: Option<Rate>,
    /// Bytes of one payload that a client sends.
    pub gateway_payload: usize,
    /// Identifies, per bot.
    pub identify: Option<Rate>,
    /// Identifies of a day, per bot.
    pub identify_daily: Option<Rate>,
    /// How long a session without a connection can be resumed, in milliseconds.
    pub resume_window_ms: u64,
    /// Events that a session keeps for a resume.
    pub replay_events: usize,
}

impl Limits {
    /// Discord's limits, documented or observed.
    pub fn discord() -> Self {
        let rate = |count, window_ms| Some(Rate { count, window_ms });
        Self {
            content_rules: ContentRules::default(),
            // Discord docs, "Message": Create Message. Up to 2000 characters.
            content: 2000,
            // Discord docs, "Opcodes and Status Codes": error 30015.
            attachments: 10,
            // Discord docs, "API Reference": Uploading Files, with the change log of 2026-09-03.
            file_bytes: 20 << 20,
            // Discord docs, "Message": Create Message. The maximum request size is 25 MiB.
            request_bytes: 25 << 20,
            // Discord docs, "Message": Create Message. Up to 10 embeds.
            embeds: 10,
            // Discord docs, "Message": Create Message. A nonce has up to 25 characters and is unique for "the
            // past few minutes".
            nonce: 25,
            nonce_window_ms: 5 * 60_000,
            // Discord docs, "API Reference": Signed Attachment CDN URLs. The lifetime itself is observed.
            url_lifetime_ms: 24 * 3_600_000,
            // Discord docs, "Channel": Channel Object, name 1-100, topic 0-1024.
            channel_name: 100,
            topic: 1024,
            // Discord docs, "Opcodes and Status Codes": error 30013; "Channel": 50 channels in a category.
            guild_channels: 500,
            categories: 50,
            category_channels: 50,
            overwrites_at_create: 100,
            overwrites: 1000,
            // Discord docs, "Opcodes and Status Codes": errors 30003 and 30016.
            pins: 250,
            invites: 1000,
            // Discord docs, "Opcodes and Status Codes": error 30010. Error 160006 names no number; observed.
            reactions: 20,
            active_threads: 1000,
            // Discord docs, "Application Commands": Registering a Command, with the change log of 2026-03-03.
            slash_commands: 100,
            menu_commands: 15,
            // Discord docs, "Application Commands": Registering a Command. 200 creates a day, per guild.
            command_creates: rate(200, 86_400_000),
            // Discord docs, "Receiving and Responding": Interaction Callback.
            interaction_answer_ms: 3000,
            interaction_token_ms: 15 * 60_000,
            // Discord docs, "Rate Limits": Global Rate Limit.
            global: rate(50, 1000),
            // The rest of the rates is observed: Discord asks not to hard-code them.
            message_create: rate(5, 5000),
            message_edit: rate(5, 5000),
            message_edit_old: rate(3, 6000),
            message_delete_new: rate(5, 1000),
            message_delete: rate(3, 333),
            message_delete_old: rate(30, 4000),
            message_page: rate(1000, 5000),
            message_page_hidden: rate(5, 5000),
            reaction: rate(1, 250),
            bulk_delete: rate(1, 1000),
            channel_modify: rate(10, 15_000),
            channel_rename: rate(2, 600_000),
            other: rate(10, 1000),
            // Discord docs, "Rate Limits": Invalid Request Limit.
            invalid: rate(10_000, 600_000),
            heartbeat_interval_ms: 41_250,
            // Discord docs, "Gateway": Rate Limiting, and Sending Events for the payload's size.
            gateway_sends: rate(120, 60_000),
            gateway_payload: 4096,
            // Discord docs, "Gateway": Session Start Limit Object, with a max_concurrency of 1.
            identify: rate(1, 5000),
            identify_daily: rate(1000, 86_400_000),
            // "A few minutes", says the documentation; users see about one.
            resume_window_ms: 60_000,
            replay_events: 8192,
        }
    }

    /// Discord's sizes and counts without any rate: for tests and measurements of something else.
    pub fn unlimited() -> Self {
        Self {
            global: None,
            message_create: None,
            message_edit: None,
            message_edit_old: None,
            message_delete_new: None,
            message_delete: None,
            message_delete_old: None,
            message_page: None,
            message_page_hidden: None,
            reaction: None,
            bulk_delete: None,
            channel_modify: None,
            channel_rename: None,
            other: None,
            invalid: None,
            command_creates: None,
            gateway_sends: None,
            identify: None,
            identify_daily: None,
            ..Self::discord()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::discord()
    }
}

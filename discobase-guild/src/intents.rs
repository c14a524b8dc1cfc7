//! Gateway intents: which events a session asked for.
//!
//! Callers: `state` marks events with them, `gateway` filters by them.
//! Discord docs, "Gateway": Gateway Intents, List of Intents.

/// Guilds, roles, channels.
pub const GUILDS: u64 = 1;
/// Members; privileged.
pub const GUILD_MEMBERS: u64 = 1 << 1;
/// Invites.
pub const GUILD_INVITES: u64 = 1 << 6;
/// Presences; privileged.
pub const GUILD_PRESENCES: u64 = 1 << 8;
/// Messages in guilds.
pub const GUILD_MESSAGES: u64 = 1 << 9;
/// Reactions in guilds.
pub const GUILD_MESSAGE_REACTIONS: u64 = 1 << 10;
/// Typing in guilds.
pub const GUILD_MESSAGE_TYPING: u64 = 1 << 11;
/// Direct messages; here ephemeral ones.
pub const DIRECT_MESSAGES: u64 = 1 << 12;
/// The content of other people's messages; privileged.
pub const MESSAGE_CONTENT: u64 = 1 << 15;
/// Every intent there is.
pub const ALL: u64 = ((1 << 17) - 1) | (0b11 << 20) | (0b11 << 24);

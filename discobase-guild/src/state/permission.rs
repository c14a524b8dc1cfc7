//! Permissions: which bits a member holds in a guild and in a channel.
//!
//! Callers: every rule of `state` that asks "may they?". Pure functions over the model.
//! Discord docs, "Permissions": Permission Overwrites and its pseudocode, followed step by step.

use super::model::{Channel, Guild, channel_kind};
use super::snowflake::Snowflake;

/// Create invites.
pub const CREATE_INSTANT_INVITE: u64 = 1;
/// Everything, everywhere.
pub const ADMINISTRATOR: u64 = 1 << 3;
/// Create, change, delete channels.
pub const MANAGE_CHANNELS: u64 = 1 << 4;
/// Change the guild.
pub const MANAGE_GUILD: u64 = 1 << 5;
/// Add reactions.
pub const ADD_REACTIONS: u64 = 1 << 6;
/// See who did what in the guild.
pub const VIEW_AUDIT_LOG: u64 = 1 << 7;
/// See a channel.
pub const VIEW_CHANNEL: u64 = 1 << 10;
/// Post messages.
pub const SEND_MESSAGES: u64 = 1 << 11;
/// Delete other people's messages.
pub const MANAGE_MESSAGES: u64 = 1 << 13;
/// Post embeds.
pub const EMBED_LINKS: u64 = 1 << 14;
/// Post files.
pub const ATTACH_FILES: u64 = 1 << 15;
/// Read what was posted before.
pub const READ_MESSAGE_HISTORY: u64 = 1 << 16;
/// Mention @everyone.
pub const MENTION_EVERYONE: u64 = 1 << 17;
/// Change roles and overwrites.
pub const MANAGE_ROLES: u64 = 1 << 28;
/// Use commands of applications.
pub const USE_APPLICATION_COMMANDS: u64 = 1 << 31;
/// Change, delete and see all threads.
pub const MANAGE_THREADS: u64 = 1 << 34;
/// Start public threads.
pub const CREATE_PUBLIC_THREADS: u64 = 1 << 35;
/// Start private threads.
pub const CREATE_PRIVATE_THREADS: u64 = 1 << 36;
/// Post messages in threads.
pub const SEND_MESSAGES_IN_THREADS: u64 = 1 << 38;
/// Pin messages.
pub const PIN_MESSAGES: u64 = 1 << 51;

/// Every permission there is: what Discord shows of the owner's and administrators' bits.
pub const ALL: u64 = (1 << 53) - 1;

/// What the managed role of the guild's own bot holds from the start.
pub const BOT_DEFAULT: u64 = VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | MANAGE_CHANNELS
    | MANAGE_MESSAGES
    | MANAGE_ROLES
    | PIN_MESSAGES;

/// What @everyone holds from the start.
pub const EVERYONE_DEFAULT: u64 = CREATE_INSTANT_INVITE
    | ADD_REACTIONS
    | VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | USE_APPLICATION_COMMANDS
    | CREATE_PUBLIC_THREADS
    | CREATE_PRIVATE_THREADS
    | SEND_MESSAGES_IN_THREADS;

/// What a user holds in the guild, before any channel has its say. Nothing if they are no member.
pub fn in_guild(guild: &Guild, user: Snowflake) -> u64 {
    if guild.owner_id == user {
        return u64::MAX;
    }
    let Some(member) = guild.members.get(&user) else { return 0 };
    let of = |id: &Snowflake| guild.roles.get(id).map_or(0, |role| role.permissions);
    let bits = member.roles.iter().map(of).fold(of(&guild.id), |all, bits| all | bits);
    if bits & ADMINISTRATOR != 0 { u64::MAX } else { bits }
}

/// What a user holds in a channel. Nothing if they are no member.
pub fn in_channel(guild: &Guild, channel: &Channel, user: Snowflake) -> u64 {
    let bits = overwritten(guild, channel, user);
    if bits == u64::MAX {
        return bits;
    }
    implied(bits, !channel.takes_messages() || bits & SEND_MESSAGES != 0)
}

/// What a user holds in a thread of a channel. The bit SEND_MESSAGES says whether they may post in the thread.
// Discord docs, "Threads": Permissions. Threads inherit from their channel; SEND_MESSAGES has no effect in them;
// private ones are for their members and for moderators.
pub fn in_thread(guild: &Guild, parent: &Channel, thread: &Channel, user: Snowflake) -> u64 {
    let bits = overwritten(guild, parent, user);
    if bits == u64::MAX {
        return bits;
    }
    let is_member = thread.thread.as_ref().is_some_and(|thread| thread.members.contains_key(&user));
    if thread.kind == channel_kind::PRIVATE_THREAD && !is_member && bits & MANAGE_THREADS == 0 {
        return 0;
    }
    let sends = bits & SEND_MESSAGES_IN_THREADS != 0;
    implied(bits & !SEND_MESSAGES | if sends { SEND_MESSAGES } else { 0 }, sends)
}

fn overwritten(guild: &Guild, channel: &Channel, user: Snowflake) -> u64 {
    let base = in_guild(guild, user);
    if base == u64::MAX {
        return base;
    }
    let Some(member) = guild.members.get(&user) else { return 0 };
    let mut bits = base;
    // First the overwrite of @everyone, then those of all the member's roles together, then the member's own.
    for everyone in channel.overwrites.iter().filter(|one| !one.member && one.id == guild.id) {
        bits = bits & !everyone.deny | everyone.allow;
    }
    let (mut allow, mut deny) = (0, 0);
    for role in channel.overwrites.iter().filter(|one| !one.member && member.roles.contains(&one.id)) {
        allow |= role.allow;
        deny |= role.deny;
    }
    bits = bits & !deny | allow;
    for own in channel.overwrites.iter().filter(|one| one.member && one.id == user) {
        bits = bits & !own.deny | own.allow;
    }
    bits
}

// Discord docs, "Permissions": Implicit Permissions. Who cannot see a channel can do nothing in it, and who cannot
// send there can neither attach nor embed.
fn implied(bits: u64, sends: bool) -> u64 {
    match (bits & VIEW_CHANNEL, sends) {
        (0, _) => 0,
        (_, true) => bits,
        (_, false) => bits & !(MENTION_EVERYONE | ATTACH_FILES | EMBED_LINKS),
    }
}

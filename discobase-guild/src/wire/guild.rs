//! Guilds, roles, members and channels as JSON.

use serde_json::{Value, json};

use super::{id, maybe_id, user};
use crate::state::{
    Channel, Guild, Member, Overwrite, Role, Snowflake, State, channel_kind, permission, timestamp,
};

/// A role. Discord docs, "Permissions": Role Object.
pub(crate) fn role(role: &Role) -> Value {
    let mut data = json!({
        "id": id(role.id),
        "name": role.name,
        "description": null,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": null, "tertiary_color": null},
        "hoist": false,
        "icon": null,
        "unicode_emoji": null,
        "position": role.position,
        "permissions": role.permissions.to_string(),
        "managed": role.bot_id.is_some(),
        "mentionable": false,
        "flags": 0,
    });
    if let (Some(bot), Some(map)) = (role.bot_id, data.as_object_mut()) {
        map.insert("tags".to_owned(), json!({"bot_id": id(bot)}));
    }
    data
}

/// A member with its user. Discord docs, "Guild": Guild Member Object.
pub(crate) fn member(state: &State, guild: &Guild, member: &Member) -> Value {
    let mut data = partial_member(member);
    if let (Some(who), Some(map)) = (state.user(member.user_id), data.as_object_mut()) {
        map.insert("user".to_owned(), user(who));
        if guild.owner_id == member.user_id {
            map.insert("bio".to_owned(), json!(""));
        }
    }
    data
}

/// A member without its user, as messages carry it.
pub(super) fn partial_member(member: &Member) -> Value {
    json!({
        "nick": null,
        "avatar": null,
        "banner": null,
        "avatar_decoration_data": null,
        "collectibles": null,
        "roles": member.roles.iter().copied().map(id).collect::<Vec<_>>(),
        "joined_at": timestamp(member.joined_at),
        "premium_since": null,
        "deaf": false,
        "mute": false,
        "flags": 0,
        "pending": false,
        "communication_disabled_until": null,
    })
}

/// A guild. Discord docs, "Guild": Guild Object.
pub(crate) fn guild(guild: &Guild) -> Value {
    json!({
        "id": id(guild.id),
        "name": guild.name,
        "icon": null,
        "icon_hash": null,
        "splash": null,
        "discovery_splash": null,
        "banner": null,
        "description": null,
        "owner_id": id(guild.owner_id),
        "region": "deprecated",
        "afk_channel_id": null,
        "afk_timeout": 300,
        "widget_enabled": false,
        "widget_channel_id": null,
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "roles": guild.roles.values().map(role).collect::<Vec<_>>(),
        "emojis": [],
        "stickers": [],
        "features": [],
        "mfa_level": 0,
        "application_id": null,
        "system_channel_id": null,
        "system_channel_flags": 0,
        "rules_channel_id": null,
        "public_updates_channel_id": null,
        "safety_alerts_channel_id": null,
        "max_presences": null,
        "max_members": 500_000,
        "max_video_channel_users": 25,
        "max_stage_video_channel_users": 50,
        "vanity_url_code": null,
        "premium_tier": 0,
        "premium_subscription_count": 0,
        "premium_progress_bar_enabled": false,
        "preferred_locale": "en-US",
        "nsfw": false,
        "nsfw_level": 0,
        "incidents_data": null,
        "hub_type": null,
    })
}

/// A guild with all that is in it. It is large if it has more members than `threshold`.
// Discord docs, "Gateway Events": Guild Create. Without GUILD_PRESENCES, and in guilds that are larger than the identify's
// `large_threshold`, the event carries the bot alone; the others are to be requested.
pub(crate) fn guild_create(
    state: &State,
    of: &Guild,
    viewer: Snowflake,
    threshold: usize,
    presences: bool,
) -> Value {
    let mut data = guild(of);
    let Some(map) = data.as_object_mut() else { return data };
    let joined_at = of.members.get(&viewer).map_or(0, |member| member.joined_at);
    let channels: Vec<Value> =
        state.channels_of(of.id).map(|channel| channel_for(state, channel, viewer)).collect();
    let large = of.members.len() > threshold;
    let everybody = presences && !large;
    let shown = of.members.values().filter(|one| everybody || one.user_id == viewer);
    let members: Vec<Value> = shown.map(|one| member(state, of, one)).collect();
    map.insert("joined_at".to_owned(), json!(timestamp(joined_at)));
    map.insert("large".to_owned(), json!(large));
    map.insert("unavailable".to_owned(), json!(false));
    map.insert("member_count".to_owned(), json!(of.members.len()));
    // Discord docs, "Threads": Gateway Events. All active threads that the bot sees.
    let threads = state.active_threads(viewer, of.id).unwrap_or_default();
    let threads = threads.into_iter().map(|thread| super::thread_for(thread, viewer));
    map.insert("threads".to_owned(), threads.collect());
    map.insert("members".to_owned(), Value::Array(members));
    map.insert("channels".to_owned(), Value::Array(channels));
    for empty in
        ["voice_states", "presences", "stage_instances", "guild_scheduled_events", "soundboard_sounds"]
    {
        map.insert(empty.to_owned(), json!([]));
    }
    data
}

/// A channel. Discord docs, "Channel": Channel Object.
pub(crate) fn channel(channel: &Channel) -> Value {
    let mut data = json!({
        "id": id(channel.id),
        "type": channel.kind,
        "guild_id": id(channel.guild_id),
        "name": channel.name,
        "position": channel.position,
        "parent_id": maybe_id(channel.parent_id),
        "permission_overwrites": channel.overwrites.iter().map(overwrite).collect::<Vec<_>>(),
        "nsfw": channel.nsfw,
        "flags": 0,
    });
    let Some(map) = data.as_object_mut() else { return data };
    if channel.takes_messages() {
        map.insert("topic".to_owned(), json!(channel.topic));
        map.insert("last_message_id".to_owned(), maybe_id(channel.last_message_id));
        map.insert("last_pin_timestamp".to_owned(), json!(channel.last_pin_at.map(timestamp)));
        map.insert("rate_limit_per_user".to_owned(), json!(channel.rate_limit_per_user));
    }
    if channel.kind == channel_kind::VOICE {
        map.insert("bitrate".to_owned(), json!(64_000));
        map.insert("user_limit".to_owned(), json!(0));
        map.insert("rtc_region".to_owned(), Value::Null);
    }
    super::thread::extend(&mut data, channel);
    data
}

/// A channel as a bot sees it on the gateway.
// Discord docs, change log of 2026-08-12: a channel without VIEW_CHANNEL keeps its id, type and position; its
// name is hidden, it has the flag 1 << 17 and one overwrite that denies @everyone to view it.
pub(crate) fn channel_for(state: &State, of: &Channel, viewer: Snowflake) -> Value {
    if state.can_see(viewer, of) {
        return channel(of);
    }
    let deny = Overwrite { id: of.guild_id, member: false, allow: 0, deny: permission::VIEW_CHANNEL };
    let hidden = Channel {
        name: "___hidden___".to_owned(),
        topic: None,
        parent_id: None,
        overwrites: vec![deny],
        nsfw: false,
        rate_limit_per_user: 0,
        last_message_id: None,
        last_pin_at: None,
        ..of.clone()
    };
    let mut data = channel(&hidden);
    if let Some(map) = data.as_object_mut() {
        map.insert("flags".to_owned(), json!(1 << 17));
    }
    data
}

fn overwrite(overwrite: &Overwrite) -> Value {
    json!({
        "id": id(overwrite.id),
        "type": u8::from(overwrite.member),
        "allow": overwrite.allow.to_string(),
        "deny": overwrite.deny.to_string(),
    })
}

//! Invites as JSON.

use serde_json::{Value, json};

use super::{id, user};
use crate::state::{Invite, State, timestamp};

/// An invite. Discord docs, "Invite": Invite Object.
pub(crate) fn invite(state: &State, of: &Invite) -> Value {
    let guild = state.guild(of.guild_id).map(|guild| {
        json!({
            "id": id(guild.id), "name": guild.name, "splash": null, "banner": null, "description": null,
            "icon": null, "features": [], "verification_level": 0, "vanity_url_code": null, "nsfw": false,
            "nsfw_level": 0, "premium_subscription_count": 0, "premium_tier": 0,
        })
    });
    let channel = state.channel(of.channel_id);
    json!({
        "type": 0,
        "code": of.code,
        "guild_id": id(of.guild_id),
        "guild": guild,
        "channel": channel.map(|one| json!({"id": id(one.id), "name": one.name, "type": one.kind})),
        "inviter": state.user(of.inviter_id).map(user),
        "expires_at": of.expires_at().map(timestamp),
        "flags": 0,
    })
}

/// An invite with what only those may see who manage them. Discord docs, "Invite": Invite Metadata Object.
pub(crate) fn invite_with_metadata(state: &State, of: &Invite) -> Value {
    let mut data = invite(state, of);
    if let Some(map) = data.as_object_mut() {
        map.insert("uses".to_owned(), json!(of.uses));
        map.insert("max_uses".to_owned(), json!(of.max_uses));
        map.insert("max_age".to_owned(), json!(of.max_age));
        map.insert("temporary".to_owned(), json!(of.temporary));
        map.insert("created_at".to_owned(), json!(timestamp(of.created_at)));
    }
    data
}

/// What INVITE_CREATE carries. Discord docs, "Gateway Events": Invite Create.
pub(crate) fn invite_create(state: &State, of: &Invite) -> Value {
    json!({
        "channel_id": id(of.channel_id),
        "code": of.code,
        "created_at": timestamp(of.created_at),
        "guild_id": id(of.guild_id),
        "inviter": state.user(of.inviter_id).map(user),
        "max_age": of.max_age,
        "max_uses": of.max_uses,
        "temporary": of.temporary,
        "uses": 0,
        "type": 0,
        "expires_at": of.expires_at().map(timestamp),
    })
}

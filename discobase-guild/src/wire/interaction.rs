//! Interactions as JSON.

use serde_json::{Value, json};

use super::{id, member, message, thread_for};
use crate::state::{Interaction, State, permission};

/// An interaction. Discord docs, "Receiving and Responding": Interaction Structure.
pub(crate) fn interaction(state: &State, now_ms: u64, of: &Interaction) -> Value {
    let (user, bot) = (of.given.user, of.given.application);
    let channel = state.channel(of.given.channel);
    let bits_of = |who| {
        let bits = channel.map_or(0, |channel| state.bits_in(channel, who)) & permission::ALL;
        Value::String(bits.to_string())
    };
    let guild = state.guild(of.guild_id);
    let mut who = guild.and_then(|guild| Some(member(state, guild, guild.members.get(&user)?)));
    if let Some(map) = who.as_mut().and_then(Value::as_object_mut) {
        map.insert("permissions".to_owned(), bits_of(user));
    }
    let mut place = channel.map(|channel| thread_for(channel, user));
    if let Some(map) = place.as_mut().and_then(Value::as_object_mut) {
        map.insert("permissions".to_owned(), bits_of(user));
    }
    let mut data = json!({
        "id": id(of.id),
        "application_id": id(bot),
        "type": of.kind,
        "data": of.data,
        "guild": {"id": id(of.guild_id), "features": [], "locale": "en-US"},
        "guild_id": id(of.guild_id),
        "channel": place,
        "channel_id": id(of.given.channel),
        "member": who,
        "token": of.token,
        "version": 1,
        "app_permissions": bits_of(bot),
        "locale": "en-US",
        "guild_locale": "en-US",
        "entitlements": [],
        "authorizing_integration_owners": {"0": id(of.guild_id)},
        "context": 0,
        "attachment_size_limit": state.limits().file_bytes,
    });
    let source = of.source.and_then(|source| state.seen_message(of.given.channel, source));
    if let (Some(source), Some(map)) = (source, data.as_object_mut()) {
        map.insert("message".to_owned(), message(state, now_ms, source, bot, false));
    }
    data
}

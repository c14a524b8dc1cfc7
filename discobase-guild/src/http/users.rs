//! Handlers about the bot itself. Discord docs, "User", "Application", "Gateway".

use serde_json::json;

use super::call::{Answer, Call};
use crate::state::{Refusal, State, permission};
use crate::wire;

pub(super) fn gateway(_: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    Ok(Answer::json(&json!({"url": call.gateway_url})))
}

// Discord docs, "Gateway": Get Gateway Bot, Session Start Limit Object.
pub(super) fn gateway_bot(_: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let (total, remaining, reset_after) = call.identifies;
    Ok(Answer::json(&json!({
        "url": call.gateway_url,
        "shards": 1,
        "session_start_limit":
            {"total": total, "remaining": remaining, "reset_after": reset_after, "max_concurrency": 1},
    })))
}

pub(super) fn application(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let bot = state.user(call.user).ok_or(Refusal::UNAUTHORIZED)?;
    Ok(Answer::json(&wire::application(bot, state.user(state.home().owner_id))))
}

pub(super) fn me(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    Ok(Answer::json(&wire::me(state.user(call.user).ok_or(Refusal::UNAUTHORIZED)?)))
}

pub(super) fn user(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    Ok(Answer::json(&wire::user(state.user(call.id(0)).ok_or(Refusal::UNKNOWN_USER)?)))
}

// Discord docs, "User": Get Current User Guilds.
pub(super) fn my_guilds(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let limit = call.limit(200, 200)?;
    let after = call.id_param("after")?.unwrap_or(0);
    let before = call.id_param("before")?.unwrap_or(u64::MAX);
    let counts = call.flag_param("with_counts");
    let guilds = state.guilds_of(call.user).filter(|guild| guild.id > after && guild.id < before);
    let guilds: Vec<_> = guilds
        .take(limit)
        .map(|guild| {
            let mut data = json!({
                "id": wire::id(guild.id),
                "name": guild.name,
                "icon": null,
                "banner": null,
                "owner": guild.owner_id == call.user,
                "permissions": (permission::in_guild(guild, call.user) & permission::ALL).to_string(),
                "features": [],
            });
            if let (true, Some(map)) = (counts, data.as_object_mut()) {
                map.insert("approximate_member_count".to_owned(), json!(guild.members.len()));
                map.insert("approximate_presence_count".to_owned(), json!(guild.members.len()));
            }
            data
        })
        .collect();
    Ok(Answer::json(&json!(guilds)))
}

pub(super) fn my_member(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let guild = state.guild_for(call.user, call.id(0))?;
    let member = guild.members.get(&call.user).ok_or(Refusal::UNKNOWN_MEMBER)?;
    Ok(Answer::json(&wire::member(state, guild, member)))
}

pub(super) fn leave(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.guild_for(call.user, call.id(0))?;
    state.kick(call.id(0), call.user);
    Ok(Answer::nothing())
}

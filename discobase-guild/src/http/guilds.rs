//! Handlers about guilds. Discord docs, "Guild".

use serde_json::{Value, json};

use super::call::{Answer, Call};
use crate::state::{Refusal, State};
use crate::wire;

// Discord docs, change log of 2025-04-15: applications cannot create guilds any more.
pub(super) fn create(_: &mut State, _: &mut Call) -> Result<Answer, Refusal> {
    Err(Refusal::BOTS_CANNOT)
}

pub(super) fn get(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let guild = state.guild_for(call.user, call.id(0))?;
    let mut data = wire::guild(guild);
    if let (true, Some(map)) = (call.flag_param("with_counts"), data.as_object_mut()) {
        map.insert("approximate_member_count".to_owned(), json!(guild.members.len()));
        map.insert("approximate_presence_count".to_owned(), json!(guild.members.len()));
    }
    Ok(Answer::json(&data))
}

pub(super) fn channels(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let channels = state.list_channels(call.user, call.id(0))?;
    Ok(Answer::json(&Value::Array(channels.into_iter().map(wire::channel).collect())))
}

pub(super) fn roles(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let guild = state.guild_for(call.user, call.id(0))?;
    Ok(Answer::json(&Value::Array(guild.roles.values().map(wire::role).collect())))
}

pub(super) fn member(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let guild = state.guild_for(call.user, call.id(0))?;
    if state.user(call.id(1)).is_none() {
        return Err(Refusal::UNKNOWN_USER);
    }
    let member = guild.members.get(&call.id(1)).ok_or(Refusal::UNKNOWN_MEMBER)?;
    Ok(Answer::json(&wire::member(state, guild, member)))
}

// Discord docs, "Guild": List Guild Members needs the GUILD_MEMBERS privileged intent.
pub(super) fn members(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let guild = state.guild_for(call.user, call.id(0))?;
    let application = state.user(call.user).and_then(|user| user.application.as_ref());
    if !application.is_some_and(|application| application.guild_members) {
        return Err(Refusal::MISSING_ACCESS);
    }
    let limit = call.limit(1, 1000)?;
    let after = call.id_param("after")?.unwrap_or(0);
    let members = guild.members.range(after.saturating_add(1)..).take(limit);
    let members = members.map(|(_, member)| wire::member(state, guild, member)).collect();
    Ok(Answer::json(&Value::Array(members)))
}

//! Handlers about threads. Discord docs, "Channel": Start Thread from Message to List Joined Private Archived Threads.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::parse;
use crate::state::{Archived, Channel, Refusal, Snowflake, State, parse_timestamp};
use crate::wire;

pub(super) fn start_from(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let new = parse::new_thread(call.object()?)?;
    let thread = state.start_thread(call.now_ms, call.user, call.id(0), Some(call.id(1)), &new)?;
    Ok(Answer::created(&wire::thread_for(&thread, call.user)))
}

pub(super) fn start(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let new = parse::new_thread(call.object()?)?;
    let thread = state.start_thread(call.now_ms, call.user, call.id(0), None, &new)?;
    Ok(Answer::created(&wire::thread_for(&thread, call.user)))
}

pub(super) fn join(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.add_to_thread(call.now_ms, call.user, call.id(0), call.user)?;
    Ok(Answer::nothing())
}

pub(super) fn add(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.add_to_thread(call.now_ms, call.user, call.id(0), call.id(1))?;
    Ok(Answer::nothing())
}

pub(super) fn leave(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.remove_from_thread(call.user, call.id(0), call.user)?;
    Ok(Answer::nothing())
}

pub(super) fn remove(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.remove_from_thread(call.user, call.id(0), call.id(1))?;
    Ok(Answer::nothing())
}

pub(super) fn member(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let (thread, _) = state.thread_for_user(call.user, call.id(0))?;
    let member = show_member(state, call, thread, call.id(1)).ok_or(Refusal::UNKNOWN_MEMBER)?;
    Ok(Answer::json(&member))
}

// The whole list needs the GUILD_MEMBERS privileged intent; it is paged if members are asked for.
pub(super) fn members(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let (channel, _) = state.thread_for_user(call.user, call.id(0))?;
    let application = state.user(call.user).and_then(|user| user.application.as_ref());
    if !application.is_some_and(|application| application.guild_members) {
        return Err(Refusal::MISSING_ACCESS);
    }
    let paged = call.flag_param("with_member");
    let limit = if paged { call.limit(100, 100)? } else { usize::MAX };
    let after = if paged { call.id_param("after")?.unwrap_or(0) } else { 0 };
    let ids = channel.thread.iter().flat_map(|thread| thread.members.keys().copied());
    let members = ids.filter(|id| *id > after).take(limit);
    let members = members.filter_map(|id| show_member(state, call, channel, id)).collect();
    Ok(Answer::json(&Value::Array(members)))
}

pub(super) fn active(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let threads = state.active_threads(call.user, call.id(0))?;
    Ok(Answer::json(&listed(&threads, call.user)))
}

pub(super) fn archived_public(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let before = time_param(call)?;
    archived(state, call, Archived::Public(before))
}

pub(super) fn archived_private(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let before = time_param(call)?;
    archived(state, call, Archived::Private(before))
}

pub(super) fn archived_joined(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let before = call.id_param("before")?;
    archived(state, call, Archived::Joined(before))
}

fn archived(state: &State, call: &Call, which: Archived) -> Result<Answer, Refusal> {
    let limit = call.limit(50, 100)?;
    let (threads, has_more) = state.archived_threads(call.user, call.id(0), which, limit)?;
    let mut list = listed(&threads, call.user);
    if let Some(map) = list.as_object_mut() {
        map.insert("has_more".to_owned(), json!(has_more));
    }
    Ok(Answer::json(&list))
}

fn listed(threads: &[&Channel], viewer: Snowflake) -> Value {
    let members = threads.iter().filter_map(|one| wire::thread_member(one, viewer));
    let threads = threads.iter().map(|one| wire::channel(one));
    json!({"threads": threads.collect::<Vec<_>>(), "members": members.collect::<Vec<_>>()})
}

fn show_member(state: &State, call: &Call, thread: &Channel, user: Snowflake) -> Option<Value> {
    let mut data = wire::thread_member(thread, user)?;
    let guild = state.guild(thread.guild_id)?;
    if let (true, Some(map)) = (call.flag_param("with_member"), data.as_object_mut()) {
        let member = guild.members.get(&user).map(|member| wire::member(state, guild, member));
        map.insert("member".to_owned(), json!(member));
    }
    Some(data)
}

fn time_param(call: &Call) -> Result<Option<u64>, Refusal> {
    let Some(text) = call.param("before") else { return Ok(None) };
    parse_timestamp(text).map(Some).ok_or_else(|| {
        let message = format!("Could not parse {text}. Should be ISO8601.");
        Refusal::field("before", "DATE_TIME_TYPE_PARSE", message)
    })
}

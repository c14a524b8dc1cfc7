//! Handlers about reactions. Discord docs, "Message": Create Reaction to Delete All Reactions for Emoji.

use serde_json::Value;

use super::call::{Answer, Call};
use crate::state::{Refusal, State};
use crate::wire;

pub(super) fn add(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.react(call.now_ms, call.user, call.id(0), call.id(1), call.text(0))?;
    Ok(Answer::nothing())
}

pub(super) fn remove_own(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.unreact(call.now_ms, call.user, call.id(0), call.id(1), call.text(0), call.user)?;
    Ok(Answer::nothing())
}

pub(super) fn remove(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.unreact(call.now_ms, call.user, call.id(0), call.id(1), call.text(0), call.id(2))?;
    Ok(Answer::nothing())
}

pub(super) fn clear(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.clear_reactions(call.now_ms, call.user, call.id(0), call.id(1), None)?;
    Ok(Answer::nothing())
}

pub(super) fn clear_emoji(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.clear_reactions(call.now_ms, call.user, call.id(0), call.id(1), Some(call.text(0)))?;
    Ok(Answer::nothing())
}

pub(super) fn list(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let (limit, after) = (call.limit(25, 100)?, call.id_param("after")?.unwrap_or(0));
    // Nobody reacts in bursts here.
    let burst = call.param("type") == Some("1");
    let users = state.reactors(call.user, call.id(0), call.id(1), call.text(0))?;
    let users = users.into_iter().filter(|id| *id > after && !burst).take(limit);
    let users = users.filter_map(|id| state.user(id)).map(wire::user).collect();
    Ok(Answer::json(&Value::Array(users)))
}

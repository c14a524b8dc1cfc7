//! Handlers about channels. Discord docs, "Channel" and "Guild".

use super::call::{Answer, Call};
use super::parse;
use crate::state::{Refusal, State};
use crate::wire;

pub(super) fn create(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let new = parse::new_channel(call.object()?)?;
    let channel = state.create_channel(call.now_ms, call.user, call.id(0), new)?;
    Ok(Answer::created(&wire::channel(&channel)))
}

pub(super) fn positions(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let places = parse::places(&call.json)?;
    state.move_channels(call.user, call.id(0), &places)?;
    Ok(Answer::nothing())
}

pub(super) fn get(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let (channel, _) = state.channel_for(call.user, call.id(0))?;
    Ok(Answer::json(&wire::thread_for(channel, call.user)))
}

pub(super) fn modify(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let change = parse::channel_change(call.object()?)?;
    let channel = state.modify_channel(call.now_ms, call.user, call.id(0), change)?;
    Ok(Answer::json(&wire::channel(&channel)))
}

pub(super) fn delete(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let channel = state.delete_channel(call.user, call.id(0))?;
    Ok(Answer::json(&wire::channel(&channel)))
}

pub(super) fn put_overwrite(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let overwrite = parse::overwrite(call.object()?, call.id(1))?;
    state.put_overwrite(call.user, call.id(0), overwrite)?;
    Ok(Answer::nothing())
}

pub(super) fn delete_overwrite(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.delete_overwrite(call.user, call.id(0), call.id(1))?;
    Ok(Answer::nothing())
}

pub(super) fn typing(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.type_in(call.now_ms, call.user, call.id(0))?;
    Ok(Answer::nothing())
}

//! Handlers about pins. Discord docs, "Message": Get Channel Pins, Pin Message, Unpin Message, and the deprecated three.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::messages::show;
use crate::state::{Refusal, State, parse_timestamp, timestamp};

pub(super) fn page(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let limit = call.limit(50, 50)?;
    let before_ms = match call.param("before") {
        Some(text) => Some(parse_timestamp(text).ok_or_else(|| {
            let message = format!("Could not parse {text}. Should be ISO8601.");
            Refusal::field("before", "DATE_TIME_TYPE_PARSE", message)
        })?),
        None => None,
    };
    let (pins, has_more) = state.page_pins(call.user, call.id(0), before_ms, limit)?;
    let items = pins.iter().map(|message| {
        json!({"pinned_at": message.pinned_at.map(timestamp), "message": show(state, call, message, false)})
    });
    Ok(Answer::json(&json!({"items": items.collect::<Vec<_>>(), "has_more": has_more})))
}

pub(super) fn first(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let (pins, _) = state.page_pins(call.user, call.id(0), None, 50)?;
    Ok(Answer::json(&Value::Array(pins.iter().map(|one| show(state, call, one, false)).collect())))
}

pub(super) fn add(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.pin_message(call.now_ms, call.user, call.id(0), call.id(1))?;
    Ok(Answer::nothing())
}

pub(super) fn remove(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.unpin_message(call.now_ms, call.user, call.id(0), call.id(1))?;
    Ok(Answer::nothing())
}

//! Handlers about messages and attachments. Discord docs, "Message".

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::{cdn, parse};
use crate::state::{Message, Page, Refusal, State};
use crate::wire;

pub(super) fn show(state: &State, call: &Call, message: &Message, with_nonce: bool) -> Value {
    let mut data = wire::message(state, call.now_ms, message, call.user, with_nonce);
    if !state.shows_content(call.user, message) {
        wire::blank(&mut data);
    }
    data
}

pub(super) fn create(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let files = std::mem::take(&mut call.files);
    let new = parse::new_message(call.object()?, files)?;
    let posted = state.create_message_with(call.now_ms, call.user, call.id(0), new, call.flaws)?;
    Ok(Answer::json(&show(state, call, &posted.message, true)))
}

pub(super) fn edit(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let files = std::mem::take(&mut call.files);
    let change = parse::message_change(call.object()?, files)?;
    let message = state.edit_message(call.now_ms, call.user, call.id(0), call.id(1), change)?;
    Ok(Answer::json(&show(state, call, &message, false)))
}

pub(super) fn get(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let message = state.get_message(call.now_ms, call.user, call.id(0), call.id(1), call.flaws)?;
    Ok(Answer::json(&show(state, call, &message, false)))
}

pub(super) fn page(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let limit = call.limit(50, 100)?;
    let page = match (call.id_param("around")?, call.id_param("before")?, call.id_param("after")?) {
        (Some(id), ..) => Page::Around(id),
        (_, Some(id), _) => Page::Before(id),
        (_, _, Some(id)) => Page::After(id),
        _ => Page::Newest,
    };
    let messages = state.page_messages(call.now_ms, call.user, call.id(0), page, limit, call.flaws)?;
    let messages = messages.iter().map(|message| show(state, call, message, false)).collect();
    Ok(Answer::json(&Value::Array(messages)))
}

pub(super) fn delete(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.delete_message(call.now_ms, call.user, call.id(0), call.id(1))?;
    Ok(Answer::nothing())
}

pub(super) fn bulk_delete(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let ids = parse::ids(call.object()?, "messages")?;
    state.bulk_delete(call.now_ms, call.user, call.id(0), &ids)?;
    Ok(Answer::nothing())
}

// Not in Discord's documentation, but open to bots: 1-50 URLs.
pub(super) fn refresh_urls(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let urls = call.object()?.get("attachment_urls").and_then(Value::as_array).cloned().unwrap_or_default();
    if !(1..=50).contains(&urls.len()) {
        let message = "Must be between 1 and 50 in length.";
        return Err(Refusal::field("attachment_urls", "BASE_TYPE_BAD_LENGTH", message));
    }
    let refreshed = urls.iter().map(|original| {
        let fresh = original.as_str().and_then(cdn::Place::of_url).and_then(|place| {
            let (message, attachment) = state.attachment(place.attachment)?;
            let here = message.channel_id == place.channel && attachment.filename == place.name;
            here.then(|| wire::attachment_url(state, call.now_ms, place.channel, attachment))
        });
        json!({"original": original, "refreshed": fresh})
    });
    let refreshed: Vec<Value> = refreshed.collect();
    Ok(Answer::json(&json!({"refreshed_urls": refreshed})))
}

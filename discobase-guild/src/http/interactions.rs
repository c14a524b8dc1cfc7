//! Handlers about answers to interactions, whose token stands in the path and is all the authority they need.
//! Discord docs, "Receiving and Responding".

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::parse::{self, Object};
use crate::state::{Callback, Interaction, Message, Refusal, State};
use crate::wire;

const EPHEMERAL: u64 = 1 << 6;
const LOADING: u64 = 1 << 7;

pub(super) fn answer(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let files = std::mem::take(&mut call.files);
    let body = call.object()?;
    let kind = body.get("type").and_then(Value::as_u64).unwrap_or_default();
    let empty = Object::new();
    let data = body.get("data").and_then(Value::as_object).unwrap_or(&empty);
    let flags = data.get("flags").and_then(Value::as_u64).unwrap_or_default();
    let callback = match kind {
        4 => Callback::Message(parse::new_message(data, files)?),
        5 => Callback::Later { ephemeral: flags & EPHEMERAL != 0 },
        6 => Callback::UpdateLater,
        7 => Callback::Update(parse::message_change(data, files)?),
        8 => Callback::Choices(data.get("choices").and_then(Value::as_array).cloned().unwrap_or_default()),
        crate::state::MODAL => Callback::Modal(Value::Object(data.clone())),
        _ => {
            let message = "Value must be one of {4, 5, 6, 7, 8, 9}.";
            return Err(Refusal::field("type", "BASE_TYPE_CHOICES", message));
        }
    };
    let token = call.text(0).to_owned();
    let (interaction, message) = state.answer_interaction(call.now_ms, call.id(0), &token, callback)?;
    if !call.flag_param("with_response") {
        return Ok(Answer::nothing());
    }
    let message = message.as_deref();
    Ok(Answer::json(&response(state, call, &interaction, kind, message)))
}

// Discord docs, "Receiving and Responding": Interaction Callback Response Object.
fn response(
    state: &State,
    call: &Call,
    interaction: &Interaction,
    kind: u64,
    message: Option<&Message>,
) -> Value {
    let mut about = json!({"id": wire::id(interaction.id), "type": interaction.kind});
    let mut resource = json!({"type": kind});
    if let (Some(message), Some(about)) = (message, about.as_object_mut()) {
        about.insert("response_message_id".to_owned(), wire::id(message.id));
        about.insert("response_message_loading".to_owned(), json!(message.flags & LOADING != 0));
        about.insert("response_message_ephemeral".to_owned(), json!(message.flags & EPHEMERAL != 0));
    }
    if let (Some(message), Some(resource)) = (message.filter(|_| kind != 5), resource.as_object_mut()) {
        resource.insert("message".to_owned(), show(state, call.now_ms, message));
    }
    json!({"interaction": about, "resource": resource})
}

/// To its own application a message is shown whole.
fn show(state: &State, now_ms: u64, message: &Message) -> Value {
    wire::message(state, now_ms, message, message.author_id, false)
}

pub(super) fn follow_up(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let files = std::mem::take(&mut call.files);
    let new = parse::new_message(call.object()?, files)?;
    let message = state.follow_up(call.now_ms, call.id(0), call.text(0), new)?;
    Ok(Answer::json(&show(state, call.now_ms, &message)))
}

pub(super) fn get(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let (message, _) = state.answer_message(call.now_ms, call.id(0), call.text(0), which(call))?;
    Ok(Answer::json(&show(state, call.now_ms, &message)))
}

pub(super) fn edit(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let files = std::mem::take(&mut call.files);
    let change = parse::message_change(call.object()?, files)?;
    let token = call.text(0).to_owned();
    let message = state.edit_answer(call.now_ms, call.id(0), &token, which(call), change)?;
    Ok(Answer::json(&show(state, call.now_ms, &message)))
}

pub(super) fn delete(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    state.delete_answer(call.now_ms, call.id(0), call.text(0), which(call))?;
    Ok(Answer::nothing())
}

/// The message of the path, or nothing for `@original`.
fn which(call: &Call) -> Option<u64> {
    call.ids.get(1).copied()
}

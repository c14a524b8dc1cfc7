//! People who use what applications offer: they type commands, click, choose, fill in.
//!
//! Callers: `http::control`. No part of Discord: there a person's client does this.

use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

use super::form::Form;
use crate::server::Shared;
use crate::state::{Doing, Given, Interaction, Outcome, Refusal, Snowflake, State};
use crate::wire;

const LOADING: u64 = 1 << 7;

/// Does what the body says, and waits until it is answered, or no longer than `wait_ms`.
pub(super) async fn act(shared: &Arc<Shared>, body: &Value) -> Result<Value, Refusal> {
    let wait_ms = body.get("wait_ms").and_then(Value::as_u64).unwrap_or(3000);
    let (id, ticket) = {
        let now_ms = shared.now_ms();
        let mut core = shared.core.lock();
        let result =
            read(&core.state, body).and_then(|(given, doing)| core.state.interact(now_ms, given, &doing));
        (result, shared.settle(&mut core))
    };
    shared.store.safe(ticket).await.map_err(|_| Refusal::INTERNAL)?;
    let id = id?;
    let answered = async {
        loop {
            let changed = shared.answered.notified();
            tokio::pin!(changed);
            // From here on no answer can be missed.
            changed.as_mut().enable();
            if is_answered(&shared.core.lock().state, id) {
                return;
            }
            changed.await;
        }
    };
    let _unanswered = tokio::time::timeout(Duration::from_millis(wait_ms), answered).await;
    look(shared, id)
}

/// What the user sees of an interaction.
pub(super) fn look(shared: &Shared, id: Snowflake) -> Result<Value, Refusal> {
    let now_ms = shared.now_ms();
    let core = shared.core.lock();
    let interaction = core.state.interaction(id).ok_or(Refusal::UNKNOWN_INTERACTION)?;
    Ok(view(&core.state, now_ms, interaction))
}

fn is_answered(state: &State, id: Snowflake) -> bool {
    let Some(interaction) = state.interaction(id) else { return true };
    match &interaction.outcome {
        None => false,
        Some(Outcome::Message(id)) => {
            let message = state.seen_message(interaction.given.channel, *id);
            message.is_none_or(|message| message.flags & LOADING == 0)
        }
        Some(_) => true,
    }
}

fn view(state: &State, now_ms: u64, of: &Interaction) -> Value {
    let show = |id: &Snowflake| {
        let message = state.seen_message(of.given.channel, *id)?;
        Some(wire::message(state, now_ms, message, of.given.user, false))
    };
    let followups: Vec<Value> = of.followups.iter().filter_map(show).collect();
    let mut data = json!({
        "id": wire::id(of.id), "type": of.kind, "outcome": null, "message": null, "followups": followups,
        "choices": null, "modal": null,
    });
    let Some(map) = data.as_object_mut() else { return data };
    let (name, field, value) = match &of.outcome {
        None => return data,
        Some(Outcome::Message(_)) if !is_answered(state, of.id) => ("loading", "message", Value::Null),
        Some(Outcome::Message(id)) => ("message", "message", json!(show(id))),
        Some(Outcome::Update) => ("update", "message", json!(of.source.as_ref().and_then(show))),
        Some(Outcome::Choices(choices)) => ("choices", "choices", json!(choices)),
        Some(Outcome::Modal(modal)) => ("modal", "modal", modal.clone()),
    };
    map.insert("outcome".to_owned(), json!(name));
    map.insert(field.to_owned(), value);
    data
}

/// `{"command", "options"?, "focused"?, "type"?, "target_id"?}`, `{"message_id", "custom_id", "values"?}` or
/// `{"interaction_id", "fields"}`, each with `"channel_id"`, `"user_id"?` and `"application_id"?`.
fn read(state: &State, body: &Value) -> Result<(Given, Doing), Refusal> {
    let empty = Map::new();
    let mut form = Form::new(body.as_object().unwrap_or(&empty));
    let home = state.home();
    let modal = form.id("interaction_id");
    let opened = modal.and_then(|id| state.interaction(id)).map(|one| one.given);
    let given = Given {
        user: form.id("user_id").or(opened.map(|one| one.user)).unwrap_or(home.owner_id),
        channel: form.id("channel_id").or(opened.map(|one| one.channel)).unwrap_or_default(),
        application: form.id("application_id").or(opened.map(|one| one.application)).unwrap_or(home.bot_id),
    };
    let object = |name: &str| body.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let doing = if let Some(interaction) = modal {
        Doing::Modal { interaction, fields: object("fields") }
    } else if let Some(message) = form.id("message_id") {
        let values = form.list("values").cloned().unwrap_or_default();
        let text = |one: &Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
        let custom_id = form.required_string("custom_id");
        Doing::Component { message, custom_id, values: values.iter().map(text).collect() }
    } else {
        Doing::Command {
            kind: form.number("type").unwrap_or(1).try_into().unwrap_or(u8::MAX),
            name: form.required_string("command"),
            target: form.id("target_id"),
            options: object("options"),
            focused: form.string("focused"),
        }
    };
    form.finish((given, doing))
}

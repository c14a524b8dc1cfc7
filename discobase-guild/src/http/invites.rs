//! Handlers about invites. Discord docs, "Invite"; "Channel": Create Channel Invite.

use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::parse;
use crate::state::{Refusal, State};
use crate::wire;

pub(super) fn create(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    // "All JSON parameters for this route are optional, however the request body is not."
    if call.json.is_null() {
        return Err(Refusal::BAD_JSON);
    }
    let new = parse::new_invite(call.object()?)?;
    let invite = state.create_invite(call.now_ms, call.user, call.id(0), &new)?;
    Ok(Answer::json(&wire::invite_with_metadata(state, &invite)))
}

pub(super) fn of_channel(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let invites = state.invites_of_channel(call.now_ms, call.user, call.id(0))?;
    let invites = invites.into_iter().map(|one| wire::invite_with_metadata(state, one));
    Ok(Answer::json(&Value::Array(invites.collect())))
}

pub(super) fn of_guild(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let (invites, metadata) = state.invites_of_guild(call.now_ms, call.user, call.id(0))?;
    let show = if metadata { wire::invite_with_metadata } else { wire::invite };
    Ok(Answer::json(&Value::Array(invites.into_iter().map(|one| show(state, one)).collect())))
}

pub(super) fn get(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let invite = state.invite(call.now_ms, call.text(0))?;
    let mut data = wire::invite(state, invite);
    let members = state.guild(invite.guild_id).map_or(0, |guild| guild.members.len());
    if let (true, Some(map)) = (call.flag_param("with_counts"), data.as_object_mut()) {
        map.insert("approximate_member_count".to_owned(), json!(members));
        map.insert("approximate_presence_count".to_owned(), json!(members));
    }
    Ok(Answer::json(&data))
}

pub(super) fn delete(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    let code = call.text(0).to_owned();
    let invite = state.delete_invite(call.now_ms, call.user, &code)?;
    Ok(Answer::json(&wire::invite(state, &invite)))
}

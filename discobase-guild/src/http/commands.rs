//! Handlers about commands of applications. Discord docs, "Application Commands".

use serde_json::Value;

use super::call::{Answer, Call};
use crate::state::{Refusal, Snowflake, State};
use crate::wire;

/// Whose commands a path is about, in which place, and which of them.
struct Path {
    application: Snowflake,
    place: Option<Snowflake>,
    command: Snowflake,
}

// `/applications/{application}/commands/{command}` or `/applications/{application}/guilds/{guild}/commands/{command}`.
fn path(call: &Call, in_guild: bool) -> Result<Path, Refusal> {
    // The application of a bot has the bot's id.
    if call.id(0) != call.user {
        return Err(Refusal::NOT_THE_APPLICATION);
    }
    let place = in_guild.then(|| call.id(1));
    Ok(Path { application: call.user, place, command: call.id(if in_guild { 2 } else { 1 }) })
}

fn list_at(state: &State, call: &Call, in_guild: bool) -> Result<Answer, Refusal> {
    let path = path(call, in_guild)?;
    let commands = state.list_commands(path.application, path.place)?;
    Ok(Answer::json(&Value::Array(commands.into_iter().map(wire::command).collect())))
}

fn get_at(state: &State, call: &Call, in_guild: bool) -> Result<Answer, Refusal> {
    let path = path(call, in_guild)?;
    Ok(Answer::json(&wire::command(state.command(path.application, path.place, path.command)?)))
}

fn create_at(state: &mut State, call: &Call, in_guild: bool) -> Result<Answer, Refusal> {
    let path = path(call, in_guild)?;
    let (command, is_new) = state.put_command(call.now_ms, path.application, path.place, call.object()?)?;
    let data = wire::command(&command);
    Ok(if is_new { Answer::created(&data) } else { Answer::json(&data) })
}

fn edit_at(state: &mut State, call: &Call, in_guild: bool) -> Result<Answer, Refusal> {
    let Path { application, place, command } = path(call, in_guild)?;
    let command = state.edit_command(call.now_ms, application, place, command, call.object()?)?;
    Ok(Answer::json(&wire::command(&command)))
}

fn delete_at(state: &mut State, call: &Call, in_guild: bool) -> Result<Answer, Refusal> {
    let path = path(call, in_guild)?;
    state.delete_command(path.application, path.place, path.command)?;
    Ok(Answer::nothing())
}

fn overwrite_at(state: &mut State, call: &Call, in_guild: bool) -> Result<Answer, Refusal> {
    let path = path(call, in_guild)?;
    let Some(list) = call.json.as_array() else {
        return Err(Refusal::field("", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType"));
    };
    let commands = state.overwrite_commands(call.now_ms, path.application, path.place, list)?;
    Ok(Answer::json(&Value::Array(commands.iter().map(wire::command).collect())))
}

pub(super) fn list(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    list_at(state, call, false)
}

pub(super) fn get(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    get_at(state, call, false)
}

pub(super) fn create(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    create_at(state, call, false)
}

pub(super) fn edit(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    edit_at(state, call, false)
}

pub(super) fn delete(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    delete_at(state, call, false)
}

pub(super) fn overwrite(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    overwrite_at(state, call, false)
}

pub(super) fn list_in_guild(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    list_at(state, call, true)
}

pub(super) fn get_in_guild(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    get_at(state, call, true)
}

pub(super) fn create_in_guild(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    create_at(state, call, true)
}

pub(super) fn edit_in_guild(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    edit_at(state, call, true)
}

pub(super) fn delete_in_guild(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    delete_at(state, call, true)
}

pub(super) fn overwrite_in_guild(state: &mut State, call: &mut Call) -> Result<Answer, Refusal> {
    overwrite_at(state, call, true)
}

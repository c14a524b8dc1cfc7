//! What people other than the bot do, and what is switched in the developer portal.
//!
//! Callers: `http::control`. No part of Discord; the people obey Discord's rules all the same.

use serde_json::{Map, Value, json};

use super::form::Form;
use super::parse;
use crate::state::{Overwrite, Refusal, Snowflake, State, permission};
use crate::wire;

/// Whose doing it is, and where.
struct Act<'a> {
    now_ms: u64,
    form: Form<'a>,
    body: &'a Map<String, Value>,
    /// By default the guild from the start.
    guild: Snowflake,
    channel: Snowflake,
    message: Snowflake,
    /// The user that the body names, if it does.
    user: Option<Snowflake>,
}

type Done = Result<Value, Refusal>;

/// Does what a path says.
pub(super) fn act(state: &mut State, now_ms: u64, path: &str, body: &Value) -> Done {
    let empty = Map::new();
    let body = body.as_object().unwrap_or(&empty);
    let mut form = Form::new(body);
    let act = Act {
        now_ms,
        guild: form.id("guild_id").unwrap_or(state.home().guild_id),
        channel: form.id("channel_id").unwrap_or_default(),
        message: form.id("message_id").unwrap_or_default(),
        user: form.id("user_id"),
        form,
        body,
    };
    match path {
        "members" => add_member(state, act),
        "messages" => post(state, act),
        "delete-message" => delete_message(state, act),
        "pins" => pin(state, act),
        "reactions" => react(state, act),
        "threads" => start_thread(state, act),
        "invites" => invite(state, act),
        "join" => join(state, act),
        "delete-channel" => delete_channel(state, act),
        "permissions" => set_permissions(state, act),
        "overwrites" => set_overwrite(state, act),
        "intents" => set_intents(state, act),
        _ => Err(Refusal::NOT_FOUND),
    }
}

/// `{"name", "bot"?, "token"?, "permissions"?}`: a new member.
fn add_member(state: &mut State, act: Act<'_>) -> Done {
    let Act { now_ms, mut form, guild, .. } = act;
    let name = form.required_string("name");
    let permissions = form.number("permissions").unwrap_or(permission::BOT_DEFAULT);
    let token = form.string("token");
    let bot = form.flag("bot").unwrap_or(token.is_some());
    form.finish(())?;
    let id = if bot {
        let token = token.unwrap_or_else(|| format!("{name}-{}", state.next_id(now_ms)));
        state.add_bot(now_ms, &name, &token)
    } else {
        state.add_person(now_ms, &name)
    };
    state.join(now_ms, guild, id, permissions);
    let application = state.user(id).and_then(|user| user.application.as_ref());
    Ok(json!({"id": wire::id(id), "token": application.map(|one| &one.token)}))
}

/// `{"channel_id", "content", "user_id"?}`: by default the guild's owner posts.
fn post(state: &mut State, act: Act<'_>) -> Done {
    let Act { now_ms, mut form, channel, user, .. } = act;
    let content = form.required_string("content");
    form.finish(())?;
    let posted = state.post_as(now_ms, user.unwrap_or(state.home().owner_id), channel, &content)?;
    Ok(wire::message(state, now_ms, &posted.message, posted.message.author_id, true))
}

/// `{"channel_id", "message_id"}`: a moderator deletes a message.
fn delete_message(state: &mut State, act: Act<'_>) -> Done {
    act.form.finish(())?;
    state.delete_as_moderator(act.now_ms, act.channel, act.message)?;
    Ok(json!({}))
}

/// `{"channel_id", "message_id", "user_id"?}`, or with `"remove": true`: by default the owner pins.
fn pin(state: &mut State, act: Act<'_>) -> Done {
    let Act { now_ms, mut form, channel, message, user, .. } = act;
    let remove = form.flag("remove").unwrap_or(false);
    form.finish(())?;
    let user = user.unwrap_or(state.home().owner_id);
    if remove {
        state.unpin_message(now_ms, user, channel, message)?;
    } else {
        state.pin_message(now_ms, user, channel, message)?;
    }
    Ok(json!({}))
}

/// `{"channel_id", "message_id", "emoji", "user_id"?}`, or with `"remove": true`: by default the owner reacts.
fn react(state: &mut State, act: Act<'_>) -> Done {
    let Act { now_ms, mut form, channel, message, user, .. } = act;
    let emoji = form.required_string("emoji");
    let remove = form.flag("remove").unwrap_or(false);
    form.finish(())?;
    let user = user.unwrap_or(state.home().owner_id);
    if remove {
        state.unreact(now_ms, user, channel, message, &emoji, user)?;
    } else {
        state.react(now_ms, user, channel, message, &emoji)?;
    }
    Ok(json!({}))
}

/// `{"channel_id", "message_id"?, "user_id"?}` and the fields of Start Thread: by default the owner starts it.
fn start_thread(state: &mut State, act: Act<'_>) -> Done {
    let new = parse::new_thread(act.body)?;
    act.form.finish(())?;
    let user = act.user.unwrap_or(state.home().owner_id);
    let message = (act.message != 0).then_some(act.message);
    let thread = state.start_thread(act.now_ms, user, act.channel, message, &new)?;
    Ok(wire::thread_for(&thread, user))
}

/// `{"channel_id", "user_id"?}` and the fields of Create Channel Invite: by default the owner invites.
fn invite(state: &mut State, act: Act<'_>) -> Done {
    let new = parse::new_invite(act.body)?;
    act.form.finish(())?;
    let user = act.user.unwrap_or(state.home().owner_id);
    let invite = state.create_invite(act.now_ms, user, act.channel, &new)?;
    Ok(wire::invite_with_metadata(state, &invite))
}

/// `{"code", "user_id"}` or `{"code", "name"}`: somebody, or a new person, accepts an invite.
fn join(state: &mut State, act: Act<'_>) -> Done {
    let Act { now_ms, mut form, user, .. } = act;
    let code = form.required_string("code");
    let name = form.string("name").unwrap_or_else(|| "guest".to_owned());
    form.finish(())?;
    state.invite(now_ms, &code)?;
    let user = user.unwrap_or_else(|| state.add_person(now_ms, &name));
    let invite = state.accept_invite(now_ms, user, &code)?;
    Ok(json!({"id": wire::id(user), "guild_id": wire::id(invite.guild_id)}))
}

/// `{"channel_id"}`: the owner deletes a channel.
fn delete_channel(state: &mut State, act: Act<'_>) -> Done {
    act.form.finish(())?;
    state.delete_channel_as_owner(act.channel)?;
    Ok(json!({}))
}

/// `{"permissions", "user_id"?, "guild_id"?}`: what the bot's own role allows.
fn set_permissions(state: &mut State, act: Act<'_>) -> Done {
    let Act { mut form, guild, user, .. } = act;
    let permissions = form.number("permissions").unwrap_or(0);
    form.finish(())?;
    state.set_bot_permissions(guild, user.unwrap_or(state.home().bot_id), permissions)?;
    Ok(json!({}))
}

/// `{"channel_id", "id", "type", "allow", "deny"}`, or with `"remove": true`.
fn set_overwrite(state: &mut State, act: Act<'_>) -> Done {
    let Act { mut form, channel, .. } = act;
    let overwrite = Overwrite {
        id: form.id("id").unwrap_or_default(),
        member: form.number("type").unwrap_or(0) == 1,
        allow: form.number("allow").unwrap_or(0),
        deny: form.number("deny").unwrap_or(0),
    };
    let remove = form.flag("remove").unwrap_or(false);
    form.finish(())?;
    if remove {
        state.delete_overwrite_as_owner(channel, overwrite.id)?;
    } else {
        state.put_overwrite_as_owner(channel, overwrite)?;
    }
    Ok(json!({}))
}

/// `{"message_content", "guild_members", "guild_presences", "user_id"?}`: switches in the developer portal.
fn set_intents(state: &mut State, act: Act<'_>) -> Done {
    let Act { mut form, user, .. } = act;
    let content = form.flag("message_content").unwrap_or(false);
    let members = form.flag("guild_members").unwrap_or(false);
    let presences = form.flag("guild_presences").unwrap_or(false);
    form.finish(())?;
    let bot = user.unwrap_or(state.home().bot_id);
    state.set_privileged_intents(bot, content, members);
    state.set_presence_intent(bot, presences);
    Ok(json!({}))
}

//! The JSON shapes of Discord's REST interface and gateway.
//!
//! Callers: `state` for events, `http` for replies, `gateway` for READY. Pure functions from the model to
//! JSON; what a viewer must not see is left out here and nowhere else.

mod command;
mod guild;
mod interaction;
mod invite;
mod message;
mod thread;

pub(crate) use command::command;
pub(crate) use guild::{channel, channel_for, guild, guild_create, member, role};
pub(crate) use interaction::interaction;
pub(crate) use invite::{invite, invite_create, invite_with_metadata};
pub(crate) use message::{attachment_url, blank, concerns, emoji, message, message_event};
pub(crate) use thread::{thread_for, thread_member};

use serde_json::{Value, json};

use crate::state::{Snowflake, User};

/// An id. Discord docs, "API Reference": ID Serialization, always as strings.
pub(crate) fn id(id: Snowflake) -> Value {
    Value::String(id.to_string())
}

/// An id that may be missing.
pub(crate) fn maybe_id(maybe: Option<Snowflake>) -> Value {
    maybe.map_or(Value::Null, id)
}

/// A user. Discord docs, "User": User Object.
pub(crate) fn user(user: &User) -> Value {
    let bot = user.application.is_some();
    json!({
        "id": id(user.id),
        "username": user.name,
        "discriminator": if bot { "0001" } else { "0" },
        "global_name": if bot { Value::Null } else { json!(user.name) },
        "avatar": null,
        "avatar_decoration_data": null,
        "collectibles": null,
        "primary_guild": null,
        "banner": null,
        "accent_color": null,
        "bot": bot,
        "public_flags": 0,
        "flags": 0,
    })
}

/// The bot itself, as it sees itself.
pub(crate) fn me(me: &User) -> Value {
    let mut data = user(me);
    if let Some(map) = data.as_object_mut() {
        map.insert("mfa_enabled".to_owned(), json!(false));
        map.insert("locale".to_owned(), json!("en-US"));
        map.insert("verified".to_owned(), json!(true));
        map.insert("email".to_owned(), Value::Null);
    }
    data
}

/// The application of a bot. Discord docs, "Application": Application Object.
pub(crate) fn application(bot: &User, owner: Option<&User>) -> Value {
    let Some(application) = &bot.application else { return Value::Null };
    json!({
        "id": id(application.id),
        "name": bot.name,
        "icon": null,
        "description": "",
        "summary": "",
        "type": null,
        "bot": user(bot),
        "bot_public": false,
        "bot_require_code_grant": false,
        "verify_key": "0".repeat(64),
        "flags": flags(bot),
        "owner": owner.map(user),
        "team": null,
        "redirect_uris": [],
        "interactions_endpoint_url": null,
        "role_connections_verification_url": null,
        "approximate_guild_count": 1,
        "approximate_user_install_count": 0,
        "integration_types_config": {"0": {}},
        "hook": true,
        "is_monetized": false,
    })
}

/// The flags of an application. Discord docs, "Application": Application Flags, the "limited" ones that
/// small applications have.
pub(crate) fn flags(bot: &User) -> u64 {
    let Some(application) = &bot.application else { return 0 };
    u64::from(application.guild_presences) << 13
        | u64::from(application.guild_members) << 15
        | u64::from(application.message_content) << 19
}

//! Messages and attachments as JSON.

use serde_json::{Value, json};

use super::guild::partial_member;
use super::{id, user};
use crate::state::{Attachment, Message, Snowflake, State, message_kind, time_of, timestamp};

/// A message. Discord docs, "Message": Message Object. The nonce is for the creator's reply and the gateway.
pub(crate) fn message(state: &State, now_ms: u64, message: &Message, with_nonce: bool) -> Value {
    let author = state.user(message.author_id).map(user);
    let mentions: Vec<Value> = message.mentions.iter().filter_map(|one| state.user(*one)).map(user).collect();
    let mut data = json!({
        "id": id(message.id),
        "channel_id": id(message.channel_id),
        "type": message.kind,
        "author": author,
        "content": message.content,
        "timestamp": timestamp(time_of(message.id)),
        "edited_timestamp": message.edited_at.map(timestamp),
        "tts": message.tts,
        "mention_everyone": message.mention_everyone,
        "mentions": mentions,
        "mention_roles": message.mention_roles.iter().copied().map(id).collect::<Vec<_>>(),
        "attachments": message.attachments.iter()
            .map(|one| attachment(state, now_ms, message.channel_id, one)).collect::<Vec<_>>(),
        "embeds": message.embeds,
        "components": message.components,
        "pinned": message.pinned_at.is_some(),
        "flags": message.flags,
    });
    let Some(map) = data.as_object_mut() else { return data };
    if let Some(reply_to) = message.reply_to {
        let guild = state.channel(message.channel_id).map(|channel| id(channel.guild_id));
        map.insert(
            "message_reference".to_owned(),
            json!({"type": 0, "message_id": id(reply_to), "channel_id": id(message.channel_id), "guild_id": guild}),
        );
    }
    // Discord docs, "Message": Message Object. Only replies bring along what they refer to.
    if let Some(reply_to) = message.reply_to.filter(|_| message.kind == message_kind::REPLY) {
        let original = state.message(message.channel_id, reply_to);
        // One level deep: the original's own reference stays a reference.
        let original = original.map(|one| {
            self::message(state, now_ms, &Message { reply_to: None, ..Message::clone(one) }, false)
        });
        map.insert("referenced_message".to_owned(), original.unwrap_or(Value::Null));
    }
    if let Some(nonce) = message.nonce.as_ref().filter(|_| with_nonce) {
        map.insert("nonce".to_owned(), json!(nonce));
    }
    data
}

/// A message as MESSAGE_CREATE and MESSAGE_UPDATE carry it.
// Discord docs, "Gateway Events": Message Create has guild_id and member beside the message's fields.
pub(crate) fn message_event(
    state: &State,
    now_ms: u64,
    of: &Message,
    guild_id: Snowflake,
    created: bool,
) -> Value {
    let mut data = message(state, now_ms, of, created);
    if let Some(map) = data.as_object_mut() {
        map.insert("guild_id".to_owned(), id(guild_id));
        let guild = state.guild(guild_id);
        if let Some(member) = guild.and_then(|guild| guild.members.get(&of.author_id)) {
            map.insert("member".to_owned(), partial_member(member));
        }
    }
    data
}

/// Whether a message's content is for a bot's eyes whatever its intents: its own, or one that mentions it.
// Discord docs, "Gateway": Message Content Intent, exceptions.
pub(crate) fn concerns(message: &Message, viewer: Snowflake) -> bool {
    message.author_id == viewer || message.mentions.contains(&viewer)
}

/// Takes out of a message what needs the Message Content intent.
pub(crate) fn blank(message: &mut Value) {
    let Some(map) = message.as_object_mut() else { return };
    map.insert("content".to_owned(), json!(""));
    for list in ["embeds", "attachments", "components"] {
        map.insert(list.to_owned(), json!([]));
    }
    map.remove("poll");
}

/// Where an attachment can be downloaded for a while.
pub(crate) fn attachment_url(state: &State, now_ms: u64, channel: Snowflake, of: &Attachment) -> String {
    state.signer().url(now_ms, state.limits().url_lifetime_ms, channel, of.id, &of.filename)
}

// Discord docs, "Message": Attachment Object.
fn attachment(state: &State, now_ms: u64, channel: Snowflake, of: &Attachment) -> Value {
    let url = attachment_url(state, now_ms, channel, of);
    let mut data = json!({
        "id": id(of.id),
        "filename": of.filename,
        "size": of.size,
        "url": url,
        "proxy_url": url,
    });
    let Some(map) = data.as_object_mut() else { return data };
    for (name, value) in
        [("title", &of.title), ("description", &of.description), ("content_type", &of.content_type)]
    {
        if let Some(value) = value {
            map.insert(name.to_owned(), json!(value));
        }
    }
    data
}

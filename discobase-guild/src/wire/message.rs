//! Messages and attachments as JSON.

use serde_json::{Map, Value, json};

use super::guild::partial_member;
use super::{channel, id, user};
use crate::state::{
    Answered, Attachment, Message, Reaction, Snowflake, State, message_kind, time_of, timestamp,
};

/// A message as a user sees it. Discord docs, "Message": Message Object. The nonce is for the creator's reply and the gateway.
pub(crate) fn message(
    state: &State,
    now_ms: u64,
    message: &Message,
    viewer: Snowflake,
    with_nonce: bool,
) -> Value {
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
    // Threads are started from messages of the channel they are in.
    let starter = message.kind == message_kind::THREAD_STARTER_MESSAGE;
    let here = state.channel(message.channel_id);
    let parent = here.filter(|_| starter).and_then(|thread| thread.parent_id);
    let referred = parent.unwrap_or(message.channel_id);
    if let Some(reply_to) = message.reply_to {
        let guild = here.map(|channel| id(channel.guild_id));
        map.insert(
            "message_reference".to_owned(),
            json!({"type": 0, "message_id": id(reply_to), "channel_id": id(referred), "guild_id": guild}),
        );
    }
    // Discord docs, "Message": Message Object. Only these bring along what they refer to.
    if let Some(reply_to) = message.reply_to.filter(|_| starter || message.kind == message_kind::REPLY) {
        let original = state.message(referred, reply_to);
        // One level deep: the original's own reference stays a reference.
        let original = original.map(|one| {
            self::message(state, now_ms, &Message { reply_to: None, ..Message::clone(one) }, viewer, false)
        });
        map.insert("referenced_message".to_owned(), original.unwrap_or(Value::Null));
    }
    if !message.reactions.is_empty() {
        let reactions = message.reactions.iter().map(|one| reaction(one, viewer));
        map.insert("reactions".to_owned(), reactions.collect());
    }
    if let Some(thread) = state.channel(message.id).filter(|one| one.thread.is_some()) {
        map.insert("thread".to_owned(), channel(thread));
    }
    if let Some(answers) = &message.answers {
        // An application answers as a webhook of its own.
        map.insert("application_id".to_owned(), id(message.author_id));
        map.insert("webhook_id".to_owned(), id(message.author_id));
        answered(state, map, here.map(|channel| channel.guild_id), answers);
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
    viewer: Snowflake,
    created: bool,
) -> Value {
    let mut data = message(state, now_ms, of, viewer, created);
    if let Some(map) = data.as_object_mut() {
        map.insert("guild_id".to_owned(), id(guild_id));
        let guild = state.guild(guild_id);
        if let Some(member) = guild.and_then(|guild| guild.members.get(&of.author_id)) {
            map.insert("member".to_owned(), partial_member(member));
        }
    }
    data
}

/// An emoji of Unicode. Discord docs, "Emoji": Emoji Object.
pub(crate) fn emoji(name: &str) -> Value {
    json!({"id": null, "name": name})
}

// Discord docs, "Message": Reaction Object.
fn reaction(of: &Reaction, viewer: Snowflake) -> Value {
    let count = of.users.len();
    json!({
        "count": count,
        "count_details": {"burst": 0, "normal": count},
        "me": of.users.contains(&viewer),
        "me_burst": false,
        "emoji": emoji(&of.emoji),
        "burst_colors": [],
    })
}

// Discord docs, "Message": Message Interaction Metadata Object; "Receiving and Responding": Message Interaction Object,
// which only answers to commands carry.
fn answered(state: &State, map: &mut Map<String, Value>, guild: Option<Snowflake>, of: &Answered) {
    let user = state.user(of.user_id).map(user);
    let metadata = json!({
        "id": id(of.interaction_id), "type": of.kind, "user": user,
        "authorizing_integration_owners": {"0": guild.map(id)},
    });
    map.insert("interaction_metadata".to_owned(), metadata);
    if let Some(name) = &of.name {
        let old = json!({"id": id(of.interaction_id), "type": of.kind, "name": name, "user": user});
        map.insert("interaction".to_owned(), old);
    }
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
pub(crate) fn attachment(state: &State, now_ms: u64, channel: Snowflake, of: &Attachment) -> Value {
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

//! Threads and their members as JSON.

use serde_json::{Value, json};

use super::{channel, id};
use crate::state::{Channel, Snowflake, timestamp};

/// What a channel has more if it is a thread. Discord docs, "Channel": Channel Object, Thread Metadata Object.
pub(super) fn extend(data: &mut Value, of: &Channel) {
    let (Some(thread), Some(map)) = (&of.thread, data.as_object_mut()) else { return };
    for none in ["position", "permission_overwrites", "nsfw", "topic"] {
        map.remove(none);
    }
    let mut metadata = json!({
        "archived": thread.archived,
        "auto_archive_duration": thread.auto_archive_minutes,
        "archive_timestamp": timestamp(thread.archive_at),
        "locked": thread.locked,
        "create_timestamp": timestamp(thread.created_at),
    });
    if let (Some(invitable), Some(metadata)) = (thread.invitable, metadata.as_object_mut()) {
        metadata.insert("invitable".to_owned(), json!(invitable));
    }
    map.insert("owner_id".to_owned(), id(thread.owner_id));
    map.insert("message_count".to_owned(), json!(thread.message_count));
    map.insert("total_message_sent".to_owned(), json!(thread.total_message_sent));
    // "Stops counting at 50."
    map.insert("member_count".to_owned(), json!(thread.members.len().min(50)));
    map.insert("thread_metadata".to_owned(), metadata);
}

/// A thread as a user sees it, with their membership if they are a member.
pub(crate) fn thread_for(of: &Channel, viewer: Snowflake) -> Value {
    let mut data = channel(of);
    if let (Some(member), Some(map)) = (thread_member(of, viewer), data.as_object_mut()) {
        map.insert("member".to_owned(), member);
    }
    data
}

/// A member of a thread. Discord docs, "Channel": Thread Member Object.
pub(crate) fn thread_member(of: &Channel, user: Snowflake) -> Option<Value> {
    let joined_at = of.thread.as_ref()?.members.get(&user)?;
    Some(json!({"id": id(of.id), "user_id": id(user), "join_timestamp": timestamp(*joined_at), "flags": 0}))
}

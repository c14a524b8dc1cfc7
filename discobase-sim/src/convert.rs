//! The guild's nouns as the engine's, and refusals as its errors.

use discobase_core::transport::{
    Attachment, Channel, ChannelRole, Failure, Message, Overwrite, Permissions, TransportError,
};
use discobase_core::{ChannelId, MessageId, UserId};
use discobase_guild::state::{self, Refusal, State, channel_kind};

pub(crate) fn message(state: &State, of: &state::Message) -> Message {
    let file = |one: &state::Attachment| Attachment {
        id: one.id,
        filename: one.filename.clone(),
        size: one.size,
        url: format!("sim:{}", one.id),
    };
    let shown = state.shows_content(state.home().bot_id, of);
    Message {
        id: MessageId::new(of.id),
        channel: ChannelId::new(of.channel_id),
        author: UserId::new(of.author_id),
        content: if shown { of.content.clone() } else { String::new() },
        attachments: if shown { of.attachments.iter().map(file).collect() } else { Vec::new() },
        edited: of.edited_at.is_some(),
        ordinary: matches!(of.kind, 0 | 19),
    }
}

pub(crate) fn channel(of: &state::Channel) -> Channel {
    Channel {
        id: ChannelId::new(of.id),
        role: match of.kind {
            channel_kind::CATEGORY => ChannelRole::Category,
            channel_kind::TEXT => ChannelRole::Text,
            _ => ChannelRole::Other,
        },
        name: of.name.clone(),
        topic: of.topic.clone().unwrap_or_default(),
        parent: of.parent_id.map(ChannelId::new),
        visible: true,
        overwrites: of.overwrites.iter().map(overwrite).collect(),
    }
}

fn overwrite(of: &state::Overwrite) -> Overwrite {
    Overwrite { id: of.id, member: of.member, allow: Permissions(of.allow), deny: Permissions(of.deny) }
}

/// `ambiguous`: an earlier try of the same call got no answer.
pub(crate) fn error(route: &str, refusal: &Refusal, ambiguous: bool) -> TransportError {
    let failure = Failure {
        route: route.to_owned(),
        status: Some(refusal.status),
        code: Some(u64::from(refusal.code)),
        message: refusal.message.to_string(),
        ambiguous,
        source: None,
    };
    match refusal.status {
        401 => TransportError::Unauthorized(failure),
        403 => TransportError::Forbidden(failure),
        404 => TransportError::Missing(failure),
        _ => TransportError::Refused(failure),
    }
}

pub(crate) fn failure(route: &str, message: &str) -> Failure {
    Failure { route: route.to_owned(), message: message.to_owned(), ..Failure::default() }
}

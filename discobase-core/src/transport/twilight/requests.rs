//! Calls as requests: twilight's builders choose paths and check lengths, this file adds what they do not know.

use bytes::Bytes;
use serde::Serialize;
use twilight_http::Client;
use twilight_http::request::{Request, TryIntoRequest};
use twilight_model::channel::ChannelType;
use twilight_model::channel::message::MessageFlags;
use twilight_model::channel::permission_overwrite::{PermissionOverwrite, PermissionOverwriteType};
use twilight_model::guild::Permissions as Allowed;
use twilight_model::id::Id;

use super::body::Payload;
use super::reply;
use crate::env::Env;
use crate::ids::{ChannelId, GuildId, MessageId};
use crate::transport::limits::{Route, Verb};
use crate::transport::{
    ChannelRole, HistoryPage, NewChannel, NewMessage, Permissions, TransportError, TransportResult,
};

/// The most messages a history page holds (Discord docs, "Message": Get Channel Messages).
const PAGE: u16 = 100;
/// The most guilds a page holds (Discord docs, "User": Get Current User Guilds).
pub(super) const GUILDS_PAGE: u16 = 200;
/// How many messages can be deleted at once (Discord docs, "Message": Bulk Delete Messages).
const DELETED_AT_ONCE: std::ops::RangeInclusive<usize> = 2..=100;
/// The longest nonce (Discord docs, "Message": Create Message).
const NONCE: usize = 25;
/// The most files of a message.
const FILES: usize = 10;
/// The largest request (Discord docs, "Message": Create Message).
const LARGEST: u64 = 25 * 1024 * 1024;

/// What may be done when nobody knows whether a request had its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Send it again: twice is as good as once.
    Freely,
    /// Ask the caller.
    Never,
}

/// A request, ready to be sent as often as need be.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) route: Route,
    /// Below `/api/v10/`.
    pub(super) path: String,
    pub(super) payload: Payload,
    pub(super) repeat: Repeat,
}

impl Call {
    fn new(route: Route, request: Result<Request, twilight_http::Error>) -> TransportResult<Self> {
        let request = request.map_err(|error| refused(route, chain(&error)))?;
        let payload = request.body().map(|body| Payload::json(Bytes::copy_from_slice(body)));
        Ok(Self {
            route,
            path: request.path().to_owned(),
            payload: payload.unwrap_or_default(),
            repeat: Repeat::Freely,
        })
    }
}

/// The error and what is beneath it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        text.push_str(": ");
        text.push_str(&error.to_string());
        below = error.source();
    }
    text
}

fn refused(route: Route, message: impl Into<String>) -> TransportError {
    TransportError::NotSent(reply::failure(route, message))
}

/// Twilight's ids are never 0.
fn id<T>(route: Route, number: u64) -> TransportResult<Id<T>> {
    Id::new_checked(number).ok_or_else(|| refused(route, "0 is the id of nothing"))
}

pub(super) fn me(client: &Client) -> TransportResult<Call> {
    Call::new(Route::new(Verb::Get, "users/@me", 0), client.current_user().try_into_request())
}

pub(super) fn application(client: &Client) -> TransportResult<Call> {
    Call::new(
        Route::new(Verb::Get, "applications/@me", 0),
        client.current_user_application().try_into_request(),
    )
}

pub(super) fn gateway(client: &Client) -> TransportResult<Call> {
    Call::new(Route::new(Verb::Get, "gateway/bot", 0), client.gateway().authed().try_into_request())
}

pub(super) fn guilds(client: &Client, after: Option<GuildId>) -> TransportResult<Call> {
    let route = Route::new(Verb::Get, "users/@me/guilds", 0);
    let mut request = client.current_user_guilds().limit(GUILDS_PAGE);
    if let Some(after) = after {
        request = request.after(id(route, after.get())?);
    }
    Call::new(route, request.try_into_request())
}

pub(super) fn channels(client: &Client, guild: GuildId) -> TransportResult<Call> {
    let route = Route::new(Verb::Get, "guilds/{guild}/channels", guild.get());
    Call::new(route, client.guild_channels(id(route, guild.get())?).try_into_request())
}

/// Creates a channel that only the bot sees. The overwrites are part of the request, because adding them later takes
/// a permission more (Discord docs, "Channel": Edit Channel Permissions), and there is no moment without them.
pub(super) fn create_channel(
    client: &Client,
    guild: GuildId,
    channel: &NewChannel,
    held: Permissions,
) -> TransportResult<Call> {
    let route = Route::new(Verb::Post, "guilds/{guild}/channels", guild.get());
    let kind = match channel.role {
        ChannelRole::Category => ChannelType::GuildCategory,
        ChannelRole::Text => ChannelType::GuildText,
        ChannelRole::Other => return Err(refused(route, "a channel of this kind cannot be created")),
    };
    // Only what the bot itself holds in the guild can be allowed (Discord docs, "Guild": Create Guild Channel).
    let allowed = Permissions::REQUIRED
        .into_iter()
        .map(|(permission, _)| permission)
        .filter(|permission| held.contains(*permission))
        .fold(Permissions::default(), |sum, permission| sum | permission);
    let overwrites = [
        PermissionOverwrite {
            // The role of everyone has the guild's own id (Discord docs, "Permissions": Role Object).
            id: id(route, guild.get())?,
            kind: PermissionOverwriteType::Role,
            allow: Allowed::empty(),
            deny: Allowed::VIEW_CHANNEL,
        },
        PermissionOverwrite {
            id: id(route, channel.visible_to.get())?,
            kind: PermissionOverwriteType::Member,
            allow: Allowed::from_bits_truncate(allowed.0),
            deny: Allowed::empty(),
        },
    ];
    let mut request = client.create_guild_channel(id(route, guild.get())?, &channel.name).kind(kind);
    if kind == ChannelType::GuildText && !channel.topic.is_empty() {
        request = request.topic(&channel.topic);
    }
    if let Some(parent) = channel.parent {
        request = request.parent_id(id(route, parent.get())?);
    }
    let request = request.permission_overwrites(&overwrites).try_into_request();
    Ok(Call { repeat: Repeat::Never, ..Call::new(route, request)? })
}

pub(super) fn delete_channel(client: &Client, channel: ChannelId) -> TransportResult<Call> {
    let route = Route::new(Verb::Delete, "channels/{channel}", channel.get());
    Call::new(route, client.delete_channel(id(route, channel.get())?).try_into_request())
}

/// A message in JSON, with what twilight's builder cannot say.
#[derive(Serialize)]
struct MessageJson<'a> {
    content: &'a str,
    allowed_mentions: NoMentions,
    flags: MessageFlags,
    attachments: Vec<FileJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enforce_nonce: Option<bool>,
}

/// Bots mention everyone they name unless they say otherwise, and do so anew with each edit
/// (Discord docs, "Message": Allowed Mentions Object).
#[derive(Serialize)]
struct NoMentions {
    parse: [u8; 0],
}

#[derive(Serialize)]
struct FileJson<'a> {
    id: usize,
    filename: &'a str,
}

pub(super) fn post(
    client: &Client,
    channel: ChannelId,
    message: &NewMessage,
    env: &dyn Env,
) -> TransportResult<Call> {
    let route = Route::post(channel.get());
    if message.content.is_empty() && message.attachments.is_empty() {
        return Err(refused(route, "a message needs a text or a file"));
    }
    let nonce = message.nonce.as_deref();
    if nonce.is_some_and(|nonce| nonce.is_empty() || nonce.chars().count() > NONCE) {
        return Err(refused(route, "a nonce has 1 to 25 characters"));
    }
    let document = document(route, message, nonce)?;
    let request = client.create_message(id(route, channel.get())?).content(&message.content);
    let call = Call::new(route, request.payload_json(&document).try_into_request())?;
    let repeat = if nonce.is_some() { Repeat::Freely } else { Repeat::Never };
    with_files(Call { repeat, ..call }, message, env)
}

pub(super) fn edit(
    client: &Client,
    channel: ChannelId,
    message: MessageId,
    content: &NewMessage,
    env: &dyn Env,
) -> TransportResult<Call> {
    let route = Route::message(Verb::Patch, channel.get());
    // Files that the list does not name are removed (Discord docs, "Message": Edit Message).
    let document = document(route, content, None)?;
    let request = client
        .update_message(id(route, channel.get())?, id(route, message.get())?)
        .content(Some(&content.content))
        .payload_json(&document);
    with_files(Call::new(route, request.try_into_request())?, content, env)
}

fn document(route: Route, message: &NewMessage, nonce: Option<&str>) -> TransportResult<Vec<u8>> {
    if message.attachments.len() > FILES {
        return Err(refused(route, "a message has at most 10 files"));
    }
    for file in &message.attachments {
        twilight_validate::message::attachment_filename(&file.filename)
            .map_err(|error| refused(route, chain(&error)))?;
    }
    let files = message.attachments.iter().enumerate();
    serde_json::to_vec(&MessageJson {
        content: &message.content,
        allowed_mentions: NoMentions { parse: [] },
        flags: MessageFlags::SUPPRESS_EMBEDS | MessageFlags::SUPPRESS_NOTIFICATIONS,
        attachments: files.map(|(id, file)| FileJson { id, filename: &file.filename }).collect(),
        nonce,
        enforce_nonce: nonce.map(|_| true),
    })
    .map_err(|error| refused(route, chain(&error)))
}

fn with_files(mut call: Call, message: &NewMessage, env: &dyn Env) -> TransportResult<Call> {
    if !message.attachments.is_empty() {
        call.payload = call.payload.with_files(&message.attachments, env);
    }
    if call.payload.len() > LARGEST {
        return Err(refused(call.route, "a message with its files has at most 25 MiB"));
    }
    Ok(call)
}

pub(super) fn message(client: &Client, channel: ChannelId, message: MessageId) -> TransportResult<Call> {
    let route = Route::message(Verb::Get, channel.get());
    let request = client.message(id(route, channel.get())?, id(route, message.get())?);
    Call::new(route, request.try_into_request())
}

/// A page of history; nothing if it cannot hold anything.
pub(super) fn history(
    client: &Client,
    channel: ChannelId,
    page: HistoryPage,
) -> TransportResult<Option<Call>> {
    let route = Route::history(channel.get());
    let request = client.channel_messages(id(route, channel.get())?);
    let request = match page {
        HistoryPage::Newest => request.limit(PAGE).try_into_request(),
        // No message has the id 1.
        HistoryPage::After(after) => {
            request.after(id(route, after.get().max(1))?).limit(PAGE).try_into_request()
        }
        HistoryPage::Before(before) => match Id::new_checked(before.get()) {
            Some(before) => request.before(before).limit(PAGE).try_into_request(),
            None => return Ok(None),
        },
    };
    Call::new(route, request).map(Some)
}

pub(super) fn delete_message(
    client: &Client,
    channel: ChannelId,
    message: MessageId,
) -> TransportResult<Call> {
    let route = Route::message(Verb::Delete, channel.get());
    let request = client.delete_message(id(route, channel.get())?, id(route, message.get())?);
    Call::new(route, request.try_into_request())
}

/// Deletes several messages at once. One id that is there twice, or a message that is too old, and Discord refuses the
/// whole call (Discord docs, "Message": Bulk Delete Messages).
pub(super) fn delete_messages(
    client: &Client,
    channel: ChannelId,
    messages: &[MessageId],
) -> TransportResult<Call> {
    let route = Route::delete_many(channel.get());
    let mut ids = messages.to_vec();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() != messages.len() {
        return Err(refused(route, "a message is named twice"));
    }
    if !DELETED_AT_ONCE.contains(&ids.len()) {
        return Err(refused(route, "2 to 100 messages can be deleted at once"));
    }
    let ids = ids.iter().map(|message| id(route, message.get())).collect::<TransportResult<Vec<_>>>()?;
    Call::new(route, client.delete_messages(id(route, channel.get())?, &ids).try_into_request())
}

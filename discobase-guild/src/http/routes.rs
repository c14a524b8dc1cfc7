//! The routes of the REST interface: method, template, handler.
//!
//! Callers: `http::rest`. The templates are the names under which statistics and faults know the routes.

use super::call::{Answer, Call};
use super::multipart::percent;
use super::{channels, commands, guilds, interactions, invites, messages, pins, reactions, threads, users};
use crate::limits::Charge;
use crate::state::{Refusal, Snowflake, State};

type Handler = fn(&mut State, &mut Call) -> Result<Answer, Refusal>;

/// A route.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) template: &'static str,
    pub(super) handler: Handler,
}

const fn route(method: &'static str, template: &'static str, handler: Handler) -> Route {
    Route { method, template, handler }
}

// Literal segments come before placeholders.
const ROUTES: &[Route] = &[
    route("GET", "/gateway", users::gateway),
    route("GET", "/gateway/bot", users::gateway_bot),
    route("GET", "/oauth2/applications/@me", users::application),
    route("GET", "/applications/@me", users::application),
    route("GET", "/users/@me", users::me),
    route("GET", "/users/@me/guilds", users::my_guilds),
    route("DELETE", "/users/@me/guilds/{guild}", users::leave),
    route("GET", "/users/@me/guilds/{guild}/member", users::my_member),
    route("GET", "/users/{user}", users::user),
    route("POST", "/guilds", guilds::create),
    route("GET", "/guilds/{guild}", guilds::get),
    route("GET", "/guilds/{guild}/channels", guilds::channels),
    route("POST", "/guilds/{guild}/channels", channels::create),
    route("PATCH", "/guilds/{guild}/channels", channels::positions),
    route("GET", "/guilds/{guild}/roles", guilds::roles),
    route("GET", "/guilds/{guild}/members", guilds::members),
    route("GET", "/guilds/{guild}/members/{user}", guilds::member),
    route("GET", "/guilds/{guild}/invites", invites::of_guild),
    route("GET", "/invites/{code}", invites::get),
    route("DELETE", "/invites/{code}", invites::delete),
    route("GET", "/channels/{channel}/invites", invites::of_channel),
    route("POST", "/channels/{channel}/invites", invites::create),
    route("GET", "/channels/{channel}", channels::get),
    route("PATCH", "/channels/{channel}", channels::modify),
    route("DELETE", "/channels/{channel}", channels::delete),
    route("PUT", "/channels/{channel}/permissions/{overwrite}", channels::put_overwrite),
    route("DELETE", "/channels/{channel}/permissions/{overwrite}", channels::delete_overwrite),
    route("POST", "/channels/{channel}/typing", channels::typing),
    route("GET", "/channels/{channel}/messages", messages::page),
    route("POST", "/channels/{channel}/messages", messages::create),
    route("POST", "/channels/{channel}/messages/bulk-delete", messages::bulk_delete),
    route("GET", "/channels/{channel}/messages/pins", pins::page),
    route("PUT", "/channels/{channel}/messages/pins/{message}", pins::add),
    route("DELETE", "/channels/{channel}/messages/pins/{message}", pins::remove),
    route("GET", "/channels/{channel}/pins", pins::first),
    route("PUT", "/channels/{channel}/pins/{message}", pins::add),
    route("DELETE", "/channels/{channel}/pins/{message}", pins::remove),
    route("GET", "/channels/{channel}/messages/{message}", messages::get),
    route("PATCH", "/channels/{channel}/messages/{message}", messages::edit),
    route("DELETE", "/channels/{channel}/messages/{message}", messages::delete),
    route("GET", "/guilds/{guild}/threads/active", threads::active),
    route("POST", "/channels/{channel}/threads", threads::start),
    route("POST", "/channels/{channel}/messages/{message}/threads", threads::start_from),
    route("GET", "/channels/{channel}/threads/archived/public", threads::archived_public),
    route("GET", "/channels/{channel}/threads/archived/private", threads::archived_private),
    route("GET", "/channels/{channel}/users/@me/threads/archived/private", threads::archived_joined),
    route("GET", "/channels/{channel}/thread-members", threads::members),
    route("PUT", "/channels/{channel}/thread-members/@me", threads::join),
    route("DELETE", "/channels/{channel}/thread-members/@me", threads::leave),
    route("GET", "/channels/{channel}/thread-members/{user}", threads::member),
    route("PUT", "/channels/{channel}/thread-members/{user}", threads::add),
    route("DELETE", "/channels/{channel}/thread-members/{user}", threads::remove),
    route("DELETE", "/channels/{channel}/messages/{message}/reactions", reactions::clear),
    route("GET", "/channels/{channel}/messages/{message}/reactions/{emoji}", reactions::list),
    route("DELETE", "/channels/{channel}/messages/{message}/reactions/{emoji}", reactions::clear_emoji),
    route("PUT", "/channels/{channel}/messages/{message}/reactions/{emoji}/@me", reactions::add),
    route("DELETE", "/channels/{channel}/messages/{message}/reactions/{emoji}/@me", reactions::remove_own),
    route("DELETE", "/channels/{channel}/messages/{message}/reactions/{emoji}/{user}", reactions::remove),
    route("GET", "/applications/{application}/commands", commands::list),
    route("POST", "/applications/{application}/commands", commands::create),
    route("PUT", "/applications/{application}/commands", commands::overwrite),
    route("GET", "/applications/{application}/commands/{command}", commands::get),
    route("PATCH", "/applications/{application}/commands/{command}", commands::edit),
    route("DELETE", "/applications/{application}/commands/{command}", commands::delete),
    route("GET", "/applications/{application}/guilds/{guild}/commands", commands::list_in_guild),
    route("POST", "/applications/{application}/guilds/{guild}/commands", commands::create_in_guild),
    route("PUT", "/applications/{application}/guilds/{guild}/commands", commands::overwrite_in_guild),
    route("GET", "/applications/{application}/guilds/{guild}/commands/{command}", commands::get_in_guild),
    route("PATCH", "/applications/{application}/guilds/{guild}/commands/{command}", commands::edit_in_guild),
    route(
        "DELETE",
        "/applications/{application}/guilds/{guild}/commands/{command}",
        commands::delete_in_guild,
    ),
    route("POST", "/interactions/{interaction}/{token}/callback", interactions::answer),
    route("POST", "/webhooks/{application}/{token}", interactions::follow_up),
    route("GET", "/webhooks/{application}/{token}/messages/@original", interactions::get),
    route("PATCH", "/webhooks/{application}/{token}/messages/@original", interactions::edit),
    route("DELETE", "/webhooks/{application}/{token}/messages/@original", interactions::delete),
    route("GET", "/webhooks/{application}/{token}/messages/{message}", interactions::get),
    route("PATCH", "/webhooks/{application}/{token}/messages/{message}", interactions::edit),
    route("DELETE", "/webhooks/{application}/{token}/messages/{message}", interactions::delete),
    route("POST", "/attachments/refresh-urls", messages::refresh_urls),
];

/// What stands in a path where its template has placeholders.
#[derive(Debug, Default)]
pub(super) struct Filled {
    pub(super) ids: Vec<Snowflake>,
    pub(super) texts: Vec<String>,
}

/// The placeholders that are no ids.
const TEXTS: [&str; 3] = ["code", "emoji", "token"];

/// What a method and a path lead to.
pub(super) enum Found {
    /// A route, with what is in the path.
    Route(&'static Route, Filled),
    /// A route whose path has something else where an id belongs.
    BadId(&'static Route, Refusal),
    /// A path that other methods have.
    OtherMethod,
    /// Nothing.
    Nothing,
}

pub(super) fn find(method: &str, path: &str) -> Found {
    let mut found = Found::Nothing;
    for route in ROUTES {
        let Some(filled) = matches(route.template, path) else { continue };
        if route.method != method {
            found = Found::OtherMethod;
            continue;
        }
        return match filled {
            Ok(filled) => Found::Route(route, filled),
            Err(refusal) => Found::BadId(route, refusal),
        };
    }
    found
}

fn matches(template: &str, path: &str) -> Option<Result<Filled, Refusal>> {
    let mut filled = Ok(Filled::default());
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        let (wanted, given) = match (wanted.next(), given.next()) {
            (None, None) => return Some(filled),
            (Some(wanted), Some(given)) => (wanted, given),
            _ => return None,
        };
        let Some(name) = wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            // Some clients write `@me` as `%40me`.
            if wanted == given || given.contains('%') && wanted == percent(given) {
                continue;
            }
            return None;
        };
        let Ok(so_far) = &mut filled else { continue };
        if TEXTS.contains(&name) {
            so_far.texts.push(percent(given));
        } else if let Ok(id) = given.parse() {
            so_far.ids.push(id);
        } else {
            filled = Err(Refusal::not_snowflake(&format!("{name}_id"), given));
        }
    }
}

impl Route {
    /// Whether it needs no bot's token.
    // Discord docs, "Gateway": Get Gateway needs no authentication. "Receiving and Responding": answers to interactions
    // have a token of their own, and are not bound to the application's global rate limit.
    pub(super) fn is_open(&self) -> bool {
        self.template == "/gateway" || self.answers_interactions()
    }

    /// Whether an application answers an interaction on it.
    pub(super) fn answers_interactions(&self) -> bool {
        self.template.starts_with("/interactions/") || self.template.starts_with("/webhooks/")
    }

    /// What a request on this route is charged for, and on which resource.
    // Discord docs, "Rate Limits": top-level resources are channels, guilds and webhooks.
    pub(super) fn charge(&self, state: &State, ids: &[Snowflake]) -> (Charge, Snowflake) {
        let first = ids.first().copied().unwrap_or_default();
        let second = ids.get(1).copied().unwrap_or_default();
        let top = self.template.starts_with("/channels") || self.template.starts_with("/guilds");
        let major = if top { first } else { 0 };
        let charge = match (self.method, self.template) {
            ("POST", "/channels/{channel}/messages") => Charge::MessageCreate,
            ("GET", "/channels/{channel}/messages") => Charge::MessagePage,
            ("PATCH", "/channels/{channel}/messages/{message}") => Charge::MessageEdit(second),
            ("DELETE", "/channels/{channel}/messages/{message}") => Charge::MessageDelete(second),
            ("PATCH", "/channels/{channel}") => Charge::ChannelModify,
            ("POST", "/channels/{channel}/messages/bulk-delete") => {
                let guild = state.channel(first).map_or(first, |channel| channel.guild_id);
                return (Charge::BulkDelete, guild);
            }
            ("PUT" | "DELETE", template) if template.contains("/reactions") => Charge::Reaction,
            (method, template) => Charge::Other(method, template),
        };
        (charge, major)
    }
}

//! Mentions: whom a message's content pings.
//!
//! Callers: `state::messages` on create and on every edit.
//! Discord docs, "Message": Allowed Mentions Object. Without one, a bot's message is parsed for everything.

use super::model::{Guild, User};
use super::snowflake::Snowflake;
use std::collections::BTreeMap;

/// Whom a message may ping.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedMentions {
    /// What to parse from the content: `users`, `roles`, `everyone`.
    pub parse: Vec<String>,
    /// Users that may be pinged.
    pub users: Vec<Snowflake>,
    /// Roles that may be pinged.
    pub roles: Vec<Snowflake>,
    /// Whether a reply pings the author it replies to.
    pub replied_user: bool,
}

/// What was found in a content.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    pub(super) users: Vec<Snowflake>,
    pub(super) roles: Vec<Snowflake>,
    pub(super) everyone: bool,
}

pub(super) fn find(
    content: &str,
    allowed: Option<&AllowedMentions>,
    may_mention_everyone: bool,
    guild: Option<&Guild>,
    users: &BTreeMap<Snowflake, User>,
) -> Mentions {
    let mut found = Mentions::default();
    let parses = |what: &str| allowed.is_none_or(|allowed| allowed.parse.iter().any(|one| one == what));
    let lists = |list: fn(&AllowedMentions) -> &Vec<Snowflake>, id| {
        allowed.is_some_and(|allowed| list(allowed).contains(&id))
    };
    for rest in content.split("<@").skip(1) {
        let Some((inner, _)) = rest.split_once('>') else { continue };
        if let Some(role) = inner.strip_prefix('&').and_then(|id| id.parse().ok()) {
            let exists = guild.is_some_and(|guild| guild.roles.contains_key(&role));
            let pinged = parses("roles") || lists(|allowed| &allowed.roles, role);
            if exists && pinged && !found.roles.contains(&role) {
                found.roles.push(role);
            }
        } else if let Ok(user) = inner.strip_prefix('!').unwrap_or(inner).parse() {
            let pinged = parses("users") || lists(|allowed| &allowed.users, user);
            if users.contains_key(&user) && pinged && !found.users.contains(&user) {
                found.users.push(user);
            }
        }
    }
    let everyone = content.contains("@everyone") || content.contains("@here");
    found.everyone = everyone && may_mention_everyone && parses("everyone");
    found
}

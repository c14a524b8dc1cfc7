//! Faults on request: what can go wrong between a client and Discord, and when it shall.
//!
//! Callers: tests push rules through [`crate::LocalGuild::faults`] or the control endpoint; `http` asks
//! before each request, `gateway` before each event. Pure but for the lock around the queue.
//! Invariant: the first rule that matches decides, and rules are asked in the order they were pushed.
//! Only delays and what goes wrong inside a call let the next rule speak too.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Which requests or events a rule is about, what it does, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The HTTP method; any if absent.
    #[serde(default)]
    pub method: Option<String>,
    /// The route's template as the statistics write it (`/channels/{channel}/messages`); any if absent.
    #[serde(default)]
    pub route: Option<String>,
    /// The name of the gateway event; any if absent. For actions on events only.
    #[serde(default)]
    pub event: Option<String>,
    /// How many matching requests or events to let pass first.
    #[serde(default)]
    pub skip: u64,
    /// How many of them to act upon, then the rule is gone.
    #[serde(default = "once")]
    pub times: u64,
    /// What to do.
    pub action: Action,
}

fn once() -> u64 {
    1
}

/// What happens to a request or to an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// The request never arrives: the connection is cut, nothing was done.
    LoseRequest,
    /// The request is executed and the connection cut instead of a reply.
    LoseReply,
    /// The connection is cut at once, and the request is executed later, when its client has long given up.
    ExecuteLate {
        /// How much later.
        ms: u64,
    },
    /// The request waits before anything is done with it.
    Delay {
        /// How long.
        ms: u64,
    },
    /// The request is executed; only the reply waits.
    DelayReply {
        /// How long.
        ms: u64,
    },
    /// A reply of a broken server.
    ServerError {
        /// 500, 502, 503, 504.
        status: u16,
        /// Whether the request is executed all the same.
        executed: bool,
    },
    /// A reply of 429.
    TooManyRequests {
        /// Which kind.
        limit: Limit,
        /// Seconds to wait. For [`Limit::Shared`] the header carries the fraction too.
        retry_after: f64,
    },
    /// A reply of 400 with code 200000: an AutoMod rule stopped the message.
    AutoMod,
    /// Any other refusal, such as 404 with code 10008.
    Refuse {
        /// HTTP status.
        status: u16,
        /// Discord's error code.
        code: u32,
        /// The text beside it.
        message: String,
    },
    /// The message that is created stays out of histories for a while, and cannot be read by its id.
    HideMessage {
        /// For how long.
        ms: u64,
    },
    /// What is read is old: newer messages are missing, deleted ones are still there, edits are not.
    StaleRead {
        /// How old; at most a minute.
        ms: u64,
    },
    /// The message that is created is dated by a clock that is off, so that its id may be out of order.
    SkewId {
        /// How far off, in either direction.
        ms: i64,
    },
    /// A create overlooks that its nonce was used just before, so that two messages are made.
    RaceNonce {
        /// Uses younger than this are overlooked.
        ms: u64,
    },
    /// The files of the message that is created cannot be downloaded for a while.
    LateFiles {
        /// For how long.
        ms: u64,
    },
    /// The reply's body stops in the middle and the connection stays open.
    StallBody,
    /// A gateway event that is never sent.
    SwallowEvent,
    /// A gateway event that is sent twice.
    RepeatEvent,
    /// A gateway event that is sent only after the next one.
    ReorderEvent,
    /// The gateway connection is cut instead of sending an event; a resume will replay it.
    DropSocket,
}

impl Action {
    /// Whether the next rule may speak too.
    fn combines(&self) -> bool {
        matches!(
            self,
            Self::Delay { .. }
                | Self::DelayReply { .. }
                | Self::HideMessage { .. }
                | Self::StaleRead { .. }
                | Self::SkewId { .. }
                | Self::RaceNonce { .. }
                | Self::LateFiles { .. }
        )
    }
}

/// The kinds of 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The bot's own bucket.
    User,
    /// A bucket shared with others.
    Shared,
    /// The bot's global limit.
    Global,
    /// What may be written to one channel, by whomever (code 20028).
    ChannelWrite,
    /// What may be written to one guild, by whomever (code 20029).
    ServerWrite,
    /// Edits of messages older than an hour (code 30046).
    OldEdits,
    /// A ban by the network in front of Discord: a page of HTML without Discord's headers.
    Cloudflare,
}

impl Rule {
    /// A rule about the next request, whatever it is, or the next event.
    pub fn new(action: Action) -> Self {
        Self { method: None, route: None, event: None, skip: 0, times: 1, action }
    }

    /// Only requests of this method and route template.
    #[must_use]
    pub fn on(mut self, method: &str, route: &str) -> Self {
        self.method = Some(method.to_owned());
        self.route = Some(route.to_owned());
        self
    }

    /// Only events of this name.
    #[must_use]
    pub fn on_event(mut self, name: &str) -> Self {
        self.event = Some(name.to_owned());
        self
    }

    /// Lets this many pass first.
    #[must_use]
    pub fn skip(mut self, count: u64) -> Self {
        self.skip = count;
        self
    }

    /// Acts upon this many.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }

    fn is_about_events(&self) -> bool {
        matches!(
            self.action,
            Action::SwallowEvent | Action::RepeatEvent | Action::ReorderEvent | Action::DropSocket
        )
    }
}

/// The queue of rules.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<Rule>>,
}

impl Faults {
    /// Adds a rule.
    pub fn push(&self, rule: Rule) {
        self.rules.lock().push(rule);
    }

    /// Forgets all rules.
    pub fn clear(&self) {
        self.rules.lock().clear();
    }

    /// The rules that still have something to do.
    pub fn pending(&self) -> Vec<Rule> {
        self.rules.lock().clone()
    }

    /// What to do with a request: any that may be combined, and at most one other action, which comes last.
    pub fn on_request(&self, method: &str, route: &str) -> Vec<Action> {
        let mut actions = Vec::new();
        self.take(
            |rule| {
                !rule.is_about_events()
                    && rule.method.as_deref().is_none_or(|one| one.eq_ignore_ascii_case(method))
                    && rule.route.as_deref().is_none_or(|one| one == route)
            },
            |action| {
                let last = !action.combines();
                actions.push(action);
                last
            },
        );
        actions
    }

    /// What to do with a gateway event.
    pub fn on_event(&self, name: &str) -> Option<Action> {
        let mut found = None;
        self.take(
            |rule| rule.is_about_events() && rule.event.as_deref().is_none_or(|one| one == name),
            |action| {
                found = Some(action);
                true
            },
        );
        found
    }

    fn take(&self, matches: impl Fn(&Rule) -> bool, mut act: impl FnMut(Action) -> bool) {
        let mut rules = self.rules.lock();
        let mut done = false;
        rules.retain_mut(|rule| {
            if done || !matches(rule) {
                return true;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                return true;
            }
            if rule.times > 0 {
                done = act(rule.action.clone());
                rule.times -= 1;
            }
            rule.times > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_skips_acts_and_goes() {
        let faults = Faults::default();
        faults.push(Rule::new(Action::LoseReply).on("POST", "/a").skip(1).times(2));
        assert!(faults.on_request("GET", "/a").is_empty());
        assert!(faults.on_request("POST", "/a").is_empty());
        assert_eq!(faults.on_request("POST", "/a"), [Action::LoseReply]);
        assert_eq!(faults.on_request("POST", "/a"), [Action::LoseReply]);
        assert!(faults.on_request("POST", "/a").is_empty());
        assert!(faults.pending().is_empty());
    }

    #[test]
    fn delays_combine_and_events_are_apart() {
        let faults = Faults::default();
        faults.push(Rule::new(Action::Delay { ms: 5 }));
        faults.push(Rule::new(Action::SwallowEvent).on_event("MESSAGE_CREATE"));
        faults.push(Rule::new(Action::LoseRequest));
        assert_eq!(faults.on_request("GET", "/"), [Action::Delay { ms: 5 }, Action::LoseRequest]);
        assert_eq!(faults.on_event("READY"), None);
        assert_eq!(faults.on_event("MESSAGE_CREATE"), Some(Action::SwallowEvent));
    }

    #[test]
    fn rules_are_readable_json() {
        let text =
            r#"{"method":"POST","action":{"kind":"too_many_requests","limit":"shared","retry_after":0.5}}"#;
        let rule: Rule = serde_json::from_str(text).unwrap();
        assert_eq!(rule.action, Action::TooManyRequests { limit: Limit::Shared, retry_after: 0.5 });
        assert_eq!((rule.skip, rule.times), (0, 1));
    }
}

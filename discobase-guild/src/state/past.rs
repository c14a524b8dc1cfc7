//! The recent past: what a lagging part of Discord would still show, and would not show yet.
//!
//! Callers: `state::messages` and `state::history`. Without [`Flaws`] nothing of this can be seen: every call sees
//! what the calls before it did. Discord docs, "API Reference": Consistency; it promises none of that.
//! Invariant: what is older than [`REACH_MS`] is forgotten, so no read can be staler than that.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::model::Message;
use super::snowflake::Snowflake;

/// How far back a stale read can look, in milliseconds.
pub const REACH_MS: u64 = 60_000;

/// What goes wrong inside one call, as it does when Discord's parts disagree. The default is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flaws {
    /// A read is answered from a copy that is this old, in milliseconds; at most [`REACH_MS`].
    pub stale_ms: u64,
    /// How long a new message stays out of what is read, in milliseconds. Its reply and its event are not late.
    pub hidden_ms: u64,
    /// How far the clock is off that dates a new message's id, in milliseconds.
    pub skew_ms: i64,
    /// Uses of the same nonce that are younger than this are overlooked, in milliseconds.
    pub blind_ms: u64,
    /// How long the files of a new message cannot be downloaded, in milliseconds.
    pub late_files_ms: u64,
}

#[derive(Debug)]
struct Version {
    message: Arc<Message>,
    from_ms: u64,
    until_ms: u64,
}

/// What changed lately.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Since when messages are as they are now; what is not listed has been so for long.
    since: HashMap<Snowflake, u64>,
    /// What messages were before they were edited or deleted.
    versions: BTreeMap<(Snowflake, Snowflake), Vec<Version>>,
    /// When files can be downloaded; what is not listed can.
    files: HashMap<Snowflake, u64>,
    /// The highest number in `since`.
    latest_ms: u64,
    changes: u64,
}

impl Past {
    /// A message was made; reads show it from `since_ms` on.
    pub(super) fn created(&mut self, now_ms: u64, id: Snowflake, since_ms: u64) {
        self.forget(now_ms);
        self.set(id, since_ms);
    }

    /// A file was made that can be downloaded from `since_ms` on.
    pub(super) fn uploaded(&mut self, id: Snowflake, since_ms: u64) {
        self.files.insert(id, since_ms);
    }

    /// A message is about to be changed or deleted.
    pub(super) fn replaced(&mut self, now_ms: u64, old: &Arc<Message>) {
        self.forget(now_ms);
        let from_ms = self.since(old.id);
        self.set(old.id, now_ms.max(from_ms));
        let version = Version { message: Arc::clone(old), from_ms, until_ms: now_ms };
        self.versions.entry((old.channel_id, old.id)).or_default().push(version);
    }

    /// Whether a file can be downloaded.
    pub(super) fn has_file(&self, now_ms: u64, id: Snowflake) -> bool {
        self.files.get(&id).is_none_or(|since| *since <= now_ms)
    }

    /// Whether at a time all messages were as they are now, so that nobody has to look back.
    pub(super) fn is_settled(&self, at_ms: u64) -> bool {
        self.latest_ms <= at_ms
    }

    /// A message as it was to be read at a time, given what it is now.
    pub(super) fn message(
        &self,
        at_ms: u64,
        channel: Snowflake,
        id: Snowflake,
        now: Option<&Arc<Message>>,
    ) -> Option<Arc<Message>> {
        if self.since(id) <= at_ms {
            return now.cloned();
        }
        self.versions.get(&(channel, id))?.iter().find_map(|one| one.at(at_ms))
    }

    /// A channel as it was to be read at a time, given what it is now.
    pub(super) fn channel(
        &self,
        at_ms: u64,
        channel: Snowflake,
        now: &BTreeMap<Snowflake, Arc<Message>>,
    ) -> BTreeMap<Snowflake, Arc<Message>> {
        let of_channel = self.versions.range((channel, 0)..=(channel, Snowflake::MAX));
        let gone = of_channel.map(|((_, id), _)| *id).filter(|id| !now.contains_key(id));
        let ids = now.keys().copied().chain(gone);
        ids.filter_map(|id| Some((id, self.message(at_ms, channel, id, now.get(&id))?))).collect()
    }

    fn set(&mut self, id: Snowflake, since_ms: u64) {
        self.since.insert(id, since_ms);
        self.latest_ms = self.latest_ms.max(since_ms);
    }

    fn since(&self, id: Snowflake) -> u64 {
        self.since.get(&id).copied().unwrap_or(0)
    }

    /// Forgets what no read can see any more, once in a while.
    fn forget(&mut self, now_ms: u64) {
        self.changes += 1;
        if !self.changes.is_multiple_of(256) {
            return;
        }
        self.since.retain(|_, since| *since + REACH_MS > now_ms);
        self.files.retain(|_, since| *since > now_ms);
        self.versions.retain(|_, versions| {
            versions.retain(|one| one.until_ms + REACH_MS > now_ms);
            !versions.is_empty()
        });
    }
}

impl Version {
    fn at(&self, at_ms: u64) -> Option<Arc<Message>> {
        (self.from_ms <= at_ms && at_ms < self.until_ms).then(|| Arc::clone(&self.message))
    }
}

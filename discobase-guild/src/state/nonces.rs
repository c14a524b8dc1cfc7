//! Nonces: the memory behind `enforce_nonce`.
//!
//! Callers: `state::messages`. Invariant: `order` holds all entries of `by_nonce`, oldest first.
//! Discord docs, "Message": Create Message, `enforce_nonce`.

use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};

use super::snowflake::Snowflake;

/// A nonce that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Who used it.
    pub author_id: Snowflake,
    /// Where. The documentation leaves open whether nonces are per channel or per author.
    pub channel_id: Snowflake,
    /// The nonce.
    pub nonce: String,
    /// The message it made.
    pub message_id: Snowflake,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

type Key = (Snowflake, Snowflake, String);

impl Used {
    fn key(&self) -> Key {
        (self.author_id, self.channel_id, self.nonce.clone())
    }
}

/// The nonces of the past few minutes.
#[derive(Debug, Default)]
pub(super) struct Nonces {
    by_nonce: HashMap<Key, Vec<(u64, Snowflake)>>,
    order: VecDeque<Used>,
}

impl Nonces {
    /// The message that a nonce made until `until_ms`, unless the nonce is older than the window: the first, if
    /// two that enforced it raced.
    pub(super) fn find(
        &self,
        author: Snowflake,
        channel: Snowflake,
        nonce: &str,
        until_ms: u64,
    ) -> Option<Snowflake> {
        let uses = self.by_nonce.get(&(author, channel, nonce.to_owned()))?;
        uses.iter().find(|(at_ms, _)| *at_ms <= until_ms).map(|(_, message)| *message)
    }

    /// Remembers a nonce. A nonce that is used again without being enforced points to the newest message.
    pub(super) fn remember(&mut self, used: Used, enforced: bool) {
        let uses = self.by_nonce.entry(used.key()).or_default();
        if !enforced {
            uses.clear();
        }
        uses.push((used.at_ms, used.message_id));
        self.order.push_back(used);
    }

    /// Forgets what is older than the window, and returns it.
    pub(super) fn expire(&mut self, now_ms: u64, window_ms: u64) -> Vec<Used> {
        let mut gone = Vec::new();
        while self.order.front().is_some_and(|used| used.at_ms.saturating_add(window_ms) <= now_ms) {
            let Some(used) = self.order.pop_front() else { break };
            let key = used.key();
            if let Some(uses) = self.by_nonce.get_mut(&key) {
                uses.retain(|(_, message)| *message != used.message_id);
                if uses.is_empty() {
                    self.by_nonce.remove(&key);
                }
            }
            gone.push(used);
        }
        gone
    }
}

//! Nonces: the memory behind `enforce_nonce`.
//!
//! Callers: `state::messages`. Invariant: `order` holds the same entries as `by_nonce`, oldest first.
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

/// The nonces of the past few minutes.
#[derive(Debug, Default)]
pub(super) struct Nonces {
    by_nonce: HashMap<Key, Snowflake>,
    order: VecDeque<Used>,
}

impl Nonces {
    /// The message that a nonce made, unless the nonce is older than the window.
    pub(super) fn find(&self, author: Snowflake, channel: Snowflake, nonce: &str) -> Option<Snowflake> {
        self.by_nonce.get(&(author, channel, nonce.to_owned())).copied()
    }

    /// Remembers a nonce. A nonce that is used again without being enforced points to the newest message.
    pub(super) fn remember(&mut self, used: Used) {
        self.by_nonce.insert((used.author_id, used.channel_id, used.nonce.clone()), used.message_id);
        self.order.push_back(used);
    }

    /// Forgets what is older than the window, and returns it.
    pub(super) fn expire(&mut self, now_ms: u64, window_ms: u64) -> Vec<Used> {
        let mut gone = Vec::new();
        while self.order.front().is_some_and(|used| used.at_ms.saturating_add(window_ms) <= now_ms) {
            let Some(used) = self.order.pop_front() else { break };
            let key = (used.author_id, used.channel_id, used.nonce.clone());
            if self.by_nonce.get(&key) == Some(&used.message_id) {
                self.by_nonce.remove(&key);
            }
            gone.push(used);
        }
        gone
    }
}

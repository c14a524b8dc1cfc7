//! A gateway session: what one client asked for, and the events it may still ask for again. Pure.
//!
//! Callers: the hub. Invariant: the sequence numbers in `events` are consecutive and end at `sequence`.
//! Discord docs, "Gateway": Resuming.

use std::collections::VecDeque;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::intents;
use crate::state::{Event, Snowflake};

/// What a client said when it identified.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) user_id: Snowflake,
    pub(crate) intents: u64,
    pub(crate) shard: (u64, u64),
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) asked: Asked,
    sequence: u64,
    events: VecDeque<Utf8Bytes>,
    keeps: usize,
    /// The connection that reads it, or since when there is none.
    pub(super) reader: Result<u64, u64>,
}

/// Why a session cannot go on from a sequence number.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The events after it are no longer kept.
    Forgotten,
    /// It was never reached.
    Future,
}

impl Session {
    pub(super) fn new(asked: Asked, reader: u64, keeps: usize) -> Self {
        Self { asked, sequence: 0, events: VecDeque::new(), keeps, reader: Ok(reader) }
    }

    /// Adds an event, if the session asked for it. Says whether it did.
    pub(super) fn push(&mut self, event: &Event) -> bool {
        let (id, count) = self.asked.shard;
        // Discord docs, "Gateway": Sharding. The formula that assigns a guild to a shard.
        let elsewhere = event.guild_id.is_some_and(|guild| (guild >> 22) % count.max(1) != id);
        if elsewhere || event.intents != 0 && event.intents & self.asked.intents == 0 {
            return false;
        }
        let user = self.asked.user_id;
        let Some(delivery) = event.deliveries.iter().find(|one| one.user_id == user) else { return false };
        let full = self.asked.intents & intents::MESSAGE_CONTENT != 0;
        let data = delivery.blank.as_ref().filter(|_| !full).unwrap_or(&delivery.data);
        self.push_data(event.name, data);
        true
    }

    /// Adds an event for this session alone.
    pub(super) fn push_data(&mut self, name: &str, data: &str) {
        self.sequence += 1;
        // Clients scan for `t`, `s` and `op` and stop at `d`.
        let text = format!(r#"{{"t":"{name}","s":{},"op":0,"d":{data}}}"#, self.sequence);
        self.events.push_back(text.into());
        while self.events.len() > self.keeps.max(1) {
            self.events.pop_front();
        }
    }

    /// The events after a sequence number.
    pub(super) fn after(&self, sequence: u64) -> Result<impl Iterator<Item = (u64, Utf8Bytes)>, Lost> {
        let first = self.sequence + 1 - self.events.len() as u64;
        if sequence > self.sequence {
            return Err(Lost::Future);
        }
        if sequence + 1 < first {
            return Err(Lost::Forgotten);
        }
        let skipped = usize::try_from(sequence + 1 - first).unwrap_or(usize::MAX);
        Ok((sequence + 1..).zip(self.events.iter().skip(skipped).cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(keeps: usize) -> Session {
        Session::new(Asked { user_id: 1, intents: intents::GUILDS, shard: (0, 1) }, 1, keeps)
    }

    #[test]
    fn the_replay_buffer_is_bounded() {
        let mut session = session(2);
        for name in ["A", "B", "C"] {
            session.push_data(name, "{}");
        }
        assert_eq!(session.after(0).err(), Some(Lost::Forgotten));
        assert_eq!(session.after(4).err(), Some(Lost::Future));
        let left: Vec<_> = session.after(1).unwrap().map(|(sequence, _)| sequence).collect();
        assert_eq!(left, [2, 3]);
        assert_eq!(session.after(3).unwrap().count(), 0);
        let (_, text) = session.after(2).unwrap().next().unwrap();
        assert_eq!(text.as_str(), r#"{"t":"C","s":3,"op":0,"d":{}}"#);
    }
}

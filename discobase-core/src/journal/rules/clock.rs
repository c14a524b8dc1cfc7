//! Discord's clock, as far as it can be known from here.

use std::time::Duration;

use crate::ids::MessageId;

/// A lower bound of Discord's clock, from the newest snowflake seen and the time passed since it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Clock {
    newest: u64,
    seen_at: Duration,
}

impl Clock {
    /// Nothing was seen yet. `now` is the process's monotonic clock, here and below.
    pub(crate) const fn new(now: Duration) -> Self {
        Self { newest: 0, seen_at: now }
    }

    /// A message with this id exists.
    pub(crate) fn saw(&mut self, message: MessageId, now: Duration) {
        let time = message.time_ms();
        if time > self.reading(now) {
            (self.newest, self.seen_at) = (time, now);
        }
    }

    /// What Discord's clock shows at least, in milliseconds since the Unix epoch.
    pub(crate) fn reading(&self, now: Duration) -> u64 {
        let passed = now.saturating_sub(self.seen_at).as_millis();
        self.newest.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }
}

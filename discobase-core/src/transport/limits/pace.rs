//! Keeping distance in a bucket whose headers do not tell the truth.
//!
//! Some routes have a limit below the one in their headers: reading history has been seen to promise 999 more
//! requests and to refuse the sixth. Waiting out each refusal would be obedient and still collect thousands of them.
//! So when a bucket refuses twice within a minute what it had promised, its requests are spaced as the refusals
//! suggest, and closer again after each minute without one.

use std::time::Duration;

/// Refusals farther apart are coincidences, and a pace is loosened after this time without one.
const MEMORY: Duration = Duration::from_secs(60);
/// The longest distance ever kept.
const LONGEST: Duration = Duration::from_secs(10);
/// A shorter distance is none.
const SHORTEST: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub(super) struct Pace {
    gap: Option<Duration>,
    last_sent: Option<Duration>,
    last_refused: Option<Duration>,
    loosened: Duration,
    /// When the first request since the last refusal left, and how many went well since.
    first_sent: Option<Duration>,
    accepted: u32,
}

impl Pace {
    /// When the next request may leave, if not at once.
    pub(super) fn free_at(&mut self, now: Duration) -> Option<Duration> {
        while let Some(gap) = self.gap
            && self.loosened + MEMORY <= now
        {
            self.loosened += MEMORY;
            self.gap = Some(gap / 2).filter(|gap| *gap > SHORTEST);
        }
        let next = self.last_sent? + self.gap?;
        (next > now).then_some(next)
    }

    pub(super) fn sent(&mut self, now: Duration) {
        self.last_sent = Some(now);
        self.first_sent.get_or_insert(now);
    }

    pub(super) fn accepted(&mut self) {
        self.accepted = self.accepted.saturating_add(1);
    }

    /// A request that left at `sent` was refused until `until`.
    pub(super) fn surprised(&mut self, sent: Duration, until: Duration, now: Duration) {
        // Requests that left before the last refusal came could not know of it.
        if self.last_refused.is_some_and(|refused| sent <= refused) {
            return;
        }
        // A refusal on top of another says that the wait was longer, nothing of a rate.
        if self.accepted > 0 && self.last_refused.is_some_and(|refused| refused + MEMORY > now) {
            let cycle = until.saturating_sub(self.first_sent.unwrap_or(sent));
            let gap = (cycle / self.accepted).min(LONGEST);
            self.gap = Some(self.gap.map_or(gap, |known| known.max(gap)));
            self.loosened = now;
        }
        self.last_refused = Some(now);
        self.first_sent = None;
        self.accepted = 0;
    }
}

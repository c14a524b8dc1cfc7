//! When the next frame leaves: at once while there is room for all that is to be expected, else spread over the time
//! that what is left has to last.
//!
//! Discord takes a few messages at once from a channel, and about one a second in the long run (5 in 5 seconds). A
//! writer that sends as soon as it may uses up the few on almost empty frames and then stands still for seconds. One
//! that spreads them gives the same number of frames, and the longest wait is the time between two. Whatever it writes, it
//! is also never without a post for longer than a moment, should it have to object to a rival (`docs/format.md`,
//! "Opening"): the last post is kept until the count begins anew soon enough.
//!
//! Pure: the clock and what is left of the limit are passed in.

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::transport::Room;

/// Over this time commits are counted, to tell how many are to be expected. A longer time takes a steady load for a short
/// burst when it begins, and uses up what it will need; a shorter one takes two commits for a steady load.
const MEMORY: Duration = Duration::from_secs(1);
/// Over this time frames are counted: about as long as Discord counts messages.
const WINDOW: Duration = Duration::from_secs(5);
/// However much is left of the limit, a frame leaves so long after the one before is durable: whoever was told of that,
/// and saves again, gets into it.
const LINGER: Duration = Duration::from_millis(10);
/// An objection may wait so long for the count to begin anew: with a round trip before and after it, it is still within the
/// grace (3 seconds on Discord).
const OBJECTION: Duration = Duration::from_secs(1);
/// A frame of so many bytes is bulk: what it takes is its upload, not a wait for company.
const BULK: usize = 1 << 20;

/// What is queued.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Queued {
    /// Bytes of the frame that would leave now.
    pub(super) bytes: usize,
    /// Whether nothing more gets into that frame.
    pub(super) closed: bool,
}

/// What is known of commits and frames so far.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the last frame left, when the one before it did, and when the last was answered.
    left: Option<Duration>,
    before: Option<Duration>,
    answered: Duration,
    round_trip: Duration,
    /// When a commit was counted last: those within a round trip share a frame anyway.
    counted: Option<Duration>,
    /// How many frames the commits of the last [`MEMORY`] would have liked to have.
    wanted: Fading,
    /// How many frames left within the last [`WINDOW`].
    sent: Fading,
}

/// A count in which what is long ago counts less and less.
#[derive(Debug, Default)]
struct Fading {
    count: f64,
    at: Duration,
}

impl Fading {
    fn add(&mut self, now: Duration, memory: Duration) {
        self.count = self.get(now, memory) + 1.0;
        self.at = now;
    }

    fn get(&self, now: Duration, memory: Duration) -> f64 {
        self.count * (-now.saturating_sub(self.at).div_duration_f64(memory)).exp()
    }
}

impl Pace {
    /// A commit was queued.
    pub(super) fn arrived(&mut self, now: Duration) {
        if self.counted.is_none_or(|counted| counted + self.round_trip <= now) {
            self.wanted.add(now, MEMORY);
            self.counted = Some(now);
        }
    }

    /// A frame leaves whose first commit was queued at `since`; gives how long it waited although no other was in flight.
    pub(super) fn leaves(&mut self, now: Duration, since: Duration) -> Duration {
        self.before = self.left.replace(now);
        self.sent.add(now, WINDOW);
        now.saturating_sub(since.max(self.answered))
    }

    /// The frame that left last was answered.
    pub(super) fn answered(&mut self, now: Duration) {
        self.answered = now;
        self.round_trip = now.saturating_sub(self.left.unwrap_or(now));
    }

    /// When a frame of what is queued leaves; `now` or earlier means at once.
    pub(super) fn due(&self, room: Option<Room>, queued: Queued, now: Duration) -> Duration {
        let Some(Room { remaining, resets_in: Some(resets_in), span, .. }) = room else { return now };
        let Some(left) = self.left else { return now };
        let resets = now + resets_in;
        if remaining == 0 {
            return resets;
        }
        // The last post is for an objection, until one would not have to wait long without it.
        let spare = if remaining == 1 { resets.saturating_sub(OBJECTION) } else { Duration::ZERO };
        if queued.closed {
            return now.max(spare);
        }
        let soon = spare.max(self.answered + LINGER);
        if self.before.is_none_or(|before| before + span <= now) {
            return soon;
        }
        let enough = || remaining > 1 && self.expected(now, resets_in) <= f64::from(remaining);
        if queued.bytes >= BULK || enough() {
            return soon;
        }
        soon.max(left + resets.saturating_sub(left) / remaining.saturating_add(1))
    }

    /// How many more frames commits will like to have in a time to come: as many as they did lately. Callers who wait for
    /// a frame don't save meanwhile and seem to want few, so the frames that they were given count as well.
    fn expected(&self, now: Duration, time: Duration) -> f64 {
        // The commit that is about to leave is none of those to come.
        let wanted = (self.wanted.get(now, MEMORY) - 1.0) * time.div_duration_f64(MEMORY);
        let given = self.sent.get(now, WINDOW) * time.div_duration_f64(WINDOW);
        wanted.max(given)
    }
}

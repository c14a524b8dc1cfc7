//! When checkpoints are due.

use std::time::Duration;

use crate::replay::Volume;

/// How much must have been written: either is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Enough {
    pub(crate) frames: u64,
    /// Bytes of commits, not compressed.
    pub(crate) bytes: u64,
}

impl Enough {
    pub(crate) fn is_reached(self, volume: Volume) -> bool {
        volume.frames >= self.frames || volume.bytes >= self.bytes
    }
}

/// When checkpoints are written, and when what they make superfluous is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    /// While the database is open.
    pub(crate) due: Enough,
    /// When it is closed. A bot that opens and closes often with little to say need not write one each time: a page of
    /// the journal's history has 100 messages, and what is below it costs the next opening nothing.
    pub(crate) at_close: Enough,
    /// How long after a checkpoint became durable its readers may still be reading what was before it.
    pub(crate) trim_after: Duration,
    /// How long a checkpoint that failed waits before it is tried again; the time doubles with each failure.
    pub(crate) retry: Duration,
}

impl Settings {
    /// A checkpoint that failed again and again is tried so often at least.
    const LONGEST_RETRY: Duration = Duration::from_secs(3_600);

    /// How long the next try waits after so many failures.
    pub(crate) fn retry_after(self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.retry.saturating_mul(doubled).min(Self::LONGEST_RETRY.max(self.retry))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            due: Enough { frames: 256, bytes: 24 << 20 },
            at_close: Enough { frames: 64, bytes: 1 << 20 },
            trim_after: Duration::from_secs(600),
            retry: Duration::from_secs(60),
        }
    }
}

//! Fixed windows: so many requests, then wait for the window to end.
//!
//! Callers: `limits::rates` and `gateway`. Discord's headers describe a fixed window, which is why this is
//! not a leaky bucket.

/// A number of requests in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many requests fit.
    pub count: u64,
    /// The length of the window in milliseconds.
    pub window_ms: u64,
}

/// A window that opens with its first request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Window {
    opened_ms: u64,
    used: u64,
}

impl Window {
    fn roll(&mut self, rate: Rate, now_ms: u64) {
        if self.used == 0 || now_ms >= self.opened_ms.saturating_add(rate.window_ms) {
            *self = Self { opened_ms: now_ms, used: 0 };
        }
    }

    /// Whether one more request fits; `Err` says in how many milliseconds it will.
    ///
    /// # Errors
    /// The window is used up.
    pub fn check(&mut self, rate: Rate, now_ms: u64) -> Result<(), u64> {
        self.roll(rate, now_ms);
        if self.used < rate.count { Ok(()) } else { Err(self.ends_in(rate, now_ms)) }
    }

    /// Uses up one request.
    pub fn take(&mut self, rate: Rate, now_ms: u64) {
        self.roll(rate, now_ms);
        self.used += 1;
    }

    /// What is left of the window.
    pub fn remaining(&self, rate: Rate) -> u64 {
        rate.count.saturating_sub(self.used)
    }

    /// Milliseconds until the window ends.
    pub fn ends_in(&self, rate: Rate, now_ms: u64) -> u64 {
        self.opened_ms.saturating_add(rate.window_ms).saturating_sub(now_ms)
    }

    /// Whether the window has ended, so that forgetting it changes nothing.
    pub fn is_over(&self, rate: Rate, now_ms: u64) -> bool {
        self.ends_in(rate, now_ms) == 0
    }
}

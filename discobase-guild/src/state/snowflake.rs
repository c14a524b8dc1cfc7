//! Snowflakes: Discord's ids, which carry their time of birth.
//!
//! Callers: the rest of `state`, which takes every new id from one [`Snowflakes`]. Invariant: ids are
//! strictly increasing for the life of a data file, even when the clock stands still or runs backwards.

/// A Discord id. On the wire always a JSON string.
pub type Snowflake = u64;

// Discord docs, "API Reference": Snowflakes. Milliseconds since the first second of 2015.
const DISCORD_EPOCH_MS: u64 = 1_420_070_400_000;
// 5 bits of worker and 5 bits of process; any constant will do for one machine.
const WORKER_AND_PROCESS: u64 = (1 << 17) | (1 << 12);
// The worker whose clock is off. Its process bits count on where the increment ends.
const SKEWED_WORKER: u64 = 2 << 17;

/// The generator of ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snowflakes {
    last_ms: u64,
    increment: u64,
    skewed: u64,
}

impl Snowflakes {
    /// A generator whose ids are all greater than `id`.
    pub(crate) fn after(id: Snowflake) -> Self {
        Self { last_ms: (id >> 22) + 1, ..Self::default() }
    }

    /// The newest id given out so far.
    pub(crate) fn last(&self) -> Snowflake {
        (self.last_ms << 22) | WORKER_AND_PROCESS | self.increment
    }

    /// An id of a worker whose clock is off by so many milliseconds: it may be lower than ids given out before.
    pub(crate) fn next_skewed(&mut self, now_ms: u64, skew_ms: i64) -> Snowflake {
        if skew_ms == 0 {
            return self.next(now_ms);
        }
        self.skewed = (self.skewed + 1) & 0x1_ffff;
        at(now_ms.saturating_add_signed(skew_ms)) | SKEWED_WORKER | self.skewed
    }

    /// The next id. When a millisecond has no increments left it borrows from the next one.
    pub(crate) fn next(&mut self, now_ms: u64) -> Snowflake {
        let ms = now_ms.saturating_sub(DISCORD_EPOCH_MS);
        if ms > self.last_ms {
            self.last_ms = ms;
            self.increment = 0;
        } else if self.increment == 0xfff {
            self.last_ms += 1;
            self.increment = 0;
        } else {
            self.increment += 1;
        }
        (self.last_ms << 22) | WORKER_AND_PROCESS | self.increment
    }
}

/// The time an id was made, in milliseconds since the Unix epoch.
pub fn time_of(id: Snowflake) -> u64 {
    (id >> 22) + DISCORD_EPOCH_MS
}

/// The smallest id of a millisecond: a cursor in time.
pub fn at(ms: u64) -> Snowflake {
    ms.saturating_sub(DISCORD_EPOCH_MS) << 22
}

/// An ISO 8601 timestamp as Discord writes it.
pub fn timestamp(ms: u64) -> String {
    let (days, of_day) = (ms / 86_400_000, ms % 86_400_000);
    // Civil date from days since 1970, in the proleptic Gregorian calendar, years starting in March.
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60);
    let micros = of_day % 1000 * 1000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}+00:00")
}

/// The time of an ISO 8601 timestamp with an offset from UTC, in milliseconds since the Unix epoch, any finer part cut off.
pub fn parse_timestamp(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let rest = text.get(19..)?;
    let end = rest.find(['Z', 'z', '+', '-', ' ']).unwrap_or(rest.len());
    let (fraction, offset) = rest.split_at(end);
    let ms = format!("{:0<3.3}", fraction.strip_prefix('.').unwrap_or_default()).parse::<u64>().ok()?;
    // A plus sign that nobody encoded arrives as a blank.
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let offset_of =
        |from: usize, to: usize| offset.get(from..to).map_or(Some(0), |part| part.parse::<i64>().ok());
    let east = sign * (offset_of(1, 3)? * 60 + offset_of(4, 6)?);
    // Days since 1970 from the civil date, in years that start in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let of_year = (153 * m + 2) / 5 + day.checked_sub(1)?;
    let of_era = (y % 400) * 365 + (y % 400) / 4 - (y % 400) / 100 + of_year;
    let days = (y / 400 * 146_097 + of_era).checked_sub(719_468)?;
    let local = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms;
    local.checked_add_signed(-east * 60_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_when_the_clock_does_not() {
        let mut ids = Snowflakes::default();
        let mut last = 0;
        for step in 0..10_000_u64 {
            let id = ids.next(1_700_000_000_000 - step % 3);
            assert!(id > last);
            last = id;
        }
        assert!(Snowflakes::after(last).next(0) > last);
    }

    #[test]
    fn timestamps_are_civil() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000000+00:00");
        assert_eq!(timestamp(1_709_210_096_789), "2024-02-29T12:34:56.789000+00:00");
        assert_eq!(time_of(at(1_709_210_096_789)), 1_709_210_096_789);
        for text in [
            "2024-02-29T12:34:56.789000+00:00",
            "2024-02-29T12:34:56.789Z",
            "2024-02-29T14:04:56.789999+01:30",
            "2024-02-29T11:34:56.789-01:00",
        ] {
            assert_eq!(parse_timestamp(text), Some(1_709_210_096_789), "{text}");
        }
        for days in (0..40_000).step_by(17) {
            assert_eq!(parse_timestamp(&timestamp(days * 86_400_000)), Some(days * 86_400_000));
        }
        assert_eq!(parse_timestamp("yesterday"), None);
    }
}
